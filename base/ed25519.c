#include "base/ed25519.h"

#include <sodium.h>

_Static_assert(ED25519_SIG_LEN == crypto_sign_BYTES, "signature length");
_Static_assert(ED25519_SECRET_LEN == crypto_sign_SECRETKEYBYTES, "secret key length");

void ed25519_from_seed(const uint8_t seed[ED25519_SEED_LEN], uint8_t out_public[ED25519_KEY_LEN],
                       uint8_t out_secret[ED25519_SECRET_LEN]) {
    (void)crypto_sign_seed_keypair(out_public, out_secret, seed);
}

void ed25519_sign(const uint8_t secret[ED25519_SECRET_LEN], const void *message, size_t len,
                  uint8_t out_signature[ED25519_SIG_LEN]) {
    (void)crypto_sign_detached(out_signature, NULL, message, len, secret);
}

bool ed25519_verify(const uint8_t key[ED25519_KEY_LEN], const void *message, size_t len,
                    const uint8_t signature[ED25519_SIG_LEN]) {
    return crypto_sign_verify_detached(signature, message, len, key) == 0;
}

void secure_wipe(void *data, size_t len) {
    sodium_memzero(data, len);
}

void random_fill(void *data, size_t len) {
    randombytes_buf(data, len);
}

enum err crypto_start(void) {
    return sodium_init() < 0 ? ERR_UNSUPPORTED : OK;
}
