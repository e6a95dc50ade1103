#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/voter.h"

static struct consensus_status status_of(const struct voter *f) {
    struct consensus_status status;
    consensus_status(f->core, &status);
    return status;
}

static uint64_t timer_of(const struct voter *f) {
    int i = voter_find(f, EFFECT_SET_TIMER);
    return i >= 0 ? f->effects.items[i].u.at_ms : 0;
}

static void an_idle_view_never_times_out(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_tick(f, 9999);
    assert_false(status_of(f).active);
    assert_false(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void work_a_vote_or_a_proposal_starts_the_timers(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    assert_true(status_of(f).active);
    assert_int_equal(timer_of(f), f->now_ms + 400);
    voter_work(f, false);
    assert_false(status_of(f).active);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    assert_true(status_of(f).active);
    voter_end(f);
    f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    assert_true(status_of(f).active);
    voter_end(f);
}

static void timers_stop_when_everything_is_final(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_true(status_of(f).active); /* notarized, not final */
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_false(status_of(f).active);
    voter_end(f);
}

static void a_heartbeat_is_proposed_by_the_leader_and_awaited_by_others(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 1, NULL, true); /* leads view 1 */
    voter_tick(f, 9999);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    voter_tick(f, 1);
    assert_true(voter_find(f, EFFECT_BUILD) >= 0);
    voter_end(f);
    f = voter_begin(4, 0, NULL, true);
    voter_tick(f, 10000);
    assert_true(status_of(f).active);
    voter_tick(f, 400);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void the_block_of_a_heartbeat_is_no_reason_for_another(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 2, NULL, true); /* leads view 2 */
    voter_tick(f, 10000);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_int_equal(voter_view(f), 2);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1); /* it is about to be final */
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    voter_tick(f, 9999);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    voter_tick(f, 1);
    assert_true(voter_find(f, EFFECT_BUILD) >= 0);
    voter_end(f);
}

static void a_heartbeat_that_does_not_become_final_is_followed_by_a_block(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 2, NULL, true);
    voter_tick(f, 10000);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    voter_tick(f, 199);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    voter_tick(f, 1);
    assert_true(voter_find(f, EFFECT_BUILD) >= 0);
    voter_end(f);
}

static void timeouts_double_up_to_the_cap_and_come_back_after_progress(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(timer_of(f), f->now_ms + 100); /* to help who lacks that */
    voter_tick(f, 100);
    assert_int_equal(timer_of(f), f->now_ms + 700);
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(status_of(f).backoff, 2);
    for (uint64_t v = 3; v < 23; v++) {
        voter_send_certificate(f, v, VOTE_NULLIFY, 0, 0xe);
    }
    voter_tick(f, 9999);
    assert_false(voter_voted(f, VOTE_NULLIFY, 23));
    voter_tick(f, 1);
    assert_true(voter_voted(f, VOTE_NULLIFY, 23));
    voter_send_certificate(f, 23, VOTE_FINALIZE, 0xa7, 0xe);
    voter_block(f, EVENT_BLOCK, 23, 0xa7, 0, 0, BLOCK_VALID);
    assert_int_equal(status_of(f).backoff, 0);
    voter_end(f);
}

static void a_leader_that_was_silent_gets_little_time_until_it_is_heard(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    voter_tick(f, 400); /* leader 1 was silent in view 1 */
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xd);
    for (uint64_t v = 2; v < 5; v++) {
        voter_send_certificate(f, v, VOTE_NULLIFY, 0, 0xd); /* signed by 0, 2, 3 */
    }
    assert_int_equal(voter_view(f), 5); /* 1 leads again */
    voter_tick(f, 10);
    assert_true(voter_voted(f, VOTE_NULLIFY, 5));
    voter_send_vote(f, 1, 5, VOTE_NULLIFY, 0); /* it is back */
    for (uint64_t v = 5; v < 9; v++) {
        voter_send_certificate(f, v, VOTE_NULLIFY, 0, 0xd);
    }
    voter_tick(f, 10);
    assert_false(voter_voted(f, VOTE_NULLIFY, 9));
    voter_end(f);
}

static void a_stalled_view_is_resent_once_a_second_and_no_more(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    voter_tick(f, 400);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_tick(f, 599);
    assert_int_equal(voter_find(f, EFFECT_SEND_VOTE), -1);
    voter_tick(f, 1);
    assert_true(voter_find(f, EFFECT_SEND_VOTE) >= 0);
    voter_tick(f, 500);
    assert_int_equal(voter_find(f, EFFECT_SEND_VOTE), -1);
    voter_tick(f, 500);
    assert_true(voter_find(f, EFFECT_SEND_VOTE) >= 0);
    voter_end(f);
}

