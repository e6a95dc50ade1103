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

static void answer(struct voter *f, uint16_t from, const struct consensus_vote *votes, size_t count) {
    struct consensus_event recall = {.kind = EVENT_RECALL, .from = from};
    recall.u.recall.nonce = 1000;
    recall.u.recall.votes = votes;
    recall.u.recall.count = count;
    voter_step(f, recall);
}

static void no_vote_before_the_recall_is_answered(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    assert_true(voter_find(f, EFFECT_SEND_ASK_RECALL) >= 0);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    answer(f, 1, NULL, 0);
    answer(f, 2, NULL, 0);
    assert_false(status_of(f).voting); /* the third may still come */
    voter_tick(f, 500);                /* a quorum with us has answered, and the wait is over */
    assert_true(status_of(f).voting);
    assert_true(voter_voted(f, VOTE_NOTARIZE, 1));
    voter_end(f);
}

static void all_answers_end_the_recall_at_once(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    for (uint16_t i = 1; i < 4; i++) {
        answer(f, i, NULL, 0);
    }
    assert_true(status_of(f).voting);
    voter_end(f);
}

static void too_few_answers_are_waited_for_and_asked_again(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    answer(f, 1, NULL, 0);
    voter_tick(f, 60000);
    assert_false(status_of(f).voting);
    int asked = voter_find(f, EFFECT_SEND_ASK_RECALL);
    assert_true(asked >= 0);
    assert_int_not_equal(f->effects.items[asked].to, 1);
    voter_end(f);
}

static void a_vote_the_journal_lacks_means_an_old_copy_and_no_vote(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    struct consensus_vote lost = voter_vote(f, 0, 7, VOTE_FINALIZE, 0xa7);
    answer(f, 1, &lost, 1);
    int alarm = voter_find(f, EFFECT_ALARM);
    assert_true(alarm >= 0);
    assert_int_equal(f->effects.items[alarm].u.alarm, ALARM_OLD_JOURNAL);
    assert_non_null(strstr(consensus_alarm_text(ALARM_OLD_JOURNAL), "assay node recover"));
    answer(f, 2, NULL, 0);
    answer(f, 3, NULL, 0);
    assert_true(status_of(f).refused);
    assert_false(status_of(f).voting);
    voter_work(f, true);
    voter_tick(f, 5000);
    assert_int_equal(voter_find(f, EFFECT_JOURNAL_VOTE), -1);
    voter_end(f);
}

static void a_forged_vote_of_ours_refuses_nothing(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    struct consensus_vote forged = voter_vote(f, 0, 7, VOTE_FINALIZE, 0xa7);
    forged.signature[0] ^= 1;
    answer(f, 1, &forged, 1);
    assert_false(status_of(f).refused);
    voter_end(f);
}

static void a_vote_the_journal_has_is_no_reason_to_refuse(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    struct consensus_vote own = voter_vote(f, 0, 3, VOTE_NULLIFY, 0);
    voter_end(f);
    const struct consensus_restored restored = {.votes = &own, .vote_count = 1};
    f = voter_begin(4, 0, &restored, false);
    answer(f, 1, &own, 1);
    answer(f, 2, &own, 1);
    answer(f, 3, NULL, 0);
    assert_true(status_of(f).voting);
    voter_end(f);
}

static void restored_votes_are_not_contradicted(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    struct consensus_vote own = voter_vote(f, 0, 1, VOTE_NULLIFY, 0);
    voter_end(f);
    const struct consensus_restored restored = {.votes = &own, .vote_count = 1};
    f = voter_begin(4, 0, &restored, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 1));
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    assert_false(voter_voted(f, VOTE_FINALIZE, 1));
    voter_end(f);
}

static void a_restored_proposal_is_resent_and_not_made_anew(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 1, NULL, true);
    struct consensus_vote votes[] = {voter_vote(f, 1, 1, VOTE_NOTARIZE, 0xa1)};
    struct consensus_vote proposal = voter_vote(f, 1, 1, VOTE_PROPOSE, 0xa1);
    voter_end(f);
    const struct consensus_restored restored = {
        .votes = votes, .vote_count = 1, .proposals = &proposal, .proposal_count = 1};
    f = voter_begin(4, 1, &restored, true);
    voter_work(f, true);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);
    voter_tick(f, 1000);
    int sent = voter_find(f, EFFECT_SEND_PROPOSAL);
    assert_true(sent >= 0);
    assert_int_equal(f->effects.items[sent].u.vote.vote.subject.block[0], 0xa1);
    voter_end(f);
}

/* n = 5, one validator lost for good: all four others are needed. Two of them cast finalize for view 1, all crashed,
 * and the notarization was gone with one of its signers: two could not leave view 1, two could not nullify it. */
