#include "contracts/due_queue.h"

#include "base/assert.h"
#include "contracts/firmware.h"
#include "contracts/governance_proposal.h"
#include "contracts/update.h"

#include <string.h>

#define ITEM_HEAD (8 + 1)

static struct record_key queue_key(void) {
    return record_key(DUE_CONTRACT, "", bytes_of(NULL, 0));
}

bool due_queue_kind(struct bytes key, enum due_kind *out) {
    size_t head = sizeof DUE_CONTRACT; /* with the 0x00 behind the contract's name */
    if (key.len <= head + ITEM_HEAD || memcmp(key.data, DUE_CONTRACT, head) != 0) {
        return false;
    }
    *out = (enum due_kind)key.data[head + 8];
    return true;
}

enum err due_queue_add(const struct call *call, uint64_t due_ms, enum due_kind kind, struct bytes subject) {
    ASSERT(subject.len > 0 && subject.len <= DUE_SUBJECT_MAX);
    uint8_t head[ITEM_HEAD];
    store_u64(head, due_ms);
    head[8] = (uint8_t)kind;
    struct record_key key = queue_key();
    record_key_add(&key, head, sizeof head);
    record_key_add(&key, subject.data, subject.len);
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

struct due_item {
    uint64_t due_ms;
    enum due_kind kind;
    uint8_t subject[DUE_SUBJECT_MAX];
    size_t subject_len;
};

static enum err parse_item(struct bytes rest, struct due_item *out) {
    if (rest.len <= ITEM_HEAD || rest.len > ITEM_HEAD + DUE_SUBJECT_MAX) {
        return ERR_CORRUPT;
    }
    out->due_ms = load_u64(rest.data);
    out->kind = (enum due_kind)rest.data[8];
    out->subject_len = rest.len - ITEM_HEAD;
    memcpy(out->subject, rest.data + ITEM_HEAD, out->subject_len);
    return OK;
}

/* First item of the queue. */
static enum err first_item(const struct state *state, struct due_item *out, bool *out_found) {
    struct record_key prefix = queue_key();
    struct state_walk walk;
    struct bytes rest, value;
    bool found = false;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    enum err e = state_walk_next(&walk, &rest, &value, &found);
    if (e == OK && found) {
        e = parse_item(rest, out);
    }
    state_walk_close(&walk);
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

static enum err remove_item(const struct call *call, const struct due_item *item) {
    uint8_t head[ITEM_HEAD];
    store_u64(head, item->due_ms);
    head[8] = (uint8_t)item->kind;
    struct record_key key = queue_key();
    record_key_add(&key, head, sizeof head);
    record_key_add(&key, item->subject, item->subject_len);
    return state_remove(&call->state, &key);
}

static enum err work_item(const struct call *call, const struct due_item *item) {
    struct bytes subject = bytes_of(item->subject, item->subject_len);
    switch (item->kind) {
    case DUE_UPDATE_WINDOW:
        return update_window_due(call, subject);
    case DUE_PENDING_RELEASE:
        return firmware_pending_due(call, subject);
    case DUE_PROPOSAL:
        return proposal_expiry_due(call, subject);
    case DUE_RECOUNT:
        return proposal_recount_due(call, subject);
    case DUE_ORG_LEAVING:
        return governance_leaving_due(call, subject);
    }
    return ERR_CORRUPT;
}

enum err due_queue_work(const struct call *call) {
    for (size_t n = 0; n < DUE_PER_BLOCK; n++) {
        struct due_item item;
        bool found = false;
        enum err e = first_item(&call->state, &item, &found);
        if (e != OK || !found || item.due_ms > call->time_ms) {
            return e;
        }
        e = remove_item(call, &item);
        e = e == OK ? work_item(call, &item) : e;
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err due_queue_next(const struct state *state, uint64_t *out_time_ms) {
    struct due_item item;
    bool found = false;
    enum err e = first_item(state, &item, &found);
    if (e == OK) {
        *out_time_ms = found ? item.due_ms : 0;
    }
    return e;
}
