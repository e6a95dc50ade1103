/* Checks gossiped transactions on libuv's pool: form, signatures, the contract's cheap look; then hands the good ones
 * back to the ledger thread. Bounded: what does not fit is dropped and counted, since gossip can be lost at any time.
 */
#ifndef ASSAY_NODE_GOSSIP_CHECK_H
#define ASSAY_NODE_GOSSIP_CHECK_H

#include "node/ledger/chain.h"

#include <uv.h>

struct gossip_check;

struct gossip_check_config {
    uv_loop_t *loop;
    struct chain *chain;
    struct mempool *mempool; /* ledger thread only: what waits there already is not checked again */
    uint64_t max_lifetime_ms;
    size_t max_queued;
    void (*good)(void *ctx, const struct transaction *tx); /* ledger thread */
    void *ctx;
};

NODISCARD enum err gossip_check_new(const struct gossip_check_config *config, struct gossip_check **out);
/* Ledger thread. Work under way ends first: run the loop until gossip_check_idle. */
void gossip_check_free(struct gossip_check *check);
bool gossip_check_idle(const struct gossip_check *check);
/* Ledger thread; the bytes are copied. */
void gossip_check_put(struct gossip_check *check, struct bytes envelope);
uint64_t gossip_check_dropped(const struct gossip_check *check);

#endif
