#include "node/ledger/execute.h"

#include "base/assert.h"
#include "base/merkle.h"

#include <stdlib.h>
#include <string.h>

#define RECEIPT_VERSION 1

/* ---- Records --------------------------------------------------------------------------------------------------- */

enum err receipt_decode(struct bytes encoded, struct receipt *out) {
    struct reader r = reader_of(encoded);
    struct receipt receipt;
    if (read_u8(&r) != RECEIPT_VERSION) {
        return ERR_MALFORMED;
    }
    read_bytes(&r, receipt.tx_id, sizeof receipt.tx_id);
    receipt.code = read_u32(&r);
    receipt.detail = read_span(&r, read_u16(&r));
    receipt.result = read_span(&r, read_u32(&r));
    if (!reader_done(&r)) {
        return ERR_MALFORMED;
    }
    *out = receipt;
    return OK;
}

enum err tx_entry_decode(struct bytes value, uint64_t *out_height, uint32_t *out_index, struct bytes *out_receipt) {
    struct reader r = reader_of(value);
    uint64_t height = read_u64(&r);
    uint32_t index = read_u32(&r);
    if (r.failed) {
        return ERR_MALFORMED;
    }
    *out_height = height;
    *out_index = index;
    *out_receipt = bytes_of(r.at, r.left);
    return OK;
}

enum err history_decode(struct bytes key, struct bytes value, struct history_entry *out) {
    if (key.len < HISTORY_KEY_SUFFIX) {
        return ERR_MALFORMED;
    }
    struct history_entry entry = {
        .height = load_u64(key.data + key.len - 14),
        .index = load_u32(key.data + key.len - 6),
    };
    struct reader r = reader_of(value);
    read_bytes(&r, entry.tx_id, sizeof entry.tx_id);
    entry.time_ms = read_u64(&r);
    read_bytes(&r, entry.signer, sizeof entry.signer);
    entry.action = read_span(&r, read_u8(&r));
    if (r.failed) {
        return ERR_MALFORMED;
    }
    entry.detail = bytes_of(r.at, r.left);
    *out = entry;
    return OK;
}

/* ---- State as one operation sees it ----------------------------------------------------------------------------- */

/* Writes of the operation at hand, kept apart until it has answered. There are few: linear search is the fast way.
 * Keys and values stand in `bytes` at these offsets, since the buffer moves as it grows. */
struct write {
    size_t key_at, key_len;
    size_t value_at, value_len;
    bool deleted;
};

#define WRITES_MAX 512 /* of one operation; a contract that needs more is a programmer's error */

struct operation {
    const struct execution *execution;
    struct buffer bytes;
    struct buffer history; /* key length (2) | key | value length (4) | value, repeated */
    struct write writes[WRITES_MAX];
    size_t write_count;
    uint16_t history_count;
    uint32_t index; /* 0 for the due-queue, transaction index + 1 otherwise */
    uint8_t tx_id[HASH_LEN];
    uint8_t signer[ED25519_KEY_LEN];
};

static struct bytes write_key(const struct operation *op, const struct write *w) {
    return bytes_of(op->bytes.data + w->key_at, w->key_len);
}

static struct write *find_write(struct operation *op, struct bytes key) {
    for (size_t i = 0; i < op->write_count; i++) {
        if (bytes_equal(write_key(op, &op->writes[i]), key)) {
            return &op->writes[i];
        }
    }
    return NULL;
}

static enum err op_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    struct operation *op = ctx;
    const struct write *w = find_write(op, key);
    if (w != NULL) {
        *out_found = !w->deleted;
        if (!w->deleted) {
            buffer_put(out, op->bytes.data + w->value_at, w->value_len);
        }
        return buffer_ok(out);
    }
    struct bytes value;
    enum err e = kv_get(op->execution->view, KV_STATE, key, &value);
    if (e == OK || e == ERR_NOTFOUND) {
        *out_found = e == OK;
        if (e == OK) {
            buffer_put(out, value.data, value.len);
        }
        return buffer_ok(out);
    }
    return e;
}

static enum err op_write(struct operation *op, struct bytes key, struct bytes value, bool deleted) {
    if (key.len == 0 || key.len > LIMIT_TX_NAME + 1 + LIMIT_STATE_KEY || value.len > LIMIT_STATE_VALUE) {
        return ERR_TOOLARGE;
    }
    struct write *w = find_write(op, key);
    if (w == NULL) {
        ASSERT(op->write_count < WRITES_MAX);
        w = &op->writes[op->write_count];
        *w = (struct write){.key_at = op->bytes.len, .key_len = key.len};
        buffer_put(&op->bytes, key.data, key.len);
        op->write_count++;
    }
    w->value_at = op->bytes.len;
    w->value_len = value.len;
    w->deleted = deleted;
    buffer_put(&op->bytes, value.data, value.len);
    return buffer_ok(&op->bytes);
}

