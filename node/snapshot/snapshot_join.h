/* Joining by snapshot: a ledger that is new, or far behind, gets one at a height of today instead of executing every
 * block since genesis. In the ledger's folder stand meanwhile
 *
 *   join/manifest     of the snapshot being fetched; it was verified
 *   join/chunks/      what has arrived
 *   join/store/       the store being built from it: state/ and blocks/
 *   join/ready        store/ is whole and durable: it takes the place of state and blocks
 *   join/old/         what stood there before, until the change is complete
 *
 * Interrupted at any moment, also by a power cut, the next call goes on: with the chunks that are there, or, once
 * `ready` stands, with the change of places. The old store is in place until then. The vote journal and the images are
 * not touched.
 *
 * All it decides by comes in through its configuration: disk, store, network and clocks are a daemon's
 * (node/home/home_join.h) or the simulator's.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_JOIN_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_JOIN_H

#include "base/why.h"
#include "node/genesis/checkpoint_file.h"
#include "node/snapshot/snapshot_fetch.h"
#include "node/snapshot/snapshot_place.h"
#include "node/snapshot/snapshot_verify.h"

enum snapshot_join_part { JOIN_WAIT, JOIN_FETCH, JOIN_BUILD };

struct snapshot_join_config {
    struct snapshot_place place; /* its owner has locked it */
    const struct genesis *genesis;
    struct snapshot_transport transport;
    const char *const *sources; /* addresses that the transport understands */
    size_t source_count;
    const struct checkpoint_file *pin; /* NULL: none */
    uint64_t wall_ms;                  /* now */
    uint64_t behind_ms;                /* a store that is older than what is offered by more than this is far behind */
    uint64_t segment_bytes;            /* of the block log */
    bool wanted; /* the operator asked: join also when the store is not far behind, and say why if it can't be done */
    /* Bytes, or chunks while building; false ends the work with ERR_CLOSED. May be NULL. */
    bool (*progress)(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total);
    void (*source_left)(void *arg, const char *url, enum err reason, const char *what); /* may be NULL */
    void *arg;
};

struct snapshot_join_report {
    bool joined;
    uint64_t before; /* how far the block log reached; the new state is never below */
    uint64_t height;
    uint8_t block[HASH_LEN];
    uint64_t bytes;   /* of the snapshot */
    uint64_t fetched; /* of these: now, over the network */
};

/* Before the chain is opened. OK without `joined`: nothing was to be done, or (unless `wanted`) nobody offers a
 * snapshot, so that the node catches up block by block. ERR_NOTFOUND, ERR_INVALID, ERR_DENIED (genesis is too old to
 * trust alone: a checkpoint is needed), ERR_CLOSED, local faults, each explained in `why`, which is empty at first. */
NODISCARD enum err snapshot_join(const struct snapshot_join_config *config, struct snapshot_join_report *out,
                                 struct why *why);

#endif
