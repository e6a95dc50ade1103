/* One core under test among validators whose votes the test makes up. Signatures are a keyed sum: what is signed is
 * checked, at no cost. */
#ifndef ASSAY_TEST_CONSENSUS_FIXTURE_H
#define ASSAY_TEST_CONSENSUS_FIXTURE_H

#include "base/sha256.h"
#include "consensus/certificates.h"
#include "consensus/consensus.h"

#include <stdlib.h>
#include <string.h>

#define FIXTURE_MAX 7

struct fixture {
    uint16_t n;
    uint8_t keys[FIXTURE_MAX][KEY_LEN];
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t genesis[HASH_LEN];
    struct consensus_config config;
    void *memory;
    struct consensus *core;
    struct consensus_effects effects;
    uint64_t now_ms;
    uint64_t signatures; /* checks made */
};

static struct fixture *the_fixture;

static inline void fixture_sum(const uint8_t *key, const void *message, size_t len, uint8_t out[SIG_LEN]) {
    struct bytes parts[] = {bytes_of(key, KEY_LEN), bytes_of(message, len)};
    sha256_parts(parts, 2, out);
    memcpy(out + 32, out, 32);
}

static inline bool fixture_verify(const uint8_t key[KEY_LEN], const void *message, size_t len,
                                  const uint8_t sig[SIG_LEN]) {
    uint8_t expected[SIG_LEN];
    the_fixture->signatures++;
    fixture_sum(key, message, len, expected);
    return memcmp(expected, sig, SIG_LEN) == 0;
}

static const struct verify_crypto fixture_crypto = {.ed25519_verify = fixture_verify};

static inline void fixture_sign(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct fixture *f = ctx;
    fixture_sum(f->keys[f->config.me], message, len, out);
}

static inline void fixture_step(struct fixture *f, struct consensus_event event) {
    event.now_ms = f->now_ms;
    consensus_step(f->core, &event, &f->effects);
    consensus_check(f->core);
}

/* A validator `me` of `n` that has started and was answered by everybody, unless `recall` is left to the test. */
static inline struct fixture *fixture_begin(uint16_t n, uint16_t me, const struct consensus_restored *restored,
                                            bool answer) {
    struct fixture *f = calloc(1, sizeof *f);
    the_fixture = f;
    f->n = n;
    for (uint16_t i = 0; i < n; i++) {
        memset(f->keys[i], i + 1, KEY_LEN);
    }
    memset(f->chain_id, 0xc1, sizeof f->chain_id);
    memset(f->genesis, 0x6e, sizeof f->genesis);
    f->config = (struct consensus_config){
        .chain_id = f->chain_id,
        .validators = {(const uint8_t(*)[KEY_LEN])f->keys, n},
        .me = me,
        .may_vote = true,
        .crypto = &fixture_crypto,
        .sign = fixture_sign,
        .sign_ctx = f,
    };
    consensus_timing_default(&f->config.timing);
    f->memory = malloc(consensus_memory(n));
    if (consensus_init(f->memory, consensus_memory(n), &f->config, &f->core) != OK) {
        abort();
    }
    f->now_ms = 1000;
    struct consensus_event start = {.kind = EVENT_START};
    memcpy(start.u.start.final_hash, f->genesis, HASH_LEN);
    start.u.start.restored = restored;
    fixture_step(f, start);
    for (uint16_t i = 0; answer && i < n; i++) {
        struct consensus_event recall = {.kind = EVENT_RECALL, .from = i};
        recall.u.recall.nonce = 1000;
        fixture_step(f, recall);
    }
    return f;
}

static inline void fixture_end(struct fixture *f) {
    free(f->memory);
    free(f);
}

static inline void fixture_hash(uint8_t fill, uint8_t out[HASH_LEN]) {
    memset(out, fill, HASH_LEN);
}

static inline struct consensus_vote fixture_vote(const struct fixture *f, uint16_t signer, uint64_t view,
                                                 enum vote_kind kind, uint8_t block) {
    struct consensus_vote vote = {.subject = {.view = view, .kind = kind}, .signer = signer};
    if (kind != VOTE_NULLIFY) {
        fixture_hash(block, vote.subject.block);
    }
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(f->chain_id, &vote.subject, message);
    fixture_sum(f->keys[signer], message, sizeof message, vote.signature);
    return vote;
}

static inline void fixture_send_vote(struct fixture *f, uint16_t signer, uint64_t view, enum vote_kind kind,
                                     uint8_t block) {
    struct consensus_event event = {.kind = EVENT_VOTE, .from = signer};
    event.u.vote = fixture_vote(f, signer, view, kind, block);
    fixture_step(f, event);
}

