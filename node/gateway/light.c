#include "node/gateway/light.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/cli/client.h"
#include "node/host_crypto.h"
#include "node/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUNDLE_MAX (256u * 1024u)
#define VALUE_MAX LIMIT_STATE_VALUE
#define CALL_TIMEOUT_MS 5000
#define STATE_FILE_LEN (32 + 8 + 8)

struct light {
    struct light_config config;
    char state_file[CONFIG_PATH_MAX];
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t validator_count;
    pthread_mutex_t lock;
    struct client *clients[CONFIG_SOURCES_MAX];
    struct light_source sources[CONFIG_SOURCES_MAX];
    uint64_t height; /* highest accepted */
    uint64_t time_ms;
    uint8_t path_memory[STATE_PATH_STEPS_MAX][33];
    uint8_t value_memory[VALUE_MAX];
};

static enum err load_state(struct light *light) {
    struct buffer b = BUFFER_INIT;
    enum err e = file_read(light->state_file, STATE_FILE_LEN, &b);
    if (e == OK && b.len == STATE_FILE_LEN && memcmp(b.data, light->chain_id, CHAIN_ID_LEN) == 0) {
        light->height = load_u64(b.data + 32);
        light->time_ms = load_u64(b.data + 40);
    } else if (e == OK) {
        e = ERR_MISMATCH;
    }
    buffer_free(&b);
    return e == ERR_NOTFOUND ? OK : e;
}

static void save_state(struct light *light) {
    uint8_t raw[STATE_FILE_LEN];
    memcpy(raw, light->chain_id, CHAIN_ID_LEN);
    store_u64(raw + 32, light->height);
    store_u64(raw + 40, light->time_ms);
    enum err e = file_write_atomic(light->state_file, bytes_of(raw, sizeof raw), 0600);
    if (e != OK) {
        log_event(LOG_ERROR, "light.state", log_err(e), log_text("file", light->state_file));
    }
}

enum err light_new(const struct light_config *config, struct light **out) {
    struct light *light = calloc(1, sizeof *light);
    if (light == NULL) {
        return ERR_NOMEM;
    }
    light->config = *config;
    (void)snprintf(light->state_file, sizeof light->state_file, "%s", config->state_file);
    (void)pthread_mutex_init(&light->lock, NULL);
    genesis_chain_id(config->genesis, &host_crypto, light->chain_id);
    light->validator_count = genesis_validators(config->genesis, light->keys);
    enum err e = load_state(light);
    for (size_t i = 0; i < config->sources->count && e == OK; i++) {
        const struct client_config client = {.url = config->sources->url[i], .timeout_ms = CALL_TIMEOUT_MS};
        light->sources[i].url = config->sources->url[i];
        e = client_new(&client, &light->clients[i]);
    }
    if (e != OK) {
        light_free(light);
        return e;
    }
    *out = light;
    return OK;
}

void light_free(struct light *light) {
    if (light == NULL) {
        return;
    }
    for (size_t i = 0; i < CONFIG_SOURCES_MAX; i++) {
        client_free(light->clients[i]);
    }
    (void)pthread_mutex_destroy(&light->lock);
    free(light);
}

const uint8_t *light_chain_id(const struct light *light) {
    return light->chain_id;
}

void light_value_free(struct light_value *value) {
    buffer_free(&value->value);
    buffer_free(&value->bundle);
}

/* Judges one source's answer; GOOD only for a proof about the very key, not older than what was accepted before. */
static enum verdict judge(struct light *light, struct bytes bundle, const char *contract, struct bytes user_key,
                          struct bundle_result *out) {
    struct trust trust = {.validators = {(const uint8_t(*)[KEY_LEN])light->keys, light->validator_count},
                          .min_height = light->height};
    memcpy(trust.chain_id, light->chain_id, CHAIN_ID_LEN);
    const struct bundle_work work = {.path_memory = light->path_memory,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = light->value_memory,
                                     .value_capacity = VALUE_MAX};
    struct span_input from = {{bundle.data, bundle.len}};
    struct input in = input_of_span(&from);
    enum verdict v = bundle_verify(&host_crypto, &trust, &work, &in, out);
    if (v == GOOD && !bundle_is_about(out, contract, (struct span){user_key.data, user_key.len})) {
        v = BAD_KEY;
    }
    return v;
}

static void note(struct light_source *source, const char *why) {
    if (strcmp(source->last_why, why) != 0) {
        (void)snprintf(source->last_why, sizeof source->last_why, "%s", why);
        log_event(LOG_WARN, "source.refused", log_text("url", source->url), log_text("why", why));
    }
}

/* Asks one source; takes its answer into `best` when it verifies and is newer. */
static void ask(struct light *light, size_t i, const char *path, const char *contract, struct bytes user_key,
                struct light_value *best, bool *have) {
    struct light_source *source = &light->sources[i];
    struct buffer bundle = BUFFER_INIT;
    struct bundle_result result;
    enum err e = client_get_bytes(light->clients[i], path, "application/octet-stream", BUNDLE_MAX, &bundle);
    if (e != OK) {
        source->failures++;
        note(source, client_why(light->clients[i]));
        buffer_free(&bundle);
        return;
    }
    enum verdict v = judge(light, buffer_bytes(&bundle), contract, user_key, &result);
    if (v != GOOD) {
        /* A node that is merely behind gives an old head; anything else is an answer no honest node gives. */
        source->failures += v == BAD_HEIGHT;
        source->lies += v != BAD_HEIGHT;
        note(source, verdict_text(v));
        buffer_free(&bundle);
        return;
    }
    source->answers++;
    source->last_why[0] = '\0';
    if (*have && result.header.height <= best->height) {
        buffer_free(&bundle);
        return;
    }
    buffer_free(&best->bundle);
    best->bundle = bundle;
    best->height = result.header.height;
    best->time_ms = result.header.time_ms;
    best->present = result.present;
    buffer_reset(&best->value);
    if (result.present) {
        buffer_put(&best->value, light->value_memory, result.value_len);
    }
    *have = buffer_ok(&best->value) == OK;
}

enum err light_get(struct light *light, const char *contract, struct bytes user_key, struct light_value *out) {
    char hex[2 * BUNDLE_USER_KEY_MAX + 1];
    char path[sizeof hex + 128];
    if (user_key.len > BUNDLE_USER_KEY_MAX) {
        return ERR_RANGE;
    }
    hex_encode(user_key.data, user_key.len, hex);
    (void)snprintf(path, sizeof path, "/v1/proof?contract=%s&key=%s", contract, hex);
    struct light_value best = {0};
    bool have = false;
    (void)pthread_mutex_lock(&light->lock);
    for (size_t i = 0; i < light->config.sources->count; i++) {
        ask(light, i, path, contract, user_key, &best, &have);
    }
    if (have && best.height > light->height) {
        light->height = best.height;
        light->time_ms = best.time_ms;
        save_state(light);
    }
    (void)pthread_mutex_unlock(&light->lock);
    if (!have) {
        light_value_free(&best);
        return ERR_NETWORK;
    }
    light_value_free(out);
    *out = best;
    return OK;
}

void light_status(struct light *light, struct light_status *out) {
    (void)pthread_mutex_lock(&light->lock);
    *out = (struct light_status){.height = light->height, .time_ms = light->time_ms};
    uint64_t now = clock_wall_ms();
    out->frozen = now > light->time_ms && now - light->time_ms > light->config.freshness_ms;
    out->source_count = light->config.sources->count;
    memcpy(out->sources, light->sources, sizeof out->sources);
    (void)pthread_mutex_unlock(&light->lock);
}
