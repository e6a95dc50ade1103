/* Organisations, nodes and parameters: who takes part. They come from the genesis; this version reads them only (a
 * method call on "governance" is UNKNOWN_METHOD).
 *
 * Records (contract "governance"; a record begins with the stamp of state.h):
 *   "org/" || id            stamp | id text | name text | kind (1) | threshold (1) | admin count (1) | admins (32 each)
 *   "admin/" || key || id   one byte 1: this key is an admin of that organisation
 *   "node/" || signing key  stamp | key (32) | link key (32) | role (1) | org text | peer text | http text
 *   "params"                stamp | heartbeat ms (4) | block txs (4) | block bytes (4) | tx lifetime ms (8) |
 *                           vote threshold percent (4) | protocol version (4)
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_H
#define ASSAY_CONTRACTS_GOVERNANCE_H

#include "contracts/genesis.h"
#include "contracts/state.h"

struct org_record {
    struct record_stamp stamp;
    struct genesis_org org;
};

struct node_record {
    struct record_stamp stamp;
    struct genesis_node node;
};

struct params_record {
    struct record_stamp stamp;
    struct genesis_params params;
};

struct record_key org_key(const char *id);
struct record_key node_key(const uint8_t key[ED25519_KEY_LEN]);

/* `*out_found` false: no such record, `out` untouched. ERR_CORRUPT when a record can't be decoded. */
NODISCARD enum err org_get(const struct state *state, const char *id, struct org_record *out, bool *out_found);
NODISCARD enum err node_get(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out,
                            bool *out_found);
NODISCARD enum err params_get(const struct state *state, struct params_record *out, bool *out_found);

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

/* Genesis hook. */
NODISCARD enum err governance_genesis(const struct call *call, const struct genesis *genesis);

#endif
