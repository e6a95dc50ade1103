/* The methods of contract "governance". */
#include "contracts/governance/governance_evidence.h"
#include "contracts/governance/governance_nodes.h"
#include "contracts/governance/governance_proposal.h"
#include "contracts/kernel/due_work.h"

#include <string.h>

const struct method governance_methods[] = {
    {"register_node", "register a node", &assay__register_node__descriptor, node_register,
     .event = CONTRACT_EVENT_NONE},
    {"update_node", "change a node's link key and addresses", &assay__update_node__descriptor, node_update,
     .event = CONTRACT_EVENT_NONE},
    {"remove_node", "remove a node", &assay__remove_node__descriptor, node_remove, .event = CONTRACT_EVENT_NONE},
    {"propose", "propose a change to all organisations", &assay__propose__descriptor, proposal_propose,
     .event = CONTRACT_EVENT_PROPOSAL, .args_max = LIMIT_TX_BYTES},
    {"vote", "vote on a proposal", &assay__cast_vote__descriptor, proposal_vote, .event = CONTRACT_EVENT_PROPOSAL},
    {"withdraw", "withdraw a proposal", &assay__withdraw_proposal__descriptor, proposal_withdraw,
     .event = CONTRACT_EVENT_PROPOSAL},
    {"submit_evidence", "submit evidence against a validator", &assay__submit_evidence__descriptor, evidence_submit,
     .event = CONTRACT_EVENT_NONE},
    {.name = NULL},
};

static enum err proposal_refused(const struct call *call, struct bytes subject) {
    struct record_key key = proposal_key(subject.data);
    return due_note_refused(call, &key);
}

static enum err leaving_refused(const struct call *call, struct bytes subject) {
    char org[DUE_SUBJECT_MAX + 1] = {0};
    memcpy(org, subject.data, subject.len);
    struct record_key key = org_key(org);
    return due_note_refused(call, &key);
}

const struct due_handler governance_due[] = {
    {DUE_PROPOSAL, proposal_expiry_due, proposal_refused},
    {DUE_RECOUNT, proposal_recount_due, proposal_recount_refused},
    {DUE_ORG_LEAVING, governance_leaving_due, leaving_refused},
    {.kind = 0},
};
