/* Scenarios: what one is, and what the one that runs remembers. */
#ifndef ASSAY_SIM_SCENARIOS_H
#define ASSAY_SIM_SCENARIOS_H

#include "tests/sim/sim.h"

struct scenario {
    const char *name;
    void (*prepare)(struct sim_world *world);
    uint64_t membership, blocks; /* at least so many, all in all */
    void (*tune)(struct sim_options *options);
    enum sim_counter counter; /* what must have happened beside what scene.happened counts; 0: nothing */
    bool costly;              /* played with one seed */
};

#define REPLAYS_MAX 400

struct sim_scene {
    uint64_t since_us; /* when it began to interfere */
    uint64_t happened;
    uint64_t casts;
    uint64_t height;      /* of the chain when it began */
    uint64_t given_up[4]; /* the highest view that each nullified */
    uint8_t closing[HASH_LEN];
    struct {
        uint16_t from, to;
        struct buffer message;
    } kept[REPLAYS_MAX];
    size_t kept_count;
};
extern struct sim_scene scene;

/* Did it begin (now, at the latest) more than that long ago? */
bool sim_begun_for(const struct sim_world *world, uint64_t ms);

/* Does it bring such a vote, or such a certificate? */
bool sim_bears_vote(const struct peer_message *message, enum vote_kind kind, uint64_t view);
bool sim_bears_certificate(const struct peer_message *message, enum vote_kind kind, uint64_t view);

/* Epochs: sim_epochs.c. */
extern const struct scenario sim_epoch_scenarios[];
extern const size_t sim_epoch_scenario_count;
/* Foes: sim_foes.c. */
extern const struct scenario sim_foe_scenarios[];
extern const size_t sim_foe_scenario_count;

/* A swarm with few options leads often to what seeds with all of them lead to seldom: sim_swarms.c. */
struct swarm {
    const char *name;
    uint64_t seeds;
    struct sim_options options;
    enum sim_counter counter; /* what must have happened in one of them */
};
extern const struct swarm sim_swarms[];
extern const size_t sim_swarm_count;

#endif
