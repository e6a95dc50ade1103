/* Scenarios of foes: what the seeds seldom lead up to, and full tables with the limits that the product has. */
#include "tests/sim/sim_scenarios.h"

#include "node/ledger/chain_internal.h"

#include <string.h>

/* ---- One kind of foe --------------------------------------------------------------------------------------------- */

static void foe(struct sim_options *o) {
    o->byzantine = 1;
    o->tx_every_ms = 15;
}

/* The clocks go on, and a leader proposes a time from before. */
static void tune_behind(struct sim_options *o) {
    foe(o);
    o->leap = 150;
    o->forge_block = 900;
    o->forge_kind = COUNT_FORGED_BEHIND;
}

static void tune_old_closing(struct sim_options *o) {
    foe(o);
    o->forge_block = 900;
    o->forge_kind = COUNT_FORGED_OLD_CLOSING;
}

/* The organisations make blocks small, and a leader makes a large one. */
static void tune_too_many(struct sim_options *o) {
    foe(o);
    o->params = 100;
    o->forge_block = 900;
    o->forge_kind = COUNT_FORGED_TOO_MANY;
}

/* Validator 3 is cut off, and an observer takes its place. When it is back it hears a liar alone, who proves to it by
 * the new set where the epoch ended: all who signed are in the old set, too. */
static bool liar_alone(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    if (scene.since_us == 0 && w->top_height >= 10) {
        scene.since_us = w->now_us;
        scene.height = w->top_height;
    }
    if (scene.since_us != 0 && scene.happened == 0 && w->top_height >= scene.height + 2) {
        scene.happened++;
        sim_work_change(from, 3, 4, 1);
    }
    if (scene.happened > 0 && from->key == 4 && m->kind == PEER_VOTES && !sim_begun_for(w, 5000)) {
        return false; /* so that those of the old set sign alone */
    }
    bool over = w->epoch_count > 1 && w->top_height > w->epochs[1].closing + 4;
    return (to->key != 3 && from->key != 3) || scene.since_us == 0 || sim_begun_for(w, 5000) ||
           (over && (from->key == 0 || to->key == 0) && (m->kind != PEER_BLOCKS || to->key != 3));
}

static void prepare_other_epoch(struct sim_world *w) {
    w->lets_pass = liar_alone;
}

static void tune_other_epoch(struct sim_options *o) {
    foe(o);
    o->tx_every_ms = 60;
    o->observers = 2;
    o->false_final = 1000;
    o->lie_kind = COUNT_LIE_EPOCH;
}

/* What it is about is counted. */
static void prepare_nothing(struct sim_world *w) {
    (void)w;
    scene.happened = 1;
}

/* ---- Full tables, with the limits that the product has ------------------------------------------------------------ */

static bool bears(const struct peer_message *m, enum vote_kind kind) {
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; i < votes.count; i++) {
        if (votes.items[i].subject.kind == kind) {
            return true;
        }
    }
    return false;
}

#define FILLED 60u         /* bodies of 2 MiB, then smaller ones: all that a table holds */
#define OUTAGE_MS 420000u  /* of notarize votes */
#define HALFWAY_VIEWS 160u /* time-outs double every eight of them: more would take too long */
#define CROWD_TXS 60u      /* each all that a small block holds */
#define LARGE_TXS 34u      /* of 60 KiB: what fills a block */
#define LARGE_BYTES 60000u

/* Node 3 hears of views, and of no block but those that a liar makes up, and nobody hears it; then the liar is silent
 * for good. Without node 3 there is no quorum any more. */
static bool lagging(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    bool begun = w->top_height >= 5;
    if (!begun) {
        return true;
    }
    if (w->counted[COUNT_FILLING] >= FILLED && scene.height == 0) {
        scene.height = w->top_height;
        w->nodes[0].paused = true;
    }
    if (scene.height != 0 && !w->healed && w->top_height > scene.height + 3) {
        scene.happened++;
        w->seen_enough = true;
    }
    bool of_views = m->kind == PEER_CERTIFICATES || (m->kind == PEER_VOTES && !bears(m, VOTE_FINALIZE));
    return w->healed || scene.height != 0 || (from->key != 3 && (to->key != 3 || of_views));
}

static void prepare_lagging(struct sim_world *w) {
    w->lets_pass = lagging;
}

static void tune_lagging(struct sim_options *o) {
    o->byzantine = 1;
    o->tx_every_ms = 15;
    o->fill = 5;
    o->fill_bytes = LIMIT_BLOCK_BYTES;
    o->chaos_ms = 120000;
}

