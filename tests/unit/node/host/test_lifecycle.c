/* Every state of a daemon's life and every event: where the table leads, and where it does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/host/lifecycle.h"

static const struct {
    enum lifecycle_state from;
    enum lifecycle_event event;
    enum lifecycle_state to;
} moves[] = {
    {LIFECYCLE_OPENING, LIFECYCLE_OPENED, LIFECYCLE_STARTING},
    {LIFECYCLE_OPENING, LIFECYCLE_FAULT, LIFECYCLE_REFUSED},
    {LIFECYCLE_STARTING, LIFECYCLE_JOINS, LIFECYCLE_JOINING},
    {LIFECYCLE_STARTING, LIFECYCLE_SERVES, LIFECYCLE_READY},
    {LIFECYCLE_STARTING, LIFECYCLE_FAULT, LIFECYCLE_FAILING},
    {LIFECYCLE_JOINING, LIFECYCLE_JOINED, LIFECYCLE_STARTING},
    {LIFECYCLE_JOINING, LIFECYCLE_FAULT, LIFECYCLE_FAILING},
    {LIFECYCLE_READY, LIFECYCLE_TOLD_TO_STOP, LIFECYCLE_STOPPING},
    {LIFECYCLE_READY, LIFECYCLE_FAULT, LIFECYCLE_FAILING},
    {LIFECYCLE_STOPPING, LIFECYCLE_TOLD_TO_STOP, LIFECYCLE_STOPPING},
    {LIFECYCLE_STOPPING, LIFECYCLE_FAULT, LIFECYCLE_FAILING},
    {LIFECYCLE_STOPPING, LIFECYCLE_ENDED, LIFECYCLE_STOPPED},
    {LIFECYCLE_FAILING, LIFECYCLE_TOLD_TO_STOP, LIFECYCLE_FAILING},
    {LIFECYCLE_FAILING, LIFECYCLE_FAULT, LIFECYCLE_FAILING},
    {LIFECYCLE_FAILING, LIFECYCLE_ENDED, LIFECYCLE_FAILED},
};

/* 0 and one past the last are walked as well: they are no states and no events. */
static void every_cell_is_as_drawn_and_the_others_are_refused(void **state) {
    (void)state;
    for (unsigned from = 0; from <= LIFECYCLE_STATES; from++) {
        for (unsigned event = 0; event <= LIFECYCLE_EVENTS; event++) {
            unsigned want = 0;
            for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
                want = moves[i].from == from && moves[i].event == event ? moves[i].to : want;
            }
            assert_int_equal(lifecycle_after((enum lifecycle_state)from, (enum lifecycle_event)event), want);
        }
    }
}

static void work_is_taken_until_it_ends_and_nothing_follows_the_end(void **state) {
    static const bool ends[LIFECYCLE_STATES] = {[LIFECYCLE_STOPPING] = true, [LIFECYCLE_FAILING] = true},
                      over[LIFECYCLE_STATES] = {
                          [LIFECYCLE_STOPPED] = true, [LIFECYCLE_FAILED] = true, [LIFECYCLE_REFUSED] = true};
    (void)state;
    for (enum lifecycle_state at = LIFECYCLE_OPENING; at < LIFECYCLE_STATES; at++) {
        const struct lifecycle life = {at};
        assert_int_equal(lifecycle_takes_work(&life), !ends[at] && !over[at]);
        assert_int_equal(lifecycle_is_over(&life), over[at]);
        for (enum lifecycle_event event = LIFECYCLE_OPENED; over[at] && event < LIFECYCLE_EVENTS; event++) {
            assert_int_equal(lifecycle_after(at, event), 0);
        }
    }
}

static void what_failed_before_the_home_was_open_is_about_the_home(void **state) {
    struct lifecycle life = LIFECYCLE_INIT;
    (void)state;
    lifecycle_move(&life, LIFECYCLE_FAULT);
    assert_int_equal(lifecycle_part(&life), EXIT_STATUS_HOME);
    life = LIFECYCLE_INIT;
    lifecycle_move(&life, LIFECYCLE_OPENED);
    lifecycle_move(&life, LIFECYCLE_FAULT);
    assert_int_equal(lifecycle_part(&life), EXIT_STATUS_NODE);
    lifecycle_move(&life, LIFECYCLE_ENDED);
    assert_int_equal(lifecycle_part(&life), EXIT_STATUS_NODE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_drawn_and_the_others_are_refused),
        cmocka_unit_test(work_is_taken_until_it_ends_and_nothing_follows_the_end),
        cmocka_unit_test(what_failed_before_the_home_was_open_is_about_the_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
