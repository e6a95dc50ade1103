#include "node/gateway/run/gateway_api.h"

#include "base/clock.h"
#include "node/answers/status.h"
#include "node/host/log.h"
#include "node/http/openapi.h"
#include "node/json/record_json.h"
#include "node/ledger/ledger_time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Everything a gateway says about itself, gathered once. */
struct facts {
    struct light_status light;
    struct images_stats images;
    struct uplink_stats uplink;
    struct follow_stats follow;
    struct device_door_stats devices;
    size_t device_count, class_count, stale_classes, queued, streams;
};

static struct facts *gather(struct gateway_api *api) {
    struct facts *facts = calloc(1, sizeof *facts);
    if (facts == NULL) {
        return NULL;
    }
    light_status(api->parts.light, &facts->light);
    images_stats(api->parts.images, &facts->images);
    uplink_stats(api->parts.uplink, &facts->uplink);
    follow_stats(api->parts.follow, &facts->follow);
    device_door_stats(api->devices, &facts->devices);
    facts->queued = statement_queue_count(api->parts.queue);
    facts->streams = source_watch_open(api->watch);
    site_lock(api->parts.site);
    facts->device_count = fleet_count(api->parts.site->fleet);
    facts->class_count = catalog_count(api->parts.site->catalog);
    for (size_t i = 0; i < facts->class_count; i++) {
        const struct catalog_class *class = catalog_at(api->parts.site->catalog, i);
        facts->stale_classes += class->proof_count > 0 && !light_is_current(api->parts.light, class->proofs[0].time_ms);
    }
    site_unlock(api->parts.site);
    return facts;
}

/* ---- /v1/status ------------------------------------------------------------------------------------------ */

#define LIE_SHOWN_MS 60000u  /* after the last one */
#define CLOCK_AHEAD_MS 2000u /* what validators take by default */

static uint64_t ahead_ms(const struct facts *facts) {
    return ledger_time_ahead(clock_wall_ms(), facts->light.head.time_ms);
}

/* What health says: the error's code, NULL when the gateway is healthy. */
static const char *unhealthy(const struct facts *facts) {
    const struct light_head *head = &facts->light.head;
    if (head->verdict == BAD_START) {
        return "TRUST_EXPIRED";
    }
    if (head->frozen || facts->stale_classes > 0) {
        return "FROZEN";
    }
    return ahead_ms(facts) > LEDGER_TIME_FAR_MS ? "ALARM" : NULL;
}

/* A mild one: others tell the truth, or nothing would be believed. */
static void tell_of_liars(const struct light_status *light, struct why *out) {
    uint64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < light->source_count; i++) {
        const struct light_source *source = &light->sources[i];
        if (source->lied_ms != 0 && now_ms - source->lied_ms < LIE_SHOWN_MS) {
            why_set(out, "lying-source: %.100s has given %llu false answers", source->url,
                    (unsigned long long)source->lies);
            return;
        }
    }
}

/* What is wrong now; nothing is said when nothing is. Sources may let the chain's head through and keep a class's record
 * back. */
static void alarm_text(const struct facts *facts, struct http_server *server, struct why *out) {
    struct why certificate = WHY_NONE;
    char text[LEDGER_TIME_TEXT_MAX];
    const char *ahead = ledger_time_alarm(ahead_ms(facts), CLOCK_AHEAD_MS, text);
    light_explain(&facts->light, out);
    if (why_said(out)) {
        return;
    }
    if (facts->stale_classes > 0) {
        why_set(out,
                "frozen: the newest records of %zu classes are older than the limit, though the chain goes on: their "
                "devices are offered nothing",
                facts->stale_classes);
    } else if (ahead != NULL) {
        why_set(out, "%s: %s", ahead, text);
    } else if (server != NULL && http_server_tls_warning(server, NULL, clock_wall_ms(), &certificate)) {
        why_set(out, "certificate: %s", certificate.text);
    } else {
        tell_of_liars(&facts->light, out);
    }
}

void gateway_api_tell_alarm(struct gateway_api *api) {
    struct facts *facts = gather(api);
    struct why alarm = WHY_NONE;
    char name[GATEWAY_ALARM_NAME_MAX];
    if (facts == NULL) {
        return;
    }
    alarm_text(facts, api->server, &alarm);
    free(facts);
    size_t len = strcspn(alarm.text, ":");
    (void)snprintf(name, sizeof name, "%.*s", (int)len, alarm.text);
    if (strcmp(name, api->alarm) == 0) {
        return;
    }
    if (api->alarm[0] != '\0') {
        log_event(LOG_INFO, "alarm.over", log_text("name", api->alarm));
    }
    if (name[0] != '\0') {
        log_event(LOG_WARN, "alarm", log_text("name", name), log_text("text", alarm.text + len + 2));
    }
    memcpy(api->alarm, name, sizeof api->alarm);
}

