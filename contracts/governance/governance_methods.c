/* The methods of contract "governance". */
#include "contracts/governance/governance_evidence.h"
#include "contracts/governance/governance_nodes.h"
#include "contracts/governance/governance_proposal.h"

const struct method governance_methods[] = {
    {"register_node", &assay__register_node__descriptor, node_register},
    {"update_node", &assay__update_node__descriptor, node_update},
    {"remove_node", &assay__remove_node__descriptor, node_remove},
    {"propose", &assay__propose__descriptor, proposal_propose},
    {"vote", &assay__cast_vote__descriptor, proposal_vote},
    {"withdraw", &assay__withdraw_proposal__descriptor, proposal_withdraw},
    {"submit_evidence", &assay__submit_evidence__descriptor, evidence_submit},
    {NULL, NULL, NULL},
};
