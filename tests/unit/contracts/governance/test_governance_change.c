#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council.h"

#include "contracts/governance/governance_records.h"
#include "tests/lib/next_due.h"

/* ---- Validators --------------------------------------------------------------------------------------------- */

static void one_organisation_alone_decides_at_once(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, 1, 1);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    Assay__ProposalResult *r = assay__proposal_result__unpack(NULL, c.w.answer.result.len, c.w.answer.result.data);
    assert_memory_equal(r->proposal_id.data, c.id, HASH_LEN);
    assert_true(r->state == PROPOSAL_PASSED && r->yes == 1 && r->no == 0 && r->organisations == 1 && r->outcome == 0);
    assay__proposal_result__free_unpacked(r, NULL);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1))));
    council_close(&c);
}

static void adding_appends_removing_keeps_order_and_replacing_keeps_the_place(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, 4, 2);
    assert_int_equal(propose_add(&c, 0, NODE(5)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2), NODE(3), NODE(5))));
    assert_int_equal(propose_remove(&c, 0, NODE(1)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(2), NODE(3), NODE(5))));
    assert_int_equal(council_role(&c, NODE(1)), NODE_OBSERVER);
    assert_int_equal(propose_replace(&c, 0, NODE(2), NODE(4)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(4), NODE(3), NODE(5))));
    assert_int_equal(council_role(&c, NODE(2)), NODE_OBSERVER);
    /* Whoever left may come back, in the last place. */
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(4), NODE(3), NODE(5), NODE(1))));
    council_close(&c);
}

static void a_change_of_validators_that_cannot_be_is_refused(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, 1, 1);
    assert_int_equal(council_register(&c, 0, FRESH(1), NODE_GATEWAY), CODE_OK);
    assert_int_equal(propose_add(&c, 0, FRESH(0)), CODE_NODE_UNKNOWN);
    assert_int_equal(propose_add(&c, 0, FRESH(1)), CODE_NODE_ROLE);
    assert_int_equal(propose_add(&c, 0, NODE(0)), CODE_VALIDATOR_EXISTS);
    assert_int_equal(propose_remove(&c, 0, NODE(1)), CODE_VALIDATOR_UNKNOWN);
    assert_int_equal(propose_remove(&c, 0, NODE(0)), CODE_VALIDATOR_LAST);
    assert_int_equal(propose_replace(&c, 0, NODE(1), NODE(0)), CODE_VALIDATOR_UNKNOWN);
    assert_int_equal(propose_replace(&c, 0, NODE(0), NODE(0)), CODE_VALIDATOR_EXISTS);
    assert_int_equal(propose_replace(&c, 0, NODE(0), FRESH(0)), CODE_NODE_UNKNOWN);
    assert_int_equal(propose_replace(&c, 0, NODE(0), NODE(1)), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(1))));
    council_close(&c);
}

static void there_are_at_most_so_many_validators(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, LIMIT_VALIDATORS - 1, 2);
    assert_int_equal(propose_add(&c, 0, NODE(LIMIT_VALIDATORS - 1)), CODE_OK);
    assert_int_equal(propose_add(&c, 0, NODE(LIMIT_VALIDATORS)), CODE_VALIDATOR_LIMIT);
    assert_int_equal(propose_replace(&c, 0, NODE(0), NODE(LIMIT_VALIDATORS)), CODE_OK);
    council_close(&c);
}

static void two_proposals_in_one_block_both_count(void **state) {
    (void)state;
    struct council c;
    uint8_t first[HASH_LEN], second[HASH_LEN];
    council_open(&c, 2, 2, 1);
    assert_int_equal(propose_add(&c, 0, NODE(2)), CODE_OK);
    memcpy(first, c.id, HASH_LEN);
    assert_int_equal(propose_remove(&c, 0, NODE(0)), CODE_OK);
    memcpy(second, c.id, HASH_LEN);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(council_vote_on(&c, 1, first, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote_on(&c, 1, second, VOTE_YES), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(1), NODE(2))));
    council_close(&c);
}