/* What is believed, since when, and how old a head may be. */
static void describe_trust(const struct light_status *status, struct trust_answer *out) {
    static const char *const origins[] = {
        [LIGHT_FROM_GENESIS] = "genesis", [LIGHT_FROM_HEAD] = "head", [LIGHT_FROM_CHECKPOINT] = "checkpoint"};
    out->from = origins[status->origin];
    out->start_ms = status->start_ms;
    out->ends_ms = status->start_ms + FRESHNESS_TRUSTING_MS;
    out->heartbeat_known = status->heartbeat_known;
    out->heartbeat_ms = status->heartbeat_ms;
    out->has_limit = status->heartbeat_known && status->limit_ms > 0;
    out->freshness_limit_ms = status->limit_ms;
    if (!status->heartbeat_known) {
        out->freshness = "not known yet";
    } else if (status->limit_ms == 0) {
        out->freshness = "none: the chain has no heartbeat";
    } else {
        out->freshness = "heads older than the limit are refused";
    }
}

static json_t *sources_json(const struct light_status *status) {
    json_t *out = json_array();
    for (size_t i = 0; i < status->source_count; i++) {
        const struct light_source *source = &status->sources[i];
        const struct source_answer answer = {source->url, source->answers, source->failures, source->lies,
                                             source->last_why.text};
        (void)json_array_append_new(out, record_json(&source_answer_shape, &answer));
    }
    return out;
}

static void describe_node(const struct gateway_api *api, const struct facts *facts, const char *alarm,
                          struct node_status *out) {
    const struct light_head *head = &facts->light.head;
    uint64_t ahead = ahead_ms(facts);
    memcpy(out->chain_id, light_chain_id(api->parts.light), CHAIN_ID_LEN);
    memcpy(out->node_id, api->node_key, sizeof out->node_id);
    out->chain = api->chain;
    out->role = api->config->node.role;
    out->organisation = api->config->node.org;
    out->height = head->height;
    out->last_block_time_ms = head->time_ms;
    out->clock = (struct clock_answer){clock_wall_ms(), ahead, ahead > CLOCK_AHEAD_MS};
    out->alarm = alarm;
    out->validators = facts->light.validators;
    out->version = ASSAY_VERSION;
    out->uptime_ms = clock_mono_ms() - api->started_mono_ms;
    out->tells_lifetime = facts->light.heartbeat_known; /* both stand in the parameters */
    out->tx_max_lifetime_ms = head->max_lifetime_ms;
}

static void describe_work(const struct facts *facts, struct gateway_status *out) {
    const struct uplink_stats *uplink = &facts->uplink;
    const struct images_stats *images = &facts->images;
    out->event_streams = facts->streams;
    out->devices = facts->device_count;
    out->classes = facts->class_count;
    out->stale_classes = facts->stale_classes;
    out->statements = (struct outbox_answer){.queued = facts->queued,
                                             .sent = uplink->sent,
                                             .accepted = uplink->accepted,
                                             .refused = uplink->refused,
                                             .failed = uplink->failed,
                                             .connected = uplink->connected,
                                             .why = uplink->last_why.text};
    out->cache = (struct cache_answer){.images = images->images,
                                       .bytes = images->bytes,
                                       .limit_bytes = images->limit_bytes,
                                       .fetched = images->fetched,
                                       .failed = images->failed,
                                       .evicted = images->evicted,
                                       .fetching = images->fetching,
                                       .fetching_have = images->fetching_have,
                                       .fetching_total = images->fetching_total,
                                       .why = images->last_why.text};
}

static void get_status(void *ctx, struct http_request *request) {
    struct gateway_api *api = ctx;
    struct facts *facts = gather(api);
    if (facts == NULL) {
        http_respond(request, NULL);
        return;
    }
    struct why alarm;
    struct gateway_status status = {.frozen = facts->light.head.frozen};
    alarm_text(facts, api->server, &alarm);
    describe_node(api, facts, alarm.text, &status.node);
    describe_trust(&facts->light, &status.trust);
    describe_work(facts, &status);
    json_t *sources = sources_json(&facts->light), *peers = json_array();
    status.sources = sources;
    status.peers = peers;
    http_respond(request, http_json(200, record_json(&gateway_status_shape, &status)));
    json_decref(sources);
    json_decref(peers);
    free(facts);
}

/* ---- /livez, /healthz ------------------------------------------------------------------------------------ */

