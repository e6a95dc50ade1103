/* The folder where a ledger is kept: what it has, and how a joined ledger takes the place of the one that stands there
 * (snapshot_join.h has the layout). */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_PLACE_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_PLACE_H

#include "base/why.h"
#include "store/disk_files.h"
#include "store/kv.h"
#include "verify/block_header.h"

struct snapshot_place {
    struct disk disk;
    struct kv_opener state;
    const char *dir; /* holds state, blocks and join; exists */
};

/* A path in the folder; "" is the folder itself. ERR_TOOLARGE. */
NODISCARD enum err snapshot_place_path(const struct snapshot_place *place, const char *name, char out[DISK_PATH_MAX]);

/* Completes a change of places that was interrupted. For whoever opens a ledger. */
NODISCARD enum err snapshot_place_finish(const struct snapshot_place *place, struct why *why);

/* Where the ledger in the folder stands. */
struct snapshot_own {
    bool any; /* there is a state */
    struct block_header head;
    uint64_t epoch; /* the newest it knows */
    bool has_log;
    uint64_t log_height; /* the last block in its log: the state may stand below */
    struct buffer epoch_entry;
};
/* `out` is zeroed by the caller, and freed by it in any case. A store that can't be read counts as none: that is for
 * whoever opens the ledger to say. */
NODISCARD enum err snapshot_own_find(const struct snapshot_place *place, uint64_t segment_bytes,
                                     struct snapshot_own *out);
void snapshot_own_free(struct snapshot_own *own);

#endif
