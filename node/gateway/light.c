#include "node/gateway/light.h"

#include "base/clock.h"
#include "contracts/governance/governance_records.h"
#include "node/fetch/client.h"
#include "node/host/host_crypto.h"
#include "node/host/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct light {
    struct light_config config;
    char state_file[CONFIG_PATH_MAX];
    struct light_ask *ask;

    pthread_mutex_t asking;   /* one question at a time; held over a whole question */
    pthread_mutex_t lock;     /* held shortly */
    struct light_trust trust; /* written with both held, read with either */
    uint64_t params_due_ms;   /* with `asking` held: when the heartbeat is looked at again (monotonic) */
    enum verdict told;        /* the same: the last verdict on our own head that was logged */
    uint8_t set_memory[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path_memory[STATE_PATH_STEPS_MAX][33];
    uint8_t value_memory[LIMIT_STATE_VALUE];
};

/* ---- What is believed -------------------------------------------------------------------------------------------- */

static enum err begin_trust(struct light *light) {
    const struct light_config *config = &light->config;
    light_trust_init(&light->trust, config->genesis, config->freshness_ms);
    enum err e = light_trust_load(&light->trust, light->state_file);
    if (e == OK && config->checkpoint != NULL) {
        e = light_trust_pin(&light->trust, config->checkpoint);
    }
    light->config.checkpoint = NULL;
    if (e == OK && light_trust_start(&light->trust, clock_wall_ms()) != GOOD) {
        e = ERR_DENIED;
    }
    return e;
}

/* What a quorum of the old set has finalized names the new one: there is no way back. */
static void believe(struct light *light, const struct bundle_result *result) {
    (void)pthread_mutex_lock(&light->lock);
    bool newer = light_trust_believe(&light->trust, result);
    (void)pthread_mutex_unlock(&light->lock);
    if (newer) {
        log_event(LOG_INFO, "light.epoch", log_number("epoch", light->trust.epoch),
                  log_number("validators", light->trust.validator_count));
    }
}

static void accept_head(struct light *light, const struct light_value *value) {
    (void)pthread_mutex_lock(&light->lock);
    bool newer = light_trust_accept(&light->trust, value->height, value->time_ms);
    (void)pthread_mutex_unlock(&light->lock);
    enum err e = newer ? light_trust_save(&light->trust, light->state_file) : OK;
    if (e != OK) {
        log_event(LOG_ERROR, "light.state", log_err(e), log_text("file", light->state_file));
    }
}

static void accept_params(struct light *light, const struct genesis_params *params) {
    struct light_trust *trust = &light->trust;
    uint32_t heartbeat_ms = params->heartbeat_ms;
    bool changed = !trust->heartbeat_known || trust->heartbeat_ms != heartbeat_ms;
    (void)pthread_mutex_lock(&light->lock);
    trust->heartbeat_known = true;
    trust->heartbeat_ms = heartbeat_ms;
    trust->max_lifetime_ms = params->tx_max_lifetime_ms;
    (void)pthread_mutex_unlock(&light->lock);
    if (changed && heartbeat_ms == 0) {
        log_event(LOG_WARN, "light.no_freshness",
                  log_text("why", "the chain has no heartbeat: how old its newest block is tells nothing"));
    } else if (changed) {
        log_event(LOG_INFO, "light.freshness", log_number("heartbeat_ms", heartbeat_ms),
                  log_number("limit_ms", light_trust_limit(trust, heartbeat_ms)));
    }
}

/* After a question that came to `e`: logged once per change of what may be answered. */
static void tell_verdict(struct light *light, enum err e) {
    struct light_status status;
    struct why why;
    light_status(light, &status);
    if (status.head.verdict == light->told || e == ERR_CLOSED) {
        return;
    }
    light->told = status.head.verdict;
    light_explain(&status, &why);
    if (status.head.frozen) {
        log_event(LOG_WARN, "light.refuses", log_text("why", why.text), log_number("height", status.head.height));
    } else {
        log_event(LOG_INFO, "light.fresh", log_number("height", status.head.height),
                  log_number("age_ms", status.age_ms));
    }
}

/* ---- Life cycle -------------------------------------------------------------------------------------------------- */

enum err light_new(const struct light_config *config, struct light **out) {
    struct light *light = calloc(1, sizeof *light);
    if (light == NULL) {
        return ERR_NOMEM;
    }
    light->config = *config;
    (void)snprintf(light->state_file, sizeof light->state_file, "%s", config->state_file);
    (void)pthread_mutex_init(&light->asking, NULL);
    (void)pthread_mutex_init(&light->lock, NULL);
    enum err e = begin_trust(light);
    if (e == OK) {
        e = light_ask_new(config->sources, &light->ask);
    }
    if (e != OK) {
        light_free(light);
        return e;
    }
    *out = light;
    return OK;
}

void light_stop(struct light *light) {
    if (light != NULL) {
        light_ask_stop(light->ask);
    }
}

