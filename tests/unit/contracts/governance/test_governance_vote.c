#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council.h"
#include "tests/lib/next_due.h"

/* ---- Counting ----------------------------------------------------------------------------------------------- */

/* How many yes of n it takes at 67 percent: more than two thirds. */
static const unsigned needed[] = {0, 1, 2, 3, 3, 4, 5, 5};

static void more_than_two_thirds_for_one_to_seven_organisations(void **state) {
    (void)state;
    for (unsigned n = 1; n <= 7; n++) {
        struct council c;
        council_open(&c, n, 1, 1);
        assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
        for (unsigned yes = 1; yes < needed[n]; yes++) {
            assert_int_equal(council_state(&c), PROPOSAL_OPEN);
            assert_int_equal(council_vote(&c, yes, VOTE_YES), CODE_OK);
        }
        assert_int_equal(council_state(&c), PROPOSAL_PASSED);
        assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1))));
        council_close(&c);
    }
}

static void refused_as_soon_as_it_can_no_longer_pass(void **state) {
    (void)state;
    for (unsigned n = 2; n <= 7; n++) {
        struct council c;
        council_open(&c, n, 1, 1);
        assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
        for (unsigned no = 1; n - no >= needed[n]; no++) {
            assert_int_equal(council_vote(&c, no, VOTE_NO), CODE_OK);
            assert_int_equal(council_state(&c), PROPOSAL_OPEN);
        }
        assert_int_equal(council_vote(&c, n - 1, VOTE_NO), CODE_OK);
        assert_int_equal(council_state(&c), PROPOSAL_REFUSED);
        assert_true(council_set_is(&c, SIGNERS(NODE(0))));
        council_close(&c);
    }
}

static void sixty_seven_percent_is_more_than_two_thirds_up_to_the_most_organisations(void **state) {
    (void)state;
    for (uint32_t n = 1; n <= ORGS_MAX; n++) {
        for (uint32_t yes = 0; yes <= n; yes++) {
            struct vote_tally tally = {.yes = yes, .no = n - yes, .organisations = n};
            assert_int_equal(vote_tally_passes(&tally, 67), 3 * yes > 2 * n);
            assert_int_equal(vote_tally_lost(&tally, 67), 3 * yes <= 2 * n);
            assert_int_equal(vote_tally_passes(&tally, 100), yes == n);
            assert_int_equal(vote_tally_passes(&tally, 51), 100 * yes >= 51 * n);
        }
    }
    struct vote_tally nobody = {0};
    assert_false(vote_tally_passes(&nobody, 67));
}

/* ---- Who may ------------------------------------------------------------------------------------------------ */

static void nobody_proposes_votes_or_withdraws_for_another(void **state) {
    (void)state;
    struct council c;
    Assay__AddValidator change = ASSAY__ADD_VALIDATOR__INIT;
    Assay__Propose propose;
    assay__propose__init(&propose);
    Assay__CastVote vote;
    assay__cast_vote__init(&vote);
    Assay__WithdrawProposal withdraw = ASSAY__WITHDRAW_PROPOSAL__INIT;
    uint8_t id[HASH_LEN];
    council_open(&c, 4, 1, 1);
    change.key = council_key(&c, NODE(1));
    propose.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
    propose.add_validator = &change;
    propose.org = council_org(1);
    assert_int_equal(council_run(&c, "propose", &propose.base, SIGNERS(ADMIN(0))), CODE_NOT_AUTHORIZED);
    propose.org = council_text("nobody");
    assert_int_equal(council_run(&c, "propose", &propose.base, SIGNERS(ADMIN(0))), CODE_ORG_UNKNOWN);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    memcpy(id, c.id, HASH_LEN);
    vote.org = council_org(1);
    vote.proposal_id = withdraw.proposal_id = world_bytes(id, HASH_LEN);
    vote.choice = VOTE_NO;
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(ADMIN(0))), CODE_NOT_AUTHORIZED);
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(NODE(1))), CODE_UNKNOWN_SENDER);
    assert_int_equal(council_run(&c, "withdraw", &withdraw.base, SIGNERS(ADMIN(1))), CODE_NOT_AUTHORIZED);
    assert_int_equal(council_proposal(&c, id).tally.no, 0);
    assert_int_equal(council_run(&c, "withdraw", &withdraw.base, SIGNERS(ADMIN(0))), CODE_OK);
    assert_int_equal(council_proposal(&c, id).state, PROPOSAL_WITHDRAWN);
    assert_int_equal(council_run(&c, "withdraw", &withdraw.base, SIGNERS(ADMIN(0))), CODE_PROPOSAL_CLOSED);
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(ADMIN(1))), CODE_PROPOSAL_CLOSED);
    council_close(&c);
}

