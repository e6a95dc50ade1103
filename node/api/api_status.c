#include "node/api/api.h"

#include "base/clock.h"
#include "node/answers/status.h"
#include "node/api/metrics.h"
#include "node/json/record_json.h"

#include <stdio.h>
#include <string.h>

#define STALLED_MS 10000 /* work waiting this long without a final block: not healthy */
#define SILENT_MS 5000   /* the ledger thread has not written its board: not alive */
#define BEHIND_BLOCKS 20 /* fewer than this is what any node lacks for a moment under load */

static json_t *peers_json(const struct status_facts *facts) {
    json_t *out = json_array();
    for (size_t i = 0; i < facts->peer_count; i++) {
        const struct status_peer *peer = &facts->peers[i];
        struct peer_answer answer = {.address = peer->address, .up = peer->up};
        memcpy(answer.key, peer->key, sizeof answer.key);
        (void)json_array_append_new(out, record_json(&peer_answer_shape, &answer));
    }
    return out;
}

/* What the node says of itself beside its ledger. */
static void describe_node(const struct api *api, const struct status_facts *facts, struct node_status *out) {
    memcpy(out->chain_id, chain_id(api->chain), CHAIN_ID_LEN);
    memcpy(out->node_id, api->node_key, sizeof out->node_id);
    out->chain = chain_name(api->chain);
    out->role = facts->validates ? NODE_VALIDATOR : NODE_OBSERVER;
    out->organisation = api->config->node.org;
    out->clock = (struct clock_answer){clock_wall_ms(), facts->ahead_ms, facts->due_stands_still};
    out->catching_up = facts->catching_up;
    out->alarm = facts->alarm;
    out->version = ASSAY_VERSION;
    out->uptime_ms = clock_mono_ms() - api->started_mono_ms;
}

/* What the last final block and its state say. */
static enum err describe_ledger(struct chain_view *view, struct full_status *out) {
    const struct block_header *head = &view->head.header;
    struct genesis_params params;
    struct chain_epoch epoch;
    enum err e = chain_view_params(view, &params);
    if (e == OK) {
        e = chain_view_epoch(view, head->epoch + (block_header_closes(head) ? 1 : 0), &epoch);
    }
    if (e != OK) {
        return e;
    }
    out->node.height = head->height;
    out->node.last_block_time_ms = head->time_ms;
    out->node.validators = epoch.count;
    out->node.tells_lifetime = true;
    out->node.tx_max_lifetime_ms = params.tx_max_lifetime_ms;
    memcpy(out->hash, view->head.hash, HASH_LEN);
    memcpy(out->state_root, head->state_root, HASH_LEN);
    out->epoch = head->epoch;
    return OK;
}

static void get_status(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct full_status status = {.peers = NULL};
    if (!api_view(api, request, &view)) {
        return;
    }
    enum err e = describe_ledger(&view, &status);
    chain_view_close(&view);
    if (e != OK) {
        api_fail(api, request, e, "the ledger");
        return;
    }
    struct status_facts facts;
    status_board_read(api->status, &facts);
    describe_node(api, &facts, &status.node);
    json_t *peers = peers_json(&facts);
    status.view = facts.view;
    status.pending = facts.pending;
    status.peers = peers;
    api_answer(request, &full_status_shape, &status);
    json_decref(peers);
}

/* Alive: the ledger thread turns. If not, a supervisor should start the node again. */
static void get_livez(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct status_facts facts;
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
    if (!api_view(api, request, &view)) {
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
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/status", get_status, HTTP_BUDGET(256 * 1024, 0, 0),
         .summary = "What this node is, where it stands, whom it sees", .answers = &full_status_shape},
        {HTTP_GET, "/livez", get_livez, HTTP_BUDGET(1024, 0, 0), .summary = "200 while the ledger thread turns",
         .media = "text/plain"},
        {HTTP_GET, "/healthz", get_healthz, HTTP_BUDGET(4096, 0, 0),
         .summary = "200 while serving and making progress, else 503 with the reason", .media = "text/plain"},
        {HTTP_GET, "/metrics", get_metrics, HTTP_BUDGET(1024 * 1024, 0, 0), .summary = "Figures for Prometheus",
         .media = "text/plain"},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