/* Clients want more than a block holds, and no notarize vote arrives anywhere for minutes: each view's proposal is a
 * full block, and is given up. */
static bool no_notarize(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    (void)to;
    if (w->top_height < 5) {
        return true;
    }
    if (scene.height == 0) {
        scene.height = w->top_height;
        for (uint64_t i = 0; i < LARGE_TXS; i++) {
            sim_work_large(from, LARGE_BYTES, i);
        }
    }
    bool over = sim_begun_for(w, OUTAGE_MS);
    if (over && !w->healed && w->top_height > scene.height + 3) {
        scene.happened++;
        w->seen_enough = true;
    }
    return over || !bears(m, VOTE_NOTARIZE);
}

static void prepare_no_notarize(struct sim_world *w) {
    w->lets_pass = no_notarize;
}

static void tune_no_notarize(struct sim_options *o) {
    o->tx_every_ms = 2000;
    o->chaos_ms = OUTAGE_MS + 120000;
}

/* Heights above the head that a node has executed. */
static uint64_t depth_of(const struct sim_node *node) {
    uint64_t head = chain_head(node->chain)->header.height, top = head;
    for (size_t i = 0; i < CHAIN_CANDIDATES; i++) {
        const struct candidate *c = &node->chain->candidates[i];
        top = c->status == CHAIN_VALID && c->block.header.height > top ? c->block.header.height : top;
    }
    return top - head;
}

/* Finalize votes get lost for so many views; then so many blocks stand there, and become final together. */
static bool no_finalize(struct sim_node *from, const struct peer_message *m, uint64_t views, uint64_t blocks) {
    struct sim_world *w = from->world;
    struct replica_stats stats;
    if (w->top_height < 5) {
        return true;
    }
    if (scene.height == 0) {
        scene.height = w->top_height;
    }
    replica_stats(from->replica, &stats);
    bool over = w->healed || scene.casts > 0 || stats.consensus.view > stats.consensus.final_view + views;
    if (over && !w->healed && scene.casts++ == 0) {
        scene.happened += depth_of(from) >= blocks ? 1 : 0;
    }
    w->seen_enough = w->seen_enough || (over && !w->healed && w->top_height > scene.height + blocks);
    return over || !bears(m, VOTE_FINALIZE);
}

static bool none_final(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    (void)to;
    return no_finalize(from, m, 110, 95);
}

static void prepare_unfinal(struct sim_world *w) {
    w->lets_pass = none_final;
}

/* Meanwhile a Byzantine leader fills its blocks, though nothing before them is final: in its views nobody votes, from
 * when there is too much, and in the others' everybody does. */
static bool none_final_and_full(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool begins = scene.height == 0;
    bool passes = no_finalize(from, m, 110, 65);
    (void)to;
    for (uint64_t i = 0; begins && scene.height != 0 && i < CROWD_TXS; i++) {
        sim_work_large(from, SIM_SMALL_BLOCK - 1000, i);
    }
    return passes;
}

static void prepare_crowd(struct sim_world *w) {
    w->lets_pass = none_final_and_full;
}

static void tune_crowd(struct sim_options *o) {
    o->byzantine = 1;
    o->limits = LIMIT_UNFINAL_DEPTH + 16;
    o->tx_every_ms = 200;
    o->timeout_cap_ms = 1;
    o->chaos_ms = 7200000;
}

/* Node 3 is cut off meanwhile: later it must get over all of them at once. */
static bool none_final_and_one_away(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool begun = scene.height != 0, passes = no_finalize(from, m, 160, 70);
    return passes && (!begun || scene.casts > 0 || (from->key != 3 && to->key != 3));
}

static void prepare_unheard(struct sim_world *w) {
    w->lets_pass = none_final_and_one_away;
}

static void tune_unheard(struct sim_options *o) {
    o->tx_every_ms = 100;
    o->timeout_cap_ms = 1;
    o->chaos_ms = 7200000;
}

static void tune_unfinal(struct sim_options *o) {
    o->tx_every_ms = 15;
    o->chaos_ms = 300000;
}

/* Nodes 2 and 3 vote for a block, hear that it is notarized when they have given its view up, and the others promise to
 * finalize it: no view ends final, about half are not nullified either, and the blocks stand one on the other. */
