#include "node/gateway/door/device_door.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/gateway/door/device_answer.h"
#include "node/host/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request that waits for something the ledger will tell. */
struct waiter {
    struct waiter *next;
    const struct device_link *link;
    void *handle; /* the link's */
    char peer[DEVICE_LINK_PEER_MAX];
    struct protocol_request request;
    uint64_t until_ms;
};

struct device_door {
    struct device_door_config config;
    pthread_mutex_t lock;
    struct waiter *waiters;
    size_t waiting; /* how many there are, those included that are just being looked at */
    struct device_door_stats stats;
};

enum err device_door_new(const struct device_door_config *config, struct device_door **out) {
    struct device_door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        return ERR_NOMEM;
    }
    door->config = *config;
    (void)pthread_mutex_init(&door->lock, NULL);
    *out = door;
    return OK;
}

void device_door_attach(struct device_door *door, struct follow *follow, struct uplink *uplink) {
    door->config.follow = follow;
    door->config.uplink = uplink;
}

void device_door_free(struct device_door *door) {
    static const struct device_reply closed = {.kind = DEVICE_REPLY_CLOSED};
    if (door == NULL) {
        return;
    }
    while (door->waiters != NULL) {
        struct waiter *waiter = door->waiters;
        door->waiters = waiter->next;
        waiter->link->wake(waiter->handle, &closed);
        free(waiter);
    }
    (void)pthread_mutex_destroy(&door->lock);
    free(door);
}

/* ---- Answering ------------------------------------------------------------------------------------------- */

/* A reply and the memory of its bytes. */
struct made {
    struct device_reply reply;
    uint8_t *raw;
    bool may_improve;
};

static enum err encode(const struct protocol_answer *answer, struct made *out) {
    size_t capacity = PROTOCOL_ANSWER_HEAD_MAX + answer->get.bytes.len, len = 0;
    uint8_t *raw = malloc(capacity);
    if (raw == NULL) {
        return ERR_NOMEM;
    }
    if (protocol_answer_encode(answer, raw, capacity, &len) != GOOD) {
        free(raw);
        return ERR_INVALID;
    }
    out->raw = raw;
    out->reply = (struct device_reply){DEVICE_REPLY_ANSWER, bytes_of(raw, len)};
    return OK;
}

/* What the request is answered now; the caller frees `raw`. */
static struct made make_reply(struct device_door *door, const struct protocol_request *request,
                              const struct device_link *link, const char *peer) {
    struct made made = {.reply = {.kind = DEVICE_REPLY_FAULT}};
    struct door_answer answer;
    enum err e = device_answer_make(&door->config, request, &answer);
    if (e == OK) {
        e = encode(&answer.answer, &made);
        made.may_improve = answer.may_improve;
        (void)pthread_mutex_lock(&door->lock);
        door->stats.offers += answer.answer.operation == PROTOCOL_CHECK && answer.answer.check.offered;
        (void)pthread_mutex_unlock(&door->lock);
        device_answer_close(&answer);
    }
    if (e != OK) {
        log_event(LOG_ERROR, "device.not_answered", log_hash("device", request->device_id, KEY_LEN),
                  log_text("link", link->name), log_text("peer", peer), log_err(e));
    }
    return made;
}

/* ---- Waiting --------------------------------------------------------------------------------------------- */

/* Takes from the list what concerns the device (NULL: everything) or has had its time. */
static struct waiter *take_waiters(struct device_door *door, const uint8_t *device_id) {
    struct waiter *taken = NULL;
    uint64_t now = clock_mono_ms();
    (void)pthread_mutex_lock(&door->lock);
    for (struct waiter **at = &door->waiters; *at != NULL;) {
        struct waiter *waiter = *at;
        if (device_id == NULL || now >= waiter->until_ms ||
            memcmp(waiter->request.device_id, device_id, KEY_LEN) == 0) {
            *at = waiter->next;
            waiter->next = taken;
            taken = waiter;
        } else {
            at = &waiter->next;
        }
    }
    (void)pthread_mutex_unlock(&door->lock);
    return taken;
}

