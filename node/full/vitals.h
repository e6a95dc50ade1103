/* What a full node says of itself: alarms, and the facts that status, metrics and health show.
 *
 * Belongs to the ledger thread; readers on other threads get a copy through the board (node/api/status.h).
 */
#ifndef ASSAY_NODE_FULL_VITALS_H
#define ASSAY_NODE_FULL_VITALS_H

#include "node/api/events.h"
#include "node/api/status.h"
#include "node/full/peers.h"
#include "node/full/standing.h"
#include "node/full/status_facts.h"
#include "node/ledger/mempool.h"
#include "node/ledger/replica.h"
#include "node/ledger/submit.h"

/* Where the facts come from; all borrowed. */
struct vitals_sources {
    struct chain *chain;
    struct events *events;
    struct mempool *mempool;
    struct peers *peers;
    struct replica *replica;
    struct submit *submit;
    struct gossip_check *gossip;
    const char *data_dir;
    struct http_server *http; /* NULL until it is there */
    const uint8_t *key;       /* this node's */
    enum node_role role;      /* as configured */
    uint64_t clock_ahead_ms;  /* how far a proposal's time may be ahead */
    size_t http_connections;  /* at most */
};

struct vitals {
    struct status_board board;
    struct vitals_sources from;
    uint64_t blocks_final, txs_final, checkpoints, loop_turns, unsent; /* since start */
    uint64_t waiting_since_ms;                                         /* mono; 0 while nothing waits */
    struct alarms alarms;
    struct standing standing;
    char host[GENESIS_TEXT_MAX + 1];     /* where the ledger says this node is reached by https; "": nowhere */
    uint64_t certificate_ms;             /* mono, when it was looked at */
    bool is_on_ledger;                   /* as of the last look at governance */
    uint64_t last_block_ms;              /* mono: a block became final, or the node began */
    struct stage_times times;            /* the mempool, submit and the replica write into it */
    char dominating[GENESIS_ID_MAX + 1]; /* an organisation with more than f validators; "" when there is none */
    uint64_t dominating_ms;              /* mono, when it was last told */
    uint64_t counted_ms;                 /* mono, when descriptors were counted */
    uint64_t leaking_since_ms;           /* of descriptors_leak */
};

void vitals_init(struct vitals *vitals);
void vitals_close(struct vitals *vitals);

/* Says it in the log and to subscribers, and shows it until it has not been raised for a while, or for good where it
 * says that the node is no longer what it should be. `name` is one word with dashes, `text` a sentence. */
void vitals_alarm(struct vitals *vitals, const char *name, const char *text);
/* A transaction was admitted. */
void vitals_admitted(struct vitals *vitals);
void vitals_block_final(struct vitals *vitals, const struct block *block);
/* What the organisations may have changed is looked at again: at the start, and when a block called governance. */
NODISCARD enum err vitals_look_at_governance(struct vitals *vitals);
/* Writes the board, and says again what still holds. */
void vitals_write(struct vitals *vitals, uint64_t now_ms);

#endif
