#include "node/api/api.h"

#include "contracts/kernel/transaction.h"
#include "node/ledger/execute.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 200
#define PAGE_DEFAULT 20

/* `epoch` is the block's own. */
static json_t *block_json(const struct chain_epoch *epoch, const struct chain_block_info *info) {
    const struct block_header *h = &info->header;
    json_t *out = json_object();
    api_u64(out, "height", h->height);
    api_hex(out, "hash", info->hash, HASH_LEN);
    api_hex(out, "parent_hash", h->parent, HASH_LEN);
    api_u64(out, "epoch", h->epoch);
    api_u64(out, "view", h->view);
    api_u64(out, "time_ms", h->time_ms);
    api_u64(out, "proposer_index", h->proposer);
    if (h->height > 0 && h->proposer < epoch->count) {
        api_hex(out, "proposer", epoch->keys[h->proposer], KEY_LEN);
    } else {
        api_set(out, "proposer", json_null());
    }
    api_hex(out, "tx_root", h->tx_root, HASH_LEN);
    api_hex(out, "receipts_root", h->receipts_root, HASH_LEN);
    api_hex(out, "state_root", h->state_root, HASH_LEN);
    api_hex(out, "validators_hash", h->validators_hash, HASH_LEN);
    api_u64(out, "tx_count", info->tx_count);
    api_set(out, "has_finalization", json_boolean(info->has_finalization));
    return out;
}

/* A block, and the epoch it is of: `epoch` is what was read for the block before, or zeros. */
static enum err read_block(struct chain_view *view, uint64_t height, struct chain_block_info *out,
                           struct chain_epoch *epoch) {
    enum err e = chain_view_block(view, height, out);
    if (e == OK && (epoch->count == 0 || epoch->number != out->header.epoch)) {
        e = chain_view_epoch(view, out->header.epoch, epoch);
        e = e == ERR_NOTFOUND ? ERR_CORRUPT : e; /* every block that is there is of an epoch that is there */
    }
    return e;
}

/* "latest" or a number; on failure the answer has been given. */
static bool height_param(struct http_request *request, const struct chain_view *view, uint64_t *out) {
    const char *text = http_param(request, "height");
    if (strcmp(text, "latest") == 0) {
        *out = view->head.header.height;
        return true;
    }
    char *end;
    unsigned long long height = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 19) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give a number or \"latest\"",
                                         "height must be a number or \"latest\""));
        return false;
    }
    *out = height;
    return true;
}

static void get_block(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct chain_block_info info;
    struct chain_epoch epoch = {.count = 0};
    uint64_t height;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    if (height_param(request, &view, &height)) {
        enum err e = read_block(&view, height, &info, &epoch);
        if (e == ERR_NOTFOUND && height <= view.head.header.height) {
            http_respond(request,
                         http_error(410, "NO_LONGER_KEPT", "ask a node that has been there longer",
                                    "this node joined by a snapshot; block %llu is older than what came with it",
                                    (unsigned long long)height));
        } else if (e != OK) {
            api_fail(api, request, e, "a block of this height");
        } else {
            http_respond(request, http_json(200, block_json(&epoch, &info)));
        }
    }
    chain_view_close(&view);
}

static void list_blocks(void *ctx, struct http_request *request) {
    static const char *const known[] = {"before", "limit", NULL};
    struct api *api = ctx;
    uint64_t before, limit;
    struct chain_view view;
    if (!http_query_only(request, known) || !http_query_u64(request, "before", 0, INT64_MAX, INT64_MAX, &before) ||
        !http_query_u64(request, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit) || !api_view(api, request, &view)) {
        return;
    }
    uint64_t next = before <= view.head.header.height ? before : view.head.header.height + 1;
    struct chain_epoch epoch = {.count = 0};
    json_t *items = json_array();
    enum err e = OK;
    while (e == OK && limit-- > 0 && next > 0) {
        struct chain_block_info info;
        e = read_block(&view, --next, &info, &epoch);
        if (e == OK) {
            (void)json_array_append_new(items, block_json(&epoch, &info));
        }
    }
    chain_view_close(&view);
    if (e != OK && e != ERR_NOTFOUND) { /* older ones than a snapshot brought are not there; anything else is a fault */
        json_decref(items);
        api_fail(api, request, e, "the blocks");
        return;
    }
    json_t *out = json_object();
    api_set(out, "blocks", items);
    api_set(out, "next_before", next > 0 ? json_integer((json_int_t)next) : json_null());
    http_respond(request, http_json(200, out));
}

