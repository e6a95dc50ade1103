#include "node/ledger/state_view.h"

#include <string.h>

enum err state_view_get(struct kv_view *view, struct bytes key, struct buffer *out, bool *out_found) {
    struct bytes value;
    enum err e = kv_get(view, KV_STATE, key, &value);
    if (e != OK && e != ERR_NOTFOUND) {
        return e;
    }
    *out_found = e == OK;
    if (e == OK) {
        buffer_put(out, value.data, value.len);
    }
    return buffer_ok(out);
}

enum err state_view_seek(struct kv_view *view, struct bytes prefix, struct bytes after, bool inclusive,
                         struct bytes *out_key, struct bytes *out_value) {
    uint8_t from[LIMIT_TX_NAME + 2 + LIMIT_STATE_KEY];
    struct bytes start = bytes_compare(after, prefix) >= 0 ? after : prefix, key, value;
    bool skip_equal = !inclusive && bytes_equal(start, after);
    if (start.len + 1 > sizeof from) {
        return ERR_NOTFOUND; /* longer than any key */
    }
    /* The successor of a key in byte order is the key with a zero byte after it. */
    if (start.len > 0) {
        memcpy(from, start.data, start.len);
    }
    from[start.len] = 0;
    enum err e = kv_seek(view, KV_STATE, bytes_of(from, start.len + (skip_equal ? 1 : 0)), &key, &value);
    if (e != OK) {
        return e;
    }
    if (key.len < prefix.len || (prefix.len > 0 && memcmp(key.data, prefix.data, prefix.len) != 0)) {
        return ERR_NOTFOUND;
    }
    *out_key = key;
    *out_value = value;
    return OK;
}

enum err state_view_next(struct kv_view *view, struct bytes prefix, struct bytes after, bool inclusive,
                         struct buffer *out_key, struct buffer *out_value, bool *out_found) {
    struct bytes key, value;
    enum err e = state_view_seek(view, prefix, after, inclusive, &key, &value);
    if (e != OK && e != ERR_NOTFOUND) {
        return e;
    }
    *out_found = e == OK;
    if (e == OK) {
        buffer_put(out_key, key.data, key.len);
        buffer_put(out_value, value.data, value.len);
    }
    return buffer_ok(out_key) != OK ? ERR_NOMEM : buffer_ok(out_value);
}

static enum err query_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    return state_view_get(ctx, key, out, out_found);
}

static enum err query_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                           struct buffer *out_value, bool *out_found) {
    return state_view_next(ctx, prefix, after, inclusive, out_key, out_value, out_found);
}

static const struct state_ops query_ops = {.get = query_get, .next = query_next};

struct state state_of_view(struct kv_view *view) {
    return (struct state){&query_ops, view};
}
