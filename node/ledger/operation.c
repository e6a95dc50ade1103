#include "node/ledger/operation.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* Keys and values stand in `bytes` at these offsets, since the buffer moves as it grows. */
struct write {
    size_t key_at, key_len;
    size_t value_at, value_len;
    bool deleted;
};

struct operation {
    const struct execution *execution;
    struct buffer bytes;
    struct buffer history; /* key length (2) | key | value length (4) | value, repeated */
    struct write writes[LIMIT_OPERATION_WRITES];
    uint16_t order[LIMIT_OPERATION_WRITES]; /* indices of `writes` by rising key */
    size_t write_count;
    uint32_t note_count;
    uint32_t noted; /* kept by earlier operations of the same index */
    uint32_t index; /* 0 for what the block does by itself, transaction index + 1 otherwise */
    bool over;
    uint8_t tx_id[HASH_LEN];
    uint8_t signer[ED25519_KEY_LEN];
};

struct operation *operation_new(const struct execution *execution) {
    ASSERT(execution->budget.writes <= LIMIT_OPERATION_WRITES && execution->budget.notes <= LIMIT_OPERATION_NOTES);
    struct operation *op = calloc(1, sizeof *op);
    if (op != NULL) {
        op->execution = execution;
    }
    return op;
}

void operation_free(struct operation *op) {
    if (op != NULL) {
        buffer_free(&op->bytes);
        buffer_free(&op->history);
    }
    free(op);
}

void operation_begin(struct operation *op, uint32_t index, const struct transaction *tx) {
    ASSERT(index > 0 || tx == NULL); /* index 0 is what the block does by itself */
    buffer_reset(&op->bytes);
    buffer_reset(&op->history);
    op->write_count = 0;
    op->note_count = 0;
    op->over = false;
    if (op->index != index) {
        op->noted = 0;
        op->index = index;
    }
    memset(op->tx_id, 0, sizeof op->tx_id);
    memset(op->signer, 0, sizeof op->signer);
    if (tx != NULL) {
        memcpy(op->tx_id, tx->id, sizeof op->tx_id);
        memcpy(op->signer, tx->signers[0], sizeof op->signer);
    }
}

bool operation_is_over(const struct operation *op) {
    return op->over;
}

bool operation_writes(const struct operation *op) {
    return op->write_count > 0;
}

bool operation_has_room(const struct operation *op) {
    return op->noted + LIMIT_OPERATION_NOTES <= UINT16_MAX;
}

/* ---- Its own writes --------------------------------------------------------------------------------------------- */

static struct bytes write_key(const struct operation *op, const struct write *w) {
    ASSERT(w->key_len > 0 && w->key_at + w->key_len <= op->bytes.len);
    return bytes_of(op->bytes.data + w->key_at, w->key_len);
}

static struct bytes write_value(const struct operation *op, const struct write *w) {
    ASSERT(!w->deleted && w->value_at + w->value_len <= op->bytes.len);
    return bytes_of(op->bytes.data + w->value_at, w->value_len);
}

