/* Devices' statements waiting for the ledger: on disk before their device is told so, kept until the ledger has
 * answered, sent in the order in which each device said them.
 *
 * Segmented log (store/seglog.h), stem "statements". Record types:
 *   1 said: a statement and its signature (229 bytes); synced before statement_queue_put returns
 *   2 done: sequence number (8) of the record it is about; not synced: losing one costs a second sending, which the
 *     ledger answers as it did the first
 *
 * Thread-safe.
 */
#ifndef ASSAY_NODE_GATEWAY_STATEMENT_QUEUE_H
#define ASSAY_NODE_GATEWAY_STATEMENT_QUEUE_H

#include "base/sha256.h"
#include "node/ledger/statement_tx.h"
#include "store/disk.h"

#define STATEMENT_QUEUE_MAX 65536u
#define STATEMENT_QUEUE_PER_DEVICE 16u

struct statement_queue;

struct statement_queue_config {
    struct disk disk;
    const char *dir;
    uint64_t segment_bytes;
};

struct statement_item {
    uint64_t sequence; /* of its record; rises */
    uint8_t body[STATEMENT_TX_BODY_LEN];
    uint8_t hash[HASH_LEN]; /* SHA-256 of the statement without its signature */
    struct statement statement;
};

NODISCARD enum err statement_queue_open(const struct statement_queue_config *config, struct statement_queue **out);
void statement_queue_close(struct statement_queue *queue);

/* Makes it durable. ERR_DUPLICATE: it waits already. ERR_FULL: too many wait, here or of this device. ERR_MALFORMED.
 * Local faults. */
NODISCARD enum err statement_queue_put(struct statement_queue *queue, const uint8_t body[STATEMENT_TX_BODY_LEN]);
/* Up to `max` items that may be sent side by side: the oldest of each device, oldest first. How many. */
size_t statement_queue_head(struct statement_queue *queue, struct statement_item *out, size_t max);
/* The ledger has answered. */
NODISCARD enum err statement_queue_done(struct statement_queue *queue, uint64_t sequence);
size_t statement_queue_count(struct statement_queue *queue);

#endif
