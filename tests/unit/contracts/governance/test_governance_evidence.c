#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council.h"

static void the_pairs_that_contradict_are_exactly_these(void **state) {
    (void)state;
    struct council c;
    int validator = 0;
    council_open(&c, 5, 12, 0);
    for (unsigned a = VOTE_PROPOSE; a <= VOTE_FINALIZE; a++) {
        for (unsigned b = VOTE_PROPOSE; b <= VOTE_FINALIZE; b++) {
            for (uint8_t block = 1; block <= 2; block++) {
                struct pair p; /* the first names block 1, the second `block`, and a nullify none */
                pair_init(&p, &c, NODE(validator), (enum vote_kind)a, a != VOTE_NULLIFY, (enum vote_kind)b,
                          b == VOTE_NULLIFY ? 0 : block);
                bool nullify_finalize =
                    (a == VOTE_NULLIFY && b == VOTE_FINALIZE) || (b == VOTE_NULLIFY && a == VOTE_FINALIZE);
                bool notarize_finalize =
                    (a == VOTE_NOTARIZE && b == VOTE_FINALIZE) || (b == VOTE_NOTARIZE && a == VOTE_FINALIZE);
                bool contradict =
                    nullify_finalize || (block == 2 && (notarize_finalize || (a == b && a != VOTE_NULLIFY)));
                assert_int_equal(submit(&c, &p, NODE(11)), contradict ? CODE_OK : CODE_EVIDENCE_NO_CONTRADICTION);
                validator += contradict; /* evidence is taken once for each */
            }
        }
    }
    assert_int_equal(validator, 9);
    council_close(&c);
}

static void the_first_evidence_removes_a_validator_and_keeps_the_order(void **state) {
    (void)state;
    struct council c;
    struct evidence_record record;
    bool found = false;
    council_open(&c, 5, 5, 0);
    assert_int_equal(convict(&c, NODE(1), NODE(3)), CODE_OK);
    Assay__SubmitEvidenceResult *r =
        assay__submit_evidence_result__unpack(NULL, c.w.answer.result.len, c.w.answer.result.data);
    assert_true(r->removed && r->validators == 4);
    assert_memory_equal(r->validator.data, c.public_key[NODE(1)], KEY_LEN);
    assay__submit_evidence_result__free_unpacked(r, NULL);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(2), NODE(3), NODE(4))));
    assert_int_equal(council_role(&c, NODE(1)), NODE_OBSERVER);
    assert_int_equal(evidence_get(&c.w.state, c.public_key[NODE(1)], &record, &found), OK);
    assert_true(found && record.removed && record.epoch == COUNCIL_EPOCH && record.view == COUNCIL_VIEW);
    assert_memory_equal(record.submitted_by, c.public_key[NODE(3)], KEY_LEN);
    assert_int_equal(record.votes[0].block[0] + record.votes[1].block[0], 3);
    council_close(&c);
}

static void four_must_remain(void **state) {
    (void)state;
    struct council c;
    struct evidence_record record;
    bool found = false;
    council_open(&c, 4, 4, 1);
    assert_int_equal(convict(&c, NODE(0), NODE(2)), CODE_OK);
    assert_non_null(strstr(c.w.answer.detail, "governance must replace"));
    Assay__SubmitEvidenceResult *r =
        assay__submit_evidence_result__unpack(NULL, c.w.answer.result.len, c.w.answer.result.data);
    assert_true(!r->removed && r->validators == 4);
    assay__submit_evidence_result__free_unpacked(r, NULL);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2), NODE(3))));
    assert_int_equal(evidence_get(&c.w.state, c.public_key[NODE(0)], &record, &found), OK);
    assert_true(found && !record.removed);
    /* Governance replaces it, and the newcomer takes its place. */
    assert_int_equal(propose_replace(&c, 1, NODE(0), NODE(4)), CODE_OK);
    assert_int_equal(council_vote(&c, 2, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote(&c, 3, VOTE_YES), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(4), NODE(1), NODE(2), NODE(3))));
    council_close(&c);
}

