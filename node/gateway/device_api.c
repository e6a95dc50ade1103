#include "node/gateway/device_api.h"

#include "base/clock.h"
#include "node/gateway/device_answer.h"
#include "node/host/log.h"

#include <stdlib.h>
#include <string.h>

/* A request that waits for something the ledger will tell. */
struct waiter {
    struct waiter *next;
    struct http_deferred *deferred;
    struct protocol_request request;
    uint64_t until_ms;
};

struct device_api {
    struct device_api_config config;
    pthread_mutex_t lock;
    struct waiter *waiters;
    size_t waiting;
    struct device_api_stats stats;
};

enum err device_api_new(const struct device_api_config *config, struct device_api **out) {
    struct device_api *api = calloc(1, sizeof *api);
    if (api == NULL) {
        return ERR_NOMEM;
    }
    api->config = *config;
    (void)pthread_mutex_init(&api->lock, NULL);
    *out = api;
    return OK;
}

void device_api_attach(struct device_api *api, struct follow *follow, struct uplink *uplink) {
    api->config.follow = follow;
    api->config.uplink = uplink;
}

void device_api_free(struct device_api *api) {
    if (api == NULL) {
        return;
    }
    while (api->waiters != NULL) {
        struct waiter *next = api->waiters->next;
        (void)http_complete(api->waiters->deferred, http_empty(503));
        free(api->waiters);
        api->waiters = next;
    }
    (void)pthread_mutex_destroy(&api->lock);
    free(api);
}

/* ---- Answering ------------------------------------------------------------------------------------------- */

/* NULL when memory is out, which the server answers with 500. */
static struct http_response *encode(const struct protocol_answer *answer) {
    size_t capacity = PROTOCOL_ANSWER_HEAD_MAX + answer->get.bytes.len, len = 0;
    uint8_t *raw = malloc(capacity);
    struct http_response *response = NULL;
    if (raw != NULL && protocol_answer_encode(answer, raw, capacity, &len) == GOOD) {
        response = http_bytes(200, PROTOCOL_CONTENT_TYPE, bytes_of(raw, len));
        http_response_header(response, "Cache-Control", "no-store");
    }
    free(raw);
    return response;
}

static struct http_response *respond_to(struct device_api *api, const struct protocol_request *request,
                                        bool *out_may_improve) {
    struct device_answer answer;
    *out_may_improve = false;
    if (device_answer_make(&api->config, request, &answer) != OK) {
        return http_error(500, "LOCAL_FAULT", "the gateway's log says more", "the request could not be served");
    }
    struct http_response *response = encode(&answer.answer);
    *out_may_improve = answer.may_improve;
    (void)pthread_mutex_lock(&api->lock);
    api->stats.offers += answer.answer.operation == PROTOCOL_CHECK && answer.answer.check.offered;
    (void)pthread_mutex_unlock(&api->lock);
    device_answer_close(&answer);
    return response;
}

/* ---- Waiting --------------------------------------------------------------------------------------------- */

/* Takes from the list what concerns the device (NULL: everything) or has had its time. */
static struct waiter *take_waiters(struct device_api *api, const uint8_t *device_id) {
    struct waiter *taken = NULL;
    uint64_t now = clock_mono_ms();
    (void)pthread_mutex_lock(&api->lock);
    for (struct waiter **at = &api->waiters; *at != NULL;) {
        struct waiter *waiter = *at;
        if (device_id == NULL || now >= waiter->until_ms ||
            memcmp(waiter->request.device_id, device_id, KEY_LEN) == 0) {
            *at = waiter->next;
            waiter->next = taken;
            taken = waiter;
            api->waiting--;
        } else {
            at = &waiter->next;
        }
    }
    (void)pthread_mutex_unlock(&api->lock);
    return taken;
}

static void put_waiter(struct device_api *api, struct waiter *waiter) {
    (void)pthread_mutex_lock(&api->lock);
    waiter->next = api->waiters;
    api->waiters = waiter;
    api->waiting++;
    (void)pthread_mutex_unlock(&api->lock);
}

