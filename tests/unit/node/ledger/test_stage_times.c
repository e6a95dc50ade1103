#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/ledger/stage_times.h"

#include <string.h>

static uint64_t in_buckets(const struct stage_histogram *h) {
    uint64_t sum = 0;
    for (size_t i = 0; i < STAGE_BUCKETS; i++) {
        sum += h->buckets[i];
    }
    return sum;
}

static void a_time_counts_in_the_first_bucket_that_holds_it(void **state) {
    (void)state;
    struct stage_times times = {0};
    stage_times_add(&times, STAGE_EXECUTION, 0);
    stage_times_add(&times, STAGE_EXECUTION, 100);
    stage_times_add(&times, STAGE_EXECUTION, 101);
    stage_times_add(&times, STAGE_EXECUTION, UINT64_MAX / 4); /* above every bound: only the count has it */
    const struct stage_histogram *h = &times.stages[STAGE_EXECUTION];
    assert_int_equal(h->buckets[0], 2);
    assert_int_equal(h->buckets[1], 1);
    assert_int_equal(in_buckets(h), 3);
    assert_int_equal(h->count, 4);
    assert_true(h->sum_us == 201 + UINT64_MAX / 4);
}

static void a_block_is_timed_once_from_valid_to_notarized_to_final(void **state) {
    (void)state;
    struct stage_times times = {0};
    uint8_t a[SHA256_LEN] = {1}, b[SHA256_LEN] = {2};
    stage_times_valid(&times, a);
    stage_times_notarized(&times, a);
    stage_times_notarized(&times, a);
    stage_times_notarized(&times, b); /* never seen */
    stage_times_final(&times, a);
    stage_times_final(&times, a);
    assert_int_equal(times.stages[STAGE_NOTARIZATION].count, 1);
    assert_int_equal(times.stages[STAGE_FINALIZATION].count, 1);
    stage_times_valid(&times, b);
    stage_times_final(&times, b); /* final through a descendant: no notarization of its own was seen */
    assert_int_equal(times.stages[STAGE_FINALIZATION].count, 1);
}

static void more_blocks_than_places_forget_the_oldest(void **state) {
    (void)state;
    struct stage_times times = {0};
    for (uint8_t i = 0; i <= STAGE_BLOCKS; i++) {
        uint8_t hash[SHA256_LEN] = {i, 1};
        stage_times_valid(&times, hash);
    }
    uint8_t oldest[SHA256_LEN] = {0, 1}, newest[SHA256_LEN] = {STAGE_BLOCKS, 1};
    stage_times_notarized(&times, oldest);
    assert_int_equal(times.stages[STAGE_NOTARIZATION].count, 0);
    stage_times_notarized(&times, newest);
    assert_int_equal(times.stages[STAGE_NOTARIZATION].count, 1);
}

static void without_times_nothing_happens(void **state) {
    (void)state;
    uint8_t hash[SHA256_LEN] = {0};
    assert_int_equal(stage_times_now_us(NULL), 0);
    stage_times_add(NULL, STAGE_SUBMIT, 1);
    stage_times_since(NULL, STAGE_SUBMIT, 1);
    stage_times_valid(NULL, hash);
    stage_times_notarized(NULL, hash);
    stage_times_final(NULL, hash);
}

static void every_stage_has_a_name(void **state) {
    (void)state;
    for (int i = 0; i < STAGE_COUNT; i++) {
        assert_non_null(stage_name((enum stage)i));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_counts_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(a_block_is_timed_once_from_valid_to_notarized_to_final),
        cmocka_unit_test(more_blocks_than_places_forget_the_oldest),
        cmocka_unit_test(without_times_nothing_happens),
        cmocka_unit_test(every_stage_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
