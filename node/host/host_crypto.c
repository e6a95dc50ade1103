#include "node/host/host_crypto.h"

#include "base/ed25519.h"
#include "base/p256.h"
#include "base/sha256.h"

_Static_assert(sizeof(struct sha256) == sizeof(struct hash_state), "the seam's running hash holds base's");

static struct sha256 *running(struct hash_state *state) {
    return (struct sha256 *)(void *)state;
}

static void hash_init(struct hash_state *state) {
    sha256_init(running(state));
}

static void hash_update(struct hash_state *state, const void *data, size_t len) {
    sha256_update(running(state), data, len);
}

static void hash_final(struct hash_state *state, uint8_t out[HASH_LEN]) {
    sha256_final(running(state), out);
}

const struct verify_crypto host_crypto = {
    .hash_init = hash_init,
    .hash_update = hash_update,
    .hash_final = hash_final,
    .ed25519_verify = ed25519_verify,
    .p256_verify = p256_verify,
};
