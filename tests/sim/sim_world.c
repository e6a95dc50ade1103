/* The world: time, events, and one run from chaos to healing. */
#include "tests/sim/sim.h"

#include "contracts/genesis/genesis.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAL_LIMIT_MS 90000u
#define SHOWN_LINES 60u
#define OPERATOR_US 2000000u /* how often somebody looks, once all is healed */

/* ---- Trace and failure ------------------------------------------------------------------------------------------- */

void sim_trace(struct sim_world *w, const char *format, ...) {
    char *line = w->trace[w->trace_count++ % SIM_TRACE_LINES];
    int n = snprintf(line, SIM_TRACE_LEN, "%10.3f ms  ", (double)w->now_us / 1000);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + n, SIM_TRACE_LEN - (size_t)n, format, args);
    va_end(args);
}

void sim_fail(struct sim_world *w, const char *kind, const char *format, ...) {
    if (w->failed) {
        return;
    }
    w->failed = true;
    w->kind = kind;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(w->failure, sizeof w->failure, format, args);
    va_end(args);
}

uint64_t sim_now_ms(const struct sim_world *w) {
    return SIM_GENESIS_MS + w->now_us / 1000 + (uint64_t)w->leap_ms;
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

void sim_world_forget_events(struct sim_world *w) {
    while (w->heap_len > 0) {
        struct sim_event event = next_event(w);
        sim_message_unref(event.message);
    }
    free(w->heap);
    w->heap = NULL;
    w->heap_cap = 0;
}

static void next_submit(struct sim_world *w) {
    uint64_t every = w->options.tx_every_ms;
    uint64_t wait_ms = w->healed ? 250 : sim_between(&w->work, every / 2, every * 3 / 2);
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + wait_ms * 1000, .kind = SIM_TX});
}

/* Evidence that a node made; from here on it must become final. */
static void hand_in(struct sim_node *node, const struct sim_event *event) {
    struct transaction tx;
    struct bytes envelope = sim_message_bytes(event->message);
    if (node->up && !node->paused && sim_work_take(node, envelope) && event->argument < SIM_KEYS_MAX &&
        transaction_decode(envelope, &tx, NULL) == OK) {
        node->evidence_due[event->argument] = tx.expiry_ms;
    }
}

static void handle(struct sim_world *w, const struct sim_event *event) {
    struct sim_node *node = &w->nodes[event->node];
    switch (event->kind) {
    case SIM_DELIVER:
    case SIM_TIMER:
    case SIM_FLUSH:
    case SIM_CHECKPOINT:
        sim_node_handle(node, event);
        break;
    case SIM_FAULT:
        sim_fault_strike(w, event->argument);
        break;
    case SIM_CRASH_ALL:
        sim_crash_all(w);
        break;
    case SIM_TX:
        sim_work_submit(w);
        next_submit(w);
        break;
    case SIM_HAND_IN:
        hand_in(node, event);
        sim_message_unref(event->message);
        break;
    case SIM_RESTART:
        sim_node_start(node);
        break;
    case SIM_PESTER:
        sim_lies_pester(node, event->argument != 0);
        break;
    case SIM_RETURN:
        sim_return(node);
        break;
    case SIM_RESUME:
        node->paused = false;
        break;
    }
}

/* ---- Who is who -------------------------------------------------------------------------------------------------- */

uint16_t sim_validators_of(const struct sim_world *w, uint64_t epoch) {
    return epoch < w->epoch_count ? w->epochs[epoch].count : 0;
}

uint16_t sim_key_at(const struct sim_world *w, uint64_t epoch, uint16_t index) {
    return index < sim_validators_of(w, epoch) ? w->epochs[epoch].key[index] : SIM_KEYS_MAX;
}

uint16_t sim_index_of(const struct sim_world *w, uint64_t epoch, uint16_t key) {
    for (uint16_t i = 0; i < sim_validators_of(w, epoch); i++) {
        if (w->epochs[epoch].key[i] == key) {
            return i;
        }
    }
    return CONSENSUS_OBSERVER;
}

uint16_t sim_key_number(const struct sim_world *w, const uint8_t key[KEY_LEN]) {
    uint16_t number = 0;
    while (number < SIM_KEYS_MAX && memcmp(w->keys[number], key, KEY_LEN) != 0) {
        number++;
    }
    return number;
}

