#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/net/replay_window.h"

static void the_window_agrees_with_a_plain_list(void **state) {
    (void)state;
    struct replay_window w = {0};
    static bool seen[40000];
    uint64_t highest = 0;
    uint32_t seed = 12345;
    for (int i = 0; i < 40000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint64_t jump = (seed >> 8) % 50 == 0 ? (seed >> 16) % 3000 : (seed >> 16) % 3;
        uint64_t back = (seed >> 20) % 2500;
        uint64_t behind = highest > back ? highest - back : 0;
        uint64_t counter = (seed & 64) != 0 ? highest + jump : behind;
        if (counter >= sizeof seen) {
            break;
        }
        bool fresh = replay_window_fresh(&w, counter);
        if (counter + (REPLAY_WINDOW - 64) >= highest) {
            assert_int_equal(fresh, !seen[counter]);
        }
        if (counter + REPLAY_WINDOW <= highest) {
            assert_false(fresh);
        }
        if (fresh) {
            assert_false(seen[counter]);
            replay_window_mark(&w, counter);
            seen[counter] = true;
            highest = counter > highest ? counter : highest;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
