/* The door between the HTTP threads and the ledger thread: transactions go in, receipts come back.
 *
 * A transaction posted here has been decoded and its signatures checked by the thread that read it. It waits in a
 * bounded queue until the ledger thread admits it to the mempool; who asked to wait is told when its block is final, or
 * when its time is up. `done` is called exactly once for every accepted post, on the ledger thread.
 */
#ifndef ASSAY_NODE_LEDGER_SUBMIT_H
#define ASSAY_NODE_LEDGER_SUBMIT_H

#include "node/ledger/chain.h"
#include "node/ledger/execute.h"
#include "node/ledger/stage_times.h"

#include <uv.h>

struct submit;

#define SUBMIT_PATIENCE_MS 500u /* while somebody has waited this long nobody is taken in... */
#define SUBMIT_ALWAYS 64u       /* ...beyond this many */

enum submit_wait { SUBMIT_ACCEPTED, SUBMIT_FINALIZED };

struct submit_outcome {
    /* OK: admitted or final, as asked. ERR_EXISTS: executed before (height says where). ERR_FULL, ERR_DENIED: the
     * mempool or the sender's share is full. ERR_EXPIRED. ERR_TIMEOUT: admitted, not final in time. ERR_CLOSED. */
    enum err error;
    uint8_t tx_id[HASH_LEN];
    uint64_t height;        /* of its block; 0 while not final */
    struct receipt receipt; /* when height != 0; spans are valid during the call */
};

typedef void (*submit_done)(void *arg, const struct submit_outcome *outcome);

struct submit_config {
    uv_loop_t *loop;
    struct chain *chain;
    size_t max_queued;  /* posts not yet seen by the ledger thread */
    size_t max_waiting; /* posts that wait for finality */
    /* Hands a checked transaction to mempool and gossip: OK, ERR_DUPLICATE (waits there already), ERR_FULL, ... */
    enum err (*admit)(void *ctx, const struct transaction *tx);
    void *ctx;
    struct stage_times *times; /* borrowed, may be NULL */
};

NODISCARD enum err submit_new(const struct submit_config *config, struct submit **out);
/* Ledger thread; everyone still waiting gets ERR_CLOSED. */
void submit_free(struct submit *submit);

/* Any thread: would a post be refused for what waits already? For refusing before anything is spent on one. Clients
 * that would wait longer than SUBMIT_PATIENCE_MS are not taken in: an overloaded node refuses rather than making all
 * wait. */
bool submit_is_full(struct submit *submit);
/* Any thread. ERR_FULL: `done` will not be called. */
NODISCARD enum err submit_post(struct submit *submit, struct bytes envelope, enum submit_wait wait, uint64_t timeout_ms,
                               submit_done done, void *arg);
/* Ledger thread, for every block that became final, once its writes can be read. */
void submit_block_final(struct submit *submit, const struct block *block);

/* Ledger thread, for a transaction that was accepted and will stand in no block: who waits for it gets `why`. */
void submit_dropped(struct submit *submit, const uint8_t tx_id[HASH_LEN], enum err why);

struct submit_stats {
    size_t queued, waiting;
    uint64_t accepted, refused, timed_out;
    uint64_t oldest_ms; /* how long the longest has waited, as of the last sweep */
};
struct submit_stats submit_stats(struct submit *submit);

#endif