static json_t *tx_json(const struct transaction *tx, uint64_t height, uint32_t index, const struct receipt *receipt) {
    json_t *out = json_object();
    api_hex(out, "tx_id", tx->id, HASH_LEN);
    api_u64(out, "height", height);
    api_u64(out, "index", index);
    api_set(out, "contract", json_stringn((const char *)tx->contract.data, tx->contract.len));
    api_set(out, "method", json_stringn((const char *)tx->method.data, tx->method.len));
    json_t *signers = json_array();
    for (size_t i = 0; i < tx->signer_count; i++) {
        char hex[2 * ED25519_KEY_LEN + 1];
        hex_encode(tx->signers[i], ED25519_KEY_LEN, hex);
        (void)json_array_append_new(signers, json_string(hex));
    }
    api_set(out, "signers", signers);
    api_u64(out, "expiry_ms", tx->expiry_ms);
    api_u64(out, "size", tx->envelope.len);
    if (receipt != NULL) {
        api_set(out, "result", api_result_json(receipt));
        api_hex(out, "result_bytes", receipt->result.data, receipt->result.len);
    }
    return out;
}

/* What the index says of a transaction. */
static enum err find_tx(struct chain_view *view, const uint8_t id[HASH_LEN], uint64_t *out_height, uint32_t *out_index,
                        struct receipt *out_receipt) {
    struct bytes value, receipt;
    enum err e = kv_get(view->kv, KV_TXS, bytes_of(id, HASH_LEN), &value);
    if (e == OK) {
        e = tx_entry_decode(value, out_height, out_index, &receipt);
    }
    return e == OK ? receipt_decode(receipt, out_receipt) : e;
}

/* A body that the index knows of and the block log no longer has was pruned. */
static void fail_body(struct api *api, struct http_request *request, enum err e, uint64_t height, const char *what) {
    if (e == ERR_NOTFOUND && height != 0) {
        http_respond(request,
                     http_error(410, "PRUNED",
                                "headers, receipts and proofs are still here; ask a node that keeps every body",
                                "the body of block %llu was pruned on this node", (unsigned long long)height));
    } else {
        api_fail(api, request, e, what);
    }
}

/* What happened to the transactions of a block, from `from` on. A receipt that did not come with a snapshot is not
 * there; anything else that can't be read is a fault. */
static enum err block_txs_json(struct chain_view *view, const struct block *block, uint64_t from, uint64_t limit,
                               json_t *items, uint64_t *out_next) {
    uint64_t i = from;
    for (; i < block->tx_count && i < from + limit; i++) {
        struct receipt receipt;
        uint64_t at;
        uint32_t index;
        enum err e = find_tx(view, block->txs[i].id, &at, &index, &receipt);
        if (e != OK && e != ERR_NOTFOUND) {
            return e;
        }
        (void)json_array_append_new(
            items, tx_json(&block->txs[i], block->header.height, (uint32_t)i, e == OK ? &receipt : NULL));
    }
    *out_next = i;
    return OK;
}