static void what_can_no_longer_be_carried_out_has_failed_and_changed_nothing(void **state) {
    (void)state;
    struct council c;
    uint8_t twin[HASH_LEN];
    Assay__RemoveNode gone = ASSAY__REMOVE_NODE__INIT;
    council_open(&c, 2, 2, 2);
    assert_int_equal(propose_add(&c, 0, NODE(2)), CODE_OK);
    memcpy(twin, c.id, HASH_LEN);
    assert_int_equal(propose_add(&c, 0, NODE(2)), CODE_OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote_on(&c, 1, twin, VOTE_YES), CODE_OK);
    Assay__ProposalResult *r = assay__proposal_result__unpack(NULL, c.w.answer.result.len, c.w.answer.result.data);
    assert_true(r->state == PROPOSAL_FAILED && r->outcome == CODE_VALIDATOR_EXISTS);
    assay__proposal_result__free_unpacked(r, NULL);
    assert_int_equal(council_proposal(&c, twin).outcome, CODE_VALIDATOR_EXISTS);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2))));
    /* A node that its organisation took away meanwhile. */
    assert_int_equal(propose_add(&c, 0, NODE(3)), CODE_OK);
    gone.key = council_key(&c, NODE(3));
    uint8_t id[HASH_LEN];
    memcpy(id, c.id, HASH_LEN);
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(1))), CODE_OK);
    assert_int_equal(council_vote_on(&c, 1, id, VOTE_YES), CODE_OK);
    assert_int_equal(council_proposal(&c, id).outcome, CODE_NODE_UNKNOWN);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2))));
    council_close(&c);
}

/* ---- Organisations ------------------------------------------------------------------------------------------ */

static void an_admitted_organisation_speaks_and_votes(void **state) {
    (void)state;
    struct council c;
    struct org_record org;
    bool found = false;
    council_open(&c, 1, 1, 0);
    assert_int_equal(propose_admit(&c, 0, 1, ADMIN(1)), CODE_OK);
    assert_int_equal(org_get(&c.w.state, "org1", &org, &found), OK);
    assert_true(found && org.org.kind == ORG_BROKER && org.org.admin_threshold == 1);
    assert_string_equal(org.org.name, "A newcomer");
    assert_int_equal(council_register(&c, 1, FRESH(0), NODE_OBSERVER), CODE_OK);
    assert_int_equal(propose_add(&c, 0, FRESH(0)), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_OPEN); /* now it takes both */
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), FRESH(0))));
    council_close(&c);
}

static void an_organisation_that_breaks_a_rule_is_not_admitted(void **state) {
    (void)state;
    struct council c;
    Assay__AdmitOrg change;
    assay__admit_org__init(&change);
    Assay__Propose args;
    assay__propose__init(&args);
    council_open(&c, 2, 1, 0);
    ProtobufCBinaryData admins[GENESIS_ADMINS_MAX + 1];
    for (int i = 0; i <= GENESIS_ADMINS_MAX; i++) {
        admins[i] = council_key(&c, FRESH(i));
    }
    change.id = council_text("newcomer");
    change.name = council_text("A newcomer");
    change.kind = ORG_OWNER;
    change.admin_threshold = 2;
    change.n_admins = 2;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ADMIT_ORG;
    args.admit_org = &change;
#define BREAKS(set, reset, code)                                                                                       \
    set;                                                                                                               \
    assert_int_equal(council_propose(&c, 0, &args), code);                                                             \
    reset
    BREAKS(change.id = council_text("New"), change.id = council_text("newcomer"), CODE_BAD_ARGUMENTS);
    BREAKS(change.id = council_text(""), change.id = council_text("newcomer"), CODE_BAD_ARGUMENTS);
    BREAKS(change.id = council_text("a/b"), change.id = council_text("newcomer"), CODE_BAD_ARGUMENTS);
    BREAKS(change.id = council_text("org1"), change.id = council_text("newcomer"), CODE_ORG_EXISTS);
    BREAKS(change.name = council_text(""), change.name = council_text("A newcomer"), CODE_BAD_ARGUMENTS);
    BREAKS(change.name = council_text("\x01"), change.name = council_text("A newcomer"), CODE_TEXT_NOT_CLEAN);
    BREAKS(change.kind = 0, change.kind = ORG_OWNER, CODE_BAD_ARGUMENTS);
    BREAKS(change.kind = 5, change.kind = ORG_OWNER, CODE_BAD_ARGUMENTS);
    BREAKS(change.admin_threshold = 0, change.admin_threshold = 2, CODE_BAD_ARGUMENTS);
    BREAKS(change.admin_threshold = 3, change.admin_threshold = 2, CODE_BAD_ARGUMENTS);
    BREAKS(change.admin_threshold = 258, change.admin_threshold = 2, CODE_BAD_ARGUMENTS);
    BREAKS(change.n_admins = 0, change.n_admins = 2, CODE_BAD_ARGUMENTS);
    BREAKS(change.n_admins = GENESIS_ADMINS_MAX + 1, change.n_admins = 2, CODE_BAD_ARGUMENTS);
    BREAKS(admins[1] = admins[0], admins[1] = council_key(&c, FRESH(1)), CODE_BAD_ARGUMENTS);
    BREAKS(admins[1].len = 31, admins[1].len = 32, CODE_BAD_ARGUMENTS);
    BREAKS(admins[1] = council_key(&c, ADMIN(1)), admins[1] = council_key(&c, FRESH(1)), CODE_ADMIN_KEY_TAKEN);
#undef BREAKS
    assert_int_equal(council_propose(&c, 0, &args), CODE_OK);
    council_close(&c);
}

