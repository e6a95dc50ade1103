#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/budget.h"

static unsigned spend_all(struct budget *b, uint64_t now_ms) {
    unsigned count = 0;
    while (budget_spend(b, 8, 250, now_ms)) {
        count++;
    }
    return count;
}

static void a_full_budget_is_spent_at_once_and_comes_back_with_time(void **state) {
    (void)state;
    struct budget b = {0};
    assert_int_equal(spend_all(&b, 100000), 8);
    assert_int_equal(spend_all(&b, 100249), 0);
    assert_int_equal(spend_all(&b, 100250), 1);
    assert_int_equal(spend_all(&b, 101000), 3);
    assert_int_equal(spend_all(&b, 200000), 8); /* and no more */
}

/* Who asks each 499 ms has what two periods of 250 ms are worth, but for a millisecond. */
static void time_that_was_not_used_up_is_kept(void **state) {
    (void)state;
    struct budget b = {0};
    unsigned count = 0;
    (void)spend_all(&b, 100000);
    for (uint64_t i = 1; i <= 1000; i++) {
        count += spend_all(&b, 100000 + 499 * i);
    }
    assert_int_equal(count, 499 * 1000 / 250);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_budget_is_spent_at_once_and_comes_back_with_time),
        cmocka_unit_test(time_that_was_not_used_up_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
