/* Simplex (Chan and Pass, 2023) as a pure state machine: events go in, effects come out.
 *
 * No I/O, no clock, no randomness, no allocation: the caller gives the memory once, every event carries the time, and
 * what must be done leaves as a list of effects. The same events give the same effects, which is what the simulator
 * lives from.
 *
 * The shell's side of the contract:
 * - Effects are carried out in order, except that within one turn everything JOURNAL_* is made durable by one sync
 * before anything of that turn is sent or made final.
 * - Whatever bytes an effect points at belong to the core and are valid until the next call of consensus_step.
 * - EXECUTE asks for a verdict on a block: the shell fetches the body if it must, executes it, and comes back with
 *   EVENT_BLOCK; it may take as long as it takes.
 *
 * A core lives for one epoch. A block that changes the validator set closes it: until that block is final, leaders
 * propose the very block again, and once it is, nothing is said under this epoch any more; the shell starts a core for
 * the next set, whose view 0 is the closing block.
 *
 * n validators, f = floor((n - 1) / 3) of them faulty, quorum q = n - f. The rules are numbered as in
 * docs/consensus.md; consensus/rules.c carries the numbers.
 */
#ifndef ASSAY_CONSENSUS_CONSENSUS_H
#define ASSAY_CONSENSUS_CONSENSUS_H

#include "base/bytes.h"
#include "verify/block_header.h"
#include "verify/certificate.h"

#define CONSENSUS_OBSERVER UINT16_MAX /* `me` of a node that is no validator */
#define CONSENSUS_ALL UINT16_MAX      /* recipient: every other validator */

/* Views above the last final one that are kept. A message beyond is dropped, unless it is a finalization. */
#define CONSENSUS_WINDOW 256
/* Votes and proposals may run this many views ahead of the current one. */
#define CONSENSUS_AHEAD 16
/* Certificates a proposal carries at most, and an answer to ASK_CERTIFICATES too. */
#define CONSENSUS_ATTACHED 16
/* Up to 128 sends, and for each view of the window a vote, a body, a certificate and a question. */
#define CONSENSUS_EFFECTS (128 + 4 * CONSENSUS_WINDOW)

struct consensus_timing {
    uint32_t leader_timeout_ms;  /* from entering an active view to the leader's proposal */
    uint32_t advance_timeout_ms; /* from entering an active view to its notarization */
    uint32_t timeout_cap_ms;     /* back-off ends here */
    uint32_t silent_timeout_ms;  /* leader timeout of a leader that was silent and has not been heard since */
    uint32_t resend_ms;          /* stalled: resend at most this often */
    uint32_t recall_wait_ms;     /* how long to wait for the last peers' answers before the first vote */
    uint32_t heartbeat_ms;       /* 0: never */
};
void consensus_timing_default(struct consensus_timing *out);

struct consensus_config {
    const uint8_t *chain_id; /* borrowed for the core's life, as is everything here */
    uint64_t epoch;
    struct validator_set validators;
    uint16_t me;   /* index into the set, or CONSENSUS_OBSERVER */
    bool may_vote; /* false: a validator whose journal can't be relied on; it follows and is silent */
    const struct verify_crypto *crypto;
    void (*sign)(void *ctx, const uint8_t *message, size_t len, uint8_t out_signature[SIG_LEN]);
    void *sign_ctx;
    struct consensus_timing timing;
};

struct consensus_vote {
    struct vote_subject subject;
    uint16_t signer;
    uint8_t signature[SIG_LEN];
};

/* ---- Events ------------------------------------------------------------------------------------------------- */

enum consensus_event_kind {
    EVENT_START,    /* once, first: where the chain stands and what the journal holds */
    EVENT_TICK,     /* time passed */
    EVENT_PROPOSAL, /* header, view and leader's signature; its certificates came as events before it */
    EVENT_VOTE,
    EVENT_CERTIFICATE,
    EVENT_BLOCK,      /* answer to EXECUTE, or news about a block */
    EVENT_BUILT,      /* answer to BUILD: own block, executed, its body held */
    EVENT_WORK,       /* whether transactions (or due items) wait here */
    EVENT_SYNCED,     /* catch-up made a block final */
    EVENT_ASK_RECALL, /* a peer that just started wants the votes we hold of it */
    EVENT_RECALL,     /* answer; each vote is checked */
    EVENT_ASK_CERTIFICATES,
};

