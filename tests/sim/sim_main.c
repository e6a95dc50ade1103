/* sim [SEEDS [FIRST]] [NAME=VALUE ...]: runs that many seeds from FIRST on (500 from 1) on all processors and says how
 * many found nothing. NAME=VALUE sets an option of every seed (sim_options.c), skip=A+B+... leaves blows of the plan
 * out: what a failing seed prints at its end repeats its smallest case. stop=1 ends at the first seed that fails,
 * without making it smaller; scenario=PART plays the scenarios with that in their name before the seeds, and nothing
 * else.
 *
 * Before the seeds come, unless it is one seed or there are settings, the named regressions, and a check of the oracles
 * themselves: with f + 1 Byzantine validators a break must be found. At the end the counters (sim_counters.h): with 500
 * seeds or more, without settings, none may be 0.
 */
#include "tests/sim/sim.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 16
#define FAILURES_MAX 64
#define SHRUNK_MAX 3 /* failing seeds that are made smaller */
#define SHRINK_SECONDS 60u
#define SEED_SECONDS 60u /* of processor time */

struct request {
    unsigned long long count, first;
    const char *scenario; /* only those whose name has this part */
    bool stop, plain;     /* plain: begin with neutral options instead of the seed's */
    bool given;           /* options or blows were given by name */
    size_t jobs;          /* 0: as many as there are processors */
    bool is_set[128];
    uint64_t value[128];
    bool skipped[SIM_PLAN_MAX];
};

/* What the workers share. */
struct board {
    atomic_ullong next, passed, failed, blocks, messages, bytes, txs;
    atomic_ullong at[WORKERS_MAX]; /* the seed a worker is at */
    atomic_ullong counted[SIM_COUNTER_COUNT];
    atomic_uint failures;
    struct {
        uint64_t seed;
        struct sim_result result;
    } failure[FAILURES_MAX];
};

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of all workers that have ended. */
static double processor_seconds(void) {
    struct rusage used;
    (void)getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void case_of(const struct request *request, uint64_t seed, struct sim_case *out) {
    sim_case_of_seed(seed, out);
    for (size_t i = 0; sim_option_name(i) != NULL; i++) {
        if (request->plain) {
            sim_option_set(&out->options, i, sim_option_neutral(i));
        }
        if (request->is_set[i]) {
            sim_option_set(&out->options, i, request->value[i]);
        }
    }
    memcpy(out->skipped, request->skipped, sizeof out->skipped);
}

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

static void post_failure(struct board *board, uint64_t seed, const struct sim_result *result) {
    unsigned place = atomic_fetch_add(&board->failures, 1);
    atomic_fetch_add(&board->failed, 1);
    if (place < FAILURES_MAX) {
        board->failure[place].result = *result;
        board->failure[place].seed = seed;
    }
}

static void work(const struct request *request, struct board *board, size_t me) {
    static struct sim_case played;
    for (;;) {
        unsigned long long i = atomic_fetch_add(&board->next, 1);
        if (i >= request->count || (request->stop && atomic_load(&board->failed) > 0)) {
            return;
        }
        uint64_t seed = request->first + i;
        struct sim_result result;
        atomic_store(&board->at[me], seed + 1);
        sim_limit_time(SEED_SECONDS);
        case_of(request, seed, &played);
        sim_run(&played, false, NULL, &result);
        atomic_store(&board->at[me], 0);
        atomic_fetch_add(&board->blocks, result.blocks);
        atomic_fetch_add(&board->messages, result.messages);
        atomic_fetch_add(&board->bytes, result.bytes);
        atomic_fetch_add(&board->txs, result.txs);
        sim_counters_merge(board->counted, result.counted);
        if (result.failed) {
            post_failure(board, seed, &result);
        } else {
            atomic_fetch_add(&board->passed, 1);
        }
    }
}

static pid_t hire(const struct request *request, struct board *board, size_t me) {
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        work(request, board, me);
        _exit(0);
    }
    if (child < 0) {
        perror("sim: no worker");
    }
    return child;
}

/* A worker that broke off leaves its seed as a failure, and another takes its place. */
static void note_broken(struct board *board, size_t me, int status) {
    uint64_t seed = atomic_exchange(&board->at[me], 0);
    if (seed == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return;
    }
    struct sim_result result = {.failed = true};
    (void)snprintf(result.kind, sizeof result.kind, "%s", sim_end_kind(status));
    (void)snprintf(result.failure, sizeof result.failure, "the run broke off (%s)", result.kind);
    post_failure(board, seed - 1, &result);
}

static void work_all(const struct request *request, struct board *board) {
    pid_t workers[WORKERS_MAX] = {0};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t count = processors < 1 ? 1 : (size_t)processors;
    count = request->jobs != 0 ? request->jobs : count;
    count = count < WORKERS_MAX ? count : WORKERS_MAX;
    size_t running = 0;
    for (size_t i = 0; i < count && i < request->count; i++) {
        workers[i] = hire(request, board, i);
        running += workers[i] > 0 ? 1 : 0;
    }
    while (running > 0) {
        int status;
        pid_t ended = waitpid(-1, &status, 0);
        for (size_t i = 0; i < count; i++) {
            if (ended <= 0 || workers[i] != ended) {
                continue;
            }
            note_broken(board, i, status);
            bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            workers[i] = clean ? 0 : hire(request, board, i);
            running -= workers[i] <= 0 ? 1 : 0;
        }
    }
}

/* ---- What comes first -------------------------------------------------------------------------------------------- */

/* Two of four validators work together: each view of theirs has two blocks, and both vote for both. Agreement must
 * break at once, and the oracles must see it. */
