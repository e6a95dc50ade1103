/* Making one snapshot (store/snapshot.h) of a final state, on any thread, from a view that pins it: the ledger goes on
 * meanwhile. Memory is bounded; the disk needs room for the state three times over while it is sorted.
 *
 *   DIR/<height>/manifest
 *   DIR/<height>/<chunk>      state chunks, then body chunks
 *
 * Until all of it is durable the folder is called DIR/<height>.tmp.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_MAKE_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_MAKE_H

#include "node/ledger/chain.h"
#include "node/snapshot/snapshot_verify.h"

#define SNAPSHOT_MANIFEST_NAME "manifest"
#define SNAPSHOT_PATH_MAX 1024

struct snapshot_make_config {
    struct chain *chain;     /* for the bodies, and for finalizations that came later */
    struct chain_view *view; /* at the height; used by this thread alone meanwhile */
    const char *dir;         /* an existing folder */
    uint32_t chunk_target;   /* bytes; 0: SNAPSHOT_CHUNK_TARGET, which every node must use */
    bool (*stop)(void *arg); /* true: the work ends with ERR_CLOSED; NULL: never */
    void *arg;
};

/* ERR_EXISTS when there is one of this height, ERR_NOTFOUND when its block has no finalization yet or a body of the
 * window is not here, ERR_RANGE for the genesis. Leftovers of a failure are removed. */
NODISCARD enum err snapshot_make(const struct snapshot_make_config *config);

/* Removes a folder of files and folders, whatever is in it; a missing one is fine. */
NODISCARD enum err snapshot_remove_folder(const char *path);

#endif
