/* The swarm: which options a seed has. Every seed leaves most of them out, each a different choice: faults hide one
 * another, so a run with few of them goes deeper than one with all. */
#include "tests/sim/sim.h"

#include <string.h>

struct option {
    const char *name;
    size_t offset;
    uint64_t neutral; /* plays no part */
};

#define OPTION(member)                                                                                                 \
    { #member, offsetof(struct sim_options, member), 0 }
#define OPTION_OR(member, neutral)                                                                                     \
    { #member, offsetof(struct sim_options, member), neutral }

static const struct option options[] = {
    OPTION_OR(validators, 4),
    OPTION(observers),
    OPTION(twins),
    OPTION(byzantine),
    OPTION(wild_clocks),
    OPTION(loss),
    OPTION(duplicate),
    OPTION(straggle),
    OPTION_OR(delay_min_us, 100),
    OPTION_OR(delay_max_us, 5000),
    OPTION(certificates_to_one),
    OPTION(sync_loss),
    OPTION(membership),
    OPTION(partition),
    OPTION(isolate_leader),
    OPTION(crash),
    OPTION(boundary_crash),
    OPTION(crash_all),
    OPTION(crash_all_after_vote),
    OPTION(pause),
    OPTION(clock_jump),
    OPTION(sync_error),
    OPTION(disk_full),
    OPTION(old_copy),
    OPTION(rot_journal),
    OPTION(rot_blocks),
    OPTION(disk_lies),
    OPTION(lie),
    OPTION(collude),
    OPTION(equivocate),
    OPTION(fork),
    OPTION(false_root),
    OPTION(usurp),
    OPTION(withhold),
    OPTION(drip),
    OPTION(censor),
    OPTION(forge),
    OPTION(futures),
    OPTION(mislead),
    OPTION(stale),
    OPTION(replay),
    OPTION(garble),
    OPTION(desert),
    OPTION(clock_skew_ms),
    OPTION_OR(tx_every_ms, 100),
    OPTION(first_tx_ms),
    OPTION(retry),
    OPTION_OR(journal_segment, 32768),
    OPTION(blocks_bytes),
    OPTION(real_signatures),
    OPTION_OR(chaos_ms, 3000),
};

#define OPTION_COUNT (sizeof options / sizeof options[0])

const char *sim_option_name(size_t place) {
    return place < OPTION_COUNT ? options[place].name : NULL;
}

uint64_t sim_option_get(const struct sim_options *from, size_t place) {
    uint64_t value;
    memcpy(&value, (const uint8_t *)from + options[place].offset, sizeof value);
    return value;
}

void sim_option_set(struct sim_options *to, size_t place, uint64_t value) {
    memcpy((uint8_t *)to + options[place].offset, &value, sizeof value);
}

uint64_t sim_option_neutral(size_t place) {
    return options[place].neutral;
}

bool sim_option_by_name(const char *name, size_t *out_place) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(options[i].name, name) == 0) {
            *out_place = i;
            return true;
        }
    }
    return false;
}

/* ---- Of a seed --------------------------------------------------------------------------------------------------- */

static uint64_t maybe(struct sim_random *random, uint32_t per_mille, uint64_t low, uint64_t high) {
    return sim_chance(random, per_mille) ? sim_between(random, low, high) : 0;
}

/* At most f validators are faulty in any way that the protocol counts. */
static void share_out_faulty(struct sim_random *random, struct sim_options *o) {
    uint64_t budget = validators_faulty((uint16_t)o->validators);
    uint64_t *const disk[] = {&o->old_copy, &o->rot_journal, &o->rot_blocks, &o->disk_lies};
    bool damaged = false;
    for (; budget > 0; budget--) {
        switch (sim_below(random, 10)) {
        case 0:
        case 1:
            o->twins++;
            break;
        case 2:
            o->wild_clocks++;
            break;
        case 3:
        case 4:
            if (!damaged) {
                *disk[sim_below(random, 4)] = sim_between(random, 1000, 2500);
                damaged = true;
            }
            break;
        case 5:
            break;
        default:
            o->byzantine++;
            break;
        }
    }
}

static void choose_tricks(struct sim_random *random, struct sim_options *o) {
    uint64_t *const tricks[] = {&o->lie,      &o->collude, &o->equivocate, &o->fork,  &o->false_root, &o->usurp,
                                &o->withhold, &o->drip,    &o->censor,     &o->forge, &o->futures,    &o->mislead,
                                &o->stale,    &o->replay,  &o->garble,     &o->desert};
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        *tricks[i] = o->byzantine > 0 ? maybe(random, 300, 50, 900) : 0;
    }
}

static void choose_network(struct sim_random *random, struct sim_options *o) {
    o->loss = maybe(random, 400, 5, 200);
    o->duplicate = maybe(random, 400, 5, 200);
    o->straggle = maybe(random, 250, 5, 100);
    o->delay_min_us = sim_between(random, 50, 2000);
    o->delay_max_us = o->delay_min_us + (sim_chance(random, 300) ? sim_between(random, 50000, 600000) : 5000);
    o->certificates_to_one = maybe(random, 300, 100, 1000);
    o->sync_loss = maybe(random, 200, 100, 700);
    o->partition = maybe(random, 450, 300, 2000);
    o->isolate_leader = maybe(random, 250, 300, 2000);
}

static void choose_processes(struct sim_random *random, struct sim_options *o) {
    o->crash = maybe(random, 400, 300, 3000);
    o->boundary_crash = maybe(random, 400, 200, 2000);
    o->crash_all = maybe(random, 200, 700, 3000);
    o->crash_all_after_vote = maybe(random, 250, 500, 2500);
    o->pause = maybe(random, 300, 400, 3000);
    o->clock_skew_ms = maybe(random, 500, 10, 900);
    o->clock_jump = maybe(random, 200, 500, 3000);
    o->sync_error = maybe(random, 200, 400, 2500);
    o->disk_full = maybe(random, 200, 500, 2500);
}

void sim_options_of_seed(uint64_t seed, struct sim_options *out) {
    static const uint64_t sizes[] = {1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 5, 6, 7, 7, 8, 10};
    struct sim_random random = sim_stream(seed, STREAM_OPTIONS, 0, 0);
    struct sim_options o = {.validators = sizes[sim_below(&random, sizeof sizes / sizeof sizes[0])]};
    o.membership = maybe(&random, 350, 200, 2000);
    o.observers = o.membership > 0 ? sim_between(&random, 1, SIM_OBSERVERS_MAX) : sim_below(&random, 2);
    choose_network(&random, &o);
    choose_processes(&random, &o);
    o.tx_every_ms = sim_between(&random, 5, 200);
    o.first_tx_ms = sim_chance(&random, 500) ? 1000 : 0; /* late: twins get through their recall */
    o.retry = maybe(&random, 500, 50, 500);
    o.blocks_bytes = maybe(&random, 400, 1, 3000);
    o.journal_segment = sim_chance(&random, 500) ? 4096 : 32768;
    o.real_signatures = sim_chance(&random, 60) ? 1 : 0;
    o.chaos_ms = 1500 + sim_between(&random, 1500, 5000);
    share_out_faulty(&random, &o);
    choose_tricks(&random, &o);
    *out = o;
}

void sim_case_of_seed(uint64_t seed, struct sim_case *out) {
    *out = (struct sim_case){.seed = seed};
    sim_options_of_seed(seed, &out->options);
}
