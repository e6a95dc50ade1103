#include "contracts/kernel/state.h"

#include "base/assert.h"

#include <string.h>

struct record_key record_key(const char *contract, const char *path, struct bytes id) {
    struct record_key key = {.len = 0};
    ASSERT(contract[0] != '\0'); /* a key without a contract's name is nobody's */
    record_key_add(&key, contract, strlen(contract) + 1);
    record_key_add(&key, path, strlen(path));
    record_key_add(&key, id.data, id.len);
    return key;
}

void record_key_add(struct record_key *key, const void *part, size_t len) {
    ASSERT(len <= sizeof key->data - key->len);
    if (len > 0) {
        memcpy(key->data + key->len, part, len);
        key->len += len;
    }
}

struct record_stamp record_stamp_new(const struct call *call) {
    return (struct record_stamp){call->height, call->time_ms, call->height, call->time_ms};
}

void record_stamp_touch(struct record_stamp *stamp, const struct call *call) {
    stamp->changed_height = call->height;
    stamp->changed_ms = call->time_ms;
}

static const struct field stamp_fields[] = {
    {NULL, NULL, FIELD_VERSION, FIELD_KEPT, .max = RECORD_VERSION},
    {"created_height", "Height of the block that made it.", FIELD_NUMBER, MEMBER(struct record_stamp, created_height)},
    {"created_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct record_stamp, created_ms)},
    {"changed_height", "Height of the block that changed it last.", FIELD_NUMBER,
     MEMBER(struct record_stamp, changed_height)},
    {"changed_ms", "Time of that block.", FIELD_NUMBER, MEMBER(struct record_stamp, changed_ms)},
};
const struct record record_stamp_shape = {"Stamp", "When a record was made and last changed.",
                                          RECORD_OF(struct record_stamp, stamp_fields)};

enum err state_get(const struct state *state, const struct record_key *key, struct buffer *out, bool *out_found) {
    return state->ops->get(state->ctx, record_key_bytes(key), out, out_found);
}

enum err state_get_record(const struct state *state, const struct record_key *key,
                          enum err (*decode)(struct bytes value, void *out), void *out, bool *out_found) {
    struct buffer value = BUFFER_INIT;
    bool found = false;
    ASSERT(key->len > 0);
    enum err e = state_get(state, key, &value, &found);
    if (e == OK && found) {
        e = decode(buffer_bytes(&value), out);
    }
    buffer_free(&value);
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

enum err state_read(const struct state *state, const struct record_key *key, const struct record *shape, void *out,
                    bool *out_found) {
    struct buffer value = BUFFER_INIT;
    bool found = false;
    enum err e = state_get(state, key, &value, &found);
    if (e == OK && found) {
        e = record_decode(shape, buffer_bytes(&value), out);
    }
    buffer_free(&value);
    if (e == OK) {
        *out_found = found;
    }
    return e;
}

enum err state_write(const struct state *state, const struct record_key *key, const struct record *shape,
                     const void *record) {
    struct buffer value = BUFFER_INIT;
    record_encode(shape, record, &value);
    enum err e = state_put_buffer(state, key, &value);
    buffer_free(&value);
    return e;
}

enum err state_has(const struct state *state, const struct record_key *key, bool *out_found) {
    struct buffer value = BUFFER_INIT;
    enum err e = state_get(state, key, &value, out_found);
    buffer_free(&value);
    return e;
}

enum err state_put(const struct state *state, const struct record_key *key, struct bytes value) {
    ASSERT(state->ops->put != NULL && value.len > 0);
    return state->ops->put(state->ctx, record_key_bytes(key), value);
}

enum err state_put_buffer(const struct state *state, const struct record_key *key, const struct buffer *value) {
    enum err e = buffer_ok(value);
    return e == OK ? state_put(state, key, buffer_bytes(value)) : e;
}

enum err state_remove(const struct state *state, const struct record_key *key) {
    ASSERT(state->ops->remove != NULL);
    return state->ops->remove(state->ctx, record_key_bytes(key));
}

enum err state_history(const struct state *state, const struct record_key *key, const char *action,
                       const char *detail) {
    ASSERT(state->ops->history != NULL && action[0] != '\0');
    return state->ops->history(state->ctx, record_key_bytes(key), action, bytes_str(detail));
}

void state_walk_init(struct state_walk *walk, const struct state *state, const struct record_key *prefix,
                     struct bytes after) {
    *walk = (struct state_walk){.state = state, .prefix = *prefix, .inclusive = after.len == 0};
    buffer_put(&walk->at, prefix->data, prefix->len);
    buffer_put(&walk->at, after.data, after.len);
}

void state_walk_close(struct state_walk *walk) {
    buffer_free(&walk->at);
    buffer_free(&walk->value);
    buffer_free(&walk->scratch);
}

enum err state_walk_next(struct state_walk *walk, struct bytes *out_rest, struct bytes *out_value, bool *out_found) {
    enum err e = buffer_ok(&walk->at);
    if (e != OK) {
        return e;
    }
    bool found = false;
    buffer_reset(&walk->value);
    buffer_reset(&walk->scratch);
    e = walk->state->ops->next(walk->state->ctx, record_key_bytes(&walk->prefix), buffer_bytes(&walk->at),
                               walk->inclusive, &walk->scratch, &walk->value, &found);
    if (e != OK) {
        return e;
    }
    if (!found) {
        *out_found = false;
        return OK;
    }
    struct buffer key = walk->scratch;
    walk->scratch = walk->at;
    walk->at = key;
    walk->inclusive = false;
    ASSERT(walk->at.len >= walk->prefix.len); /* struct state_ops: what `next` gives begins with the prefix */
    *out_rest = bytes_of(walk->at.data + walk->prefix.len, walk->at.len - walk->prefix.len);
    *out_value = buffer_bytes(&walk->value);
    *out_found = true;
    return OK;
}

enum err state_each(const struct state *state, const struct record_key *prefix, struct bytes after, size_t limit,
                    enum err (*each)(void *arg, struct bytes rest, struct bytes value), void *arg) {
    struct state_walk walk;
    state_walk_init(&walk, state, prefix, after);
    enum err e = OK;
    bool found = true;
    for (size_t n = 0; n < limit && n < STATE_PAGE_MAX && e == OK && found; n++) {
        struct bytes rest, value;
        e = state_walk_next(&walk, &rest, &value, &found);
        if (e == OK && found) {
            e = each(arg, rest, value);
        }
    }
    state_walk_close(&walk);
    return e;
}
