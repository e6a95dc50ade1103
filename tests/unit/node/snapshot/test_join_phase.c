/* Every phase of joining and everything it can come to: where the table leads, and where it does not. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/snapshot/join_phase.h"

static const struct {
    enum join_phase from;
    enum join_step step;
    enum join_phase to;
} moves[] = {
    {JOIN_PHASE_BEGIN, JOIN_STEP_DONE, JOIN_PHASE_ASK},
    {JOIN_PHASE_BEGIN, JOIN_STEP_NEEDLESS, JOIN_PHASE_NEEDLESS},
    {JOIN_PHASE_BEGIN, JOIN_STEP_FAILED, JOIN_PHASE_FAILED},
    {JOIN_PHASE_ASK, JOIN_STEP_DONE, JOIN_PHASE_PROVE},
    {JOIN_PHASE_ASK, JOIN_STEP_NEEDLESS, JOIN_PHASE_NEEDLESS},
    {JOIN_PHASE_ASK, JOIN_STEP_AGAIN, JOIN_PHASE_ASK},
    {JOIN_PHASE_ASK, JOIN_STEP_FAILED, JOIN_PHASE_GAVE_UP},
    {JOIN_PHASE_PROVE, JOIN_STEP_DONE, JOIN_PHASE_WINDOW},
    {JOIN_PHASE_PROVE, JOIN_STEP_AGAIN, JOIN_PHASE_ASK},
    {JOIN_PHASE_PROVE, JOIN_STEP_FAILED, JOIN_PHASE_GAVE_UP},
    {JOIN_PHASE_WINDOW, JOIN_STEP_DONE, JOIN_PHASE_FETCH},
    {JOIN_PHASE_WINDOW, JOIN_STEP_AGAIN, JOIN_PHASE_ASK},
    {JOIN_PHASE_WINDOW, JOIN_STEP_FAILED, JOIN_PHASE_GAVE_UP},
    {JOIN_PHASE_FETCH, JOIN_STEP_DONE, JOIN_PHASE_BUILD},
    {JOIN_PHASE_FETCH, JOIN_STEP_AGAIN, JOIN_PHASE_ASK},
    {JOIN_PHASE_FETCH, JOIN_STEP_FAILED, JOIN_PHASE_GAVE_UP},
    {JOIN_PHASE_BUILD, JOIN_STEP_DONE, JOIN_PHASE_JOINED},
    {JOIN_PHASE_BUILD, JOIN_STEP_AGAIN, JOIN_PHASE_ASK},
    {JOIN_PHASE_BUILD, JOIN_STEP_FAILED, JOIN_PHASE_GAVE_UP},
};

/* 0 and one past the last are walked as well: they are no phases and no steps. */
static void every_cell_is_as_drawn_and_the_others_are_refused(void **state) {
    (void)state;
    for (unsigned from = 0; from <= JOIN_PHASES; from++) {
        for (unsigned step = 0; step <= JOIN_STEPS; step++) {
            unsigned want = 0;
            for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
                want = moves[i].from == from && moves[i].step == step ? moves[i].to : want;
            }
            assert_int_equal(join_phase_after((enum join_phase)from, (enum join_step)step), want);
        }
    }
}

static void what_is_an_end_has_no_next_and_what_is_none_has_one(void **state) {
    (void)state;
    for (enum join_phase phase = JOIN_PHASE_BEGIN; phase < JOIN_PHASES; phase++) {
        assert_int_equal(join_phase_is_end(phase), join_phase_after(phase, JOIN_STEP_DONE) == 0);
        assert_int_equal(join_phase_is_end(phase), join_phase_after(phase, JOIN_STEP_FAILED) == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_is_as_drawn_and_the_others_are_refused),
        cmocka_unit_test(what_is_an_end_has_no_next_and_what_is_none_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
