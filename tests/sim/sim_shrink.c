/* Makes a failing case smaller: options one by one, then fewer nodes and a shorter run, then single blows of the plan.
 * Each step stays when the smaller case still fails in the same way. */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define RUN_SECONDS 20u
#define RUNS_MAX 600u
#define CHAOS_MIN_MS 200u

struct shrink {
    struct sim_case *smallest;
    struct sim_result last; /* of the smallest case */
    char kind[16];
    time_t until;
    unsigned runs;
};

static bool may_go_on(const struct shrink *s) {
    return s->runs < RUNS_MAX && time(NULL) < s->until;
}

/* Takes the smaller case when it fails as well. */
static bool try_case(struct shrink *s, const struct sim_case *smaller) {
    struct sim_result result;
    if (!may_go_on(s)) {
        return false;
    }
    s->runs++;
    sim_run_apart(smaller, false, RUN_SECONDS, &result);
    if (!result.failed || strcmp(result.kind, s->kind) != 0) {
        return false;
    }
    *s->smallest = *smaller;
    s->last = result;
    return true;
}

static bool is_size(size_t place) {
    const char *name = sim_option_name(place);
    return strcmp(name, "validators") == 0 || strcmp(name, "chaos_ms") == 0;
}

static bool drop_options(struct shrink *s) {
    bool any = false;
    for (size_t place = 0; sim_option_name(place) != NULL; place++) {
        uint64_t neutral = sim_option_neutral(place);
        if (!is_size(place) && sim_option_get(&s->smallest->options, place) != neutral) {
            struct sim_case smaller = *s->smallest;
            sim_option_set(&smaller.options, place, neutral);
            any = try_case(s, &smaller) || any;
        }
    }
    return any;
}

/* Faulty validators must stay few enough. */
static void drop_nodes(struct shrink *s) {
    for (uint64_t n = 4; n < s->smallest->options.validators; n++) {
        struct sim_case smaller = *s->smallest;
        struct sim_options *o = &smaller.options;
        uint64_t damaged = sim_options_forgetful(o) ? 1 : 0;
        o->validators = n;
        if (o->twins + o->byzantine + o->wild_clocks + damaged <= validators_faulty((uint16_t)n) &&
            try_case(s, &smaller)) {
            return;
        }
    }
}

static void shorten(struct shrink *s) {
    for (uint64_t part = 1; part <= 7;) {
        struct sim_case smaller = *s->smallest;
        smaller.options.chaos_ms = s->smallest->options.chaos_ms * part / 8;
        bool shorter = smaller.options.chaos_ms >= CHAOS_MIN_MS && try_case(s, &smaller);
        part = shorter ? 1 : part + 1;
    }
}

/* Which blows the case has: the places of its plan. */
static size_t blows_of(const struct sim_case *played, uint32_t *out_places) {
    static struct sim_world planned; /* too large for the stack; only its plan is looked at */
    size_t count = 0;
    memset(&planned, 0, sizeof planned);
    planned.played = played;
    planned.options = played->options;
    sim_faults_plan(&planned);
    for (uint32_t i = 0; i < SIM_PLAN_MAX; i++) {
        if (planned.plan[i].planned) {
            out_places[count++] = i;
        }
    }
    sim_world_forget_events(&planned);
    return count;
}

/* First halves, then quarters, and so on down to single ones. */
static void drop_blows(struct shrink *s) {
    uint32_t places[SIM_PLAN_MAX];
    size_t count = blows_of(s->smallest, places);
    for (size_t chunk = count; chunk >= 1; chunk /= 2) {
        for (size_t from = 0; from < count && may_go_on(s);) {
            struct sim_case smaller = *s->smallest;
            for (size_t i = from; i < from + chunk && i < count; i++) {
                smaller.skipped[places[i]] = true;
            }
            if (try_case(s, &smaller)) {
                count = blows_of(s->smallest, places);
            } else {
                from += chunk;
            }
        }
    }
}

/* How the failing case is repeated: the arguments of this program. */
static void sim_case_print(const struct sim_case *played) {
    struct sim_options of_seed;
    sim_options_of_seed(played->seed, &of_seed);
    printf(" 1 %llu", (unsigned long long)played->seed);
    for (size_t place = 0; sim_option_name(place) != NULL; place++) {
        uint64_t value = sim_option_get(&played->options, place);
        if (value != sim_option_get(&of_seed, place)) {
            printf(" %s=%llu", sim_option_name(place), (unsigned long long)value);
        }
    }
    const char *before = " skip=";
    for (uint32_t i = 0; i < SIM_PLAN_MAX; i++) {
        if (played->skipped[i]) {
            printf("%s%u", before, i);
            before = "+";
        }
    }
    printf("\n");
}

static void report(const struct shrink *s) {
    uint32_t places[SIM_PLAN_MAX];
    const struct sim_case *c = s->smallest;
    struct sim_result again;
    printf("  smallest case that still fails, after %u runs; its last lines:\n", s->runs);
    sim_run_apart(c, true, RUN_SECONDS, &again);
    printf("  %s: %s\n  what it has:", again.kind, again.failure);
    for (size_t place = 0; sim_option_name(place) != NULL; place++) {
        uint64_t value = sim_option_get(&c->options, place);
        if (value != sim_option_neutral(place) || is_size(place)) {
            printf(" %s=%llu", sim_option_name(place), (unsigned long long)value);
        }
    }
    size_t count = blows_of(c, places);
    printf("\n  what strikes (%zu):", count);
    for (size_t i = 0; i < count; i++) {
        printf("%s %s", i > 0 ? "," : "", sim_fault_name(places[i]));
    }
    printf("\n  again: sim");
    sim_case_print(c);
    (void)fflush(stdout);
}

void sim_shrink(struct sim_case *failing, const struct sim_result *how, unsigned seconds) {
    struct shrink s = {.smallest = failing, .last = *how, .until = time(NULL) + (time_t)seconds};
    memcpy(s.kind, how->kind, sizeof s.kind);
    while (drop_options(&s)) {
    }
    drop_nodes(&s);
    shorten(&s);
    drop_blows(&s);
    (void)drop_options(&s);
    report(&s);
}
