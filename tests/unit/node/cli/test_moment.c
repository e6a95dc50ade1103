#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/cli/moment.h"

static void a_time_is_told_in_utc(void **state) {
    (void)state;
    char text[MOMENT_MAX];
    moment_text(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    moment_text(UINT64_C(1700000000999), text);
    assert_string_equal(text, "2023-11-14T22:13:20Z");
    moment_text(UINT64_C(253402300799999), text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    moment_text(UINT64_C(253402300800000), text);
    assert_string_equal(text, "253402300800000 ms");
    moment_text(UINT64_MAX, text);
    assert_string_equal(text, "18446744073709551615 ms");
}

static void an_age_is_told_in_its_largest_unit_of_two(void **state) {
    (void)state;
    static const struct {
        uint64_t ms;
        const char *text;
    } cases[] = {{0, "0 s"},
                 {999, "0 s"},
                 {119999, "119 s"},
                 {120000, "2 min"},
                 {7199999, "119 min"},
                 {7200000, "2 h"},
                 {172799999, "47 h"},
                 {172800000, "2 days"},
                 {8640000000, "100 days"},
                 {UINT64_MAX, "213503982334 days"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[MOMENT_MAX];
        moment_age_text(cases[i].ms, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void what_is_ahead_has_no_age(void **state) {
    (void)state;
    assert_int_equal(moment_age_ms(UINT64_MAX), 0);
    assert_true(moment_age_ms(0) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_told_in_utc),
        cmocka_unit_test(an_age_is_told_in_its_largest_unit_of_two),
        cmocka_unit_test(what_is_ahead_has_no_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
