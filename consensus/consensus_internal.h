/* What the files of the core share; nobody else includes this. */
#ifndef ASSAY_CONSENSUS_CONSENSUS_INTERNAL_H
#define ASSAY_CONSENSUS_CONSENSUS_INTERNAL_H

#include "consensus/certificates.h"
#include "consensus/consensus.h"

#define KINDS 5 /* vote kinds are 1 .. 4; index 0 is unused */

/* One validator's votes in one view. The first of each kind counts. */
struct ballot {
    uint8_t cast;      /* bit per kind */
    uint8_t unchecked; /* of these: came late from the signer itself, the signature not looked at (views.h) */
    bool equivocated;  /* proven once; later contradictions cost nothing */
    uint8_t blocks[KINDS][HASH_LEN];
    uint8_t signatures[KINDS][SIG_LEN];
};

struct held_certificate {
    size_t len; /* 0: none */
    bool journaled;
    uint8_t block[HASH_LEN];
    uint8_t *bytes;
};

/* A block of a view as far as the core cares. */
struct slot_block {
    bool used;
    bool asked;      /* EXECUTE went out and was not answered */
    bool has_parent; /* known once the shell has seen the header */
    bool journaled;
    bool closes; /* known once the block is valid */
    uint8_t hash[HASH_LEN];
    uint8_t parent[HASH_LEN]; /* the block itself where it is proposed again */
    uint64_t parent_view;     /* known once the block is valid */
    enum consensus_block_state state;
};

#define SLOT_BLOCKS 2 /* the leader's first proposal, and the block a quorum took when that is another */

struct slot {
    uint64_t view; /* which one this place stands for; 0 never holds anything */
    bool touched;  /* a vote or a proposal of this view was seen */
    bool building; /* BUILD went out */
    bool proposed;
    bool proposal_bad;
    bool leader_equivocated;
    bool safety_alarmed;
    uint64_t asked_ms;              /* certificates below were asked for */
    struct consensus_vote proposal; /* subject and leader's signature of the first proposal */
    struct slot_block blocks[SLOT_BLOCKS];
    struct held_certificate certificates[KINDS];
    struct ballot *ballots;
};

struct highest {
    bool any;
    struct consensus_vote vote;
};

struct peer_view {
    bool silent;        /* let its view pass without a proposal and was not heard since */
    bool answered;      /* our recall */
    uint64_t reached;   /* the view that its own words show it in, or past */
    uint64_t served_ms; /* last time it asked for certificates and got some */
    uint64_t helped_ms; /* last time we sent it what it lacks */
    struct highest highest[KINDS];
    struct highest late[KINDS]; /* the same of unchecked votes: checked when it asks for them */
};

struct consensus {
    struct consensus_config config;
    uint16_t n, quorum;
    uint64_t now_ms;

    uint64_t final_view;
    uint8_t final_hash[HASH_LEN];
    uint64_t view; /* current */
    uint64_t top_certified, top_notarized, top_finalized;

    bool started;
    bool refused;
    bool work;
    bool diverged;
    bool closed; /* the epoch's closing block is final */
    bool window_alarmed;
    uint64_t vote_floor; /* no votes at or below: cast by an earlier life, and no longer told apart */

    bool recalling;
    uint64_t recall_nonce, recall_since_ms, recall_asked_ms, recall_floor;

    bool active;
    uint64_t active_since_ms; /* of the current view's timers */
    uint64_t entered_ms, progress_ms, resent_ms, final_ms;
    uint64_t helped_view; /* whoever seemed to lack what led here was sent it */
    uint64_t resend_from; /* older views whose votes are said again next go down from here */
    uint32_t backoff;

    uint64_t signatures_checked, signatures_bad, dropped, timeouts;

    struct slot *slots;      /* CONSENSUS_WINDOW, place = view modulo window */
    struct peer_view *peers; /* n */
    struct bytes attached[CONSENSUS_ATTACHED];
    struct consensus_vote answer[KINDS];
};

static inline bool core_is_validator(const struct consensus *core) {
    return core->config.me < core->n;
}
static inline bool core_may_vote(const struct consensus *core) {
    return core_is_validator(core) && core->config.may_vote && core->started && !core->recalling && !core->refused &&
           !core->closed;
}
static inline uint16_t core_leader(const struct consensus *core, uint64_t view) {
    return consensus_leader(view, core->n);
}
static inline bool core_same(const uint8_t *a, const uint8_t *b) {
    return bytes_equal(bytes_of(a, HASH_LEN), bytes_of(b, HASH_LEN));
}

/* A place for one more effect. Sends leave room for what may not be lost; when theirs is used up they go to a place
 * that is thrown away, and ALARM_EFFECTS says so. */
struct consensus_effect *core_effect(struct consensus_effects *out, enum consensus_effect_kind kind, uint16_t to,
                                     uint64_t view);
void core_alarm(struct consensus_effects *out, enum consensus_alarm alarm, uint16_t validator, uint64_t view);
void core_send_vote(struct consensus_effects *out, uint16_t to, const struct consensus_vote *vote);
void core_send_certificate(struct consensus_effects *out, uint16_t to, const struct slot *slot, enum vote_kind kind);

#endif