void device_api_changed(struct device_api *api, const uint8_t *device_id) {
    struct waiter *next;
    for (struct waiter *waiter = take_waiters(api, device_id); waiter != NULL; waiter = next) {
        bool may_improve;
        next = waiter->next;
        struct http_response *response = respond_to(api, &waiter->request, &may_improve);
        if (may_improve && clock_mono_ms() < waiter->until_ms) {
            http_response_free(response);
            put_waiter(api, waiter);
        } else {
            (void)http_complete(waiter->deferred, response);
            free(waiter);
        }
    }
}

static bool has_room(struct device_api *api) {
    (void)pthread_mutex_lock(&api->lock);
    bool room = api->waiting < DEVICE_API_WAITING_MAX;
    (void)pthread_mutex_unlock(&api->lock);
    return room;
}

static void count(struct device_api *api, size_t operation) {
    (void)pthread_mutex_lock(&api->lock);
    api->stats.requests[operation]++;
    (void)pthread_mutex_unlock(&api->lock);
}

static void post_request(void *ctx, struct http_request *http) {
    struct device_api *api = ctx;
    struct bytes body = http_body(http);
    struct protocol_request request;
    bool may_improve;
    if (protocol_request_decode((struct span){body.data, body.len}, &request) != GOOD) {
        count(api, 0);
        http_respond(http, http_error(400, "REQUEST_MALFORMED", "see docs/formats.md, Device protocol",
                                      "the body is not a request of the device protocol"));
        return;
    }
    count(api, request.operation);
    struct http_response *response = respond_to(api, &request, &may_improve);
    struct waiter *waiter = may_improve && has_room(api) ? calloc(1, sizeof *waiter) : NULL;
    if (waiter == NULL) {
        http_respond(http, response);
        return;
    }
    waiter->request = request;
    waiter->until_ms = clock_mono_ms() + DEVICE_API_WAIT_MS;
    waiter->deferred = http_defer(http, DEVICE_API_WAIT_MS, response);
    put_waiter(api, waiter);
    /* What it waits for may have come between the answer and the waiting. */
    device_api_changed(api, request.device_id);
}

/* ---- The uplink's results -------------------------------------------------------------------------------- */

static void note_result(struct fleet_device *device, const struct uplink_result *result) {
    const struct statement *s = &result->item->statement;
    struct fleet_answer answer = {.counter = s->counter, .refused = result->refused, .code = result->code};
    memcpy(answer.hash, result->item->hash, HASH_LEN);
    memcpy(answer.update_id, s->update_id, HASH_LEN);
    enum err e = fleet_answer_add(device, &answer);
    const struct proven *proven = result->status;
    struct status_record status;
    if (e == OK && proven != NULL && proven->value.present) {
        const struct span value = {proven->value.value.data, proven->value.value.len};
        struct shared_blob *bundle = shared_blob_new(buffer_bytes(&proven->value.bundle));
        bool good = status_record_decode(value, &status) == GOOD && bundle != NULL;
        if (good) {
            e = fleet_update_set(device, s->update_id, &status, bundle, proven->value.height, proven->value.time_ms);
        } else {
            shared_blob_unref(bundle);
        }
    }
    if (e != OK) {
        log_event(LOG_ERROR, "statement.not_noted", log_hash("device", s->device_id, KEY_LEN), log_err(e));
    }
}

void device_api_settled(struct device_api *api, const struct uplink_result *result) {
    const uint8_t *device_id = result->item->statement.device_id;
    site_lock(api->config.site);
    struct fleet_device *device = fleet_find(api->config.site->fleet, device_id);
    if (device != NULL) {
        note_result(device, result);
    }
    site_unlock(api->config.site);
    device_api_changed(api, device_id);
}

enum err device_api_routes(struct device_api *api, struct http_server *server) {
    const struct http_route route = {.method = HTTP_POST,
                                     .path = PROTOCOL_PATH,
                                     .handler = post_request,
                                     .ctx = api,
                                     .body_max = PROTOCOL_REQUEST_MAX,
                                     .summary = "The device protocol: one message in, one out",
                                     .media = PROTOCOL_CONTENT_TYPE,
                                     .media_taken = PROTOCOL_CONTENT_TYPE};
    return http_server_route(server, &route);
}

void device_api_stats(struct device_api *api, struct device_api_stats *out) {
    (void)pthread_mutex_lock(&api->lock);
    *out = api->stats;
    out->waiting = api->waiting;
    (void)pthread_mutex_unlock(&api->lock);
}
