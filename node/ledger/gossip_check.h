/* Checks gossiped transactions on libuv's pool: form, signatures, the contract's cheap look; then hands the good ones
 * back to the ledger thread. Bounded: what does not fit is dropped and counted, since gossip can be lost at any time.
 *
 * A block can overtake the gossip of its transactions. So that no signature is checked twice, the mempool asks here
 * before it checks one itself (gossip_check_vouches): what the pool has found good is good, and what the pool has not
 * begun is left to the asker.
 */
#ifndef ASSAY_NODE_LEDGER_GOSSIP_CHECK_H
#define ASSAY_NODE_LEDGER_GOSSIP_CHECK_H

#include "node/ledger/chain.h"

#include <uv.h>

struct gossip_check;

struct gossip_check_config {
    uv_loop_t *loop;
    struct chain *chain;
    struct mempool *mempool; /* ledger thread only: what waits there already is not checked again */
    size_t max_queued;
    void (*good)(void *ctx, const struct transaction *tx); /* ledger thread */
    /* Ledger thread: what this peer passed on is no transaction, or a signature is false. May be NULL. */
    void (*bad)(void *ctx, uint16_t peer);
    void *ctx;
};

NODISCARD enum err gossip_check_new(const struct gossip_check_config *config, struct gossip_check **out);
/* Ledger thread. Work under way ends first: run the loop until gossip_check_idle. */
void gossip_check_free(struct gossip_check *check);
bool gossip_check_idle(const struct gossip_check *check);
/* Ledger thread; the bytes are copied. `peer` is who passed it on. */
void gossip_check_put(struct gossip_check *check, uint16_t peer, struct bytes envelope);
/* Ledger thread, for mempool_ask_also (`ctx` is the struct gossip_check). False obliges the asker: it checks the
 * transaction itself, and the pool no longer does. */
bool gossip_check_vouches(void *ctx, const struct transaction *tx);

struct gossip_check_stats {
    size_t queued;      /* not begun, and with the pool */
    uint64_t taken;     /* put in, without copies of what is known already */
    uint64_t known;     /* copies of what is known already */
    uint64_t good;      /* handed back */
    uint64_t refused;   /* by signature, form or contract */
    uint64_t overtaken; /* a block brought them first */
    uint64_t dropped;   /* for want of room */
};
struct gossip_check_stats gossip_check_stats(const struct gossip_check *check);

#endif