bool sim_key_is_faulty(const struct sim_world *w, uint16_t key) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].key == key && (w->nodes[i].faulty || w->nodes[i].lost_votes)) {
            return true;
        }
    }
    return false;
}

/* The first validators are twins, then come Byzantine ones, then those with wild clocks; disks are damaged from the
 * other end (sim_faults.c). */
static void populate(struct sim_world *w) {
    const struct sim_options *o = &w->options;
    for (uint16_t i = 0; i < o->validators + o->observers; i++) {
        sim_node_add(w, i);
        struct sim_node *node = &w->nodes[i];
        bool twin = i < o->twins;
        bool lying_observer = o->lying_observer > 0 && i == o->validators;
        node->byzantine = (!twin && i < o->twins + o->byzantine) || lying_observer;
        node->faulty = twin || node->byzantine;
        node->wild_clock = !node->faulty && i < o->twins + o->byzantine + o->wild_clocks;
        if (node->byzantine) {
            node->malice = calloc(1, sizeof *node->malice);
            sim_lies_pester(node, false);
            sim_lies_pester(node, true);
        }
    }
    w->has_foes =
        o->twins + o->byzantine + o->lying_observer + o->old_copy + o->disk_lies > 0 || w->played->seed % 4 == 0;
    for (uint16_t i = 0; i < o->twins; i++) {
        sim_node_add(w, i);
        w->nodes[w->node_count - 1].faulty = true;
    }
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */

/* From here on the network is whole and nothing crashes; faulty validators stay what they are. */
static void heal(struct sim_world *w) {
    w->healed = true;
    memset(w->cut, 0, sizeof w->cut);
    w->crash_after_kind = 0;
    sim_trace(w, "healed at height %llu", (unsigned long long)w->top_height);
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = &w->nodes[i];
        node->paused = false;
        if (node->exiled_until_us > w->now_us) {
            sim_return(node);
            node->exiled_until_us = 0;
        }
        node->wall_skew_ms = node->wild_clock ? 0 : node->wall_skew_ms / 2;
        sim_disk_mend(node->disk);
        sim_node_start(node);
    }
}

/* Has anybody who can be relied on the body of this block? */
static bool is_kept(const struct sim_world *w, uint64_t height) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        const struct sim_node *node = &w->nodes[i];
        if (node->up && !node->faulty && chain_head(node->chain)->header.height >= height &&
            height >= sim_upkeep_kept_from(node)) {
            return true;
        }
    }
    return false;
}

/* Whoever waits for bodies that all others have pruned is started again by its operator, and joins. */
static void restart_those_left_behind(struct sim_world *w) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct sim_node *node = &w->nodes[i];
        uint64_t height = node->up ? chain_head(node->chain)->header.height : 0;
        if (node->up && height < w->top_height && !is_kept(w, height + 1)) {
            sim_trace(w, "node %u is started again: nobody has block %llu", i, (unsigned long long)height + 1);
            sim_node_crash(node, SIM_KILLED);
            sim_node_start(node);
        }
    }
}

static bool all_reached(const struct sim_world *w, uint64_t height) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        const struct sim_node *node = &w->nodes[i];
        if (!node->faulty && (!node->up || chain_head(node->chain)->header.height < height)) {
            return false;
        }
    }
    return !w->marked || sim_oracle_knows_tx(w, w->marker);
}

/* Its time ran out before anybody could take it: another takes its part. */
static void let_marker_expire(struct sim_world *w) {
    bool over = w->final_header[w->top_height].time_ms >= w->marker_expiry_ms;
    w->marked = w->marked && (!over || sim_oracle_knows_tx(w, w->marker));
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

static void count_recovered(struct sim_world *w) {
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].was_far && !w->nodes[i].faulty) {
            sim_count(w, COUNT_FAR_BEHIND);
        }
    }
    if (w->options.validators >= 16) {
        sim_count(w, w->options.validators > 16 ? COUNT_VALIDATORS_31 : COUNT_VALIDATORS_16);
    }
}

