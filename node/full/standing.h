/* Where a full node stands among the others: what the ledger makes of it, whom of the validators it reaches, and whether
 * the chain goes on. Looked at a few times a second, so that a halt is told though nobody waits for a transaction.
 *
 * Plain data; belongs to the ledger thread. Times are monotonic. All zeros is a node that has not looked yet.
 */
#ifndef ASSAY_NODE_FULL_STANDING_H
#define ASSAY_NODE_FULL_STANDING_H

#include "contracts/genesis/genesis.h"

#define STANDING_PATIENCE_MS 10000u /* what heals within it (a start, a short break) is not told */
#define STANDING_HEARTBEATS 3u      /* so many without a block: the chain stands */

/* As of now. */
struct standing_facts {
    enum node_role configured;
    bool is_on_ledger; /* the ledger has a record of this node */
    bool validates;    /* it is one of the epoch's validators */
    uint64_t epoch;
    uint16_t validators, within_reach; /* of the epoch; this node counts as within its own reach */
    uint64_t last_block_ms;            /* when the last block became final here, or the node began */
    uint32_t heartbeat_ms;             /* 0: the chain has none */
};

struct standing {
    bool known;
    bool validates;
    uint64_t epoch;
    uint64_t apart_since_ms; /* fewer validators than a quorum are within reach; 0: enough are */
};

/* Says in the log what has changed since the look before: an epoch, or that this node validates or no longer does. */
void standing_look(struct standing *standing, const struct standing_facts *facts, uint64_t now_ms);

/* How long a heartbeat is overdue; 0: it is not, or there is none. */
uint64_t standing_overdue_ms(const struct standing_facts *facts, uint64_t now_ms);

/* Each writes one sentence when that is so, else gives false: */
#define STANDING_TEXT_MAX 168u /* as an alarm's text */
bool standing_is_stalled(const struct standing_facts *facts, uint64_t now_ms, char out[STANDING_TEXT_MAX]);
bool standing_is_apart(const struct standing *standing, const struct standing_facts *facts, uint64_t now_ms,
                       char out[STANDING_TEXT_MAX]);
bool standing_is_stranger(const struct standing_facts *facts, char out[STANDING_TEXT_MAX]);
bool standing_is_deposed(const struct standing_facts *facts, char out[STANDING_TEXT_MAX]);

#endif
