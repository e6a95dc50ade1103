/* The world: time, events, nodes, and one run from chaos to healing. */
#include "tests/sim/sim.h"

#include "contracts/genesis.h"
#include "node/ledger/chain.h"
#include "store/kv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAL_LIMIT_MS 90000u
#define JOURNAL_SEGMENT 32768u
#define BLOCK_SEGMENT 65536u

/* ---- Trace and failure ------------------------------------------------------------------------------------------- */

void sim_trace(struct sim_world *w, const char *format, ...) {
    char *line = w->trace[w->trace_count++ % SIM_TRACE_LINES];
    int n = snprintf(line, SIM_TRACE_LEN, "%10.3f ms  ", (double)w->now_us / 1000);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + n, SIM_TRACE_LEN - (size_t)n, format, args);
    va_end(args);
}

void sim_fail(struct sim_world *w, const char *format, ...) {
    if (w->failed) {
        return;
    }
    w->failed = true;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->failure, sizeof w->failure, format, args);
    va_end(args);
}

/* ---- Events: a binary heap by time, then by order of scheduling -------------------------------------------------- */

static bool sooner(const struct sim_event *a, const struct sim_event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void sim_schedule(struct sim_world *w, struct sim_event event) {
    if (w->heap_len == w->heap_cap) {
        w->heap_cap = w->heap_cap == 0 ? 1024 : 2 * w->heap_cap;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    event.order = w->order++;
    size_t i = w->heap_len++;
    while (i > 0 && sooner(&event, &w->heap[(i - 1) / 2])) {
        w->heap[i] = w->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    w->heap[i] = event;
}

static struct sim_event next_event(struct sim_world *w) {
    struct sim_event first = w->heap[0];
    struct sim_event moved = w->heap[--w->heap_len];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < w->heap_len && sooner(&w->heap[child + 1], &w->heap[child])) {
            child++;
        }
        if (child >= w->heap_len || !sooner(&w->heap[child], &moved)) {
            break;
        }
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = moved;
    return first;
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

uint64_t sim_wall_ms(const struct sim_node *node) {
    return (uint64_t)((int64_t)(SIM_GENESIS_MS + node->world->now_us / 1000) + node->wall_skew_ms);
}

uint64_t sim_mono_ms(const struct sim_node *node) {
    return (uint64_t)node->mono_base_ms + node->world->now_us / 1000;
}

static void op_send(void *ctx, uint16_t peer, enum replica_class class, struct bytes message) {
    (void)class;
    sim_send(ctx, peer, message);
}

static void op_multicast(void *ctx, const uint16_t *peers, size_t count, enum replica_class class,
                         struct bytes message) {
    struct sim_node *node = ctx;
    (void)class;
    if (count > 0 && peers[0] < node->world->options.validators) {
        sim_broadcast(node, message);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        sim_send(node, peers[i], message);
    }
}

static void op_set_timer(void *ctx, uint64_t mono_ms) {
    struct sim_node *node = ctx;
    uint64_t at_ms = mono_ms - (uint64_t)node->mono_base_ms;
    node->timer_us = at_ms * 1000;
    sim_schedule(node->world,
                 (struct sim_event){
                     .at_us = node->timer_us, .kind = SIM_TIMER, .node = node->number, .argument = node->incarnation});
}

static void op_on_final(void *ctx, const struct block *block) {
    sim_oracle_final(ctx, block);
}

static void op_on_alarm(void *ctx, const char *name, const char *text) {
    struct sim_node *node = ctx;
    sim_trace(node->world, "node %u: alarm %s: %s", node->number, name, text);
    if (strcmp(name, "safety") == 0 && !node->faulty) {
        sim_fail(node->world, "node %u sees contradicting certificates", node->number);
    }
}

static void op_check_transaction(void *ctx, uint16_t peer, struct bytes envelope) {
    struct sim_node *node = ctx;
    struct transaction tx;
    (void)peer;
    if (transaction_decode(envelope, &tx, NULL) == OK && transaction_check_signatures(&tx) == OK &&
        replica_transaction(node->replica, &tx, false) != OK) {
        sim_trace(node->world, "node %u refuses a transaction", node->number);
    }
}

static void op_sign(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct sim_node *node = ctx;
    sim_sign(node->world->keys[node->index], message, len, out);
}

static enum err open_chain(struct sim_node *node) {
    const struct mempool_config pool = {.max_count = 4096, .max_bytes = 8u << 20, .max_per_sender = 4096};
    struct kv_backend backend;
    enum err e = mempool_new(&pool, &node->mempool);
    if (e == OK) {
        e = kv_memory_open(&backend);
    }
    if (e != OK) {
        return e;
    }
    const struct chain_config config = {
        .disk = sim_disk_ops(node->disk),
        .dir = "home",
        .backend = backend,
        .genesis = node->world->genesis,
        .crypto = &sim_crypto,
        .mempool = node->mempool,
        .segment_bytes = BLOCK_SEGMENT,
        .version_keep_ms = 600000,
        .checkpoint_bytes = 1u << 30,
    };
    return chain_open(&config, &node->chain);
}

static enum err open_replica(struct sim_node *node) {
    struct sim_world *w = node->world;
    struct replica_config config = {
        .key = node->index != CONSENSUS_OBSERVER ? w->keys[node->index] : NULL,
        .sign = op_sign,
        .sign_ctx = node,
        .crypto = &sim_crypto,
        .chain = node->chain,
        .mempool = node->mempool,
        .disk = sim_disk_ops(node->disk),
        .journal_dir = "home/journal",
        .journal_segment_bytes = JOURNAL_SEGMENT,
        .blocks_bytes = w->options.blocks_bytes,
        .ops = {.send = op_send,
                .multicast = op_multicast,
                .set_timer = op_set_timer,
                .check_transaction = op_check_transaction,
                .on_final = op_on_final,
                .on_alarm = op_on_alarm},
        .ctx = node,
    };
    replica_timing_default(&config.timing);
    enum err e = replica_open(&config, sim_wall_ms(node), sim_mono_ms(node), &node->replica);
    for (uint16_t i = 0; i < w->options.validators + w->options.observers && e == OK; i++) {
        const uint8_t observer[KEY_LEN] = {0xee, (uint8_t)i};
        if (i != node->address) {
            e = replica_set_peer(node->replica, i, i < w->options.validators ? w->keys[i] : observer);
        }
    }
    return e;
}

static void close_node(struct sim_node *node) {
    replica_close(node->replica);
    chain_close(node->chain);
    mempool_free(node->mempool);
    node->replica = NULL;
    node->chain = NULL;
    node->mempool = NULL;
    node->up = false;
}

void sim_node_crash(struct sim_node *node) {
    sim_disk_stop(node->disk, true);
    close_node(node);
    sim_disk_crash(node->disk);
    sim_disk_stop(node->disk, false);
    node->incarnation++;
    node->height = 0; /* what was not synced comes back from journal and peers */
}

static void restart_soon(struct sim_node *node) {
    sim_schedule(node->world,
                 (struct sim_event){.at_us = node->world->now_us + 50000, .kind = SIM_RESTART, .node = node->number});
}

static void flush_soon(struct sim_node *node) {
    if (!node->flush_due) {
        node->flush_due = true;
        sim_schedule(node->world, (struct sim_event){.at_us = node->world->now_us + sim_below(&node->world->random, 60),
                                                     .kind = SIM_FLUSH,
                                                     .node = node->number,
                                                     .argument = node->incarnation});
    }
}

/* After a call into a node: a stopped disk is a killed process, any other failure is a finding. */
static bool survived(struct sim_node *node, enum err e, const char *what, const char *why) {
    if (sim_disk_stopped(node->disk)) {
        sim_trace(node->world, "node %u dies inside %s", node->number, what);
        sim_node_crash(node);
        restart_soon(node);
        return false;
    }
    if (e != OK && !node->faulty) {
        sim_fail(node->world, "node %u: %s failed: %s: %s", node->number, what, err_text(e), why);
    } else if (e != OK) {
        sim_trace(node->world, "faulty node %u: %s failed: %s: %s", node->number, what, err_text(e), why);
        sim_node_crash(node);
        return false;
    }
    return e == OK;
}

void sim_node_start(struct sim_node *node) {
    struct sim_world *w = node->world;
    if (node->up) {
        return;
    }
    node->mono_base_ms = (int64_t)sim_between(&w->random, 1000, 100000000);
    node->flush_due = false;
    node->up = true;
    enum err e = open_chain(node);
    if (!survived(node, e, "opening the chain", e != OK && node->chain != NULL ? chain_error(node->chain) : "")) {
        return;
    }
    e = open_replica(node);
    if (survived(node, e, "opening the replica", "")) {
        struct replica_stats stats;
        replica_stats(node->replica, &stats);
        sim_trace(w, "node %u starts at height %llu", node->number, (unsigned long long)stats.height);
        if (node->lost_votes && !stats.consensus.refused) {
            /* Damage at the very end looks like a torn tail, which nobody can tell: such a validator counts among the
             * f. */
            node->faulty = true;
        }
        flush_soon(node);
    }
}

/* ---- What happens to a node -------------------------------------------------------------------------------------- */

static void deliver(struct sim_world *w, struct sim_node *node, const struct sim_event *event) {
    if (!node->up) {
        return;
    }
    enum err e = replica_tick(node->replica, sim_wall_ms(node), sim_mono_ms(node));
    if (e == OK) {
        e = replica_message(node->replica, event->from, sim_message_bytes(event->message));
    }
    if (survived(node, e, "a message", replica_error(node->replica))) {
        flush_soon(node);
    }
    w->steps++;
}

static void timer(struct sim_node *node, const struct sim_event *event) {
    if (node->up && event->argument == node->incarnation && event->at_us == node->timer_us) {
        enum err e = replica_tick(node->replica, sim_wall_ms(node), sim_mono_ms(node));
        if (survived(node, e, "a tick", replica_error(node->replica))) {
            flush_soon(node);
        }
    }
}

static void flush(struct sim_node *node, const struct sim_event *event) {
    if (node->up && event->argument == node->incarnation) {
        node->flush_due = false;
        enum err e = replica_flush(node->replica);
        if (survived(node, e, "a flush", replica_error(node->replica))) {
            sim_oracles_step(node);
        }
    }
}

/* A client hands one node a transaction. */
static void submit(struct sim_world *w) {
    struct sim_node *node = &w->nodes[sim_below(&w->random, w->options.validators)];
    if (!node->up || node->paused) {
        return;
    }
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    if (sim_work_envelope(w, chain_id(node->chain), &envelope) == OK &&
        transaction_decode(buffer_bytes(&envelope), &tx, NULL) == OK) {
        enum err e = replica_tick(node->replica, sim_wall_ms(node), sim_mono_ms(node));
        if (e == OK && replica_transaction(node->replica, &tx, true) == OK) {
            w->txs_sent++;
        }
        if (survived(node, e, "a transaction", replica_error(node->replica))) {
            flush_soon(node);
        }
    }
    buffer_free(&envelope);
}

static void next_submit(struct sim_world *w) {
    uint64_t every = w->options.tx_every_ms;
    uint64_t wait_ms = w->healed ? 250 : sim_between(&w->random, every / 2, every * 3 / 2);
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + wait_ms * 1000, .kind = SIM_TX});
}

static void handle(struct sim_world *w, struct sim_event *event) {
    struct sim_node *node = &w->nodes[event->node];
    bool is_node_event = event->kind == SIM_DELIVER || event->kind == SIM_TIMER || event->kind == SIM_FLUSH;
    if (is_node_event && node->paused) {
        /* A stopped process loses nothing: what it would have seen waits. */
        event->at_us += 20000;
        if (event->kind == SIM_TIMER) {
            node->timer_us = event->at_us;
        }
        sim_schedule(w, *event);
        event->message = NULL;
        return;
    }
    switch (event->kind) {
    case SIM_DELIVER:
        deliver(w, node, event);
        break;
    case SIM_TIMER:
        timer(node, event);
        break;
    case SIM_FLUSH:
        flush(node, event);
        break;
    case SIM_FAULT:
        sim_fault_run(w, event->argument);
        break;
    case SIM_TX:
        submit(w);
        next_submit(w);
        break;
    case SIM_RESTART:
        sim_node_start(node);
        break;
    case SIM_RESUME:
        node->paused = false;
        break;
    }
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */

static void add_node(struct sim_world *w, uint16_t index, uint16_t address, bool faulty) {
    struct sim_node *node = &w->nodes[w->node_count];
    *node =
        (struct sim_node){.number = w->node_count++, .index = index, .address = address, .faulty = faulty, .world = w};
    node->disk = sim_disk_new(&w->random);
    uint64_t skew = w->options.clock_skew_ms;
    node->wall_skew_ms = (int64_t)sim_below(&w->random, 2 * skew + 1) - (int64_t)skew;
}

static void populate(struct sim_world *w) {
    const struct sim_options *o = &w->options;
    uint16_t bad = (uint16_t)(o->twins + o->liars + o->withholders + o->forkers);
    for (uint16_t i = 0; i < o->validators; i++) {
        add_node(w, i, i, i < bad);
        w->cast[i] = calloc(SIM_VIEWS_MAX, sizeof *w->cast[i]);
    }
    for (uint16_t i = 0; i < o->observers; i++) {
        add_node(w, CONSENSUS_OBSERVER, (uint16_t)(o->validators + i), false);
    }
    for (uint16_t i = 0; i < o->twins; i++) {
        add_node(w, i, i, true);
    }
    w->certified = calloc(SIM_VIEWS_MAX, sizeof *w->certified);
    for (uint16_t i = 0; i < w->node_count; i++) {
        sim_schedule(w, (struct sim_event){.at_us = sim_below(&w->random, 300000), .kind = SIM_RESTART, .node = i});
    }
}

/* From here on the network is whole and nothing crashes; faulty validators stay what they are. */
static void heal(struct sim_world *w) {
    w->healed = true;
    memset(w->cut, 0, sizeof w->cut);
    sim_trace(w, "healed at height %llu", (unsigned long long)w->top_height);
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = &w->nodes[i];
        node->paused = false;
        node->wall_skew_ms /= 2;
        sim_disk_stop_after(node->disk, 0);
        sim_node_start(node);
    }
}

static bool all_reached(const struct sim_world *w, uint64_t height) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        const struct sim_node *node = &w->nodes[i];
        if (!node->faulty && (!node->up || chain_head(node->chain)->header.height < height)) {
            return false;
        }
    }
    return true;
}

