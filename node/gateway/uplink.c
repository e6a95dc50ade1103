#include "node/gateway/uplink.h"

#include "base/assert.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "contracts/kernel/code.h"
#include "contracts/update/update.h"
#include "node/answers/block.h"
#include "node/fetch/client.h"
#include "node/gateway/delivery.h"
#include "node/host/log.h"
#include "node/json/record_json.h"
#include "node/ledger/ledger_time.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLIENT_MARGIN_MS 500 /* the source's own deadline comes first: its answer says more */
#define CODE_HIGHEST 1000u

struct lane {
    struct uplink *uplink;
    pthread_t thread;
    bool running;
    struct client *clients[CONFIG_SOURCES_MAX];
    size_t preferred;           /* source that did well last */
    enum delivery state;        /* written by the lane's thread under the lock */
    struct statement_item item; /* while it is under way */
    uint64_t pause_until_ms;    /* in DELIVERY_RETRY */
    uint32_t pause_ms;          /* of the last of the retries in a row */
};

struct uplink {
    struct uplink_config config;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
    struct lane lanes[UPLINK_LANES];
    struct uplink_stats stats;
};

/* What one source made of a statement. */
enum attempt { ATTEMPT_FAILED, ATTEMPT_TAKEN, ATTEMPT_REFUSED };

/* What the ledger answered. */
struct outcome {
    uint32_t code;        /* the contract's, where it is refused */
    struct proven proven; /* where the device stands, if that could be proven */
};

/* ---- Sending --------------------------------------------------------------------------------------------- */

/* The contract's code with this name; false for names that are not one (the source's own reasons). */
static bool code_of_name(const char *name, uint32_t *out) {
    for (uint32_t code = 1; code < CODE_HIGHEST; code++) {
        if (strcmp(code_name(code), name) == 0) {
            *out = code;
            return true;
        }
    }
    return false;
}

static void note_failure(struct uplink *uplink, const char *url, const char *why) {
    (void)pthread_mutex_lock(&uplink->lock);
    uplink->stats.failed++;
    uplink->stats.connected = false;
    bool news = strcmp(uplink->stats.last_why.text, why) != 0;
    why_set(&uplink->stats.last_why, "%s", why);
    (void)pthread_mutex_unlock(&uplink->lock);
    if (news) {
        log_event(LOG_WARN, "uplink.failed", log_text("url", url), log_text("why", why));
    }
}

static enum attempt send_to(struct lane *lane, size_t source, struct bytes envelope, uint32_t *out_code) {
    static const char path[] = "/v1/txs?wait=finalized&timeout_ms=3000";
    _Static_assert(UPLINK_WAIT_MS == 3000, "the path says it");
    struct client *client = lane->clients[source];
    json_t *answer = NULL;
    enum err e = client_post_bytes(client, path, "application/octet-stream", envelope, &answer);
    if (e == OK) {
        struct submitted_answer sent;
        struct why why = WHY_NONE;
        e = record_of_json(&submitted_shape, answer, &sent, &why);
        *out_code = e == OK && sent.is_final ? sent.result.code : CODE_OK;
        json_decref(answer);
        if (e != OK) {
            note_failure(lane->uplink, client_url(client), why.text);
            return ATTEMPT_FAILED;
        }
        return *out_code == CODE_OK ? ATTEMPT_TAKEN : ATTEMPT_REFUSED;
    }
    if (client_status(client) == 400 && code_of_name(client_error_code(client), out_code)) {
        return ATTEMPT_REFUSED;
    }
    note_failure(lane->uplink, client_url(client), client_why(client));
    return ATTEMPT_FAILED;
}

static enum err wrap(struct lane *lane, const struct statement_item *item, struct buffer *out) {
    const struct uplink_config *config = &lane->uplink->config;
    struct light_head head;
    light_head(config->light, &head);
    return statement_tx_build(light_chain_id(config->light), config->secret, item->body, item->statement.kind,
                              ledger_time_now(clock_wall_ms(), head.time_ms), head.max_lifetime_ms, out);
}

/* ---- Settling -------------------------------------------------------------------------------------------- */

static bool is_in_update(const struct statement *s) {
    return !bytes_is_zero(s->update_id, HASH_LEN);
}

/* Has the ledger provably heard it? `out` gets the status record's proof, when there is such a record. */
static enum err prove_heard(struct lane *lane, const struct statement *s, struct proven *out, bool *out_heard) {
    bool in_update = is_in_update(s), found = false;
    struct record_key key =
        in_update ? update_status_key(s->update_id, s->device_id) : update_running_key(s->device_id);
    enum err e = proven_get(lane->uplink->config.light, &key, out);
    if (e != OK) {
        return e;
    }
    struct state state = proven_state(out);
    struct status_record status;
    struct update_running running;
    e = in_update ? update_status_get(&state, s->update_id, s->device_id, &status, &found)
                  : update_running_get(&state, s->device_id, &running, &found);
    *out_heard = e == OK && found && (in_update ? status.counter : running.counter) >= s->counter;
    return e;
}

