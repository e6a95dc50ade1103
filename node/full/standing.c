#include "node/full/standing.h"

#include "node/host/log.h"
#include "verify/certificate.h"

#include <stdio.h>

void standing_look(struct standing *s, const struct standing_facts *facts, uint64_t now_ms) {
    if (s->known && s->epoch != facts->epoch) {
        log_event(LOG_INFO, "epoch.began", log_number("epoch", facts->epoch),
                  log_number("validators", facts->validators));
    }
    if (s->known && s->validates != facts->validates) {
        log_event(LOG_INFO, facts->validates ? "validating.began" : "validating.ended",
                  log_number("epoch", facts->epoch));
    }
    s->known = true;
    s->epoch = facts->epoch;
    s->validates = facts->validates;
    if (facts->within_reach >= validators_quorum(facts->validators)) {
        s->apart_since_ms = 0;
    } else if (s->apart_since_ms == 0) {
        s->apart_since_ms = now_ms;
    }
}

uint64_t standing_overdue_ms(const struct standing_facts *facts, uint64_t now_ms) {
    uint64_t due_ms = facts->last_block_ms + facts->heartbeat_ms;
    return facts->heartbeat_ms != 0 && now_ms > due_ms ? now_ms - due_ms : 0;
}

bool standing_is_stalled(const struct standing_facts *facts, uint64_t now_ms, char out[STANDING_TEXT_MAX]) {
    uint64_t limit_ms = (uint64_t)STANDING_HEARTBEATS * facts->heartbeat_ms;
    limit_ms = limit_ms > STANDING_PATIENCE_MS ? limit_ms : STANDING_PATIENCE_MS;
    uint64_t since_ms = now_ms - facts->last_block_ms;
    if (facts->heartbeat_ms == 0 || since_ms <= limit_ms) {
        return false;
    }
    (void)snprintf(out, STANDING_TEXT_MAX, "no block has become final for %llu s, though one is due every %u ms",
                   (unsigned long long)(since_ms / 1000), facts->heartbeat_ms);
    return true;
}

bool standing_is_apart(const struct standing *s, const struct standing_facts *facts, uint64_t now_ms,
                       char out[STANDING_TEXT_MAX]) {
    if (s->apart_since_ms == 0 || now_ms - s->apart_since_ms <= STANDING_PATIENCE_MS) {
        return false;
    }
    (void)snprintf(out, STANDING_TEXT_MAX, "%u of %u validators are within reach, %u are needed: nothing becomes final",
                   facts->within_reach, facts->validators, validators_quorum(facts->validators));
    return true;
}

bool standing_is_stranger(const struct standing_facts *facts, char out[STANDING_TEXT_MAX]) {
    if (facts->is_on_ledger) {
        return false;
    }
    (void)snprintf(out, STANDING_TEXT_MAX,
                   "the ledger has no node with this key: others refuse its links; have its organisation add it");
    return true;
}

bool standing_is_deposed(const struct standing_facts *facts, char out[STANDING_TEXT_MAX]) {
    if (facts->configured != NODE_VALIDATOR || facts->validates || !facts->is_on_ledger) {
        return false;
    }
    (void)snprintf(out, STANDING_TEXT_MAX,
                   "this node is set up as a validator and is none of epoch %llu: propose it, or set node.role = "
                   "observer",
                   (unsigned long long)facts->epoch);
    return true;
}
