/* Any bytes as a delegation; signatures are taken to be good, so that what lies behind them is reached. */
#include "tests/lib/proof_fixture.h"
#include "verify/delegation.h"

#include <stdlib.h>

static bool any_signature(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    (void)key;
    (void)message;
    (void)len;
    (void)sig;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct verify_crypto crypto = fixture_crypto;
    crypto.ed25519_verify = any_signature;
    static const uint8_t root[KEY_LEN];
    struct delegation d;
    if (delegation_verify(&crypto, root, bytes_of(data, size), &d) == GOOD) {
        uint8_t back[DELEGATION_MAX];
        size_t len = delegation_encode(&d, back);
        if (len + SIG_LEN != size || memcmp(back, data, len) != 0) {
            abort();
        }
        (void)delegation_covers(&d, d.chain_id, d.classes[0], 1);
    }
    return 0;
}