static void a_finalize_vote_takes_its_notarization_to_the_journal(void **state) {
    (void)state;
    struct voter *f = voter_begin(5, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0x1e);
    assert_true(voter_voted(f, VOTE_FINALIZE, 1));
    int kept = voter_find(f, EFFECT_JOURNAL_CERTIFICATE);
    assert_true(kept >= 0);
    struct bytes certificate = f->effects.items[kept].u.block.certificate;
    struct consensus_vote votes[] = {voter_vote(f, 0, 1, VOTE_NOTARIZE, 0xa1),
                                     voter_vote(f, 0, 1, VOTE_FINALIZE, 0xa1)};
    uint8_t copy[CERTIFICATE_MAX];
    memcpy(copy, certificate.data, certificate.len);
    certificate.data = copy;
    voter_end(f);
    const struct consensus_restored restored = {
        .votes = votes, .vote_count = 2, .certificates = &certificate, .certificate_count = 1};
    f = voter_begin(5, 0, &restored, true);
    assert_int_equal(voter_view(f), 2);
    voter_tick(f, 1000);
    int sent = voter_find(f, EFFECT_SEND_CERTIFICATE);
    assert_true(sent >= 0); /* and brings the others along */
    assert_int_equal(f->effects.items[sent].view, 1);
    voter_end(f);
}

static void a_peer_is_told_its_own_highest_votes(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    voter_send_vote(f, 2, 3, VOTE_NULLIFY, 0);
    struct consensus_event ask = {.kind = EVENT_ASK_RECALL, .from = 2};
    ask.u.recall.nonce = 77;
    voter_step(f, ask);
    int sent = voter_find(f, EFFECT_SEND_RECALL);
    assert_true(sent >= 0);
    assert_int_equal(f->effects.items[sent].u.recall.nonce, 77);
    assert_int_equal(f->effects.items[sent].u.recall.count, 1);
    assert_int_equal(f->effects.items[sent].u.recall.votes[0].subject.view, 3);
    voter_end(f);
}

static void a_validator_that_may_not_vote_follows(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    f->config.may_vote = false;
    assert_int_equal(consensus_init(f->memory, consensus_memory(4), &f->config, &f->core), OK);
    struct consensus_event start = {.kind = EVENT_START};
    memcpy(start.u.start.final_hash, f->genesis, HASH_LEN);
    voter_step(f, start);
    voter_propose(f, 1, 0xa1, 0);
    voter_block(f, EVENT_BLOCK, 1, 0xa1, 0, 0, BLOCK_VALID);
    assert_int_equal(voter_find(f, EFFECT_JOURNAL_VOTE), -1);
    voter_send_certificate(f, 1, VOTE_FINALIZE, 0xa1, 0xe);
    assert_true(voter_find(f, EFFECT_FINALIZE) >= 0);
    assert_int_equal(voter_find(f, EFFECT_JOURNAL_CERTIFICATE), -1);
    voter_end(f);
}

static void who_shows_an_old_view_is_helped_once_a_second(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_certificate(f, 5, VOTE_NULLIFY, 0, 0xe);
    voter_tick(f, 1000);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    assert_true(voter_find(f, EFFECT_SEND_CERTIFICATE) >= 0);
    voter_send_vote(f, 2, 2, VOTE_NULLIFY, 0);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_end(f);
}

/* Whoever sends the certificate of a view has left it. */
static void a_helper_is_not_helped(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    voter_tick(f, 1000);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0x7);
    assert_int_equal(voter_find(f, EFFECT_SEND_CERTIFICATE), -1);
    voter_end(f);
}

/* Three of four signatures are in the notarization that is held, and the fourth, ours, only in the next one that comes.
 */
static void a_vote_of_ours_in_a_certificate_that_adds_nothing_else_is_seen(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, false);
    voter_send_certificate(f, 3, VOTE_NOTARIZE, 0xa3, 0xe);
    assert_int_equal(voter_find(f, EFFECT_ALARM), -1);
    voter_send_certificate(f, 3, VOTE_NOTARIZE, 0xa3, 0x7);
    assert_true(voter_find(f, EFFECT_ALARM) >= 0);
    struct consensus_status status;
    consensus_status(f->core, &status);
    assert_true(status.refused);
    voter_end(f);
}

/* The journal kept a certificate with a vote of ours in it, and not the vote: a disk that lied. */
static void a_vote_of_ours_in_a_certificate_of_the_journal_is_seen(void **state) {
    (void)state;
    uint8_t bytes[CERTIFICATE_MAX];
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_certificate(f, 3, VOTE_NOTARIZE, 0xa3, 0xe);
    struct vote_subject subject = {.view = 3, .kind = VOTE_NOTARIZE};
    size_t len;
    voter_hash(0xa3, subject.block);
    certificates_begin(&subject, 4, bytes, &len);
    for (uint16_t i = 0; i < 3; i++) {
        struct consensus_vote vote = voter_vote(f, i, 3, VOTE_NOTARIZE, 0xa3);
        certificates_add(bytes, &len, i, vote.signature);
    }
    voter_end(f);
    struct bytes kept = bytes_of(bytes, len);
    const struct consensus_restored restored = {.certificates = &kept, .certificate_count = 1};
    f = voter_begin(4, 0, &restored, true);
    struct consensus_status status;
    consensus_status(f->core, &status);
    assert_true(status.refused);
    voter_end(f);
}

