#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council.h"

#include "contracts/governance/governance_params.h"
#include "contracts/governance/governance_records.h"

static void genesis_lays_the_validators_in_file_order(void **state) {
    (void)state;
    struct council c;
    struct governance_totals totals;
    council_open(&c, 3, 5, 2);
    assert_true(council_set_is(&c, SIGNERS(NODE(0), NODE(1), NODE(2), NODE(3), NODE(4))));
    assert_int_equal(governance_totals(&c.w.state, &totals), OK);
    assert_int_equal(totals.orgs, 3);
    assert_int_equal(totals.nodes[NODE_VALIDATOR], 5);
    assert_int_equal(totals.nodes[NODE_OBSERVER], 2);
    assert_int_equal(totals.nodes[NODE_GATEWAY], 0);
    council_close(&c);
}

static void a_missing_or_damaged_set_is_a_local_fault(void **state) {
    (void)state;
    struct council c;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN] = {{9}};
    uint8_t record[2 + 2 * KEY_LEN] = {0, 2};
    uint16_t count = 77;
    council_open(&c, 1, 1, 0);
    struct record_key key = validators_key();
    const size_t bad[] = {1, 2, 2 + KEY_LEN, 2 + 2 * KEY_LEN - 1};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(state_put(&c.w.state, &key, bytes_of(record, bad[i])), OK);
        assert_int_equal(governance_validators(&c.w.state, keys, &count), ERR_CORRUPT);
    }
    assert_int_equal(state_remove(&c.w.state, &key), OK);
    assert_int_equal(governance_validators(&c.w.state, keys, &count), ERR_CORRUPT);
    assert_true(count == 77 && keys[0][0] == 9);
    council_close(&c);
}

