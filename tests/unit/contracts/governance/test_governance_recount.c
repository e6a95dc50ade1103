#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council_sound.h"

/* Organisations: few enough to write out, many enough that 51 and 100 percent differ by a lot. */
#define ORGS 10

static bool under_way(const struct council *c) {
    struct open_place place;
    bool found = false;
    assert_int_equal(recount_get(&c->w.state, &place, &found), OK);
    return found;
}

static void next_block(struct council *c) {
    assert_int_equal(world_block(&c->w, c->w.now_ms + 1), OK);
    assert_null(council_flaw(c));
}

static void vote_all(struct council *c, const uint8_t id[HASH_LEN], unsigned from, unsigned to) {
    uint8_t copy[HASH_LEN];
    memcpy(copy, id, HASH_LEN);
    for (unsigned org = from; org < to; org++) {
        assert_int_equal(council_vote_on(c, org, copy, VOTE_YES), CODE_OK);
    }
}

/* Sets the threshold; all vote for it, so it passes whatever it is. */
static void set_threshold(struct council *c, unsigned percent) {
    assert_int_equal(propose_param(c, 0, PARAM_VOTE_THRESHOLD_PERCENT, percent), CODE_OK);
    for (unsigned org = 1; org < ORGS && council_state(c) == PROPOSAL_OPEN; org++) {
        assert_int_equal(council_vote(c, org, VOTE_YES), CODE_OK);
    }
    assert_int_equal(council_state(c), PROPOSAL_PASSED);
}

/* `count` proposals to remove an organisation each, with `yes` votes. They close in the order of their ids. */
static void propose_removals(struct council *c, unsigned count, unsigned yes, uint8_t (*ids)[HASH_LEN]) {
    for (unsigned i = 0; i < count; i++) {
        c->w.now_ms++; /* in this order */
        assert_int_equal(propose_expel(c, 0, ORGS - 1 - i), CODE_OK);
        memcpy(ids[i], c->id, HASH_LEN);
        vote_all(c, ids[i], 1, yes);
        assert_int_equal(council_state(c), PROPOSAL_OPEN);
    }
}

static void one_proposal_is_counted_in_a_block(void **state) {
    (void)state;
    struct council c;
    uint8_t ids[4][HASH_LEN];
    council_open(&c, ORGS, 1, 0);
    propose_removals(&c, 4, 6, ids);
    set_threshold(&c, 66); /* still too few */
    assert_true(under_way(&c));
    for (size_t i = 0; i < 4; i++) {
        c.w.memory.history_count = 0;
        next_block(&c);
        struct open_place place;
        bool found = false;
        assert_int_equal(recount_get(&c.w.state, &place, &found), OK);
        assert_true(found);
        assert_memory_equal(place.bytes + 8, ids[i], HASH_LEN);
    }
    next_block(&c);
    assert_false(under_way(&c));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(council_proposal(&c, ids[i]).state, PROPOSAL_OPEN);
    }
    council_close(&c);
}

/* Each that is carried out alters who votes, so all are counted again; still one a block. */
static void proposals_that_pass_one_by_one_each_have_a_block(void **state) {
    (void)state;
    struct council c;
    uint8_t ids[4][HASH_LEN];
    council_open(&c, ORGS, 1, 0);
    propose_removals(&c, 4, 6, ids);
    set_threshold(&c, 51);
    for (unsigned passed = 0; passed < 4; passed++) {
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(council_proposal(&c, ids[i]).state, i < passed ? PROPOSAL_PASSED : PROPOSAL_OPEN);
        }
        c.w.memory.write_count = 0;
        next_block(&c);
        assert_in_range(c.w.memory.write_count, 1, 40);
    }
    next_block(&c);
    assert_false(under_way(&c));
    council_close(&c);
}

/* What was passed over with the votes as they were is looked at again with the votes as they are. */
static void another_change_begins_the_recount_anew(void **state) {
    (void)state;
    struct council c;
    uint8_t ids[4][HASH_LEN];
    council_open(&c, ORGS, 1, 0);
    propose_removals(&c, 4, 6, ids);
    set_threshold(&c, 66);
    next_block(&c);
    next_block(&c); /* two were passed over */
    set_threshold(&c, 51);
    next_block(&c);
    assert_int_equal(council_proposal(&c, ids[0]).state, PROPOSAL_PASSED);
    for (unsigned i = 0; i < 4; i++) {
        next_block(&c);
    }
    assert_false(under_way(&c));
    assert_int_equal(council_proposal(&c, ids[3]).state, PROPOSAL_PASSED);
    council_close(&c);
}

static void an_expired_proposal_is_passed_over(void **state) {
    (void)state;
    struct council c;
    uint8_t ids[2][HASH_LEN];
    council_open(&c, ORGS, 1, 0);
    propose_removals(&c, 2, 6, ids);
    set_threshold(&c, 51);
    c.w.now_ms += PROPOSAL_LIFETIME_DEFAULT_MS;
    next_block(&c);
    assert_int_equal(council_proposal(&c, ids[0]).state, PROPOSAL_EXPIRED);
    assert_int_equal(council_proposal(&c, ids[1]).state, PROPOSAL_EXPIRED);
    next_block(&c);
    assert_false(under_way(&c));
    council_close(&c);
}

/* A change that is more than one operation may write fails by that name, and does not stand in the way of the others.
 */
static void what_is_too_much_fails_and_the_others_are_counted(void **state) {
    (void)state;
    struct council c;
    struct due_round round;
    struct due_item item;
    uint8_t ids[3][HASH_LEN];
    bool found = false;
    council_open(&c, ORGS, 1, 0);
    propose_removals(&c, 3, 6, ids);
    set_threshold(&c, 51);
    c.w.height++;
    c.w.now_ms++;
    struct call call = world_call(&c.w, NULL, 0);
    due_round_begin(&round, c.w.now_ms, NULL);
    assert_int_equal(due_round_next(&round, &c.w.state, &item, &found), OK);
    assert_true(found && item.kind == DUE_RECOUNT);
    assert_int_equal(due_work_refused(&call, &item), OK);
    struct proposal_record p = council_proposal(&c, ids[0]);
    assert_int_equal(p.state, PROPOSAL_FAILED);
    assert_int_equal(p.outcome, CODE_TOO_MANY_WRITES);
    assert_int_equal(p.tally.yes, 6);
    for (unsigned i = 0; i < 3; i++) {
        next_block(&c);
    }
    assert_false(under_way(&c));
    assert_int_equal(council_proposal(&c, ids[1]).state, PROPOSAL_PASSED);
    assert_int_equal(council_proposal(&c, ids[2]).state, PROPOSAL_PASSED);
    council_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_proposal_is_counted_in_a_block),
        cmocka_unit_test(proposals_that_pass_one_by_one_each_have_a_block),
        cmocka_unit_test(another_change_begins_the_recount_anew),
        cmocka_unit_test(an_expired_proposal_is_passed_over),
        cmocka_unit_test(what_is_too_much_fails_and_the_others_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
