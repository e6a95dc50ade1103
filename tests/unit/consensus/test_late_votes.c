/* Votes beyond their quorum: kept, and checked only when they matter after all. Validator 0 of 4, quorum 3. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/voter.h"

/* View 1 has a notarization of block 0xa1 by 1 and 2 and this validator; the vote of 3 is to come. */
static struct voter *notarized(void) {
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_vote(f, 1, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa1);
    assert_int_equal(voter_view(f), 2);
    return f;
}

/* The vote of `signer`, as `from` sends it, with a signature that is good or not. */
static void send(struct voter *f, uint16_t from, uint16_t signer, uint64_t view, enum vote_kind kind, uint8_t block,
                 bool good) {
    struct consensus_event event = {.kind = EVENT_VOTE, .from = from};
    event.u.vote = voter_vote(f, signer, view, kind, block);
    event.u.vote.signature[0] ^= good ? 0 : 1;
    voter_step(f, event);
}

/* What is `peer` told of its own votes of that kind? The view, 0 when there is none. */
static uint64_t recalled(struct voter *f, uint16_t peer, enum vote_kind kind) {
    voter_step(f, (struct consensus_event){.kind = EVENT_ASK_RECALL, .from = peer});
    int at = voter_find(f, EFFECT_SEND_RECALL);
    assert_true(at >= 0);
    for (size_t i = 0; i < f->effects.items[at].u.recall.count; i++) {
        const struct consensus_vote *vote = &f->effects.items[at].u.recall.votes[i];
        if (vote->subject.kind == kind) {
            uint8_t message[VOTE_SIGNED_LEN];
            vote_signed_bytes(f->chain_id, &vote->subject, message);
            assert_true(voter_verify(f->keys[vote->signer], message, sizeof message, vote->signature));
            return vote->subject.view;
        }
    }
    return 0;
}

static bool accuses(const struct voter *f, uint16_t signer) {
    int at = voter_find(f, EFFECT_EVIDENCE);
    if (at < 0) {
        return false;
    }
    const struct consensus_vote *both[] = {&f->effects.items[at].u.evidence.first,
                                           &f->effects.items[at].u.evidence.second};
    for (size_t i = 0; i < 2; i++) {
        uint8_t message[VOTE_SIGNED_LEN];
        vote_signed_bytes(f->chain_id, &both[i]->subject, message);
        assert_int_equal(both[i]->signer, signer);
        assert_true(voter_verify(f->keys[signer], message, sizeof message, both[i]->signature));
    }
    return true;
}

static void a_vote_beyond_the_quorum_costs_no_check(void **state) {
    (void)state;
    struct voter *f = notarized();
    uint64_t before = f->signatures;
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    assert_int_equal(f->signatures, before);
    voter_end(f);
}

static void a_vote_of_a_quorum_is_checked(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    send(f, 1, 1, 1, VOTE_NULLIFY, 0, true);
    send(f, 2, 2, 1, VOTE_NULLIFY, 0, true);
    send(f, 3, 3, 1, VOTE_NULLIFY, 0, false);
    assert_int_equal(voter_view(f), 1);
    voter_end(f);
}

static void a_late_vote_is_told_to_its_signer_once_it_is_checked(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    uint64_t before = f->signatures;
    assert_int_equal(recalled(f, 3, VOTE_NOTARIZE), 1);
    assert_int_equal(f->signatures, before + 2); /* here and by the test */
    assert_int_equal(recalled(f, 3, VOTE_NOTARIZE), 1);
    assert_int_equal(f->signatures, before + 3); /* once */
    voter_end(f);
}

/* Also when its view is long over. */
static void a_late_vote_outlives_its_view(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0x6 | 0x1);
    voter_propose(f, 2, 0xa2, 0xa1);
    voter_block(f, EVENT_BLOCK, 2, 0xa2, 0xa1, 1, BLOCK_VALID);
    voter_send_certificate(f, 2, VOTE_FINALIZE, 0xa2, 0x6 | 0x1);
    struct consensus_status status;
    consensus_status(f->core, &status);
    assert_int_equal(status.final_view, 2);
    assert_int_equal(recalled(f, 3, VOTE_NOTARIZE), 1);
    voter_end(f);
}

static void a_bad_late_vote_hides_no_good_one_of_before(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0x7);
    send(f, 3, 3, 2, VOTE_NULLIFY, 0, false);
    assert_int_equal(recalled(f, 3, VOTE_NULLIFY), 1);
    voter_end(f);
}

/* Anybody else could put something false where the signer's own late votes are remembered. */
static void what_another_says_of_a_late_vote_is_checked(void **state) {
    (void)state;
    struct voter *f = notarized();
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, true);
    voter_send_certificate(f, 2, VOTE_NOTARIZE, 0xa2, 0x7);
    send(f, 2, 3, 2, VOTE_NOTARIZE, 0xa2, false);
    assert_int_equal(recalled(f, 3, VOTE_NOTARIZE), 1);
    voter_end(f);
}

static void a_good_vote_takes_the_place_of_a_bad_late_one(void **state) {
    (void)state;
    struct voter *f = notarized();
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, false);
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, true);
    send(f, 3, 3, 1, VOTE_FINALIZE, 0xb1, true); /* contradicts the good one */
    assert_true(accuses(f, 3));
    voter_end(f);
}

