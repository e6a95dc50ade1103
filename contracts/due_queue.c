#include "contracts/due_queue.h"

#include "base/assert.h"

#include <string.h>

#define KEY_HEAD sizeof DUE_CONTRACT /* with the 0x00 behind the contract's name */

static bool is_kind(uint8_t number) {
    return number >= 1 && number <= DUE_KINDS;
}

static struct record_key queue_key(enum due_kind kind) {
    uint8_t number = (uint8_t)kind;
    return record_key(DUE_CONTRACT, "", bytes_of(&number, 1));
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

bool due_queue_kind(struct bytes key, enum due_kind *out) {
    if (!is_item(key) || !is_kind(key.data[KEY_HEAD])) {
        return false;
    }
    *out = (enum due_kind)key.data[KEY_HEAD];
    return true;
}

bool due_queue_old_item(struct bytes key, struct due_item *out) {
    if (!is_item(key) || key.data[KEY_HEAD] != 0 || !is_kind(key.data[KEY_HEAD + 8])) {
        return false;
    }
    *out = (struct due_item){.kind = (enum due_kind)key.data[KEY_HEAD + 8],
                             .due_ms = load_u64(key.data + KEY_HEAD),
                             .subject_len = key.len - KEY_HEAD - 9};
    memcpy(out->subject, key.data + KEY_HEAD + 9, out->subject_len);
    return true;
}

enum err due_queue_add(const struct call *call, uint64_t due_ms, enum due_kind kind, struct bytes subject) {
    ASSERT(is_kind((uint8_t)kind) && subject.len > 0 && subject.len <= DUE_SUBJECT_MAX);
    struct due_item item = {.kind = kind, .due_ms = due_ms, .subject_len = subject.len};
    if (due_ms <= call->time_ms) {
        item.due_ms = call->time_ms + 1;
    }
    memcpy(item.subject, subject.data, subject.len);
    struct record_key key = due_item_key(&item);
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

enum err due_queue_remove(const struct call *call, const struct due_item *item) {
    struct record_key key = due_item_key(item);
    return state_remove(&call->state, &key);
}

/* `rest` is a key behind its kind. */
static enum err parse_item(enum due_kind kind, struct bytes rest, struct due_item *out) {
    if (rest.len <= 8 || rest.len > 8 + DUE_SUBJECT_MAX) {
        return ERR_CORRUPT;
    }
    *out = (struct due_item){.kind = kind, .due_ms = load_u64(rest.data), .subject_len = rest.len - 8};
    memcpy(out->subject, rest.data + 8, out->subject_len);
    return OK;
}

/* The earliest item of a kind behind `last`, which may have been removed; behind none when it has no subject. */
static enum err item_behind(const struct state *state, enum due_kind kind, const struct due_item *last,
                            struct due_item *out, bool *out_found) {
    struct record_key prefix = queue_key(kind), from = prefix;
    struct state_walk walk;
    struct bytes rest, value;
    bool found = false;
    if (last->subject_len > 0) {
        from = due_item_key(last);
    }
    state_walk_init(&walk, state, &prefix, bytes_of(from.data + prefix.len, from.len - prefix.len));
    enum err e = state_walk_next(&walk, &rest, &value, &found);
    if (e == OK && found) {
        e = parse_item(kind, rest, out);
    }
    state_walk_close(&walk);
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

enum err due_queue_next(const struct state *state, uint64_t *out_time_ms) {
    static const struct due_item none = {.subject_len = 0};
    uint64_t earliest_ms = 0;
    for (unsigned kind = 1; kind <= DUE_KINDS; kind++) {
        struct due_item item;
        bool found = false;
        enum err e = item_behind(state, (enum due_kind)kind, &none, &item, &found);
        if (e != OK) {
            return e;
        }
        if (found && (earliest_ms == 0 || item.due_ms < earliest_ms)) {
            earliest_ms = item.due_ms;
        }
    }
    *out_time_ms = earliest_ms;
    return OK;
}

/* ---- The items of one block --------------------------------------------------------------------------------- */

void due_round_begin(struct due_round *round, uint64_t time_ms) {
    *round = (struct due_round){.time_ms = time_ms};
}

enum err due_round_next(struct due_round *round, const struct state *state, struct due_item *out, bool *out_found) {
    *out_found = false;
    while (round->items < DUE_PER_BLOCK && round->empty_lanes < DUE_KINDS) {
        struct due_lane *lane = &round->lanes[round->lane];
        if (!lane->empty && round->in_turn < DUE_TURN) {
            struct due_item item;
            bool found = false;
            enum err e = item_behind(state, (enum due_kind)(round->lane + 1), &lane->last, &item, &found);
            if (e != OK) {
                return e;
            }
            if (found && item.due_ms <= round->time_ms) {
                lane->last = item;
                round->in_turn++;
                round->items++;
                *out = item;
                *out_found = true;
                return OK;
            }
            lane->empty = true;
            round->empty_lanes++;
        }
        round->lane = (round->lane + 1) % DUE_KINDS;
        round->in_turn = 0;
    }
    return OK;
}
