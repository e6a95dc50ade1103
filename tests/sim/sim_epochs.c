/* Scenarios of epochs: what happens where the set of validators changes, and what was said under another set. */
#include "tests/sim/sim_scenarios.h"

/* ---- The end of an epoch ------------------------------------------------------------------------------------------ */

static bool closes(const struct sim_node *node, const uint8_t *block) {
    const struct block_header *header = chain_header(node->chain, block);
    return header != NULL && block_header_closes(header);
}

/* From the second vote for the first closing block on, two and two hear only each other. */
static void part_at_close(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                          const uint8_t *block) {
    struct sim_world *w = from->world;
    (void)view;
    if (epoch == 0 && kind == VOTE_NOTARIZE && closes(from, block) && ++scene.casts == 2) {
        scene.since_us = w->now_us;
    }
}

static bool halves(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    (void)m;
    if (scene.since_us == 0 || sim_begun_for(from->world, 2000)) {
        return true;
    }
    scene.happened++;
    return from->key / 2 % 2 == to->key / 2 % 2;
}

static void prepare_partition(struct sim_world *w) {
    w->on_cast = part_at_close;
    w->lets_pass = halves;
}

/* The closing block is notarized, and its finalize votes get lost: leaders must propose it again. */
static bool no_finalize(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    (void)to;
    if (m->kind == PEER_PROPOSAL && block_peek(m->u.proposal.body, &header, hash) == OK &&
        m->u.proposal.view > header.view) {
        scene.happened++;
    }
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; i < votes.count; i++) {
        const struct vote_subject *s = &votes.items[i].subject;
        if (s->kind == VOTE_FINALIZE && s->epoch == 0 && closes(from, s->block) && !sim_begun_for(from->world, 1500)) {
            return false;
        }
    }
    return true;
}

static void prepare_again(struct sim_world *w) {
    w->lets_pass = no_finalize;
}

/* Whatever was said in the first epoch is said again in the second, under its number too: views have the same numbers.
 */
static bool keep_words(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool words = m->kind == PEER_VOTES || m->kind == PEER_CERTIFICATES || m->kind == PEER_PROPOSAL;
    if (words && m->epoch == 0 && scene.kept_count + 1 < REPLAYS_MAX) {
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            struct peer_message again = *m;
            again.epoch = epoch;
            scene.kept[scene.kept_count].from = from->number;
            scene.kept[scene.kept_count].to = to->number;
            if (peer_encode(&again, &scene.kept[scene.kept_count].message) == OK) {
                scene.kept_count++;
            }
        }
    }
    return true;
}

static void say_again(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind, const uint8_t *block) {
    struct sim_world *w = from->world;
    (void)view;
    (void)kind;
    (void)block;
    if (epoch != 1 || scene.happened > 0) {
        return;
    }
    scene.happened++;
    for (size_t i = 0; i < scene.kept_count; i++) {
        sim_inject(&w->nodes[scene.kept[i].from], &w->nodes[scene.kept[i].to], buffer_bytes(&scene.kept[i].message), 0);
    }
}

static void prepare_reuse(struct sim_world *w) {
    w->lets_pass = keep_words;
    w->on_cast = say_again;
}

/* The set of the first epoch comes back in the third: what was said in the first is said again there, and its
 * signatures are good. */
static bool keep_first_words(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    if (w->epoch_count == 1 && scene.casts == 0 && w->top_height >= 8) {
        scene.casts = 1;
        sim_work_change(from, 3, 4, 1);
    }
    if (w->epoch_count == 2 && scene.casts == 1 && w->top_height > w->epochs[1].closing + 2) {
        scene.casts = 2;
        sim_work_change(from, 4, 3, 2);
    }
    return keep_words(from, to, m);
}

static void say_again_in_third(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                               const uint8_t *block) {
    if (epoch == 2) {
        say_again(from, 1, view, kind, block);
    }
}

static void tune_return(struct sim_options *o) {
    o->observers = 2;
}

static void prepare_return(struct sim_world *w) {
    w->lets_pass = keep_first_words;
    w->on_cast = say_again_in_third;
}

/* ---- Votes of an epoch that the ledger has not reached ------------------------------------------------------------ */

/* Node 3, which nobody hears, sees alone that a view of the second epoch is notarized, promises to finalize it, and
 * loses blocks and state: it begins in the first epoch again, with a journal of the second. Back at that view it finds
 * everybody giving up; its promise must hold, and it votes on. */
#define LATER_VIEW 6u
#define LATER_MS 20000u

static uint64_t later_view(const struct sim_world *w) {
    const struct sim_epoch *set = &w->epochs[1];
    uint64_t view = LATER_VIEW;
    while (set->key[consensus_leader(view, set->count)] == 3) {
        view++;
    }
    return view;
}

static bool loses_ledger(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    struct sim_node *node = &w->nodes[3];
    if (w->epoch_count == 1 && scene.height == 0 && w->top_height >= 4) {
        scene.height = w->top_height;
        sim_work_change(from, 2, 4, 1);
    }
    if (w->epoch_count == 1 || w->healed || (scene.since_us != 0 && sim_begun_for(w, LATER_MS))) {
        return true;
    }
    if (scene.casts == 1 && from->number != 3) {
        scene.casts = 2;
        scene.since_us = w->now_us;
        sim_lose_ledger(node);
    }
    uint64_t view = later_view(w);
    bool second = m->epoch == 1, notarizes = second && sim_bears_vote(m, VOTE_NOTARIZE, view);
    bool proves = second && sim_bears_certificate(m, VOTE_NOTARIZE, view);
    bool silent = from->key == 3 && second && m->kind != PEER_RECALL_ASK && (scene.casts > 0 || notarizes || proves);
    return !silent && (!notarizes || (to->key == 3 && scene.casts == 0)) &&
           !(second && sim_bears_vote(m, VOTE_NULLIFY, view));
}

static void note_promise(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                         const uint8_t *block) {
    (void)block;
    if (from->key == 3 && epoch == 1 && view == later_view(from->world) && kind == VOTE_FINALIZE && scene.casts == 0) {
        scene.casts = 1;
    }
    scene.happened += from->key == 3 && epoch == 1 && view > later_view(from->world) && scene.casts == 2 ? 1 : 0;
}

static void prepare_later(struct sim_world *w) {
    w->lets_pass = loses_ledger;
    w->on_cast = note_promise;
}

static void tune_later(struct sim_options *o) {
    o->observers = 2;
    o->chaos_ms = 60000;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

const struct scenario sim_epoch_scenarios[] = {
    {"a closing block is proposed again", prepare_again, 400, 20, NULL, 0, false},
    {"an epoch changes during a partition", prepare_partition, 400, 20, NULL, 0, false},
    {"views are used again in the next epoch", prepare_reuse, 400, 20, NULL, 0, false},
    {"a set comes back, and what it said is said again", prepare_return, 0, 20, tune_return, 0, false},
    {"a ledger is lost, and the journal is of the next epoch", prepare_later, 0, 15, tune_later, 0, false},
};

const size_t sim_epoch_scenario_count = sizeof sim_epoch_scenarios / sizeof sim_epoch_scenarios[0];