static void organisations_are_limited(void **state) {
    (void)state;
    struct council c;
    council_open(&c, ORGS_MAX, 1, 0);
    assert_int_equal(propose_admit(&c, 0, ORGS_MAX, FRESH(0)), CODE_ORG_LIMIT);
    council_close(&c);
}

static void a_key_rotated_in_may_not_speak_for_two(void **state) {
    (void)state;
    struct council c;
    Assay__RotateAdmins change;
    assay__rotate_admins__init(&change);
    Assay__Propose args;
    assay__propose__init(&args);
    council_open(&c, 2, 1, 0);
    ProtobufCBinaryData admins[] = {council_key(&c, ADMIN(0)), council_key(&c, ADMIN(1))};
    change.org = council_org(0);
    change.admin_threshold = 1;
    change.n_admins = 2;
    change.admins = admins;
    args.change_case = ASSAY__PROPOSE__CHANGE_ROTATE_ADMINS;
    args.rotate_admins = &change;
    assert_int_equal(council_propose(&c, 0, &args), CODE_ADMIN_KEY_TAKEN);
    admins[1] = council_key(&c, FRESH(0)); /* its own old key may stay */
    assert_int_equal(council_propose(&c, 0, &args), CODE_OK);
    change.org = council_text("nobody");
    assert_int_equal(council_propose(&c, 0, &args), CODE_ORG_UNKNOWN);
    council_close(&c);
}

static void an_organisation_with_validators_and_the_last_one_stay(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 1, 1, 1);
    assert_int_equal(propose_expel(&c, 0, 0), CODE_ORG_LAST);
    assert_int_equal(propose_expel(&c, 0, 1), CODE_ORG_UNKNOWN);
    council_close(&c);
    council_open(&c, 4, 2, 0); /* validators of org0 and org1 */
    assert_int_equal(propose_expel(&c, 0, 1), CODE_ORG_HAS_VALIDATORS);
    assert_int_equal(propose_expel(&c, 0, 2), CODE_OK);
    council_close(&c);
}

