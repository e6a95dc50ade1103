/* How often the seeds of a program run did what the simulator is there to do. A capability that no seed of a long run
 * uses is one that is believed to be tested and is not: that fails the run.
 *
 * To add a counter: a line in SIM_COUNTERS, and a call of sim_count where the thing has happened (not where it was
 * planned).
 */
#ifndef ASSAY_SIM_COUNTERS_H
#define ASSAY_SIM_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SIM_COUNTERS(X)                                                                                                \
    X(COUNT_POWER_CUT, "power cuts")                                                                                   \
    X(COUNT_SYNC_FAILED, "failed syncs")                                                                               \
    X(COUNT_DISK_FULL, "writes that a full disk refused")

enum sim_counter {
#define SIM_COUNTER_NAME(name, text) name,
    SIM_COUNTERS(SIM_COUNTER_NAME)
#undef SIM_COUNTER_NAME
        SIM_COUNTER_COUNT
};

#define SIM_COUNTED_SEEDS 500u /* with so many seeds nothing may be left at 0 */

struct sim_world;
void sim_count(struct sim_world *world, enum sim_counter counter);
const char *sim_counter_text(enum sim_counter counter);

/* Adds what one run counted to what all workers share. */
void sim_counters_merge(atomic_ullong all[SIM_COUNTER_COUNT], const uint64_t run[SIM_COUNTER_COUNT]);
/* Prints the table. With `all_wanted` every counter that is still 0 is named as a failure; false when there is one. */
bool sim_counters_print(const atomic_ullong all[SIM_COUNTER_COUNT], bool all_wanted);

#endif
