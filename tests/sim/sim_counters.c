#include "tests/sim/sim_counters.h"

#include "tests/sim/sim.h"

#include <stdio.h>

static const char *const texts[] = {
#define SIM_COUNTER_TEXT(name, text) [name] = (text),
    SIM_COUNTERS(SIM_COUNTER_TEXT)
#undef SIM_COUNTER_TEXT
};

const char *sim_counter_text(enum sim_counter counter) {
    return texts[counter];
}

void sim_count(struct sim_world *world, enum sim_counter counter) {
    world->counted[counter]++;
}

void sim_counters_merge(atomic_ullong all[SIM_COUNTER_COUNT], const uint64_t run[SIM_COUNTER_COUNT]) {
    for (size_t i = 0; i < SIM_COUNTER_COUNT; i++) {
        atomic_fetch_add(&all[i], run[i]);
    }
}

bool sim_counters_print(const atomic_ullong all[SIM_COUNTER_COUNT], bool all_wanted) {
    bool good = true;
    for (size_t i = 0; i < SIM_COUNTER_COUNT; i++) {
        unsigned long long count = atomic_load(&all[i]);
        bool missing = all_wanted && count == 0;
        printf("%12llu  %s%s\n", count, texts[i], missing ? "  (NEVER: nothing was tested of it)" : "");
        good = good && !missing;
    }
    return good;
}
