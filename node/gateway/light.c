#include "node/gateway/light.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/cli/client.h"
#include "node/host_crypto.h"
#include "node/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STATE_HEAD_LEN (CHAIN_ID_LEN + 8 + 8 + 8)
#define STATE_FILE_MAX (STATE_HEAD_LEN + VALIDATOR_SET_MAX)
#define NS_PER_MS 1000000l
#define MISSES_MAX 3u /* a source that missed so many is asked, but not waited for */

/* One source and the thread that asks it. A worker takes the newest question and leaves its answer; an answer to an
 * older question is dropped. */
struct worker {
    struct light *light;
    pthread_t thread;
    bool running;
    struct client *client;
    uint64_t question; /* number of the one it works on or has answered */
    bool answered;
    unsigned misses; /* questions in a row it did not answer in time */
    enum err result;
    char why[CLIENT_WHY_MAX];
    struct buffer body;
};

struct question {
    uint64_t number; /* rises; 0: none yet */
    char path[LIGHT_PATH_MAX];
    const char *accept;
    size_t limit;
};

struct light {
    struct light_config config;
    char state_file[CONFIG_PATH_MAX];
    uint8_t chain_id[CHAIN_ID_LEN];

    pthread_mutex_t asking; /* one question at a time; held over a whole question */
    uint64_t epoch;         /* what is believed: an epoch and its validators */
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t validator_count;
    uint8_t set_memory[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path_memory[STATE_PATH_STEPS_MAX][33];
    uint8_t value_memory[LIMIT_STATE_VALUE];

    pthread_mutex_t lock; /* everything below; held shortly */
    pthread_cond_t asked;
    pthread_cond_t answered;
    bool stopping;
    struct question question;
    struct worker workers[CONFIG_SOURCES_MAX];
    struct light_source sources[CONFIG_SOURCES_MAX];
    uint64_t height; /* highest accepted */
    uint64_t time_ms;
};

/* ---- The state file -------------------------------------------------------------------------------------- */

static struct validator_set believed_set(const struct light *light) {
    return (struct validator_set){(const uint8_t(*)[KEY_LEN])light->keys, light->validator_count};
}

static enum err read_state(struct light *light, struct bytes file) {
    struct validator_set set;
    if (file.len < STATE_HEAD_LEN || memcmp(file.data, light->chain_id, CHAIN_ID_LEN) != 0) {
        return ERR_CORRUPT;
    }
    struct span_input from = {{file.data + STATE_HEAD_LEN, file.len - STATE_HEAD_LEN}};
    struct input in = input_of_span(&from);
    if (validators_read(&in, light->keys, LIMIT_VALIDATORS, &set) != GOOD || from.rest.len != 0) {
        return ERR_CORRUPT;
    }
    light->height = load_u64(file.data + CHAIN_ID_LEN);
    light->time_ms = load_u64(file.data + CHAIN_ID_LEN + 8);
    light->epoch = load_u64(file.data + CHAIN_ID_LEN + 16);
    light->validator_count = set.count;
    return OK;
}

static enum err load_state(struct light *light) {
    struct buffer b = BUFFER_INIT;
    enum err e = file_read(light->state_file, STATE_FILE_MAX, &b);
    if (e == OK) {
        e = read_state(light, buffer_bytes(&b));
    }
    buffer_free(&b);
    return e == ERR_NOTFOUND ? OK : e;
}

static void save_state(const struct light *light, uint64_t height, uint64_t time_ms) {
    uint8_t raw[STATE_FILE_MAX];
    const struct validator_set set = believed_set(light);
    memcpy(raw, light->chain_id, CHAIN_ID_LEN);
    store_u64(raw + CHAIN_ID_LEN, height);
    store_u64(raw + CHAIN_ID_LEN + 8, time_ms);
    store_u64(raw + CHAIN_ID_LEN + 16, light->epoch);
    size_t len = STATE_HEAD_LEN + validators_encode(&set, raw + STATE_HEAD_LEN);
    enum err e = file_write_atomic(light->state_file, bytes_of(raw, len), 0600);
    if (e != OK) {
        log_event(LOG_ERROR, "light.state", log_err(e), log_text("file", light->state_file));
    }
}

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

static void *run_worker(void *arg) {
    struct worker *worker = arg;
    struct light *light = worker->light;
    struct question question;
    (void)pthread_mutex_lock(&light->lock);
    while (!light->stopping) {
        if (light->question.number == worker->question) {
            (void)pthread_cond_wait(&light->asked, &light->lock);
            continue;
        }
        question = light->question;
        worker->question = question.number;
        worker->answered = false;
        (void)pthread_mutex_unlock(&light->lock);
        struct buffer body = BUFFER_INIT;
        enum err e = client_get_bytes(worker->client, question.path, question.accept, question.limit, &body);
        (void)pthread_mutex_lock(&light->lock);
        buffer_free(&worker->body);
        worker->body = body;
        worker->result = e;
        (void)snprintf(worker->why, sizeof worker->why, "%s", client_why(worker->client));
        worker->answered = true;
        (void)pthread_cond_broadcast(&light->answered);
    }
    (void)pthread_mutex_unlock(&light->lock);
    return NULL;
}

static enum err start_workers(struct light *light) {
    for (size_t i = 0; i < light->config.sources->count; i++) {
        struct worker *worker = &light->workers[i];
        const struct client_config client = {.url = light->config.sources->url[i],
                                             .connect_timeout_ms = LIGHT_CALL_TIMEOUT_MS,
                                             .timeout_ms = LIGHT_CALL_TIMEOUT_MS};
        light->sources[i].url = light->config.sources->url[i];
        worker->light = light;
        enum err e = client_new(&client, &worker->client);
        if (e != OK) {
            return e;
        }
        if (pthread_create(&worker->thread, NULL, run_worker, worker) != 0) {
            return ERR_NOMEM;
        }
        worker->running = true;
    }
    return OK;
}

/* ---- Life cycle -------------------------------------------------------------------------------------------------- */

enum err light_new(const struct light_config *config, struct light **out) {
    struct light *light = calloc(1, sizeof *light);
    if (light == NULL) {
        return ERR_NOMEM;
    }
    light->config = *config;
    (void)snprintf(light->state_file, sizeof light->state_file, "%s", config->state_file);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&light->asking, NULL);
    (void)pthread_mutex_init(&light->lock, NULL);
    (void)pthread_cond_init(&light->asked, NULL);
    (void)pthread_cond_init(&light->answered, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    genesis_chain_id(config->genesis, &host_crypto, light->chain_id);
    light->validator_count = genesis_validators(config->genesis, light->keys);
    enum err e = load_state(light);
    if (e == OK) {
        e = start_workers(light);
    }
    if (e != OK) {
        light_free(light);
        return e;
    }
    *out = light;
    return OK;
}

void light_stop(struct light *light) {
    if (light == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&light->lock);
    light->stopping = true;
    (void)pthread_cond_broadcast(&light->asked);
    (void)pthread_cond_broadcast(&light->answered);
    (void)pthread_mutex_unlock(&light->lock);
}

void light_free(struct light *light) {
    if (light == NULL) {
        return;
    }
    light_stop(light);
    for (size_t i = 0; i < CONFIG_SOURCES_MAX; i++) {
        struct worker *worker = &light->workers[i];
        if (worker->running) {
            (void)pthread_join(worker->thread, NULL);
        }
        client_free(worker->client);
        buffer_free(&worker->body);
    }
    (void)pthread_cond_destroy(&light->answered);
    (void)pthread_cond_destroy(&light->asked);
    (void)pthread_mutex_destroy(&light->lock);
    (void)pthread_mutex_destroy(&light->asking);
    free(light);
}

const uint8_t *light_chain_id(const struct light *light) {
    return light->chain_id;
}

void light_value_free(struct light_value *value) {
    buffer_free(&value->value);
    buffer_free(&value->bundle);
}

/* ---- Asking ---------------------------------------------------------------------------------------------- */

/* What a source's answer turned out to be. */
enum answer_kind { ANSWER_GOOD, ANSWER_OLD, ANSWER_LIE };

struct asking {
    enum answer_kind (*judge)(void *arg, struct bytes body, const char **out_why);
    void *arg;
};

/* Under the lock. Logged once per change of what is wrong. */
static void note(struct light_source *source, const char *why) {
    if (strncmp(source->last_why, why, sizeof source->last_why - 1) != 0) {
        (void)snprintf(source->last_why, sizeof source->last_why, "%s", why);
        log_event(LOG_WARN, "source.refused", log_text("url", source->url), log_text("why", why));
    }
}

/* Under the lock, which is given up while the answer is judged. True when it was good. */
static bool take_answer(struct light *light, size_t i, const struct asking *asking) {
    struct worker *worker = &light->workers[i];
    struct light_source *source = &light->sources[i];
    if (worker->result != OK) {
        source->failures++;
        note(source, worker->why);
        return false;
    }
    struct buffer body = worker->body;
    const char *why = "";
    worker->body = BUFFER_INIT;
    (void)pthread_mutex_unlock(&light->lock);
    enum answer_kind kind = asking->judge(asking->arg, buffer_bytes(&body), &why);
    (void)pthread_mutex_lock(&light->lock);
    buffer_free(&body);
    switch (kind) {
    case ANSWER_GOOD:
        source->answers++;
        if (source->last_why[0] != '\0') {
            source->last_why[0] = '\0';
            log_event(LOG_INFO, "source.good_again", log_text("url", source->url));
        }
        break;
    case ANSWER_OLD: /* every node is behind for a moment now and then: counted, not told */
        source->failures++;
        break;
    case ANSWER_LIE:
        source->lies++;
        note(source, why);
        break;
    }
    return kind == ANSWER_GOOD;
}

static struct timespec timespec_of_ms(uint64_t mono_ms) {
    return (struct timespec){.tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * NS_PER_MS};
}

/* Under the lock: once there is a good answer, is anybody left who is worth waiting for? */
static bool is_awaited(const struct light *light, const bool taken[CONFIG_SOURCES_MAX], size_t good) {
    for (size_t i = 0; i < light->config.sources->count; i++) {
        if (!taken[i] && (good == 0 || light->workers[i].misses < MISSES_MAX)) {
            return true;
        }
    }
    return false;
}

/* Under the lock. */
static void note_misses(struct light *light, const bool taken[CONFIG_SOURCES_MAX], size_t good) {
    for (size_t i = 0; i < light->config.sources->count; i++) {
        struct worker *worker = &light->workers[i];
        worker->misses = taken[i] ? 0 : worker->misses + 1;
        if (!taken[i]) {
            light->sources[i].failures++;
            if (good == 0) {
                note(&light->sources[i], "no answer in time");
            }
        }
    }
}

/* Puts one question to all sources and judges what comes back until all have answered or time is up. OK when at least
 * one answer was good. */
static enum err ask_all(struct light *light, const char *path, const char *accept, size_t limit,
                        const struct asking *asking) {
    bool taken[CONFIG_SOURCES_MAX] = {false};
    size_t count = light->config.sources->count, good = 0;
    uint64_t deadline_ms = clock_mono_ms() + LIGHT_CALL_TIMEOUT_MS;
    (void)pthread_mutex_lock(&light->lock);
    (void)snprintf(light->question.path, sizeof light->question.path, "%s", path);
    light->question.accept = accept;
    light->question.limit = limit;
    uint64_t number = ++light->question.number;
    (void)pthread_cond_broadcast(&light->asked);
    while (is_awaited(light, taken, good) && !light->stopping && clock_mono_ms() < deadline_ms) {
        bool any = false;
        for (size_t i = 0; i < count; i++) {
            const struct worker *worker = &light->workers[i];
            if (taken[i] || !worker->answered || worker->question != number) {
                continue;
            }
            taken[i] = any = true;
            if (take_answer(light, i, asking) && good++ == 0) {
                uint64_t grace_ms = clock_mono_ms() + LIGHT_GRACE_MS;
                deadline_ms = grace_ms < deadline_ms ? grace_ms : deadline_ms;
            }
        }
        if (!any) {
            const struct timespec until = timespec_of_ms(deadline_ms);
            (void)pthread_cond_timedwait(&light->answered, &light->lock, &until);
        }
    }
    if (!light->stopping) {
        note_misses(light, taken, good);
    }
    bool stopping = light->stopping;
    (void)pthread_mutex_unlock(&light->lock);
    return good > 0 ? OK : stopping ? ERR_CLOSED : ERR_NETWORK;
}

/* ---- Proven values --------------------------------------------------------------------------------------- */

struct proof_question {
    struct light *light;
    const char *contract;
    struct bytes user_key;
    uint64_t min_height;
    struct light_value best;
    bool have;
    bool no_memory;
};

static enum verdict verify(struct light *light, const struct proof_question *q, struct bytes bundle,
                           struct bundle_result *out) {
    struct trust trust = {.epoch = light->epoch, .validators = believed_set(light), .min_height = q->min_height};
    memcpy(trust.chain_id, light->chain_id, CHAIN_ID_LEN);
    const struct bundle_work work = {.set_memory = light->set_memory,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = light->path_memory,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = light->value_memory,
                                     .value_capacity = LIMIT_STATE_VALUE};
    struct span_input from = {{bundle.data, bundle.len}};
    struct input in = input_of_span(&from);
    enum verdict v = bundle_verify(&host_crypto, &trust, &work, &in, out);
    if (v == GOOD && !bundle_is_about(out, q->contract, (struct span){q->user_key.data, q->user_key.len})) {
        v = BAD_KEY;
    }
    return v;
}

/* What a quorum of the old set has finalized names the new one: there is no way back. */
static void believe(struct light *light, const struct bundle_result *result) {
    if (result->epoch > light->epoch) {
        memcpy(light->keys, result->validators.keys, (size_t)result->validators.count * KEY_LEN);
        light->validator_count = result->validators.count;
        light->epoch = result->epoch;
        log_event(LOG_INFO, "light.epoch", log_number("epoch", light->epoch),
                  log_number("validators", light->validator_count));
    }
}

static enum answer_kind judge_proof(void *arg, struct bytes body, const char **out_why) {
    struct proof_question *q = arg;
    struct bundle_result result;
    enum verdict v = verify(q->light, q, body, &result);
    if (v != GOOD) {
        *out_why = verdict_text(v);
        /* A node that is merely behind gives an old head, perhaps of an epoch that is over; anything else is an answer
         * no honest node gives. */
        return v == BAD_HEIGHT || v == BAD_EPOCH ? ANSWER_OLD : ANSWER_LIE;
    }
    believe(q->light, &result);
    if (q->have && result.header.height <= q->best.height) {
        return ANSWER_GOOD;
    }
    struct light_value *best = &q->best;
    buffer_reset(&best->bundle);
    buffer_put(&best->bundle, body.data, body.len);
    buffer_reset(&best->value);
    if (result.present) {
        buffer_put(&best->value, q->light->value_memory, result.value_len);
    }
    best->height = result.header.height;
    best->time_ms = result.header.time_ms;
    best->present = result.present;
    q->have = buffer_ok(&best->value) == OK && buffer_ok(&best->bundle) == OK;
    q->no_memory = !q->have;
    return ANSWER_GOOD;
}

static void accept_head(struct light *light, const struct light_value *value) {
    (void)pthread_mutex_lock(&light->lock);
    bool newer = value->height > light->height;
    if (newer) {
        light->height = value->height;
        light->time_ms = value->time_ms;
    }
    (void)pthread_mutex_unlock(&light->lock);
    if (newer) {
        save_state(light, value->height, value->time_ms);
    }
}

enum err light_get(struct light *light, const char *contract, struct bytes user_key, struct light_value *out) {
    char hex[2 * BUNDLE_USER_KEY_MAX + 1];
    char path[LIGHT_PATH_MAX];
    if (user_key.len > BUNDLE_USER_KEY_MAX) {
        return ERR_RANGE;
    }
    hex_encode(user_key.data, user_key.len, hex);
    (void)snprintf(path, sizeof path, "/v1/proof?contract=%s&key=%s", contract, hex);
    struct proof_question q = {.light = light, .contract = contract, .user_key = user_key};
    const struct asking asking = {judge_proof, &q};
    (void)pthread_mutex_lock(&light->asking);
    struct light_head head;
    light_head(light, &head);
    q.min_height = head.height;
    enum err e = ask_all(light, path, "application/octet-stream", LIGHT_BUNDLE_MAX, &asking);
    if (e == OK && !q.have) {
        e = q.no_memory ? ERR_NOMEM : ERR_NETWORK;
    }
    if (e == OK) {
        accept_head(light, &q.best);
    }
    (void)pthread_mutex_unlock(&light->asking);
    if (e != OK) {
        light_value_free(&q.best);
        return e;
    }
    light_value_free(out);
    *out = q.best;
    return OK;
}

/* ---- Hints ----------------------------------------------------------------------------------------------- */

struct hint_question {
    bool (*take)(void *arg, struct bytes body);
    void *arg;
};

static enum answer_kind judge_hint(void *arg, struct bytes body, const char **out_why) {
    const struct hint_question *q = arg;
    *out_why = "not the list that was asked for";
    return q->take(q->arg, body) ? ANSWER_GOOD : ANSWER_LIE;
}

enum err light_hints(struct light *light, const char *path, size_t limit, bool (*take)(void *arg, struct bytes body),
                     void *arg) {
    struct hint_question q = {take, arg};
    const struct asking asking = {judge_hint, &q};
    if (strlen(path) >= LIGHT_PATH_MAX) {
        return ERR_RANGE;
    }
    (void)pthread_mutex_lock(&light->asking);
    enum err e = ask_all(light, path, "application/json", limit, &asking);
    (void)pthread_mutex_unlock(&light->asking);
    return e;
}

/* ---- What is known --------------------------------------------------------------------------------------- */

/* Under the lock. */
static struct light_head head_of(const struct light *light) {
    uint64_t now = clock_wall_ms();
    return (struct light_head){.height = light->height,
                               .time_ms = light->time_ms,
                               .frozen = now > light->time_ms && now - light->time_ms > light->config.freshness_ms};
}

void light_head(struct light *light, struct light_head *out) {
    (void)pthread_mutex_lock(&light->lock);
    *out = head_of(light);
    (void)pthread_mutex_unlock(&light->lock);
}

void light_status(struct light *light, struct light_status *out) {
    (void)pthread_mutex_lock(&light->lock);
    *out = (struct light_status){.head = head_of(light), .source_count = light->config.sources->count};
    memcpy(out->sources, light->sources, sizeof out->sources);
    (void)pthread_mutex_unlock(&light->lock);
}
