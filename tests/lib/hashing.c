#include "tests/lib/hashing.h"

static void hashing_init(struct hash_state *state) {
    sha256_init((struct sha256 *)(void *)state);
}

static void hashing_update(struct hash_state *state, const void *data, size_t len) {
    sha256_update((struct sha256 *)(void *)state, data, len);
}

static void hashing_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)(void *)state, out);
}

const struct verify_crypto hashing = {
    .hash_init = hashing_init, .hash_update = hashing_update, .hash_final = hashing_final};

uint64_t dice_roll(struct dice *d) {
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t dice_below(struct dice *d, uint64_t bound) {
    return dice_roll(d) % bound;
}
