#include "node/ledger/ledger_time.h"

#include "base/limits.h"

#include <stdio.h>

uint64_t ledger_time_now(uint64_t wall_ms, uint64_t block_ms) {
    return wall_ms > block_ms ? wall_ms : block_ms;
}

uint64_t ledger_time_expiry(uint64_t now_ms, uint64_t max_lifetime_ms) {
    return now_ms + (max_lifetime_ms < LIMIT_TX_DEFAULT_LIFETIME_MS ? max_lifetime_ms : LIMIT_TX_DEFAULT_LIFETIME_MS);
}

uint64_t ledger_time_ahead(uint64_t wall_ms, uint64_t block_ms) {
    return block_ms > wall_ms ? block_ms - wall_ms : 0;
}

/* The two largest units that say something. */
static void spell(uint64_t ms, char out[48]) {
    static const struct {
        const char *large, *small;
        unsigned seconds, part;
    } units[] = {
        {"years", "days", 365u * 86400u, 86400u},
        {"days", "h", 86400u, 3600u},
        {"h", "min", 3600u, 60u},
        {"min", "s", 60u, 1u},
    };
    uint64_t s = ms / 1000;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (s >= units[i].seconds) {
            (void)snprintf(out, 48, "%llu %s %llu %s", (unsigned long long)(s / units[i].seconds), units[i].large,
                           (unsigned long long)(s % units[i].seconds / units[i].part), units[i].small);
            return;
        }
    }
    (void)snprintf(out, 48, "%llu s", (unsigned long long)s);
}

const char *ledger_time_alarm(uint64_t ahead_ms, uint64_t allowed_ms, char out[LEDGER_TIME_TEXT_MAX]) {
    if (ahead_ms <= allowed_ms) {
        return NULL;
    }
    bool far = ahead_ms > LEDGER_TIME_FAR_MS;
    char ahead[48];
    spell(ahead_ms, ahead);
    (void)snprintf(out, LEDGER_TIME_TEXT_MAX, "the last block is %s ahead of our clock; %s", ahead,
                   far ? "what falls due stands still, and waiting is no way out"
                       : "what falls due stands still until then");
    return far ? "chain-far-ahead" : "chain-ahead";
}