static void put_waiter(struct device_door *door, struct waiter *waiter) {
    (void)pthread_mutex_lock(&door->lock);
    waiter->next = door->waiters;
    door->waiters = waiter;
    (void)pthread_mutex_unlock(&door->lock);
}

/* A place for one that waits, which is the waiter's until it has been woken. */
static bool take_place(struct device_door *door) {
    (void)pthread_mutex_lock(&door->lock);
    bool room = door->waiting < DEVICE_DOOR_WAITING_MAX;
    door->waiting += room;
    (void)pthread_mutex_unlock(&door->lock);
    return room;
}

static void give_place(struct device_door *door) {
    (void)pthread_mutex_lock(&door->lock);
    ASSERT(door->waiting > 0);
    door->waiting--;
    (void)pthread_mutex_unlock(&door->lock);
}

void device_door_changed(struct device_door *door, const uint8_t *device_id) {
    struct waiter *next;
    for (struct waiter *waiter = take_waiters(door, device_id); waiter != NULL; waiter = next) {
        next = waiter->next;
        struct made made = make_reply(door, &waiter->request, waiter->link, waiter->peer);
        if (made.may_improve && clock_mono_ms() < waiter->until_ms) {
            put_waiter(door, waiter);
        } else {
            waiter->link->wake(waiter->handle, &made.reply);
            free(waiter);
            give_place(door);
        }
        free(made.raw);
    }
}

/* Memory for a request that shall wait; NULL when it can't, and is answered with what there is. */
static struct waiter *waiter_new(struct device_door *door, const struct device_call *call,
                                 const struct protocol_request *request) {
    if (call->link->wait_ms == 0 || !take_place(door)) {
        return NULL;
    }
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (waiter == NULL) {
        give_place(door);
        return NULL;
    }
    waiter->link = call->link;
    waiter->request = *request;
    waiter->until_ms = clock_mono_ms() + call->link->wait_ms;
    (void)snprintf(waiter->peer, sizeof waiter->peer, "%s", call->peer);
    return waiter;
}

/* ---- Taking ---------------------------------------------------------------------------------------------- */

static void count(struct device_door *door, size_t operation) {
    (void)pthread_mutex_lock(&door->lock);
    door->stats.requests[operation]++;
    (void)pthread_mutex_unlock(&door->lock);
}

/* Malformed, it has been answered. */
static bool decode(struct device_door *door, const struct device_call *call, struct protocol_request *out) {
    static const struct device_reply malformed = {.kind = DEVICE_REPLY_MALFORMED};
    uint32_t range_max = call->link->range_max;
    ASSERT(range_max >= 1 && range_max <= PROTOCOL_RANGE_MAX);
    if (protocol_request_decode(call->request, out) != GOOD) {
        count(door, 0);
        call->link->reply(call, &malformed);
        return false;
    }
    count(door, out->operation);
    out->get.length = out->get.length < range_max ? out->get.length : range_max;
    return true;
}

void device_door_take(struct device_door *door, const struct device_call *call) {
    struct protocol_request request;
    if (!decode(door, call, &request)) {
        return;
    }
    struct made made = make_reply(door, &request, call->link, call->peer);
    struct waiter *waiter = made.may_improve ? waiter_new(door, call, &request) : NULL;
    if (waiter == NULL) {
        call->link->reply(call, &made.reply);
    } else {
        waiter->handle = call->link->defer(call, &made.reply);
        put_waiter(door, waiter);
        /* What it waits for may have come between the answer and the waiting. */
        device_door_changed(door, request.device_id);
    }
    free(made.raw);
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
        const struct bytes value = buffer_bytes(&proven->value.value);
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

void device_door_settled(struct device_door *door, const struct uplink_result *result) {
    const uint8_t *device_id = result->item->statement.device_id;
    site_lock(door->config.site);
    struct fleet_device *device = fleet_find(door->config.site->fleet, device_id);
    if (device != NULL) {
        note_result(device, result);
    }
    site_unlock(door->config.site);
    device_door_changed(door, device_id);
}

void device_door_stats(struct device_door *door, struct device_door_stats *out) {
    (void)pthread_mutex_lock(&door->lock);
    *out = door->stats;
    out->waiting = door->waiting;
    (void)pthread_mutex_unlock(&door->lock);
}