void light_free(struct light *light) {
    if (light == NULL) {
        return;
    }
    light_ask_free(light->ask);
    (void)pthread_mutex_destroy(&light->lock);
    (void)pthread_mutex_destroy(&light->asking);
    free(light);
}

const uint8_t *light_chain_id(const struct light *light) {
    return light->trust.chain_id;
}

void light_value_free(struct light_value *value) {
    buffer_free(&value->value);
    buffer_free(&value->bundle);
}

/* ---- Proven values --------------------------------------------------------------------------------------- */

struct proof_question {
    struct light *light;
    const char *contract;
    struct bytes user_key;
    bool tells_heartbeat; /* it is the record of the chain's parameters that is asked for */
    uint64_t now_ms;
    struct light_value best;
    bool have;
    bool no_memory;
};

static enum verdict verify(struct light *light, const struct proof_question *q, struct bytes bundle,
                           struct bundle_result *out) {
    const struct trust trust = light_trust_walk(&light->trust);
    const struct bundle_work work = {.set_memory = light->set_memory,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = light->path_memory,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = light->value_memory,
                                     .value_capacity = LIMIT_STATE_VALUE};
    struct bytes_input from = {bundle};
    struct input in = input_of_bytes(&from);
    enum verdict v = bundle_verify(&host_crypto, &trust, &work, &in, out);
    if (v == GOOD && !bundle_is_about(out, q->contract, q->user_key)) {
        v = BAD_KEY;
    }
    return v;
}

/* The heartbeat that holds at a proven head: what is known, or what the head's own state says. */
static enum verdict heartbeat_at(const struct proof_question *q, const struct bundle_result *result, uint32_t *out) {
    struct params_record params;
    *out = q->light->trust.heartbeat_ms;
    if (!q->tells_heartbeat) {
        return GOOD;
    }
    if (!result->present ||
        record_decode(&params_record_shape, bytes_of(q->light->value_memory, result->value_len), &params) != OK) {
        return BAD_ENCODING;
    }
    *out = params.params.heartbeat_ms;
    return GOOD;
}

/* The proof, then the age of its head. */
static enum verdict judge_bundle(const struct proof_question *q, struct bytes body, struct bundle_result *out,
                                 uint32_t *out_heartbeat_ms) {
    enum verdict v = verify(q->light, q, body, out);
    if (v == GOOD) {
        v = heartbeat_at(q, out, out_heartbeat_ms);
    }
    return v == GOOD
               ? freshness_head(out->header.time_ms, q->now_ms, light_trust_limit(&q->light->trust, *out_heartbeat_ms))
               : v;
}

/* A node that is merely behind gives an old head, perhaps of an epoch that is over, or of hours ago; anything else is an
 * answer no honest node gives. */
static enum light_answer answer_of(enum verdict refused) {
    switch (refused) {
    case BAD_STALE:
        return ANSWER_STALE;
    case BAD_HEIGHT:
    case BAD_EPOCH:
        return ANSWER_OLD;
    default:
        return ANSWER_LIE;
    }
}

