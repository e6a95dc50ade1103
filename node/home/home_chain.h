/* The ledger stored in a home folder, opened by one process at a time: lock, state store, block log.
 *
 *   HOME/data/lock      held while open
 *   HOME/data/state/    LMDB: checkpoints
 *   HOME/data/blocks/   block log
 *   HOME/data/journal/  vote journal
 *   HOME/data/blobs/    images
 */
#ifndef ASSAY_NODE_HOME_HOME_CHAIN_H
#define ASSAY_NODE_HOME_HOME_CHAIN_H

#include "base/why.h"
#include "node/home/daemon_home.h"
#include "node/ledger/chain.h"

#define HOME_JOURNAL_SEGMENT_BYTES (16u << 20) /* of the vote journal */
#define HOME_BLOCK_SEGMENT_BYTES (16u << 20)   /* of the block log: what pruning gives back is whole files */
#define HOME_MAP_BYTES (64ull << 30)           /* LMDB's address space; the file grows as it is filled */

struct home_lock;

struct home_chain {
    struct home_lock *lock;
    struct chain *chain;
};

/* HOME/data/NAME, or HOME/data for an empty name. ERR_TOOLARGE. */
NODISCARD enum err home_path(const struct daemon_home *home, const char *name, char out[CONFIG_PATH_MAX]);

/* Takes the home's lock alone, making HOME/data if need be; home_lock_release gives it back. ERR_BUSY with the holder
 * named in `why`. */
NODISCARD enum err home_chain_lock(const struct daemon_home *home, struct home_lock **out, struct why *why);
/* `mempool` may be NULL. What went wrong is explained in `why`. */
NODISCARD enum err home_chain_open(const struct daemon_home *home, struct mempool *mempool, struct home_chain *out,
                                   struct why *why);
/* Halfway open or closed is fine. */
void home_chain_close(struct home_chain *chain);

#endif
