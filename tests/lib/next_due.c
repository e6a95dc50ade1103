#include "tests/lib/next_due.h"

enum err next_due(const struct state *state, uint64_t *out_time_ms) {
    struct due_heads heads = {.time_ms = 0};
    enum err e = due_heads_move(&heads, state, 0);
    if (e == OK) {
        *out_time_ms = due_heads_next(&heads);
    }
    return e;
}
