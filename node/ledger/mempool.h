/* Transactions that wait for a block: bounded in count and bytes, with a share per sender.
 *
 * Holds only transactions whose signatures were checked, so a block made of known ones costs no second check.
 * Belongs to the ledger thread.
 */
#ifndef ASSAY_NODE_LEDGER_MEMPOOL_H
#define ASSAY_NODE_LEDGER_MEMPOOL_H

#include "base/why.h"
#include "contracts/kernel/transaction.h"
#include "node/ledger/stage_times.h"

struct mempool;

struct mempool_config {
    size_t max_count;
    size_t max_bytes;
    size_t max_per_sender;       /* transactions of one first signer */
    size_t max_bytes_per_sender; /* and their bytes; 0: max_bytes */
};

NODISCARD enum err mempool_new(const struct mempool_config *config, struct mempool **out);
void mempool_free(struct mempool *pool);
/* Takes a checked transaction (copied). ERR_DUPLICATE, ERR_FULL, ERR_DENIED (sender's share is used up), ERR_NOMEM. */
NODISCARD enum err mempool_add(struct mempool *pool, const struct transaction *tx);
/* The envelope of a waiting transaction: its signatures need no second check when the bytes are equal. */
bool mempool_vouches(const struct mempool *pool, const struct transaction *tx);
/* Are the signatures of a block's transaction good? Those that nobody vouches for are checked here and now; a good one
 * then waits like one that was gossiped (as far as there is room), so that no later copy of it is checked again. */
bool mempool_proves(struct mempool *pool, const struct transaction *tx);
/* Whom mempool_proves asks about a transaction that does not wait here: one whose check is still on its way. */
void mempool_ask_also(struct mempool *pool, bool (*vouches)(void *ctx, const struct transaction *tx), void *ctx);
void mempool_remove(struct mempool *pool, const uint8_t id[HASH_LEN]);
/* Drops what expired at this block time; gives how many. */
size_t mempool_expire(struct mempool *pool, uint64_t time_ms);
/* Drops what expires later than `latest_ms`, which no block may take (the organisations voted for a shorter lifetime),
 * and tells of each; gives how many. `gone` may be NULL. */
size_t mempool_drop_beyond(struct mempool *pool, uint64_t latest_ms,
                           void (*gone)(void *ctx, const uint8_t id[HASH_LEN]), void *ctx);
/* Before the first transaction: where to note how long each has waited when a block that holds it is first looked at.
 */
void mempool_time(struct mempool *pool, struct stage_times *times);
/* Signatures of blocks' transactions that somebody vouched for, and those that had to be checked. */
struct mempool_stats {
    uint64_t vouched, checked;
};
struct mempool_stats mempool_stats(const struct mempool *pool);
size_t mempool_count(const struct mempool *pool);
size_t mempool_bytes(const struct mempool *pool);
/* Oldest first; `each` returns false to stop. */
void mempool_each(const struct mempool *pool, bool (*each)(void *arg, const struct transaction *tx), void *arg);

/* For tests: is all of it sound? If not, `out_why` says which invariant is broken. (mempool_check.c) */
NODISCARD bool mempool_check(const struct mempool *pool, struct why *out_why);

#endif
