#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/ledger_time.h"

#include <string.h>

#define ALLOWED_MS 2000
#define HOUR_MS UINT64_C(3600000)

static void the_later_of_clock_and_block_is_the_time(void **state) {
    (void)state;
    assert_int_equal(ledger_time_now(5000, 4000), 5000); /* the chain rests */
    assert_int_equal(ledger_time_now(4000, 5000), 5000); /* clocks were once ahead */
    assert_int_equal(ledger_time_ahead(5000, 4000), 0);
    assert_int_equal(ledger_time_ahead(5000, 5000), 0);
    assert_int_equal(ledger_time_ahead(4000, 5000), 1000);
}

static void a_block_ahead_of_the_clock_is_an_alarm_that_says_by_how_much(void **state) {
    (void)state;
    static const struct {
        uint64_t ahead_ms;
        const char *name, *text;
    } cases[] = {
        {ALLOWED_MS + 1, "chain-ahead", "is 2 s ahead"},
        {61000, "chain-ahead", "is 1 min 1 s ahead"},
        {2 * HOUR_MS - 1, "chain-ahead", "is 1 h 59 min ahead"},
        {24 * HOUR_MS, "chain-ahead", "is 1 days 0 h ahead"},
        {24 * HOUR_MS + 1, "chain-far-ahead", "is 1 days 0 h ahead"},
        {24 * HOUR_MS * 800, "chain-far-ahead", "is 2 years 70 days ahead"},
        {UINT64_MAX, "chain-far-ahead", "years"},
    };
    char text[LEDGER_TIME_TEXT_MAX];
    assert_null(ledger_time_alarm(0, 0, text));
    assert_null(ledger_time_alarm(ALLOWED_MS, ALLOWED_MS, text));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(ledger_time_alarm(cases[i].ahead_ms, ALLOWED_MS, text), cases[i].name);
        assert_non_null(strstr(text, cases[i].text));
        assert_true(strlen(text) < LEDGER_TIME_TEXT_MAX - 1);
    }
}

static void what_is_made_now_expires_as_the_organisations_allow(void **state) {
    (void)state;
    assert_int_equal(ledger_time_expiry(1000, 24 * 3600000), 1000 + 600000);
    assert_int_equal(ledger_time_expiry(1000, 600000), 1000 + 600000);
    assert_int_equal(ledger_time_expiry(1000, 60000), 1000 + 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_made_now_expires_as_the_organisations_allow),
        cmocka_unit_test(the_later_of_clock_and_block_is_the_time),
        cmocka_unit_test(a_block_ahead_of_the_clock_is_an_alarm_that_says_by_how_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