static void describe(struct sim_world *w) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        const struct sim_node *node = &w->nodes[i];
        if (!node->up) {
            sim_trace(w, "node %u is down", i);
            continue;
        }
        struct replica_stats s;
        replica_stats(node->replica, &s);
        sim_trace(w,
                  "node %u%s height %llu view %llu final view %llu active %d voting %d backoff %u wanted %zu pool %zu",
                  i, node->faulty ? " (faulty)" : "", (unsigned long long)s.height,
                  (unsigned long long)s.consensus.view, (unsigned long long)s.consensus.final_view, s.consensus.active,
                  s.consensus.voting, s.consensus.backoff, s.wanted_bodies, mempool_count(node->mempool));
    }
}

static void play(struct sim_world *w) {
    uint64_t heal_at = w->options.chaos_ms * 1000;
    uint64_t goal = UINT64_MAX;
    while (!w->failed && w->heap_len > 0) {
        struct sim_event event = next_event(w);
        w->now_us = event.at_us > w->now_us ? event.at_us : w->now_us;
        handle(w, &event);
        sim_message_unref(event.message);
        if (!w->healed && w->now_us >= heal_at) {
            heal(w);
            goal = w->top_height + 2;
        }
        if (w->healed && all_reached(w, goal)) {
            return;
        }
        if (w->healed && w->now_us > heal_at + HEAL_LIMIT_MS * 1000u) {
            describe(w);
            sim_fail(w, "no progress to height %llu after healing", (unsigned long long)goal);
        }
    }
}

