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
    OPTION(words_to_one),
    OPTION(sync_loss),
    OPTION(membership),
    OPTION(params),
    OPTION(leap),
    OPTION(exile),
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
    OPTION(lose_blocks),
    OPTION(lose_state),
    OPTION(lose_ledger),
    OPTION(lie),
    OPTION(collude),
    OPTION(equivocate),
    OPTION(fork),
    OPTION(false_root),
    OPTION(usurp),
    OPTION(withhold),
    OPTION(whisper),
    OPTION(drip),
    OPTION(censor),
    OPTION(forge),
    OPTION(futures),
    OPTION(mislead),
    OPTION(stale),
    OPTION(replay),
    OPTION(garble),
    OPTION(forge_block),
    OPTION(false_final),
    OPTION(forge_kind),
    OPTION(lie_kind),
    OPTION(false_recall),
    OPTION(flood),
    OPTION(fill),
    OPTION_OR(fill_bytes, 1000),
    OPTION(lying_observer),
    OPTION(desert),
    OPTION(clock_skew_ms),
    OPTION_OR(tx_every_ms, 100),
    OPTION(first_tx_ms),
    OPTION(retry),
    OPTION_OR(journal_segment, 32768),
    OPTION(block_segment),
    OPTION(checkpoint_bytes),
    OPTION(checkpoint_late_ms),
    OPTION(keep_ms),
    OPTION(tx_lifetime_ms),
    OPTION(snapshot_blocks),
    OPTION(snapshot_chunk),
    OPTION(snapshot_behind_ms),
    OPTION(snapshot_lies),
    OPTION(limits),
    OPTION(blocks_bytes),
    OPTION(timeout_cap_ms),
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

bool sim_options_forgetful(const struct sim_options *o) {
    return o->old_copy + o->rot_journal + o->rot_blocks + o->disk_lies + o->lose_blocks + o->lose_state +
               o->lose_ledger >
           0;
}

/* At most f validators are faulty in any way that the protocol counts. */
static void share_out_faulty(struct sim_random *random, struct sim_options *o) {
    uint64_t budget = validators_faulty((uint16_t)o->validators);
    uint64_t *const disk[] = {&o->old_copy,    &o->rot_journal, &o->rot_blocks, &o->disk_lies,
                              &o->lose_blocks, &o->lose_state,  &o->lose_ledger};
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
                *disk[sim_below(random, sizeof disk / sizeof disk[0])] = sim_between(random, 1000, 2500);
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
    o->words_to_one = maybe(random, 300, 100, 1000);
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

/* Few seeds have many validators: they cost the most. */
static void grow(uint64_t seed, struct sim_options *o) {
    struct sim_random random = sim_stream(seed, STREAM_FOES, 1, 0);
    if (sim_chance(&random, 25)) {
        o->validators = sim_chance(&random, 500) ? 16 : sim_between(&random, 17, SIM_VALIDATORS_MAX);
    }
}

static void let_whisper(uint64_t seed, struct sim_options *o) {
    struct sim_random random = sim_stream(seed, STREAM_WHISPER, 0, 0);
    o->whisper = o->byzantine > 0 ? maybe(&random, 300, 50, 900) : 0;
}

/* Few faults and a fast network, so that foes get to say a lot before the run ends. */
static void make_duel(struct sim_random *random, struct sim_options *o) {
    static const uint64_t sizes[] = {4, 4, 4, 5, 7};
    struct sim_options d = {.validators = sizes[sim_below(random, 5)],
                            .byzantine = 1,
                            .delay_min_us = sim_between(random, 50, 800),
                            .tx_every_ms = sim_between(random, 5, 20),
                            .journal_segment = o->journal_segment,
                            .retry = maybe(random, 700, 100, 600),
                            .chaos_ms = sim_between(random, 3000, 5500)};
    d.byzantine = d.validators == 7 ? sim_between(random, 1, 2) : 1;
    d.delay_max_us = d.delay_min_us + 2500;
    d.membership = maybe(random, 600, 200, 1000);
    d.observers = sim_between(random, 1, 3);
    d.crash = maybe(random, 300, 500, 2000);
    d.equivocate = maybe(random, 200, 50, 300);
    d.lie = maybe(random, 200, 50, 300);
    d.blocks_bytes = o->blocks_bytes;
    *o = d;
}

/* What foes do beside, from a stream of its own. */
static void choose_foes(uint64_t seed, struct sim_options *o) {
    struct sim_random random = sim_stream(seed, STREAM_FOES, 0, 0);
    bool duels = sim_chance(&random, 140);
    if (duels) {
        make_duel(&random, o);
    }
    bool liars = o->byzantine > 0;
    uint32_t often = duels ? 650 : 400;
    o->params = maybe(&random, duels ? 600 : 300, 150, 1500);
    o->leap = maybe(&random, duels ? 600 : 300, 300, 2000);
    o->exile = maybe(&random, duels ? 500 : 100, 400, 2000);
    o->lying_observer = o->observers > 0 && sim_chance(&random, 200) ? 1 : 0;
    uint32_t forged_from = duels ? 500 : 200;
    o->forge_block = liars ? maybe(&random, often, forged_from, 900) : 0;
    o->false_final = liars ? maybe(&random, often, 300, 1000) : 0;
    o->false_recall = liars ? maybe(&random, often, 300, 1000) : 0;
    o->flood = liars || o->lying_observer > 0 ? maybe(&random, 300, 20, 300) : 0;
    o->fill = liars ? maybe(&random, 200, 10, 200) : 0;
    o->fill_bytes = sim_between(&random, 300, 4000);
    o->limits = maybe(&random, 350, LIMIT_UNFINAL_DEPTH + 16, LIMIT_UNFINAL_DEPTH + 96); /* a run that ends has room */
    o->blocks_bytes = o->limits > 0 ? sim_between(&random, 1, 3 * SIM_SMALL_BLOCK) : o->blocks_bytes;
}

static void choose_upkeep(uint64_t seed, struct sim_options *o) {
    struct sim_random random = sim_stream(seed, STREAM_PROCESS, 0, 0);
    o->block_segment = maybe(&random, 500, 4096, 8192);
    o->checkpoint_bytes = maybe(&random, 600, 2048, 65536);
    o->checkpoint_late_ms = maybe(&random, 600, 1, 200);
    o->tx_lifetime_ms = maybe(&random, 400, 1000, 4000);
    o->snapshot_blocks = maybe(&random, 400, 3, 20);
    o->keep_ms = o->snapshot_blocks > 0 ? maybe(&random, 700, 300, 2500) : 0; /* who misses bodies must join */
    o->snapshot_chunk = sim_between(&random, 1500, 20000);
    o->snapshot_behind_ms = sim_between(&random, 50, 1200);
    o->snapshot_lies = o->byzantine > 0 ? maybe(&random, 700, 300, 1000) : 0;
}

void sim_options_of_seed(uint64_t seed, struct sim_options *out) {
    static const uint64_t sizes[] = {1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 5, 6, 7, 7, 8, 10};
    struct sim_random random = sim_stream(seed, STREAM_OPTIONS, 0, 0);
    struct sim_options o = {.validators = sizes[sim_below(&random, sizeof sizes / sizeof sizes[0])]};
    grow(seed, &o);
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
    choose_foes(seed, &o);
    choose_upkeep(seed, &o);
    let_whisper(seed, &o);
    *out = o;
}

void sim_case_of_seed(uint64_t seed, struct sim_case *out) {
    *out = (struct sim_case){.seed = seed};
    sim_options_of_seed(seed, &out->options);
}
