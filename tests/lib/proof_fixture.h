/* What tests need to make evidence: keys of validators, a state tree of a few values, certificates and whole bundles,
 * written from the layouts in verify/'s headers. Everything is derived from small numbers, so every run is the same. */
#ifndef ASSAY_TESTS_LIB_PROOF_FIXTURE_H
#define ASSAY_TESTS_LIB_PROOF_FIXTURE_H

#include "base/ed25519.h"
#include "base/p256.h"
#include "base/sha256.h"
#include "verify/bundle.h"

#include <string.h>

extern const struct verify_crypto fixture_crypto;

/* Validators of a set: the seed of validator i of set `set` is { set, i, 0x56, ... }. */
struct fixture_set {
    uint8_t keys[VALIDATORS_MAX][KEY_LEN];
    uint8_t secrets[VALIDATORS_MAX][ED25519_SECRET_LEN];
    uint16_t count;
};

void fixture_key(uint8_t a, uint8_t b, uint8_t out_public[KEY_LEN], uint8_t out_secret[ED25519_SECRET_LEN]);
void fixture_set_make(struct fixture_set *set, uint8_t number, uint16_t count);
struct validator_set fixture_validators(const struct fixture_set *set);

/* A certificate by the first `signers` validators; `chain` is what they sign for. */
size_t fixture_certificate(const struct fixture_set *set, uint16_t signers, const uint8_t *chain,
                           const struct vote_subject *subject, uint8_t *out);

/* A state of a few values. */
#define FIXTURE_VALUES_MAX 64
#define FIXTURE_VALUE_LEN 512

struct fixture_value {
    uint8_t key[HASH_LEN];
    uint8_t value_hash[HASH_LEN];
    char contract[BUNDLE_NAME_MAX + 1];
    uint8_t user_key[BUNDLE_USER_KEY_MAX];
    size_t user_key_len;
    uint8_t value[FIXTURE_VALUE_LEN];
    size_t value_len;
};

struct fixture_state {
    struct fixture_value values[FIXTURE_VALUES_MAX]; /* ascending by key */
    size_t count;
};

const struct fixture_value *fixture_find(const struct fixture_state *state, const char *contract,
                                         struct bytes user_key);
void fixture_put(struct fixture_state *state, const char *contract, struct bytes user_key, struct bytes value);

void fixture_tree_hash(const struct fixture_value *values, size_t count, uint8_t out[HASH_LEN]);

/* Writes the path for `key`; returns its length. */
size_t fixture_path(const struct fixture_state *state, const uint8_t key[HASH_LEN], uint8_t *out);

/* A header of the chain with this state; sets are those of its epoch and of the next block. */
struct block_header fixture_header(const uint8_t chain[CHAIN_ID_LEN], uint64_t height, uint64_t epoch,
                                   const struct fixture_state *state, const struct fixture_set *set,
                                   const struct fixture_set *next);

/* Appends header bytes and gives its hash. */
size_t fixture_put_header(const struct block_header *h, uint8_t *out, uint8_t out_hash[HASH_LEN]);

/* Everything of a bundle after its last finalization. */
size_t fixture_put_state(const struct fixture_state *state, const char *contract, struct bytes user_key, uint8_t *out);

/* What goes into one bundle. Set 0 is that of the trusted epoch; with steps, sets[i] is that of epoch + i. */
struct fixture_bundle {
    const uint8_t *chain;
    uint64_t epoch;
    const struct fixture_set *const *sets;
    uint16_t steps;
    uint16_t links;
    uint64_t height;
    const struct fixture_state *state;
    const char *contract;
    struct bytes user_key;
};

size_t fixture_bundle_make(const struct fixture_bundle *b, uint8_t *out);

#endif
