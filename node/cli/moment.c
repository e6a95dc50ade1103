#include "node/cli/moment.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define LAST_YEAR_MS UINT64_C(253402300799999) /* of four digits */

void moment_text(uint64_t ms, char out[MOMENT_MAX]) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (ms > LAST_YEAR_MS || gmtime_r(&seconds, &parts) == NULL ||
        strftime(out, MOMENT_MAX, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
        (void)snprintf(out, MOMENT_MAX, "%" PRIu64 " ms", ms);
    }
}

void moment_age_text(uint64_t age_ms, char out[MOMENT_MAX]) {
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{86400000, "days"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    size_t i = 0;
    while (i + 1 < sizeof units / sizeof units[0] && age_ms < 2 * units[i].ms) {
        i++;
    }
    (void)snprintf(out, MOMENT_MAX, "%" PRIu64 " %s", age_ms / units[i].ms, units[i].name);
}

uint64_t moment_age_ms(uint64_t ms) {
    uint64_t now_ms = clock_wall_ms();
    return now_ms > ms ? now_ms - ms : 0;
}
