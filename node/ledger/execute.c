#include "node/ledger/execute.h"

#include "base/assert.h"
#include "base/merkle.h"
#include "contracts/contracts.h"
#include "contracts/kernel/due_work.h"
#include "contracts/kernel/method.h"
#include "node/ledger/operation.h"

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

/* ---- A block ---------------------------------------------------------------------------------------------------- */

static struct call call_of(const struct execution *x, struct operation *op, const struct transaction *tx) {
    struct call call = {
        .state = operation_state(op),
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
    ASSERT(detail_len < sizeof answer->detail); /* one line that ends */
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

/* What the block's height alone decides. */
static enum err run_height(const struct execution *x, struct operation *op) {
    operation_begin(op, 0, NULL);
    struct call call = call_of(x, op, NULL);
    enum err e = contracts_begin_block(&call);
    return e == OK ? operation_keep(op) : e;
}

/* What the item does counts as a whole, or it is taken out of its queue and says that it was too much. */
static enum err run_due_item(const struct execution *x, struct operation *op, const struct due_item *item) {
    operation_begin(op, 0, NULL);
    struct call call = call_of(x, op, NULL);
    enum err e = due_work(&call, item);
    if (operation_is_over(op)) {
        operation_begin(op, 0, NULL);
        e = due_work_refused(&call, item);
    }
    return e == OK ? operation_keep(op) : e;
}

/* Items that the block's histories have no numbers left for wait for the next block. */
static enum err run_due_items(const struct execution *x, struct operation *op) {
    struct state state = state_of_view(x->view);
    struct due_round round;
    bool found = true;
    enum err e = OK;
    due_round_begin(&round, x->time_ms, x->due);
    while (e == OK && found && operation_has_room(op)) {
        struct due_item item;
        e = due_round_next(&round, &state, &item, &found);
        if (e == OK && found) {
            e = run_due_item(x, op, &item);
        }
    }
    return e;
}

static enum err run_transaction(const struct execution *x, struct operation *op, const struct transaction *tx,
                                uint32_t index, struct buffer *scratch, uint8_t leaf[SHA256_LEN]) {
    struct answer answer = {.code = CODE_OK};
    ASSERT(index < LIMIT_BLOCK_TXS && tx->signer_count > 0);
    operation_begin(op, index + 1, tx);
    struct call call = call_of(x, op, tx);
    enum err e = contracts_execute(&call, tx->contract, tx->method, tx->args, &answer);
    if (operation_is_over(op)) {
        buffer_reset(&answer.result);
        e = refuse(&answer, CODE_TOO_MANY_WRITES, "at most %u records, %u notes, %u bytes", x->budget.writes,
                   x->budget.notes, x->budget.bytes);
    }
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
    ASSERT(x->height > 0 && count <= LIMIT_BLOCK_TXS); /* block 0 is the genesis' */
    struct operation *op = operation_new(x);
    uint8_t(*leaves)[SHA256_LEN] = malloc((count + 1) * sizeof *leaves);
    enum err e = op != NULL && leaves != NULL ? OK : ERR_NOMEM;
    if (e == OK) {
        e = run_height(x, op);
    }
    if (e == OK) {
        e = run_due_items(x, op);
    }
    for (size_t i = 0; i < count && e == OK; i++) {
        e = run_transaction(x, op, &txs[i], (uint32_t)i, &scratch, leaves[i]);
    }
    if (e == OK) {
        merkle_root(leaves, count, result.receipts_root);
        e = update_tree(x, &result.root);
    }
    operation_free(op);
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

static enum err genesis_get(void *ctx, struct bytes key, struct buffer *out, bool *out_found) {
    const struct execution *x = ctx;
    return state_view_get(x->view, key, out, out_found);
}

static enum err genesis_next(void *ctx, struct bytes prefix, struct bytes after, bool inclusive, struct buffer *out_key,
                             struct buffer *out_value, bool *out_found) {
    const struct execution *x = ctx;
    return state_view_next(x->view, prefix, after, inclusive, out_key, out_value, out_found);
}

static const struct state_ops genesis_ops = {
    .get = genesis_get, .next = genesis_next, .put = genesis_put, .remove = genesis_remove, .history = genesis_history};

enum err execute_genesis(const struct execution *x, const struct genesis *genesis, struct tree_root *out) {
    struct execution copy = *x;
    ASSERT(x->height == 0 && x->parent_root.id == 0);
    const struct state state = {&genesis_ops, &copy};
    enum err e = contracts_genesis(genesis, x->crypto, &state);
    return e == OK ? update_tree(x, out) : e;
}
