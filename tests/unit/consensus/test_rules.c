#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/voter.h"

/* Validator 0 of 4: leader of views 4, 8, ...; quorum 3. Others are 1, 2, 3; leader of view 1 is 1. */
static struct voter *four(void) {
    return voter_begin(4, 0, NULL, true);
}

static void valid(struct voter *f, uint64_t view, uint8_t block, uint8_t parent, uint64_t parent_view) {
    voter_block(f, EVENT_BLOCK, view, block, parent, parent_view, BLOCK_VALID);
}

/* Brings view 1 to its end with block 0xa1 notarized by 1, 2, 3. */
static void notarize_view_1(struct voter *f) {
    voter_propose(f, 1, 0xa1, 0);
    valid(f, 1, 0xa1, 0, 0);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
}

static void rule_1_a_notarization_or_nullification_opens_the_next_view(void **state) {
    (void)state;
    struct voter *f = four();
    assert_int_equal(voter_view(f), 1);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(voter_view(f), 2);
    voter_send_certificate(f, 5, VOTE_NOTARIZE, 0xb5, 0xe);
    assert_int_equal(voter_view(f), 6);
    voter_send_certificate(f, 3, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(voter_view(f), 6); /* never back */
    voter_end(f);
}

static void rule_1_a_finalization_of_an_earlier_view_opens_the_view_after_it(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 7, VOTE_FINALIZE, 0xb7, 0xe);
    assert_int_equal(voter_view(f), 8);
    voter_end(f);
}

static void rule_2_the_leader_proposes_once_on_the_highest_notarized_block(void **state) {
    (void)state;
    struct voter *f = four();
    notarize_view_1(f);
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    voter_send_certificate(f, 3, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(voter_view(f), 4);
    voter_work(f, true);
    int build = voter_find(f, EFFECT_BUILD);
    assert_true(build >= 0);
    assert_int_equal(f->effects.items[build].u.block.hash[0], 0xa1);
    voter_block(f, EVENT_BUILT, 4, 0xd4, 0xa1, 1, BLOCK_VALID);
    int journaled = voter_find(f, EFFECT_JOURNAL_PROPOSAL);
    int sent = voter_find(f, EFFECT_SEND_PROPOSAL);
    assert_true(journaled >= 0 && sent > journaled);
    assert_true(voter_find(f, EFFECT_JOURNAL_BODY) >= 0);
    assert_int_equal(f->effects.items[sent].u.vote.count, 3); /* notarization of 1, nullifications of 2 and 3 */
    assert_true(voter_voted(f, VOTE_NOTARIZE, 4));
    voter_block(f, EVENT_BUILT, 4, 0xd5, 0xa1, 1, BLOCK_VALID); /* a second block of the same view */
    assert_int_equal(voter_find(f, EFFECT_SEND_PROPOSAL), -1);
    voter_end(f);
}

static void rule_2_a_leader_that_lacks_a_nullification_asks_for_it(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 3, VOTE_NULLIFY, 0, 0xe); /* views 1 and 2 are not known */
    assert_int_equal(voter_view(f), 4);
    voter_work(f, true);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    int ask = voter_find(f, EFFECT_SEND_ASK_CERTIFICATES);
    assert_true(ask >= 0);
    assert_int_equal(f->effects.items[ask].u.last, 2);
    voter_end(f);
}

static void rule_3_a_valid_proposal_is_notarized_after_body_and_vote_are_journaled(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    assert_true(voter_find(f, EFFECT_EXECUTE) >= 0);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    valid(f, 1, 0xa1, 0, 0);
    assert_true(voter_voted(f, VOTE_NOTARIZE, 1));
    assert_true(voter_find(f, EFFECT_JOURNAL_BODY) < voter_find(f, EFFECT_SEND_VOTE));
    voter_end(f);
}

static void rule_3_only_the_first_proposal_of_a_view_is_notarized(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    voter_propose(f, 1, 0xa2, 0);
    int alarm = voter_find(f, EFFECT_ALARM);
    assert_true(alarm >= 0);
    assert_int_equal(f->effects.items[alarm].u.alarm, ALARM_EQUIVOCATION);
    valid(f, 1, 0xa2, 0, 0);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    valid(f, 1, 0xa1, 0, 0);
    assert_true(voter_voted(f, VOTE_NOTARIZE, 1));
    voter_end(f);
}

