#include "node/answers/block.h"
#include "node/answers/registry.h"
#include "node/api/api_list.h"

#include "base/clock.h"
#include "contracts/update/update.h"
#include "node/http/ratelimit.h"
#include "node/json/record_json.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"
#include "node/ledger/rehearse.h"
#include "node/ledger/statement_tx.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_MAX 1000      /* entries of one update, or of one of its devices */
#define HISTORY_PAGE_MAX 1000 /* and of a page, before it takes on another device */
#define VERIFY_TIMEOUT_MS 10000

/* ---- One update -------------------------------------------------------------------------------------------------- */

static enum err each_status(void *arg, const struct status_record *status) {
    return api_list_add(arg, record_json(&update_status_shape, status), status->device_id, KEY_LEN);
}

/* The update by the path's id; not found or unreadable: answered. */
static bool find_update(struct api *api, struct http_request *request, const struct state *state,
                        struct update_record *out) {
    uint8_t id[HASH_LEN];
    bool found = false;
    (void)http_hex(request, "id", id);
    enum err e = update_get(state, id, out, &found);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this update");
        return false;
    }
    return true;
}

static void respond_update(struct api *api, struct http_request *request, struct chain_view *view,
                           struct update_answer_page *answer) {
    struct state state = state_of_view(view->kv);
    uint8_t after[KEY_LEN];
    bool counted = false;
    struct api_list list = api_list_begin((size_t)http_number(request, "limit"));
    enum err e = update_counts_get(&state, answer->update.id, &answer->counts, &counted);
    e = e == OK && !counted ? ERR_CORRUPT : e; /* they are laid with the update */
    if (e == OK) {
        e = update_status_list(&state, answer->update.id, http_hex(request, "after", after) ? after : NULL, list.limit,
                               each_status, &list);
    }
    if (e == OK) {
        answer->devices = list.items;
        answer->has_more = list.seen == list.limit;
        answer->next = list.last;
        answer->at_height = view->head.header.height;
        api_answer(request, &update_answer_shape, answer);
    } else {
        api_fail(api, request, e, "the devices of this update");
    }
    json_decref(list.items);
}

/* With a page of its devices. */
static void get_update(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct update_answer_page answer = {.devices = NULL};
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    if (find_update(api, request, &state, &answer.update)) {
        respond_update(api, request, &view, &answer);
    }
    chain_view_close(&view);
}

/* ---- Its history ------------------------------------------------------------------------------------------------- */

/* A page of devices, whose histories are gathered. */
struct history_walk {
    struct chain_view *view;
    json_t *items;
    struct api_list devices; /* their places alone */
    bool is_full;            /* before the last device */
};

static enum err history_of_status(void *arg, const struct status_record *status) {
    struct history_walk *walk = arg;
    struct record_key key = update_status_key(status->update_id, status->device_id);
    struct update_history_entry entry = {.is_of_device = true};
    if (walk->devices.seen > 0 && json_array_size(walk->items) >= HISTORY_PAGE_MAX) {
        walk->is_full = true;
        return ERR_FULL; /* ends the walk; the next page begins with this device */
    }
    memcpy(entry.device_id, status->device_id, KEY_LEN);
    api_list_pass(&walk->devices, status->device_id, KEY_LEN);
    return api_history(walk->view, record_key_bytes(&key), HISTORY_MAX, &update_history_entry_shape, &entry,
                       walk->items);
}

struct placed {
    json_int_t height;
    size_t place;
    json_t *item;
};

/* What happened in one block stays in its order. */
static int by_height(const void *a, const void *b) {
    const struct placed *x = a, *y = b;
    if (x->height != y->height) {
        return x->height < y->height ? -1 : 1;
    }
    return x->place < y->place ? -1 : 1;
}

/* In order of height. NULL: no memory. */
static json_t *sorted(json_t *items) {
    size_t count = json_array_size(items);
    struct placed *all = malloc((count + 1) * sizeof *all);
    if (all == NULL) {
        return NULL;
    }
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(items, i);
        const json_t *height = record_member(&history_answer_shape, item, offsetof(struct history_answer, height));
        all[i] = (struct placed){json_integer_value(height), i, item};
    }
    qsort(all, count, sizeof *all, by_height);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append(out, all[i].item);
    }
    free(all);
    return out;
}

/* The first page has the update's own history, too. */
static enum err gather_history(struct history_walk *walk, const struct http_request *request, const struct state *state,
                               const uint8_t id[HASH_LEN]) {
    uint8_t after[KEY_LEN];
    bool goes_on = http_hex(request, "after", after);
    struct record_key key = update_key(id);
    struct update_history_entry entry = {.is_of_device = false};
    enum err e = goes_on ? OK
                         : api_history(walk->view, record_key_bytes(&key), HISTORY_MAX, &update_history_entry_shape,
                                       &entry, walk->items);
    if (e == OK) {
        e = update_status_list(state, id, goes_on ? after : NULL, walk->devices.limit, history_of_status, walk);
        e = walk->is_full ? OK : e;
    }
    return e;
}

