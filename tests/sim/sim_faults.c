/* Faults that strike: a plan of a seed's blows is laid out before the run, so that each can be left out of it. */
#include "tests/sim/sim.h"

#include <string.h>

#define WILD_MS 3600000u /* how far a wild clock may be off */

static struct sim_node *any_node(struct sim_world *w, struct sim_random *random) {
    return &w->nodes[sim_below(random, w->node_count)];
}

static void restart_later(struct sim_node *node, struct sim_random *random) {
    sim_node_restart_later(node, sim_between(random, 20, 1500));
}

/* ---- The network ------------------------------------------------------------------------------------------------- */

static void fault_partition(struct sim_world *w, struct sim_random *random) {
    uint64_t kind = sim_below(random, 5);
    uint16_t alone = any_node(w, random)->number;
    uint64_t side = sim_next(random), links = sim_next(random);
    for (uint16_t a = 0; a < w->node_count; a++) {
        for (uint16_t b = 0; b < w->node_count; b++) {
            bool isolated = kind == 1 && (a == alone || b == alone);
            bool one_way = kind == 2 && a == alone;
            bool halves = kind == 3 && ((side >> a & 1) != (side >> b & 1));
            bool one_way_halves = kind == 4 && (side >> a & 1) != 0 && (links >> b & 1) != 0;
            w->cut[a][b] = isolated || one_way || halves || one_way_halves; /* kind 0: whole again */
        }
    }
    sim_trace(w, "partition of kind %u, node %u", (unsigned)kind, alone);
}

/* The leader that the first running validator waits for. */
static uint16_t leader_now(const struct sim_world *w) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].up && !w->nodes[i].paused) {
            struct replica_stats stats;
            replica_stats(w->nodes[i].replica, &stats);
            return sim_key_at(w, stats.consensus.epoch, stats.consensus.leader);
        }
    }
    return 0;
}

/* Nobody hears the leader, or it hears nobody, or both; whoever was cut off before is back. */
static void fault_isolate_leader(struct sim_world *w, struct sim_random *random) {
    uint16_t leader = leader_now(w);
    uint64_t kind = sim_below(random, 3);
    memset(w->cut, 0, sizeof w->cut);
    for (uint16_t i = 0; i < w->node_count; i++) {
        w->cut[leader][i] = kind != 1;
        w->cut[i][leader] = kind != 0;
    }
    sim_trace(w, "leader %u is cut off, kind %u", leader, (unsigned)kind);
}

/* Long enough for the others to get far ahead. */
static void fault_exile(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    uint64_t long_us = sim_between(random, 1000, 4000) * 1000;
    bool alone = true; /* the others must get ahead */
    for (uint16_t i = 0; i < w->node_count; i++) {
        alone = alone && w->nodes[i].exiled_until_us < w->now_us;
    }
    if (alone) {
        node->exiled_until_us = w->now_us + long_us;
        sim_trace(w, "exile of node %u", node->number);
        sim_schedule(w, (struct sim_event){.at_us = node->exiled_until_us, .kind = SIM_RETURN, .node = node->number});
    }
}

/* How far have the others got? */
void sim_return(struct sim_node *node) {
    struct sim_world *w = node->world;
    struct replica_stats own, other;
    if (!node->up) {
        return;
    }
    replica_stats(node->replica, &own);
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].up && !w->nodes[i].faulty) {
            replica_stats(w->nodes[i].replica, &other);
            bool ahead = other.consensus.epoch == own.consensus.epoch &&
                         other.consensus.view > own.consensus.view + SIM_FAR_VIEWS;
            node->was_far = node->was_far || ahead || other.height > own.height + SIM_FAR_VIEWS;
        }
    }
}

/* ---- Processes --------------------------------------------------------------------------------------------------- */

static void fault_crash(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    if (node->up) {
        sim_trace(w, "crash of node %u", node->number);
        sim_node_crash(node, sim_node_death(node));
        restart_later(node, random);
    }
}

