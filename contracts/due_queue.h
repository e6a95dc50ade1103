/* What falls due by time, in one queue in the state, ordered by when.
 *
 * At most DUE_PER_BLOCK items are worked off at the start of a block, oldest first; the rest waits for the next block.
 * An item names what to look at again, not what to do: whoever it concerns looks at its own record and writes only if
 * the matter still stands, so an item never has to be taken back.
 *
 * Item (contract "due", user key = due time ms (8) || kind (1) || subject): version 1 (1).
 * The same matter at the same time is one item.
 */
#ifndef ASSAY_CONTRACTS_DUE_QUEUE_H
#define ASSAY_CONTRACTS_DUE_QUEUE_H

#include "contracts/state.h"

#define DUE_PER_BLOCK 64
#define DUE_SUBJECT_MAX 64

enum due_kind {
    DUE_UPDATE_WINDOW = 1,   /* subject: update id (32) || device id (32) */
    DUE_PENDING_RELEASE = 2, /* subject: release id (32) */
    DUE_PROPOSAL = 3,        /* subject: proposal id (32) */
    DUE_RECOUNT = 4,         /* of open proposals; subject: one byte 1 */
    DUE_ORG_LEAVING = 5,     /* subject: organisation's id */
};

#define DUE_CONTRACT "due"

/* The kind of the item that a whole key names; false when it names none. */
bool due_queue_kind(struct bytes key, enum due_kind *out);

NODISCARD enum err due_queue_add(const struct call *call, uint64_t due_ms, enum due_kind kind, struct bytes subject);
/* Works off items due at or before block time. */
NODISCARD enum err due_queue_work(const struct call *call);
/* Time of the earliest item, 0 when there is none. */
NODISCARD enum err due_queue_next(const struct state *state, uint64_t *out_time_ms);

#endif