static void respond_history(struct api *api, struct http_request *request, struct chain_view *view,
                            const uint8_t id[HASH_LEN]) {
    struct state state = state_of_view(view->kv);
    struct history_walk walk = {view, json_array(), {.limit = (size_t)http_number(request, "limit")}, false};
    enum err e = gather_history(&walk, request, &state, id);
    json_t *history = e == OK ? sorted(walk.items) : NULL;
    e = e == OK && history == NULL ? ERR_NOMEM : e;
    if (e == OK) {
        struct update_history_answer answer = {.history = history,
                                               .has_more = walk.is_full || walk.devices.seen == walk.devices.limit,
                                               .next = walk.devices.last};
        memcpy(answer.update_id, id, HASH_LEN);
        api_answer(request, &update_history_shape, &answer);
    } else {
        api_fail(api, request, e, "the history of this update");
    }
    json_decref(history);
    json_decref(walk.items);
}

static void get_update_history(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct update_record update;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    if (find_update(api, request, &state, &update)) {
        respond_history(api, request, &view, update.id);
    }
    chain_view_close(&view);
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

struct walk {
    struct api_list list;
    bool by_id;                /* else by time, newest first */
    const uint8_t *only_class; /* NULL: any */
};

/* Where an update stands in its list: in one by id the cursor's time is 0. */
static enum err each_update(void *arg, const struct update_record *update) {
    struct walk *walk = arg;
    uint8_t cursor[UPDATE_CURSOR_LEN] = {0};
    if (walk->by_id) {
        memcpy(cursor + sizeof cursor - HASH_LEN, update->id, HASH_LEN);
    } else {
        update_cursor(update, cursor);
    }
    if (walk->only_class != NULL && memcmp(walk->only_class, update->class_id, UUID_BYTES) != 0) {
        api_list_pass(&walk->list, cursor, sizeof cursor);
        return OK;
    }
    return api_list_add(&walk->list, record_json(&update_shape, update), cursor, sizeof cursor);
}

/* All, or newest first those of one class, or those that name one device. */
static void list_updates(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t device_id[KEY_LEN], class_id[UUID_BYTES], cursor[UPDATE_CURSOR_LEN];
    bool of_class = api_class_argument(request, class_id), of_device = http_hex(request, "device", device_id);
    const uint8_t *after = http_hex(request, "after", cursor) ? cursor : NULL;
    struct walk walk = {.by_id = !of_class && !of_device, .only_class = of_class ? class_id : NULL};
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    size_t limit = (size_t)http_number(request, "limit");
    walk.list = api_list_begin(limit);
    enum err e;
    if (of_device) {
        e = update_list_by_device(&state, device_id, after, limit, each_update, &walk);
    } else if (of_class) {
        e = update_list_by_class(&state, class_id, after, limit, each_update, &walk);
    } else {
        e = update_list(&state, after != NULL ? after + sizeof cursor - HASH_LEN : NULL, limit, each_update, &walk);
    }
    chain_view_close(&view);
    api_list_end(api, request, &walk.list, &updates_page, e);
}

/* ---- Statements -------------------------------------------------------------------------------------------------- */

/* A repetition has its answer in the ledger, as of the view's head. */
static void answer_repetition(struct http_request *request, const struct chain_view *view,
                              const struct answer *answer) {
    const struct submitted_answer said = {.is_final = true,
                                          .height = view->head.header.height,
                                          .result = {CODE_OK, code_name(CODE_OK), bytes_str(answer->detail)},
                                          .result_bytes = buffer_bytes(&answer->result)};
    api_answer(request, &submitted_shape, &said);
}

/* Update, target, signature and counter, before this node puts its own name to it: whoever sends it needs no key. If it
 * does not go on, the answer has been given. */
static bool judge_statement(struct api *api, struct http_request *request, struct chain_view *view, struct bytes body,
                            enum statement_kind kind, uint64_t now_ms) {
    struct buffer args = BUFFER_INIT;
    struct answer answer = {.code = CODE_OK};
    bool writes = false;
    enum err e = statement_tx_args(body.data, &args);
    const struct rehearsal what = {.chain_id = chain_id(api->chain),
                                   .signers = (const uint8_t(*)[ED25519_KEY_LEN]) & api->node_key,
                                   .signer_count = 1,
                                   .contract = bytes_str("update"),
                                   .method = bytes_str(statement_tx_method(kind)),
                                   .args = buffer_bytes(&args),
                                   .time_ms = now_ms};
    (void)http_spend(request, (struct http_budget){.signatures = 1});
    if (e == OK) {
        e = rehearse(view, &what, &answer, &writes);
    }
    if (e != OK) {
        api_fail(api, request, e, "the ledger");
    } else if (answer.code != CODE_OK) {
        http_respond(request, http_error(400, code_name(answer.code), code_hint(answer.code), "%s%s%s",
                                         code_text(answer.code), answer.detail[0] != '\0' ? ": " : "", answer.detail));
    } else if (!writes) {
        answer_repetition(request, view, &answer);
    }
    bool goes_on = e == OK && answer.code == CODE_OK && writes;
    buffer_free(&answer.result);
    buffer_free(&args);
    return goes_on;
}

/* Each costs this node its own signature and a place of its own share. */
static bool may_sign_for(struct api *api, struct http_request *request, const uint8_t device_id[KEY_LEN]) {
    uint8_t hash[SHA256_LEN];
    sha256(device_id, KEY_LEN, hash);
    if (api->statements == NULL || ratelimit_take(api->statements, hash, RATELIMIT_KEY_MAX, clock_mono_ms())) {
        (void)http_spend(request, (struct http_budget){.signatures = 1});
        return true;
    }
    struct http_response *response = http_error(429, "TOO_MANY_REQUESTS", "wait a second",
                                                "more statements of this device than this node signs for one");
    http_response_header(response, "Retry-After", "1");
    http_respond(request, response);
    return false;
}

/* POST /v1/updates/{id}/verify: 165 bytes of statement, 64 of signature; any kind of statement is taken to its method.
 */
static void post_statement(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct bytes body = http_body(request);
    struct statement statement;
    (void)http_hex(request, "id", id);
    if (body.len != STATEMENT_TX_BODY_LEN || statement_decode(bytes_of(body.data, STATEMENT_LEN), &statement) != GOOD ||
        memcmp(statement.update_id, id, HASH_LEN) != 0) {
        http_respond(request, http_error(400, "STATEMENT_INVALID", "send 165 bytes of statement and 64 of signature",
                                         "the body is not a device statement about this update"));
        return;
    }
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    uint64_t now_ms = ledger_time_now(clock_wall_ms(), view.head.header.time_ms);
    struct genesis_params params;
    struct buffer envelope = BUFFER_INIT;
    enum err e = chain_view_params(&view, &params);
    bool goes_on = e == OK && judge_statement(api, request, &view, body, statement.kind, now_ms);
    chain_view_close(&view);
    if (e == OK && (!goes_on || !may_sign_for(api, request, statement.device_id))) {
        return;
    }
    if (e == OK) {
        e = statement_tx_build(chain_id(api->chain), api->node_secret, body.data, statement.kind, now_ms,
                               params.tx_max_lifetime_ms, &envelope);
    }
    if (e == OK) {
        api_submit(api, request, buffer_bytes(&envelope), SUBMIT_FINALIZED, VERIFY_TIMEOUT_MS);
    } else {
        api_fail(api, request, e, "the statement");
    }
    buffer_free(&envelope);
}

enum err api_updates_routes(struct api *api, struct http_server *server) {
#define ID                                                                                                             \
    { "id", "update id", HTTP_HEX, .most = HASH_LEN }
    static const struct http_argument list[] = {LIST_CLASS,
                                                {"device", "device id", HTTP_HEX, .most = KEY_LEN},
                                                LIST_AFTER(UPDATE_CURSOR_LEN),
                                                LIST_LIMIT(STATE_PAGE_MAX, LIST_DEFAULT),
                                                {0}};
    static const struct http_argument one[] = {
        ID, LIST_AFTER(KEY_LEN), LIST_LIMIT(STATE_PAGE_MAX, STATE_PAGE_MAX), {0}};
    static const struct http_argument by_id[] = {ID, {0}};
#undef ID
    static const struct http_route reads[] = {
        {HTTP_GET, "/v1/updates", list_updates, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "Updates, of one class or device newest first", .arguments = list, .answers = &updates_page},
        {HTTP_GET, "/v1/updates/{id}", get_update, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "One update and the state of its devices", .arguments = one, .answers = &update_answer_shape},
        {HTTP_GET, "/v1/updates/{id}/history", get_update_history, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "What happened to an update and to a page of its devices", .arguments = one,
         .answers = &update_history_shape},
    };
    static const struct http_route statements[] = {
        {HTTP_POST, "/v1/updates/{id}/verify", post_statement, .body_max = STATEMENT_TX_BODY_LEN + 64,
         HTTP_BUDGET(4096, 0, 2), .summary = "Takes a device's statement about an update", .arguments = by_id,
         .answers = &submitted_shape, .media_taken = "application/octet-stream"},
    };
    enum err e = api_add(api, server, reads, sizeof reads / sizeof reads[0]);
    return e == OK && api->submit != NULL ? api_add(api, server, statements, 1) : e;
}
