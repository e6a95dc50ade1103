/* Waits that double, within limits. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/backoff.h"

static void waits_double_from_the_least_to_the_most(void **state) {
    static const uint32_t want[] = {200, 400, 800, 1600, 3200, 6400, 10000, 10000};
    uint32_t wait = 0;
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        wait = backoff_next(wait, 200, 10000);
        assert_int_equal(wait, want[i]);
    }
}

static void nothing_overflows(void **state) {
    (void)state;
    assert_int_equal(backoff_next(UINT32_MAX, 1, 10), 10);
    assert_int_equal(backoff_next(UINT32_MAX / 2, 1, UINT32_MAX), UINT32_MAX - 1);
    assert_int_equal(backoff_next(UINT32_MAX - 1, 1, UINT32_MAX), UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_double_from_the_least_to_the_most),
        cmocka_unit_test(nothing_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
