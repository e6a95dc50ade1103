#include "node/gateway/light_trust.h"

#include "base/file.h"
#include "node/host/host_crypto.h"

#include <string.h>

#define STATE_HEAD_LEN (CHAIN_ID_LEN + 8 + 8 + 8)
#define STATE_FILE_MAX (STATE_HEAD_LEN + VALIDATOR_SET_MAX)

static struct validator_set believed_set(const struct light_trust *trust) {
    return (struct validator_set){(const uint8_t(*)[KEY_LEN])trust->keys, trust->validator_count};
}

static void start_at(struct light_trust *trust, uint64_t time_ms, enum light_origin origin) {
    if (time_ms > trust->start_ms) {
        trust->start_ms = time_ms;
        trust->origin = origin;
    }
}

void light_trust_init(struct light_trust *trust, const struct genesis *genesis, uint64_t configured_ms) {
    *trust = (struct light_trust){
        .start_ms = genesis->time_ms, .configured_ms = configured_ms, .max_lifetime_ms = LIMIT_TX_LIFETIME_MS};
    genesis_chain_id(genesis, &host_crypto, trust->chain_id);
    trust->validator_count = genesis_validators(genesis, trust->keys);
}

/* ---- The state file ---------------------------------------------------------------------------------------------- */

static enum err read_state(struct light_trust *trust, struct bytes file) {
    struct validator_set set;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    if (file.len < STATE_HEAD_LEN || memcmp(file.data, trust->chain_id, CHAIN_ID_LEN) != 0) {
        return ERR_CORRUPT;
    }
    struct bytes_input from = {{file.data + STATE_HEAD_LEN, file.len - STATE_HEAD_LEN}};
    struct input in = input_of_bytes(&from);
    if (validators_read(&in, keys, LIMIT_VALIDATORS, &set) != GOOD || from.rest.len != 0) {
        return ERR_CORRUPT;
    }
    memcpy(trust->keys, keys, (size_t)set.count * KEY_LEN);
    trust->validator_count = set.count;
    trust->height = load_u64(file.data + CHAIN_ID_LEN);
    trust->time_ms = load_u64(file.data + CHAIN_ID_LEN + 8);
    trust->epoch = load_u64(file.data + CHAIN_ID_LEN + 16);
    start_at(trust, trust->time_ms, LIGHT_FROM_HEAD);
    return OK;
}

enum err light_trust_load(struct light_trust *trust, const char *file) {
    struct buffer b = BUFFER_INIT;
    enum err e = file_read(file, STATE_FILE_MAX, &b);
    if (e == OK) {
        e = read_state(trust, buffer_bytes(&b));
    }
    buffer_free(&b);
    if (e == ERR_NOTFOUND) {
        return OK;
    }
    return e == ERR_TOOLARGE ? ERR_CORRUPT : e;
}

enum err light_trust_save(const struct light_trust *trust, const char *file) {
    uint8_t raw[STATE_FILE_MAX];
    const struct validator_set set = believed_set(trust);
    memcpy(raw, trust->chain_id, CHAIN_ID_LEN);
    store_u64(raw + CHAIN_ID_LEN, trust->height);
    store_u64(raw + CHAIN_ID_LEN + 8, trust->time_ms);
    store_u64(raw + CHAIN_ID_LEN + 16, trust->epoch);
    size_t len = STATE_HEAD_LEN + validators_encode(&set, raw + STATE_HEAD_LEN);
    return file_write_atomic(file, bytes_of(raw, len), 0600);
}

/* ---- The checkpoint ---------------------------------------------------------------------------------------------- */

static bool is_same_set(const struct light_trust *trust, const struct validator_set *set) {
    return set->count == trust->validator_count && memcmp(set->keys, trust->keys, (size_t)set->count * KEY_LEN) == 0;
}

/* Heights and epochs rise together, and an epoch has one set. */
static bool contradicts(const struct light_trust *trust, const struct checkpoint *checkpoint) {
    const struct block_header *pinned = &checkpoint->header;
    return (pinned->epoch == trust->epoch && !is_same_set(trust, &checkpoint->validators)) ||
           (pinned->height > trust->height && pinned->epoch < trust->epoch) ||
           (pinned->height <= trust->height && pinned->epoch > trust->epoch);
}

enum err light_trust_pin(struct light_trust *trust, const struct checkpoint *checkpoint) {
    const struct block_header *pinned = &checkpoint->header;
    if (memcmp(pinned->chain_id, trust->chain_id, CHAIN_ID_LEN) != 0) {
        return ERR_MISMATCH;
    }
    if (contradicts(trust, checkpoint)) {
        return ERR_INVALID;
    }
    trust->pinned = true;
    trust->pin_height = pinned->height;
    memcpy(trust->pin_hash, checkpoint->hash, HASH_LEN);
    if (pinned->height > trust->height) {
        memcpy(trust->keys, checkpoint->validators.keys, (size_t)checkpoint->validators.count * KEY_LEN);
        trust->validator_count = checkpoint->validators.count;
        trust->epoch = pinned->epoch;
        trust->height = pinned->height;
        trust->time_ms = pinned->time_ms;
    }
    start_at(trust, pinned->time_ms, LIGHT_FROM_CHECKPOINT);
    return OK;
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

struct trust light_trust_walk(const struct light_trust *trust) {
    struct trust walk = {.epoch = trust->epoch,
                         .validators = believed_set(trust),
                         .min_height = trust->height,
                         .pin_height = trust->pin_height,
                         .pin_hash = trust->pinned ? trust->pin_hash : NULL};
    memcpy(walk.chain_id, trust->chain_id, CHAIN_ID_LEN);
    return walk;
}

enum verdict light_trust_start(const struct light_trust *trust, uint64_t now_ms) {
    return freshness_start(FOLLOWER_GATEWAY, trust->start_ms, now_ms);
}

uint64_t light_trust_limit(const struct light_trust *trust, uint32_t heartbeat_ms) {
    return freshness_limit(FOLLOWER_GATEWAY, trust->configured_ms, heartbeat_ms);
}

enum verdict light_trust_judge(const struct light_trust *trust, uint64_t now_ms) {
    enum verdict v = light_trust_start(trust, now_ms);
    if (v == GOOD && !trust->heartbeat_known) {
        v = BAD_ABSENT;
    }
    return v == GOOD ? freshness_head(trust->time_ms, now_ms, light_trust_limit(trust, trust->heartbeat_ms)) : v;
}

bool light_trust_believe(struct light_trust *trust, const struct bundle_result *result) {
    if (result->epoch <= trust->epoch) {
        return false;
    }
    memcpy(trust->keys, result->validators.keys, (size_t)result->validators.count * KEY_LEN);
    trust->validator_count = result->validators.count;
    trust->epoch = result->epoch;
    return true;
}

bool light_trust_accept(struct light_trust *trust, uint64_t height, uint64_t time_ms) {
    if (height <= trust->height) {
        return false;
    }
    trust->height = height;
    trust->time_ms = time_ms;
    start_at(trust, time_ms, LIGHT_FROM_HEAD);
    return true;
}
