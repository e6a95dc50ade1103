/* The crypto seam for tests of verify/, filled with base/'s functions. */
#ifndef ASSAY_TESTS_LIB_TEST_CRYPTO_H
#define ASSAY_TESTS_LIB_TEST_CRYPTO_H

#include "base/ed25519.h"
#include "base/p256.h"
#include "base/sha256.h"
#include "verify/crypto.h"

extern const struct verify_crypto test_crypto;

#endif
