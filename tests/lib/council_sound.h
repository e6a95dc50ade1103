/* What must hold of governance's records after every operation, whatever it was. */
#ifndef ASSAY_TESTS_LIB_COUNCIL_SOUND_H
#define ASSAY_TESTS_LIB_COUNCIL_SOUND_H

#include "tests/lib/council.h"

#include "contracts/governance/governance_proposal_records.h"
#include "contracts/governance/governance_records.h"

/* Visits all records under the path, and gives their number; SIZE_MAX when one can't be read. */
size_t records_count(const struct state *state, const char *path, enum err (*each)(void *arg, struct bytes value),
                     void *arg);
size_t council_count(const struct state *state, const char *path);

struct council_tally {
    const struct state *state;
    uint32_t nodes[NODE_GATEWAY + 1];
    size_t orgs, admins, open;
    bool recount; /* under way */
    uint32_t percent;
    uint64_t time_ms;
    const char *wrong;
};

enum err tally_org(void *arg, const struct org_record *org);
enum err tally_node(void *arg, struct bytes value);
enum err tally_vote(void *arg, const struct vote_record *vote);
enum err tally_proposal(struct council_tally *t, const struct proposal_record *p);
enum err tally_proposals(const struct state *state, struct council_tally *t);

/* NULL when everything holds at this block time, or what does not. */
const char *governance_flaw(const struct state *state, uint64_t time_ms);
const char *council_flaw(const struct council *c);

#endif