/* Whatever was said last, before hours without work, is not said again because there is some now. */
static void work_after_a_quiet_time_is_no_stall(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    voter_tick(f, 5000);
    voter_work(f, true);
    assert_int_equal(voter_find(f, EFFECT_SEND_VOTE), -1);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    for (int ms = 0; ms < 10; ms++) {
        voter_tick(f, 99);
        assert_int_equal(voter_find(f, EFFECT_SEND_VOTE) >= 0, voter_voted(f, VOTE_NULLIFY, 2));
    }
    voter_tick(f, 10);
    assert_true(voter_find(f, EFFECT_SEND_VOTE) >= 0);
    voter_end(f);
}

static void a_view_given_up_before_its_notarization_makes_the_next_longer(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_tick(f, 800);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_int_equal(voter_view(f), 2);
    assert_false(voter_voted(f, VOTE_FINALIZE, 1));
    assert_int_equal(status_of(f).backoff, 1);
    voter_end(f);
}

/* Nothing becomes final, whatever the leaders do; every view ends with a nullification. Gives how long that took. */
static uint64_t fruitless_views(struct voter *f, uint64_t last) {
    uint64_t begin = f->now_ms;
    while (voter_view(f) <= last) {
        uint64_t view = voter_view(f);
        voter_send_vote(f, consensus_leader(view, 4), view, VOTE_NOTARIZE, 0xa1); /* heard, without a proposal */
        for (int wait = 0; wait < 10000 && !voter_voted(f, VOTE_NULLIFY, view); wait++) {
            uint64_t at = timer_of(f);
            voter_tick(f, at > f->now_ms ? at - f->now_ms : 1);
        }
        voter_send_certificate(f, view, VOTE_NULLIFY, 0, 0xe);
        if (voter_view(f) == view) {
            break;
        }
    }
    return f->now_ms - begin;
}

static void views_without_finality_slow_down_beyond_the_cap(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    uint64_t usual = fruitless_views(f, 32);
    assert_true(fruitless_views(f, 64) > 4 * usual);
    assert_true(fruitless_views(f, 96) > 5 * 3600000u); /* and the window holds 256 */
    voter_end(f);
}

static void the_last_views_of_the_window_are_never_nullified(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    for (uint64_t v = 1; v < CONSENSUS_WINDOW - 2; v++) {
        voter_send_certificate(f, v, VOTE_NULLIFY, 0, 0xe);
    }
    uint64_t last = CONSENSUS_WINDOW - 2;
    assert_int_equal(voter_view(f), last);
    voter_tick(f, UINT32_MAX);
    voter_tick(f, UINT32_MAX);
    assert_false(voter_voted(f, VOTE_NULLIFY, last));
    /* Whoever leads it can still end the drought. */
    voter_propose(f, last, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, last, 0xa1, 0, 0, BLOCK_VALID);
    assert_true(voter_voted(f, VOTE_NOTARIZE, last));
    voter_send_certificate(f, last, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_true(voter_voted(f, VOTE_FINALIZE, last));
    voter_send_vote(f, 1, last, VOTE_FINALIZE, 0xa1);
    voter_send_vote(f, 2, last, VOTE_FINALIZE, 0xa1);
    assert_true(voter_find(f, EFFECT_FINALIZE) >= 0);
    voter_end(f);
}

static void votes_in_the_last_place_of_the_window_end_no_view(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    for (uint64_t v = 1; v < CONSENSUS_WINDOW; v++) {
        for (uint16_t i = 1; i < 4; i++) {
            voter_send_vote(f, i, v, VOTE_NULLIFY, 0);
        }
    }
    assert_int_equal(voter_view(f), CONSENSUS_WINDOW - 1);
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_view_never_times_out),
        cmocka_unit_test(work_a_vote_or_a_proposal_starts_the_timers),
        cmocka_unit_test(timers_stop_when_everything_is_final),
        cmocka_unit_test(a_heartbeat_is_proposed_by_the_leader_and_awaited_by_others),
        cmocka_unit_test(the_block_of_a_heartbeat_is_no_reason_for_another),
        cmocka_unit_test(a_heartbeat_that_does_not_become_final_is_followed_by_a_block),
        cmocka_unit_test(timeouts_double_up_to_the_cap_and_come_back_after_progress),
        cmocka_unit_test(a_leader_that_was_silent_gets_little_time_until_it_is_heard),
        cmocka_unit_test(a_stalled_view_is_resent_once_a_second_and_no_more),
        cmocka_unit_test(work_after_a_quiet_time_is_no_stall),
        cmocka_unit_test(a_view_given_up_before_its_notarization_makes_the_next_longer),
        cmocka_unit_test(views_without_finality_slow_down_beyond_the_cap),
        cmocka_unit_test(the_last_views_of_the_window_are_never_nullified),
        cmocka_unit_test(votes_in_the_last_place_of_the_window_end_no_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