enum consensus_block_state {
    BLOCK_WANTED,   /* nothing known yet */
    BLOCK_VALID,    /* executed on its parent, all roots equal */
    BLOCK_UNTIMELY, /* valid, but its time is outside what a voter accepts now */
    BLOCK_INVALID,
};

/* What the journal gave back. Order does not matter. */
struct consensus_restored {
    const struct consensus_vote *votes;
    size_t vote_count;
    const struct consensus_vote *proposals; /* kind VOTE_PROPOSE */
    size_t proposal_count;
    const struct bytes *certificates;
    size_t certificate_count;
};

struct consensus_event {
    enum consensus_event_kind kind;
    uint64_t now_ms; /* monotonic; never goes back */
    uint16_t from;   /* peer the message came from; CONSENSUS_ALL when it has no place in the set */
    union {
        struct {
            uint64_t final_view; /* of the last final block; 0 for genesis */
            uint8_t final_hash[HASH_LEN];
            const struct consensus_restored *restored; /* NULL: nothing */
        } start;
        struct {
            struct block_header header;
            uint64_t view; /* as signed: the header's, or a later one when a closing block is proposed again */
            uint8_t hash[HASH_LEN];
            uint8_t signature[SIG_LEN];
        } proposal;
        struct consensus_vote vote;
        struct bytes certificate;
        struct {
            uint8_t hash[HASH_LEN];
            uint64_t view;
            uint8_t parent[HASH_LEN];
            uint64_t parent_view; /* when the block is valid */
            enum consensus_block_state state;
            bool closes;    /* a valid block: it closes the epoch */
            bool journaled; /* the journal has the body already (restart) */
        } block;            /* also EVENT_BUILT */
        bool work;
        struct {
            uint64_t view;
            uint8_t hash[HASH_LEN];
            struct bytes certificate;
            bool closes;
        } synced;
        struct {
            uint64_t nonce;
            const struct consensus_vote *votes;
            size_t count;
        } recall; /* also EVENT_ASK_RECALL, with its nonce alone */
        struct {
            uint64_t first, last;
        } views;
    } u;
};

/* ---- Effects ------------------------------------------------------------------------------------------------ */

enum consensus_effect_kind {
    EFFECT_JOURNAL_VOTE,
    EFFECT_JOURNAL_PROPOSAL, /* `vote`, kind VOTE_PROPOSE */
    EFFECT_JOURNAL_BODY,     /* `hash`, `view` */
    EFFECT_JOURNAL_CERTIFICATE,
    EFFECT_SEND_VOTE,
    EFFECT_SEND_PROPOSAL, /* `vote` and the `count` certificates in `certificates`; the shell adds the body */
    EFFECT_SEND_CERTIFICATE,
    EFFECT_SEND_ASK_RECALL,       /* `nonce` */
    EFFECT_SEND_RECALL,           /* `nonce`, `votes`, `count` */
    EFFECT_SEND_ASK_CERTIFICATES, /* views `view` .. `last` */
    EFFECT_BUILD,                 /* a block on `hash` for `view`; an answer is not owed */
    EFFECT_EXECUTE,               /* `hash` of `view`: get it, execute it, tell */
    EFFECT_FINALIZE,              /* `hash` of `view` and its ancestors; `certificate` is its finalization */
    EFFECT_BEHIND,                /* a finalization of `view` beyond the window: catch up, `to` has more */
    EFFECT_DIVERGED,              /* `hash` is final and our execution of it says otherwise: stop */
    EFFECT_EVIDENCE,              /* two votes of one validator, signatures checked, that must not both exist */
    EFFECT_ALARM,
    EFFECT_SET_TIMER, /* want a TICK at `at_ms`; at most one a step, the last wins */
};

enum consensus_alarm {
    ALARM_EQUIVOCATION, /* validator `to` signed two things in `view` that must not both exist */
    ALARM_SAFETY,       /* certificates that must not both exist: more than f validators are faulty */
    ALARM_OLD_JOURNAL,  /* a peer holds a vote of ours that our journal lacks: this node will not vote */
    ALARM_WINDOW,       /* CONSENSUS_WINDOW views without finality: views stop advancing by timeout */
    ALARM_EFFECTS,      /* more to send than fits one step; what was left out is resent later */
};
const char *consensus_alarm_text(enum consensus_alarm alarm);

