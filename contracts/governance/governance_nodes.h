/* What an organisation manages alone: its observers and gateways, and the addresses of all its nodes. Signed by the
 * organisation's admins at their threshold; register_node by the node's own key as well (proof of possession).
 *
 * Signing keys and link keys are each unique among all nodes. There may be NODES_PER_ORG_MAX nodes of an organisation
 * and NODES_MAX in all, of which LINKED_NODES_MAX validators and observers; OBSERVERS_PER_ORG_MAX observers of an
 * organisation, two when only the places that are kept for others are left (LINKED_NODES_KEPT).
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_NODES_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_NODES_H

#include "contracts/governance/governance.h"
#include "contracts/kernel/method.h"

/* Methods; the table is in governance_methods.c. */
NODISCARD enum err node_register(const struct call *call, const ProtobufCMessage *message, struct answer *answer);
NODISCARD enum err node_update(const struct call *call, const ProtobufCMessage *message, struct answer *answer);
NODISCARD enum err node_remove(const struct call *call, const ProtobufCMessage *message, struct answer *answer);

#endif
