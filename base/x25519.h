/* X25519 key agreement (RFC 7748) through libsodium. */
#ifndef ASSAY_BASE_X25519_H
#define ASSAY_BASE_X25519_H

#include "base/bytes.h"

#define X25519_LEN 32 /* secret, public key and shared secret alike */

/* A fresh pair of the system's generator. The caller wipes `out_secret` (secure_wipe) when done. */
void x25519_keypair(uint8_t out_public[X25519_LEN], uint8_t out_secret[X25519_LEN]);
void x25519_public_key(const uint8_t secret[X25519_LEN], uint8_t out_public[X25519_LEN]);
/* ERR_INVALID when the other side's key is of small order, so that the result would be zeros whatever the secret. */
NODISCARD enum err x25519_shared(const uint8_t secret[X25519_LEN], const uint8_t public_key[X25519_LEN],
                                 uint8_t out_shared[X25519_LEN]);

#endif
