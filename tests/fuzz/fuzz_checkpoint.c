/* Any bytes as a checkpoint, read with much and with little room; hashes and signatures are taken as they come, so that
 * what lies behind them is reached. */
#include "tests/lib/proof_fixture.h"
#include "verify/checkpoint.h"

#include <stdlib.h>

static bool any_signature(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    (void)key;
    (void)message;
    (void)len;
    (void)sig;
    return true;
}

/* Every hash is zeros, as it is in most of what a fuzzer makes. */
static void zero_hash(struct hash_state *state, uint8_t out[HASH_LEN]) {
    (void)state;
    memset(out, 0, HASH_LEN);
}

static void decode(const struct verify_crypto *crypto, const uint8_t *data, size_t size, uint16_t capacity) {
    static uint8_t memory[VALIDATORS_MAX][KEY_LEN];
    struct checkpoint c;
    if (checkpoint_decode(crypto, bytes_of(data, size), memory, capacity, &c) != GOOD) {
        return;
    }
    uint8_t back[CHECKPOINT_MAX];
    size_t len = checkpoint_encode(&c, back);
    if (c.validators.count > capacity || len + (c.is_signed ? SIG_LEN : 0) != size || memcmp(back, data, len) != 0) {
        abort();
    }
    struct trust trust = checkpoint_trust(&c);
    if (trust.epoch != c.header.epoch || trust.pin_hash != c.hash) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct verify_crypto lenient = fixture_crypto;
    lenient.ed25519_verify = any_signature;
    lenient.hash_final = zero_hash;
    decode(&fixture_crypto, data, size, VALIDATORS_MAX);
    decode(&lenient, data, size, VALIDATORS_MAX);
    decode(&lenient, data, size, 1);
    return 0;
}