static void clean_up(struct sim_world *w) {
    while (w->heap_len > 0) {
        struct sim_event event = next_event(w);
        sim_message_unref(event.message);
    }
    free(w->heap);
    for (uint16_t i = 0; i < w->node_count; i++) {
        close_node(&w->nodes[i]);
        sim_disk_free(w->nodes[i].disk);
        sim_disk_free(w->nodes[i].old_copy);
        buffer_free(&w->nodes[i].forged);
    }
    for (size_t i = 0; i < SIM_VALIDATORS_MAX; i++) {
        free(w->cast[i]);
    }
    free(w->certified);
    genesis_free(w->genesis);
    free(w->genesis);
    free(w);
}

static void report(const struct sim_world *w) {
    uint64_t lines = w->trace_count < SIM_TRACE_LINES ? w->trace_count : SIM_TRACE_LINES;
    uint64_t shown = lines < 60 ? lines : 60;
    for (uint64_t i = w->trace_count - shown; i < w->trace_count; i++) {
        printf("    %s\n", w->trace[i % SIM_TRACE_LINES]);
    }
    printf("seed %llu: %s (validators %u, twins %u, liars %u, withholders %u, forkers %u)\n",
           (unsigned long long)w->seed, w->failure, w->options.validators, w->options.twins, w->options.liars,
           w->options.withholders, w->options.forkers);
}

bool sim_run(uint64_t seed, const struct sim_options *options, bool quiet, struct sim_figures *figures) {
    struct sim_world *w = calloc(1, sizeof *w);
    w->seed = seed;
    w->random.state = seed;
    if (options != NULL) {
        w->options = *options;
    } else {
        sim_options_of_seed(&w->random, &w->options);
    }
    sim_work_genesis(w);
    populate(w);
    sim_faults_schedule(w);
    sim_schedule(w, (struct sim_event){.at_us = w->options.first_tx_ms * 1000, .kind = SIM_TX});
    play(w);
    bool good = !w->failed;
    if (!good && !quiet) {
        report(w);
    }
    figures->blocks += w->top_height;
    figures->messages += w->messages;
    figures->bytes += w->bytes;
    figures->steps += w->steps;
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct replica_stats stats = {0};
        if (w->nodes[i].up) {
            replica_stats(w->nodes[i].replica, &stats);
        }
        figures->journal_syncs += stats.journal_syncs;
    }
    clean_up(w);
    return good;
}
