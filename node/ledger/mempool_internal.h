/* What the files of the mempool share. */
#ifndef ASSAY_NODE_LEDGER_MEMPOOL_INTERNAL_H
#define ASSAY_NODE_LEDGER_MEMPOOL_INTERNAL_H

#include "node/ledger/mempool.h"

/* Entries stand in arrival order in a doubly linked list and in two hash tables: by id, and by first signer for the
 * share. Ids and keys are hashes or curve points, but senders choose them, so the tables are keyed with a secret. */
struct mempool_entry {
    struct mempool_entry *older, *newer;
    struct mempool_entry *next_in_bucket;
    uint64_t since_us;     /* mono */
    bool in_block;         /* a block that holds it has been looked at */
    struct transaction tx; /* borrows from `bytes` */
    uint8_t bytes[];
};

struct mempool_sender {
    struct mempool_sender *next_in_bucket;
    uint8_t key[ED25519_KEY_LEN];
    size_t count, bytes;
};

struct mempool {
    struct mempool_config config;
    struct mempool_entry *oldest, *newest;
    struct mempool_entry **by_id;
    struct mempool_sender **by_sender;
    size_t buckets;
    uint64_t secret;
    size_t count;
    size_t bytes;
    bool (*also)(void *ctx, const struct transaction *tx);
    void *also_ctx;
    struct stage_times *times; /* borrowed, may be NULL */
    struct mempool_stats stats;
};

/* The bucket of an id, or of a sender's key. */
size_t mempool_bucket(const struct mempool *pool, const uint8_t key[32]);

#endif