static void list_block_txs(void *ctx, struct http_request *request) {
    static const char *const known[] = {"from", "limit", NULL};
    struct api *api = ctx;
    struct chain_view view;
    uint64_t height, from, limit;
    if (!http_query_only(request, known) || !http_query_u64(request, "from", 0, LIMIT_BLOCK_TXS, 0, &from) ||
        !http_query_u64(request, "limit", 1, PAGE_MAX, PAGE_MAX, &limit) || !api_view(api, request, &view)) {
        return;
    }
    if (!height_param(request, &view, &height)) {
        chain_view_close(&view);
        return;
    }
    struct buffer body = BUFFER_INIT;
    struct block block = {0};
    enum err e = height == 0 || height > view.head.header.height ? OK : chain_read(api->chain, height, &body, NULL);
    if (e == OK && body.len > 0) {
        e = block_decode(buffer_bytes(&body), &block);
    }
    bool there = e == OK && height <= view.head.header.height;
    uint64_t next = 0;
    json_t *items = json_array();
    enum err read = there ? block_txs_json(&view, &block, from, limit, items, &next) : OK;
    if (read != OK) {
        api_fail(api, request, read, "a receipt of this block");
    } else if (there) {
        json_t *out = json_object();
        api_u64(out, "height", height);
        api_set(out, "txs", json_incref(items));
        api_set(out, "next_from", next < block.tx_count ? json_integer((json_int_t)next) : json_null());
        http_respond(request, http_json(200, out));
    } else {
        fail_body(api, request, e == OK ? ERR_NOTFOUND : e, e == OK ? 0 : height, "a block of this height");
    }
    json_decref(items);
    block_free(&block);
    buffer_free(&body);
    chain_view_close(&view);
}

/* Transaction by id with its block, for as long as the entry is closed. */
struct tx_lookup {
    struct buffer body;
    struct block block;
    struct receipt receipt;
    uint64_t height;
    uint32_t index;
};

static enum err tx_lookup_open(struct api *api, struct chain_view *view, const uint8_t id[HASH_LEN],
                               struct tx_lookup *out) {
    *out = (struct tx_lookup){0};
    enum err e = find_tx(view, id, &out->height, &out->index, &out->receipt);
    if (e == OK) {
        e = chain_read(api->chain, out->height, &out->body, NULL);
    }
    if (e == OK) {
        e = block_decode(buffer_bytes(&out->body), &out->block);
    }
    if (e == OK && out->index >= out->block.tx_count) {
        e = ERR_CORRUPT;
    }
    return e;
}

static void tx_lookup_close(struct tx_lookup *lookup) {
    block_free(&lookup->block);
    buffer_free(&lookup->body);
}

static void get_tx(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    if (!api_no_query(request) || !api_param_hex(request, "id", id, sizeof id) || !api_view(api, request, &view)) {
        return;
    }
    struct tx_lookup found;
    enum err e = tx_lookup_open(api, &view, id, &found);
    if (e == OK) {
        const struct transaction *tx = &found.block.txs[found.index];
        json_t *out = tx_json(tx, found.height, found.index, &found.receipt);
        api_u64(out, "time_ms", found.block.header.time_ms);
        api_hex(out, "envelope", tx->envelope.data, tx->envelope.len);
        http_respond(request, http_json(200, out));
    } else {
        fail_body(api, request, e, found.height, "this transaction");
    }
    tx_lookup_close(&found);
    chain_view_close(&view);
}

/* A place in a signer's list: height (8) || index (4), in hex; entries strictly below it follow. */
#define CURSOR_LEN 12

/* Steps to the greatest value below; false when there is none. */
static bool cursor_before(uint8_t cursor[CURSOR_LEN]) {
    if (bytes_is_zero(cursor, CURSOR_LEN)) {
        return false;
    }
    for (size_t i = CURSOR_LEN; i-- > 0 && cursor[i]-- == 0;) {
    }
    return true;
}

