/* How long the stages of a transaction's way take, as histograms that /metrics shows.
 *
 * Written on the ledger thread alone; others read the copy on the status board. Every call takes NULL for the times and
 * does nothing then, not even look at a clock: the simulator's ledger has none.
 */
#ifndef ASSAY_NODE_LEDGER_STAGE_TIMES_H
#define ASSAY_NODE_LEDGER_STAGE_TIMES_H

#include "base/sha256.h"

enum stage {
    STAGE_SUBMIT,       /* a client's post until the ledger thread has taken it or refused it */
    STAGE_WAITING,      /* in the mempool until a block that holds it is looked at (not on the node that built it) */
    STAGE_EXECUTION,    /* running one block */
    STAGE_NOTARIZATION, /* a block known to be valid until it is notarized */
    STAGE_FINALIZATION, /* notarized until final */
    STAGE_JOURNAL_SYNC, /* one sync of the vote journal */
    STAGE_CHECKPOINT,   /* writing one checkpoint */
    STAGE_COUNT,
};

/* Upper bounds of the buckets, in microseconds: 100, then doubling; what is above the last counts in `count` alone. */
#define STAGE_BUCKETS 18u
static inline uint64_t stage_bound_us(size_t bucket) {
    return (uint64_t)100 << bucket;
}

struct stage_histogram {
    uint64_t count, sum_us;
    uint64_t buckets[STAGE_BUCKETS]; /* each alone, not cumulated */
};

#define STAGE_BLOCKS 64u

struct stage_times {
    struct stage_histogram stages[STAGE_COUNT];
    /* The last blocks whose way is being watched, a ring. */
    struct {
        uint8_t hash[SHA256_LEN];
        uint64_t valid_us, notarized_us; /* 0: not yet */
    } blocks[STAGE_BLOCKS];
    size_t next;
};

/* "submit", "waiting", ... */
const char *stage_name(enum stage stage);

/* Now, for stage_times_since; 0 without times. */
uint64_t stage_times_now_us(const struct stage_times *times);
void stage_times_add(struct stage_times *times, enum stage stage, uint64_t us);
void stage_times_since(struct stage_times *times, enum stage stage, uint64_t start_us);

/* A block's way; the first call of each kind counts, and a notarization or finality of a block never called valid here
 * does not. */
void stage_times_valid(struct stage_times *times, const uint8_t hash[SHA256_LEN]);
void stage_times_notarized(struct stage_times *times, const uint8_t hash[SHA256_LEN]);
void stage_times_final(struct stage_times *times, const uint8_t hash[SHA256_LEN]);

#endif
