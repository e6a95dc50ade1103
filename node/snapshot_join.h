/* Joining by snapshot: a home whose ledger is new, or far behind, gets one at a height of today instead of executing
 * every block since genesis.
 *
 *   HOME/data/join/manifest     of the snapshot being fetched; it was verified
 *   HOME/data/join/chunks/      what has arrived
 *   HOME/data/join/store/       the store being built from it: state/ and blocks/
 *   HOME/data/join/ready        store/ is whole and durable: it takes the place of data/state and data/blocks
 *   HOME/data/join/old/         what stood there before, until the change is complete
 *
 * Interrupted at any moment, the next call goes on: with the chunks that are there, or, once `ready` stands, with the
 * change of places. The old store is in place until then. The vote journal and the images are not touched.
 */
#ifndef ASSAY_NODE_SNAPSHOT_JOIN_H
#define ASSAY_NODE_SNAPSHOT_JOIN_H

#include "node/daemon.h"
#include "node/snapshot_fetch.h"
#include "node/snapshot_verify.h"

enum snapshot_join_part { JOIN_WAIT, JOIN_FETCH, JOIN_BUILD };

struct snapshot_join_config {
    const struct daemon_home *home;
    const char *const *sources; /* base URLs; none: snapshot.sources, or the HTTP addresses of the nodes in genesis */
    size_t source_count;
    const struct snapshot_pin *pin; /* NULL: snapshot.checkpoint, if it is set */
    bool wanted; /* the operator asked: join also when the store is not far behind, and say why if it can't be done */
    struct snapshot_http_options http;
    /* Bytes, or chunks while building; false ends the work with ERR_CLOSED. May be NULL. */
    bool (*progress)(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total);
    void (*source_left)(void *arg, const char *url, enum err reason, const char *what); /* may be NULL */
    void *arg;
};

struct snapshot_join_report {
    bool joined;
    uint64_t height;
    uint8_t block[HASH_LEN];
    uint64_t bytes;   /* of the snapshot */
    uint64_t fetched; /* of these: now, over the network */
};

/* Before the chain is opened. OK without `joined`: nothing was to be done, or (unless `wanted`) nobody offers a
 * snapshot, so that the node catches up block by block. ERR_BUSY: the node runs; ERR_NOTFOUND, ERR_INVALID, ERR_DENIED
 * (genesis is too old to trust alone: a checkpoint is needed), ERR_CLOSED, local faults, each explained in `why`.
 * curl_global_init has been called. */
NODISCARD enum err snapshot_join(const struct snapshot_join_config *config, struct snapshot_join_report *out,
                                 char why[DAEMON_WHY_MAX]);

/* Completes a change of places that was interrupted. For whoever opens a home's ledger, with its lock held. */
NODISCARD enum err snapshot_join_finish(const struct daemon_home *home, char why[DAEMON_WHY_MAX]);

#endif
