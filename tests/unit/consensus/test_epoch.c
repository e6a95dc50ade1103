#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/voter.h"

/* Validator 0 of 4 leads views 4, 8, ...; quorum 3. Block 0xe1, first proposed in view 1, closes the epoch. */
#define CLOSING 0xe1

static struct consensus_event closing_proposal(struct voter *f, uint64_t view, bool closes) {
    uint16_t leader = consensus_leader(view, f->n);
    struct consensus_vote vote = voter_vote(f, leader, view, VOTE_PROPOSE, CLOSING);
    struct consensus_event event = {.kind = EVENT_PROPOSAL, .from = leader};
    struct block_header *header = &event.u.proposal.header;
    *header = (struct block_header){.view = 1, .proposer = consensus_leader(1, f->n)};
    header->next_validators_hash[0] = closes ? 1 : 0;
    memcpy(header->chain_id, f->chain_id, CHAIN_ID_LEN);
    memcpy(header->parent, f->genesis, HASH_LEN);
    event.u.proposal.view = view;
    voter_hash(CLOSING, event.u.proposal.hash);
    memcpy(event.u.proposal.signature, vote.signature, SIG_LEN);
    return event;
}

static void propose_closing(struct voter *f, uint64_t view) {
    voter_step(f, closing_proposal(f, view, true));
}

static void closing_is(struct voter *f, enum consensus_block_state state) {
    struct consensus_event event = {.kind = EVENT_BLOCK, .from = CONSENSUS_ALL};
    voter_hash(CLOSING, event.u.block.hash);
    memcpy(event.u.block.parent, f->genesis, HASH_LEN);
    event.u.block.view = 1;
    event.u.block.state = state;
    event.u.block.closes = true;
    voter_step(f, event);
}

/* The closing block is notarized in view 1 and known to be valid; view 2 has begun. */
static struct voter *closing_notarized(void) {
    struct voter *f = voter_begin(4, 0, NULL, true);
    propose_closing(f, 1);
    closing_is(f, BLOCK_VALID);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, CLOSING, 0xe);
    assert_int_equal(voter_view(f), 2);
    return f;
}

static bool closed(const struct voter *f) {
    return consensus_closed(f->core);
}

static void a_final_closing_block_ends_the_core(void **state) {
    (void)state;
    struct voter *f = closing_notarized();
    voter_send_certificate(f, 1, VOTE_FINALIZE, CLOSING, 0xe);
    assert_true(voter_find(f, EFFECT_FINALIZE) >= 0);
    assert_true(closed(f));
    voter_work(f, true);
    voter_propose(f, 2, 0xb2, CLOSING);
    assert_int_equal(f->effects.count, 0);
    voter_tick(f, 60000);
    assert_int_equal(f->effects.count, 0);
    voter_end(f);
}

static void until_it_is_final_the_leader_proposes_the_closing_block_itself(void **state) {
    (void)state;
    struct voter *f = closing_notarized();
    voter_send_certificate(f, 2, VOTE_NULLIFY, 0, 0xe);
    voter_send_certificate(f, 3, VOTE_NULLIFY, 0, 0xe);
    assert_int_equal(voter_view(f), 4);
    voter_work(f, true);
    assert_int_equal(voter_find(f, EFFECT_BUILD), -1);         /* nothing may stand on it */
    assert_int_equal(voter_find(f, EFFECT_SEND_PROPOSAL), -1); /* its finalize votes get a moment to come */
    voter_tick(f, f->config.timing.leader_timeout_ms / 2);
    int sent = voter_find(f, EFFECT_SEND_PROPOSAL);
    assert_true(sent >= 0);
    const struct consensus_vote *vote = &f->effects.items[sent].u.vote.vote;
    assert_int_equal(vote->subject.view, 4);
    assert_int_equal(vote->subject.block[0], CLOSING);
    assert_int_equal(f->effects.items[sent].u.vote.count, 3); /* notarization of 1, nullifications of 2 and 3 */
    assert_true(voter_voted(f, VOTE_NOTARIZE, 4));
    voter_end(f);
}

static void a_closing_block_proposed_again_is_notarized_and_finalized_like_any_other(void **state) {
    (void)state;
    struct voter *f = closing_notarized();
    propose_closing(f, 2);
    closing_is(f, BLOCK_VALID); /* what EXECUTE is answered with */
    assert_true(voter_voted(f, VOTE_NOTARIZE, 2));
    voter_send_certificate(f, 2, VOTE_NOTARIZE, CLOSING, 0xe);
    assert_true(voter_voted(f, VOTE_FINALIZE, 2));
    voter_send_certificate(f, 2, VOTE_FINALIZE, CLOSING, 0xe);
    int final = voter_find(f, EFFECT_FINALIZE);
    assert_true(final >= 0);
    assert_int_equal(f->effects.items[final].view, 2);
    assert_true(closed(f));
    voter_end(f);
}

static void proposed_again_without_its_notarization_it_gets_no_vote(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_certificate(f, 1, VOTE_NULLIFY, 0, 0xe);
    propose_closing(f, 2);
    closing_is(f, BLOCK_VALID);
    assert_false(voter_voted(f, VOTE_NOTARIZE, 2));
    voter_tick(f, 1);
    assert_true(voter_voted(f, VOTE_NULLIFY, 2) || voter_find(f, EFFECT_SEND_VOTE) == -1);
    voter_end(f);
}

