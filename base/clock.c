#include "base/clock.h"

#include <time.h>

static uint64_t now_ns(clockid_t id) {
    struct timespec ts = {0};
    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t clock_wall_ms(void) {
    return now_ns(CLOCK_REALTIME) / 1000000u;
}

uint64_t clock_mono_ms(void) {
    return now_ns(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t clock_mono_ns(void) {
    return now_ns(CLOCK_MONOTONIC);
}
