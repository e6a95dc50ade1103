/* sim SEEDS [FIRST]: runs that many seeds from FIRST on (1 when not given) and says how many found nothing.
 *
 * Before the seeds come checks of the oracles themselves: with f + 1 validators running twice a break must be found.
 */
#include "tests/sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Two of four validators are twins, and the network is often in halves: agreement must break within a few seeds, and
 * the oracles must see it. */
static bool break_is_found(bool show) {
    const struct sim_options options = {
        .validators = 4,
        .twins = 2,
        .delay_min_us = 100,
        .delay_max_us = 3000,
        .partition_every_ms = 400,
        .tx_every_ms = 30,
        .first_tx_ms = 1000,
        .chaos_ms = 6000,
    };
    struct sim_figures ignored = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        if (!sim_run(seed, &options, !show, &ignored)) {
            return true;
        }
    }
    return false;
}

/* What a block costs when nothing goes wrong. */
static void print_good_path(void) {
    const struct sim_options options = {.validators = 4,
                                        .delay_min_us = 100,
                                        .delay_max_us = 300,
                                        .tx_every_ms = 20,
                                        .first_tx_ms = 1000,
                                        .chaos_ms = 11000};
    struct sim_figures figures = {0};
    bool good = sim_run(1, &options, false, &figures);
    double blocks = figures.blocks > 0 ? (double)figures.blocks : 1;
    printf("good path, 4 validators%s: %.0f blocks; a block: %.1f messages, %.0f bytes, %.2f journal syncs a node\n",
           good ? "" : " (FAILED)", blocks, (double)figures.messages / blocks, (double)figures.bytes / blocks,
           (double)figures.journal_syncs / blocks / 4);
}

int main(int argc, char **argv) {
    unsigned long long count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500;
    unsigned long long first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    unsigned long long passed = 0, failed = 0;
    struct sim_figures figures = {0};
    if (crypto_start() != OK) {
        return 1;
    }
    if (count > 1) {
        print_good_path();
        bool found = break_is_found(getenv("SIM_SHOW_BREAK") != NULL);
        printf("f + 1 equivocating validators: the break was %s\n", found ? "found" : "NOT FOUND");
        *(found ? &passed : &failed) += 1;
    }
    double begin = seconds();
    for (unsigned long long i = 0; i < count; i++) {
        bool good = sim_run(first + i, NULL, false, &figures);
        *(good ? &passed : &failed) += 1;
        (void)fflush(stdout);
    }
    double took = seconds() - begin;
    printf("%llu seeds in %.1f s (%.1f seeds/s), %llu blocks, %llu messages, %llu bytes\n", count, took,
           (double)count / (took > 0 ? took : 1), (unsigned long long)figures.blocks,
           (unsigned long long)figures.messages, (unsigned long long)figures.bytes);
    printf("%llu passed, %llu failed, 0 skipped\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