static void a_removed_organisation_is_silent_and_its_nodes_go(void **state) {
    (void)state;
    struct council c;
    struct governance_totals totals;
    struct node_record node;
    bool found = true;
    council_open(&c, 4, 1, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(council_register(&c, 3, FRESH(i), NODE_GATEWAY), CODE_OK);
    }
    assert_int_equal(propose_expel(&c, 0, 3), CODE_OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote(&c, 2, VOTE_YES), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    /* At once: its admin is unknown, and so are its nodes. */
    assert_int_equal(council_vote(&c, 3, VOTE_YES), CODE_UNKNOWN_SENDER);
    assert_int_equal(node_get(&c.w.state, c.public_key[FRESH(0)], &node, &found), OK);
    assert_false(found);
    assert_int_equal(propose_admit(&c, 0, 3, FRESH(9)), CODE_ORG_LEAVING);
    /* In the blocks after: its records go, one in each. */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(governance_totals(&c.w.state, &totals), OK);
        assert_int_equal(totals.nodes[NODE_GATEWAY], 5 - i);
        assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    }
    assert_int_equal(governance_totals(&c.w.state, &totals), OK);
    assert_int_equal(totals.nodes[NODE_GATEWAY], 0);
    assert_int_equal(totals.orgs, 3);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    uint64_t due_ms = 1;
    assert_int_equal(next_due(&c.w.state, &due_ms), OK);
    assert_int_equal(due_ms, council_proposal(&c, c.id).expires_ms);
    assert_int_equal(propose_admit(&c, 0, 3, FRESH(9)), CODE_OK);
    assert_int_equal(council_register(&c, 0, FRESH(0), NODE_OBSERVER), CODE_OK);
    council_close(&c);
}

static void a_removed_organisations_votes_do_not_count(void **state) {
    (void)state;
    struct council c;
    uint8_t add[HASH_LEN], expel[HASH_LEN];
    council_open(&c, 5, 1, 1); /* the observer is org1's */
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    memcpy(add, c.id, HASH_LEN);
    assert_int_equal(council_vote_on(&c, 4, add, VOTE_YES), CODE_OK);
    assert_int_equal(council_proposal(&c, add).tally.yes, 2);
    assert_int_equal(propose_expel(&c, 1, 4), CODE_OK);
    memcpy(expel, c.id, HASH_LEN);
    for (unsigned i = 0; i < 4; i++) {
        if (i != 1) {
            assert_int_equal(council_vote_on(&c, i, expel, VOTE_YES), CODE_OK);
        }
    }
    assert_int_equal(council_proposal(&c, expel).state, PROPOSAL_PASSED);
    struct proposal_record p = council_proposal(&c, add);
    assert_true(p.state == PROPOSAL_OPEN && p.tally.yes == 1 && p.tally.organisations == 4);
    /* Three of the four that are left. */
    assert_int_equal(council_vote_on(&c, 1, add, VOTE_YES), CODE_OK);
    assert_int_equal(council_proposal(&c, add).state, PROPOSAL_OPEN);
    assert_int_equal(council_vote_on(&c, 2, add, VOTE_YES), CODE_OK);
    assert_int_equal(council_proposal(&c, add).state, PROPOSAL_PASSED);
    /* A closed proposal keeps the votes that closed it. */
    assert_int_equal(council_proposal(&c, expel).tally.yes, 4);
    council_close(&c);
}

/* With one organisation fewer, votes that did not do before are enough; with one more, refused ones are not yet. */
static void open_proposals_are_counted_again_when_organisations_go(void **state) {
    (void)state;
    struct council c;
    uint8_t add[2][HASH_LEN];
    council_open(&c, 7, 1, 2); /* observers of org1 and org2 */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(propose_add(&c, 0, NODE(1 + (int)i)), CODE_OK);
        memcpy(add[i], c.id, HASH_LEN);
        for (unsigned org = 1; org <= 3; org++) {
            assert_int_equal(council_vote_on(&c, org, add[i], VOTE_YES), CODE_OK);
        }
        c.w.now_ms++;
    }
    for (unsigned gone = 6; gone >= 5; gone--) { /* four of six is not enough yet, four of five is */
        assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
        assert_int_equal(council_proposal(&c, add[0]).state, PROPOSAL_OPEN);
        assert_int_equal(propose_expel(&c, 0, gone), CODE_OK);
        for (unsigned org = 1; org <= 4 && council_state(&c) == PROPOSAL_OPEN; org++) {
            assert_int_equal(council_vote(&c, org, VOTE_YES), CODE_OK);
        }
        assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    }
    assert_int_equal(council_proposal(&c, add[0]).state, PROPOSAL_OPEN);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK); /* one a block, the oldest first */
    assert_int_equal(council_proposal(&c, add[0]).state, PROPOSAL_PASSED);
    assert_int_equal(council_proposal(&c, add[1]).state, PROPOSAL_OPEN);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(council_proposal(&c, add[1]).state, PROPOSAL_PASSED);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2))));
    council_close(&c);
}