/* A certificate signed by the validators in `mask`. */
static inline size_t fixture_certificate(const struct fixture *f, uint64_t view, enum vote_kind kind, uint8_t block,
                                         unsigned mask, uint8_t out[CERTIFICATE_MAX]) {
    size_t len = 0;
    struct consensus_vote vote = fixture_vote(f, 0, view, kind, block);
    certificates_begin(&vote.subject, f->n, out, &len);
    for (uint16_t i = 0; i < f->n; i++) {
        if ((mask >> i & 1) != 0) {
            vote = fixture_vote(f, i, view, kind, block);
            certificates_add(out, &len, i, vote.signature);
        }
    }
    return len;
}

static inline void fixture_send_certificate(struct fixture *f, uint64_t view, enum vote_kind kind, uint8_t block,
                                            unsigned mask) {
    uint8_t bytes[CERTIFICATE_MAX];
    struct consensus_event event = {.kind = EVENT_CERTIFICATE, .from = 0};
    event.u.certificate = bytes_of(bytes, fixture_certificate(f, view, kind, block, mask, bytes));
    fixture_step(f, event);
}

/* The leader of `view` proposes block `block` on `parent` (0: genesis). */
static inline void fixture_propose(struct fixture *f, uint64_t view, uint8_t block, uint8_t parent) {
    uint16_t leader = consensus_leader(view, f->n);
    struct consensus_vote vote = fixture_vote(f, leader, view, VOTE_PROPOSE, block);
    struct consensus_event event = {.kind = EVENT_PROPOSAL, .from = leader};
    event.u.proposal.header = (struct block_header){.view = view, .proposer = leader};
    event.u.proposal.view = view;
    memcpy(event.u.proposal.header.chain_id, f->chain_id, CHAIN_ID_LEN);
    if (parent == 0) {
        memcpy(event.u.proposal.header.parent, f->genesis, HASH_LEN);
    } else {
        fixture_hash(parent, event.u.proposal.header.parent);
    }
    fixture_hash(block, event.u.proposal.hash);
    memcpy(event.u.proposal.signature, vote.signature, SIG_LEN);
    fixture_step(f, event);
}

static inline void fixture_block(struct fixture *f, enum consensus_event_kind kind, uint64_t view, uint8_t block,
                                 uint8_t parent, uint64_t parent_view, enum consensus_block_state state) {
    struct consensus_event event = {.kind = kind, .from = CONSENSUS_ALL};
    fixture_hash(block, event.u.block.hash);
    if (parent == 0) {
        memcpy(event.u.block.parent, f->genesis, HASH_LEN);
    } else {
        fixture_hash(parent, event.u.block.parent);
    }
    event.u.block.view = view;
    event.u.block.parent_view = parent_view;
    event.u.block.state = state;
    fixture_step(f, event);
}

static inline void fixture_work(struct fixture *f, bool work) {
    struct consensus_event event = {.kind = EVENT_WORK};
    event.u.work = work;
    fixture_step(f, event);
}

static inline void fixture_tick(struct fixture *f, uint64_t ms) {
    f->now_ms += ms;
    fixture_step(f, (struct consensus_event){.kind = EVENT_TICK});
}

/* Place of the first effect of that kind in the last step, or -1. */
static inline int fixture_find(const struct fixture *f, enum consensus_effect_kind kind) {
    for (size_t i = 0; i < f->effects.count; i++) {
        if (f->effects.items[i].kind == kind) {
            return (int)i;
        }
    }
    return -1;
}

/* Was that validator sent a certificate of `view` in the last step, alone or with all? */
static inline bool fixture_told(const struct fixture *f, uint16_t to, uint64_t view) {
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct consensus_effect *e = &f->effects.items[i];
        if (e->kind == EFFECT_SEND_CERTIFICATE && e->view == view && (e->to == to || e->to == CONSENSUS_ALL)) {
            return true;
        }
    }
    return false;
}

/* Did the last step journal and send that vote, in this order? */
static inline bool fixture_voted(const struct fixture *f, enum vote_kind kind, uint64_t view) {
    bool journaled = false;
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct consensus_effect *e = &f->effects.items[i];
        bool is = (e->kind == EFFECT_JOURNAL_VOTE || e->kind == EFFECT_SEND_VOTE) && e->view == view &&
                  e->u.vote.vote.subject.kind == kind && e->u.vote.vote.signer == f->config.me;
        journaled = journaled || (is && e->kind == EFFECT_JOURNAL_VOTE);
        if (is && e->kind == EFFECT_SEND_VOTE) {
            return journaled;
        }
    }
    return false;
}

static inline uint64_t fixture_view(const struct fixture *f) {
    struct consensus_status status;
    consensus_status(f->core, &status);
    return status.view;
}

#endif
