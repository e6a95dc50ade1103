/* The crypto seam for tests of verify/, filled with base/'s functions. */
#ifndef ASSAY_TESTS_LIB_TEST_CRYPTO_H
#define ASSAY_TESTS_LIB_TEST_CRYPTO_H

#include "base/ed25519.h"
#include "base/p256.h"
#include "base/sha256.h"
#include "verify/crypto.h"

void test_hash_init(struct hash_state *state);
void test_hash_update(struct hash_state *state, const void *data, size_t len);
void test_hash_final(struct hash_state *state, uint8_t out[HASH_LEN]);

extern const struct verify_crypto test_crypto;

#endif