/* Tells the statement's device, lets go of it. */
static void settle(struct lane *lane, const struct outcome *outcome) {
    struct uplink *uplink = lane->uplink;
    const struct statement_item *item = &lane->item;
    bool refused = lane->state == DELIVERY_REFUSED;
    bool has_status = is_in_update(&item->statement) && outcome->proven.key.len > 0;
    const struct uplink_result result = {
        .item = item, .refused = refused, .code = outcome->code, .status = has_status ? &outcome->proven : NULL};
    uplink->config.settled(uplink->config.ctx, &result);
    enum err e = statement_queue_done(uplink->config.queue, item->sequence);
    if (e != OK) {
        log_event(LOG_ERROR, "statement.not_marked_done", log_err(e));
    }
    (void)pthread_mutex_lock(&uplink->lock);
    uplink->stats.accepted += !refused;
    uplink->stats.refused += refused;
    uplink->stats.connected = true;
    uplink->stats.last_why = WHY_NONE;
    (void)pthread_mutex_unlock(&uplink->lock);
    log_event(LOG_INFO, refused ? "statement.refused" : "statement.accepted",
              log_hash("device", item->statement.device_id, KEY_LEN),
              log_hash("update", item->statement.update_id, HASH_LEN), log_number("kind", item->statement.kind),
              log_number("counter", item->statement.counter), log_text("code", code_name(outcome->code)));
}

static bool is_stopping(struct uplink *uplink) {
    (void)pthread_mutex_lock(&uplink->lock);
    bool stopping = uplink->stopping;
    (void)pthread_mutex_unlock(&uplink->lock);
    return stopping;
}

/* One round over the sources: DELIVERY_PROVEN, DELIVERY_DENIED, DELIVERY_CAME_TO_NOTHING. */
static enum delivery_event try_sources(struct lane *lane, struct bytes envelope, struct outcome *out) {
    const struct uplink_config *config = &lane->uplink->config;
    const struct statement *statement = &lane->item.statement;
    size_t count = config->sources->count, refusals = 0;
    size_t enough = count < UPLINK_REFUSALS ? count : UPLINK_REFUSALS;
    for (size_t i = 0; i < count && !is_stopping(lane->uplink); i++) {
        size_t source = (lane->preferred + i) % count;
        uint32_t code = 0;
        bool heard = false;
        enum attempt attempt = send_to(lane, source, envelope, &code);
        if (attempt == ATTEMPT_TAKEN) {
            if (prove_heard(lane, statement, &out->proven, &heard) == OK && heard) {
                lane->preferred = source;
                return DELIVERY_PROVEN;
            }
            proven_free(&out->proven);
            out->proven = PROVEN_INIT;
            note_failure(lane->uplink, client_url(lane->clients[source]),
                         "said that a statement is on the ledger and it is not proven there");
        } else if (attempt == ATTEMPT_REFUSED) {
            out->code = code;
            refusals++;
        }
        if (refusals >= enough) {
            /* With the proof of where the device stands, if there is one, so that it need not ask again. */
            (void)!prove_heard(lane, statement, &out->proven, &heard);
            return DELIVERY_DENIED;
        }
    }
    return DELIVERY_CAME_TO_NOTHING;
}

static enum delivery_event send_one(struct lane *lane, struct outcome *out) {
    struct buffer envelope = BUFFER_INIT;
    enum delivery_event event = DELIVERY_CAME_TO_NOTHING;
    enum err e = wrap(lane, &lane->item, &envelope);
    if (e == OK) {
        event = try_sources(lane, buffer_bytes(&envelope), out);
    } else {
        note_failure(lane->uplink, "", err_text(e));
    }
    buffer_free(&envelope);
    return event;
}

/* ---- Lanes ----------------------------------------------------------------------------------------------- */

/* Under the lock. */
static void move(struct lane *lane, enum delivery_event event) {
    enum delivery next = delivery_after(lane->state, event);
    ASSERT(next != 0);
    lane->state = next;
    if (next == DELIVERY_RETRY) {
        lane->pause_ms = backoff_next(lane->pause_ms, UPLINK_RETRY_MIN_MS, UPLINK_RETRY_MAX_MS);
        lane->pause_until_ms = clock_mono_ms() + lane->pause_ms;
    } else if (delivery_is_settled(next)) {
        lane->pause_ms = 0;
    }
}

static bool is_under_way(const struct uplink *uplink, uint64_t sequence) {
    for (size_t i = 0; i < UPLINK_LANES; i++) {
        const struct lane *lane = &uplink->lanes[i];
        if (delivery_is_under_way(lane->state) && lane->item.sequence == sequence) {
            return true;
        }
    }
    return false;
}

/* Under the lock: the oldest statement that no lane has and none of its device's is before. */
static bool take(struct lane *lane) {
    struct statement_item items[UPLINK_LANES];
    size_t count = statement_queue_head(lane->uplink->config.queue, items, UPLINK_LANES);
    for (size_t i = 0; i < count; i++) {
        if (!is_under_way(lane->uplink, items[i].sequence)) {
            lane->item = items[i];
            move(lane, DELIVERY_TAKEN);
            lane->uplink->stats.sent++;
            return true;
        }
    }
    return false;
}