static void an_organisation_votes_once_and_through_enough_admins(void **state) {
    (void)state;
    struct council c;
    Assay__RotateAdmins change;
    assay__rotate_admins__init(&change);
    Assay__Propose args;
    assay__propose__init(&args);
    Assay__CastVote vote;
    assay__cast_vote__init(&vote);
    uint8_t id[HASH_LEN];
    council_open(&c, 2, 1, 1);
    ProtobufCBinaryData admins[] = {council_key(&c, FRESH(0)), council_key(&c, FRESH(1)), council_key(&c, FRESH(2))};
    change.org = council_org(1);
    change.admin_threshold = 2;
    change.n_admins = 3;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ROTATE_ADMINS;
    args.rotate_admins = &change;
    assert_int_equal(council_propose(&c, 0, &args), CODE_OK);
    assert_int_equal(council_vote(&c, 0, VOTE_YES), CODE_VOTE_EXISTS);
    assert_int_equal(council_vote(&c, 0, VOTE_NO), CODE_VOTE_EXISTS);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    /* The old admin speaks for nobody now, and two of the new ones do. */
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    memcpy(id, c.id, HASH_LEN);
    vote.org = council_org(1);
    vote.proposal_id = world_bytes(id, HASH_LEN);
    vote.choice = VOTE_YES;
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(ADMIN(1))), CODE_UNKNOWN_SENDER);
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(FRESH(1))), CODE_ADMIN_THRESHOLD);
    assert_int_equal(council_run(&c, "vote", &vote.base, SIGNERS(FRESH(1), FRESH(2))), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    council_close(&c);
}

/* ---- Time --------------------------------------------------------------------------------------------------- */

static void an_open_proposal_expires_by_itself(void **state) {
    (void)state;
    struct council c;
    uint64_t due_ms = 0;
    council_open(&c, 3, 1, 1);
    uint64_t start = c.w.now_ms;
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    assert_int_equal(council_proposal(&c, c.id).expires_ms, start + PROPOSAL_LIFETIME_DEFAULT_MS);
    assert_int_equal(next_due(&c.w.state, &due_ms), OK);
    assert_int_equal(due_ms, start + PROPOSAL_LIFETIME_DEFAULT_MS);
    assert_int_equal(world_block(&c.w, due_ms - 1), OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_OPEN);
    assert_int_equal(world_block(&c.w, due_ms), OK);
    struct proposal_record p = council_proposal(&c, c.id);
    assert_int_equal(p.state, PROPOSAL_EXPIRED);
    assert_true(p.tally.yes == 2 && p.tally.no == 0 && p.tally.organisations == 3);
    assert_string_equal(c.w.memory.last_action, "expired");
    assert_int_equal(council_vote(&c, 2, VOTE_YES), CODE_PROPOSAL_CLOSED);
    assert_int_equal(next_due(&c.w.state, &due_ms), OK);
    assert_int_equal(due_ms, 0);
    council_close(&c);
}

/* The due-queue may be behind; the vote is late all the same. */
static void a_vote_after_expiry_is_late_even_before_the_queue_came_to_it(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 3, 1, 1);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    c.w.now_ms += PROPOSAL_LIFETIME_DEFAULT_MS - 1;
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    c.w.now_ms += 1;
    assert_int_equal(council_vote(&c, 2, VOTE_YES), CODE_PROPOSAL_CLOSED);
    assert_non_null(strstr(c.w.answer.detail, "expired"));
    assert_true(council_set_is(&c, SIGNERS(NODE(0))));
    council_close(&c);
}

static void lifetimes_and_texts_are_bounded(void **state) {
    (void)state;
    struct council c;
    char text[PROPOSAL_TEXT_MAX + 2];
    Assay__AddValidator change = ASSAY__ADD_VALIDATOR__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    council_open(&c, 3, 1, 1);
    change.key = council_key(&c, NODE(1));
    args.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
    args.add_validator = &change;
    args.lifetime_ms = PROPOSAL_LIFETIME_LEAST_MS - 1;
    assert_int_equal(council_propose(&c, 0, &args), CODE_PROPOSAL_LIFETIME);
    args.lifetime_ms = PROPOSAL_LIFETIME_MOST_MS + 1;
    assert_int_equal(council_propose(&c, 0, &args), CODE_PROPOSAL_LIFETIME);
    args.lifetime_ms = UINT64_MAX;
    assert_int_equal(council_propose(&c, 0, &args), CODE_PROPOSAL_LIFETIME);
    args.lifetime_ms = PROPOSAL_LIFETIME_MOST_MS;
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    args.text = text;
    assert_int_equal(council_propose(&c, 0, &args), CODE_TEXT_TOO_LONG);
    args.text = council_text("\xff");
    assert_int_equal(council_propose(&c, 0, &args), CODE_TEXT_NOT_CLEAN);
    args.text = text + 1;
    assert_int_equal(council_propose(&c, 0, &args), CODE_OK);
    assert_string_equal(council_proposal(&c, c.id).text, text + 1);
    args.change_case = ASSAY__PROPOSE__CHANGE__NOT_SET;
    assert_int_equal(council_propose(&c, 0, &args), CODE_BAD_ARGUMENTS);
    council_close(&c);
}