static enum err op_put(void *ctx, struct bytes key, struct bytes value) {
    return op_write(ctx, key, value, false);
}

static enum err op_remove(void *ctx, struct bytes key) {
    return op_write(ctx, key, bytes_of(NULL, 0), true);
}

static bool starts_with(struct bytes key, struct bytes prefix) {
    return key.len >= prefix.len && (prefix.len == 0 || memcmp(key.data, prefix.data, prefix.len) == 0);
}

/* Is `key` after the place where an iteration stands? */
static bool is_after(struct bytes key, struct bytes after, bool inclusive) {
    int order = bytes_compare(key, after);
    return order > 0 || (order == 0 && inclusive);
}

/* The least live key of the operation's own writes in the range, NULL when there is none. */
static const struct write *next_write(const struct operation *op, struct bytes prefix, struct bytes after,
                                      bool inclusive) {
    const struct write *best = NULL;
    for (size_t i = 0; i < op->write_count; i++) {
        const struct write *w = &op->writes[i];
        struct bytes key = write_key(op, w);
        if (!w->deleted && starts_with(key, prefix) && is_after(key, after, inclusive) &&
            (best == NULL || bytes_compare(key, write_key(op, best)) < 0)) {
            best = w;
        }
    }
    return best;
}

/* First key in the view within the range that the operation itself hasn't written. */
static enum err next_in_view(struct kv_view *view, struct operation *op, struct bytes prefix, struct bytes after,
                             bool inclusive, struct bytes *out_key, struct bytes *out_value) {
    uint8_t from[LIMIT_TX_NAME + 2 + LIMIT_STATE_KEY];
    struct bytes start = bytes_compare(after, prefix) >= 0 ? after : prefix;
    bool skip_equal = !inclusive && bytes_equal(start, after);
    for (;;) {
        if (start.len + 1 > sizeof from) {
            return ERR_NOTFOUND;
        }
        /* The successor of a key in byte order is the key with a zero byte after it. */
        if (start.data != from && start.len > 0) {
            memcpy(from, start.data, start.len);
        }
        from[start.len] = 0;
        struct bytes key, value;
        enum err e = kv_seek(view, KV_STATE, bytes_of(from, start.len + (skip_equal ? 1 : 0)), &key, &value);
        if (e != OK) {
            return e;
        }
        if (!starts_with(key, prefix)) {
            return ERR_NOTFOUND;
        }
        if (op == NULL || find_write(op, key) == NULL) {
            *out_key = key;
            *out_value = value;
            return OK;
        }
        if (key.len + 1 > sizeof from) {
            return ERR_NOTFOUND;
        }
        memmove(from, key.data, key.len);
        start = bytes_of(from, key.len);
        skip_equal = true;
    }
}

static enum err op_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                        struct buffer *out_value, bool *out_found) {
    struct operation *op = ctx;
    struct bytes key, value;
    const struct write *own = next_write(op, prefix, after, inclusive);
    enum err e = next_in_view(op->execution->view, op, prefix, after, inclusive, &key, &value);
    if (e != OK && e != ERR_NOTFOUND) {
        return e;
    }
    if (own != NULL && (e == ERR_NOTFOUND || bytes_compare(write_key(op, own), key) < 0)) {
        key = write_key(op, own);
        value = bytes_of(op->bytes.data + own->value_at, own->value_len);
        e = OK;
    }
    *out_found = e == OK;
    if (e == OK) {
        buffer_put(out_key, key.data, key.len);
        buffer_put(out_value, value.data, value.len);
        e = buffer_ok(out_key) != OK ? ERR_NOMEM : buffer_ok(out_value);
    } else {
        e = OK;
    }
    return e;
}