/* Place in `order` of the first write with a key >= `key`. */
static size_t place_of(const struct operation *op, struct bytes key) {
    size_t low = 0, high = op->write_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (bytes_compare(write_key(op, &op->writes[op->order[mid]]), key) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* The write at a place in `order` when it is of this key. */
static struct write *write_at(struct operation *op, size_t place, struct bytes key) {
    struct write *w = place < op->write_count ? &op->writes[op->order[place]] : NULL;
    return w != NULL && bytes_equal(write_key(op, w), key) ? w : NULL;
}

static struct write *find_write(struct operation *op, struct bytes key) {
    return write_at(op, place_of(op, key), key);
}

static enum err over_budget(struct operation *op) {
    op->over = true;
    return ERR_FULL;
}

static bool bytes_left(const struct operation *op, size_t more) {
    size_t used = op->bytes.len + op->history.len;
    return used <= op->execution->budget.bytes && more <= op->execution->budget.bytes - used;
}

static enum err op_write(struct operation *op, struct bytes key, struct bytes value, bool deleted) {
    size_t place = place_of(op, key);
    struct write *w = write_at(op, place, key);
    if (key.len == 0 || key.len > LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY || value.len > LIMIT_STATE_VALUE ||
        !bytes_left(op, (w == NULL ? key.len : 0) + value.len) ||
        (w == NULL && op->write_count == op->execution->budget.writes)) {
        return over_budget(op);
    }
    if (w == NULL) {
        ASSERT(op->write_count < LIMIT_OPERATION_WRITES);
        memmove(op->order + place + 1, op->order + place, (op->write_count - place) * sizeof *op->order);
        op->order[place] = (uint16_t)op->write_count;
        w = &op->writes[op->write_count++];
        *w = (struct write){.key_at = op->bytes.len, .key_len = key.len};
        buffer_put(&op->bytes, key.data, key.len);
    }
    w->value_at = op->bytes.len;
    w->value_len = value.len;
    w->deleted = deleted;
    buffer_put(&op->bytes, value.data, value.len);
    return buffer_ok(&op->bytes);
}

/* ---- Its state -------------------------------------------------------------------------------------------------- */

static enum err op_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    struct operation *op = ctx;
    const struct write *w = find_write(op, key);
    if (w == NULL) {
        return state_view_get(op->execution->view, key, out, out_found);
    }
    *out_found = !w->deleted;
    if (!w->deleted) {
        buffer_put(out, op->bytes.data + w->value_at, w->value_len);
    }
    return buffer_ok(out);
}

static enum err op_put(void *ctx, struct bytes key, struct bytes value) {
    return op_write(ctx, key, value, false);
}

static enum err op_remove(void *ctx, struct bytes key) {
    return op_write(ctx, key, bytes_of(NULL, 0), true);
}

/* The first live key of the operation's own writes in the range, NULL when there is none. */
static const struct write *next_write(const struct operation *op, struct bytes prefix, struct bytes after,
                                      bool inclusive) {
    struct bytes start = bytes_compare(after, prefix) >= 0 ? after : prefix;
    for (size_t i = place_of(op, start); i < op->write_count; i++) {
        const struct write *w = &op->writes[op->order[i]];
        struct bytes key = write_key(op, w);
        if (key.len < prefix.len || (prefix.len > 0 && memcmp(key.data, prefix.data, prefix.len) != 0)) {
            return NULL;
        }
        if (!w->deleted && (inclusive || !bytes_equal(key, after))) {
            return w;
        }
    }
    return NULL;
}

/* First key in the view within the range that the operation itself hasn't written. */
static enum err next_unwritten(struct operation *op, struct bytes prefix, struct bytes after, bool inclusive,
                               struct bytes *out_key, struct bytes *out_value) {
    for (;;) {
        enum err e = state_view_seek(op->execution->view, prefix, after, inclusive, out_key, out_value);
        if (e != OK || find_write(op, *out_key) == NULL) {
            return e;
        }
        after = *out_key;
        inclusive = false;
    }
}

static enum err op_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                        struct buffer *out_value, bool *out_found) {
    struct operation *op = ctx;
    struct bytes key, value;
    const struct write *own = next_write(op, prefix, after, inclusive);
    enum err e = next_unwritten(op, prefix, after, inclusive, &key, &value);
    if (e != OK && e != ERR_NOTFOUND) {
        return e;
    }
    if (own != NULL && (e == ERR_NOTFOUND || bytes_compare(write_key(op, own), key) < 0)) {
        key = write_key(op, own);
        value = write_value(op, own);
        e = OK;
    }
    *out_found = e == OK;
    if (e == OK) {
        buffer_put(out_key, key.data, key.len);
        buffer_put(out_value, value.data, value.len);
    }
    return buffer_ok(out_key) != OK ? ERR_NOMEM : buffer_ok(out_value);
}

static enum err op_history(void *ctx, struct bytes record_key, const char *action, struct bytes detail) {
    struct operation *op = ctx;
    const struct execution *x = op->execution;
    ASSERT(record_key.len <= UINT16_MAX - HISTORY_KEY_SUFFIX);
    size_t action_len = strlen(action), value_len = HASH_LEN + 8 + ED25519_KEY_LEN + 1 + action_len + detail.len;
    ASSERT(action_len <= UINT8_MAX);
    if (op->note_count == x->budget.notes || !bytes_left(op, 2 + record_key.len + HISTORY_KEY_SUFFIX + 4 + value_len)) {
        return over_budget(op);
    }
    struct buffer *h = &op->history;
    buffer_u16(h, (uint16_t)(record_key.len + HISTORY_KEY_SUFFIX));
    buffer_put(h, record_key.data, record_key.len);
    buffer_u8(h, 0);
    buffer_u64(h, x->height);
    buffer_u32(h, op->index);
    buffer_u16(h, (uint16_t)(op->noted + op->note_count++));
    buffer_u32(h, (uint32_t)value_len);
    buffer_put(h, op->tx_id, HASH_LEN);
    buffer_u64(h, x->time_ms);
    buffer_put(h, op->signer, ED25519_KEY_LEN);
    buffer_u8(h, (uint8_t)action_len);
    buffer_put(h, action, action_len);
    buffer_put(h, detail.data, detail.len);
    return buffer_ok(h);
}

static const struct state_ops operation_ops = {
    .get = op_get, .next = op_next, .put = op_put, .remove = op_remove, .history = op_history};

struct state operation_state(struct operation *op) {
    return (struct state){&operation_ops, op};
}

/* ---- Its end ---------------------------------------------------------------------------------------------------- */

enum err operation_keep(struct operation *op) {
    struct kv_layer *layer = op->execution->layer;
    ASSERT(!op->over);
    for (size_t i = 0; i < op->write_count; i++) {
        const struct write *w = &op->writes[i];
        enum err e = w->deleted ? kv_layer_delete(layer, KV_STATE, write_key(op, w))
                                : kv_layer_put(layer, KV_STATE, write_key(op, w), write_value(op, w));
        if (e != OK) {
            return e;
        }
    }
    struct reader r = reader_of(buffer_bytes(&op->history));
    while (r.left > 0 && !r.failed) {
        struct bytes key = read_span(&r, read_u16(&r));
        struct bytes value = read_span(&r, read_u32(&r));
        enum err e = kv_layer_put(layer, KV_HISTORY, key, value);
        if (e != OK) {
            return e;
        }
    }
    op->noted += op->note_count;
    ASSERT(op->noted <= UINT16_MAX); /* they are numbered in two bytes: operation_has_room */
    return OK;
}
