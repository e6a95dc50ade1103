#include "tests/sim/sim.h"

#include "node/host_crypto.h"

#include <string.h>

uint64_t sim_next(struct sim_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim_random *random, uint64_t bound) {
    return bound == 0 ? 0 : sim_next(random) % bound;
}

uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high) {
    return low + sim_below(random, high - low + 1);
}

bool sim_chance(struct sim_random *random, uint32_t per_mille) {
    return sim_below(random, 1000) < per_mille;
}

/* FNV-like over key and message: no strength is needed, only that different inputs differ. */
void sim_sign(const uint8_t key[KEY_LEN], const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < KEY_LEN; i++) {
        h = (h ^ key[i]) * 0x100000001b3u;
    }
    for (size_t i = 0; i < len; i++) {
        h = (h ^ message[i]) * 0x100000001b3u;
    }
    struct sim_random stream = {h};
    for (size_t i = 0; i < SIG_LEN; i += 8) {
        store_u64(out + i, sim_next(&stream));
    }
}

static bool check(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    uint8_t expected[SIG_LEN];
    sim_sign(key, message, len, expected);
    return memcmp(expected, sig, SIG_LEN) == 0;
}

static void hash_init(struct hash_state *state) {
    host_crypto.hash_init(state);
}

static void hash_update(struct hash_state *state, const void *data, size_t len) {
    host_crypto.hash_update(state, data, len);
}

static void hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    host_crypto.hash_final(state, out);
}

const struct verify_crypto sim_crypto = {
    .hash_init = hash_init,
    .hash_update = hash_update,
    .hash_final = hash_final,
    .ed25519_verify = check,
};
