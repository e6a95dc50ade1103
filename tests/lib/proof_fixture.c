#include "tests/lib/proof_fixture.h"
#include "tests/lib/certificate_encode.h"

static void fixture_hash_init(struct hash_state *state) {
    sha256_init((struct sha256 *)(void *)state);
}

static void fixture_hash_update(struct hash_state *state, const void *data, size_t len) {
    sha256_update((struct sha256 *)(void *)state, data, len);
}

static void fixture_hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)(void *)state, out);
}

const struct verify_crypto fixture_crypto = {fixture_hash_init, fixture_hash_update, fixture_hash_final, ed25519_verify,
                                             p256_verify};

void fixture_key(uint8_t a, uint8_t b, uint8_t out_public[KEY_LEN], uint8_t out_secret[ED25519_SECRET_LEN]) {
    uint8_t seed[ED25519_SEED_LEN];
    memset(seed, 0x56, sizeof seed);
    seed[0] = a;
    seed[1] = b;
    ed25519_from_seed(seed, out_public, out_secret);
}

void fixture_set_make(struct fixture_set *set, uint8_t number, uint16_t count) {
    set->count = count;
    for (uint16_t i = 0; i < count; i++) {
        fixture_key(number, (uint8_t)i, set->keys[i], set->secrets[i]);
    }
}

struct validator_set fixture_validators(const struct fixture_set *set) {
    return (struct validator_set){(const uint8_t(*)[KEY_LEN])set->keys, set->count};
}

size_t fixture_certificate(const struct fixture_set *set, uint16_t signers, const uint8_t *chain,
                           const struct vote_subject *subject, uint8_t *out) {
    uint8_t bitmap[BITMAP_LEN(VALIDATORS_MAX)] = {0};
    static uint8_t sigs[VALIDATORS_MAX][SIG_LEN];
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain, subject, message);
    for (uint16_t i = 0; i < signers; i++) {
        bitmap[i / 8] |= (uint8_t)(1u << (i % 8));
        ed25519_sign(set->secrets[i], message, sizeof message, sigs[i]);
    }
    return certificate_encode(subject, set->count, bitmap, (const uint8_t(*)[SIG_LEN])sigs, out);
}

const struct fixture_value *fixture_find(const struct fixture_state *state, const char *contract,
                                         struct bytes user_key) {
    uint8_t key[HASH_LEN];
    state_key(&fixture_crypto, bytes_of((const uint8_t *)contract, strlen(contract)), user_key, key);
    for (size_t i = 0; i < state->count; i++) {
        if (memcmp(state->values[i].key, key, HASH_LEN) == 0) {
            return &state->values[i];
        }
    }
    return NULL;
}

void fixture_put(struct fixture_state *state, const char *contract, struct bytes user_key, struct bytes value) {
    struct fixture_value v = {.user_key_len = user_key.len, .value_len = value.len};
    size_t at = 0;
    memcpy(v.contract, contract, strlen(contract) + 1);
    memcpy(v.user_key, user_key.data, user_key.len);
    memcpy(v.value, value.data, value.len);
    state_key(&fixture_crypto, bytes_of((const uint8_t *)contract, strlen(contract)), user_key, v.key);
    sha256(value.data, value.len, v.value_hash);
    while (at < state->count && memcmp(state->values[at].key, v.key, HASH_LEN) < 0) {
        at++;
    }
    if (at == state->count || memcmp(state->values[at].key, v.key, HASH_LEN) != 0) {
        memmove(state->values + at + 1, state->values + at, (state->count - at) * sizeof v);
        state->count++;
    }
    state->values[at] = v;
}

/* The first bit in which the lowest and the highest key of a sorted run part. */
static uint8_t fixture_parting_bit(const struct fixture_value *values, size_t count) {
    uint8_t bit = 0;
    while (state_key_bit(values[0].key, bit) == state_key_bit(values[count - 1].key, bit)) {
        bit++;
    }
    return bit;
}

static size_t fixture_left_count(const struct fixture_value *values, size_t count, uint8_t bit) {
    size_t left = 0;
    while (left < count && !state_key_bit(values[left].key, bit)) {
        left++;
    }
    return left;
}

void fixture_tree_hash(const struct fixture_value *values, size_t count, uint8_t out[HASH_LEN]) {
    if (count == 0) {
        memset(out, 0, HASH_LEN);
    } else if (count == 1) {
        state_leaf_hash(&fixture_crypto, values[0].key, values[0].value_hash, out);
    } else {
        uint8_t left[HASH_LEN], right[HASH_LEN];
        uint8_t bit = fixture_parting_bit(values, count);
        size_t n = fixture_left_count(values, count, bit);
        fixture_tree_hash(values, n, left);
        fixture_tree_hash(values + n, count - n, right);
        state_inner_hash(&fixture_crypto, bit, left, right, out);
    }
}