/* The process dies at the n-th disk operation or send from now. */
static void fault_boundary_crash(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    sim_disk_stop_after(node->disk, sim_between(random, 1, 40));
}

/* One room, one fuse; or somebody kills them all. */
void sim_crash_all(struct sim_world *w) {
    enum sim_death how = sim_chance(&w->nodes[0].process, 800) ? SIM_POWER_CUT : SIM_KILLED;
    sim_trace(w, how == SIM_POWER_CUT ? "power cut for all" : "all are killed");
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = &w->nodes[i];
        if (node->up) {
            sim_node_crash(node, how);
            restart_later(node, &node->random);
        }
        node->deserted = node->deserted || (node->byzantine && sim_chance(&node->tricks, w->options.desert));
        sim_disk_stop(node->disk, false);
    }
}

void sim_crash_all_after(struct sim_node *last) {
    struct sim_world *w = last->world;
    for (uint16_t i = 0; i < w->node_count; i++) {
        sim_disk_stop(w->nodes[i].disk, i != last->number);
    }
    sim_disk_stop_after(last->disk, 2);
    sim_schedule(w, (struct sim_event){.at_us = w->now_us, .kind = SIM_CRASH_ALL});
}

static void fault_crash_all(struct sim_world *w, struct sim_random *random) {
    (void)random;
    sim_crash_all(w);
}

/* The next vote of that kind is the last thing that anybody says. */
static void fault_crash_all_after_vote(struct sim_world *w, struct sim_random *random) {
    w->crash_after_kind = sim_between(random, VOTE_PROPOSE, VOTE_FINALIZE);
}

static void fault_pause(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    if (!node->paused) {
        node->paused = true;
        sim_trace(w, "pause of node %u", node->number);
        sim_schedule(w, (struct sim_event){.at_us = w->now_us + sim_between(random, 50, 2500) * 1000,
                                           .kind = SIM_RESUME,
                                           .node = node->number});
    }
}

static void fault_clock_jump(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    node->wall_skew_ms = (int64_t)sim_below(random, 1800) - 900;
}

/* For all alike: as if nobody had had anything to do all that time. */
static void fault_leap(struct sim_world *w, struct sim_random *random) {
    static const uint64_t most[] = {20000, 70000, 700000, 4000000, 90000000};
    uint64_t leap = sim_between(random, 5000, most[sim_below(random, sizeof most / sizeof most[0])]);
    w->leap_ms += (int64_t)leap;
    sim_trace(w, "all clocks go on by %llu ms", (unsigned long long)leap);
    sim_count(w, COUNT_LEAP);
}

static void fault_wild_clock(struct sim_world *w, struct sim_random *random) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].wild_clock) {
            w->nodes[i].wall_skew_ms = (int64_t)sim_below(random, 2u * WILD_MS) - (int64_t)WILD_MS;
            sim_trace(w, "clock of node %u is off by %lld ms", i, (long long)w->nodes[i].wall_skew_ms);
        }
    }
}

/* ---- Disks ------------------------------------------------------------------------------------------------------- */

/* A sync fails at one node; where one has failed, power may go before the next does. */
static void fault_sync_error(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    bool cuts = sim_chance(random, 500);
    for (uint16_t i = 0; i < w->node_count && cuts; i++) {
        struct sim_node *other = &w->nodes[i];
        if (other->up && sim_disk_lost_sync(other->disk)) {
            sim_trace(w, "power goes at node %u, where a sync had failed", other->number);
            sim_node_crash(other, SIM_POWER_CUT);
            restart_later(other, random);
            return;
        }
    }
    sim_trace(w, "the next sync of node %u fails", node->number);
    sim_disk_fail_sync(node->disk);
}

static void fault_disk_full(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = any_node(w, random);
    bool full = !sim_chance(random, 400);
    for (uint16_t i = 0; i < w->node_count && !full; i++) {
        sim_disk_set_room(w->nodes[i].disk, UINT64_MAX);
    }
    if (full) {
        sim_trace(w, "disk of node %u is nearly full", node->number);
        sim_disk_set_room(node->disk, sim_below(random, 3000));
    }
}

