/* Ed25519 signatures (RFC 8032) through libsodium. */
#ifndef ASSAY_BASE_ED25519_H
#define ASSAY_BASE_ED25519_H

#include "base/bytes.h"

#define ED25519_KEY_LEN 32
#define ED25519_SECRET_LEN 64 /* libsodium's form: seed, then public key */
#define ED25519_SEED_LEN 32
#define ED25519_SIG_LEN 64

/* Makes the key pair of a seed. The caller wipes `out_secret` (secure_wipe) when done. */
void ed25519_from_seed(const uint8_t seed[ED25519_SEED_LEN], uint8_t out_public[ED25519_KEY_LEN],
                       uint8_t out_secret[ED25519_SECRET_LEN]);
void ed25519_sign(const uint8_t secret[ED25519_SECRET_LEN], const void *message, size_t len,
                  uint8_t out_signature[ED25519_SIG_LEN]);
/* Refuses small-order keys and non-canonical signatures, as libsodium does. */
bool ed25519_verify(const uint8_t key[ED25519_KEY_LEN], const void *message, size_t len,
                    const uint8_t signature[ED25519_SIG_LEN]);

/* Wipes memory in a way the compiler keeps. */
void secure_wipe(void *data, size_t len);
/* Fills with bytes of the system's generator. */
void random_fill(void *data, size_t len);

/* Call once at program start, before any thread: ERR_UNSUPPORTED when libsodium can't start. */
NODISCARD enum err crypto_start(void);

#endif