size_t fixture_path(const struct fixture_state *state, const uint8_t key[HASH_LEN], uint8_t *out) {
    const struct fixture_value *values = state->values;
    size_t count = state->count, len = 3;
    uint16_t steps = 0;
    out[0] = 1;
    while (count > 1) {
        uint8_t bit = fixture_parting_bit(values, count);
        size_t n = fixture_left_count(values, count, bit);
        out[len] = bit;
        if (state_key_bit(key, bit)) {
            fixture_tree_hash(values, n, out + len + 1);
            values += n;
            count -= n;
        } else {
            fixture_tree_hash(values + n, count - n, out + len + 1);
            count = n;
        }
        len += 1 + HASH_LEN;
        steps++;
    }
    store_u16(out + 1, steps);
    if (count == 0) {
        out[len++] = PATH_EMPTY;
    } else if (memcmp(values[0].key, key, HASH_LEN) == 0) {
        out[len++] = PATH_PRESENT;
    } else {
        out[len++] = PATH_OTHER;
        memcpy(out + len, values[0].key, HASH_LEN);
        memcpy(out + len + HASH_LEN, values[0].value_hash, HASH_LEN);
        len += 2 * HASH_LEN;
    }
    return len;
}

struct block_header fixture_header(const uint8_t chain[CHAIN_ID_LEN], uint64_t height, uint64_t epoch,
                                   const struct fixture_state *state, const struct fixture_set *set,
                                   const struct fixture_set *next) {
    struct block_header h = {.height = height, .epoch = epoch, .view = height + 3, .time_ms = 1000000 + height * 1000};
    struct validator_set own = fixture_validators(set), after = fixture_validators(next);
    memcpy(h.chain_id, chain, CHAIN_ID_LEN);
    memset(h.parent, 0x70, HASH_LEN);
    memset(h.tx_root, 0x71, HASH_LEN);
    memset(h.receipts_root, 0x72, HASH_LEN);
    if (state != NULL) {
        fixture_tree_hash(state->values, state->count, h.state_root);
    }
    validators_hash(&fixture_crypto, &own, h.validators_hash);
    validators_hash(&fixture_crypto, &after, h.next_validators_hash);
    return h;
}

size_t fixture_put_header(const struct block_header *h, uint8_t *out, uint8_t out_hash[HASH_LEN]) {
    block_header_encode(h, out);
    block_header_hash(&fixture_crypto, out, out_hash);
    return BLOCK_HEADER_LEN;
}

static size_t fixture_finalization(const struct fixture_set *set, const uint8_t *chain, uint64_t epoch, uint64_t view,
                                   const uint8_t hash[HASH_LEN], uint8_t *out) {
    struct vote_subject subject = {.epoch = epoch, .view = view, .kind = VOTE_FINALIZE};
    memcpy(subject.block, hash, HASH_LEN);
    return fixture_certificate(set, validators_quorum(set->count), chain, &subject, out);
}

size_t fixture_put_state(const struct fixture_state *state, const char *contract, struct bytes user_key, uint8_t *out) {
    const struct fixture_value *v = fixture_find(state, contract, user_key);
    uint8_t key[HASH_LEN];
    size_t len = 0, name = strlen(contract);
    out[len++] = (uint8_t)name;
    memcpy(out + len, contract, name);
    len += name;
    store_u16(out + len, (uint16_t)user_key.len);
    len += 2;
    if (user_key.len > 0) {
        memcpy(out + len, user_key.data, user_key.len);
    }
    len += user_key.len;
    out[len] = v != NULL;
    store_u32(out + len + 1, v != NULL ? (uint32_t)v->value_len : 0);
    len += 5;
    if (v != NULL) {
        memcpy(out + len, v->value, v->value_len);
        len += v->value_len;
    }
    state_key(&fixture_crypto, bytes_of((const uint8_t *)contract, name), user_key, key);
    return len + fixture_path(state, key, out + len);
}

size_t fixture_bundle_make(const struct fixture_bundle *b, uint8_t *out) {
    size_t len = 7;
    uint8_t hash[HASH_LEN];
    memcpy(out, "ASPB\x01", 5);
    store_u16(out + 5, b->steps);
    for (uint16_t i = 0; i < b->steps; i++) {
        struct block_header closing =
            fixture_header(b->chain, b->height / 2 + i, b->epoch + i, NULL, b->sets[i], b->sets[i + 1]);
        struct validator_set next = fixture_validators(b->sets[i + 1]);
        len += fixture_put_header(&closing, out + len, hash);
        len += fixture_finalization(b->sets[i], b->chain, b->epoch + i, closing.view + 1, hash, out + len);
        len += validators_encode(&next, out + len);
    }
    const struct fixture_set *set = b->sets[b->steps];
    uint64_t epoch = b->epoch + b->steps;
    struct block_header header = fixture_header(b->chain, b->height, epoch, b->state, set, set);
    len += fixture_put_header(&header, out + len, hash);
    store_u16(out + len, b->links);
    len += 2;
    for (uint16_t i = 0; i < b->links; i++) {
        struct block_header child = fixture_header(b->chain, b->height + i + 1, epoch, NULL, set, set);
        memcpy(child.parent, hash, HASH_LEN);
        len += fixture_put_header(&child, out + len, hash);
    }
    len += fixture_finalization(set, b->chain, epoch, header.view + b->links, hash, out + len);
    return len + fixture_put_state(b->state, b->contract, b->user_key, out + len);
}