static void a_late_vote_for_another_block_is_evidence(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xb1);
    assert_true(accuses(f, 3));
    voter_end(f);
}

static void a_late_finalize_after_a_nullify_is_evidence(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0x7);
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xa1); /* beyond the quorum */
    assert_true(accuses(f, 3));
    voter_end(f);
}

static void a_nullify_after_a_late_finalize_is_evidence(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0x7);
    uint64_t before = f->signatures;
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xa1);
    assert_int_equal(f->signatures, before);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    assert_true(accuses(f, 3));
    voter_end(f);
}

static void a_finalize_for_another_block_after_a_late_notarize_is_evidence(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xb1);
    assert_true(accuses(f, 3));
    voter_end(f);
}

static void a_bad_late_vote_accuses_nobody(void **state) {
    (void)state;
    struct voter *f = notarized();
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, false);
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xb1);
    assert_false(accuses(f, 3));
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xb1); /* the first that is good */
    assert_false(accuses(f, 3));
    voter_end(f);
}

static void a_bad_late_finalize_accuses_nobody(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0x7);
    send(f, 3, 3, 1, VOTE_FINALIZE, 0xa1, false);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0);
    assert_false(accuses(f, 3));
    voter_end(f);
}

static void an_older_late_vote_hides_no_newer_one(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0x7);
    voter_send_vote(f, 3, 2, VOTE_NULLIFY, 0);
    voter_send_vote(f, 3, 1, VOTE_NULLIFY, 0); /* late */
    assert_int_equal(recalled(f, 3, VOTE_NULLIFY), 2);
    voter_end(f);
}

static void a_bad_late_vote_hides_no_good_one_of_its_view(void **state) {
    (void)state;
    struct voter *f = notarized();
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, false);
    send(f, 3, 3, 1, VOTE_NOTARIZE, 0xa1, true);
    assert_int_equal(recalled(f, 3, VOTE_NOTARIZE), 1);
    voter_end(f);
}

static void a_vote_for_another_block_than_the_certificate_is_checked(void **state) {
    (void)state;
    struct voter *f = notarized();
    uint64_t before = f->signatures;
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xb1);
    assert_int_equal(f->signatures, before + 1);
    voter_end(f);
}

/* A leader whose votes always come last is heard all the same. */
static void late_votes_show_that_a_leader_is_back(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_work(f, true);
    voter_tick(f, 400); /* leader 1 was silent in view 1 */
    for (uint64_t v = 1; v < 5; v++) {
        voter_send_certificate(f, v, VOTE_NULLIFY, 0, 0xd);
    }
    voter_send_vote(f, 1, 3, VOTE_NULLIFY, 0);
    voter_tick(f, 10);
    assert_false(voter_voted(f, VOTE_NULLIFY, 5));
    voter_end(f);
}

static void late_votes_show_where_their_signer_is(void **state) {
    (void)state;
    struct voter *f = notarized();
    voter_send_vote(f, 1, 1, VOTE_FINALIZE, 0xa1);
    voter_send_vote(f, 2, 1, VOTE_FINALIZE, 0xa1);
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xa1); /* beyond the quorum */
    voter_work(f, true);
    voter_tick(f, 100);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_end(f);
}

/* Who begins anew may have lost what it had. */
static void who_recalls_its_votes_is_taken_to_lack_the_view(void **state) {
    (void)state;
    struct voter *f = notarized();
    for (uint16_t i = 1; i < 4; i++) {
        voter_send_vote(f, i, 1, VOTE_FINALIZE, 0xa1);
    }
    (void)recalled(f, 3, VOTE_FINALIZE);
    voter_work(f, true);
    voter_tick(f, 100);
    assert_true(voter_told(f, 3, 1));
    assert_false(voter_told(f, 2, 1));
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_beyond_the_quorum_costs_no_check),
        cmocka_unit_test(a_vote_of_a_quorum_is_checked),
        cmocka_unit_test(a_late_vote_is_told_to_its_signer_once_it_is_checked),
        cmocka_unit_test(a_late_vote_outlives_its_view),
        cmocka_unit_test(a_bad_late_vote_hides_no_good_one_of_before),
        cmocka_unit_test(what_another_says_of_a_late_vote_is_checked),
        cmocka_unit_test(a_good_vote_takes_the_place_of_a_bad_late_one),
        cmocka_unit_test(a_late_vote_for_another_block_is_evidence),
        cmocka_unit_test(a_late_finalize_after_a_nullify_is_evidence),
        cmocka_unit_test(a_nullify_after_a_late_finalize_is_evidence),
        cmocka_unit_test(a_finalize_for_another_block_after_a_late_notarize_is_evidence),
        cmocka_unit_test(a_bad_late_vote_accuses_nobody),
        cmocka_unit_test(a_bad_late_finalize_accuses_nobody),
        cmocka_unit_test(an_older_late_vote_hides_no_newer_one),
        cmocka_unit_test(a_bad_late_vote_hides_no_good_one_of_its_view),
        cmocka_unit_test(a_vote_for_another_block_than_the_certificate_is_checked),
        cmocka_unit_test(late_votes_show_that_a_leader_is_back),
        cmocka_unit_test(late_votes_show_where_their_signer_is),
        cmocka_unit_test(who_recalls_its_votes_is_taken_to_lack_the_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
