#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/api/alarms.h"
#include "node/full/status_facts.h"

#include <stdio.h>

static void an_alarm_passes_when_it_is_not_raised_again(void **state) {
    (void)state;
    struct alarms a = {0};
    assert_null(alarms_first(&a));
    assert_true(alarms_raise(&a, "no-finality", "256 views", 1000));
    assert_false(alarms_raise(&a, "no-finality", "257 views", 2000));
    assert_string_equal(alarms_first(&a)->text, "257 views");
    assert_int_equal(alarms_first(&a)->raised, 2);
    assert_null(alarms_pass(&a, 2000 + ALARMS_KEPT_MS));
    assert_string_equal(alarms_pass(&a, 2001 + ALARMS_KEPT_MS), "no-finality");
    assert_null(alarms_pass(&a, 2001 + ALARMS_KEPT_MS));
    assert_null(alarms_first(&a));
    assert_true(alarms_raise(&a, "no-finality", "again", 900000));
    assert_int_equal(alarms_first(&a)->raised, 3);
}

static void an_alarm_ends_when_its_cause_is_gone(void **state) {
    (void)state;
    struct alarms a = {0};
    assert_false(alarms_end(&a, "no-quorum"));
    (void)alarms_raise(&a, "no-quorum", "2 of 5", 1000);
    assert_false(alarms_end(&a, "stalled"));
    assert_true(alarms_end(&a, "no-quorum"));
    assert_null(alarms_first(&a));
    assert_false(alarms_end(&a, "no-quorum"));
    assert_true(alarms_raise(&a, "no-quorum", "2 of 5", 2000));
}

static void what_ails_the_node_itself_stays_and_is_told_first(void **state) {
    (void)state;
    struct alarms a = {0};
    (void)alarms_raise(&a, "safety", "certificates", 1000);
    (void)alarms_raise(&a, "clock-differs", "validator 2", 5000);
    assert_string_equal(alarms_first(&a)->name, "safety");
    assert_string_equal(alarms_pass(&a, 1u << 30), "clock-differs");
    assert_null(alarms_pass(&a, 1u << 30));
    assert_string_equal(alarms_first(&a)->name, "safety");
}

static void a_mild_alarm_steps_back_behind_every_other(void **state) {
    (void)state;
    struct alarms a = {0};
    (void)alarms_raise(&a, "clock-differs", "validator 2", 1000);
    (void)alarms_raise(&a, "chain-ahead", "2 h", 5000);
    assert_string_equal(alarms_first(&a)->name, "clock-differs");
    assert_string_equal(alarms_pass(&a, 1001 + ALARMS_KEPT_MS), "clock-differs");
    assert_string_equal(alarms_first(&a)->name, "chain-ahead");
    assert_int_equal(alarms_first(&a)->weight, ALARM_MILD);
    (void)alarms_raise(&a, "chain-far-ahead", "2 years", 6000);
    assert_int_equal(alarms_first(&a)->weight, ALARM_PASSES);
}

static void more_names_than_places_share_the_last(void **state) {
    (void)state;
    struct alarms a = {0};
    for (unsigned i = 0; i < 2 * ALARMS_MAX; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "a-name-longer-than-its-place-%u", i);
        name[0] = (char)('!' + i);
        (void)alarms_raise(&a, name, "text", i);
    }
    assert_int_equal(a.count, ALARMS_MAX);
    assert_int_equal(a.items[0].name[0], '!');
    assert_int_equal(a.items[ALARMS_MAX - 1].name[0], '!' + 2 * ALARMS_MAX - 1);
}

static void little_room_on_a_disk_is_low_by_its_size(void **state) {
    (void)state;
    assert_false(status_disk_is_low(0, 0)); /* not known */
    assert_true(status_disk_is_low(STATUS_DISK_LOW_BYTES - 1, (uint64_t)1 << 40));
    assert_false(status_disk_is_low(STATUS_DISK_LOW_BYTES, (uint64_t)1 << 40));
    assert_false(status_disk_is_low(4 << 20, 64 << 20));
    assert_true(status_disk_is_low(3 << 20, 64 << 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alarm_passes_when_it_is_not_raised_again),
        cmocka_unit_test(an_alarm_ends_when_its_cause_is_gone),
        cmocka_unit_test(what_ails_the_node_itself_stays_and_is_told_first),
        cmocka_unit_test(a_mild_alarm_steps_back_behind_every_other),
        cmocka_unit_test(more_names_than_places_share_the_last),
        cmocka_unit_test(little_room_on_a_disk_is_low_by_its_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
