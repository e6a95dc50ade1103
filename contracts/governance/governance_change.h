/* What a proposal would change: decoded once from the arguments, kept with the proposal in canonical bytes, judged
 * against the state when it is proposed and again when it has passed, and carried out.
 *
 * Bytes: kind (1), then by kind
 *   admit organisation    id text | name text | kind (1) | threshold (1) | admin count (1) | admins (32 each)
 *   remove organisation   id text
 *   add, remove validator, remove convicted    signing key (32)
 *   replace validator     old signing key (32) | new signing key (32)
 *   set parameters        count (1) | count x [ parameter (1) | value (8) ], by rising number
 *   rotate admins         id text | threshold (1) | admin count (1) | admins (32 each)
 *   set protocol version  version (4) | height (8)
 *
 * A removed organisation speaks for nobody from that moment: its votes on open proposals go, its nodes are no longer
 * found (node_get), and their records are taken away in the next blocks, one in each: however many organisations leave
 * at once, the work of a block stays bounded.
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_CHANGE_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_CHANGE_H

#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_params.h"

/* Numbers stand in records and never change. */
enum change_kind {
    CHANGE_ADMIT_ORG = 1,
    CHANGE_REMOVE_ORG = 2,
    CHANGE_ADD_VALIDATOR = 3,
    CHANGE_REMOVE_VALIDATOR = 4,
    CHANGE_REPLACE_VALIDATOR = 5,
    CHANGE_SET_PARAMS = 6,
    CHANGE_ROTATE_ADMINS = 7,
    CHANGE_SET_PROTOCOL = 8,
    CHANGE_REMOVE_CONVICTED = 9,
};

struct param_setting {
    uint8_t param;
    uint64_t value;
};

/* Only the fields of its kind are set. */
struct governance_change {
    enum change_kind kind;
    struct genesis_org org;   /* admitted: all of it; removed: its id; rotated: id, admins and threshold */
    uint8_t key[KEY_LEN];     /* of the validator added, removed or replaced */
    uint8_t new_key[KEY_LEN]; /* of the one that takes its place */
    struct param_setting settings[PARAM_LAST];
    uint8_t setting_count;
    uint32_t version;
    uint64_t height;
};

/* "admit_org", ...; "unknown" for no kind. */
const char *governance_change_name(enum change_kind kind);

extern const struct record governance_change_shape;

/* Takes the change from the arguments; refuses (true) what breaks a rule in itself, whatever the state. */
bool governance_change_parse(const Assay__Propose *args, struct governance_change *out, struct answer *answer);
/* Could it be carried out on this state? Leaves the answer at CODE_OK or refuses with the reason. */
NODISCARD enum err governance_change_judge(const struct call *call, const struct governance_change *change,
                                           struct answer *answer);
/* Carries out what was just judged good on this state. */
NODISCARD enum err governance_change_apply(const struct call *call, const struct governance_change *change);
/* Does it alter who votes or how many votes are needed? */
bool governance_change_alters_voting(const struct governance_change *change);

/* Due: takes away one of the nodes of a removed organisation; the subject is its id. */
NODISCARD enum err governance_leaving_due(const struct call *call, struct bytes subject);

#endif