static void rule_3_no_notarize_after_a_nullify_of_the_same_view(void **state) {
    (void)state;
    struct voter *f = four();
    voter_work(f, true);
    voter_tick(f, 400);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_propose(f, 1, 0xa1, 0);
    valid(f, 1, 0xa1, 0, 0);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    voter_end(f);
}

static void rule_3_ancestry_must_be_proven(void **state) {
    (void)state;
    struct voter *f = four();
    notarize_view_1(f);
    voter_send_certificate(f, 4, VOTE_NULLIFY, 0, 0xe); /* enters view 5; 2 and 3 are not known */
    voter_propose(f, 5, 0xe5, 0xa1);
    valid(f, 5, 0xe5, 0xa1, 1);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 5));
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 5));
    voter_send_certificate(f, 3, VOTE_NULLIFY, 0, 0xe);
    assert_true(voter_voted(f, VOTE_NOTARIZE, 5));
    voter_end(f);
}

static void rule_3_a_parent_below_the_last_final_block_is_refused(void **state) {
    (void)state;
    struct voter *f = four();
    notarize_view_1(f);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_true(voter_find(f, EFFECT_FINALIZE) >= 0);
    voter_propose(f, 2, 0xb2, 0); /* on genesis */
    assert_true(voter_voted(f, VOTE_NULLIFY, 2));
    voter_end(f);
}

static void rule_3_an_untimely_block_is_not_notarized_and_not_nullified_at_once(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_UNTIMELY);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    assert_false(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void rule_4_a_silent_leader_is_nullified_at_the_leader_timeout(void **state) {
    (void)state;
    struct voter *f = four();
    voter_work(f, true);
    voter_tick(f, 399);
    assert_false(voter_voted(f, VOTE_NULLIFY, 1));
    voter_tick(f, 1);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void rule_4_a_view_without_notarization_is_nullified_even_after_an_own_notarize(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    valid(f, 1, 0xa1, 0, 0);
    voter_tick(f, 799);
    assert_false(voter_voted(f, VOTE_NULLIFY, 1));
    voter_tick(f, 1);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void rule_4_an_invalid_proposal_is_nullified_at_once(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_INVALID);
    assert_true(voter_voted(f, VOTE_NULLIFY, 1));
    voter_end(f);
}

static void rule_5_a_notarization_is_followed_by_a_finalize_and_told_to_whom_it_helps(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    valid(f, 1, 0xa1, 0, 0);
    voter_send_vote(f, 1, 1, VOTE_NOTARIZE, 0xa1);
    assert_int_equal(voter_view(f), 1);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa1);
    assert_int_equal(voter_view(f), 2);
    assert_true(voter_voted(f, VOTE_FINALIZE, 1));
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1); /* the votes went to everybody */
    voter_send_vote(f, 1, 1, VOTE_FINALIZE, 0xa1);                /* 1 has left view 1 as well */
    voter_tick(f, 99);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_tick(f, 1);
    assert_false(voter_told(f, 1, 1));
    assert_true(voter_told(f, 2, 1));
    assert_true(voter_told(f, 3, 1));
    voter_tick(f, 100);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1); /* once */
    voter_end(f);
}

static void rule_5_no_finalize_after_an_own_nullify(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    valid(f, 1, 0xa1, 0, 0);
    voter_tick(f, 800);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_int_equal(voter_view(f), 2);
    assert_false(voter_voted(f, VOTE_FINALIZE, 1));
    voter_end(f);
}

static void rule_5_no_finalize_when_the_leader_equivocated(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    voter_propose(f, 1, 0xa2, 0);
    valid(f, 1, 0xa1, 0, 0);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_false(voter_voted(f, VOTE_FINALIZE, 1));
    voter_end(f);
}

static void rule_5_no_finalize_before_every_body_is_here(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_false(voter_voted(f, VOTE_FINALIZE, 1));
    assert_true(voter_find(f, EFFECT_EXECUTE) >= 0);
    valid(f, 1, 0xa1, 0, 0);
    assert_true(voter_voted(f, VOTE_FINALIZE, 1));
    assert_true(voter_find(f, EFFECT_JOURNAL_BODY) >= 0);
    voter_end(f);
}

