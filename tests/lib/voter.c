#include "tests/lib/voter.h"

static struct voter *the_voter;
const struct verify_crypto voter_crypto = {.ed25519_verify = voter_verify};

static void voter_sum(const uint8_t *key, const void *message, size_t len, uint8_t out[SIG_LEN]) {
    struct bytes parts[] = {bytes_of(key, KEY_LEN), bytes_of(message, len)};
    sha256_parts(parts, 2, out);
    memcpy(out + 32, out, 32);
}

bool voter_verify(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]) {
    uint8_t expected[SIG_LEN];
    the_voter->signatures++;
    voter_sum(key, message, len, expected);
    return memcmp(expected, sig, SIG_LEN) == 0;
}

static void voter_sign(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct voter *f = ctx;
    voter_sum(f->keys[f->config.me], message, len, out);
}

void voter_step(struct voter *f, struct consensus_event event) {
    event.now_ms = f->now_ms;
    consensus_step(f->core, &event, &f->effects);
    consensus_check(f->core);
}

struct voter *voter_begin(uint16_t n, uint16_t me, const struct consensus_restored *restored, bool answer) {
    struct voter *f = calloc(1, sizeof *f);
    the_voter = f;
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
        .crypto = &voter_crypto,
        .sign = voter_sign,
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
    voter_step(f, start);
    for (uint16_t i = 0; answer && i < n; i++) {
        struct consensus_event recall = {.kind = EVENT_RECALL, .from = i};
        recall.u.recall.nonce = 1000;
        voter_step(f, recall);
    }
    return f;
}

void voter_end(struct voter *f) {
    free(f->memory);
    free(f);
}

void voter_hash(uint8_t fill, uint8_t out[HASH_LEN]) {
    memset(out, fill, HASH_LEN);
}

struct consensus_vote voter_vote(const struct voter *f, uint16_t signer, uint64_t view, enum vote_kind kind,
                                 uint8_t block) {
    struct consensus_vote vote = {.subject = {.view = view, .kind = kind}, .signer = signer};
    if (kind != VOTE_NULLIFY) {
        voter_hash(block, vote.subject.block);
    }
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(f->chain_id, &vote.subject, message);
    voter_sum(f->keys[signer], message, sizeof message, vote.signature);
    return vote;
}

void voter_send_vote(struct voter *f, uint16_t signer, uint64_t view, enum vote_kind kind, uint8_t block) {
    struct consensus_event event = {.kind = EVENT_VOTE, .from = signer};
    event.u.vote = voter_vote(f, signer, view, kind, block);
    voter_step(f, event);
}

size_t voter_certificate(const struct voter *f, uint64_t view, enum vote_kind kind, uint8_t block, unsigned mask,
                         uint8_t out[CERTIFICATE_MAX]) {
    size_t len = 0;
    struct consensus_vote vote = voter_vote(f, 0, view, kind, block);
    certificates_begin(&vote.subject, f->n, out, &len);
    for (uint16_t i = 0; i < f->n; i++) {
        if ((mask >> i & 1) != 0) {
            vote = voter_vote(f, i, view, kind, block);
            certificates_add(out, &len, i, vote.signature);
        }
    }
    return len;
}

void voter_send_certificate(struct voter *f, uint64_t view, enum vote_kind kind, uint8_t block, unsigned mask) {
    uint8_t bytes[CERTIFICATE_MAX];
    struct consensus_event event = {.kind = EVENT_CERTIFICATE, .from = 0};
    event.u.certificate = bytes_of(bytes, voter_certificate(f, view, kind, block, mask, bytes));
    voter_step(f, event);
}

void voter_propose(struct voter *f, uint64_t view, uint8_t block, uint8_t parent) {
    uint16_t leader = consensus_leader(view, f->n);
    struct consensus_vote vote = voter_vote(f, leader, view, VOTE_PROPOSE, block);
    struct consensus_event event = {.kind = EVENT_PROPOSAL, .from = leader};
    event.u.proposal.header = (struct block_header){.view = view, .proposer = leader};
    event.u.proposal.view = view;
    memcpy(event.u.proposal.header.chain_id, f->chain_id, CHAIN_ID_LEN);
    if (parent == 0) {
        memcpy(event.u.proposal.header.parent, f->genesis, HASH_LEN);
    } else {
        voter_hash(parent, event.u.proposal.header.parent);
    }
    voter_hash(block, event.u.proposal.hash);
    memcpy(event.u.proposal.signature, vote.signature, SIG_LEN);
    voter_step(f, event);
}

void voter_block(struct voter *f, enum consensus_event_kind kind, uint64_t view, uint8_t block, uint8_t parent,
                 uint64_t parent_view, enum consensus_block_state state) {
    struct consensus_event event = {.kind = kind, .from = CONSENSUS_ALL};
    voter_hash(block, event.u.block.hash);
    if (parent == 0) {
        memcpy(event.u.block.parent, f->genesis, HASH_LEN);
    } else {
        voter_hash(parent, event.u.block.parent);
    }
    event.u.block.view = view;
    event.u.block.parent_view = parent_view;
    event.u.block.state = state;
    voter_step(f, event);
}

void voter_work(struct voter *f, bool work) {
    struct consensus_event event = {.kind = EVENT_WORK};
    event.u.work = work;
    voter_step(f, event);
}

void voter_tick(struct voter *f, uint64_t ms) {
    f->now_ms += ms;
    voter_step(f, (struct consensus_event){.kind = EVENT_TICK});
}

int voter_find(const struct voter *f, enum consensus_effect_kind kind) {
    for (size_t i = 0; i < f->effects.count; i++) {
        if (f->effects.items[i].kind == kind) {
            return (int)i;
        }
    }
    return -1;
}

bool voter_told(const struct voter *f, uint16_t to, uint64_t view) {
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct consensus_effect *e = &f->effects.items[i];
        if (e->kind == EFFECT_SEND_CERTIFICATE && e->view == view && (e->to == to || e->to == CONSENSUS_ALL)) {
            return true;
        }
    }
    return false;
}

bool voter_voted(const struct voter *f, enum vote_kind kind, uint64_t view) {
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

uint64_t voter_view(const struct voter *f) {
    struct consensus_status status;
    consensus_status(f->core, &status);
    return status.view;
}