static void more_than_f_validators_of_one_organisation_are_told(void **state) {
    (void)state;
    /* Dealt out in turn, the first organisation holds ceil(n / orgs). */
    static const struct {
        unsigned orgs, validators;
        bool dominated;
        uint16_t held;
    } cases[] = {
        {1, 1, true, 1}, /* f = 0 */
        {3, 3, true, 1}, {4, 4, false, 0}, {2, 4, true, 2},   {3, 4, true, 2},
        {3, 7, true, 3}, {4, 7, false, 0}, {5, 16, false, 0}, {1, 100, true, 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct council c;
        char org[GENESIS_ID_MAX + 1] = "none";
        uint16_t held = 0;
        bool found = !cases[i].dominated;
        council_open(&c, cases[i].orgs, cases[i].validators, 0);
        assert_int_equal(governance_dominating_org(&c.w.state, org, &held, &found), OK);
        assert_int_equal(found, cases[i].dominated);
        assert_int_equal(held, cases[i].held);
        assert_string_equal(org, found ? "org0" : "none");
        council_close(&c);
    }
}

static void parameters_have_names_numbers_and_ranges(void **state) {
    (void)state;
    struct genesis_params params;
    genesis_params_default(&params);
    for (uint32_t p = 1; p <= PARAM_LAST; p++) {
        const struct param_range *range = governance_param_range(p);
        assert_int_equal(governance_param_number(governance_param_name(p)), p);
        assert_true(governance_param_allows(p, governance_param_get(&params, p)));
        assert_true(governance_param_allows(p, range->least) && governance_param_allows(p, range->most));
        assert_false(governance_param_allows(p, range->least - 1) && !range->or_zero);
        assert_false(governance_param_allows(p, range->most + 1));
        assert_int_equal(governance_param_allows(p, 0), range->or_zero);
        governance_param_set(&params, p, range->least);
        assert_int_equal(governance_param_get(&params, p), range->least);
    }
    assert_null(governance_param_range(0));
    assert_null(governance_param_range(PARAM_LAST + 1));
    assert_int_equal(governance_param_number("protocol_version"), 0);
}

static enum code check_as(struct council *c, int key, const char *method, const ProtobufCMessage *message) {
    uint8_t signers[1][ED25519_KEY_LEN], packed[1024];
    struct answer answer = {.code = CODE_OK};
    size_t len = protobuf_c_message_pack(message, packed);
    memcpy(signers[0], c->public_key[key], KEY_LEN);
    struct call call = world_call(&c->w, signers, 1);
    c->w.memory.read_only = true;
    assert_int_equal(contracts_check(&call, bytes_str("governance"), bytes_str(method), bytes_of(packed, len), &answer),
                     OK);
    c->w.memory.read_only = false;
    return answer.code;
}

static void nodes_may_send_evidence_alone_and_admins_everything(void **state) {
    (void)state;
    struct council c;
    Assay__SubmitEvidence evidence = ASSAY__SUBMIT_EVIDENCE__INIT;
    Assay__CastVote vote;
    assay__cast_vote__init(&vote);
    council_open(&c, 2, 4, 1);
    evidence.validator = council_key(&c, NODE(0));
    assert_int_equal(check_as(&c, NODE(1), "submit_evidence", &evidence.base), CODE_OK);
    assert_int_equal(check_as(&c, NODE(4), "submit_evidence", &evidence.base), CODE_OK);
    assert_int_equal(check_as(&c, ADMIN(0), "submit_evidence", &evidence.base), CODE_OK);
    assert_int_equal(check_as(&c, FRESH(0), "submit_evidence", &evidence.base), CODE_UNKNOWN_SENDER);
    assert_int_equal(check_as(&c, ADMIN(0), "vote", &vote.base), CODE_OK);
    assert_int_equal(check_as(&c, NODE(1), "vote", &vote.base), CODE_UNKNOWN_SENDER);
    assert_int_equal(check_as(&c, FRESH(0), "vote", &vote.base), CODE_UNKNOWN_SENDER);
    council_close(&c);
}

/* An unknown field within a message within a message: one that is alone, one of a oneof, one of many. */
static void nothing_unknown_hides_in_nested_messages(void **state) {
    (void)state;
    static const struct {
        const char *method;
        struct bytes args;
    } cases[] = {
        {"submit_evidence", {(const uint8_t *)"\x22\x02\x78\x01", 4}}, /* first { 15: 1 } */
        {"propose", {(const uint8_t *)"\x62\x02\x78\x01", 4}},         /* add_validator { 15: 1 } */
        {"propose", {(const uint8_t *)"\x7a\x04\x0a\x02\x78\x01", 6}}, /* set_params { settings { 15: 1 } } */
        {"propose", {(const uint8_t *)"\x62\x00\x6a\x00", 4}},         /* two changes */
    };
    struct council c;
    council_open(&c, 1, 1, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t signers[1][ED25519_KEY_LEN];
        struct answer answer = {.code = CODE_OK};
        memcpy(signers[0], c.public_key[ADMIN(0)], KEY_LEN);
        struct call call = world_call(&c.w, signers, 1);
        assert_int_equal(
            contracts_check(&call, bytes_str("governance"), bytes_str(cases[i].method), cases[i].args, &answer), OK);
        assert_int_equal(answer.code, CODE_BAD_ARGUMENTS);
    }
    council_close(&c);
}

/* ---- The window of live ids ---------------------------------------------------------------------------------- */

#define ADMITTED 4000

/* The organisations change the lifetime again and again, transactions are admitted under each, and whatever is alive at
 * any time must have been executed later than the window's start then; which never falls. */
static void whatever_is_alive_was_executed_within_the_window(void **state) {
    (void)state;
    static struct { uint64_t executed_ms, expiry_ms; } tx[ADMITTED];
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world w;
        uint64_t dice = seed * 0x9e3779b97f4a7c15u, before = 0, widest = 0;
        world_open(&w, 1);
        struct params_record now;
        struct call begin = world_call(&w, NULL, 0);
        w.genesis.params.tx_max_lifetime_ms = 60000;
        assert_int_equal(params_put(&begin, NULL, &w.genesis.params, "test", ""), OK);
        for (size_t n = 0; n < ADMITTED; n++) {
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            w.now_ms += 1 + (dice >> 33) % 40000;
            bool found = false;
            struct call call = world_call(&w, NULL, 0);
            assert_int_equal(params_get(&call.state, &now, &found), OK);
            tx[n].executed_ms = w.now_ms; /* the longest that the state before this block allows */
            tx[n].expiry_ms = w.now_ms + now.params.tx_max_lifetime_ms;
            if ((dice >> 20) % 16 == 0) {
                struct genesis_params params = now.params;
                params.tx_max_lifetime_ms = 60000 + (dice >> 40) % (20u * 60000u);
                assert_int_equal(params_put(&call, &now, &params, "test", ""), OK);
                assert_int_equal(params_get(&call.state, &now, &found), OK);
            }
            uint64_t start = params_window_start(&now, w.now_ms);
            assert_true(start >= before);
            before = start;
            widest = w.now_ms - start > widest ? w.now_ms - start : widest;
            for (size_t i = n > 200 ? n - 200 : 0; i <= n; i++) {
                bool alive = tx[i].expiry_ms > w.now_ms;
                assert_true(!alive || tx[i].executed_ms > start);
            }
        }
        assert_true(widest <= 3 * 21 * 60000u); /* and it is not simply everything */
        world_close(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_alive_was_executed_within_the_window),
        cmocka_unit_test(genesis_lays_the_validators_in_file_order),
        cmocka_unit_test(a_missing_or_damaged_set_is_a_local_fault),
        cmocka_unit_test(more_than_f_validators_of_one_organisation_are_told),
        cmocka_unit_test(parameters_have_names_numbers_and_ranges),
        cmocka_unit_test(nodes_may_send_evidence_alone_and_admins_everything),
        cmocka_unit_test(nothing_unknown_hides_in_nested_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