/* The notarization of an ancestor may never have come here; its descendant's does for both. (Found by the simulator:
 * such a node never finalized again.) */
static void rule_5_an_ancestor_whose_notarization_never_came_does_not_hold_finality_up(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 2, VOTE_NOTARIZE, 0xb2, 0xe);
    valid(f, 2, 0xb2, 0xa1, 1);
    assert_false(voter_voted(f, VOTE_FINALIZE, 2));
    valid(f, 1, 0xa1, 0, 0);
    assert_true(voter_voted(f, VOTE_FINALIZE, 2));
    voter_end(f);
}

static void rule_6_a_nullification_is_told_to_whom_it_helps(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_vote(f, 1, 1, VOTE_NULLIFY, 0);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    assert_int_equal(voter_view(f), 1);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    assert_int_equal(voter_view(f), 2);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_work(f, true);
    voter_propose(f, 2, 0xa2, 0); /* by 2 */
    voter_tick(f, 100);
    assert_true(voter_told(f, 1, 1));
    assert_false(voter_told(f, 2, 1));
    assert_true(voter_told(f, 3, 1));
    voter_end(f);
}

/* All is final and nothing to do: nobody needs to be in the next view, until there is work. */
static void who_lacks_a_view_without_work_is_told_when_there_is_some(void **state) {
    (void)state;
    struct voter *f = four();
    notarize_view_1(f);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0x7);
    voter_tick(f, 5000);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_work(f, true);
    voter_tick(f, 99);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_tick(f, 1);
    assert_true(voter_told(f, 3, 1));
    assert_false(voter_told(f, 1, 1));
    voter_end(f);
}

static void rule_7_finalize_votes_of_an_old_view_count(void **state) {
    (void)state;
    struct voter *f = four();
    notarize_view_1(f);
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    voter_send_vote(f, 1, 1, VOTE_FINALIZE, 0xa1);
    assert_int_equal(voter_find(f, EFFECT_FINALIZE), -1);
    voter_send_vote(f, 2, 1, VOTE_FINALIZE, 0xa1);
    int final = voter_find(f, EFFECT_FINALIZE);
    assert_true(final >= 0);
    assert_int_equal(f->effects.items[final].u.block.hash[0], 0xa1);
    voter_end(f);
}

static void rule_7_a_final_block_that_executes_to_something_else_is_divergence(void **state) {
    (void)state;
    struct voter *f = four();
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_INVALID);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_true(voter_find(f, EFFECT_DIVERGED) >= 0);
    assert_int_equal(voter_find(f, EFFECT_FINALIZE), -1);
    voter_end(f);
}

static void a_vote_is_verified_once(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_vote(f, 1, 1, VOTE_NULLIFY, 0);
    uint64_t before = f->signatures;
    voter_send_vote(f, 1, 1, VOTE_NULLIFY, 0);
    assert_int_equal(f->signatures, before);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe); /* two of three are new */
    assert_int_equal(f->signatures, before + 2);
    voter_end(f);
}

static void bad_signatures_and_far_views_are_dropped(void **state) {
    (void)state;
    struct voter *f = four();
    struct consensus_event event = {.kind = EVENT_VOTE, .from = 1};
    event.u.vote = voter_vote(f, 1, 1, VOTE_NULLIFY, 0);
    event.u.vote.signer = 2; /* signed by another */
    voter_step(f, event);
    uint64_t before = f->signatures;
    voter_send_vote(f, 1, 1 + CONSENSUS_AHEAD + 1, VOTE_NULLIFY, 0);
    voter_send_vote(f, 1, UINT64_MAX, VOTE_NULLIFY, 0);
    assert_int_equal(f->signatures, before);
    voter_send_vote(f, 1, 1, VOTE_NULLIFY, 0);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    assert_int_equal(voter_view(f), 1); /* 2's did not count */
    uint8_t bytes[CERTIFICATE_MAX];
    event = (struct consensus_event){.kind = EVENT_CERTIFICATE, .from = 1};
    event.u.certificate = bytes_of(bytes, voter_certificate(f, 1, VOTE_NULLIFY, 0, 0xe, bytes));
    bytes[event.u.certificate.len - 1] ^= 1;
    voter_step(f, event);
    assert_int_equal(voter_view(f), 1);
    voter_end(f);
}

