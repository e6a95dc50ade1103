/* The parameters that organisations may change by a proposal, each with its name and range, and the protocol version,
 * which changes at a height.
 *
 * A parameter counts from the block after the one in which it was changed (blocks are made by the state of their
 * parent). The rules of a new protocol version hold from the start of the block at its height: a program that does not
 * know the version must not execute that block (governance_protocol_at tells beforehand).
 *
 * Record (contract "governance"):
 *   "protocol_next"   stamp | version (4) | height (8); while a switch is to come
 */
#ifndef ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PARAMS_H
#define ASSAY_CONTRACTS_GOVERNANCE_GOVERNANCE_PARAMS_H

#include "contracts/governance/governance.h"

/* Numbers stand in transactions and never change. */
enum governance_param {
    PARAM_HEARTBEAT_MS = 1,
    PARAM_MAX_BLOCK_TXS = 2,
    PARAM_MAX_BLOCK_BYTES = 3,
    PARAM_TX_MAX_LIFETIME_MS = 4,
    PARAM_VOTE_THRESHOLD_PERCENT = 5,
};
#define PARAM_LAST PARAM_VOTE_THRESHOLD_PERCENT

struct param_range {
    uint64_t least;
    uint64_t most;
    bool or_zero; /* 0 is allowed beside the range */
};

/* NULL for a number that is no parameter's. */
const struct param_range *governance_param_range(uint32_t param);
/* As in genesis.json and in answers. */
const char *governance_param_name(uint32_t param);
/* 0 for a name that is no parameter's. */
uint32_t governance_param_number(const char *name);
bool governance_param_allows(uint32_t param, uint64_t value);
uint64_t governance_param_get(const struct genesis_params *params, uint32_t param);
/* The value is within the range. */
void governance_param_set(struct genesis_params *params, uint32_t param, uint64_t value);

struct protocol_next {
    struct record_stamp stamp;
    uint32_t version;
    uint64_t height;
};

extern const struct record protocol_next_shape;

/* `*out_found` false: no switch is to come. */
NODISCARD enum err governance_protocol_next(const struct state *state, struct protocol_next *out, bool *out_found);
/* The version whose rules hold in the block at `height`, whose parent has this state. */
NODISCARD enum err governance_protocol_at(const struct state *state, uint64_t height, uint32_t *out_version);

/* Sets the switch to come in place of any other, or takes it back. */
NODISCARD enum err governance_protocol_plan(const struct call *call, uint32_t version, uint64_t height);
NODISCARD enum err governance_protocol_cancel(const struct call *call);
/* At the start of a block: switches when the height is reached. */
NODISCARD enum err governance_protocol_begin_block(const struct call *call);

#endif
