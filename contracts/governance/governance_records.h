/* The layouts of governance's records (listed in governance.h) and the only functions that write them, so that a
 * record, the indices beside it, the totals and the history never part. For governance's own files.
 *
 * Callers have judged the change: nothing here refuses. `action` and `detail` go to the record's history.
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_RECORDS_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_RECORDS_H

#include "contracts/governance/governance.h"

#define GOVERNANCE "governance"

struct record_key admin_key(const uint8_t key[ED25519_KEY_LEN], const char *org);
struct record_key link_index_key(const uint8_t link_key[32]);
/* Prefix of an organisation's nodes; with a key behind it, one of them. */
struct record_key org_node_key(const char *org);
struct record_key validators_key(void);

/* Is there any record under the prefix? */
NODISCARD enum err governance_any(const struct state *state, const struct record_key *prefix, bool *out_found);
/* Is the key an admin of an organisation other than `org`? */
NODISCARD enum err admin_of_another(const struct state *state, const uint8_t key[ED25519_KEY_LEN], const char *org,
                                    bool *out_taken);
/* The node's record as it stands, also of an organisation that is gone; ERR_CORRUPT when there is none. */
NODISCARD enum err node_have(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out);
/* Nodes of the organisation, and the observers among them; stops counting at NODES_PER_ORG_MAX. */
NODISCARD enum err org_node_count(const struct state *state, const char *org, uint32_t *out_count,
                                  uint32_t *out_observers);

/* How many there are. Zero before genesis. */
struct governance_totals {
    struct record_stamp stamp;
    uint32_t orgs;
    uint32_t nodes[NODE_GATEWAY + 1]; /* by role; place 0 is not used */
};
NODISCARD enum err governance_totals(const struct state *state, struct governance_totals *out);

/* `before` is the record as it stands, NULL for a new one. */
NODISCARD enum err org_put(const struct call *call, const struct org_record *before, const struct genesis_org *org,
                           const char *action, const char *detail);
NODISCARD enum err org_erase(const struct call *call, const struct org_record *record, const char *detail);
NODISCARD enum err node_put(const struct call *call, const struct node_record *before, const struct genesis_node *node,
                            const char *action, const char *detail);
NODISCARD enum err node_erase(const struct call *call, const struct node_record *record, const char *detail);
NODISCARD enum err params_put(const struct call *call, const struct params_record *before,
                              const struct genesis_params *params, const char *action, const char *detail);
NODISCARD enum err validators_put(const struct call *call, const uint8_t (*keys)[KEY_LEN], uint16_t count,
                                  const char *action, const char *detail);
/* Changes the role of a node that is there. */
NODISCARD enum err node_set_role(const struct call *call, const uint8_t key[ED25519_KEY_LEN], enum node_role role,
                                 const char *action);
/* Takes a validator, not the last, out of the set, the others keep their order; its node becomes an observer. */
NODISCARD enum err validator_remove(const struct call *call, const uint8_t key[ED25519_KEY_LEN], const char *action,
                                    const char *detail);

#endif
