#include "node/http/api.h"

#include "base/clock.h"
#include "node/ledger/mempool.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STALLED_MS 10000 /* work waiting this long without a final block: not healthy */
#define SILENT_MS 5000   /* the ledger thread has not written its board: not alive */

static json_t *peer_json(const struct status_peer *peer) {
    json_t *object = json_object();
    api_hex(object, "key", peer->key, sizeof peer->key);
    api_set(object, "address", json_string(peer->address));
    api_set(object, "up", json_boolean(peer->up));
    return object;
}

static void get_status(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    struct status_facts facts;
    status_board_read(api->status, &facts);
    const struct block_header *head = &view.head.header;
    json_t *out = json_object();
    api_hex(out, "chain_id", chain_id(api->chain), CHAIN_ID_LEN);
    api_set(out, "chain", json_string(api->genesis->name));
    api_hex(out, "node_id", api->node_key, sizeof api->node_key);
    api_set(out, "role", json_string(config_role_name(api->config->node.role)));
    api_set(out, "organisation", json_string(api->config->node.org));
    api_u64(out, "height", head->height);
    api_hex(out, "hash", view.head.hash, HASH_LEN);
    api_hex(out, "state_root", head->state_root, HASH_LEN);
    api_u64(out, "epoch", head->epoch);
    api_u64(out, "view", facts.view);
    api_u64(out, "last_block_time_ms", head->time_ms);
    api_set(out, "catching_up", json_boolean(facts.catching_up));
    api_u64(out, "pending", facts.pending);
    api_set(out, "alarm", json_string(facts.alarm));
    json_t *peers = json_array();
    for (size_t i = 0; i < facts.peer_count; i++) {
        (void)json_array_append_new(peers, peer_json(&facts.peers[i]));
    }
    api_set(out, "peers", peers);
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    api_u64(out, "validators", genesis_validators(api->genesis, keys));
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
    if (clock_mono_ms() - facts.beat_mono_ms > SILENT_MS) {
        http_respond(request, http_error(503, "NOT_ALIVE", "start the node again", "the ledger thread does not turn"));
        return;
    }
    http_respond(request, http_static(200, "text/plain", bytes_str("alive\n")));
}

/* Healthy: serving and making progress; an idle node is healthy, a stuck one is not. */
static void get_healthz(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct status_facts facts;
    if (!api_no_query(request)) {
        return;
    }
    status_board_read(api->status, &facts);
    if (clock_mono_ms() - facts.beat_mono_ms > SILENT_MS) {
        http_respond(request, http_error(503, "NOT_ALIVE", "start the node again", "the ledger thread does not turn"));
    } else if (facts.alarm[0] != '\0') {
        http_respond(request, http_error(503, "ALARM", "see docs/operations.md, Alarms", "%s", facts.alarm));
    } else if (facts.catching_up) {
        http_respond(request, http_error(503, "CATCHING_UP", "wait", "the node is behind its peers and catching up"));
    } else if (facts.oldest_pending_ms > STALLED_MS) {
        http_respond(request, http_error(503, "NO_PROGRESS", "see how many validators are up",
                                         "transactions have waited %llu ms without a final block",
                                         (unsigned long long)facts.oldest_pending_ms));
    } else {
        http_respond(request, http_static(200, "text/plain", bytes_str("healthy\n")));
    }
}

static void metric(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value) {
    char line[512];
    int n = snprintf(line, sizeof line, "# HELP assay_%s %s\n# TYPE assay_%s %s\nassay_%s %llu\n", name, help, name,
                     type, name, (unsigned long long)value);
    if (n > 0 && (size_t)n < sizeof line) {
        buffer_put(out, line, (size_t)n);
    }
}

