#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/consensus/fixture.h"

static struct consensus_status status_of(const struct fixture *f) {
    struct consensus_status status;
    consensus_status(f->core, &status);
    return status;
}

static uint64_t timer_of(const struct fixture *f) {
    int i = fixture_find(f, EFFECT_SET_TIMER);
    return i >= 0 ? f->effects.items[i].u.at_ms : 0;
}

static void an_idle_view_never_times_out(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_tick(f, 9999);
    assert_false(status_of(f).active);
    assert_false(fixture_voted(f, VOTE_NULLIFY, 1));
    fixture_end(f);
}

static void work_a_vote_or_a_proposal_starts_the_timers(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_work(f, true);
    assert_true(status_of(f).active);
    assert_int_equal(timer_of(f), f->now_ms + 400);
    fixture_work(f, false);
    assert_false(status_of(f).active);
    fixture_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    assert_true(status_of(f).active);
    fixture_end(f);
    f = fixture_begin(4, 0, NULL, true);
    fixture_propose(f, 1, 0xa1, 0);
    assert_true(status_of(f).active);
    fixture_end(f);
}

static void timers_stop_when_everything_is_final(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_propose(f, 1, 0xa1, 0);
    fixture_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    fixture_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_true(status_of(f).active); /* notarized, not final */
    fixture_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_false(status_of(f).active);
    fixture_end(f);
}

static void a_heartbeat_is_proposed_by_the_leader_and_awaited_by_others(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 1, NULL, true); /* leads view 1 */
    fixture_tick(f, 9999);
    assert_int_equal(fixture_find(f, EFFECT_BUILD), -1);
    fixture_tick(f, 1);
    assert_true(fixture_find(f, EFFECT_BUILD) >= 0);
    fixture_end(f);
    f = fixture_begin(4, 0, NULL, true);
    fixture_tick(f, 10000);
    assert_true(status_of(f).active);
    fixture_tick(f, 400);
    assert_true(fixture_voted(f, VOTE_NULLIFY, 1));
    fixture_end(f);
}

static void timeouts_double_up_to_the_cap_and_come_back_after_progress(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_work(f, true);
    fixture_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(timer_of(f), f->now_ms + 800);
    fixture_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(status_of(f).backoff, 2);
    for (uint64_t v = 3; v < 23; v++) {
        fixture_send_certificate(f, v, VOTE_NULLIFY, 0, 0xe);
    }
    fixture_tick(f, 9999);
    assert_false(fixture_voted(f, VOTE_NULLIFY, 23));
    fixture_tick(f, 1);
    assert_true(fixture_voted(f, VOTE_NULLIFY, 23));
    fixture_send_certificate(f, 23, VOTE_FINALIZE, 0xa7, 0xe);
    fixture_block(f, EVENT_BLOCK, 23, 0xa7, 0, 0, BLOCK_VALID);
    assert_int_equal(status_of(f).backoff, 0);
    fixture_end(f);
}

static void a_leader_that_was_silent_gets_little_time_until_it_is_heard(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_work(f, true);
    fixture_tick(f, 400); /* leader 1 was silent in view 1 */
    fixture_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xd);
    for (uint64_t v = 2; v < 5; v++) {
        fixture_send_certificate(f, v, VOTE_NULLIFY, 0, 0xd); /* signed by 0, 2, 3 */
    }
    assert_int_equal(fixture_view(f), 5); /* 1 leads again */
    fixture_tick(f, 10);
    assert_true(fixture_voted(f, VOTE_NULLIFY, 5));
    fixture_send_vote(f, 1, 5, VOTE_NULLIFY, 0); /* it is back */
    for (uint64_t v = 5; v < 9; v++) {
        fixture_send_certificate(f, v, VOTE_NULLIFY, 0, 0xd);
    }
    fixture_tick(f, 10);
    assert_false(fixture_voted(f, VOTE_NULLIFY, 9));
    fixture_end(f);
}

static void a_stalled_view_is_resent_once_a_second_and_no_more(void **state) {
    (void)state;
    struct fixture *f = fixture_begin(4, 0, NULL, true);
    fixture_work(f, true);
    fixture_tick(f, 400);
    assert_true(fixture_voted(f, VOTE_NULLIFY, 1));
    fixture_tick(f, 599);
    assert_int_equal(fixture_find(f, EFFECT_SEND_VOTE), -1);
    fixture_tick(f, 1);
    assert_true(fixture_find(f, EFFECT_SEND_VOTE) >= 0);
    fixture_tick(f, 500);
    assert_int_equal(fixture_find(f, EFFECT_SEND_VOTE), -1);
    fixture_tick(f, 500);
    assert_true(fixture_find(f, EFFECT_SEND_VOTE) >= 0);
    fixture_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_view_never_times_out),
        cmocka_unit_test(work_a_vote_or_a_proposal_starts_the_timers),
        cmocka_unit_test(timers_stop_when_everything_is_final),
        cmocka_unit_test(a_heartbeat_is_proposed_by_the_leader_and_awaited_by_others),
        cmocka_unit_test(timeouts_double_up_to_the_cap_and_come_back_after_progress),
        cmocka_unit_test(a_leader_that_was_silent_gets_little_time_until_it_is_heard),
        cmocka_unit_test(a_stalled_view_is_resent_once_a_second_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
