/* Organisations, nodes, validators and parameters: who takes part, and the rules they agreed on. They begin with the
 * genesis and change by the methods of contract "governance" (contracts/governance/governance.proto):
 *   register_node, update_node, remove_node    an organisation's own nodes (governance_nodes.c)
 *   propose, vote, withdraw                    what organisations decide together (governance_proposal.h)
 *   submit_evidence                            against a validator that contradicted itself (governance_evidence.h)
 *
 * An organisation speaks through its admins, at its threshold of signatures; nobody speaks for another.
 *
 * Records (contract "governance"; a record begins with the stamp of state.h, indices and "validators" do not):
 *   "org/" || id                           stamp | id text | name text | kind (1) | threshold (1) |
 *                                          admin count (1) | admins (32 each)
 *   "admin/" || key || id                  one byte 1: this key is an admin of that organisation
 *   "node/" || signing key                 stamp | key (32) | link key (32) | role (1) | org text |
 *                                          peer text | http text
 *   "link/" || link key                    signing key (32) of the node with that link key
 *   "org_node/" || id || "/" || key       one byte 1: the node with this signing key is of that organisation
 *   "validators"                           count (2) | signing keys (32 each); a validator's index is its place
 *   "params"                               stamp | heartbeat ms (4) | block txs (4) | block bytes (4) |
 *                                          tx lifetime ms (8) | vote threshold percent (4) | protocol version (4) |
 *                                          window: floor ms (8) | longest ms (8) | until ms (8)
 *   "totals"                               stamp | organisations (4) | validators (4) | observers (4) | gateways (4)
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_H

#include "contracts/genesis/genesis_check.h"
#include "contracts/kernel/state.h"
#include "contracts/kernel/table.h"

struct org_record {
    struct record_stamp stamp;
    struct genesis_org org;
};

struct node_record {
    struct record_stamp stamp;
    struct genesis_node node;
};

/* What earlier values of the lifetime leave behind, as long as a transaction admitted under one may be alive. */
struct tx_window {
    uint64_t floor_ms;   /* nothing alive was executed up to here; never falls */
    uint64_t longest_ms; /* the longest lifetime that such a transaction could have had */
    uint64_t until_ms;   /* from here on only the present lifetime counts */
};

struct params_record {
    struct record_stamp stamp;
    struct genesis_params params;
    struct tx_window window;
};

/* The one rule for how far back ids of transactions count: whatever is alive at block time `time_ms` (its expiry is
 * later) was executed in a block later than what this gives. Blocks up to it may be forgotten; who joins needs all
 * later ones. It never falls while time grows, whatever the lifetime does. */
uint64_t params_window_start(const struct params_record *record, uint64_t time_ms);

extern const struct record org_shape;
extern const struct record node_shape;
/* The values alone, in the order of their numbers (governance_params.h), and the whole record. */
extern const struct record params_shape;
extern const struct record params_record_shape;

struct record_key org_key(const char *id);
struct record_key node_key(const uint8_t key[ED25519_KEY_LEN]);
struct record_key params_key(void);

/* `*out_found` false: no such record, `out` untouched. ERR_CORRUPT when a record can't be decoded. Nodes of a removed
 * organisation are not found and not listed, though their records go only in the blocks after. */
NODISCARD enum err org_get(const struct state *state, const char *id, struct org_record *out, bool *out_found);
NODISCARD enum err node_get(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out,
                            bool *out_found);
NODISCARD enum err params_get(const struct state *state, struct params_record *out, bool *out_found);
/* The validators as of this state, in their order. `keys` holds LIMIT_VALIDATORS. There is always at least one:
 * ERR_CORRUPT when the record is missing or damaged. Outputs are untouched on failure. */
NODISCARD enum err governance_validators(const struct state *state, uint8_t (*keys)[KEY_LEN], uint16_t *out_count);

/* At most `limit` (<= STATE_PAGE_MAX) records in key order behind `after` (NULL: from the first); an error from `each`
 * ends the walk with it. The cursor of the next page is the last id or key seen. */
NODISCARD enum err org_list(const struct state *state, const char *after, size_t limit,
                            enum err (*each)(void *arg, const struct org_record *org), void *arg);
NODISCARD enum err node_list(const struct state *state, const uint8_t *after, size_t limit,
                             enum err (*each)(void *arg, const struct node_record *node), void *arg);

/* Have enough admins of the organisation signed to speak for it? CODE_OK, CODE_ORG_UNKNOWN, CODE_ADMIN_THRESHOLD (some
 * but too few), CODE_NOT_AUTHORIZED (none). `out` (may be NULL) gets the organisation when it exists. */
NODISCARD enum err org_authorizes(const struct call *call, const char *id, struct org_record *out, enum code *out_code);
/* Is the key an admin of any organisation? */
NODISCARD enum err admin_known(const struct state *state, const uint8_t key[ED25519_KEY_LEN], bool *out_known);

/* May the first signer send to this contract? Admins may; nodes may for submit_evidence alone. */
NODISCARD enum err governance_sender_known(const struct call *call, const struct method *method, bool *out_known);

/* One organisation that holds more than f of the validators could by itself stop the ledger, so it is an alarm
 * everywhere. Gives the one that holds the most and how many it holds;
 * `*out_found` false (the rest untouched): nobody holds more than f. With fewer than 4 validators f is 0. */
NODISCARD enum err governance_dominating_org(const struct state *state, char out_org[GENESIS_ID_MAX + 1],
                                             uint16_t *out_held, bool *out_found);

/* Genesis hooks: its records' own rules, and laying them. */
NODISCARD enum err governance_genesis_check(const struct genesis_checking *c);
NODISCARD enum err governance_genesis(const struct call *call, const struct genesis *genesis);

/* Its row's part of the table of contracts. */
extern const struct method governance_methods[];
extern const struct due_handler governance_due[];

/* Kinds of items that fall due. */
#define DUE_PROPOSAL 3u    /* subject: proposal id (32) */
#define DUE_RECOUNT 4u     /* of open proposals; subject: one byte 1 */
#define DUE_ORG_LEAVING 5u /* subject: organisation's id */

#endif
