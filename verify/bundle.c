#include "verify/bundle.h"

#include <string.h>

#define BUNDLE_VERSION 1

/* What the walk carries from part to part: the set believed so far and the header it stands at. */
struct walk {
    const struct verify_crypto *crypto;
    const struct trust *trust;
    const struct bundle_work *work;
    struct input *in;
    uint64_t epoch;
    struct validator_set set;
    uint8_t set_hash[HASH_LEN];
    bool pin_met;
};

static bool pull(struct walk *w, void *out, size_t len) {
    return w->in->read(w->in->ctx, out, len);
}

static enum verdict read_magic(struct walk *w, uint16_t *out_steps) {
    uint8_t head[7];
    if (!pull(w, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    if (memcmp(head, "ASPB", 4) != 0) {
        return BAD_ENCODING;
    }
    if (head[4] != BUNDLE_VERSION) {
        return BAD_VERSION;
    }
    *out_steps = load_u16(head + 5);
    return *out_steps <= BUNDLE_EPOCH_STEPS_MAX ? GOOD : BAD_LIMIT;
}

/* A header of this chain. */
static enum verdict pull_header(struct walk *w, struct block_header *out, uint8_t out_hash[HASH_LEN]) {
    uint8_t encoded[BLOCK_HEADER_LEN];
    if (!pull(w, encoded, sizeof encoded)) {
        return BAD_TRUNCATED;
    }
    enum verdict v = block_header_decode(encoded, out);
    if (v == GOOD && memcmp(out->chain_id, w->trust->chain_id, CHAIN_ID_LEN) != 0) {
        v = BAD_CHAIN;
    }
    if (v == GOOD) {
        block_header_hash(w->crypto, encoded, out_hash);
    }
    return v;
}

/* Is it of the epoch and the set that are believed now, and the pinned block where it has its height? */
static enum verdict check_header(struct walk *w, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    if (header->epoch != w->epoch) {
        return BAD_EPOCH;
    }
    if (w->trust->pin_hash != NULL && header->height == w->trust->pin_height) {
        w->pin_met = memcmp(hash, w->trust->pin_hash, HASH_LEN) == 0;
        if (!w->pin_met) {
            return BAD_PIN;
        }
    }
    return memcmp(header->validators_hash, w->set_hash, HASH_LEN) == 0 ? GOOD : BAD_VALIDATORS;
}

static enum verdict read_header(struct walk *w, struct block_header *out, uint8_t out_hash[HASH_LEN]) {
    enum verdict v = pull_header(w, out, out_hash);
    return v == GOOD ? check_header(w, out, out_hash) : v;
}

/* The view is not compared: a closing block may be proposed again in later views. */
static enum verdict read_finalization(struct walk *w, const uint8_t block[HASH_LEN]) {
    struct vote_subject subject;
    enum verdict v = certificate_verify(w->crypto, w->trust->chain_id, &w->set, w->in, &subject);
    if (v != GOOD) {
        return v;
    }
    if (subject.kind != VOTE_FINALIZE) {
        return BAD_KIND;
    }
    if (subject.epoch != w->epoch) {
        return BAD_EPOCH;
    }
    return memcmp(subject.block, block, HASH_LEN) == 0 ? GOOD : BAD_LINK;
}

/* What is left of a step that the verifier has behind it. */
static enum verdict skip_step(struct walk *w) {
    uint8_t head[VALIDATOR_SET_HEAD_LEN], key[KEY_LEN];
    enum verdict v = certificate_skip(w->in);
    if (v == GOOD && !pull(w, head, sizeof head)) {
        v = BAD_TRUNCATED;
    }
    uint16_t count = v == GOOD ? load_u16(head + 1) : 0;
    if (count > VALIDATORS_MAX) {
        v = BAD_LIMIT;
    }
    for (uint16_t i = 0; v == GOOD && i < count; i++) {
        v = pull(w, key, sizeof key) ? GOOD : BAD_TRUNCATED;
    }
    return v;
}

/* From one epoch to the next: the old set finalized a header that names the new set's hash. */
static enum verdict read_epoch_step(struct walk *w) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    struct validator_set next;
    enum verdict v = pull_header(w, &header, hash);
    if (v == GOOD && w->epoch == w->trust->epoch && header.epoch < w->epoch) {
        return skip_step(w);
    }
    if (v == GOOD) {
        v = check_header(w, &header, hash);
    }
    if (v == GOOD && memcmp(header.next_validators_hash, header.validators_hash, HASH_LEN) == 0) {
        v = BAD_EPOCH; /* it does not close its epoch */
    }
    if (v == GOOD) {
        v = read_finalization(w, hash);
    }
    if (v == GOOD) {
        v = validators_read(w->in, w->work->set_memory, w->work->set_capacity, &next);
    }
    if (v != GOOD) {
        return v;
    }
    validators_hash(w->crypto, &next, w->set_hash);
    if (memcmp(w->set_hash, header.next_validators_hash, HASH_LEN) != 0) {
        return BAD_VALIDATORS;
    }
    w->set = next;
    w->epoch++;
    return GOOD;
}

/* Headers that hang below the first one, each by its parent's hash, and the finalization of the last. */
static enum verdict read_links(struct walk *w, const struct bundle_result *first) {
    uint8_t count[2];
    if (!pull(w, count, sizeof count)) {
        return BAD_TRUNCATED;
    }
    uint16_t links = load_u16(count);
    if (links > BUNDLE_LINKS_MAX) {
        return BAD_LIMIT;
    }
    uint8_t last[HASH_LEN];
    uint64_t height = first->header.height;
    memcpy(last, first->header_hash, HASH_LEN);
    for (uint16_t i = 0; i < links; i++) {
        struct block_header child;
        uint8_t hash[HASH_LEN];
        enum verdict v = read_header(w, &child, hash);
        if (v != GOOD) {
            return v;
        }
        if (memcmp(child.parent, last, HASH_LEN) != 0 || child.height != height + 1) {
            return BAD_LINK;
        }
        memcpy(last, hash, HASH_LEN);
        height = child.height;
    }
    return read_finalization(w, last);
}

static enum verdict check_age(const struct trust *trust, const struct block_header *header) {
    if (header->height < trust->min_height) {
        return BAD_HEIGHT;
    }
    return freshness_head(header->time_ms, trust->now_ms, trust->max_age_ms);
}

static enum verdict read_names(struct walk *w, struct bundle_result *out) {
    uint8_t len[2];
    if (!pull(w, len, 1)) {
        return BAD_TRUNCATED;
    }
    if (len[0] == 0 || len[0] > BUNDLE_NAME_MAX) {
        return BAD_LIMIT;
    }
    memset(out->contract, 0, sizeof out->contract);
    if (!pull(w, out->contract, len[0])) {
        return BAD_TRUNCATED;
    }
    /* A zero inside would end the name early, and it is what parts it from the key. */
    if (memchr(out->contract, 0, len[0]) != NULL) {
        return BAD_ENCODING;
    }
    if (!pull(w, len, sizeof len)) {
        return BAD_TRUNCATED;
    }
    out->user_key_len = load_u16(len);
    if (out->user_key_len > BUNDLE_USER_KEY_MAX) {
        return BAD_LIMIT;
    }
    return pull(w, out->user_key, out->user_key_len) ? GOOD : BAD_TRUNCATED;
}

static enum verdict read_value(struct walk *w, struct bundle_result *out, uint8_t out_hash[HASH_LEN]) {
    uint8_t head[5];
    if (!pull(w, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    out->present = head[0] == 1;
    out->value_len = load_u32(head + 1);
    if (head[0] > 1 || (!out->present && out->value_len > 0)) {
        return BAD_ENCODING;
    }
    if (out->value_len > w->work->value_capacity) {
        return BAD_LIMIT;
    }
    if (out->value_len > 0 && !pull(w, w->work->value_memory, out->value_len)) {
        return BAD_TRUNCATED;
    }
    const struct bytes value = {w->work->value_memory, out->value_len};
    hash_parts(w->crypto, &value, 1, out_hash);
    return GOOD;
}

/* The value and its path to the state root of the header. */
static enum verdict read_state(struct walk *w, struct bundle_result *out) {
    uint8_t value_hash[HASH_LEN];
    uint8_t key[HASH_LEN];
    enum state_path_end end;
    enum verdict v = read_names(w, out);
    if (v == GOOD) {
        v = read_value(w, out, value_hash);
    }
    if (v != GOOD) {
        return v;
    }
    const struct bytes contract = {(const uint8_t *)out->contract, strlen(out->contract)};
    const struct bytes user_key = {out->user_key, out->user_key_len};
    state_key(w->crypto, contract, user_key, key);
    v = state_path_verify(w->crypto, out->header.state_root, key, out->present ? value_hash : NULL, w->in,
                          w->work->path_memory, w->work->path_capacity, &end);
    if (v == GOOD && out->present != (end == PATH_PRESENT)) {
        v = BAD_ENCODING;
    }
    return v;
}

enum verdict bundle_verify(const struct verify_crypto *crypto, const struct trust *trust,
                           const struct bundle_work *work, struct input *in, struct bundle_result *out) {
    struct bundle_result result;
    struct walk w = {crypto, trust, work, in, trust->epoch, trust->validators, {0}, false};
    uint16_t steps;
    uint8_t extra;
    validators_hash(crypto, &w.set, w.set_hash);
    enum verdict v = read_magic(&w, &steps);
    for (uint16_t i = 0; v == GOOD && i < steps; i++) {
        v = read_epoch_step(&w);
    }
    if (v == GOOD) {
        v = read_header(&w, &result.header, result.header_hash);
    }
    if (v == GOOD) {
        v = check_age(trust, &result.header);
    }
    if (v == GOOD) {
        v = read_links(&w, &result);
    }
    if (v == GOOD) {
        v = read_state(&w, &result);
    }
    if (v == GOOD && pull(&w, &extra, 1)) {
        v = BAD_TRAILING;
    }
    if (v != GOOD) {
        return v;
    }
    result.epoch = w.epoch;
    result.validators = w.set;
    result.pin_met = w.pin_met;
    *out = result;
    return GOOD;
}

bool bundle_is_about(const struct bundle_result *result, const char *contract, struct bytes user_key) {
    return strcmp(result->contract, contract) == 0 && result->user_key_len == user_key.len &&
           (user_key.len == 0 || memcmp(result->user_key, user_key.data, user_key.len) == 0);
}
