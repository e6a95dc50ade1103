/* Named regressions: stalls and breaks that are known from the field, each led up to on purpose. A scenario passes when
 * what it is about did happen, nothing was found, and the chain went on before the world was healed. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEW 5 /* what happens happens here, unless a closing block decides */
#define HELD_MS 700u
#define REPLAYS_MAX 400

/* One scenario runs at a time; this is what it remembers. */
static struct {
    uint64_t since_us; /* when it began to interfere */
    uint64_t happened;
    uint64_t casts;
    uint8_t closing[HASH_LEN];
    struct {
        uint16_t from, to;
        struct buffer message;
    } kept[REPLAYS_MAX];
    size_t kept_count;
} scene;

static bool begun_for(const struct sim_world *w, uint64_t ms) {
    if (scene.since_us == 0) {
        scene.since_us = w->now_us;
    }
    return w->now_us > scene.since_us + ms * 1000;
}

static bool has_certificate(const struct peer_message *m, enum vote_kind kind, uint64_t view) {
    bool bears = m->kind == PEER_CERTIFICATES || m->kind == PEER_PROPOSAL;
    for (size_t i = 0; bears && i < m->span_count; i++) {
        if (m->spans[i].data[1] == kind && load_u64(m->spans[i].data + 10) == view) {
            return true;
        }
    }
    return false;
}

static bool has_vote(const struct peer_message *m, enum vote_kind kind, uint64_t view) {
    for (size_t i = 0; m->kind == PEER_VOTES && i < m->vote_count; i++) {
        if (m->votes[i].subject.kind == kind && m->votes[i].subject.view == view) {
            return true;
        }
    }
    return false;
}

/* ---- A certificate reaches one node only -------------------------------------------------------------------------- */

/* Node 0 alone gets the votes, and node 1 alone its certificate. Both have promised to finalize, so the others can't
 * give the view up without them: only a resent notarization brings them on. */
static bool certificate_to_one(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool vote = has_vote(m, VOTE_NOTARIZE, VIEW), certificate = has_certificate(m, VOTE_NOTARIZE, VIEW);
    if ((!vote && !certificate) || begun_for(from->world, HELD_MS)) {
        return true;
    }
    scene.happened += certificate && to->key == 1 ? 1 : 0;
    return vote ? to->key == 0 : to->key == 1;
}

static void prepare_certificate(struct sim_world *w) {
    w->lets_pass = certificate_to_one;
}

/* ---- All crash right after a vote -------------------------------------------------------------------------------- */

static void crash_at_quorum(struct sim_node *from, uint64_t view, enum vote_kind kind, enum vote_kind wanted) {
    if (view == VIEW && kind == wanted && ++scene.casts == 3) {
        scene.happened++;
        sim_crash_all_after(from);
    }
}

static void crash_after_notarize(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                                 const uint8_t *block) {
    (void)epoch;
    (void)block;
    crash_at_quorum(from, view, kind, VOTE_NOTARIZE);
}

static void crash_after_nullify(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                                const uint8_t *block) {
    (void)epoch;
    (void)block;
    crash_at_quorum(from, view, kind, VOTE_NULLIFY);
}

static void crash_after_finalize(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                                 const uint8_t *block) {
    (void)epoch;
    (void)block;
    crash_at_quorum(from, view, kind, VOTE_FINALIZE);
}

/* The leader's proposal is lost, so that the view is given up. */
static bool no_proposal(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    (void)from;
    (void)to;
    return m->kind != PEER_PROPOSAL || m->number != VIEW || scene.happened > 0;
}

static void prepare_crash_notarize(struct sim_world *w) {
    w->on_cast = crash_after_notarize;
}

static void prepare_crash_nullify(struct sim_world *w) {
    w->on_cast = crash_after_nullify;
    w->lets_pass = no_proposal;
}

static void prepare_crash_finalize(struct sim_world *w) {
    w->on_cast = crash_after_finalize;
}

/* ---- The parent is known, and its body is not here --------------------------------------------------------------- */

/* Node 3 hears that the block of the view is notarized, and gets the block itself neither with the proposal nor at its
 * first attempts to fetch it. */
static bool no_body(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool proposal = m->kind == PEER_PROPOSAL && m->number == VIEW;
    bool fetched = m->kind == PEER_BODY || m->kind == PEER_BLOCKS;
    if (to->key != 3 || (!proposal && !fetched) || (fetched && scene.since_us == 0)) {
        return true;
    }
    scene.happened += fetched ? 1 : 0;
    return begun_for(from->world, HELD_MS);
}

/* One of those who have it goes, so that nothing is decided without node 3. */
static void one_goes(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind, const uint8_t *block) {
    struct sim_world *w = from->world;
    (void)epoch;
    (void)block;
    if (view == VIEW && kind == VOTE_FINALIZE && from->key != 0 && ++scene.casts == 1) {
        w->nodes[0].paused = true;
        sim_schedule(w, (struct sim_event){.at_us = w->now_us + 2000000, .kind = SIM_RESUME, .node = 0});
    }
}