/* The last validator is the one whose disk forgets: it counts among the f. NULL when that is used up for another. */
static struct sim_node *forgetful(struct sim_world *w) {
    struct sim_node *node = &w->nodes[w->options.validators - 1];
    return node->faulty && !node->lost_votes ? NULL : node;
}

/* Its whole home is copied, and later put back: its journal then lacks votes that it sent. */
static void fault_old_copy(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = forgetful(w);
    if (node == NULL) {
        return;
    }
    if (node->old_copy == NULL) {
        node->old_copy = sim_disk_copy(node->disk, false);
        return;
    }
    sim_trace(w, "old copy restored on node %u", node->number);
    if (node->up) {
        sim_node_crash(node, SIM_POWER_CUT);
    }
    sim_disk_replace(node->disk, node->old_copy);
    node->faulty = node->lost_votes = true; /* such a validator counts among the f */
    node->height = 0;
    restart_later(node, random);
}

static void rot(struct sim_world *w, struct sim_random *random, const char *part, bool stops) {
    struct sim_node *node = forgetful(w);
    if (node == NULL || node->lost_votes || !node->up) {
        return;
    }
    sim_node_crash(node, SIM_POWER_CUT);
    bool vouched = false;
    if (sim_disk_rot(node->disk, part, &vouched)) {
        sim_trace(w, "bit rot in %s of node %u", part, node->number);
        /* Below a checkpoint nobody looks, and a snapshot that was joined is one. */
        node->must_notice = vouched && (!stops || (w->options.checkpoint_bytes == 0 && !node->joined));
        node->lost_votes = true; /* of a log that is cut short nobody can tell what stood there */
        node->damaged = stops;
    }
    restart_later(node, random);
}

static void fault_rot_journal(struct sim_world *w, struct sim_random *random) {
    rot(w, random, "vote", false);
}

static void fault_rot_blocks(struct sim_world *w, struct sim_random *random) {
    rot(w, random, "blocks", true);
}

/* Syncs that do nothing, until the power goes. */
static void fault_disk_lies(struct sim_world *w, struct sim_random *random) {
    struct sim_node *node = forgetful(w);
    if (node == NULL) {
        return;
    }
    if (!node->faulty) {
        sim_trace(w, "the disk of node %u lies from now on", node->number);
        sim_disk_set_lies(node->disk, true);
        node->faulty = node->lost_votes = node->damaged = true;
        return;
    }
    if (node->up) {
        sim_trace(w, "power goes at node %u", node->number);
        sim_node_crash(node, SIM_POWER_CUT);
        restart_later(node, random);
    }
}

/* Blocks or state are gone, and the journal is not. */
static void lose_of(struct sim_node *node, struct sim_random *random, const char *const *dirs, size_t count) {
    struct sim_world *w = node->world;
    bool any = false;
    sim_node_crash(node, sim_node_death(node));
    node->height = 0;
    for (size_t i = 0; i < count; i++) {
        any = sim_disk_lose(node->disk, dirs[i]) || any;
    }
    sim_trace(w, "node %u has lost %s%s", node->number, dirs[0], count > 1 ? " and more" : "");
    node->lost_ledger = node->lost_log = true;
    if (any) {
        sim_count(w, COUNT_LEDGER_LOST);
    }
    restart_later(node, random);
}

static void lose(struct sim_world *w, struct sim_random *random, const char *const *dirs, size_t count) {
    struct sim_node *node = forgetful(w);
    if (node != NULL && node->up) {
        lose_of(node, random, dirs, count);
    }
}

void sim_lose_ledger(struct sim_node *node) {
    static const char *const dirs[] = {SIM_HOME "/blocks", SIM_HOME "/state"};
    lose_of(node, &node->random, dirs, 2);
}

static void fault_lose_blocks(struct sim_world *w, struct sim_random *random) {
    static const char *const dirs[] = {SIM_HOME "/blocks"};
    lose(w, random, dirs, 1);
}