static void get_livez(void *ctx, struct http_request *request) {
    (void)ctx;
    http_respond(request, http_static(200, "text/plain", bytes_str("alive\n")));
}

static void get_healthz(void *ctx, struct http_request *request) {
    struct gateway_api *api = ctx;
    struct facts *facts = gather(api);
    struct why alarm = WHY_NONE;
    char text[WHY_MAX + 16];
    const char *code = NULL;
    if (facts != NULL) {
        alarm_text(facts, api->server, &alarm);
        code = unhealthy(facts);
    }
    free(facts);
    if (code != NULL) {
        http_respond(request,
                     http_error(503, code, "see docs/operations.md, Alarms; /v1/status, sources", "%s", alarm.text));
        return;
    }
    (void)snprintf(text, sizeof text, "healthy%s%s\n", why_said(&alarm) ? "; " : "", alarm.text);
    http_respond(request, http_bytes(200, "text/plain", bytes_str(text)));
}

/* ---- /metrics -------------------------------------------------------------------------------------------- */

static void metric(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value) {
    char line[512];
    int n = snprintf(line, sizeof line, "# HELP assay_%s %s\n# TYPE assay_%s %s\nassay_%s %llu\n", name, help, name,
                     type, name, (unsigned long long)value);
    if (n > 0 && (size_t)n < sizeof line) {
        buffer_put(out, line, (size_t)n);
    }
}

static void light_metrics(struct buffer *out, const struct facts *f) {
    uint64_t answers = 0, failures = 0, lies = 0;
    for (size_t i = 0; i < f->light.source_count; i++) {
        answers += f->light.sources[i].answers;
        failures += f->light.sources[i].failures;
        lies += f->light.sources[i].lies;
    }
    metric(out, "height", "gauge", "Height of the newest proven head.", f->light.head.height);
    metric(out, "last_block_time_ms", "gauge", "Block time of the newest proven head.", f->light.head.time_ms);
    metric(out, "last_block_ahead_ms", "gauge", "That time ahead of this clock.", ahead_ms(f));
    metric(out, "gateway_frozen", "gauge", "1 while nothing is answered from the newest head.", f->light.head.frozen);
    metric(out, "gateway_freshness_limit_ms", "gauge", "Age of a head beyond which it is refused, 0 for none.",
           f->light.heartbeat_known ? f->light.limit_ms : 0);
    metric(out, "gateway_source_answers_total", "counter", "Answers of sources that verified.", answers);
    metric(out, "gateway_source_failures_total", "counter", "Questions that sources left open.", failures);
    metric(out, "gateway_source_lies_total", "counter", "Answers of sources that did not verify.", lies);
    metric(out, "gateway_event_streams", "gauge", "Event streams that are open.", f->streams);
}

static void work_metrics(struct buffer *out, const struct facts *f) {
    metric(out, "gateway_stale_classes", "gauge", "Classes whose newest record is older than the limit.",
           f->stale_classes);
    metric(out, "gateway_devices", "gauge", "Devices proven to be this gateway's.", f->device_count);
    metric(out, "gateway_statements_queued", "gauge", "Statements waiting for the ledger.", f->queued);
    metric(out, "gateway_statements_accepted_total", "counter", "Statements the ledger has.", f->uplink.accepted);
    metric(out, "gateway_statements_refused_total", "counter", "Statements contracts refused.", f->uplink.refused);
    metric(out, "gateway_uplink_failures_total", "counter", "Sendings that came to nothing.", f->uplink.failed);
    metric(out, "gateway_rounds_total", "counter", "Rounds of the follow thread.", f->follow.rounds);
    metric(out, "gateway_look_ups_total", "counter", "Devices looked up.", f->follow.look_ups);
    metric(out, "gateway_status_proofs_total", "counter", "Places in updates proven.", f->follow.proofs);
    metric(out, "gateway_jobs_dropped_total", "counter", "Questions dropped from a full queue.",
           f->follow.jobs_dropped);
    metric(out, "gateway_cache_bytes", "gauge", "Bytes of images in the cache.", f->images.bytes);
    metric(out, "gateway_images_fetched_total", "counter", "Images fetched.", f->images.fetched);
    metric(out, "gateway_images_failed_total", "counter", "Fetches that failed.", f->images.failed);
    metric(out, "gateway_images_evicted_total", "counter", "Images that made room.", f->images.evicted);
    metric(out, "gateway_offers_total", "counter", "Checks answered with an offer.", f->devices.offers);
    metric(out, "gateway_requests_waiting", "gauge", "Device requests that wait for the ledger.", f->devices.waiting);
    static const char *const names[] = {"malformed", "hello", "check", "get", "statement"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "gateway_requests_%s_total", names[i]);
        metric(out, name, "counter", "Device requests of this kind.", f->devices.requests[i]);
    }
}

