#include "verify/freshness.h"

#include <stdbool.h>

static const struct {
    bool by_heartbeat; /* the limit is never below FRESHNESS_HEARTBEATS heartbeats; without a heartbeat there is none */
    bool start_expires; /* after FRESHNESS_TRUSTING_MS */
} rules[] = {
    [FOLLOWER_GATEWAY] = {true, true},
    [FOLLOWER_JOINER] = {false, true},
    [FOLLOWER_COMMAND_LINE] = {false, false},
    [FOLLOWER_DEVICE] = {false, false},
};

uint64_t freshness_limit(enum follower who, uint64_t configured_ms, uint32_t heartbeat_ms) {
    if (!rules[who].by_heartbeat) {
        return configured_ms;
    }
    if (heartbeat_ms == 0) {
        return 0;
    }
    uint64_t beats_ms = (uint64_t)FRESHNESS_HEARTBEATS * heartbeat_ms;
    return configured_ms > beats_ms ? configured_ms : beats_ms;
}

static bool is_older(uint64_t time_ms, uint64_t now_ms, uint64_t limit_ms) {
    return now_ms > time_ms && now_ms - time_ms > limit_ms;
}

enum verdict freshness_head(uint64_t head_ms, uint64_t now_ms, uint64_t limit_ms) {
    return limit_ms > 0 && is_older(head_ms, now_ms, limit_ms) ? BAD_STALE : GOOD;
}

enum verdict freshness_start(enum follower who, uint64_t start_ms, uint64_t now_ms) {
    return rules[who].start_expires && is_older(start_ms, now_ms, FRESHNESS_TRUSTING_MS) ? BAD_START : GOOD;
}