static void open_proposals_are_limited(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 12, 1, 1);
    for (unsigned i = 0; i < PROPOSALS_OPEN_PER_ORG; i++) {
        assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    }
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_PROPOSAL_LIMIT);
    for (unsigned i = PROPOSALS_OPEN_PER_ORG; i < PROPOSALS_OPEN_MAX; i++) {
        assert_int_equal(propose_add(&c, i / PROPOSALS_OPEN_PER_ORG, NODE(1)), CODE_OK);
    }
    assert_int_equal(propose_add(&c, 11, NODE(1)), CODE_PROPOSAL_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "in all"));
    /* All expire in one block; then there is room. */
    assert_int_equal(world_block(&c.w, c.w.now_ms + PROPOSAL_LIFETIME_DEFAULT_MS), OK);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    council_close(&c);
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

struct seen {
    size_t count;
    uint8_t last[HASH_LEN];
    uint64_t created_ms;
    char votes[64];
};

static enum err see_proposal(void *arg, const struct proposal_record *p) {
    struct seen *seen = arg;
    assert_true(seen->count == 0 || p->stamp.created_ms <= seen->created_ms);
    seen->count++;
    seen->created_ms = p->stamp.created_ms;
    memcpy(seen->last, p->id, HASH_LEN);
    return OK;
}

static enum err see_vote(void *arg, const struct vote_record *vote) {
    struct seen *seen = arg;
    strcat(seen->votes, vote->org);
    strcat(seen->votes, vote->choice == VOTE_YES ? "+" : "-");
    return OK;
}

static void proposals_are_listed_newest_first_in_pages(void **state) {
    (void)state;
    struct council c;
    struct seen seen = {0};
    uint8_t first[HASH_LEN], unknown[HASH_LEN] = {0};
    council_open(&c, 2, 1, 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
        if (i == 0) {
            memcpy(first, c.id, HASH_LEN);
        }
        c.w.now_ms += (uint64_t)i % 2; /* some in one block */
    }
    assert_int_equal(proposal_list(&c.w.state, NULL, 3, see_proposal, &seen), OK);
    assert_int_equal(seen.count, 3);
    uint8_t after[HASH_LEN];
    memcpy(after, seen.last, HASH_LEN);
    assert_int_equal(proposal_list(&c.w.state, after, 3, see_proposal, &seen), OK);
    assert_int_equal(seen.count, 5);
    assert_int_equal(seen.created_ms, council_proposal(&c, first).stamp.created_ms);
    assert_int_equal(proposal_list(&c.w.state, unknown, 3, see_proposal, &seen), OK);
    assert_int_equal(seen.count, 5);
    council_close(&c);
}

static void votes_are_listed_by_organisation(void **state) {
    (void)state;
    struct council c;
    struct seen seen = {0};
    council_open(&c, 7, 1, 1);
    assert_int_equal(propose_add(&c, 3, NODE(1)), CODE_OK);
    assert_int_equal(council_vote(&c, 5, VOTE_NO), CODE_OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(proposal_votes(&c.w.state, c.id, NULL, 10, see_vote, &seen), OK);
    assert_string_equal(seen.votes, "org1+org3+org5-");
    seen.votes[0] = '\0';
    assert_int_equal(proposal_votes(&c.w.state, c.id, "org1", 1, see_vote, &seen), OK);
    assert_string_equal(seen.votes, "org3+");
    council_close(&c);
}

static void unknown_proposals_and_choices_are_refused(void **state) {
    (void)state;
    struct council c;
    struct proposal_record p;
    bool found = true;
    uint8_t id[HASH_LEN] = {1};
    council_open(&c, 2, 1, 1);
    assert_int_equal(council_vote_on(&c, 0, id, VOTE_YES), CODE_PROPOSAL_UNKNOWN);
    assert_int_equal(proposal_get(&c.w.state, id, &p, &found), OK);
    assert_false(found);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    assert_int_equal(council_vote(&c, 1, (enum vote_choice)0), CODE_BAD_ARGUMENTS);
    assert_int_equal(council_vote(&c, 1, (enum vote_choice)3), CODE_BAD_ARGUMENTS);
    council_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_two_thirds_for_one_to_seven_organisations),
        cmocka_unit_test(refused_as_soon_as_it_can_no_longer_pass),
        cmocka_unit_test(sixty_seven_percent_is_more_than_two_thirds_up_to_the_most_organisations),
        cmocka_unit_test(nobody_proposes_votes_or_withdraws_for_another),
        cmocka_unit_test(an_organisation_votes_once_and_through_enough_admins),
        cmocka_unit_test(an_open_proposal_expires_by_itself),
        cmocka_unit_test(a_vote_after_expiry_is_late_even_before_the_queue_came_to_it),
        cmocka_unit_test(lifetimes_and_texts_are_bounded),
        cmocka_unit_test(open_proposals_are_limited),
        cmocka_unit_test(proposals_are_listed_newest_first_in_pages),
        cmocka_unit_test(votes_are_listed_by_organisation),
        cmocka_unit_test(unknown_proposals_and_choices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
