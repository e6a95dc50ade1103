#include "tests/sim/sim_random.h"

uint64_t sim_next(struct sim_random *random) {
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_below(struct sim_random *random, uint64_t bound) {
    return bound == 0 ? 0 : sim_next(random) % bound;
}

uint64_t sim_between(struct sim_random *random, uint64_t low, uint64_t high) {
    return low + sim_below(random, high - low + 1);
}

bool sim_chance(struct sim_random *random, uint64_t per_mille) {
    return per_mille != 0 && sim_below(random, 1000) < per_mille;
}

struct sim_random sim_stream(uint64_t seed, enum sim_stream purpose, uint64_t a, uint64_t b) {
    struct sim_random r = {seed};
    r.state = sim_next(&r) ^ (uint64_t)purpose << 56;
    r.state = sim_next(&r) ^ a;
    r.state = sim_next(&r) ^ b;
    return r;
}
