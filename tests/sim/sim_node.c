/* A node: how it starts, dies and starts again, and what it does with an event. */
#include "tests/sim/sim.h"

#include "node/full/evidence_tx.h"
#include "node/host/host_crypto.h"
#include "store/disk_files.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE_STEP_US 20000u
#define EVIDENCE_EVERY_US 1000000u
#define BLOCK_SEGMENT 65536u
#define NEVER_DUE (1u << 30)
#define DIES_AGAIN 300 /* per mille of starts, where processes die at any operation */

static uint64_t wall_ms(const struct sim_node *node) {
    return (uint64_t)((int64_t)sim_now_ms(node->world) + node->wall_skew_ms);
}

static uint64_t mono_ms(const struct sim_node *node) {
    return (uint64_t)node->mono_base_ms + node->world->now_us / 1000;
}

enum err sim_node_tick(struct sim_node *node) {
    return replica_tick(node->replica, wall_ms(node), mono_ms(node));
}

/* ---- What the replica asks for ----------------------------------------------------------------------------------- */

static void op_send(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message) {
    (void)kind;
    sim_send(ctx, peer, message);
}

static void op_multicast(void *ctx, const uint16_t *peers, size_t count, enum peer_kind kind, struct bytes message) {
    (void)kind;
    sim_multicast(ctx, peers, count, message);
}

static void op_set_timer(void *ctx, uint64_t at_ms) {
    struct sim_node *node = ctx;
    node->timer_us = (at_ms - (uint64_t)node->mono_base_ms) * 1000;
    sim_schedule(node->world,
                 (struct sim_event){
                     .at_us = node->timer_us, .kind = SIM_TIMER, .node = node->number, .argument = node->incarnation});
}

static void op_on_final(void *ctx, const struct block *block) {
    sim_oracle_final(ctx, block);
}

static void op_on_alarm(void *ctx, const char *name, const char *text) {
    sim_oracle_alarm(ctx, name, text);
}

static void op_check_transaction(void *ctx, uint16_t peer, struct bytes envelope) {
    struct sim_node *node = ctx;
    struct transaction tx;
    (void)peer;
    if (node->byzantine && sim_chance(&node->tricks, node->world->options.censor)) {
        return;
    }
    if (transaction_decode(envelope, &tx, NULL) == OK && transaction_check_signatures(&tx) == OK &&
        replica_transaction(node->replica, &tx, false) != OK) {
        sim_trace(node->world, "node %u refuses a transaction", node->number);
    }
}

/* As the daemon does it: whoever sees a contradiction hands in a transaction of its own. It does so once a second and
 * validator, for one that goes on contradicting itself would fill every block with it. */
static void op_on_evidence(void *ctx, const uint8_t key[KEY_LEN], const struct consensus_vote *first,
                           const struct consensus_vote *second) {
    struct sim_node *node = ctx;
    struct sim_world *w = node->world;
    struct buffer envelope = BUFFER_INIT;
    uint16_t accused = sim_key_number(w, key);
    sim_oracle_evidence(node, accused, first, second);
    sim_expect_reported(node, accused, &first->subject);
    if (accused >= SIM_KEYS_MAX || w->now_us < node->evidence_us[accused]) {
        return;
    }
    node->evidence_us[accused] = w->now_us + EVIDENCE_EVERY_US;
    if (evidence_tx_build(chain_id(node->chain), (const uint8_t(*)[ED25519_SECRET_LEN])w->secrets[node->key], key,
                          first, second, wall_ms(node), chain_params(node->chain)->tx_max_lifetime_ms,
                          &envelope) == OK) {
        sim_work_hand_in(node, buffer_bytes(&envelope), accused);
    }
    buffer_free(&envelope);
}

static void op_sign(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct sim_node *node = ctx;
    ed25519_sign(node->world->secrets[node->key], message, len, out);
}

/* ---- Starting ---------------------------------------------------------------------------------------------------- */

uint64_t sim_block_segment(const struct sim_world *w) {
    return w->options.block_segment != 0 ? w->options.block_segment : BLOCK_SEGMENT;
}

/* As the product's limits are to its largest block, so these to a small one. Heights stay what they are: a range that
 * a peer sends may have so many. */
