#include "verify/state_proof.h"

#include <string.h>

#define PATH_VERSION 1
#define STEP_LEN (1 + HASH_LEN)

void state_key(const struct verify_crypto *crypto, struct bytes contract, struct bytes user_key,
               uint8_t out[HASH_LEN]) {
    static const uint8_t separator = 0;
    const struct bytes parts[] = {contract, {&separator, 1}, user_key};
    hash_parts(crypto, parts, 3, out);
}

void state_leaf_hash(const struct verify_crypto *crypto, const uint8_t key[HASH_LEN],
                     const uint8_t value_hash[HASH_LEN], uint8_t out[HASH_LEN]) {
    static const uint8_t leaf = 0;
    const struct bytes parts[] = {
        {(const uint8_t *)TAG_TREE, TAG_LEN}, {&leaf, 1}, {key, HASH_LEN}, {value_hash, HASH_LEN}};
    hash_parts(crypto, parts, 4, out);
}

void state_inner_hash(const struct verify_crypto *crypto, uint8_t bit, const uint8_t left[HASH_LEN],
                      const uint8_t right[HASH_LEN], uint8_t out[HASH_LEN]) {
    const uint8_t head[2] = {1, bit};
    const struct bytes parts[] = {
        {(const uint8_t *)TAG_TREE, TAG_LEN}, {head, sizeof head}, {left, HASH_LEN}, {right, HASH_LEN}};
    hash_parts(crypto, parts, 4, out);
}

static enum verdict read_steps(struct input *in, uint8_t (*work)[33], uint16_t steps_max, uint16_t *out_steps) {
    uint8_t head[3];
    if (!in->read(in->ctx, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    if (head[0] != PATH_VERSION) {
        return BAD_VERSION;
    }
    uint16_t steps = load_u16(head + 1);
    if (steps > STATE_PATH_STEPS_MAX || steps > steps_max) {
        return BAD_LIMIT;
    }
    for (uint16_t i = 0; i < steps; i++) {
        if (!in->read(in->ctx, work[i], STEP_LEN)) {
            return BAD_TRUNCATED;
        }
        if (i > 0 && work[i][0] <= work[i - 1][0]) {
            return BAD_ENCODING;
        }
    }
    *out_steps = steps;
    return GOOD;
}

/* Takes the end of the path and gives the hash of the leaf it names; for an empty tree, the zeros that are its root. */
static enum verdict read_end(const struct verify_crypto *crypto, const uint8_t key[HASH_LEN], const uint8_t *value_hash,
                             struct input *in, uint8_t (*work)[33], uint16_t steps, enum state_path_end *out_end,
                             uint8_t out_hash[HASH_LEN]) {
    uint8_t end;
    uint8_t other[2 * HASH_LEN];
    if (!in->read(in->ctx, &end, 1)) {
        return BAD_TRUNCATED;
    }
    switch (end) {
    case PATH_EMPTY:
        if (steps > 0) {
            return BAD_ENCODING;
        }
        memset(out_hash, 0, HASH_LEN);
        break;
    case PATH_PRESENT:
        if (value_hash == NULL) {
            return BAD_ENCODING;
        }
        state_leaf_hash(crypto, key, value_hash, out_hash);
        break;
    case PATH_OTHER:
        if (!in->read(in->ctx, other, sizeof other)) {
            return BAD_TRUNCATED;
        }
        /* The other leaf hangs where the steps lead, so its key turns at each of them as ours does. */
        for (uint16_t i = 0; i < steps; i++) {
            if (state_key_bit(other, work[i][0]) != state_key_bit(key, work[i][0])) {
                return BAD_ENCODING;
            }
        }
        if (memcmp(other, key, HASH_LEN) == 0) {
            return BAD_ENCODING;
        }
        state_leaf_hash(crypto, other, other + HASH_LEN, out_hash);
        break;
    default:
        return BAD_ENCODING;
    }
    *out_end = (enum state_path_end)end;
    return GOOD;
}

enum verdict state_path_verify(const struct verify_crypto *crypto, const uint8_t root[HASH_LEN],
                               const uint8_t key[HASH_LEN], const uint8_t *value_hash, struct input *in,
                               uint8_t (*work)[33], uint16_t steps_max, enum state_path_end *out_end) {
    uint16_t steps;
    enum state_path_end end;
    uint8_t hash[HASH_LEN];
    enum verdict v = read_steps(in, work, steps_max, &steps);
    if (v == GOOD) {
        v = read_end(crypto, key, value_hash, in, work, steps, &end, hash);
    }
    if (v != GOOD) {
        return v;
    }
    for (uint16_t i = steps; i > 0; i--) {
        const uint8_t *step = work[i - 1];
        if (state_key_bit(key, step[0])) {
            state_inner_hash(crypto, step[0], step + 1, hash, hash);
        } else {
            state_inner_hash(crypto, step[0], hash, step + 1, hash);
        }
    }
    if (memcmp(hash, root, HASH_LEN) != 0) {
        return BAD_PATH;
    }
    *out_end = end;
    return GOOD;
}
