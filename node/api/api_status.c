#include "node/api/api.h"

#include "base/clock.h"
#include "node/api/metrics.h"

#include <stdio.h>

#define STALLED_MS 10000 /* work waiting this long without a final block: not healthy */
#define SILENT_MS 5000   /* the ledger thread has not written its board: not alive */
#define BEHIND_BLOCKS 20 /* fewer than this is what any node lacks for a moment under load */

static json_t *peer_json(const struct status_peer *peer) {
    json_t *object = json_object();
    api_hex(object, "key", peer->key, sizeof peer->key);
    api_set(object, "address", json_string(peer->address));
    api_set(object, "up", json_boolean(peer->up));
    return object;
}

static json_t *clock_json(const struct status_facts *facts) {
    json_t *object = json_object();
    api_u64(object, "time_ms", clock_wall_ms());
    api_u64(object, "ahead_ms", facts->ahead_ms);
    api_set(object, "due_stands_still", json_boolean(facts->due_stands_still));
    return object;
}

static void get_status(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    const struct block_header *head = &view.head.header;
    struct genesis_params params;
    struct chain_epoch epoch;
    enum err e = chain_view_params(&view, &params);
    e = e == OK ? chain_view_epoch(&view, head->epoch + (block_header_closes(head) ? 1 : 0), &epoch) : e;
    if (e != OK) {
        chain_view_close(&view);
        api_fail(api, request, e, "the ledger");
        return;
    }
    struct status_facts facts;
    status_board_read(api->status, &facts);
    json_t *out = json_object();
    api_hex(out, "chain_id", chain_id(api->chain), CHAIN_ID_LEN);
    api_set(out, "chain", json_string(chain_name(api->chain)));
    api_hex(out, "node_id", api->node_key, sizeof api->node_key);
    api_set(out, "role", json_string(config_role_name(api->config->node.role)));
    api_set(out, "organisation", json_string(api->config->node.org));
    api_u64(out, "height", head->height);
    api_hex(out, "hash", view.head.hash, HASH_LEN);
    api_hex(out, "state_root", head->state_root, HASH_LEN);
    api_u64(out, "epoch", head->epoch);
    api_u64(out, "view", facts.view);
    api_u64(out, "last_block_time_ms", head->time_ms);
    api_set(out, "clock", clock_json(&facts));
    api_set(out, "catching_up", json_boolean(facts.catching_up));
    api_u64(out, "pending", facts.pending);
    api_set(out, "alarm", json_string(facts.alarm));
    json_t *peers = json_array();
    for (size_t i = 0; i < facts.peer_count; i++) {
        (void)json_array_append_new(peers, peer_json(&facts.peers[i]));
    }
    api_set(out, "peers", peers);
    api_u64(out, "tx_max_lifetime_ms", params.tx_max_lifetime_ms);
    api_u64(out, "validators", epoch.count);
    api_set(out, "version", json_string(ASSAY_VERSION));
    api_u64(out, "uptime_ms", clock_mono_ms() - api->started_mono_ms);
    chain_view_close(&view);
    http_respond(request, http_json(200, out));
}

/* Alive: the ledger thread turns. If not, a supervisor should start the node again. */
static void get_livez(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct status_facts facts;
    if (!api_no_query(request)) {
        return;
    }
    status_board_read(api->status, &facts);
    if (clock_mono_ms() > facts.beat_mono_ms + SILENT_MS) {
        http_respond(request, http_error(503, "NOT_ALIVE", "start the node again", "the ledger thread does not turn"));
        return;
    }
    http_respond(request, http_static(200, "text/plain", bytes_str("alive\n")));
}

/* What keeps the node from being healthy; NULL: nothing. */
static struct http_response *illness(const struct status_facts *f) {
    uint64_t behind = f->best_height > f->height ? f->best_height - f->height : 0;
    if (clock_mono_ms() > f->beat_mono_ms + SILENT_MS) {
        return http_error(503, "NOT_ALIVE", "start the node again", "the ledger thread does not turn");
    }
    if (f->alarm[0] != '\0' && !f->alarm_is_mild) {
        return http_error(503, "ALARM", "see docs/operations.md, Alarms", "%s", f->alarm);
    }
    if (f->vote_refused) {
        return http_error(503, "MAY_NOT_VOTE", "see docs/operations.md, A validator that does not vote",
                          "the vote journal does not allow this validator to vote");
    }
    if (f->disk_low) {
        return http_error(503, "DISK_LOW", "make room, or see `assay node prune`",
                          "%llu MiB are left on the disk that holds the data",
                          (unsigned long long)(f->disk_free_bytes >> 20));
    }
    if (f->catching_up && behind >= BEHIND_BLOCKS) {
        return http_error(503, "CATCHING_UP", "wait", "the node is %llu blocks behind its peers and catching up",
                          (unsigned long long)behind);
    }
    if (f->oldest_pending_ms > STALLED_MS) {
        return http_error(503, "NO_PROGRESS", "see how many validators are up",
                          "transactions have waited %llu ms without a final block",
                          (unsigned long long)f->oldest_pending_ms);
    }
    return NULL;
}

/* Healthy: serving and making progress; an idle node is healthy, a stuck one is not. A mild alarm is told. */
static void get_healthz(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct status_facts facts;
    if (!api_no_query(request)) {
        return;
    }
    status_board_read(api->status, &facts);
    struct http_response *ill = illness(&facts);
    char text[sizeof facts.alarm + 16];
    bool mild = facts.alarm[0] != '\0';
    (void)snprintf(text, sizeof text, "healthy%s%s\n", mild ? "; " : "", facts.alarm);
    http_respond(request, ill != NULL ? ill : http_bytes(200, "text/plain", bytes_str(text)));
}

static void get_metrics(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    struct status_facts facts;
    struct buffer out = BUFFER_INIT;
    status_board_read(api->status, &facts);
    metrics_write(&facts, &view.head.header, &out);
    chain_view_close(&view);
    http_respond(request,
                 buffer_ok(&out) == OK ? http_bytes(200, "text/plain; version=0.0.4", buffer_bytes(&out)) : NULL);
    buffer_free(&out);
}

enum err api_status_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/status", get_status, 0},
        {HTTP_GET, "/livez", get_livez, 0},
        {HTTP_GET, "/healthz", get_healthz, 0},
        {HTTP_GET, "/metrics", get_metrics, 0},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