static enum err op_history(void *ctx, struct bytes record_key, const char *action, struct bytes detail) {
    struct operation *op = ctx;
    const struct execution *x = op->execution;
    size_t action_len = strlen(action);
    ASSERT(action_len <= UINT8_MAX && op->history_count < UINT16_MAX);
    struct buffer *h = &op->history;
    buffer_u16(h, (uint16_t)(record_key.len + HISTORY_KEY_SUFFIX));
    buffer_put(h, record_key.data, record_key.len);
    buffer_u8(h, 0);
    buffer_u64(h, x->height);
    buffer_u32(h, op->index);
    buffer_u16(h, op->history_count++);
    buffer_u32(h, (uint32_t)(HASH_LEN + 8 + ED25519_KEY_LEN + 1 + action_len + detail.len));
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

static void operation_begin(struct operation *op, uint32_t index, const struct transaction *tx) {
    buffer_reset(&op->bytes);
    buffer_reset(&op->history);
    op->write_count = 0;
    op->history_count = 0;
    op->index = index;
    memset(op->tx_id, 0, sizeof op->tx_id);
    memset(op->signer, 0, sizeof op->signer);
    if (tx != NULL) {
        memcpy(op->tx_id, tx->id, sizeof op->tx_id);
        memcpy(op->signer, tx->signers[0], sizeof op->signer);
    }
}

/* Lets the operation's writes count. */
static enum err operation_keep(struct operation *op) {
    struct kv_layer *layer = op->execution->layer;
    for (size_t i = 0; i < op->write_count; i++) {
        const struct write *w = &op->writes[i];
        struct bytes value = bytes_of(op->bytes.data + w->value_at, w->value_len);
        enum err e = w->deleted ? kv_layer_delete(layer, KV_STATE, write_key(op, w))
                                : kv_layer_put(layer, KV_STATE, write_key(op, w), value);
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
    return OK;
}

/* ---- A block ---------------------------------------------------------------------------------------------------- */

static struct call call_of(const struct execution *x, struct operation *op, const struct transaction *tx) {
    struct call call = {
        .state = {&operation_ops, op},
        .crypto = x->crypto,
        .chain_id = x->chain_id,
        .height = x->height,
        .time_ms = x->time_ms,
    };
    if (tx != NULL) {
        call.signers = tx->signers;
        call.signer_count = tx->signer_count;
        memcpy(call.tx_id, tx->id, sizeof call.tx_id);
    }
    return call;
}

static void receipt_encode(const uint8_t tx_id[HASH_LEN], const struct answer *answer, struct buffer *out) {
    size_t detail_len = strnlen(answer->detail, sizeof answer->detail);
    buffer_u8(out, RECEIPT_VERSION);
    buffer_put(out, tx_id, HASH_LEN);
    buffer_u32(out, (uint32_t)answer->code);
    buffer_u16(out, (uint16_t)detail_len);
    buffer_put(out, answer->detail, detail_len);
    buffer_u32(out, (uint32_t)answer->result.len);
    buffer_put(out, answer->result.data, answer->result.len);
}

/* Writes the receipt and the indices that lead to a transaction; gives the receipt's leaf. */
static enum err index_transaction(const struct execution *x, const struct transaction *tx, uint32_t index,
                                  const struct answer *answer, struct buffer *scratch, uint8_t leaf[SHA256_LEN]) {
    buffer_reset(scratch);
    buffer_u64(scratch, x->height);
    buffer_u32(scratch, index);
    size_t receipt_at = scratch->len;
    receipt_encode(tx->id, answer, scratch);
    enum err e = buffer_ok(scratch);
    if (e != OK) {
        return e;
    }
    merkle_leaf(bytes_of(scratch->data + receipt_at, scratch->len - receipt_at), leaf);
    e = kv_layer_put(x->layer, KV_TXS, bytes_of(tx->id, HASH_LEN), buffer_bytes(scratch));
    for (size_t i = 0; i < tx->signer_count && e == OK; i++) {
        uint8_t key[ED25519_KEY_LEN + 12];
        memcpy(key, tx->signers[i], ED25519_KEY_LEN);
        store_u64(key + ED25519_KEY_LEN, x->height);
        store_u32(key + ED25519_KEY_LEN + 8, index);
        e = kv_layer_put(x->layer, KV_SENDERS, bytes_of(key, sizeof key), bytes_of(tx->id, HASH_LEN));
    }
    return e;
}

struct change_list {
    struct tree_change *items;
    size_t count, cap;
};

static enum err collect_change(void *arg, struct bytes key, struct bytes value) {
    struct change_list *list = arg;
    if (list->count == list->cap) {
        size_t cap = list->cap == 0 ? 64 : list->cap * 2;
        struct tree_change *grown = realloc(list->items, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        list->items = grown;
        list->cap = cap;
    }
    struct tree_change *change = &list->items[list->count++];
    *change = (struct tree_change){.deleted = value.data == NULL};
    sha256(key.data, key.len, change->key);
    if (!change->deleted) {
        sha256(value.data, value.len, change->value_hash);
    }
    return OK;
}

/* Brings the tree up to date with what the layer wrote to state. */
static enum err update_tree(const struct execution *x, struct tree_root *out) {
    struct change_list list = {0};
    enum err e = kv_layer_each(x->layer, KV_STATE, collect_change, &list);
    if (e == OK) {
        e = tree_update(x->crypto, x->view, x->cache, x->parent_root, list.items, list.count, x->height,
                        x->next_node_id, x->layer, out);
    }
    free(list.items);
    return e;
}

static enum err run_due_queue(const struct execution *x, struct operation *op) {
    operation_begin(op, 0, NULL);
    struct call call = call_of(x, op, NULL);
    enum err e = contracts_begin_block(&call);
    return e == OK ? operation_keep(op) : e;
}

static enum err run_transaction(const struct execution *x, struct operation *op, const struct transaction *tx,
                                uint32_t index, struct buffer *scratch, uint8_t leaf[SHA256_LEN]) {
    struct answer answer = {.code = CODE_OK};
    operation_begin(op, index + 1, tx);
    struct call call = call_of(x, op, tx);
    enum err e = contracts_execute(&call, tx->contract, tx->method, tx->args, &answer);
    if (e == OK && answer.code == CODE_OK) {
        e = operation_keep(op);
    }
    if (e == OK) {
        e = index_transaction(x, tx, index, &answer, scratch, leaf);
    }
    buffer_free(&answer.result);
    return e;
}

enum err execute_block(const struct execution *x, const struct transaction *txs, size_t count,
                       struct execution_result *out) {
    struct execution_result result;
    struct buffer scratch = BUFFER_INIT;
    struct operation *op = calloc(1, sizeof *op);
    uint8_t(*leaves)[SHA256_LEN] = malloc((count + 1) * sizeof *leaves);
    enum err e = op != NULL && leaves != NULL ? OK : ERR_NOMEM;
    if (e == OK) {
        op->execution = x;
        e = run_due_queue(x, op);
    }
    for (size_t i = 0; i < count && e == OK; i++) {
        e = run_transaction(x, op, &txs[i], (uint32_t)i, &scratch, leaves[i]);
    }
    if (e == OK) {
        merkle_root(leaves, count, result.receipts_root);
        e = update_tree(x, &result.root);
    }
    if (op != NULL) {
        buffer_free(&op->bytes);
        buffer_free(&op->history);
    }
    free(op);
    free(leaves);
    buffer_free(&scratch);
    if (e == OK) {
        *out = result;
    }
    return e;
}

/* The genesis writes more than one operation may: straight into the layer. */
static enum err genesis_put(void *ctx, struct bytes key, struct bytes value) {
    const struct execution *x = ctx;
    return kv_layer_put(x->layer, KV_STATE, key, value);
}

static enum err genesis_remove(void *ctx, struct bytes key) {
    const struct execution *x = ctx;
    return kv_layer_delete(x->layer, KV_STATE, key);
}

static enum err genesis_history(void *ctx, struct bytes record_key, const char *action, struct bytes detail) {
    (void)ctx;
    (void)record_key;
    (void)action;
    (void)detail;
    return OK; /* the genesis file itself is the history of what stands in it */
}

static enum err view_get(struct kv_view *view, struct bytes key, struct buffer *out, bool *out_found) {
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

static enum err view_next(struct kv_view *view, struct bytes prefix, struct bytes after, bool inclusive,
                          struct buffer *out_key, struct buffer *out_value, bool *out_found) {
    struct bytes key, value;
    enum err e = next_in_view(view, NULL, prefix, after, inclusive, &key, &value);
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

static enum err genesis_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    const struct execution *x = ctx;
    return view_get(x->view, key, out, out_found);
}

static enum err genesis_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                             struct buffer *out_value, bool *out_found) {
    const struct execution *x = ctx;
    return view_next(x->view, prefix, after, inclusive, out_key, out_value, out_found);
}

static const struct state_ops genesis_ops = {
    .get = genesis_get, .next = genesis_next, .put = genesis_put, .remove = genesis_remove, .history = genesis_history};

enum err execute_genesis(const struct execution *x, const struct genesis *genesis, struct tree_root *out) {
    struct execution copy = *x;
    const struct state state = {&genesis_ops, &copy};
    enum err e = genesis_apply(genesis, x->crypto, &state);
    return e == OK ? update_tree(x, out) : e;
}

/* ---- Queries ---------------------------------------------------------------------------------------------------- */

static enum err query_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    return view_get(ctx, key, out, out_found);
}

static enum err query_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                           struct buffer *out_value, bool *out_found) {
    return view_next(ctx, prefix, after, inclusive, out_key, out_value, out_found);
}

static const struct state_ops query_ops = {.get = query_get, .next = query_next};

struct state state_of_view(struct kv_view *view) {
    return (struct state){&query_ops, view};
}