/* ---- Rules -------------------------------------------------------------------------------------------------- */

static void parameters_change_within_their_ranges(void **state) {
    (void)state;
    struct council c;
    struct params_record params;
    bool found = false;
    council_open(&c, 1, 1, 0);
    for (uint32_t p = 1; p <= PARAM_LAST; p++) {
        const struct param_range *range = governance_param_range(p);
        assert_int_equal(propose_param(&c, 0, p, range->most + 1), CODE_PARAM_RANGE);
        assert_int_equal(propose_param(&c, 0, p, range->least - 1),
                         range->least == 1 || !range->or_zero || range->least > 1 ? CODE_PARAM_RANGE : CODE_OK);
        assert_int_equal(propose_param(&c, 0, p, range->least), CODE_OK);
        assert_int_equal(council_state(&c), PROPOSAL_PASSED);
        assert_int_equal(params_get(&c.w.state, &params, &found), OK);
        assert_int_equal(governance_param_get(&params.params, p), range->least);
        assert_int_equal(params.stamp.changed_height, c.w.height);
        assert_int_equal(propose_param(&c, 0, p, range->least), CODE_PROPOSAL_NO_EFFECT);
    }
    assert_int_equal(propose_param(&c, 0, PARAM_HEARTBEAT_MS, 0), CODE_OK);
    assert_int_equal(propose_param(&c, 0, 0, 5), CODE_PARAM_UNKNOWN);
    assert_int_equal(propose_param(&c, 0, PARAM_LAST + 1, 5), CODE_PARAM_UNKNOWN);
    council_close(&c);
}

static void several_parameters_change_together_each_once(void **state) {
    (void)state;
    struct council c;
    struct params_record params;
    bool found = false;
    Assay__ParamSetting a = ASSAY__PARAM_SETTING__INIT, b = ASSAY__PARAM_SETTING__INIT;
    Assay__ParamSetting *settings[] = {&a, &b};
    Assay__SetParams change = ASSAY__SET_PARAMS__INIT;
    Assay__Propose args;
    assay__propose__init(&args);
    council_open(&c, 1, 1, 0);
    change.n_settings = 2;
    change.settings = settings;
    args.change_case = ASSAY__PROPOSE__CHANGE_SET_PARAMS;
    args.set_params = &change;
    a = b = (Assay__ParamSetting){.base = a.base, .param = PARAM_MAX_BLOCK_TXS, .value = 7};
    assert_int_equal(council_propose(&c, 0, &args), CODE_BAD_ARGUMENTS);
    b.param = PARAM_HEARTBEAT_MS;
    b.value = 500;
    assert_int_equal(council_propose(&c, 0, &args), CODE_BAD_ARGUMENTS); /* falling */
    settings[0] = &b;
    settings[1] = &a;
    assert_int_equal(council_propose(&c, 0, &args), CODE_OK);
    assert_int_equal(params_get(&c.w.state, &params, &found), OK);
    assert_true(params.params.max_block_txs == 7 && params.params.heartbeat_ms == 500);
    change.n_settings = 0;
    assert_int_equal(council_propose(&c, 0, &args), CODE_BAD_ARGUMENTS);
    council_close(&c);
}