static void evidence_is_taken_once(void **state) {
    (void)state;
    struct council c;
    struct pair p;
    council_open(&c, 4, 6, 0);
    assert_int_equal(convict(&c, NODE(1), NODE(0)), CODE_OK);
    assert_int_equal(convict(&c, NODE(1), NODE(2)), CODE_EVIDENCE_RECORDED);
    pair_init(&p, &c, NODE(1), VOTE_NULLIFY, 0, VOTE_FINALIZE, 5);
    assert_int_equal(submit(&c, &p, NODE(2)), CODE_EVIDENCE_RECORDED);
    /* Against a second one it counts; against the third only four would not remain. */
    assert_int_equal(convict(&c, NODE(2), NODE(0)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(3), NODE(4), NODE(5))));
    assert_int_equal(convict(&c, NODE(3), NODE(0)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(3), NODE(4), NODE(5))));
    assert_int_equal(convict(&c, NODE(3), NODE(0)), CODE_EVIDENCE_RECORDED);
    council_close(&c);
}

static void what_proves_nothing_is_refused_by_name(void **state) {
    (void)state;
    struct council c;
    struct pair p;
    uint8_t chain_id[CHAIN_ID_LEN];
    council_open(&c, 5, 5, 1);
    pair_init(&p, &c, NODE(1), VOTE_NOTARIZE, 1, VOTE_NOTARIZE, 1);
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_NO_CONTRADICTION); /* the same block */
    pair_init(&p, &c, NODE(1), VOTE_NOTARIZE, 1, VOTE_NULLIFY, 0);
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_NO_CONTRADICTION);
    pair_init(&p, &c, NODE(1), VOTE_NULLIFY, 0, VOTE_NULLIFY, 0);
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_NO_CONTRADICTION);
    pair_init(&p, &c, NODE(5), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2); /* an observer */
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_NOT_VALIDATOR);
    pair_init(&p, &c, FRESH(0), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_NOT_VALIDATOR);
    for (size_t i = 0; i < 2; i++) {
        pair_init(&p, &c, NODE(1), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
        p.signatures[i][5] ^= 1;
        assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_SIGNATURE);
        /* Signed for another chain. */
        pair_init(&p, &c, NODE(1), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
        memcpy(chain_id, c.w.chain_id, CHAIN_ID_LEN);
        chain_id[7] ^= 1;
        vote_sign(&c, NODE(1), chain_id, VOTE_FINALIZE, p.blocks[i], p.signatures[i]);
        assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_SIGNATURE);
        /* Signed by another validator. */
        pair_init(&p, &c, NODE(1), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
        vote_sign(&c, NODE(2), c.w.chain_id, VOTE_FINALIZE, p.blocks[i], p.signatures[i]);
        assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_SIGNATURE);
    }
    /* Of another view or epoch than was signed. */
    pair_init(&p, &c, NODE(1), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
    p.args.view++;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_SIGNATURE);
    p.args.view--;
    p.args.epoch++;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_EVIDENCE_SIGNATURE);
    p.args.epoch--;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_OK);
    council_close(&c);
}

static void malformed_votes_are_refused(void **state) {
    (void)state;
    struct council c;
    struct pair p;
    council_open(&c, 5, 5, 0);
    pair_init(&p, &c, NODE(1), VOTE_FINALIZE, 1, VOTE_FINALIZE, 2);
    p.args.second = NULL;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    p.args.second = &p.votes[1];
    p.votes[1].kind = 5;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    p.votes[1].kind = 0;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    p.votes[1].kind = VOTE_FINALIZE;
    p.votes[1].signature.len--;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    p.votes[1].signature.len++;
    p.votes[1].block.len--;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    p.votes[1].block.len++;
    p.args.validator.len--;
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    pair_init(&p, &c, NODE(1), VOTE_NULLIFY, 1, VOTE_FINALIZE, 2); /* a nullify that names a block */
    assert_int_equal(submit(&c, &p, NODE(0)), CODE_BAD_ARGUMENTS);
    council_close(&c);
}

static void any_node_or_admin_may_submit_and_nobody_else(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 5, 9, 1);
    assert_int_equal(council_register(&c, 0, FRESH(1), NODE_GATEWAY), CODE_OK);
    assert_int_equal(convict(&c, NODE(1), FRESH(0)), CODE_UNKNOWN_SENDER);
    assert_int_equal(convict(&c, NODE(1), NODE(9)), CODE_OK);  /* an observer */
    assert_int_equal(convict(&c, NODE(2), FRESH(1)), CODE_OK); /* a gateway */
    assert_int_equal(convict(&c, NODE(3), ADMIN(4)), CODE_OK);
    assert_int_equal(convict(&c, NODE(4), NODE(1)), CODE_OK); /* even one that is convicted: the signatures speak */
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(5), NODE(6), NODE(7), NODE(8))));
    council_close(&c);
}

