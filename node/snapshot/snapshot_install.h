/* From the chunks of a snapshot to a store (node/ledger/chain_install.h): each is read and checked once more on the way
 * in, and the tree that grows from the leaves must have the block's state root.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_INSTALL_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_INSTALL_H

#include "base/why.h"
#include "node/snapshot/snapshot_verify.h"
#include "store/disk.h"
#include "store/kv.h"

struct snapshot_install_config {
    const struct genesis *genesis;
    const struct snapshot_manifest *manifest; /* verified */
    const struct block_header *header;        /* as snapshot_verify gave it */
    const struct checkpoint_pin *pin;         /* NULL: none */
    const char *dir;                          /* chunks are in dir/chunks; the store is built anew in dir/store */
    struct disk disk;
    struct kv_opener state;
    uint64_t segment_bytes;
    /* Chunks; false ends the work with ERR_CLOSED. May be NULL. */
    bool (*progress)(void *arg, uint64_t done, uint64_t total);
    void *arg;
};

/* The store is whole and durable when this returns. ERR_CORRUPT without words: a chunk was damaged meanwhile, and has
 * been removed; ERR_INVALID: the pinned block is not in this chain; local faults. */
NODISCARD enum err snapshot_install(const struct snapshot_install_config *config, struct why *why);

#endif
