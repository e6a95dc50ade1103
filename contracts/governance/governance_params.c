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
    [PARAM_HEARTBEAT_MS] = {"heartbeat_ms", HEARTBEAT_LEAST_MS, HEARTBEAT_MOST_MS, true},
    [PARAM_MAX_BLOCK_TXS] = {"max_block_txs", 1, LIMIT_BLOCK_TXS, false},
    [PARAM_MAX_BLOCK_BYTES] = {"max_block_bytes", 2 * LIMIT_TX_BYTES, LIMIT_BLOCK_BYTES, false},
    [PARAM_TX_MAX_LIFETIME_MS] = {"tx_max_lifetime_ms", LIFETIME_LEAST_MS, LIMIT_TX_LIFETIME_MS, false},
    [PARAM_VOTE_THRESHOLD_PERCENT] = {"vote_threshold_percent", 51, 100, false},
};

const struct param_range *governance_param_range(uint32_t param) {
    return param >= 1 && param <= PARAM_LAST ? &ranges[param] : NULL;
}

uint32_t governance_param_number(const char *name) {
    for (uint32_t param = 1; param <= PARAM_LAST; param++) {
        if (strcmp(ranges[param].name, name) == 0) {
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
    switch ((enum governance_param)param) {
    case PARAM_HEARTBEAT_MS:
        return params->heartbeat_ms;
    case PARAM_MAX_BLOCK_TXS:
        return params->max_block_txs;
    case PARAM_MAX_BLOCK_BYTES:
        return params->max_block_bytes;
    case PARAM_TX_MAX_LIFETIME_MS:
        return params->tx_max_lifetime_ms;
    case PARAM_VOTE_THRESHOLD_PERCENT:
        return params->vote_threshold_percent;
    }
    ASSERT(governance_param_range(param) != NULL);
    return 0;
}

void governance_param_set(struct genesis_params *params, uint32_t param, uint64_t value) {
    ASSERT(governance_param_allows(param, value));
    switch ((enum governance_param)param) {
    case PARAM_HEARTBEAT_MS:
        params->heartbeat_ms = (uint32_t)value;
        break;
    case PARAM_MAX_BLOCK_TXS:
        params->max_block_txs = (uint32_t)value;
        break;
    case PARAM_MAX_BLOCK_BYTES:
        params->max_block_bytes = (uint32_t)value;
        break;
    case PARAM_TX_MAX_LIFETIME_MS:
        params->tx_max_lifetime_ms = value;
        break;
    case PARAM_VOTE_THRESHOLD_PERCENT:
        params->vote_threshold_percent = (uint32_t)value;
        break;
    }
}

/* ---- Protocol version --------------------------------------------------------------------------------------- */

static struct record_key next_key(void) {
    return record_key(GOVERNANCE, "protocol_next", bytes_of(NULL, 0));
}

static enum err next_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct protocol_next next = {0};
    record_stamp_read(&r, &next.stamp);
    next.version = read_u32(&r);
    next.height = read_u64(&r);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct protocol_next *)out = next;
    return OK;
}

enum err governance_protocol_next(const struct state *state, struct protocol_next *out, bool *out_found) {
    struct record_key key = next_key();
    return state_get_record(state, &key, next_decode, out, out_found);
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
    struct record_stamp stamp = record_stamp_new(call);
    struct buffer value = BUFFER_INIT;
    record_stamp_write(&value, &stamp);
    buffer_u32(&value, version);
    buffer_u64(&value, height);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
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
