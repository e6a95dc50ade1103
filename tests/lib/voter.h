/* One core under test among validators whose votes the test makes up. Signatures are a keyed sum: what is signed is
 * checked, at no cost. */
#ifndef ASSAY_TESTS_LIB_VOTER_H
#define ASSAY_TESTS_LIB_VOTER_H

#include "base/sha256.h"
#include "consensus/certificates.h"
#include "consensus/consensus.h"

#include <stdlib.h>
#include <string.h>

#define VOTER_MAX 7

struct voter {
    uint16_t n;
    uint8_t keys[VOTER_MAX][KEY_LEN];
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t genesis[HASH_LEN];
    struct consensus_config config;
    void *memory;
    struct consensus *core;
    struct consensus_effects effects;
    uint64_t now_ms;
    uint64_t signatures; /* checks made */
};

bool voter_verify(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]);

extern const struct verify_crypto voter_crypto;

void voter_step(struct voter *f, struct consensus_event event);

/* A validator `me` of `n` that has started and was answered by everybody, unless `recall` is left to the test. */
struct voter *voter_begin(uint16_t n, uint16_t me, const struct consensus_restored *restored, bool answer);
void voter_end(struct voter *f);
void voter_hash(uint8_t fill, uint8_t out[HASH_LEN]);
struct consensus_vote voter_vote(const struct voter *f, uint16_t signer, uint64_t view, enum vote_kind kind,
                                 uint8_t block);
void voter_send_vote(struct voter *f, uint16_t signer, uint64_t view, enum vote_kind kind, uint8_t block);

/* A certificate signed by the validators in `mask`. */
size_t voter_certificate(const struct voter *f, uint64_t view, enum vote_kind kind, uint8_t block, unsigned mask,
                         uint8_t out[CERTIFICATE_MAX]);
void voter_send_certificate(struct voter *f, uint64_t view, enum vote_kind kind, uint8_t block, unsigned mask);

/* The leader of `view` proposes block `block` on `parent` (0: genesis). */
void voter_propose(struct voter *f, uint64_t view, uint8_t block, uint8_t parent);
void voter_block(struct voter *f, enum consensus_event_kind kind, uint64_t view, uint8_t block, uint8_t parent,
                 uint64_t parent_view, enum consensus_block_state state);
void voter_work(struct voter *f, bool work);
void voter_tick(struct voter *f, uint64_t ms);

/* Place of the first effect of that kind in the last step, or -1. */
int voter_find(const struct voter *f, enum consensus_effect_kind kind);

/* Was that validator sent a certificate of `view` in the last step, alone or with all? */
bool voter_told(const struct voter *f, uint16_t to, uint64_t view);

/* Did the last step journal and send that vote, in this order? */
bool voter_voted(const struct voter *f, enum vote_kind kind, uint64_t view);
uint64_t voter_view(const struct voter *f);

#endif
