/* Each row of the table in docs/trust.md, at its bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "verify/freshness.h"

#define DAY_MS UINT64_C(86400000)
#define NOW_MS (UINT64_C(20000) * DAY_MS)

static void a_gateways_limit_is_its_own_or_three_heartbeats(void **state) {
    (void)state;
    assert_int_equal(freshness_limit(FOLLOWER_GATEWAY, 60000, 10000), 60000);
    assert_int_equal(freshness_limit(FOLLOWER_GATEWAY, 60000, 20000), 60000);
    assert_int_equal(freshness_limit(FOLLOWER_GATEWAY, 60000, 20001), 60003);
    assert_int_equal(freshness_limit(FOLLOWER_GATEWAY, 1000, DAY_MS), 3 * DAY_MS);
    assert_true(freshness_limit(FOLLOWER_GATEWAY, 1, UINT32_MAX) == UINT64_C(3) * UINT32_MAX);
}

static void without_a_heartbeat_a_gateway_has_no_limit(void **state) {
    (void)state;
    assert_int_equal(freshness_limit(FOLLOWER_GATEWAY, 1000, 0), 0);
    assert_int_equal(freshness_head(0, NOW_MS, freshness_limit(FOLLOWER_GATEWAY, 1000, 0)), GOOD);
}

static void the_others_have_the_limit_they_were_given_whatever_the_heartbeat(void **state) {
    (void)state;
    static const enum follower others[] = {FOLLOWER_JOINER, FOLLOWER_COMMAND_LINE, FOLLOWER_DEVICE};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(freshness_limit(others[i], 1000, 0), 1000);
        assert_int_equal(freshness_limit(others[i], 1000, 10000), 1000);
        assert_int_equal(freshness_limit(others[i], 0, 10000), 0);
    }
}

static void a_head_is_stale_one_millisecond_after_its_limit(void **state) {
    (void)state;
    assert_int_equal(freshness_head(NOW_MS - 60000, NOW_MS, 60000), GOOD);
    assert_int_equal(freshness_head(NOW_MS - 60001, NOW_MS, 60000), BAD_STALE);
    assert_int_equal(freshness_head(NOW_MS - 60001, NOW_MS, 0), GOOD);
    assert_int_equal(freshness_head(NOW_MS, 0, 1), GOOD); /* no clock */
    assert_int_equal(freshness_head(NOW_MS + DAY_MS, NOW_MS, 1), GOOD);
    assert_int_equal(freshness_head(UINT64_MAX, NOW_MS, 1), GOOD);
    assert_int_equal(freshness_head(0, UINT64_MAX, UINT64_MAX), GOOD);
    assert_int_equal(freshness_head(0, UINT64_MAX, UINT64_MAX - 1), BAD_STALE);
}

static void gateways_and_joiners_need_a_start_within_the_trusting_period(void **state) {
    (void)state;
    static const enum follower held[] = {FOLLOWER_GATEWAY, FOLLOWER_JOINER};
    assert_true(FRESHNESS_TRUSTING_MS == 90 * DAY_MS);
    for (size_t i = 0; i < sizeof held / sizeof held[0]; i++) {
        assert_int_equal(freshness_start(held[i], NOW_MS - 90 * DAY_MS, NOW_MS), GOOD);
        assert_int_equal(freshness_start(held[i], NOW_MS - 90 * DAY_MS - 1, NOW_MS), BAD_START);
        assert_int_equal(freshness_start(held[i], 0, NOW_MS), BAD_START);
        assert_int_equal(freshness_start(held[i], 0, 0), GOOD); /* no clock */
        assert_int_equal(freshness_start(held[i], NOW_MS + 1, NOW_MS), GOOD);
        assert_int_equal(freshness_start(held[i], 0, UINT64_MAX), BAD_START);
    }
}

static void a_device_and_the_command_line_are_never_refused_for_the_age_of_their_start(void **state) {
    (void)state;
    static const enum follower free_ones[] = {FOLLOWER_COMMAND_LINE, FOLLOWER_DEVICE};
    static const uint64_t starts[] = {0, 1, NOW_MS - 90 * DAY_MS - 1, NOW_MS - 3650 * DAY_MS};
    for (size_t i = 0; i < sizeof free_ones / sizeof free_ones[0]; i++) {
        for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++) {
            assert_int_equal(freshness_start(free_ones[i], starts[k], NOW_MS), GOOD);
            assert_int_equal(freshness_start(free_ones[i], starts[k], UINT64_MAX), GOOD);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gateways_limit_is_its_own_or_three_heartbeats),
        cmocka_unit_test(without_a_heartbeat_a_gateway_has_no_limit),
        cmocka_unit_test(the_others_have_the_limit_they_were_given_whatever_the_heartbeat),
        cmocka_unit_test(a_head_is_stale_one_millisecond_after_its_limit),
        cmocka_unit_test(gateways_and_joiners_need_a_start_within_the_trusting_period),
        cmocka_unit_test(a_device_and_the_command_line_are_never_refused_for_the_age_of_their_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