static void a_lower_threshold_lets_what_waits_pass(void **state) {
    (void)state;
    struct council c;
    uint8_t add[HASH_LEN];
    council_open(&c, 3, 1, 1);
    assert_int_equal(propose_add(&c, 0, NODE(1)), CODE_OK);
    memcpy(add, c.id, HASH_LEN);
    assert_int_equal(council_vote_on(&c, 1, add, VOTE_YES), CODE_OK);
    assert_int_equal(propose_param(&c, 0, PARAM_VOTE_THRESHOLD_PERCENT, 51), CODE_OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    assert_int_equal(council_vote(&c, 2, VOTE_YES), CODE_OK);
    assert_int_equal(council_state(&c), PROPOSAL_PASSED);
    assert_int_equal(council_proposal(&c, add).state, PROPOSAL_OPEN);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(council_proposal(&c, add).state, PROPOSAL_PASSED);
    council_close(&c);
}

static uint32_t version_now(struct council *c) {
    struct params_record params;
    bool found = false;
    assert_int_equal(params_get(&c->w.state, &params, &found), OK);
    return params.params.protocol_version;
}

static uint32_t version_at(struct council *c, uint64_t height) {
    uint32_t version = 0;
    assert_int_equal(governance_protocol_at(&c->w.state, height, &version), OK);
    return version;
}

static void the_protocol_version_switches_at_its_height(void **state) {
    (void)state;
    struct council c;
    struct protocol_next next;
    bool pending = false;
    council_open(&c, 1, 1, 0);
    assert_int_equal(propose_protocol(&c, 0, 0, 100), CODE_PROTOCOL_LOWER);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION, 100), CODE_PROPOSAL_NO_EFFECT);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION + 1, c.w.height), CODE_PROTOCOL_HEIGHT_PASSED);
    assert_int_equal(propose_protocol(&c, 0, 7, 4), CODE_OK); /* unknown to this program: may be voted in */
    assert_int_equal(governance_protocol_next(&c.w.state, &next, &pending), OK);
    assert_true(pending && next.version == 7 && next.height == 4);
    assert_int_equal(version_at(&c, 3), PROTOCOL_VERSION);
    assert_int_equal(version_at(&c, 4), 7);
    for (uint64_t height = 2; height <= 3; height++) {
        assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
        assert_int_equal(version_now(&c), PROTOCOL_VERSION);
    }
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(c.w.height, 4);
    assert_int_equal(version_now(&c), 7);
    assert_int_equal(version_at(&c, 5), 7);
    assert_int_equal(governance_protocol_next(&c.w.state, &next, &pending), OK);
    assert_false(pending);
    assert_int_equal(propose_protocol(&c, 0, 6, 100), CODE_PROTOCOL_LOWER);
    council_close(&c);
}

static void a_switch_to_come_is_moved_and_taken_back(void **state) {
    (void)state;
    struct council c;
    struct protocol_next next;
    bool pending = false;
    council_open(&c, 1, 1, 0);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION + 1, 10), CODE_OK);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION + 1, 20), CODE_OK);
    assert_int_equal(governance_protocol_next(&c.w.state, &next, &pending), OK);
    assert_true(pending && next.height == 20);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION, 0), CODE_OK);
    assert_int_equal(governance_protocol_next(&c.w.state, &next, &pending), OK);
    assert_false(pending);
    c.w.height = 30;
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(version_now(&c), PROTOCOL_VERSION);
    council_close(&c);
}

static void a_height_that_passed_while_voting_fails(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 2, 1, 0);
    assert_int_equal(propose_protocol(&c, 0, PROTOCOL_VERSION + 1, 3), CODE_OK);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(world_block(&c.w, c.w.now_ms + 1), OK);
    assert_int_equal(council_vote(&c, 1, VOTE_YES), CODE_OK);
    struct proposal_record p = council_proposal(&c, c.id);
    assert_int_equal(p.state, PROPOSAL_FAILED);
    assert_int_equal(p.outcome, CODE_PROTOCOL_HEIGHT_PASSED);
    assert_int_equal(version_at(&c, 100), PROTOCOL_VERSION);
    council_close(&c);
}

/* ---- Bytes -------------------------------------------------------------------------------------------------- */