/* Next entry of the signer below the cursor, which moves there. ERR_NOTFOUND: there is none. */
static enum err next_of_sender(struct chain_view *view, uint8_t place[ED25519_KEY_LEN + CURSOR_LEN],
                               uint8_t out_id[HASH_LEN]) {
    struct bytes key, value;
    if (!cursor_before(place + ED25519_KEY_LEN)) {
        return ERR_NOTFOUND;
    }
    enum err e = kv_seek_back(view->kv, KV_SENDERS, bytes_of(place, ED25519_KEY_LEN + CURSOR_LEN), &key, &value);
    if (e != OK) {
        return e;
    }
    if (key.len != ED25519_KEY_LEN + CURSOR_LEN || value.len != HASH_LEN) {
        return ERR_CORRUPT;
    }
    if (memcmp(key.data, place, ED25519_KEY_LEN) != 0) {
        return ERR_NOTFOUND;
    }
    memcpy(place, key.data, key.len);
    memcpy(out_id, value.data, HASH_LEN);
    return OK;
}

/* One entry of a signer's list: what the filter lets through. The body of one may have been pruned, and it is left out;
 * anything else that can't be read is a fault. */
static enum err sender_tx_json(struct api *api, struct chain_view *view, const uint8_t id[HASH_LEN],
                               const char *contract, json_t *items) {
    struct tx_lookup found;
    enum err e = tx_lookup_open(api, view, id, &found);
    bool pruned = e == ERR_NOTFOUND && found.height != 0;
    if (e == OK && (contract == NULL || bytes_equal(found.block.txs[found.index].contract, bytes_str(contract)))) {
        (void)json_array_append_new(items,
                                    tx_json(&found.block.txs[found.index], found.height, found.index, &found.receipt));
    }
    tx_lookup_close(&found);
    return e == OK || pruned ? OK : e == ERR_NOTFOUND ? ERR_CORRUPT : e;
}

/* Newest first. A page looks at a bounded number of entries, so one with a contract filter may be short of its limit.
 */
static void list_sender_txs(void *ctx, struct http_request *request) {
    static const char *const known[] = {"sender", "contract", "cursor", "limit", NULL};
    struct api *api = ctx;
    uint8_t place[ED25519_KEY_LEN + CURSOR_LEN], id[HASH_LEN];
    uint64_t limit;
    const char *sender = http_query(request, "sender");
    const char *contract = http_query(request, "contract");
    const char *cursor = http_query(request, "cursor");
    struct chain_view view;
    memset(place, 0xff, sizeof place);
    if (!http_query_only(request, known) || !http_query_u64(request, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit)) {
        return;
    }
    if (sender == NULL || hex_decode(sender, place, ED25519_KEY_LEN) != OK ||
        (cursor != NULL && hex_decode(cursor, place + ED25519_KEY_LEN, CURSOR_LEN) != OK)) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give ?sender=KEY and the cursor as it was given to you",
                                         "sender must be a signing key, cursor a place in its list, both in hex"));
        return;
    }
    if (!api_view(api, request, &view)) {
        return;
    }
    json_t *items = json_array();
    bool more = true;
    enum err e = OK;
    for (size_t looked = 0; more && e == OK && looked < 2 * PAGE_MAX && json_array_size(items) < limit; looked++) {
        e = next_of_sender(&view, place, id);
        more = e != ERR_NOTFOUND;
        e = e == OK ? sender_tx_json(api, &view, id, contract, items) : more ? e : OK;
    }
    chain_view_close(&view);
    if (e != OK) {
        json_decref(items);
        api_fail(api, request, e, "the sender's transactions");
        return;
    }
    json_t *out = json_object();
    api_set(out, "txs", items);
    if (more) {
        api_hex(out, "next_cursor", place + ED25519_KEY_LEN, CURSOR_LEN);
    } else {
        api_set(out, "next_cursor", json_null());
    }
    http_respond(request, http_json(200, out));
}

enum err api_blocks_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/blocks", list_blocks, 0},
        {HTTP_GET, "/v1/blocks/{height}", get_block, 0},
        {HTTP_GET, "/v1/blocks/{height}/txs", list_block_txs, 0},
        {HTTP_GET, "/v1/txs/{id}", get_tx, 0},
        {HTTP_GET, "/v1/txs", list_sender_txs, 0},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
