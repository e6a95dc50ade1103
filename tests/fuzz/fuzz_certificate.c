/* Any bytes as a certificate over sets of different sizes, and as a validator set. */
#include "tests/lib/proof_fixture.h"

#include <stdlib.h>

static bool any_signature(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    (void)key;
    (void)message;
    (void)len;
    return sig[0] != 0xff;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint16_t sizes[] = {1, 4, 100};
    static uint8_t memory[VALIDATORS_MAX][KEY_LEN];
    struct verify_crypto crypto = fixture_crypto;
    crypto.ed25519_verify = any_signature;
    for (size_t i = 0; i < 3; i++) {
        struct validator_set set = {(const uint8_t(*)[KEY_LEN])memory, sizes[i]};
        struct vote_subject subject;
        struct bytes_input from = {{data, size}};
        struct input in = input_of_bytes(&from);
        if (certificate_verify(&crypto, memory[0], &set, &in, &subject) == GOOD && subject.kind == VOTE_PROPOSE) {
            abort();
        }
    }
    struct bytes_input from = {{data, size}};
    struct input in = input_of_bytes(&from);
    struct validator_set set;
    if (validators_read(&in, memory, VALIDATORS_MAX, &set) == GOOD) {
        uint8_t back[VALIDATOR_SET_MAX];
        size_t len = validators_encode(&set, back);
        if (len > size || memcmp(back, data, len) != 0) {
            abort();
        }
    }
    return 0;
}
