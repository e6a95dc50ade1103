/* When the earliest item of a state falls due, found as by who knows nothing of the blocks before. */
#ifndef ASSAY_TESTS_LIB_NEXT_DUE_H
#define ASSAY_TESTS_LIB_NEXT_DUE_H

#include "contracts/kernel/due_queue.h"

/* 0 when there is none. */
NODISCARD enum err next_due(const struct state *state, uint64_t *out_time_ms);

#endif
