#include "contracts/governance/governance_params.h"

#include "base/assert.h"
#include "contracts/governance/governance_records.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_LEAST_MS 100u
#define HEARTBEAT_MOST_MS (24u * 60u * 60u * 1000u)
/* Shorter, and an operator could hardly sign in time the proposal that makes it longer again. */
#define LIFETIME_LEAST_MS 60000u

static const struct param_range ranges[PARAM_LAST + 1] = {
    [PARAM_HEARTBEAT_MS] = {HEARTBEAT_LEAST_MS, HEARTBEAT_MOST_MS, true},
    [PARAM_MAX_BLOCK_TXS] = {1, LIMIT_BLOCK_TXS, false},
    [PARAM_MAX_BLOCK_BYTES] = {2 * LIMIT_TX_BYTES, LIMIT_BLOCK_BYTES, false},
    [PARAM_TX_MAX_LIFETIME_MS] = {LIFETIME_LEAST_MS, LIMIT_TX_LIFETIME_MS, false},
    [PARAM_VOTE_THRESHOLD_PERCENT] = {51, 100, false},
};

/* In the order of their numbers, and behind them what no proposal sets. */
static const struct field fields[] = {
    {"heartbeat_ms", "An idle chain makes a block this often; 0: never.", FIELD_NUMBER,
     MEMBER(struct genesis_params, heartbeat_ms)},
    {"max_block_txs", "Most transactions of a block.", FIELD_NUMBER, MEMBER(struct genesis_params, max_block_txs)},
    {"max_block_bytes", "Most bytes of a block.", FIELD_NUMBER, MEMBER(struct genesis_params, max_block_bytes)},
    {"tx_max_lifetime_ms", "How far ahead a transaction's expiry may be.", FIELD_NUMBER,
     MEMBER(struct genesis_params, tx_max_lifetime_ms)},
    {"vote_threshold_percent", "Share of the organisations that a proposal needs.", FIELD_NUMBER,
     MEMBER(struct genesis_params, vote_threshold_percent)},
    {"protocol_version", "The rules in force.", FIELD_NUMBER, MEMBER(struct genesis_params, protocol_version)},
};
const struct record params_shape = {"ParamValues", "Values of the ledger's parameters.",
                                    RECORD_OF(struct genesis_params, fields)};

static const struct field *field_of(uint32_t param) {
    ASSERT(param >= 1 && param <= PARAM_LAST);
    return &fields[param - 1];
}

const char *governance_param_name(uint32_t param) {
    return field_of(param)->name;
}

const struct param_range *governance_param_range(uint32_t param) {
    return param >= 1 && param <= PARAM_LAST ? &ranges[param] : NULL;
}

uint32_t governance_param_number(const char *name) {
    for (uint32_t param = 1; param <= PARAM_LAST; param++) {
        if (strcmp(governance_param_name(param), name) == 0) {
            return param;
        }
    }
    return 0;
}

bool governance_param_allows(uint32_t param, uint64_t value) {
    const struct param_range *range = governance_param_range(param);
    return range != NULL && ((range->or_zero && value == 0) || (value >= range->least && value <= range->most));
}

uint64_t governance_param_get(const struct genesis_params *params, uint32_t param) {
    return field_number(params, field_of(param)->at, field_of(param)->size);
}

void governance_param_set(struct genesis_params *params, uint32_t param, uint64_t value) {
    ASSERT(governance_param_allows(param, value));
    field_set_number(params, field_of(param)->at, field_of(param)->size, value);
}

/* ---- Protocol version --------------------------------------------------------------------------------------- */

static struct record_key next_key(void) {
    return record_key(GOVERNANCE, "protocol_next", bytes_of(NULL, 0));
}

static const struct field next_fields[] = {
    STAMP_KEPT(struct protocol_next),
    {"version", "Of the rules.", FIELD_NUMBER, MEMBER(struct protocol_next, version)},
    {"height", "The first block under them.", FIELD_DECIMAL, MEMBER(struct protocol_next, height)},
};
const struct record protocol_next_shape = {"ProtocolNext", "A change of the rules that is to come.",
                                           RECORD_OF(struct protocol_next, next_fields)};

enum err governance_protocol_next(const struct state *state, struct protocol_next *out, bool *out_found) {
    struct record_key key = next_key();
    return state_read(state, &key, &protocol_next_shape, out, out_found);
}

/* The parameters are there from genesis on. */
static enum err params_have(const struct state *state, struct params_record *out) {
    bool found = false;
    enum err e = params_get(state, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

enum err governance_protocol_at(const struct state *state, uint64_t height, uint32_t *out_version) {
    struct params_record params;
    struct protocol_next next;
    bool pending = false;
    enum err e = params_have(state, &params);
    e = e == OK ? governance_protocol_next(state, &next, &pending) : e;
    if (e == OK) {
        *out_version = pending && height >= next.height ? next.version : params.params.protocol_version;
    }
    return e;
}

enum err governance_protocol_plan(const struct call *call, uint32_t version, uint64_t height) {
    char detail[64];
    struct record_key key = next_key();
    const struct protocol_next next = {.stamp = record_stamp_new(call), .version = version, .height = height};
    enum err e = state_write(&call->state, &key, &protocol_next_shape, &next);
    if (snprintf(detail, sizeof detail, "version %" PRIu32 " at height %" PRIu64, version, height) < 0) {
        detail[0] = '\0';
    }
    struct record_key params = params_key();
    return e == OK ? state_history(&call->state, &params, "plan_protocol", detail) : e;
}

enum err governance_protocol_cancel(const struct call *call) {
    struct record_key key = next_key();
    struct record_key params = params_key();
    enum err e = state_remove(&call->state, &key);
    return e == OK ? state_history(&call->state, &params, "cancel_protocol", "") : e;
}

enum err governance_protocol_begin_block(const struct call *call) {
    struct protocol_next next;
    struct params_record before;
    char detail[32];
    bool pending = false;
    enum err e = governance_protocol_next(&call->state, &next, &pending);
    if (e != OK || !pending || call->height < next.height) {
        return e;
    }
    e = params_have(&call->state, &before);
    if (e != OK) {
        return e;
    }
    struct genesis_params params = before.params;
    params.protocol_version = next.version;
    struct record_key key = next_key();
    e = state_remove(&call->state, &key);
    if (snprintf(detail, sizeof detail, "version %" PRIu32, next.version) < 0) {
        detail[0] = '\0';
    }
    return e == OK ? params_put(call, &before, &params, "protocol", detail) : e;
}