static enum light_answer judge_proof(void *arg, size_t source, struct bytes body, const char **out_why) {
    (void)source;
    struct proof_question *q = arg;
    struct bundle_result result;
    uint32_t heartbeat_ms = 0;
    enum verdict v = judge_bundle(q, body, &result, &heartbeat_ms);
    if (v != GOOD) {
        *out_why = verdict_text(v);
        return answer_of(v);
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

/* With `asking` held. The answer is in q->best. */
static enum err ask_proof(struct light *light, struct proof_question *q) {
    char hex[2 * BUNDLE_USER_KEY_MAX + 1];
    char path[LIGHT_PATH_MAX];
    const struct light_judge judge = {judge_proof, q};
    q->light = light;
    q->now_ms = clock_wall_ms();
    if (light_trust_start(&light->trust, q->now_ms) != GOOD) {
        return ERR_DENIED;
    }
    hex_encode(q->user_key.data, q->user_key.len, hex);
    (void)snprintf(path, sizeof path, "/v1/proof?contract=%s&key=%s", q->contract, hex);
    enum err e = light_ask_all(light->ask, path, "application/octet-stream", LIGHT_BUNDLE_MAX, &judge);
    if (e == OK && !q->have) {
        e = q->no_memory ? ERR_NOMEM : ERR_NETWORK;
    }
    if (e == OK) {
        accept_head(light, &q->best);
    }
    return e;
}

/* With `asking` held. */
static enum err learn_heartbeat(struct light *light) {
    struct proof_question q = {.contract = GOVERNANCE, .user_key = bytes_str("params"), .tells_heartbeat = true};
    struct params_record params;
    enum err e = ask_proof(light, &q);
    if (e == OK) {
        e = record_decode(&params_record_shape, buffer_bytes(&q.best.value), &params); /* it was, to judge the head */
    }
    if (e == OK) {
        accept_params(light, &params.params);
    }
    light->params_due_ms = clock_mono_ms() + LIGHT_PARAMS_MS;
    light_value_free(&q.best);
    return e;
}

enum err light_refresh(struct light *light) {
    (void)pthread_mutex_lock(&light->asking);
    enum err e = learn_heartbeat(light);
    tell_verdict(light, e);
    (void)pthread_mutex_unlock(&light->asking);
    return e;
}

/* With `asking` held: the heartbeat first, where it is not known or may have been changed. A known one outlives a
 * question that nobody answers. */
static enum err ask_value(struct light *light, struct proof_question *q) {
    enum err e = OK;
    if (!light->trust.heartbeat_known || clock_mono_ms() >= light->params_due_ms) {
        e = learn_heartbeat(light);
    }
    return e == OK || (light->trust.heartbeat_known && e == ERR_NETWORK) ? ask_proof(light, q) : e;
}

enum err light_get(struct light *light, const char *contract, struct bytes user_key, struct light_value *out) {
    struct proof_question q = {.contract = contract, .user_key = user_key};
    if (user_key.len > BUNDLE_USER_KEY_MAX) {
        return ERR_RANGE;
    }
    (void)pthread_mutex_lock(&light->asking);
    enum err e = ask_value(light, &q);
    tell_verdict(light, e);
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
    bool (*take)(void *arg, size_t source, struct bytes body);
    void *arg;
};

static enum light_answer judge_hint(void *arg, size_t source, struct bytes body, const char **out_why) {
    const struct hint_question *q = arg;
    *out_why = "not the list that was asked for";
    return q->take(q->arg, source, body) ? ANSWER_GOOD : ANSWER_LIE;
}

void light_blame(struct light *light, size_t source, const char *why) {
    light_ask_blame(light->ask, source, why);
}

enum err light_hints(struct light *light, const char *path, size_t limit,
                     bool (*take)(void *arg, size_t source, struct bytes body), void *arg) {
    struct hint_question q = {take, arg};
    const struct light_judge judge = {judge_hint, &q};
    if (strlen(path) >= LIGHT_PATH_MAX) {
        return ERR_RANGE;
    }
    (void)pthread_mutex_lock(&light->asking);
    enum err e = light_ask_all(light->ask, path, "application/json", limit, &judge);
    (void)pthread_mutex_unlock(&light->asking);
    return e;
}

/* ---- What is known --------------------------------------------------------------------------------------- */

/* Under the lock. */
static struct light_head head_of(const struct light *light, uint64_t now_ms) {
    enum verdict verdict = light_trust_judge(&light->trust, now_ms);
    return (struct light_head){
        .height = light->trust.height,
        .time_ms = light->trust.time_ms,
        .max_lifetime_ms = light->trust.max_lifetime_ms,
        .verdict = verdict,
        .frozen = verdict != GOOD,
    };
}

void light_head(struct light *light, struct light_head *out) {
    (void)pthread_mutex_lock(&light->lock);
    *out = head_of(light, clock_wall_ms());
    (void)pthread_mutex_unlock(&light->lock);
}

bool light_is_current(struct light *light, uint64_t time_ms) {
    const struct light_trust *trust = &light->trust;
    uint64_t now_ms = clock_wall_ms();
    (void)pthread_mutex_lock(&light->lock);
    bool current = light_trust_judge(trust, now_ms) == GOOD &&
                   freshness_head(time_ms, now_ms, light_trust_limit(trust, trust->heartbeat_ms)) == GOOD;
    (void)pthread_mutex_unlock(&light->lock);
    return current;
}

void light_status(struct light *light, struct light_status *out) {
    const struct light_trust *trust = &light->trust;
    uint64_t now_ms = clock_wall_ms();
    (void)pthread_mutex_lock(&light->lock);
    *out = (struct light_status){.head = head_of(light, now_ms),
                                 .age_ms = now_ms > trust->time_ms ? now_ms - trust->time_ms : 0,
                                 .start_ms = trust->start_ms,
                                 .validators = trust->validator_count,
                                 .origin = trust->origin,
                                 .heartbeat_known = trust->heartbeat_known,
                                 .heartbeat_ms = trust->heartbeat_ms,
                                 .limit_ms = light_trust_limit(trust, trust->heartbeat_ms)};
    (void)pthread_mutex_unlock(&light->lock);
    out->source_count = light_ask_sources(light->ask, out->sources);
}

void light_explain(const struct light_status *status, struct why *out) {
    const struct light_head *head = &status->head;
    *out = WHY_NONE;
    if (head->verdict == BAD_START) {
        why_set(out, "untrusted: what trust rests on is older than %d days; set gateway.checkpoint to a recent one",
                FRESHNESS_TRUSTING_DAYS);
    } else if (head->verdict == BAD_ABSENT) {
        why_set(out, "frozen: no source has given a head that verifies and is fresh");
    } else if (head->frozen) {
        why_set(out,
                "frozen: the newest head (height %llu) is %llu s old, the limit is %llu s: no answer is given from it; "
                "is this clock right, do the sources move on?",
                (unsigned long long)head->height, (unsigned long long)(status->age_ms / 1000),
                (unsigned long long)(status->limit_ms / 1000));
    }
}