static void prepare_no_body(struct sim_world *w) {
    w->lets_pass = no_body;
    w->on_cast = one_goes;
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */

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
    if (scene.since_us == 0 || begun_for(from->world, 2000)) {
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
    if (m->kind == PEER_PROPOSAL && block_peek(m->body, &header, hash) == OK && m->number > header.view) {
        scene.happened++;
    }
    for (size_t i = 0; m->kind == PEER_VOTES && i < m->vote_count; i++) {
        const struct vote_subject *s = &m->votes[i].subject;
        if (s->kind == VOTE_FINALIZE && s->epoch == 0 && closes(from, s->block) && !begun_for(from->world, 1500)) {
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
        for (uint64_t epoch = 0; epoch < 2; epoch++) {
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

/* Validator 3 is cut off while an observer takes its place. When it is back it hears a liar alone, who proves to it by
 * the new set where the epoch ended: all who signed are in the old set, too. */
static bool liar_alone(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    if (scene.since_us == 0 && w->top_height >= 10) {
        scene.since_us = w->now_us;
        sim_work_change(from, 3, 4, 1);
    }
    bool over = w->epoch_count > 1 && w->top_height > w->epochs[1].closing + 4;
    return (to->key != 3 && from->key != 3) || scene.since_us == 0 || begun_for(w, 5000) ||
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

static void prepare_nothing(struct sim_world *w) {
    (void)w;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

struct scenario {
    const char *name;
    void (*prepare)(struct sim_world *world);
    uint64_t membership, blocks; /* at least so many, all in all */
    void (*tune)(struct sim_options *options);
    enum sim_counter counter; /* with `tune`: what must have happened */
};

static const struct scenario scenarios[] = {
    {"a certificate reaches one node only", prepare_certificate, 0, 25, NULL, 0},
    {"all crash right after notarize", prepare_crash_notarize, 0, 20, NULL, 0},
    {"all crash right after nullify", prepare_crash_nullify, 0, 20, NULL, 0},
    {"all crash right after finalize", prepare_crash_finalize, 0, 20, NULL, 0},
    {"the parent is known and its body is missing", prepare_no_body, 0, 20, NULL, 0},
    {"a closing block is proposed again", prepare_again, 400, 20, NULL, 0},
    {"an epoch changes during a partition", prepare_partition, 400, 20, NULL, 0},
    {"views are used again in the next epoch", prepare_reuse, 400, 20, NULL, 0},
    {"blocks of a time long past", prepare_nothing, 0, 20, tune_behind, COUNT_FORGED_BEHIND},
    {"an epoch's closing block in the next one", prepare_nothing, 200, 20, tune_old_closing, COUNT_FORGED_OLD_CLOSING},
    {"blocks over a limit that was voted", prepare_nothing, 0, 20, tune_too_many, COUNT_FORGED_TOO_MANY},
    {"blocks proven by another epoch", prepare_other_epoch, 0, 20, tune_other_epoch, COUNT_LIE_EPOCH},
};

static void forget_scene(void) {
    for (size_t i = 0; i < scene.kept_count; i++) {
        buffer_free(&scene.kept[i].message);
    }
    memset(&scene, 0, sizeof scene);
}

static bool plays_out(const struct scenario *s, uint64_t seed) {
    struct sim_case played = {.seed = seed,
                              .options = {.validators = 4,
                                          .observers = s->membership > 0 ? 2 : 0,
                                          .membership = s->membership,
                                          .delay_min_us = 100,
                                          .delay_max_us = 2000,
                                          .tx_every_ms = 60,
                                          .journal_segment = 32768,
                                          .chaos_ms = 8000}};
    struct sim_result r;
    if (s->tune != NULL) {
        s->tune(&played.options);
    }
    sim_run(&played, true, s->prepare, &r);
    scene.happened += s->tune != NULL ? r.counted[s->counter] : 0;
    bool good = !r.failed && scene.happened > 0 && r.blocks >= s->blocks;
    if (!good) {
        printf("FAILED %s (seed %llu): %s; it happened %llu times, %llu blocks\n", s->name, (unsigned long long)seed,
               r.failed ? r.failure : "nothing found", (unsigned long long)scene.happened,
               (unsigned long long)r.blocks);
    }
    forget_scene();
    return good;
}

void sim_scenarios(const char *part, unsigned long long *passed, unsigned long long *failed) {
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        bool good = true;
        if (strstr(scenarios[i].name, part) == NULL) {
            continue;
        }
        for (uint64_t seed = 1; seed <= 3; seed++) {
            good = plays_out(&scenarios[i], seed) && good;
        }
        if (good) {
            printf("ok %s\n", scenarios[i].name);
        }
        *(good ? passed : failed) += 1;
    }
}