/* What was proposed is what stands in the record, for every kind. */
static void every_change_survives_its_bytes(void **state) {
    (void)state;
    struct genesis_org org = {
        .id = "acme", .name = "Acme", .kind = ORG_VENDOR, .admin_count = 2, .admin_threshold = 1, .admins = {{1}, {2}}};
    const struct governance_change changes[] = {
        {.kind = CHANGE_ADMIT_ORG, .org = org},
        {.kind = CHANGE_REMOVE_ORG, .org = {.id = "acme"}},
        {.kind = CHANGE_ADD_VALIDATOR, .key = {3}},
        {.kind = CHANGE_REMOVE_VALIDATOR, .key = {3}},
        {.kind = CHANGE_REPLACE_VALIDATOR, .key = {3}, .new_key = {4}},
        {.kind = CHANGE_SET_PARAMS, .setting_count = 2, .settings = {{1, 500}, {5, 80}}},
        {.kind = CHANGE_ROTATE_ADMINS, .org = {.id = "acme", .admin_count = 1, .admin_threshold = 1, .admins = {{9}}}},
        {.kind = CHANGE_SET_PROTOCOL, .version = 2, .height = 77},
        {.kind = CHANGE_REMOVE_CONVICTED, .key = {3}},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct buffer bytes = BUFFER_INIT, again = BUFFER_INIT;
        struct governance_change read;
        record_encode(&governance_change_shape, &changes[i], &bytes);
        assert_int_equal(record_decode(&governance_change_shape, buffer_bytes(&bytes), &read), OK);
        record_encode(&governance_change_shape, &read, &again);
        assert_true(bytes_equal(buffer_bytes(&bytes), buffer_bytes(&again)));
        assert_int_equal(read.kind, changes[i].kind);
        assert_string_not_equal(governance_change_name(read.kind), "unknown");
        for (size_t len = 0; len < bytes.len; len++) {
            assert_int_equal(record_decode(&governance_change_shape, bytes_of(bytes.data, len), &read), ERR_CORRUPT);
        }
        buffer_free(&bytes);
        buffer_free(&again);
    }
    /* The examples of docs/formats.md. */
    static const char settings[] = "\x06\x02\x01\0\0\0\0\0\0\x01\xf4\x05\0\0\0\0\0\0\0\x50";
    static const char version[] = "\x08\0\0\0\x02\0\0\0\0\0\0\0\x4d";
    const struct bytes examples[] = {bytes_of(settings, sizeof settings - 1), bytes_of(version, sizeof version - 1)};
    const size_t kinds[] = {5, 7};
    for (size_t i = 0; i < 2; i++) {
        struct buffer bytes = BUFFER_INIT;
        record_encode(&governance_change_shape, &changes[kinds[i]], &bytes);
        assert_true(bytes_equal(buffer_bytes(&bytes), examples[i]));
        buffer_free(&bytes);
    }
    struct governance_change read;
    assert_int_equal(record_decode(&governance_change_shape, bytes_of("\x0a", 1), &read), ERR_CORRUPT);
    static const char out_of_range[] = "\x06\x01\x05\0\0\0\0\0\0\0\x65"; /* a threshold of 101 percent */
    assert_int_equal(record_decode(&governance_change_shape, bytes_of(out_of_range, sizeof out_of_range - 1), &read),
                     ERR_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_organisation_alone_decides_at_once),
        cmocka_unit_test(adding_appends_removing_keeps_order_and_replacing_keeps_the_place),
        cmocka_unit_test(a_change_of_validators_that_cannot_be_is_refused),
        cmocka_unit_test(there_are_at_most_so_many_validators),
        cmocka_unit_test(two_proposals_in_one_block_both_count),
        cmocka_unit_test(what_can_no_longer_be_carried_out_has_failed_and_changed_nothing),
        cmocka_unit_test(an_admitted_organisation_speaks_and_votes),
        cmocka_unit_test(an_organisation_that_breaks_a_rule_is_not_admitted),
        cmocka_unit_test(organisations_are_limited),
        cmocka_unit_test(a_key_rotated_in_may_not_speak_for_two),
        cmocka_unit_test(an_organisation_with_validators_and_the_last_one_stay),
        cmocka_unit_test(a_removed_organisation_is_silent_and_its_nodes_go),
        cmocka_unit_test(a_removed_organisations_votes_do_not_count),
        cmocka_unit_test(open_proposals_are_counted_again_when_organisations_go),
        cmocka_unit_test(parameters_change_within_their_ranges),
        cmocka_unit_test(several_parameters_change_together_each_once),
        cmocka_unit_test(a_lower_threshold_lets_what_waits_pass),
        cmocka_unit_test(the_protocol_version_switches_at_its_height),
        cmocka_unit_test(a_switch_to_come_is_moved_and_taken_back),
        cmocka_unit_test(a_height_that_passed_while_voting_fails),
        cmocka_unit_test(every_change_survives_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
