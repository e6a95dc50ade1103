/* What governance_vote.c needs of governance_proposal.c: proposals and votes as they are stored. */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PROPOSAL_RECORDS_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PROPOSAL_RECORDS_H

#include "contracts/governance/governance_proposal.h"

struct record_key vote_key(const uint8_t id[HASH_LEN], const char *org);

/* The record alone: an open one's tally is not counted. */
NODISCARD enum err proposal_stored(const struct state *state, const uint8_t id[HASH_LEN], struct proposal_record *out,
                                   bool *out_found);
/* How the votes stand now. */
NODISCARD enum err proposal_count(const struct state *state, const uint8_t id[HASH_LEN], struct vote_tally *out);

struct open_proposal {
    uint8_t id[HASH_LEN];
    char org[GENESIS_ID_MAX + 1];
};
/* Oldest first. */
NODISCARD enum err proposal_open_list(const struct state *state, struct open_proposal out[PROPOSALS_OPEN_MAX],
                                      size_t *out_count);

/* A place among the open proposals, which stand in order of age: created ms (8) || id. All zeros is before the first.
 */
struct open_place {
    uint8_t bytes[8 + HASH_LEN];
};
/* The open proposal behind `*place`, which moves there; its tally is not counted. `*out_found` false: none, nothing is
 * touched. */
NODISCARD enum err proposal_open_behind(const struct state *state, struct open_place *place,
                                        struct proposal_record *out, bool *out_found);

/* Where the recount stands: the place of the proposal it looked at last. `*out_found` false: none is under way. */
NODISCARD enum err recount_get(const struct state *state, struct open_place *out, bool *out_found);
NODISCARD enum err recount_put(const struct call *call, const struct open_place *place);
NODISCARD enum err recount_end(const struct call *call);

/* Writes the record with its indices and its history. */
NODISCARD enum err proposal_put(const struct call *call, const struct proposal_record *p, const char *action,
                                const char *detail);
NODISCARD enum err vote_put(const struct call *call, const uint8_t id[HASH_LEN], const char *org,
                            enum vote_choice choice);

#endif