static struct chain_limits limits_of(const struct sim_node *node) {
    const struct sim_world *w = node->world;
    if (w->options.limits == 0) {
        return (struct chain_limits){0};
    }
    const size_t many = node->byzantine ? 4 : 1; /* it builds on as if there were room */
    return (struct chain_limits){.candidates = (size_t)w->options.limits,
                                 .candidate_bytes = many * 32 * SIM_SMALL_BLOCK,
                                 .proposer_bytes = many * 4 * SIM_SMALL_BLOCK,
                                 .unfinal_bytes = many * 16 * SIM_SMALL_BLOCK};
}

static enum err open_chain(struct sim_node *node) {
    uint64_t checkpoint_bytes = node->world->options.checkpoint_bytes;
    const struct mempool_config pool = {.max_count = 4096, .max_bytes = 8u << 20, .max_per_sender = 4096};
    const struct disk disk = sim_disk_ops(node->disk);
    const struct kv_opener state = sim_disk_state(node->disk);
    struct kv_backend backend;
    enum err e = mempool_new(&pool, &node->mempool);
    if (e == OK) {
        e = disk_make_folder(&disk, SIM_HOME "/state");
    }
    if (e == OK) {
        e = state.open(&state, SIM_HOME "/state", false, &backend);
    }
    if (e != OK) {
        return e;
    }
    const struct chain_config config = {
        .disk = disk,
        .dir = SIM_HOME,
        .backend = backend,
        .genesis = node->world->genesis,
        .crypto = &host_crypto,
        .mempool = node->mempool,
        .segment_bytes = sim_block_segment(node->world),
        .version_keep_ms = 600000,
        .checkpoint_bytes = checkpoint_bytes != 0 ? (size_t)checkpoint_bytes : NEVER_DUE,
        .limits = limits_of(node),
    };
    return chain_open(&config, &node->chain);
}

static enum err open_replica(struct sim_node *node) {
    struct sim_world *w = node->world;
    struct replica_config config = {
        .key = w->keys[node->key],
        .sign = op_sign,
        .sign_ctx = node,
        .crypto = &host_crypto,
        .chain = node->chain,
        .mempool = node->mempool,
        .disk = sim_disk_ops(node->disk),
        .journal_dir = SIM_HOME "/journal",
        .journal_segment_bytes = w->options.journal_segment,
        .blocks_bytes = (size_t)w->options.blocks_bytes,
        .ops = {.send = op_send,
                .multicast = op_multicast,
                .set_timer = op_set_timer,
                .check_transaction = op_check_transaction,
                .on_evidence = op_on_evidence,
                .on_final = op_on_final,
                .on_alarm = op_on_alarm},
        .ctx = node,
    };
    replica_timing_default(&config.timing);
    if (w->options.timeout_cap_ms != 0) {
        config.timing.consensus.timeout_cap_ms = (uint32_t)w->options.timeout_cap_ms;
    }
    enum err e = replica_open(&config, wall_ms(node), mono_ms(node), &node->replica);
    uint64_t keys = w->options.validators + w->options.observers;
    for (uint16_t i = 0; i < keys && e == OK; i++) {
        e = i != node->key ? replica_set_peer(node->replica, i, w->keys[i]) : OK;
    }
    return e;
}

void sim_node_close(struct sim_node *node) {
    replica_close(node->replica);
    if (node->checkpoint != NULL) {
        sim_count(node->world, COUNT_CHECKPOINT_CUT);
    }
    if (node->checkpoint != NULL && chain_checkpoint_end(node->chain, node->checkpoint, ERR_CLOSED) != ERR_CLOSED) {
        sim_fail(node->world, "checkpoint", "node %u: one that was broken off says it is done", node->number);
    }
    chain_close(node->chain);
    mempool_free(node->mempool);
    node->checkpoint = NULL;
    node->replica = NULL;
    node->chain = NULL;
    node->mempool = NULL;
    node->up = false;
}

/* What it may have written and not said yet lies at or below the view that it was in. */
static void note_death(struct sim_node *node) {
    struct replica_stats stats;
    if (node->replica != NULL) {
        replica_stats(node->replica, &stats);
        node->died_epoch = stats.consensus.epoch;
        node->died_view = stats.consensus.view;
    }
    sim_expect_forget(node);
}

