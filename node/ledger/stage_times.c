#include "node/ledger/stage_times.h"

#include "base/assert.h"
#include "base/clock.h"

#include <string.h>

const char *stage_name(enum stage stage) {
    static const char *const names[STAGE_COUNT] = {
        [STAGE_SUBMIT] = "submit",
        [STAGE_WAITING] = "waiting",
        [STAGE_EXECUTION] = "execution",
        [STAGE_NOTARIZATION] = "notarization",
        [STAGE_FINALIZATION] = "finalization",
        [STAGE_JOURNAL_SYNC] = "journal_sync",
        [STAGE_CHECKPOINT] = "checkpoint",
    };
    ASSERT(stage < STAGE_COUNT);
    return names[stage];
}

uint64_t stage_times_now_us(const struct stage_times *times) {
    return times != NULL ? clock_mono_ns() / 1000 : 0;
}

void stage_times_add(struct stage_times *times, enum stage stage, uint64_t us) {
    ASSERT(stage < STAGE_COUNT);
    if (times == NULL) {
        return;
    }
    struct stage_histogram *h = &times->stages[stage];
    h->count++;
    h->sum_us += us;
    for (size_t i = 0; i < STAGE_BUCKETS; i++) {
        if (us <= stage_bound_us(i)) {
            h->buckets[i]++;
            return;
        }
    }
}

void stage_times_since(struct stage_times *times, enum stage stage, uint64_t start_us) {
    if (times != NULL) {
        uint64_t now_us = stage_times_now_us(times);
        stage_times_add(times, stage, now_us > start_us ? now_us - start_us : 0);
    }
}

/* Place in the ring; STAGE_BLOCKS when the block is not watched (any more). */
static size_t find_block(const struct stage_times *times, const uint8_t hash[SHA256_LEN]) {
    size_t i = 0;
    while (i < STAGE_BLOCKS &&
           (times->blocks[i].valid_us == 0 || memcmp(times->blocks[i].hash, hash, SHA256_LEN) != 0)) {
        i++;
    }
    return i;
}

void stage_times_valid(struct stage_times *times, const uint8_t hash[SHA256_LEN]) {
    if (times == NULL || find_block(times, hash) < STAGE_BLOCKS) {
        return;
    }
    size_t i = times->next++ % STAGE_BLOCKS;
    memcpy(times->blocks[i].hash, hash, SHA256_LEN);
    times->blocks[i].valid_us = stage_times_now_us(times);
    times->blocks[i].notarized_us = 0;
}

void stage_times_notarized(struct stage_times *times, const uint8_t hash[SHA256_LEN]) {
    size_t i = times != NULL ? find_block(times, hash) : STAGE_BLOCKS;
    if (i < STAGE_BLOCKS && times->blocks[i].notarized_us == 0) {
        times->blocks[i].notarized_us = stage_times_now_us(times);
        stage_times_since(times, STAGE_NOTARIZATION, times->blocks[i].valid_us);
    }
}

void stage_times_final(struct stage_times *times, const uint8_t hash[SHA256_LEN]) {
    size_t i = times != NULL ? find_block(times, hash) : STAGE_BLOCKS;
    if (i == STAGE_BLOCKS) {
        return;
    }
    if (times->blocks[i].notarized_us != 0) {
        stage_times_since(times, STAGE_FINALIZATION, times->blocks[i].notarized_us);
    }
    times->blocks[i].valid_us = 0; /* its place is free */
}