static bool break_is_found(void) {
    static struct sim_case played;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        played = (struct sim_case){.seed = seed,
                                   .options = {.validators = 4,
                                               .byzantine = 2,
                                               .equivocate = 900,
                                               .collude = 1000,
                                               .delay_min_us = 100,
                                               .delay_max_us = 3000,
                                               .tx_every_ms = 30,
                                               .journal_segment = 32768,
                                               .chaos_ms = 6000}};
        struct sim_result result;
        sim_run(&played, false, NULL, &result);
        if (result.failed && strcmp(result.kind, "certificates") == 0) {
            return true;
        }
    }
    return false;
}

/* What a block costs when nothing goes wrong. */
static void print_good_path(void) {
    static const struct sim_case played = {.seed = 1,
                                           .options = {.validators = 4,
                                                       .delay_min_us = 100,
                                                       .delay_max_us = 300,
                                                       .tx_every_ms = 20,
                                                       .journal_segment = 32768,
                                                       .first_tx_ms = 1000,
                                                       .chaos_ms = 11000}};
    struct sim_result r;
    sim_run(&played, true, NULL, &r);
    double blocks = r.blocks > 0 ? (double)r.blocks : 1;
    printf("good path, 4 validators%s: %.0f blocks; a block: %.1f messages, %.0f bytes, %.2f journal syncs a node\n",
           r.failed ? " (FAILED)" : "", blocks, (double)r.messages / blocks, (double)r.bytes / blocks,
           (double)r.journal_syncs / blocks / 4);
}

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

static void show_failures(const struct request *request, const struct board *board) {
    unsigned count = atomic_load(&board->failures);
    for (unsigned i = 0; i < count && i < FAILURES_MAX; i++) {
        const struct sim_result *r = &board->failure[i].result;
        printf("seed %llu fails: %s: %s\n", (unsigned long long)board->failure[i].seed, r->kind, r->failure);
        if (i < SHRUNK_MAX && !request->stop && request->count > 1) {
            static struct sim_case failing;
            case_of(request, board->failure[i].seed, &failing);
            sim_shrink(&failing, r, SHRINK_SECONDS);
        } else if (i < SHRUNK_MAX && request->count == 1) {
            static struct sim_case failing;
            struct sim_result again;
            case_of(request, board->failure[i].seed, &failing);
            sim_run_apart(&failing, true, SEED_SECONDS, &again);
        }
    }
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

static bool take_skips(struct request *request, char *list) {
    for (char *place = strtok(list, "+"); place != NULL; place = strtok(NULL, "+")) {
        unsigned long at = strtoul(place, NULL, 10);
        if (at >= SIM_PLAN_MAX) {
            return false;
        }
        request->skipped[at] = true;
    }
    return true;
}

static bool take_setting(struct request *request, char *name) {
    char *value = strchr(name, '=');
    size_t place;
    *value++ = '\0';
    request->given = true;
    if (strcmp(name, "skip") == 0) {
        return take_skips(request, value);
    }
    if (strcmp(name, "stop") == 0) {
        request->stop = strtoull(value, NULL, 10) != 0;
        return true;
    }
    if (strcmp(name, "jobs") == 0) {
        request->jobs = (size_t)strtoull(value, NULL, 10);
        return true;
    }
    if (strcmp(name, "scenario") == 0) {
        request->scenario = value;
        return true;
    }
    if (strcmp(name, "plain") == 0) {
        request->plain = strtoull(value, NULL, 10) != 0;
        return true;
    }
    if (!sim_option_by_name(name, &place)) {
        return false;
    }
    request->is_set[place] = true;
    request->value[place] = strtoull(value, NULL, 10);
    return true;
}

static bool take_arguments(struct request *request, int argc, char **argv) {
    unsigned long long *const numbers[] = {&request->count, &request->first};
    size_t given = 0;
    for (int i = 1; i < argc; i++) {
        if (strchr(argv[i], '=') != NULL) {
            if (!take_setting(request, argv[i])) {
                (void)fprintf(stderr, "sim: no such setting: %s\n", argv[i]);
                return false;
            }
        } else if (given < 2) {
            *numbers[given++] = strtoull(argv[i], NULL, 10);
        }
    }
    return true;
}

int main(int argc, char **argv) {
    static struct request request = {.count = 500, .first = 1};
    if (crypto_start() != OK || !take_arguments(&request, argc, argv)) {
        return 2;
    }
    struct board *board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED) {
        perror("sim");
        return 2;
    }
    unsigned long long passed = 0, failed = 0;
    if (request.scenario != NULL) {
        sim_scenarios(request.scenario, board->counted, &passed, &failed);
    } else if (request.count != 1 && !request.given) {
        print_good_path();
        bool found = break_is_found();
        printf("f + 1 Byzantine validators: the break was %s\n", found ? "found" : "NOT FOUND");
        *(found ? &passed : &failed) += 1;
        sim_scenarios("", board->counted, &passed, &failed);
    }
    double begin = seconds();
    work_all(&request, board);
    double took = seconds() - begin, used = processor_seconds();
    show_failures(&request, board);
    unsigned long long done = atomic_load(&board->passed) + atomic_load(&board->failed);
    printf(
        "%llu seeds in %.1f s, %.1f s of processor time: %llu blocks, %llu transactions, %llu messages, %llu bytes\n",
        done, took, used, atomic_load(&board->blocks), atomic_load(&board->txs), atomic_load(&board->messages),
        atomic_load(&board->bytes));
    passed += atomic_load(&board->passed);
    failed += atomic_load(&board->failed);
    bool all_wanted = !request.given && request.count >= SIM_COUNTED_SEEDS;
    if (request.count > 1) {
        failed += sim_counters_print(board->counted, all_wanted) ? 0 : 1;
    }
    printf("%llu passed, %llu failed, 0 skipped\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
