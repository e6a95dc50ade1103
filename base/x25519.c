#include "base/x25519.h"

#include "base/ed25519.h"

#include <sodium.h>
#include <string.h>

_Static_assert(X25519_LEN == crypto_scalarmult_BYTES, "point length");
_Static_assert(X25519_LEN == crypto_scalarmult_SCALARBYTES, "scalar length");

void x25519_keypair(uint8_t out_public[X25519_LEN], uint8_t out_secret[X25519_LEN]) {
    random_fill(out_secret, X25519_LEN);
    x25519_public_key(out_secret, out_public);
}

void x25519_public_key(const uint8_t secret[X25519_LEN], uint8_t out_public[X25519_LEN]) {
    (void)crypto_scalarmult_base(out_public, secret);
}

enum err x25519_shared(const uint8_t secret[X25519_LEN], const uint8_t public_key[X25519_LEN],
                       uint8_t out_shared[X25519_LEN]) {
    uint8_t shared[X25519_LEN];
    if (crypto_scalarmult(shared, secret, public_key) != 0) {
        return ERR_INVALID;
    }
    memcpy(out_shared, shared, sizeof shared);
    secure_wipe(shared, sizeof shared);
    return OK;
}
