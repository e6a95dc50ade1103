#include "node/api/api_json.h"

#include "base/clock.h"
#include "contracts/update/update.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"
#include "node/ledger/statement_tx.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_DEFAULT 50
#define HISTORY_MAX 1000
#define VERIFY_TIMEOUT_MS 10000

static json_t *update_json(const struct update_record *u) {
    json_t *out = json_object();
    api_hex(out, "update_id", u->id, HASH_LEN);
    api_hex(out, "release_id", u->release_id, HASH_LEN);
    api_hex(out, "class_id", u->class_id, UUID_BYTES);
    api_u64(out, "sequence", u->sequence);
    api_set(out, "version", json_string(u->version));
    api_hex(out, "sha256", u->image_digest, HASH_LEN);
    api_hex(out, "sender", u->sender, ED25519_KEY_LEN);
    api_set(out, "organisation", json_string(u->org));
    api_u64(out, "window_ms", u->window_ms);
    api_u64(out, "max_failed", u->max_failed);
    api_u64(out, "time_sent_ms", u->time_sent_ms);
    api_u64(out, "time_received_ms", u->stamp.created_ms);
    api_u64(out, "height", u->stamp.created_height);
    api_set(out, "whole_class", json_boolean(u->whole_class));
    api_u64(out, "targets", u->targets);
    return out;
}

static json_t *counts_json(const struct update_counts *counts) {
    json_t *out = json_object();
    for (int s = STATUS_UNVERIFIED; s < UPDATE_STATUSES; s++) {
        api_u64(out, device_status_name((enum device_status)s), counts->count[s]);
    }
    return out;
}

static json_t *status_json(const struct status_record *s) {
    json_t *out = json_object();
    api_hex(out, "device_id", s->device_id, KEY_LEN);
    api_set(out, "status", json_string(device_status_name(s->status)));
    api_set(out, "last_outcome", json_string(verify_outcome_name(s->last_outcome)));
    api_u64(out, "failed_attempts", s->failed_attempts);
    api_u64(out, "counter", s->counter);
    api_hex(out, "nonce", s->nonce, NONCE_LEN);
    api_hex(out, "digest", s->digest, HASH_LEN);
    api_u64(out, "window_start_ms", s->window_start_ms);
    api_u64(out, "window_ms", s->window_ms);
    api_u64(out, "height", s->height);
    api_u64(out, "time_ms", s->time_ms);
    return out;
}

static enum err each_status(void *arg, const struct status_record *status) {
    return json_array_append_new(arg, status_json(status)) == 0 ? OK : ERR_NOMEM;
}

/* Both a page of devices and where the next one starts: ?after=DEVICE. */
static void get_update(void *ctx, struct http_request *request) {
    static const char *const known[] = {"after", "limit", NULL};
    struct api *api = ctx;
    uint8_t id[HASH_LEN], after[KEY_LEN];
    uint64_t limit;
    const char *from = http_query(request, "after");
    struct chain_view view;
    if (!http_query_only(request, known) || !api_param_hex(request, "id", id, sizeof id) ||
        !http_query_u64(request, "limit", 1, STATE_PAGE_MAX, STATE_PAGE_MAX, &limit)) {
        return;
    }
    if (from != NULL && hex_decode(from, after, sizeof after) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give the last device_id of the page before",
                                         "after is not a device id"));
        return;
    }
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct update_record update;
    struct update_counts counts;
    bool found = false, counted = false;
    json_t *devices = json_array();
    enum err e = update_get(&state, id, &update, &found);
    if (e == OK && found) {
        e = update_counts_get(&state, id, &counts, &counted);
    }
    if (e == OK && found) {
        e = update_status_list(&state, id, from != NULL ? after : NULL, limit, each_status, devices);
    }
    if (e == OK && found) {
        json_t *out = update_json(&update);
        api_set(out, "counts", counted ? counts_json(&counts) : json_object());
        api_set(out, "devices", json_incref(devices));
        json_t *last = json_array_get(devices, json_array_size(devices) - 1);
        bool more = json_array_size(devices) == limit;
        api_set(out, "next_after", more ? json_incref(json_object_get(last, "device_id")) : json_null());
        api_u64(out, "at_height", view.head.header.height);
        http_respond(request, http_json(200, out));
    } else {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this update");
    }
    json_decref(devices);
    chain_view_close(&view);
}

struct history_page {
    struct chain_view *view;
    json_t *items;
};

static enum err append_history(struct history_page *page, const struct record_key *key, const char *device) {
    json_t *entries = json_array();
    enum err e = api_history(page->view, record_key_bytes(key), HISTORY_MAX, entries);
    size_t i;
    json_t *entry;
    json_array_foreach(entries, i, entry) {
        api_set(entry, "device_id", device != NULL ? json_string(device) : json_null());
        (void)json_array_append(page->items, entry);
    }
    json_decref(entries);
    return e;
}

static enum err history_of_status(void *arg, const struct status_record *status) {
    char device[2 * KEY_LEN + 1];
    struct record_key key = update_status_key(status->update_id, status->device_id);
    hex_encode(status->device_id, KEY_LEN, device);
    return append_history(arg, &key, device);
}