static void get_metrics(void *ctx, struct http_request *request) {
    struct facts *facts = gather(ctx);
    struct buffer out = BUFFER_INIT;
    if (facts != NULL) {
        light_metrics(&out, facts);
        work_metrics(&out, facts);
    }
    http_respond(request, facts != NULL && buffer_ok(&out) == OK
                              ? http_bytes(200, "text/plain; version=0.0.4", buffer_bytes(&out))
                              : NULL);
    buffer_free(&out);
    free(facts);
}

/* ---- /v1/gateway/devices --------------------------------------------------------------------------------- */

static json_t *updates_json(const struct fleet_device *device) {
    json_t *out = json_array();
    for (size_t i = 0; device->updates != NULL && i < FLEET_UPDATES_PER_DEVICE; i++) {
        const struct fleet_update *update = &device->updates[i];
        if (update->proven_mono_ms != 0) {
            struct gateway_update_answer answer = {.has_status = update->present,
                                                   .status = device_status_name(update->status.status),
                                                   .height = update->height};
            memcpy(answer.update_id, update->update_id, HASH_LEN);
            (void)json_array_append_new(out, record_json(&gateway_update_shape, &answer));
        }
    }
    return out;
}

struct device_page {
    json_t *items;
    struct catalog *catalog;
};

static bool add_device(void *arg, struct fleet_device *device) {
    static const char *const states[] = {
        [FLEET_STRANGER] = "stranger", [FLEET_REFUSED] = "refused", [FLEET_KNOWN] = "known"};
    const struct device_page *page = arg;
    const struct catalog_class *class = catalog_find(page->catalog, device->class_id);
    json_t *updates = updates_json(device);
    struct gateway_device_answer answer = {.state = states[device->state],
                                           .why = device->why != NULL ? device->why : "",
                                           .has_class = class != NULL && device->state == FLEET_KNOWN,
                                           .class = class != NULL ? class->name : "",
                                           .hardware_revision = device->hardware_revision,
                                           .running_sequence = device->running_sequence,
                                           .last_seen_ms = device->last_seen_ms,
                                           .updates = updates};
    memcpy(answer.device_id, device->id, KEY_LEN);
    (void)json_array_append_new(page->items, record_json(&gateway_device_shape, &answer));
    json_decref(updates);
    return json_array_size(page->items) < GATEWAY_API_DEVICES_MAX;
}

/* Device records are for members only; a gateway has no members' list, but who sits at the machine may look. */
static void get_devices(void *ctx, struct http_request *request) {
    struct gateway_api *api = ctx;
    if (!http_peer_is_loopback(request)) {
        http_respond(request, http_error(403, "LOCAL_ONLY", "ask on the gateway itself, or a full node with a token",
                                         "device records are not shown to the network"));
        return;
    }
    struct device_page page = {json_array(), api->parts.site->catalog};
    site_lock(api->parts.site);
    fleet_each(api->parts.site->fleet, add_device, &page);
    const struct gateway_devices_answer answer = {page.items, fleet_count(api->parts.site->fleet)};
    site_unlock(api->parts.site);
    http_respond(request, http_json(200, record_json(&gateway_devices_shape, &answer)));
    json_decref(page.items);
}

enum err gateway_api_routes(struct gateway_api *api, struct http_server *server) {
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/status", get_status, HTTP_BUDGET(256 * 1024, 0, 0),
         .summary = "What this gateway is, what it has proven, whom it asks", .answers = &gateway_status_shape},
        {HTTP_GET, "/livez", get_livez, HTTP_BUDGET(1024, 0, 0), .summary = "200 while it answers",
         .media = "text/plain"},
        {HTTP_GET, "/healthz", get_healthz, HTTP_BUDGET(4096, 0, 0),
         .summary = "200 while it may serve its devices, else 503 with the reason", .media = "text/plain"},
        {HTTP_GET, "/metrics", get_metrics, HTTP_BUDGET(1024 * 1024, 0, 0), .summary = "Figures for Prometheus",
         .media = "text/plain"},
        {HTTP_GET, "/v1/gateway/devices", get_devices, HTTP_BUDGET(4 * 1024 * 1024, 0, 0),
         .summary = "Devices it has heard of; from this machine alone", .answers = &gateway_devices_shape},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        struct http_route route = routes[i];
        route.ctx = api;
        enum err e = http_server_route(server, &route);
        if (e != OK) {
            return e;
        }
    }
    return openapi_route(server, "Assay gateway");
}
