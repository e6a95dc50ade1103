/* Carries devices' statements from the queue on disk to the ledger, over whichever source takes them.
 *
 * UPLINK_LANES threads send side by side, each statement of a device after the one before it was settled. A statement
 * is settled when the ledger provably has it (the device's record carries its counter or a higher one), or when sources
 * that do not depend on each other refuse it by a contract's code: all that there are, or UPLINK_REFUSALS of them. A
 * lone source's word settles nothing. Until then it is tried again, with a pause that doubles from UPLINK_RETRY_MIN_MS
 * to UPLINK_RETRY_MAX_MS.
 */
#ifndef ASSAY_NODE_GATEWAY_UPLINK_H
#define ASSAY_NODE_GATEWAY_UPLINK_H

#include "base/why.h"
#include "node/gateway/light.h"
#include "node/gateway/proven.h"
#include "node/gateway/statement_queue.h"

#define UPLINK_LANES 4
#define UPLINK_REFUSALS 2
#define UPLINK_WAIT_MS 3000 /* for finality, of one source */
#define UPLINK_RETRY_MIN_MS 200u
#define UPLINK_RETRY_MAX_MS 10000u

struct uplink;

/* What became of a statement. */
struct uplink_result {
    const struct statement_item *item;
    bool refused;
    uint32_t code;               /* the contract's, when refused */
    const struct proven *status; /* the device's status record as proven now; NULL when there is none to speak of */
};

struct uplink_config {
    struct light *light; /* borrowed, as is the rest */
    struct statement_queue *queue;
    const struct config_sources *sources;
    const uint8_t (*secret)[ED25519_SECRET_LEN]; /* of the node, which signs the transactions */
    /* On a lane's thread. The statement leaves the queue afterwards. */
    void (*settled)(void *ctx, const struct uplink_result *result);
    void *ctx;
};

NODISCARD enum err uplink_new(const struct uplink_config *config, struct uplink **out);
void uplink_stop(struct uplink *uplink);
/* Waits for at most one call to a source. */
void uplink_free(struct uplink *uplink);
/* Something new is in the queue. */
void uplink_poke(struct uplink *uplink);

struct uplink_stats {
    uint64_t sent, accepted, refused, failed;
    bool connected;      /* nothing has failed since the last statement was settled */
    struct why last_why; /* of the last failure, none after a statement that was settled */
};
void uplink_stats(struct uplink *uplink, struct uplink_stats *out);

#endif
