/* How long to wait before something that failed is tried again: twice as long as before, within limits. */
#ifndef ASSAY_BASE_BACKOFF_H
#define ASSAY_BASE_BACKOFF_H

#include <stdint.h>

/* After a wait of `before_ms`, 0 at first. */
static inline uint32_t backoff_next(uint32_t before_ms, uint32_t min_ms, uint32_t max_ms) {
    if (before_ms > max_ms / 2) {
        return max_ms;
    }
    return 2 * before_ms < min_ms ? min_ms : 2 * before_ms;
}

#endif
