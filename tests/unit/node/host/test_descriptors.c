#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/host/descriptors.h"

#include <sys/resource.h>

static void what_fits_is_left_as_it_is(void **state) {
    (void)state;
    struct descriptors_share share = {.has_peers = true, .http = 200, .door = 576};
    assert_int_equal(descriptors_fit(65536, &share), OK);
    assert_int_equal(share.http, 200);
    assert_int_equal(share.door, 576);
    assert_int_equal(descriptors_fit(descriptors_needed(&share), &share), OK);
    assert_int_equal(share.door, 576);
}

static void the_door_gives_way_first_and_then_http(void **state) {
    (void)state;
    struct descriptors_share share = {.has_peers = true, .http = 200, .door = 576};
    assert_int_equal(descriptors_fit(1024, &share), OK);
    assert_int_equal(share.http, 200);
    assert_true(share.door < 576 && share.door > DESCRIPTORS_DOOR_LEAST);
    assert_int_equal(descriptors_needed(&share), 1024);

    share = (struct descriptors_share){.has_peers = true, .http = 10000, .door = 576};
    assert_int_equal(descriptors_fit(1024, &share), OK);
    assert_int_equal(share.door, DESCRIPTORS_DOOR_LEAST);
    assert_int_equal(descriptors_needed(&share), 1024);
}

static void every_limit_gives_shares_that_fit_or_is_refused(void **state) {
    (void)state;
    for (int has_peers = 0; has_peers < 2; has_peers++) {
        uint64_t least = descriptors_least(has_peers);
        for (uint64_t limit = 0; limit < 12000; limit++) {
            static const uint64_t https[] = {8, 16, 200, 10000};
            for (size_t i = 0; i < 4; i++) {
                struct descriptors_share share = {
                    .has_peers = has_peers, .http = https[i], .door = has_peers ? 576 : 0};
                enum err e = descriptors_fit(limit, &share);
                if (e != OK) {
                    assert_int_equal(e, ERR_FULL);
                    assert_true(limit < least);
                    assert_int_equal(share.http, https[i]);
                    continue;
                }
                assert_true(descriptors_needed(&share) <= limit);
                assert_true(share.http <= https[i] && share.http >= (https[i] < 16 ? https[i] : 16));
                assert_true(!has_peers || share.door >= DESCRIPTORS_DOOR_LEAST);
            }
        }
    }
}

static void the_limit_is_raised_as_far_as_it_may_be(void **state) {
    (void)state;
    struct rlimit before, after;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit low = {.rlim_cur = 256, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    uint64_t limit = descriptors_limit();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, limit);
    assert_int_equal(limit, before.rlim_max < DESCRIPTORS_MOST ? before.rlim_max : DESCRIPTORS_MOST);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void many_that_are_not_given_back_for_long_are_a_leak(void **state) {
    (void)state;
    uint64_t since = 0, known = 10, many = known + DESCRIPTORS_LEAK + 1;
    assert_false(descriptors_leak(&since, many, known, 1000));
    assert_false(descriptors_leak(&since, many, known, 1000 + DESCRIPTORS_LEAK_MS - 1));
    assert_true(descriptors_leak(&since, many + 5, known, 1000 + DESCRIPTORS_LEAK_MS));
    /* Once they are fewer it begins anew. */
    assert_false(descriptors_leak(&since, many - 1, known, 50000));
    assert_false(descriptors_leak(&since, many, known, 50001));
    assert_false(descriptors_leak(&since, many, known, 50000 + DESCRIPTORS_LEAK_MS));
    assert_true(descriptors_leak(&since, many, known, 50001 + DESCRIPTORS_LEAK_MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_left_as_it_is),
        cmocka_unit_test(the_door_gives_way_first_and_then_http),
        cmocka_unit_test(every_limit_gives_shares_that_fit_or_is_refused),
        cmocka_unit_test(the_limit_is_raised_as_far_as_it_may_be),
        cmocka_unit_test(many_that_are_not_given_back_for_long_are_a_leak),
    };
    return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