static void a_block_that_closes_nothing_is_not_proposed_again(void **state) {
    (void)state;
    struct voter *f = closing_notarized();
    voter_step(f, closing_proposal(f, 2, false));
    assert_false(voter_voted(f, VOTE_NOTARIZE, 2));
    assert_true(voter_voted(f, VOTE_NULLIFY, 2)); /* the leader misbehaved: no reason to wait */
    voter_end(f);
}

static void catch_up_over_a_closing_block_ends_the_core(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    uint8_t bytes[CERTIFICATE_MAX];
    struct consensus_event event = {.kind = EVENT_SYNCED, .from = 1};
    event.u.synced.view = 9;
    event.u.synced.closes = true;
    voter_hash(CLOSING, event.u.synced.hash);
    event.u.synced.certificate = bytes_of(bytes, voter_certificate(f, 9, VOTE_FINALIZE, CLOSING, 0xe, bytes));
    voter_step(f, event);
    assert_true(closed(f));
    voter_end(f);
}

static void votes_of_another_epoch_count_for_nothing(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    for (uint16_t i = 1; i < 4; i++) {
        struct consensus_event event = {.kind = EVENT_VOTE, .from = i};
        event.u.vote = voter_vote(f, i, 1, VOTE_NULLIFY, 0);
        event.u.vote.subject.epoch = 1;
        voter_step(f, event);
    }
    assert_int_equal(voter_view(f), 1);
    voter_end(f);
}

/* ---- Evidence ----------------------------------------------------------------------------------------------------- */

static void found_against(const struct voter *f, uint16_t signer, enum vote_kind first, enum vote_kind second) {
    int at = voter_find(f, EFFECT_EVIDENCE);
    assert_true(at >= 0);
    const struct consensus_effect *effect = &f->effects.items[at];
    assert_int_equal(effect->u.evidence.first.signer, signer);
    assert_int_equal(effect->u.evidence.second.signer, signer);
    assert_int_equal(effect->u.evidence.first.subject.kind, first);
    assert_int_equal(effect->u.evidence.second.subject.kind, second);
    const struct consensus_vote *votes[] = {&effect->u.evidence.first, &effect->u.evidence.second};
    for (size_t i = 0; i < 2; i++) {
        uint8_t message[VOTE_SIGNED_LEN];
        vote_signed_bytes(f->chain_id, &votes[i]->subject, message);
        assert_true(voter_verify(f->keys[signer], message, sizeof message, votes[i]->signature));
    }
}

static void two_votes_of_a_kind_for_two_blocks_are_evidence(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa1);
    assert_int_equal(voter_find(f, EFFECT_EVIDENCE), -1);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa2);
    found_against(f, 2, VOTE_NOTARIZE, VOTE_NOTARIZE);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa3); /* once is enough */
    assert_int_equal(voter_find(f, EFFECT_EVIDENCE), -1);
    voter_end(f);
}

static void two_proposals_of_a_view_are_evidence(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_propose(f, 1, 0xa1, 0);
    voter_propose(f, 1, 0xa2, 0);
    found_against(f, 1, VOTE_PROPOSE, VOTE_PROPOSE);
    voter_end(f);
}

static void a_broken_promise_is_evidence_in_either_order(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 2, 1, VOTE_FINALIZE, 0xa1);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    found_against(f, 2, VOTE_NULLIFY, VOTE_FINALIZE);
    voter_send_vote(f, 3, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_vote(f, 3, 1, VOTE_FINALIZE, 0xa2);
    found_against(f, 3, VOTE_NOTARIZE, VOTE_FINALIZE);
    voter_end(f);
}

static void notarize_then_nullify_is_allowed(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa1);
    voter_send_vote(f, 2, 1, VOTE_NULLIFY, 0);
    assert_int_equal(voter_find(f, EFFECT_EVIDENCE), -1);
    voter_end(f);
}

static void a_certificate_brings_evidence_too(void **state) {
    (void)state;
    struct voter *f = voter_begin(4, 0, NULL, true);
    voter_send_vote(f, 2, 1, VOTE_NOTARIZE, 0xa2);
    voter_send_certificate(f, 1, VOTE_NOTARIZE, 0xa1, 0xe);
    found_against(f, 2, VOTE_NOTARIZE, VOTE_NOTARIZE);
    voter_end(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_final_closing_block_ends_the_core),
        cmocka_unit_test(until_it_is_final_the_leader_proposes_the_closing_block_itself),
        cmocka_unit_test(a_closing_block_proposed_again_is_notarized_and_finalized_like_any_other),
        cmocka_unit_test(proposed_again_without_its_notarization_it_gets_no_vote),
        cmocka_unit_test(a_block_that_closes_nothing_is_not_proposed_again),
        cmocka_unit_test(catch_up_over_a_closing_block_ends_the_core),
        cmocka_unit_test(votes_of_another_epoch_count_for_nothing),
        cmocka_unit_test(two_votes_of_a_kind_for_two_blocks_are_evidence),
        cmocka_unit_test(two_proposals_of_a_view_are_evidence),
        cmocka_unit_test(a_broken_promise_is_evidence_in_either_order),
        cmocka_unit_test(notarize_then_nullify_is_allowed),
        cmocka_unit_test(a_certificate_brings_evidence_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
