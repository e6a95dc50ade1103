/* Any bytes as a proof bundle. Signatures are taken to be good, so that the walk is reached behind them. */
#include "tests/lib/proof_fixture.h"

static bool any_signature(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    (void)key;
    (void)message;
    (void)len;
    return sig[0] != 0xff;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t set_memory[VALIDATORS_MAX][KEY_LEN], path_memory[64][33], value_memory[300];
    static struct fixture_set set;
    struct verify_crypto crypto = fixture_crypto;
    crypto.ed25519_verify = any_signature;
    if (set.count == 0) {
        fixture_set_make(&set, 1, 4);
    }
    struct trust trust = {.epoch = 0, .validators = fixture_validators(&set)};
    struct bundle_work work = {set_memory, VALIDATORS_MAX, path_memory, 64, value_memory, sizeof value_memory};
    struct bundle_result result;
    uint8_t copy[BLOCK_HEADER_LEN + 7 + 2000];
    if (size > sizeof copy) {
        size = sizeof copy;
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    /* What no mutation finds by itself: the hash of the trusted set in the first header. */
    if (size >= 7 + BLOCK_HEADER_LEN) {
        memset(copy + 8, 0, CHAIN_ID_LEN);
        validators_hash(&crypto, &trust.validators, copy + 7 + 195);
    }
    struct bytes_input from = {{copy, size}};
    struct input in = input_of_bytes(&from);
    (void)bundle_verify(&crypto, &trust, &work, &in, &result);
    uint8_t root[HASH_LEN] = {0};
    enum state_path_end end;
    from = (struct bytes_input){{data, size}};
    in = input_of_bytes(&from);
    (void)state_path_verify(&crypto, root, set.keys[0], set.keys[1], &in, path_memory, 64, &end);
    return 0;
}