static int by_height(const void *a, const void *b) {
    json_t *const *x = a;
    json_t *const *y = b;
    json_int_t left = json_integer_value(json_object_get(*x, "height"));
    json_int_t right = json_integer_value(json_object_get(*y, "height"));
    return (left > right) - (left < right);
}

/* Everything that happened to the update and its devices, in order of height. NULL: no memory. */
static json_t *sorted(json_t *items) {
    size_t count = json_array_size(items);
    json_t **all = malloc((count + 1) * sizeof(json_t *));
    if (all == NULL) {
        return NULL;
    }
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        all[i] = json_array_get(items, i);
    }
    qsort(all, count, sizeof(json_t *), by_height);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append(out, all[i]);
    }
    free(all);
    return out;
}

static void get_update_history(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    if (!api_no_query(request) || !api_param_hex(request, "id", id, sizeof id) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct update_record update;
    bool found = false;
    struct history_page page = {&view, json_array()};
    enum err e = update_get(&state, id, &update, &found);
    if (e == OK && found) {
        struct record_key key = update_key(id);
        e = append_history(&page, &key, NULL);
        e = e != OK ? e : update_status_list(&state, id, NULL, STATE_PAGE_MAX, history_of_status, &page);
    }
    json_t *history = e == OK && found ? sorted(page.items) : NULL;
    e = e == OK && found && history == NULL ? ERR_NOMEM : e;
    if (e == OK && found) {
        json_t *out = json_object();
        api_hex(out, "update_id", id, HASH_LEN);
        api_set(out, "history", history);
        http_respond(request, http_json(200, out));
    } else {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this update");
    }
    json_decref(page.items);
    chain_view_close(&view);
}

struct update_page {
    json_t *items;
    uint8_t last[UPDATE_CURSOR_LEN];
    bool by_id;
};

static enum err each_update(void *arg, const struct update_record *update) {
    struct update_page *page = arg;
    if (page->by_id) {
        memcpy(page->last, update->id, HASH_LEN);
    } else {
        update_cursor(update, page->last);
    }
    return json_array_append_new(page->items, update_json(update)) == 0 ? OK : ERR_NOMEM;
}

/* All, or newest first of one class or one device. */
static void list_updates(void *ctx, struct http_request *request) {
    static const char *const known[] = {"class", "device", "after", "limit", NULL};
    struct api *api = ctx;
    const char *device = http_query(request, "device");
    bool by_class = http_query(request, "class") != NULL;
    uint8_t device_id[KEY_LEN], class_id[UUID_BYTES], cursor[UPDATE_CURSOR_LEN];
    uint64_t limit;
    struct update_page page = {.by_id = !by_class && device == NULL};
    size_t cursor_len = page.by_id ? HASH_LEN : UPDATE_CURSOR_LEN;
    const uint8_t *from;
    struct chain_view view;
    if (!http_query_only(request, known) ||
        !http_query_u64(request, "limit", 1, STATE_PAGE_MAX, PAGE_DEFAULT, &limit) ||
        (by_class && !api_query_class(request, class_id))) {
        return;
    }
    if (device != NULL && (by_class || hex_decode(device, device_id, sizeof device_id) != OK)) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give a device id, or a class, not both",
                                         "device must be a device id, and no class beside it"));
        return;
    }
    if (!api_query_after(request, cursor_len, cursor, &from) || !api_view(api, request, &view)) {
        return;
    }
    page.items = json_array();
    struct state state = state_of_view(view.kv);
    enum err e = by_class         ? update_list_by_class(&state, class_id, from, limit, each_update, &page)
                 : device != NULL ? update_list_by_device(&state, device_id, from, limit, each_update, &page)
                                  : update_list(&state, from, limit, each_update, &page);
    chain_view_close(&view);
    if (e != OK) {
        json_decref(page.items);
        api_fail(api, request, e, "updates");
        return;
    }
    http_respond(request, http_json(200, api_page("updates", page.items, limit, page.last, cursor_len)));
}

/* POST /v1/updates/{id}/verify: 165 bytes of statement, 64 of signature; any kind of statement is taken to its method.
 */
static void post_statement(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct bytes body = http_body(request);
    struct statement statement;
    if (!api_no_query(request) || !api_param_hex(request, "id", id, sizeof id)) {
        return;
    }
    if (body.len != STATEMENT_TX_BODY_LEN ||
        statement_decode((struct span){body.data, STATEMENT_LEN}, &statement) != GOOD ||
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
    chain_view_close(&view);
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
    static const struct api_route reads[] = {
        {HTTP_GET, "/v1/updates", list_updates, 0},
        {HTTP_GET, "/v1/updates/{id}", get_update, 0},
        {HTTP_GET, "/v1/updates/{id}/history", get_update_history, 0},
    };
    static const struct api_route statements[] = {
        {HTTP_POST, "/v1/updates/{id}/verify", post_statement, STATEMENT_TX_BODY_LEN + 64},
    };
    enum err e = api_add(api, server, reads, sizeof reads / sizeof reads[0]);
    return e == OK && api->submit != NULL ? api_add(api, server, statements, 1) : e;
}