static void a_convicted_key_never_becomes_a_validator_again(void **state) {
    (void)state;
    struct council c;
    Assay__RemoveNode gone = ASSAY__REMOVE_NODE__INIT;
    council_open(&c, 1, 5, 1);
    assert_int_equal(convict(&c, NODE(1), NODE(0)), CODE_OK);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_NODE_CONVICTED);
    assert_int_equal(propose_replace(&c, 0, NODE(0), NODE(1)), CODE_NODE_CONVICTED);
    /* Nor by being registered afresh. */
    gone.key = council_key(&c, NODE(1));
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_OK);
    assert_int_equal(council_register(&c, 0, NODE(1), NODE_OBSERVER), CODE_NODE_CONVICTED);
    council_close(&c);
}

static void a_validator_is_removed_on_evidence_by_a_proposal(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, 4, 0);
    assert_int_equal(propose_remove_convicted(&c, 0, NODE(1)), CODE_EVIDENCE_NONE);
    assert_int_equal(convict(&c, NODE(1), NODE(0)), CODE_OK);
    assert_int_equal(propose_remove_convicted(&c, 0, NODE(1)), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(2), NODE(3))));
    assert_int_equal(propose_remove_convicted(&c, 0, NODE(1)), CODE_VALIDATOR_UNKNOWN);
    council_close(&c);
}

/* Open proposals stay valid when evidence changes the set; what can't be carried out any more fails. */
static void evidence_does_not_touch_open_proposals(void **state) {
    (void)state;
    struct council c;
    uint8_t add[HASH_LEN], removal[HASH_LEN];
    council_open(&c, 3, 5, 1);
    assert_int_equal(propose_add(&c, 0, NODE(5)), CODE_OK);
    memcpy(add, c.id, HASH_LEN);
    assert_int_equal(propose_remove(&c, 0, NODE(1)), CODE_OK);
    memcpy(removal, c.id, HASH_LEN);
    assert_int_equal(convict(&c, NODE(1), NODE(0)), CODE_OK);
    assert_int_equal(council_vote_on(&c, 1, add, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote_on(&c, 2, add, VOTE_YES), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(2), NODE(3), NODE(4), NODE(5))));
    assert_int_equal(council_vote_on(&c, 1, removal, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote_on(&c, 2, removal, VOTE_YES), CODE_OK);
    struct proposal_record p = council_proposal(&c, removal);
    assert_int_equal(p.state, PROPOSAL_FAILED);
    assert_int_equal(p.outcome, CODE_VALIDATOR_UNKNOWN);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(2), NODE(3), NODE(4), NODE(5))));
    council_close(&c);
}

static void evidence_against_one_says_nothing_of_another(void **state) {
    (void)state;
    struct council c;
    struct evidence_record record;
    bool found;
    council_open(&c, 5, 8, 0);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(convict(&c, NODE(i), NODE(0)), CODE_OK);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(evidence_get(&c.w.state, c.public_key[NODE(i)], &record, &found), OK);
        assert_int_equal(found, i >= 1 && i <= 3);
        assert_true(!found || memcmp(record.validator, c.public_key[NODE(i)], KEY_LEN) == 0);
    }
    council_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_pairs_that_contradict_are_exactly_these),
        cmocka_unit_test(the_first_evidence_removes_a_validator_and_keeps_the_order),
        cmocka_unit_test(four_must_remain),
        cmocka_unit_test(evidence_is_taken_once),
        cmocka_unit_test(what_proves_nothing_is_refused_by_name),
        cmocka_unit_test(malformed_votes_are_refused),
        cmocka_unit_test(any_node_or_admin_may_submit_and_nobody_else),
        cmocka_unit_test(a_convicted_key_never_becomes_a_validator_again),
        cmocka_unit_test(a_validator_is_removed_on_evidence_by_a_proposal),
        cmocka_unit_test(evidence_does_not_touch_open_proposals),
        cmocka_unit_test(evidence_against_one_says_nothing_of_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