/* Under the lock, which is given up meanwhile: once taken, a statement is settled or back in the queue. */
static void carry(struct lane *lane) {
    struct uplink *uplink = lane->uplink;
    struct outcome outcome = {.proven = PROVEN_INIT};
    (void)pthread_mutex_unlock(&uplink->lock);
    enum delivery_event event = send_one(lane, &outcome);
    (void)pthread_mutex_lock(&uplink->lock);
    move(lane, event);
    if (delivery_is_settled(lane->state)) {
        (void)pthread_mutex_unlock(&uplink->lock);
        settle(lane, &outcome);
        (void)pthread_mutex_lock(&uplink->lock);
        move(lane, DELIVERY_NOTED);
    }
    proven_free(&outcome.proven);
    /* What waited behind this one is another lane's to take. */
    (void)pthread_cond_broadcast(&uplink->wake);
}

static void *run_lane(void *arg) {
    struct lane *lane = arg;
    struct uplink *uplink = lane->uplink;
    (void)pthread_mutex_lock(&uplink->lock);
    while (!uplink->stopping) {
        if (lane->state == DELIVERY_RETRY && clock_mono_ms() < lane->pause_until_ms) {
            const struct timespec until = {.tv_sec = (time_t)(lane->pause_until_ms / 1000),
                                           .tv_nsec = (long)(lane->pause_until_ms % 1000) * 1000000l};
            (void)pthread_cond_timedwait(&uplink->wake, &uplink->lock, &until);
        } else if (lane->state == DELIVERY_RETRY) {
            move(lane, DELIVERY_PAUSE_OVER);
        } else if (take(lane)) {
            carry(lane);
        } else {
            (void)pthread_cond_wait(&uplink->wake, &uplink->lock);
        }
    }
    (void)pthread_mutex_unlock(&uplink->lock);
    return NULL;
}

static enum err start_lane(struct uplink *uplink, struct lane *lane) {
    const struct config_sources *sources = uplink->config.sources;
    lane->uplink = uplink;
    lane->state = DELIVERY_QUEUED;
    for (size_t i = 0; i < sources->count; i++) {
        const struct client_config client = {.url = sources->url[i],
                                             .http.connect_timeout_ms = LIGHT_CALL_TIMEOUT_MS,
                                             .timeout_ms = UPLINK_WAIT_MS + CLIENT_MARGIN_MS};
        enum err e = client_new(&client, &lane->clients[i]);
        if (e != OK) {
            return e;
        }
    }
    if (pthread_create(&lane->thread, NULL, run_lane, lane) != 0) {
        return ERR_NOMEM;
    }
    lane->running = true;
    return OK;
}

enum err uplink_new(const struct uplink_config *config, struct uplink **out) {
    struct uplink *uplink = calloc(1, sizeof *uplink);
    pthread_condattr_t monotonic;
    if (uplink == NULL) {
        return ERR_NOMEM;
    }
    uplink->config = *config;
    uplink->stats.connected = true;
    (void)pthread_mutex_init(&uplink->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&uplink->wake, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    enum err e = OK;
    for (size_t i = 0; i < UPLINK_LANES && e == OK; i++) {
        e = start_lane(uplink, &uplink->lanes[i]);
    }
    if (e != OK) {
        uplink_free(uplink);
        return e;
    }
    *out = uplink;
    return OK;
}

void uplink_stop(struct uplink *uplink) {
    if (uplink != NULL) {
        (void)pthread_mutex_lock(&uplink->lock);
        uplink->stopping = true;
        (void)pthread_cond_broadcast(&uplink->wake);
        (void)pthread_mutex_unlock(&uplink->lock);
    }
}

void uplink_free(struct uplink *uplink) {
    if (uplink == NULL) {
        return;
    }
    uplink_stop(uplink);
    for (size_t i = 0; i < UPLINK_LANES; i++) {
        struct lane *lane = &uplink->lanes[i];
        if (lane->running) {
            (void)pthread_join(lane->thread, NULL);
        }
        for (size_t k = 0; k < CONFIG_SOURCES_MAX; k++) {
            client_free(lane->clients[k]);
        }
    }
    (void)pthread_cond_destroy(&uplink->wake);
    (void)pthread_mutex_destroy(&uplink->lock);
    free(uplink);
}

void uplink_poke(struct uplink *uplink) {
    (void)pthread_mutex_lock(&uplink->lock);
    (void)pthread_cond_broadcast(&uplink->wake);
    (void)pthread_mutex_unlock(&uplink->lock);
}

void uplink_stats(struct uplink *uplink, struct uplink_stats *out) {
    (void)pthread_mutex_lock(&uplink->lock);
    *out = uplink->stats;
    (void)pthread_mutex_unlock(&uplink->lock);
}
