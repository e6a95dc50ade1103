/* Transactions that wait for a block: bounded in count and bytes, with a share per sender.
 *
 * Holds only transactions whose signatures were checked, so a block made of known ones costs no second check.
 * Belongs to the ledger thread.
 */
#ifndef ASSAY_NODE_LEDGER_MEMPOOL_H
#define ASSAY_NODE_LEDGER_MEMPOOL_H

#include "contracts/transaction.h"

struct mempool;

struct mempool_config {
    size_t max_count;
    size_t max_bytes;
    size_t max_per_sender; /* transactions of one first signer */
};

NODISCARD enum err mempool_new(const struct mempool_config *config, struct mempool **out);
void mempool_free(struct mempool *pool);
/* Takes a checked transaction (copied). ERR_DUPLICATE, ERR_FULL, ERR_DENIED (sender's share is used up). */
NODISCARD enum err mempool_add(struct mempool *pool, const struct transaction *tx);
/* The envelope of a waiting transaction: its signatures need no second check when the bytes are equal. */
bool mempool_vouches(const struct mempool *pool, const struct transaction *tx);
void mempool_remove(struct mempool *pool, const uint8_t id[HASH_LEN]);
/* Drops what expired at this block time; gives how many. */
size_t mempool_expire(struct mempool *pool, uint64_t time_ms);
size_t mempool_count(const struct mempool *pool);
size_t mempool_bytes(const struct mempool *pool);
/* Oldest first; `each` returns false to stop. */
void mempool_each(const struct mempool *pool, bool (*each)(void *arg, const struct transaction *tx), void *arg);

#endif