static void play(struct sim_world *w) {
    uint64_t heal_at = w->options.chaos_ms * 1000;
    uint64_t goal = UINT64_MAX, look_at = heal_at;
    char waits_for[128] = "";
    while (!w->failed && w->heap_len > 0) {
        struct sim_event event = next_event(w);
        w->now_us = event.at_us > w->now_us ? event.at_us : w->now_us;
        handle(w, &event);
        if (!w->healed && (w->now_us >= heal_at || w->seen_enough)) {
            heal_at = w->now_us;
            heal(w);
            goal = w->top_height + 2;
        }
        if (w->healed && w->options.keep_ms > 0 && w->now_us >= look_at) {
            look_at = w->now_us + OPERATOR_US;
            restart_those_left_behind(w);
        }
        let_marker_expire(w);
        if (w->healed && all_reached(w, goal) && sim_expect_settled(w, waits_for, sizeof waits_for)) {
            count_recovered(w);
            sim_oracles_end(w);
            return;
        }
        if (w->healed && w->now_us > heal_at + HEAL_LIMIT_MS * 1000u) {
            describe(w);
            bool marker_waits = w->marked && !sim_oracle_knows_tx(w, w->marker);
            if (all_reached(w, goal)) {
                sim_fail(w, "evidence", "%s, and it is not final", waits_for);
            }
            sim_fail(w, "progress", "no progress to height %llu after healing%s", (unsigned long long)goal,
                     marker_waits ? ", a transaction is not final" : "");
        }
    }
}

static void clean_up(struct sim_world *w) {
    sim_world_forget_events(w);
    for (uint16_t i = 0; i < w->node_count; i++) {
        sim_node_close(&w->nodes[i]);
        sim_disk_free(w->nodes[i].disk);
        sim_disk_free(w->nodes[i].old_copy);
        sim_expect_forget(&w->nodes[i]);
        sim_shelf_free(w->nodes[i].shelf);
        sim_byzantine_free(w->nodes[i].malice);
    }
    for (size_t i = 0; i < SIM_HOARD; i++) {
        buffer_free(&w->sent[i]);
    }
    sim_oracles_free(w);
    genesis_free(w->genesis);
    free(w->genesis);
    free(w);
}

static void show_trace(const struct sim_world *w) {
    uint64_t lines = w->trace_count < SIM_TRACE_LINES ? w->trace_count : SIM_TRACE_LINES;
    uint64_t shown = lines < SHOWN_LINES ? lines : SHOWN_LINES;
    for (uint64_t i = w->trace_count - shown; i < w->trace_count; i++) {
        printf("    %s\n", w->trace[i % SIM_TRACE_LINES]);
    }
    (void)fflush(stdout);
}

static void sum_up(const struct sim_world *w, struct sim_result *out) {
    *out = (struct sim_result){.blocks = w->top_height,
                               .messages = w->messages,
                               .bytes = w->bytes,
                               .steps = w->steps,
                               .txs = w->txs_sent,
                               .failed_us = w->failed ? w->now_us : 0,
                               .failed = w->failed};
    memcpy(out->counted, w->counted, sizeof out->counted);
    if (w->failed) {
        (void)snprintf(out->kind, sizeof out->kind, "%s", w->kind);
        (void)snprintf(out->failure, sizeof out->failure, "%s", w->failure);
    }
    for (uint16_t i = 0; i < w->node_count; i++) {
        struct replica_stats stats = {0};
        if (w->nodes[i].replica != NULL) {
            replica_stats(w->nodes[i].replica, &stats);
        }
        out->journal_syncs += stats.journal_syncs;
    }
}

/* What an assertion leaves behind. */
static const struct sim_world *playing;

static void broke_off(int number) {
    (void)number;
    show_trace(playing);
}

void sim_run(const struct sim_case *played, bool show, void (*prepare)(struct sim_world *world),
             struct sim_result *out) {
    struct sim_world *w = calloc(1, sizeof *w);
    playing = w;
    if (show) {
        (void)signal(SIGABRT, broke_off); /* abort() goes on when the handler is done */
    }
    w->played = played;
    w->options = played->options;
    w->work = sim_stream(played->seed, STREAM_WORK, 0, 0);
    sim_crypto_begin(played->seed, w->options.real_signatures != 0);
    sim_work_genesis(w);
    sim_oracles_begin(w);
    sim_ledger_begin(w);
    populate(w);
    sim_faults_plan(w);
    if (prepare != NULL) {
        prepare(w);
    }
    sim_schedule(w, (struct sim_event){.at_us = w->options.first_tx_ms * 1000, .kind = SIM_TX});
    play(w);
    if (w->failed && show) {
        show_trace(w);
    }
    sum_up(w, out);
    clean_up(w);
}
