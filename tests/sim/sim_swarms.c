/* Swarms with few options: what hides in the seeds, where every fault hides others, is met often here. */
#include "tests/sim/sim_scenarios.h"

#define FAST .delay_min_us = 100, .delay_max_us = 2000

const struct swarm sim_swarms[] = {
    {"epochs change, and power goes", 60,
     {.validators = 4, .observers = 2, FAST, .membership = 150, .crash = 500, .crash_all = 700, .tx_every_ms = 30,
      .journal_segment = 32768, .chaos_ms = 3000},
     COUNT_POWER_CUT},
};

const size_t sim_swarm_count = sizeof sim_swarms / sizeof sim_swarms[0];
