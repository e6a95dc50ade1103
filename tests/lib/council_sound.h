/* What must hold of governance's records after every operation, whatever it was. */
#ifndef ASSAY_TESTS_LIB_COUNCIL_SOUND_H
#define ASSAY_TESTS_LIB_COUNCIL_SOUND_H

#include "tests/lib/council.h"

#include "contracts/governance/governance_proposal_records.h"
#include "contracts/governance/governance_records.h"

struct council_tally {
    const struct state *state;
    uint32_t nodes[NODE_GATEWAY + 1];
    size_t orgs, admins, open;
    bool recount; /* under way */
    uint32_t percent;
    uint64_t time_ms;
    const char *wrong;
};

/* NULL when everything holds at this block time, or what does not. */
const char *governance_flaw(const struct state *state, uint64_t time_ms);
const char *council_flaw(const struct council *c);

#endif
