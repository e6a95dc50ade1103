/* Swarms with few options: what hides in the seeds, where every fault hides others, is met often here. */
#include "tests/sim/sim_scenarios.h"

#define FAST .delay_min_us = 100, .delay_max_us = 2000

const struct swarm sim_swarms[] = {
    {"epochs change, and power goes", 100,
     {.validators = 4, .observers = 2, FAST, .membership = 150, .crash = 500, .crash_all = 700, .tx_every_ms = 30,
      .journal_segment = 32768, .chaos_ms = 3000},
     COUNT_POWER_CUT},
    {"lifetimes are voted down, and a node joins", 10,
     {.validators = 4, FAST, .params = 100, .leap = 300, .lose_ledger = 600, .tx_every_ms = 20, .keep_ms = 800,
      .journal_segment = 32768, .block_segment = 4096, .snapshot_blocks = 5, .snapshot_chunk = 5000,
      .snapshot_behind_ms = 100, .chaos_ms = 5000},
     COUNT_LIFETIME_DOWN},
    {"sources lie to a node that joins", 20,
     {.validators = 4, .byzantine = 1, FAST, .lose_ledger = 600, .tx_every_ms = 20, .keep_ms = 800,
      .journal_segment = 32768, .snapshot_blocks = 5, .snapshot_chunk = 2000, .snapshot_behind_ms = 100,
      .snapshot_lies = 900, .chaos_ms = 3000},
     COUNT_SNAPSHOT_REFUSED},
    {"bits rot in a block log", 5,
     {.validators = 4, FAST, .rot_blocks = 2500, .tx_every_ms = 30, .journal_segment = 32768, .chaos_ms = 8000},
     COUNT_ROT_NOTICED},
    {"bits rot in a vote journal", 5,
     {.validators = 4, FAST, .rot_journal = 1000, .tx_every_ms = 30, .journal_segment = 32768, .chaos_ms = 8000},
     COUNT_ROT_NOTICED},
};

const size_t sim_swarm_count = sizeof sim_swarms / sizeof sim_swarms[0];
