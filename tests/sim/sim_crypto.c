/* Signatures of a run. Most seeds use a keyed hash in the place of Ed25519: a run then spends its time on the ledger
 * and not on the curve. This file has the names of base/ed25519.h, so the program is linked with it instead of
 * base/ed25519.c; the seeds that ask for real signatures get libsodium's. */
#include "tests/sim/sim.h"

#include <sodium.h>
#include <string.h>

#define PEOPLE_MAX 8192

static bool real;
static struct sim_random filler;

/* FNV over key and message, eight bytes at a time: no strength is needed, only that different inputs differ. */
static void stand_in(const uint8_t key[KEY_LEN], const void *message, size_t len, uint8_t out[SIG_LEN]) {
    const uint8_t *at = message;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < KEY_LEN; i += 8) {
        h = (h ^ load_u64(key + i)) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (; len >= 8; len -= 8, at += 8) {
        h = (h ^ load_u64(at)) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (; len > 0; len--, at++) {
        h = (h ^ *at) * 0x100000001b3u;
    }
    struct sim_random stream = {h};
    for (size_t i = 0; i < SIG_LEN; i += 8) {
        store_u64(out + i, sim_next(&stream));
    }
}

void ed25519_from_seed(const uint8_t seed[ED25519_SEED_LEN], uint8_t out_public[ED25519_KEY_LEN],
                       uint8_t out_secret[ED25519_SECRET_LEN]) {
    if (real) {
        (void)crypto_sign_seed_keypair(out_public, out_secret, seed);
        return;
    }
    uint8_t derived[SIG_LEN];
    stand_in(seed, "public", 6, derived);
    memcpy(out_public, derived, ED25519_KEY_LEN);
    memcpy(out_secret, seed, ED25519_SEED_LEN);
    memcpy(out_secret + ED25519_SEED_LEN, out_public, ED25519_KEY_LEN);
}

void ed25519_sign(const uint8_t secret[ED25519_SECRET_LEN], const void *message, size_t len,
                  uint8_t out_signature[ED25519_SIG_LEN]) {
    if (real) {
        (void)crypto_sign_detached(out_signature, NULL, message, len, secret);
    } else {
        stand_in(secret + ED25519_SEED_LEN, message, len, out_signature);
    }
}

bool ed25519_verify(const uint8_t key[ED25519_KEY_LEN], const void *message, size_t len,
                    const uint8_t signature[ED25519_SIG_LEN]) {
    if (real) {
        return crypto_sign_verify_detached(signature, message, len, key) == 0;
    }
    uint8_t expected[SIG_LEN];
    stand_in(key, message, len, expected);
    return memcmp(expected, signature, SIG_LEN) == 0;
}

void secure_wipe(void *data, size_t len) {
    sodium_memzero(data, len);
}

void random_fill(void *data, size_t len) {
    uint8_t *at = data; /* nothing in a run may come from outside it */
    for (size_t i = 0; i < len; i++) {
        at[i] = (uint8_t)sim_next(&filler);
    }
}

enum err crypto_start(void) {
    return sodium_init() >= 0 ? OK : ERR_UNSUPPORTED;
}

void sim_crypto_begin(uint64_t seed, bool real_signatures) {
    real = real_signatures;
    filler = sim_stream(seed, STREAM_FILLER, 0, 0);
}

void sim_person(uint64_t number, uint8_t public_key[ED25519_KEY_LEN], uint8_t secret[ED25519_SECRET_LEN]) {
    static struct {
        bool known;
        uint8_t public_key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    } people[2][PEOPLE_MAX];
    size_t at = (size_t)number % PEOPLE_MAX;
    if (!people[real][at].known) {
        uint8_t seed[ED25519_SEED_LEN] = {7};
        store_u64(seed + 1, number);
        ed25519_from_seed(seed, people[real][at].public_key, people[real][at].secret);
        people[real][at].known = true;
    }
    memcpy(public_key, people[real][at].public_key, ED25519_KEY_LEN);
    if (secret != NULL) {
        memcpy(secret, people[real][at].secret, ED25519_SECRET_LEN);
    }
}
