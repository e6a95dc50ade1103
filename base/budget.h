/* What may be done so many times at once, and then once a period. */
#ifndef ASSAY_BASE_BUDGET_H
#define ASSAY_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

/* All zeros is one that was full long ago. */
struct budget {
    uint64_t filled_ms;
    uint32_t spent;
};

/* May it be done once more? Then it counts. Time that was not used up is kept, up to a full budget. */
static inline bool budget_spend(struct budget *b, uint32_t burst, uint32_t period_ms, uint64_t now_ms) {
    uint64_t earned = (now_ms - b->filled_ms) / period_ms;
    bool full = earned >= b->spent;
    b->filled_ms = full ? now_ms : b->filled_ms + earned * period_ms;
    b->spent = full ? 0 : b->spent - (uint32_t)earned;
    bool allowed = b->spent < burst;
    b->spent += allowed;
    return allowed;
}

#endif