static void a_finalization_beyond_the_window_asks_for_catch_up(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 100000, VOTE_FINALIZE, 0xf0, 0xe);
    assert_true(voter_find(f, EFFECT_BEHIND) >= 0);
    assert_int_equal(voter_view(f), 1);
    struct consensus_event synced = {.kind = EVENT_SYNCED};
    synced.u.synced.view = 100000;
    voter_step(f, synced);
    assert_int_equal(voter_view(f), 100001);
    voter_end(f);
}

static void contradicting_certificates_raise_the_safety_alarm(void **state) {
    (void)state;
    struct voter *f = four();
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    int alarm = voter_find(f, EFFECT_ALARM);
    bool found = false;
    for (; alarm >= 0 && (size_t)alarm < f->effects.count; alarm++) {
        found =
            found || (f->effects.items[alarm].kind == EFFECT_ALARM && f->effects.items[alarm].u.alarm == ALARM_SAFETY);
    }
    assert_true(found);
    voter_end(f);
}

static void a_single_validator_finalizes_by_itself(void **state) {
    (void)state;
    struct voter *f = voter_begin(1, 0, NULL, false);
    voter_work(f, true);
    assert_true(voter_find(f, EFFECT_BUILD) >= 0);
    voter_block(f, EVENT_BUILT, 1, 0xa1, 0, 0, BLOCK_VALID);
    assert_true(voter_find(f, EFFECT_FINALIZE) >= 0);
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_1_a_notarization_or_nullification_opens_the_next_view),
        cmocka_unit_test(rule_1_a_finalization_of_an_earlier_view_opens_the_view_after_it),
        cmocka_unit_test(rule_2_the_leader_proposes_once_on_the_highest_notarized_block),
        cmocka_unit_test(rule_2_a_leader_that_lacks_a_nullification_asks_for_it),
        cmocka_unit_test(rule_3_a_valid_proposal_is_notarized_after_body_and_vote_are_journaled),
        cmocka_unit_test(rule_3_only_the_first_proposal_of_a_view_is_notarized),
        cmocka_unit_test(rule_3_no_notarize_after_a_nullify_of_the_same_view),
        cmocka_unit_test(rule_3_ancestry_must_be_proven),
        cmocka_unit_test(rule_3_a_parent_below_the_last_final_block_is_refused),
        cmocka_unit_test(rule_3_an_untimely_block_is_not_notarized_and_not_nullified_at_once),
        cmocka_unit_test(rule_4_a_silent_leader_is_nullified_at_the_leader_timeout),
        cmocka_unit_test(rule_4_a_view_without_notarization_is_nullified_even_after_an_own_notarize),
        cmocka_unit_test(rule_4_an_invalid_proposal_is_nullified_at_once),
        cmocka_unit_test(rule_5_a_notarization_is_followed_by_a_finalize_and_told_to_whom_it_helps),
        cmocka_unit_test(rule_5_no_finalize_after_an_own_nullify),
        cmocka_unit_test(rule_5_no_finalize_when_the_leader_equivocated),
        cmocka_unit_test(rule_5_no_finalize_before_every_body_is_here),
        cmocka_unit_test(rule_5_an_ancestor_whose_notarization_never_came_does_not_hold_finality_up),
        cmocka_unit_test(rule_6_a_nullification_is_told_to_whom_it_helps),
        cmocka_unit_test(who_lacks_a_view_without_work_is_told_when_there_is_some),
        cmocka_unit_test(rule_7_finalize_votes_of_an_old_view_count),
        cmocka_unit_test(rule_7_a_final_block_that_executes_to_something_else_is_divergence),
        cmocka_unit_test(a_vote_is_verified_once),
        cmocka_unit_test(bad_signatures_and_far_views_are_dropped),
        cmocka_unit_test(a_finalization_beyond_the_window_asks_for_catch_up),
        cmocka_unit_test(contradicting_certificates_raise_the_safety_alarm),
        cmocka_unit_test(a_single_validator_finalizes_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