static void fault_lose_state(struct sim_world *w, struct sim_random *random) {
    static const char *const dirs[] = {SIM_HOME "/state"};
    lose(w, random, dirs, 1);
}

static void fault_lose_ledger(struct sim_world *w, struct sim_random *random) {
    static const char *const dirs[] = {SIM_HOME "/blocks", SIM_HOME "/state"};
    lose(w, random, dirs, 2);
}

/* ---- The table ---------------------------------------------------------------------------------------------------- */

struct fault {
    const char *name;
    size_t every; /* offset of its period in struct sim_options; 0 there: this seed has it not */
    void (*strike)(struct sim_world *world, struct sim_random *random);
};

#define EVERY(member) offsetof(struct sim_options, member)

static const struct fault faults[] = {
    {"membership", EVERY(membership), sim_work_membership},
    {"vote on a parameter", EVERY(params), sim_params_vote},
    {"clocks go on", EVERY(leap), fault_leap},
    {"exile", EVERY(exile), fault_exile},
    {"partition", EVERY(partition), fault_partition},
    {"leader isolated", EVERY(isolate_leader), fault_isolate_leader},
    {"crash", EVERY(crash), fault_crash},
    {"crash at a journal or send boundary", EVERY(boundary_crash), fault_boundary_crash},
    {"crash of all", EVERY(crash_all), fault_crash_all},
    {"crash of all after a vote", EVERY(crash_all_after_vote), fault_crash_all_after_vote},
    {"pause", EVERY(pause), fault_pause},
    {"clock jump", EVERY(clock_jump), fault_clock_jump},
    {"wild clock", EVERY(wild_clocks), fault_wild_clock},
    {"sync fails", EVERY(sync_error), fault_sync_error},
    {"disk full", EVERY(disk_full), fault_disk_full},
    {"old copy restored", EVERY(old_copy), fault_old_copy},
    {"bit rot in the journal", EVERY(rot_journal), fault_rot_journal},
    {"bit rot in the block log", EVERY(rot_blocks), fault_rot_blocks},
    {"disk lies", EVERY(disk_lies), fault_disk_lies},
    {"block log lost", EVERY(lose_blocks), fault_lose_blocks},
    {"state lost", EVERY(lose_state), fault_lose_state},
    {"block log and state lost", EVERY(lose_ledger), fault_lose_ledger},
};

#define ROWS (sizeof faults / sizeof faults[0])
#define WILD_EVERY_MS 700u

_Static_assert(ROWS <= SIM_ROWS_MAX, "every row has its places in the plan");

static uint64_t period_of(const struct sim_world *w, size_t row) {
    uint64_t every;
    memcpy(&every, (const uint8_t *)&w->options + faults[row].every, sizeof every);
    return faults[row].strike == fault_wild_clock && every > 0 ? WILD_EVERY_MS : every;
}

void sim_faults_plan(struct sim_world *w) {
    for (uint32_t row = 0; row < ROWS; row++) {
        uint64_t every = period_of(w, row), at_ms = 0;
        struct sim_random when = sim_stream(w->played->seed, STREAM_PLAN, row, 0);
        for (uint32_t i = 0; every > 0 && i < SIM_STRIKES_MAX; i++) {
            at_ms += sim_between(&when, every / 2, every * 3 / 2);
            uint32_t place = row * SIM_STRIKES_MAX + i;
            if (at_ms >= w->options.chaos_ms || w->played->skipped[place]) {
                continue;
            }
            w->plan[place] = (struct sim_strike){
                .planned = true, .at_us = at_ms * 1000, .random = sim_stream(w->played->seed, STREAM_PLAN, row, 1 + i)};
            sim_schedule(w, (struct sim_event){.at_us = at_ms * 1000, .kind = SIM_FAULT, .argument = place});
        }
    }
}

void sim_fault_strike(struct sim_world *w, uint32_t place) {
    if (!w->healed) {
        faults[place / SIM_STRIKES_MAX].strike(w, &w->plan[place].random);
    }
}

const char *sim_fault_name(uint32_t place) {
    return faults[place / SIM_STRIKES_MAX].name;
}
