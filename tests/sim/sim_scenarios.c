/* Named regressions: stalls and breaks that are known from the field, each led up to on purpose. A scenario passes when
 * what it is about did happen, nothing was found, and the chain went on before the world was healed. */
#include "tests/sim/sim_scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VIEW 5 /* what happens happens here, unless a closing block decides */
#define HELD_MS 700u
#define SEEDS 3u /* that each is played with */

/* One scenario runs at a time; this is what it remembers. */
struct sim_scene scene;

bool sim_begun_for(const struct sim_world *w, uint64_t ms) {
    if (scene.since_us == 0) {
        scene.since_us = w->now_us;
    }
    return w->now_us > scene.since_us + ms * 1000;
}

bool sim_bears_certificate(const struct peer_message *m, enum vote_kind kind, uint64_t view) {
    const struct peer_spans certificates = sim_certificates_in(m);
    for (size_t i = 0; i < certificates.count; i++) {
        if (certificates.items[i].data[1] == kind && load_u64(certificates.items[i].data + 10) == view) {
            return true;
        }
    }
    return false;
}

bool sim_bears_vote(const struct peer_message *m, enum vote_kind kind, uint64_t view) {
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; i < votes.count; i++) {
        if (votes.items[i].subject.kind == kind && votes.items[i].subject.view == view) {
            return true;
        }
    }
    return false;
}

/* ---- A certificate reaches one node only -------------------------------------------------------------------------- */

/* Node 0 alone gets the votes, and node 1 alone its certificate. Both have promised to finalize, so the others can't
 * give the view up without them: only a resent notarization brings them on. */