void sim_node_crash(struct sim_node *node, enum sim_death how) {
    sim_disk_stop(node->disk, true);
    note_death(node);
    sim_node_close(node);
    sim_trace(node->world, "node %u: %s", node->number, how == SIM_POWER_CUT ? "power cut" : "killed");
    if (how == SIM_POWER_CUT) {
        if (sim_disk_lost_sync(node->disk)) {
            sim_count(node->world, COUNT_CUT_AFTER_FAILED_SYNC);
        }
        sim_disk_power_cut(node->disk);
        node->height = 0; /* what was not synced comes back from journal and peers */
        if (sim_disk_vanished(node->disk) > 0) {
            sim_count(node->world, COUNT_NAMES_VANISHED);
        }
    }
    sim_count(node->world, how == SIM_POWER_CUT ? COUNT_POWER_CUT : COUNT_KILLED);
    sim_disk_stop(node->disk, false);
    node->incarnation++;
}

enum sim_death sim_node_death(struct sim_node *node) {
    return sim_chance(&node->process, 500) ? SIM_KILLED : SIM_POWER_CUT;
}

void sim_node_restart_later(struct sim_node *node, uint64_t delay_ms) {
    struct sim_world *w = node->world;
    sim_schedule(w,
                 (struct sim_event){.at_us = w->now_us + delay_ms * 1000, .kind = SIM_RESTART, .node = node->number});
}

void sim_node_flush_soon(struct sim_node *node) {
    if (!node->flush_due) {
        node->flush_due = true;
        sim_schedule(node->world, (struct sim_event){.at_us = node->world->now_us + sim_below(&node->random, 60),
                                                     .kind = SIM_FLUSH,
                                                     .node = node->number,
                                                     .argument = node->incarnation});
    }
}

static const char *why(const struct sim_node *node) {
    if (node->replica != NULL) {
        return replica_error(node->replica);
    }
    return node->chain != NULL ? chain_error(node->chain) : "";
}

/* Its store is damaged, it says so, and whoever runs it begins with an empty disk: votes that it cast are forgotten, so
 * it counts among the f from then on. */
static void begin_anew(struct sim_node *node) {
    struct sim_disk *empty = sim_disk_new(node->random);
    sim_trace(node->world, "node %u says its store is damaged, and gets an empty disk", node->number);
    sim_disk_replace(node->disk, empty);
    sim_disk_free(empty);
    node->faulty = node->lost_votes = true;
    node->damaged = false;
    sim_rot_noticed(node);
}

bool sim_node_survived(struct sim_node *node, enum err e, const char *what) {
    struct sim_world *w = node->world;
    bool killed = sim_disk_stopped(node->disk);
    bool disk_failed = sim_disk_failed(node->disk);
    if (disk_failed) {
        sim_count(w, e == ERR_NOSPACE ? COUNT_DISK_FULL : COUNT_SYNC_FAILED);
    }
    if (e == OK && !killed) {
        return true;
    }
    bool damaged = e == ERR_CORRUPT && node->damaged && !killed;
    bool lost = e == ERR_CORRUPT && node->lost_ledger && !killed;
    bool expected = killed || damaged || lost || (disk_failed && (e == ERR_IO || e == ERR_NOSPACE));
    /* What faulty ones say to others must not harm their own store, either. */
    bool harmed = (e == ERR_CORRUPT || e == ERR_DIVERGED) && !node->lost_votes;
    if (!expected && (!node->faulty || harmed)) {
        sim_fail(w, "stopped", "node %u: %s failed: %s: %s", node->number, what, err_text(e), why(node));
        sim_node_close(node);
        return false;
    }
    sim_trace(w, "node %u %s inside %s: %s", node->number, killed ? "dies" : "stops", what, killed ? "" : why(node));
    bool was_up = node->replica != NULL;
    sim_node_crash(node, killed ? sim_node_death(node) : SIM_KILLED); /* one that stops leaves the cache as it is */
    if (damaged) {
        begin_anew(node);
    } else if (lost) {
        sim_trace(w, "node %u says what it lacks, and what is left of blocks and state is moved away", node->number);
        (void)sim_disk_lose(node->disk, SIM_HOME "/blocks");
        (void)sim_disk_lose(node->disk, SIM_HOME "/state");
        node->height = 0;
    }
    /* One that can't even start, for want of room, is tried again until there is some. */
    sim_node_restart_later(node, was_up ? 50 : 300);
    return false;
}

