/* Randomness of the simulator: splitmix64. Everything random in a run comes from here. */
#ifndef ASSAY_SIM_RANDOM_H
#define ASSAY_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};
uint64_t sim_next(struct sim_random *random);
uint64_t sim_below(struct sim_random *random, uint64_t bound);                /* 0 .. bound - 1 */
uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high); /* both ends included */
bool sim_chance(struct sim_random *random, uint64_t per_mille);
/* A stream of its own for whatever has this purpose and these two numbers. */
enum sim_stream {
    STREAM_OPTIONS,
    STREAM_NODE,
    STREAM_LINK,
    STREAM_SYNC,
    STREAM_MULTICAST,
    STREAM_PLAN,
    STREAM_DISK,
    STREAM_FILLER,
    STREAM_WORK,
    STREAM_TRICKS,
    STREAM_FOES,
    STREAM_PROCESS,
    STREAM_SNAPSHOT,
    STREAM_WHISPER,
};
struct sim_random sim_stream(uint64_t seed, enum sim_stream purpose, uint64_t a, uint64_t b);

#endif
