#include "node/answers/block.h"
#include "node/api/api_list.h"

#include "contracts/kernel/transaction.h"
#include "node/json/record_json.h"
#include "node/ledger/block_events.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 200
#define PAGE_DEFAULT 20
#define SENDER_BLOCKS 16u /* whose bodies one page of a signer's transactions reads */

/* `epoch` is the block's own. */
static json_t *block_json(const struct chain_epoch *epoch, const struct chain_block_info *info) {
    const struct block_header *h = &info->header;
    struct block_answer answer = {.height = h->height,
                                  .epoch = h->epoch,
                                  .view = h->view,
                                  .time_ms = h->time_ms,
                                  .proposer_index = h->proposer,
                                  .has_proposer = h->height > 0 && h->proposer < epoch->count,
                                  .tx_count = info->tx_count,
                                  .has_finalization = info->has_finalization};
    memcpy(answer.hash, info->hash, HASH_LEN);
    memcpy(answer.parent_hash, h->parent, HASH_LEN);
    if (answer.has_proposer) {
        memcpy(answer.proposer, epoch->keys[h->proposer], KEY_LEN);
    }
    memcpy(answer.tx_root, h->tx_root, HASH_LEN);
    memcpy(answer.receipts_root, h->receipts_root, HASH_LEN);
    memcpy(answer.state_root, h->state_root, HASH_LEN);
    memcpy(answer.validators_hash, h->validators_hash, HASH_LEN);
    return record_json(&block_answer_shape, &answer);
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

static bool is_height(const char *text) {
    size_t digits = strspn(text, "0123456789");
    return strcmp(text, "latest") == 0 || (digits >= 1 && digits <= 19 && text[digits] == '\0');
}

static uint64_t height_argument(const struct http_request *request, const struct chain_view *view) {
    const char *text = http_text(request, "height");
    return strcmp(text, "latest") == 0 ? view->head.header.height : strtoull(text, NULL, 10);
}

static void get_block(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct chain_block_info info;
    struct chain_epoch epoch = {.count = 0};
    if (!api_view(api, request, &view)) {
        return;
    }
    uint64_t height = height_argument(request, &view);
    enum err e = read_block(&view, height, &info, &epoch);
    if (e == ERR_NOTFOUND && height <= view.head.header.height) {
        http_respond(request, http_error(410, "NO_LONGER_KEPT", "ask a node that has been there longer",
                                         "this node joined by a snapshot; block %llu is older than what came with it",
                                         (unsigned long long)height));
    } else if (e != OK) {
        api_fail(api, request, e, "a block of this height");
    } else {
        http_respond(request, http_json(200, block_json(&epoch, &info)));
    }
    chain_view_close(&view);
}

static void list_blocks(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    uint64_t before = http_number(request, "before"), limit = http_number(request, "limit");
    uint64_t next = before <= view.head.header.height ? before : view.head.header.height + 1;
    struct chain_epoch epoch = {.count = 0};
    json_t *items = json_array();
    enum err e = OK;
    while (e == OK && limit-- > 0 && next > 0) {
        struct chain_block_info info;
        e = read_block(&view, --next, &info, &epoch);
        if (e == OK && json_array_append_new(items, block_json(&epoch, &info)) != 0) {
            e = ERR_NOMEM;
        }
    }
    chain_view_close(&view);
    if (e == OK || e == ERR_NOTFOUND) { /* older ones than a snapshot brought are not there; else it is a fault */
        const struct blocks_answer answer = {.blocks = items, .has_more = next > 0, .next_before = next};
        api_answer(request, &blocks_answer_shape, &answer);
    } else {
        api_fail(api, request, e, "the blocks");
    }
    json_decref(items);
}

/* The receipt may be NULL; texts are borrowed. */
static void tx_answer_of(const struct transaction *tx, uint64_t height, uint32_t index, const struct receipt *receipt,
                         struct tx_answer *out) {
    *out = (struct tx_answer){.height = height,
                              .index = index,
                              .contract = tx->contract,
                              .method = tx->method,
                              .signer_count = (uint8_t)tx->signer_count,
                              .expiry_ms = tx->expiry_ms,
                              .size = (uint32_t)tx->envelope.len,
                              .has_receipt = receipt != NULL};
    memcpy(out->tx_id, tx->id, HASH_LEN);
    memcpy(out->signers, tx->signers, tx->signer_count * sizeof tx->signers[0]);
    if (receipt != NULL) {
        out->result = api_result(receipt);
        out->result_bytes = receipt->result;
    }
}

static enum err append_tx(json_t *items, const struct transaction *tx, uint64_t height, uint32_t index,
                          const struct receipt *receipt) {
    struct tx_answer answer;
    tx_answer_of(tx, height, index, receipt, &answer);
    return json_array_append_new(items, record_json(&tx_answer_shape, &answer)) == 0 ? OK : ERR_NOMEM;
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

/* What happened to the transactions of a part of a block that begins at `from`. A receipt that did not come with a
 * snapshot is not there; anything else that can't be read is a fault. */
static enum err block_txs_json(struct chain_view *view, const struct block *part, uint64_t from, json_t *items) {
    for (size_t i = 0; i < part->tx_count; i++) {
        struct receipt receipt;
        uint64_t at;
        uint32_t index;
        enum err e = final_tx_find(view, part->txs[i].id, &at, &index, &receipt);
        if (e != OK && e != ERR_NOTFOUND) {
            return e;
        }
        e = append_tx(items, &part->txs[i], part->header.height, (uint32_t)(from + i), e == OK ? &receipt : NULL);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* A part of a block of the log, for as long as the entry is closed. */
struct block_part {
    struct buffer body;
    struct block block; /* the transactions that were asked for */
    uint32_t total;
};

static enum err block_part_read(struct api *api, struct http_request *request, uint64_t height, uint32_t from,
                                uint32_t count, struct block_part *out) {
    enum err e = chain_read(api->chain, height, &out->body, NULL);
    (void)http_spend(request, (struct http_budget){.bytes = (uint32_t)out->body.len, .blocks = 1});
    return e == OK ? block_decode_part(buffer_bytes(&out->body), from, count, &out->block, &out->total) : e;
}

static void block_part_close(struct block_part *part) {
    block_free(&part->block);
    buffer_free(&part->body);
}

static void list_block_txs(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    uint64_t height = height_argument(request, &view);
    uint32_t from = (uint32_t)http_number(request, "from"), limit = (uint32_t)http_number(request, "limit");
    bool is_there = height <= view.head.header.height;
    struct block_part part = {.total = 0};
    json_t *items = json_array();
    enum err e = is_there ? OK : ERR_NOTFOUND;
    if (is_there && height > 0) { /* the genesis has none */
        e = block_part_read(api, request, height, from, limit, &part);
    }
    if (e != OK) {
        fail_body(api, request, e, is_there ? height : 0, "a block of this height");
    } else {
        uint64_t next = from + part.block.tx_count;
        e = block_txs_json(&view, &part.block, from, items);
        const struct block_txs_answer answer = {
            .height = height, .txs = items, .has_more = next < part.total, .next_from = next};
        api_outcome(api, request, e, "a receipt of this block", &block_txs_shape, &answer);
    }
    json_decref(items);
    block_part_close(&part);
    chain_view_close(&view);
}

/* Transaction by id with its block, for as long as the entry is closed. */
struct tx_lookup {
    struct block_part part; /* it alone */
    struct receipt receipt;
    uint64_t height;
    uint32_t index;
};

static enum err tx_lookup_open(struct api *api, struct http_request *request, struct chain_view *view,
                               const uint8_t id[HASH_LEN], struct tx_lookup *out) {
    *out = (struct tx_lookup){0};
    enum err e = final_tx_find(view, id, &out->height, &out->index, &out->receipt);
    if (e == OK) {
        e = block_part_read(api, request, out->height, out->index, 1, &out->part);
    }
    return e == OK && out->part.block.tx_count != 1 ? ERR_CORRUPT : e;
}

static void tx_lookup_close(struct tx_lookup *lookup) {
    block_part_close(&lookup->part);
}

static void get_tx(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    (void)http_hex(request, "id", id);
    if (!api_view(api, request, &view)) {
        return;
    }
    struct tx_lookup found;
    enum err e = tx_lookup_open(api, request, &view, id, &found);
    if (e == OK) {
        const struct transaction *tx = &found.part.block.txs[0];
        struct whole_tx_answer answer = {.time_ms = found.part.block.header.time_ms, .envelope = tx->envelope};
        tx_answer_of(tx, found.height, found.index, &found.receipt, &answer.tx);
        api_answer(request, &whole_tx_shape, &answer);
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
static enum err sender_tx_json(struct api *api, struct http_request *request, struct chain_view *view,
                               const uint8_t id[HASH_LEN], const char *contract, json_t *items) {
    struct tx_lookup found;
    enum err e = tx_lookup_open(api, request, view, id, &found);
    bool pruned = e == ERR_NOTFOUND && found.height != 0;
    if (e == OK && (contract == NULL || bytes_equal(found.part.block.txs[0].contract, bytes_str(contract)))) {
        e = append_tx(items, &found.part.block.txs[0], found.height, found.index, &found.receipt);
    }
    tx_lookup_close(&found);
    if (pruned) {
        return OK;
    }
    return e == ERR_NOTFOUND ? ERR_CORRUPT : e; /* the sender's index names it */
}

/* One more block's body, of whatever size, and what is answered of it. */
static bool may_read_another(const struct http_request *request) {
    struct http_budget left = http_left(request);
    return left.blocks > 0 && left.bytes >= 2 * LIMIT_BLOCK_BYTES;
}

/* Newest first. A page reads a bounded number of blocks and bytes, so it may be short of its limit. */
static void list_sender_txs(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t place[ED25519_KEY_LEN + CURSOR_LEN], id[HASH_LEN];
    const char *contract = http_text(request, "contract");
    struct chain_view view;
    memset(place, 0xff, sizeof place);
    (void)http_hex(request, "sender", place);
    (void)http_hex(request, "cursor", place + ED25519_KEY_LEN);
    if (!api_view(api, request, &view)) {
        return;
    }
    uint64_t limit = http_number(request, "limit");
    json_t *items = json_array();
    bool more = true;
    enum err e = OK;
    while (more && e == OK && json_array_size(items) < limit && may_read_another(request)) {
        e = next_of_sender(&view, place, id);
        if (e == ERR_NOTFOUND) {
            more = false;
            e = OK;
        } else if (e == OK) {
            e = sender_tx_json(api, request, &view, id, contract, items);
        }
    }
    chain_view_close(&view);
    if (e == OK) {
        char cursor[2 * CURSOR_LEN + 1];
        hex_encode(place + ED25519_KEY_LEN, CURSOR_LEN, cursor);
        const struct page_answer answer = {.items = items, .has_more = more, .next = cursor};
        api_answer(request, &sender_txs_page, &answer);
    } else {
        api_fail(api, request, e, "the sender's transactions");
    }
    json_decref(items);
}

enum err api_blocks_routes(struct api *api, struct http_server *server) {
#define HEIGHT                                                                                                         \
    {                                                                                                                  \
        "height", "a number, or latest", HTTP_TEXT, .most = 19, .pattern = "^(latest|[0-9]{1,19})$",                   \
                                                    .judge = is_height, .must = "a number or \"latest\""               \
    }
    static const struct http_argument list[] = {
        {"before", "next_before of the page before", HTTP_NUMBER, .most = INT64_MAX, .fallback = INT64_MAX},
        LIST_LIMIT(PAGE_MAX, PAGE_DEFAULT),
        {0}};
    static const struct http_argument one[] = {HEIGHT, {0}};
    static const struct http_argument txs[] = {
        HEIGHT,
        {"from", "next_from of the page before", HTTP_NUMBER, .most = LIMIT_BLOCK_TXS},
        LIST_LIMIT(PAGE_MAX, PAGE_MAX),
        {0}};
#undef HEIGHT
    static const struct http_argument by_id[] = {{"id", "transaction id", HTTP_HEX, .most = HASH_LEN}, {0}};
    static const struct http_argument by_sender[] = {
        {"sender", "signing key of who sent them", HTTP_HEX, .most = ED25519_KEY_LEN, .is_required = true},
        {"contract", "only of this contract", HTTP_TEXT, .most = LIMIT_TX_NAME, .pattern = CONTRACT_PATTERN,
         .judge = api_is_contract, .must = "a contract's name"},
        {"cursor", "next_cursor of the page before", HTTP_HEX, .most = CURSOR_LEN},
        LIST_LIMIT(PAGE_MAX, PAGE_DEFAULT),
        {0}};
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/blocks", list_blocks, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Final blocks, newest first",
         .arguments = list, .answers = &blocks_answer_shape},
        {HTTP_GET, "/v1/blocks/{height}", get_block, HTTP_BUDGET(4096, 0, 0), .summary = "One final block",
         .arguments = one, .answers = &block_answer_shape},
        {HTTP_GET, "/v1/blocks/{height}/txs", list_block_txs, HTTP_BUDGET(LIST_BYTES, 1, 0),
         .summary = "A block's transactions, in order", .arguments = txs, .answers = &block_txs_shape},
        {HTTP_GET, "/v1/txs/{id}", get_tx, HTTP_BUDGET(LIST_BYTES, 1, 0),
         .summary = "One final transaction with its receipt", .arguments = by_id, .answers = &whole_tx_shape},
        {HTTP_GET, "/v1/txs", list_sender_txs, HTTP_BUDGET(LIST_BYTES + LIMIT_BLOCK_BYTES, SENDER_BLOCKS, 0),
         .summary = "A signer's transactions, newest first", .arguments = by_sender, .answers = &sender_txs_page},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
