/* What falls due by time: queues in the state, one a kind, each ordered by when.
 *
 * An item names what to look at again, not what to do: whoever it concerns looks at its own record and writes only if
 * the matter still stands, so an item never has to be taken back. What to do is in due_work.h.
 *
 * A block works off what is due at its time before its transactions, at most DUE_PER_BLOCK items. The kinds take turns
 * of DUE_TURN items, so that each has at least that share of every block however long the others' queues are, and what
 * one leaves over the others use: a short backlog is gone in one block, a long one takes DUE_PER_BLOCK a block. An item
 * that is added is due in the next block at the earliest, whatever time it names: no block brings forth its own work.
 *
 * Item (contract "due", user key = kind (1) || due time ms (8) || subject): version 1 (1).
 * The same matter at the same time is one item.
 */
#ifndef ASSAY_CONTRACTS_KERNEL_DUE_QUEUE_H
#define ASSAY_CONTRACTS_KERNEL_DUE_QUEUE_H

#include "contracts/kernel/state.h"

#define DUE_PER_BLOCK 1024u
#define DUE_TURN 64u
#define DUE_SUBJECT_MAX 64

/* A kind is a number that one contract's row of the table has a handler for (struct due_handler). */
#define DUE_KINDS_MAX 16u
/* The highest kind there is (due_work.c). */
uint8_t due_kinds(void);

_Static_assert(DUE_KINDS_MAX *DUE_TURN <= DUE_PER_BLOCK, "every kind has its turn in every block");

#define DUE_CONTRACT "due"

struct due_item {
    uint8_t kind;
    uint64_t due_ms;
    uint8_t subject[DUE_SUBJECT_MAX];
    size_t subject_len;
};

static inline struct bytes due_item_subject(const struct due_item *item) {
    return bytes_of(item->subject, item->subject_len);
}

/* The kind of the item that a whole key names; false when it names none. */
bool due_queue_kind(struct bytes key, uint8_t *out);
/* The item that a whole key of version 0.1.0 names, where one queue held all kinds: due time ms (8) || kind (1) ||
 * subject. The first byte of a time is zero, which is no kind, so no key is of both layouts. False when it names none.
 */
bool due_queue_old_item(struct bytes key, struct due_item *out);
struct record_key due_item_key(const struct due_item *item);

/* A time that is not ahead of the block's means the next block. */
NODISCARD enum err due_queue_add(const struct call *call, uint64_t due_ms, uint8_t kind, struct bytes subject);
NODISCARD enum err due_queue_remove(const struct call *call, const struct due_item *item);

/* ---- Where the queues begin --------------------------------------------------------------------------------- */

/* The first item of every kind in the state of a block. In front of it stand those that were worked off, which a store
 * may still have to step over one by one; who knows the heads of one state finds those of its descendants at once, for
 * what these add is due behind that block's time. It is knowledge only: what is found is the same without it. All zeros
 * is to know nothing. */
struct due_heads {
    uint64_t time_ms;                     /* of the block */
    struct due_item first[DUE_KINDS_MAX]; /* by kind - 1; no subject: none */
};

/* Brings `heads` from an ancestor (or nothing) to this state, that of a block of `time_ms`. */
NODISCARD enum err due_heads_move(struct due_heads *heads, const struct state *state, uint64_t time_ms);
/* Time of the earliest item, 0 when there is none. */
uint64_t due_heads_next(const struct due_heads *heads);

/* ---- The items of one block --------------------------------------------------------------------------------- */

struct due_lane {
    struct due_item at; /* the item handed out last, or where to begin */
    bool begun;
    bool empty; /* nothing more of this kind is due */
};

struct due_round {
    uint64_t time_ms;
    struct due_lane lanes[DUE_KINDS_MAX]; /* by kind - 1 */
    size_t lane;                          /* whose turn it is */
    size_t in_turn;                       /* items it had in this turn */
    size_t empty_lanes;
    size_t items; /* in all */
};

/* `heads` are of the parent's state or an ancestor's; NULL when nothing is known. */
void due_round_begin(struct due_round *round, uint64_t time_ms, const struct due_heads *heads);
/* The next item of the block. `state` is as the items before have left it. `*out_found` false: that was all. */
NODISCARD enum err due_round_next(struct due_round *round, const struct state *state, struct due_item *out,
                                  bool *out_found);

#endif