static bool says(const struct voter *f, uint64_t view, enum vote_kind kind) {
    for (size_t i = 0; i < f->effects.count; i++) {
        const struct consensus_effect *effect = &f->effects.items[i];
        if (effect->kind == EFFECT_SEND_VOTE && effect->u.vote.vote.subject.view == view &&
            effect->u.vote.vote.subject.kind == kind) {
            return true;
        }
    }
    return false;
}

/* After a long outage the vote that decides may be one of long ago. */
static void votes_of_long_ago_are_said_again_in_their_turn(void **state) {
    (void)state;
    enum { VIEWS = 150 };
    static struct consensus_vote votes[VIEWS];
    struct consensus_restored restored = {.votes = votes, .vote_count = VIEWS};
    struct voter *f = voter_begin(4, 0, NULL, true);
    votes[0] = voter_vote(f, 0, 1, VOTE_FINALIZE, 0xa1);
    for (uint64_t v = 2; v <= VIEWS; v++) {
        votes[v - 1] = voter_vote(f, 0, v, VOTE_NULLIFY, 0);
    }
    voter_end(f);
    f = voter_begin(4, 0, &restored, true);
    bool said = false, newest = true;
    unsigned resends = 0;
    for (int i = 0; i < 60 && resends < 10; i++) {
        voter_tick(f, 500);
        bool resent = says(f, VIEWS, VOTE_NULLIFY) || says(f, 1, VOTE_FINALIZE);
        resends += resent ? 1 : 0;
        said = said || says(f, 1, VOTE_FINALIZE);
        newest = newest && (!resent || says(f, VIEWS, VOTE_NULLIFY));
        assert_false(f->effects.overflow);
    }
    assert_true(said && newest);
    voter_end(f);
}

static void standing(struct voter *f, uint64_t view, uint8_t fill, enum consensus_standing expected) {
    uint8_t hash[HASH_LEN];
    voter_hash(fill, hash);
    assert_int_equal(consensus_standing(f->core, view, hash, false), expected);
}

static void a_block_stands_as_its_certificates_say(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    standing(f, 1, 0xa1, STANDING_PROPOSED); /* nothing is known of it */
    voter_propose(f, 1, 0xa1, 0);
    standing(f, 1, 0xa1, STANDING_CURRENT);
    standing(f, 1, 0xb1, STANDING_PROPOSED);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    standing(f, 1, 0xa1, STANDING_NOTARIZED);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    standing(f, 1, 0xa1, STANDING_DOUBTFUL);
    standing(f, 1, 0xb1, STANDING_OVER);
    voter_propose(f, 2, 0xa2, 0xa1);
    voter_send_certificate(f, 2, VOTE_FINALIZE, 0xa2, 0xe);
    standing(f, 2, 0xa2, STANDING_FINAL);
    standing(f, 2, 0xb2, STANDING_OVER);
    standing(f, 9, 0xa9, STANDING_PROPOSED);
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vote_of_ours_in_a_certificate_that_adds_nothing_else_is_seen),
        cmocka_unit_test(a_vote_of_ours_in_a_certificate_of_the_journal_is_seen),
        cmocka_unit_test(votes_of_long_ago_are_said_again_in_their_turn),
        cmocka_unit_test(a_block_stands_as_its_certificates_say),
        cmocka_unit_test(no_vote_before_the_recall_is_answered),
        cmocka_unit_test(all_answers_end_the_recall_at_once),
        cmocka_unit_test(too_few_answers_are_waited_for_and_asked_again),
        cmocka_unit_test(a_vote_the_journal_lacks_means_an_old_copy_and_no_vote),
        cmocka_unit_test(a_forged_vote_of_ours_refuses_nothing),
        cmocka_unit_test(a_vote_the_journal_has_is_no_reason_to_refuse),
        cmocka_unit_test(restored_votes_are_not_contradicted),
        cmocka_unit_test(a_restored_proposal_is_resent_and_not_made_anew),
        cmocka_unit_test(a_finalize_vote_takes_its_notarization_to_the_journal),
        cmocka_unit_test(a_peer_is_told_its_own_highest_votes),
        cmocka_unit_test(a_validator_that_may_not_vote_follows),
        cmocka_unit_test(who_shows_an_old_view_is_helped_once_a_second),
        cmocka_unit_test(a_helper_is_not_helped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
