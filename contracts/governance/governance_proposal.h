/* Proposals and votes: what organisations decide together.
 *
 * Voters are organisations, one vote each, which can't be changed; proposing counts as yes. With N organisations at the
 * time of counting and threshold T (params.vote_threshold_percent), a proposal
 *   passes    when   yes * 100 >= T * N          (T = 67 is "more than two thirds" for every N up to ORGS_MAX)
 *   is refused when  (N - no) * 100 < T * N      (it can no longer pass)
 * which is looked at with every vote, so in the block of that vote. When organisations come or go or T changes, open
 * proposals are counted again, oldest first, one in each of the next blocks; another such change meanwhile begins that
 * anew. The votes of an organisation that is removed go with it; one admitted later votes on what is open. What is
 * neither passed nor refused at its expiry has expired (block time >= expiry).
 *
 * A change is judged when it is proposed (what could not be carried out is refused at once) and again when it passed;
 * if it can't be carried out by then the proposal has failed, with the code, and changes nothing.
 *
 * Records (contract "governance"):
 *   "proposal/" || id         stamp | id (32) | proposer text | state (1) | expires ms (8) | outcome (4) | yes (4) |
 *                             no (4) | organisations (4) | text | change (the rest; governance_change.h)
 *   "vote/" || id || org id   stamp | choice (1)
 *   "open/" || created ms (8) || id     proposer's id: this proposal is open
 *   "newest/" || T (8) || id  one byte 1; T = 2^64 - 1 - created ms
 *   "recount"                 created ms (8) | id (32) of the open proposal counted last, zeros before the first: while
 *                             open proposals are being counted again
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PROPOSAL_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PROPOSAL_H

#include "contracts/governance/governance_change.h"
#include "contracts/kernel/method.h"

#define PROPOSAL_TEXT_MAX 1024
#define PROPOSAL_LIFETIME_LEAST_MS 60000ull
#define PROPOSAL_LIFETIME_DEFAULT_MS (7ull * 24 * 60 * 60 * 1000)
#define PROPOSAL_LIFETIME_MOST_MS (90ull * 24 * 60 * 60 * 1000)
#define PROPOSALS_OPEN_MAX 64
#define PROPOSALS_OPEN_PER_ORG 8

/* Numbers stand in records and results and never change. */
enum proposal_state {
    PROPOSAL_OPEN = 1,
    PROPOSAL_PASSED = 2,
    PROPOSAL_REFUSED = 3,
    PROPOSAL_EXPIRED = 4,
    PROPOSAL_WITHDRAWN = 5,
    PROPOSAL_FAILED = 6,
};

enum vote_choice { VOTE_YES = 1, VOTE_NO = 2 };

struct vote_tally {
    uint32_t yes;
    uint32_t no;
    uint32_t organisations;
};

struct proposal_record {
    struct record_stamp stamp;
    uint8_t id[HASH_LEN];
    char org[GENESIS_ID_MAX + 1]; /* who proposed */
    enum proposal_state state;
    uint64_t expires_ms;
    uint32_t outcome;        /* a failed one's code, else 0 */
    struct vote_tally tally; /* of a closed one, as it was then; of an open one, as it is now */
    char text[PROPOSAL_TEXT_MAX + 1];
    struct governance_change change;
};

struct vote_record {
    struct record_stamp stamp;
    char org[GENESIS_ID_MAX + 1];
    enum vote_choice choice;
};

extern const struct record proposal_shape;
extern const struct record vote_shape;

/* "open", "passed", ...; "unknown" for no state. */
const char *proposal_state_name(enum proposal_state state);
struct record_key proposal_key(const uint8_t id[HASH_LEN]);

/* `*out_found` false: no such proposal, `out` untouched. */
NODISCARD enum err proposal_get(const struct state *state, const uint8_t id[HASH_LEN], struct proposal_record *out,
                                bool *out_found);
/* At most `limit` (<= STATE_PAGE_MAX) proposals, newest first, behind `after` (an id; NULL: from the newest; an unknown
 * id: none). */
NODISCARD enum err proposal_list(const struct state *state, const uint8_t *after, size_t limit,
                                 enum err (*each)(void *arg, const struct proposal_record *proposal), void *arg);
/* Votes on a proposal by organisation, at most `limit`, behind `after` (an organisation's id; NULL: from the first). */
NODISCARD enum err proposal_votes(const struct state *state, const uint8_t id[HASH_LEN], const char *after,
                                  size_t limit, enum err (*each)(void *arg, const struct vote_record *vote), void *arg);

/* The arithmetic of the threshold; `needed` is the yes votes with which a proposal passes. */
uint32_t vote_tally_needed(const struct vote_tally *tally, uint32_t threshold_percent);
bool vote_tally_passes(const struct vote_tally *tally, uint32_t threshold_percent);
bool vote_tally_lost(const struct vote_tally *tally, uint32_t threshold_percent);

/* Takes an organisation's votes on open proposals away. */
NODISCARD enum err proposal_forget_votes(const struct call *call, const char *org);

/* Methods; the table is in governance_methods.c. */
NODISCARD enum err proposal_propose(const struct call *call, const ProtobufCMessage *message, struct answer *answer);
NODISCARD enum err proposal_vote(const struct call *call, const ProtobufCMessage *message, struct answer *answer);
NODISCARD enum err proposal_withdraw(const struct call *call, const ProtobufCMessage *message, struct answer *answer);

/* Due: the proposal of this id expires; the next open proposal is counted again, and fails when carrying it out was
 * more than one operation may write. */
NODISCARD enum err proposal_expiry_due(const struct call *call, struct bytes subject);
NODISCARD enum err proposal_recount_due(const struct call *call, struct bytes subject);
NODISCARD enum err proposal_recount_refused(const struct call *call, struct bytes subject);

#endif
