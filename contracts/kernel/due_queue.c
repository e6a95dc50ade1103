#include "contracts/kernel/due_queue.h"

#include "base/assert.h"

#include <string.h>

#define KEY_HEAD sizeof DUE_CONTRACT /* with the 0x00 behind the contract's name */

static bool is_kind(uint8_t number) {
    return number >= 1 && number <= due_kinds();
}

static struct record_key queue_key(uint8_t kind) {
    return record_key(DUE_CONTRACT, "", bytes_of(&kind, 1));
}

struct record_key due_item_key(const struct due_item *item) {
    uint8_t time[8];
    store_u64(time, item->due_ms);
    struct record_key key = queue_key(item->kind);
    record_key_add(&key, time, sizeof time);
    record_key_add(&key, item->subject, item->subject_len);
    return key;
}

static bool is_item(struct bytes key) {
    return key.len > KEY_HEAD + 1 + 8 && key.len <= KEY_HEAD + 1 + 8 + DUE_SUBJECT_MAX &&
           memcmp(key.data, DUE_CONTRACT, KEY_HEAD) == 0;
}

bool due_queue_kind(struct bytes key, uint8_t *out) {
    if (!is_item(key) || !is_kind(key.data[KEY_HEAD])) {
        return false;
    }
    *out = key.data[KEY_HEAD];
    return true;
}

bool due_queue_old_item(struct bytes key, struct due_item *out) {
    if (!is_item(key) || key.data[KEY_HEAD] != 0 || !is_kind(key.data[KEY_HEAD + 8])) {
        return false;
    }
    *out = (struct due_item){
        .kind = key.data[KEY_HEAD + 8], .due_ms = load_u64(key.data + KEY_HEAD), .subject_len = key.len - KEY_HEAD - 9};
    memcpy(out->subject, key.data + KEY_HEAD + 9, out->subject_len);
    return true;
}

enum err due_queue_add(const struct call *call, uint64_t due_ms, uint8_t kind, struct bytes subject) {
    ASSERT(is_kind(kind) && subject.len > 0 && subject.len <= DUE_SUBJECT_MAX);
    struct due_item item = {.kind = kind, .due_ms = due_ms, .subject_len = subject.len};
    if (due_ms <= call->time_ms) {
        item.due_ms = call->time_ms + 1;
    }
    memcpy(item.subject, subject.data, subject.len);
    struct record_key key = due_item_key(&item);
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

enum err due_queue_remove(const struct call *call, const struct due_item *item) {
    ASSERT(item->subject_len > 0 && item->subject_len <= DUE_SUBJECT_MAX);
    struct record_key key = due_item_key(item);
    return state_remove(&call->state, &key);
}

/* `rest` is a key behind its kind. */
static enum err parse_item(uint8_t kind, struct bytes rest, struct due_item *out) {
    if (rest.len <= 8 || rest.len > 8 + DUE_SUBJECT_MAX) {
        return ERR_CORRUPT;
    }
    *out = (struct due_item){.kind = kind, .due_ms = load_u64(rest.data), .subject_len = rest.len - 8};
    memcpy(out->subject, rest.data + 8, out->subject_len);
    return OK;
}

/* The earliest item of a kind at `from`, which may not be there, or behind it. */
static enum err item_from(const struct state *state, const struct due_item *from, bool inclusive, struct due_item *out,
                          bool *out_found) {
    struct record_key prefix = queue_key(from->kind), start = due_item_key(from);
    struct buffer key = BUFFER_INIT, value = BUFFER_INIT;
    bool found = false;
    enum err e = state->ops->next(state->ctx, record_key_bytes(&prefix), record_key_bytes(&start), inclusive, &key,
                                  &value, &found);
    if (e == OK && found) {
        e = parse_item(from->kind, bytes_of(key.data + prefix.len, key.len - prefix.len), out);
    }
    buffer_free(&key);
    buffer_free(&value);
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

/* ---- Where the queues begin --------------------------------------------------------------------------------- */

/* No item of this kind stands in front of this place, in the state of the heads or a later one. */
static struct due_item begin_at(const struct due_heads *heads, uint8_t kind) {
    ASSERT(kind >= 1 && kind <= DUE_KINDS_MAX);
    const struct due_item *first = &heads->first[kind - 1];
    if (first->subject_len > 0 && first->due_ms <= heads->time_ms) {
        return *first;
    }
    return (struct due_item){.kind = kind, .due_ms = heads->time_ms + 1};
}

enum err due_heads_move(struct due_heads *heads, const struct state *state, uint64_t time_ms) {
    struct due_heads moved = {.time_ms = time_ms};
    for (uint8_t kind = 1, kinds = due_kinds(); kind <= kinds; kind++) {
        struct due_item from = begin_at(heads, kind);
        bool found = false;
        enum err e = item_from(state, &from, true, &moved.first[kind - 1], &found);
        if (e != OK) {
            return e;
        }
    }
    *heads = moved;
    return OK;
}

uint64_t due_heads_next(const struct due_heads *heads) {
    uint64_t earliest_ms = 0;
    for (size_t i = 0; i < DUE_KINDS_MAX; i++) {
        const struct due_item *first = &heads->first[i];
        if (first->subject_len > 0 && (earliest_ms == 0 || first->due_ms < earliest_ms)) {
            earliest_ms = first->due_ms;
        }
    }
    return earliest_ms;
}

/* ---- The items of one block --------------------------------------------------------------------------------- */

void due_round_begin(struct due_round *round, uint64_t time_ms, const struct due_heads *heads) {
    static const struct due_heads nothing = {.time_ms = 0};
    *round = (struct due_round){.time_ms = time_ms};
    for (uint8_t kind = 1, kinds = due_kinds(); kind <= kinds; kind++) {
        round->lanes[kind - 1].at = begin_at(heads != NULL ? heads : &nothing, kind);
    }
}

enum err due_round_next(struct due_round *round, const struct state *state, struct due_item *out, bool *out_found) {
    const size_t kinds = due_kinds();
    ASSERT(kinds > 0 && kinds <= DUE_KINDS_MAX && round->items <= DUE_PER_BLOCK);
    *out_found = false;
    while (round->items < DUE_PER_BLOCK && round->empty_lanes < kinds) {
        struct due_lane *lane = &round->lanes[round->lane];
        if (!lane->empty && round->in_turn < DUE_TURN) {
            struct due_item item;
            bool found = false;
            enum err e = item_from(state, &lane->at, !lane->begun, &item, &found);
            if (e != OK) {
                return e;
            }
            if (found && item.due_ms <= round->time_ms) {
                lane->at = item;
                lane->begun = true;
                round->in_turn++;
                round->items++;
                *out = item;
                *out_found = true;
                return OK;
            }
            lane->empty = true;
            round->empty_lanes++;
        }
        round->lane = (round->lane + 1) % kinds;
        round->in_turn = 0;
    }
    return OK;
}