struct consensus_effect {
    enum consensus_effect_kind kind;
    uint16_t to; /* CONSENSUS_ALL or one validator */
    uint64_t view;
    union {
        struct {
            struct consensus_vote vote;
            const struct bytes *certificates;
            size_t count;
        } vote;
        struct {
            uint8_t hash[HASH_LEN];
            struct bytes certificate;
        } block;
        struct {
            uint64_t nonce;
            const struct consensus_vote *votes;
            size_t count;
        } recall;
        struct {
            struct consensus_vote first, second;
        } evidence;
        uint64_t last;
        enum consensus_alarm alarm;
        uint64_t at_ms;
    } u;
};

struct consensus_effects {
    size_t count;
    bool overflow; /* something to send was left out */
    struct consensus_effect items[CONSENSUS_EFFECTS];
};

/* ---- Life ---------------------------------------------------------------------------------------------------- */

struct consensus;

/* Bytes a core for that many validators needs (aligned as malloc aligns). */
size_t consensus_memory(uint16_t validators);
/* Lays the core out in the caller's memory. ERR_RANGE when the memory is too small or the set is empty or too large. */
NODISCARD enum err consensus_init(void *memory, size_t len, const struct consensus_config *config,
                                  struct consensus **out);
/* Empties `out`, handles one event, fills `out`. Invalid messages are dropped and counted. */
void consensus_step(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);
/* The heartbeat changed by a vote of the organisations; it counts from the next step on. */
void consensus_set_heartbeat(struct consensus *core, uint32_t heartbeat_ms);

/* ---- Looking in ---------------------------------------------------------------------------------------------- */

struct consensus_status {
    uint64_t epoch, view, final_view;
    uint16_t leader; /* of the current view */
    bool active;     /* timers run */
    bool voting;     /* false: observer, recall under way, or refused */
    bool refused;    /* will not vote in this epoch */
    bool closed;     /* a closing block is final: this core has done its work */
    uint32_t backoff;
    uint64_t signatures_checked, dropped, timeouts;
};
/* Signatures that failed, in what the senders of messages vouch for: honest nodes pass on nothing that they have not
 * checked. */
uint64_t consensus_signatures_bad(const struct consensus *core);
void consensus_status(const struct consensus *core, struct consensus_status *out);
/* A closing block is final: the core takes nothing more. */
bool consensus_closed(const struct consensus *core);
uint16_t consensus_leader(uint64_t view, uint16_t validators);
/* The highest notarized block above the last final one; false when there is none. */
bool consensus_tip(const struct consensus *core, uint8_t out_hash[HASH_LEN]);
/* Notarization, nullification or finalization held of a view; empty when there is none. */
struct bytes consensus_certificate(const struct consensus *core, uint64_t view, enum vote_kind kind);
/* How a block above the last final one stands, as far as this core knows; the later the more it matters. */
enum consensus_standing {
    STANDING_OVER,      /* its view was given up or is final with another block, and it was not notarized */
    STANDING_PROPOSED,  /* a leader stands for it, or nothing is known */
    STANDING_CURRENT,   /* the block of the view that is being voted on */
    STANDING_DOUBTFUL,  /* notarized, and its view given up as well: either may be what leaders build on */
    STANDING_NOTARIZED, /* notarized and not given up, or we promised to finalize it */
    STANDING_FINAL,
};
/* `closes`: a closing block, which may stand in later views than its own. */
enum consensus_standing consensus_standing(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN],
                                           bool closes);
/* Is this block a leader's first good proposal, or certified, and not here yet? */
bool consensus_wants_body(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN]);
/* Validators that have said, as far as is known, that they hold a block: whom to ask for its body. Gives how many. */
uint16_t consensus_holders(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN],
                           uint16_t out[VALIDATORS_MAX]);
/* Breaks off with an ASSERT when an invariant of the core does not hold; run after each step by tests. */
void consensus_check(const struct consensus *core);

#endif
