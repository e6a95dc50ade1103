#include "tests/lib/test_crypto.h"

static void test_hash_init(struct hash_state *state) {
    sha256_init((struct sha256 *)(void *)state);
}

static void test_hash_update(struct hash_state *state, const void *data, size_t len) {
    sha256_update((struct sha256 *)(void *)state, data, len);
}

static void test_hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)(void *)state, out);
}

const struct verify_crypto test_crypto = {
    .hash_init = test_hash_init,
    .hash_update = test_hash_update,
    .hash_final = test_hash_final,
    .ed25519_verify = ed25519_verify,
    .p256_verify = p256_verify,
};