static bool notarizes_past(const struct peer_message *m, uint64_t view) {
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; i < votes.count; i++) {
        if (votes.items[i].subject.kind == VOTE_NOTARIZE && votes.items[i].subject.view > view) {
            return true;
        }
    }
    const struct peer_spans certificates = sim_certificates_in(m);
    for (size_t i = 0; i < certificates.count; i++) {
        if (certificates.items[i].data[1] == VOTE_NOTARIZE && load_u64(certificates.items[i].data + 10) > view) {
            return true;
        }
    }
    return false;
}

static void note_given_up(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                          const uint8_t *block) {
    (void)epoch;
    (void)block;
    if (kind == VOTE_NULLIFY && view > scene.given_up[from->key % 4]) {
        scene.given_up[from->key % 4] = view;
    }
}

static bool halfway(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    struct replica_stats stats;
    replica_stats(from->replica, &stats);
    bool over = w->healed || scene.casts > 0 || stats.consensus.view > stats.consensus.final_view + HALFWAY_VIEWS;
    scene.height = over && scene.casts == 0 ? w->top_height : scene.height;
    scene.casts += over ? 1 : 0;
    if (over && !w->healed && w->top_height > scene.height + HALFWAY_VIEWS / 2) {
        scene.happened++;
        w->seen_enough = true;
    }
    return over || to->key < 2 || !notarizes_past(m, scene.given_up[to->key]);
}

static void prepare_halfway(struct sim_world *w) {
    w->lets_pass = halfway;
    w->on_cast = note_given_up;
}

static void tune_halfway(struct sim_options *o) {
    o->tx_every_ms = 1000;
    o->timeout_cap_ms = 1;
    o->chaos_ms = 7200000;
}

/* ---- Far behind --------------------------------------------------------------------------------------------------- */

/* Two leaders of four are never heard, so half of all views are given up. Node 3 hears nothing until it is far behind;
 * then the Byzantine one lies to it in every way it can. */
static bool far_behind(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    struct replica_stats own, other;
    bool lost = m->kind == PEER_PROPOSAL && (from->key == 1 || from->key == 3);
    if (scene.happened > 0 || w->top_height < 5 || !w->nodes[3].up || !w->nodes[1].up) {
        return !lost || w->healed;
    }
    replica_stats(w->nodes[3].replica, &own);
    replica_stats(w->nodes[1].replica, &other);
    if (other.consensus.view > own.consensus.view + 3 * SIM_FAR_VIEWS / 2) {
        scene.happened++;
        w->nodes[3].was_far = true;
    }
    return !lost && to->key != 3 && from->key != 3;
}

static void prepare_far(struct sim_world *w) {
    w->lets_pass = far_behind;
}

static void tune_far(struct sim_options *o) {
    o->byzantine = 1;
    o->tx_every_ms = 15;
    o->false_final = 600;
    o->false_recall = 600;
    o->mislead = 300;
    o->forge = 300;
    o->futures = 300;
    o->flood = 50;
    o->chaos_ms = 30000;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

const struct scenario sim_foe_scenarios[] = {
    {"blocks of a time long past", prepare_nothing, 0, 20, tune_behind, COUNT_FORGED_BEHIND, false},
    {"an epoch's closing block in the next one", prepare_nothing, 100, 20, tune_old_closing, COUNT_FORGED_OLD_CLOSING,
     false},
    {"blocks over a limit that was voted", prepare_nothing, 0, 20, tune_too_many, COUNT_FORGED_TOO_MANY, false},
    {"blocks proven by another epoch", prepare_other_epoch, 0, 20, tune_other_epoch, COUNT_LIE_EPOCH, false},
    {"a liar fills the table of a node that lags, and falls silent", prepare_lagging, 0, 20, tune_lagging, 0, true},
    {"no notarize vote arrives for 420 s, and blocks are full", prepare_no_notarize, 0, 8, tune_no_notarize, 0, true},
    {"nothing is final for 110 views", prepare_unfinal, 0, 100, tune_unfinal, 0, false},
    {"nothing is final for 160 views, and one hears nothing of them", prepare_unheard, 0, 75, tune_unheard, 0, false},
    {"a leader fills blocks though nothing is final", prepare_crowd, 0, 70, tune_crowd, COUNT_UNFINAL_FULL, false},
    {"two of four give up what the others finalize, for 160 views", prepare_halfway, 0, 80, tune_halfway, 0, true},
    {"more than 100 views behind, and lied to", prepare_far, 0, 40, tune_far, COUNT_FAR_BEHIND, false},
};

const size_t sim_foe_scenario_count = sizeof sim_foe_scenarios / sizeof sim_foe_scenarios[0];