void sim_node_start(struct sim_node *node) {
    struct sim_world *w = node->world;
    if (node->up || node->deserted) {
        return;
    }
    node->mono_base_ms = (int64_t)sim_between(&node->random, 1000, 100000000);
    node->flush_due = false;
    node->up = true;
    node->looked_through = UINT64_MAX;
    if (node->lost_votes) {
        sim_expect_restored(node);
    }
    if (!w->healed && (w->options.boundary_crash > 0 || node->lost_ledger) && sim_chance(&node->process, DIES_AGAIN)) {
        sim_disk_stop_after(node->disk, sim_between(&node->process, 1, 100)); /* while it opens, or soon after */
    }
    enum err e = sim_snapshots_join(node);
    if (!sim_node_survived(node, e, "joining by snapshot")) {
        return;
    }
    e = open_chain(node);
    if (!sim_node_survived(node, e, "opening the chain")) {
        return;
    }
    e = open_replica(node);
    if (!sim_node_survived(node, e, "opening the replica")) {
        return;
    }
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    sim_trace(w, "node %u starts at height %llu", node->number, (unsigned long long)stats.height);
    node->lost_ledger = false;
    sim_oracle_started(node);
    if (node->lost_votes && !stats.consensus.refused) {
        /* Damage at the very end looks like a torn tail, which nobody can tell: such a validator counts among the f. */
        node->faulty = true;
    }
    sim_node_flush_soon(node);
}

/* ---- What happens to a node -------------------------------------------------------------------------------------- */

static void deliver(struct sim_node *node, const struct sim_event *event) {
    struct bytes bytes = sim_message_bytes(event->message);
    struct sim_expected expected;
    enum err e = sim_node_tick(node);
    sim_expect(node, event->from, bytes, &expected);
    if (e == OK) {
        e = replica_message(node->replica, event->from, bytes);
    }
    bool survived = sim_node_survived(node, e, "a message");
    sim_expect_met(node, &expected);
    if (survived) {
        sim_node_flush_soon(node);
        if (node->byzantine) {
            sim_byzantine_incoming(node, event->from, bytes);
        }
    }
    node->world->steps++;
}

static void timer(struct sim_node *node, const struct sim_event *event) {
    if (event->argument == node->incarnation && event->at_us == node->timer_us) {
        enum err e = sim_node_tick(node);
        if (sim_node_survived(node, e, "a tick")) {
            sim_node_flush_soon(node);
        }
    }
}

static void flush(struct sim_node *node, const struct sim_event *event) {
    if (event->argument == node->incarnation) {
        node->flush_due = false;
        enum err e = replica_flush(node->replica);
        if (sim_node_survived(node, e, "a flush")) {
            sim_oracles_step(node);
            sim_upkeep(node);
        }
    }
}

/* A stopped process loses nothing: what it would have seen waits. */
static void wait_for_resume(struct sim_node *node, const struct sim_event *event) {
    struct sim_event later = *event;
    later.at_us += PAUSE_STEP_US;
    if (event->kind == SIM_TIMER && event->at_us == node->timer_us && event->argument == node->incarnation) {
        node->timer_us = later.at_us;
    }
    sim_schedule(node->world, later);
}

void sim_node_handle(struct sim_node *node, const struct sim_event *event) {
    if (node->paused) {
        wait_for_resume(node, event);
        return;
    }
    if (node->up) {
        switch (event->kind) {
        case SIM_DELIVER:
            deliver(node, event);
            break;
        case SIM_TIMER:
            timer(node, event);
            break;
        case SIM_CHECKPOINT:
            if (event->argument == node->incarnation) {
                sim_upkeep_checkpoint(node);
            }
            break;
        default:
            flush(node, event);
            break;
        }
    }
    sim_message_unref(event->message);
}

void sim_node_add(struct sim_world *w, uint16_t key) {
    struct sim_node *node = &w->nodes[w->node_count];
    uint64_t seed = w->played->seed;
    uint64_t skew = w->options.clock_skew_ms;
    *node = (struct sim_node){.number = w->node_count++,
                              .key = key,
                              .world = w,
                              .random = sim_stream(seed, STREAM_NODE, w->node_count, 0),
                              .tricks = sim_stream(seed, STREAM_TRICKS, w->node_count, 0),
                              .process = sim_stream(seed, STREAM_PROCESS, w->node_count, 0)};
    node->disk = sim_disk_new(sim_stream(seed, STREAM_DISK, node->number, 0));
    node->wall_skew_ms = (int64_t)sim_below(&node->random, 2 * skew + 1) - (int64_t)skew;
    sim_schedule(
        w, (struct sim_event){.at_us = sim_below(&node->random, 300000), .kind = SIM_RESTART, .node = node->number});
}