static bool certificate_to_one(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    bool vote = sim_bears_vote(m, VOTE_NOTARIZE, VIEW), certificate = sim_bears_certificate(m, VOTE_NOTARIZE, VIEW);
    if ((!vote && !certificate) || sim_begun_for(from->world, HELD_MS)) {
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
    return m->kind != PEER_PROPOSAL || m->u.proposal.view != VIEW || scene.happened > 0;
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
    bool proposal = m->kind == PEER_PROPOSAL && m->u.proposal.view == VIEW;
    bool fetched = m->kind == PEER_BODY || m->kind == PEER_BLOCKS;
    if (to->key != 3 || (!proposal && !fetched) || (fetched && scene.since_us == 0)) {
        return true;
    }
    scene.happened += fetched ? 1 : 0;
    return sim_begun_for(from->world, HELD_MS);
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

/* ---- The proof of a view goes with the power ---------------------------------------------------------------------- */

/* Nodes 0, 1 and 2 vote for a block, 0 and 1 alone see that it is notarized, promise to finalize it and vote in the
 * next view; node 3 gives the view up. All lose power, and node 2 stays away. Of the three that are back none can end
 * the view by new votes: only the proof in the journals of 0 and 1 leads on. */
static uint64_t proven_view(const struct sim_world *w) {
    const struct sim_epoch *set = &w->epochs[0];
    uint64_t view = VIEW;
    while (set->key[consensus_leader(view, set->count)] == 3 || set->key[consensus_leader(view + 1, set->count)] > 1) {
        view++;
    }
    return view;
}

static bool proof_to_two(struct sim_node *from, struct sim_node *to, const struct peer_message *m) {
    struct sim_world *w = from->world;
    uint64_t view = proven_view(w);
    bool proof = sim_bears_vote(m, VOTE_NOTARIZE, view) || sim_bears_certificate(m, VOTE_NOTARIZE, view);
    bool proposal = m->kind == PEER_PROPOSAL && m->u.proposal.view == view;
    if (scene.since_us != 0 && w->top_height > scene.height + 2 && !w->healed) {
        scene.happened++;
    }
    return scene.since_us != 0 || ((!proof || to->key < 2) && (!proposal || to->key != 3));
}

static void power_goes_in_next(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                               const uint8_t *block) {
    struct sim_world *w = from->world;
    uint64_t proven = proven_view(w);
    (void)epoch;
    (void)block;
    scene.given_up[3] |= from->key == 3 && kind == VOTE_NULLIFY && view == proven ? 1 : 0;
    scene.casts += from->key < 2 && kind == VOTE_NOTARIZE && view == proven + 1 ? 1 : 0;
    if (scene.since_us == 0 && scene.casts == 2 && scene.given_up[3] != 0) {
        scene.since_us = w->now_us;
        scene.height = w->top_height;
        sim_crash_all_after(from);
        w->nodes[2].paused = true;
    }
}

static void prepare_proof(struct sim_world *w) {
    w->lets_pass = proof_to_two;
    w->on_cast = power_goes_in_next;
}

/* ---- Clocks once ahead -------------------------------------------------------------------------------------------- */

#define AHEAD_MS 7200000

/* For one block, and then they are right. */
static void clocks_ahead(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                         const uint8_t *block) {
    struct sim_world *w = from->world;
    (void)epoch;
    (void)view;
    (void)kind;
    (void)block;
    if (scene.height == 0 && w->top_height >= 3) {
        scene.height = w->top_height;
        w->leap_ms += AHEAD_MS;
    }
    if (scene.happened == 0 && scene.height != 0 &&
        w->final_header[w->top_height].time_ms > SIM_GENESIS_MS + AHEAD_MS) {
        scene.happened++;
        w->leap_ms -= AHEAD_MS;
    }
}

static void prepare_ahead(struct sim_world *w) {
    w->on_cast = clocks_ahead;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static const struct scenario scenarios[] = {
    {"a certificate reaches one node only", prepare_certificate, 0, 25, NULL, 0, false},
    {"all crash right after notarize", prepare_crash_notarize, 0, 20, NULL, 0, false},
    {"all crash right after nullify", prepare_crash_nullify, 0, 20, NULL, 0, false},
    {"all crash right after finalize", prepare_crash_finalize, 0, 20, NULL, 0, false},
    {"the parent is known and its body is missing", prepare_no_body, 0, 20, NULL, 0, false},
    {"the proof of a view goes with the power", prepare_proof, 0, 10, NULL, 0, false},
    {"clocks were ahead for one block", prepare_ahead, 0, 10, NULL, 0, false},
};

static void forget_scene(void) {
    for (size_t i = 0; i < scene.kept_count; i++) {
        buffer_free(&scene.kept[i].message);
    }
    memset(&scene, 0, sizeof scene);
}

static bool plays_out(const struct scenario *s, uint64_t seed, atomic_ullong *counted) {
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
    sim_counters_merge(counted, r.counted);
    bool counts = s->counter == 0 || r.counted[s->counter] > 0;
    bool good = !r.failed && scene.happened > 0 && counts && r.blocks >= s->blocks;
    if (!good) {
        const char *lack = counts ? "it did not go on as it must" : "what it is about was not met";
        printf("FAILED %s (seed %llu): %s; it happened %llu times, %llu blocks\n", s->name, (unsigned long long)seed,
               r.failed ? r.failure : lack, (unsigned long long)scene.happened, (unsigned long long)r.blocks);
    }
    forget_scene();
    return good;
}

struct tally {
    const char *part;
    atomic_ullong *counted;
    unsigned long long *passed, *failed;
};

static void play_all(const struct scenario *list, size_t count, const struct tally *tally) {
    for (const struct scenario *s = list; s < list + count; s++) {
        bool good = true;
        if (strstr(s->name, tally->part) == NULL) {
            continue;
        }
        for (uint64_t seed = 1; seed <= (s->costly ? 1 : SEEDS); seed++) {
            good = plays_out(s, seed, tally->counted) && good;
        }
        if (good) {
            printf("ok %s\n", s->name);
        }
        *(good ? tally->passed : tally->failed) += 1;
    }
}

static bool swarms_well(const struct swarm *s, const struct tally *tally) {
    uint64_t happened = 0;
    bool good = true;
    for (uint64_t seed = 1; seed <= s->seeds && good; seed++) {
        const struct sim_case played = {.seed = seed, .options = s->options};
        struct sim_result r;
        sim_run(&played, true, NULL, &r);
        sim_counters_merge(tally->counted, r.counted);
        happened += r.counted[s->counter];
        good = !r.failed;
        if (!good) {
            printf("FAILED %s (seed %llu): %s: %s\n", s->name, (unsigned long long)seed, r.kind, r.failure);
        }
    }
    if (good && happened == 0) {
        printf("FAILED %s: no %s\n", s->name, sim_counter_text(s->counter));
    }
    return good && happened > 0;
}

static void play_swarms(const struct tally *tally) {
    for (const struct swarm *s = sim_swarms; s < sim_swarms + sim_swarm_count; s++) {
        if (strstr(s->name, tally->part) == NULL) {
            continue;
        }
        bool good = swarms_well(s, tally);
        if (good) {
            printf("ok %s\n", s->name);
        }
        *(good ? tally->passed : tally->failed) += 1;
    }
}

void sim_scenarios(const char *part, atomic_ullong *counted, unsigned long long *passed, unsigned long long *failed) {
    const struct tally tally = {part, counted, passed, failed};
    play_all(scenarios, sizeof scenarios / sizeof scenarios[0], &tally);
    play_all(sim_epoch_scenarios, sim_epoch_scenario_count, &tally);
    play_all(sim_foe_scenarios, sim_foe_scenario_count, &tally);
    play_swarms(&tally);
}