static void process_metrics(struct buffer *out) {
    struct timespec cpu = {0};
    long pages = 0;
    char line[512];
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    FILE *statm = fopen("/proc/self/statm", "re");
    if (statm != NULL) {
        (void)(fscanf(statm, "%*d %ld", &pages) == 1);
        (void)fclose(statm);
    }
    int n = snprintf(line, sizeof line,
                     "# HELP process_cpu_seconds_total Processor time used.\n# TYPE process_cpu_seconds_total counter\n"
                     "process_cpu_seconds_total %lld.%06ld\n"
                     "# HELP process_resident_memory_bytes Memory held.\n# TYPE process_resident_memory_bytes gauge\n"
                     "process_resident_memory_bytes %lld\n",
                     (long long)cpu.tv_sec, cpu.tv_nsec / 1000, (long long)pages * sysconf(_SC_PAGESIZE));
    if (n > 0 && (size_t)n < sizeof line) {
        buffer_put(out, line, (size_t)n);
    }
}

static void peer_metric(struct buffer *out, const char *name, const struct status_peer *peer, uint64_t value) {
    char hex[2 * ED25519_KEY_LEN + 1], line[256];
    hex_encode(peer->key, sizeof peer->key, hex);
    int n = snprintf(line, sizeof line, "assay_%s{peer=\"%.16s\"} %llu\n", name, hex, (unsigned long long)value);
    if (n > 0 && (size_t)n < sizeof line) {
        buffer_put(out, line, (size_t)n);
    }
}

static void ledger_metrics(struct buffer *out, const struct status_facts *f, const struct block_header *head) {
    metric(out, "height", "gauge", "Height of the last final block.", head->height);
    metric(out, "last_block_time_ms", "gauge", "Block time of the last final block.", head->time_ms);
    metric(out, "view", "gauge", "View the node is in.", f->view);
    metric(out, "epoch", "gauge", "Epoch the node is in.", f->epoch);
    metric(out, "catching_up", "gauge", "1 while the node is behind its peers.", f->catching_up);
    metric(out, "may_vote", "gauge", "0 when the journal forbids voting.", f->may_vote);
    metric(out, "mempool_transactions", "gauge", "Transactions waiting for a block.", f->pending);
    metric(out, "mempool_bytes", "gauge", "Bytes of transactions waiting for a block.", f->pending_bytes);
    metric(out, "submit_queued", "gauge", "Transactions on their way to the ledger thread.", f->submit_queued);
    metric(out, "submit_waiting", "gauge", "Clients waiting for finality.", f->submit_waiting);
    metric(out, "submit_accepted_total", "counter", "Transactions admitted from clients.", f->submit_accepted);
    metric(out, "submit_refused_total", "counter", "Transactions refused from clients.", f->submit_refused);
    metric(out, "submit_timed_out_total", "counter", "Clients that waited in vain.", f->submit_timed_out);
    metric(out, "blocks_final_total", "counter", "Blocks made final since start.", f->blocks_final);
    metric(out, "transactions_final_total", "counter", "Transactions made final since start.", f->txs_final);
    metric(out, "view_timeouts_total", "counter", "Views left by nullification.", f->timeouts);
    metric(out, "checkpoints_total", "counter", "Checkpoints written since start.", f->checkpoints);
    metric(out, "loop_turns_total", "counter", "Turns of the ledger thread.", f->loop_turns);
}

static void get_metrics(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    struct status_facts f;
    struct buffer out = BUFFER_INIT;
    status_board_read(api->status, &f);
    ledger_metrics(&out, &f, &view.head.header);
    process_metrics(&out);
    chain_view_close(&view);
    static const char *const names[] = {"peer_up", "peer_bytes_in_total", "peer_bytes_out_total", "peer_dropped_total",
                                        "peer_rejected_total"};
    for (size_t m = 0; m < sizeof names / sizeof names[0]; m++) {
        for (size_t i = 0; i < f.peer_count; i++) {
            const struct status_peer *p = &f.peers[i];
            const uint64_t values[] = {p->up, p->bytes_in, p->bytes_out, p->dropped, p->rejected};
            peer_metric(&out, names[m], p, values[m]);
        }
    }
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
