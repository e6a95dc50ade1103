#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/council.h"

#include "contracts/governance/governance_records.h"

static void an_organisation_registers_its_own_nodes_alone(void **state) {
    (void)state;
    struct council c;
    struct node_record node;
    struct governance_totals totals;
    bool found = false;
    council_open(&c, 3, 4, 0);
    assert_int_equal(council_register(&c, 1, FRESH(0), NODE_OBSERVER), CODE_OK);
    assert_int_equal(council_register(&c, 1, FRESH(1), NODE_GATEWAY), CODE_OK);
    assert_int_equal(node_get(&c.w.state, c.public_key[FRESH(0)], &node, &found), OK);
    assert_true(found && node.node.role == NODE_OBSERVER);
    assert_string_equal(node.node.org, "org1");
    assert_string_equal(node.node.peer, "10.0.0.1:26600");
    assert_string_equal(node.node.http, "http://10.0.0.1:26601");
    assert_int_equal(node.stamp.created_height, c.w.height);
    assert_int_equal(council_role(&c, FRESH(1)), NODE_GATEWAY);
    assert_int_equal(governance_totals(&c.w.state, &totals), OK);
    assert_int_equal(totals.nodes[NODE_OBSERVER], 1);
    assert_int_equal(totals.nodes[NODE_GATEWAY], 1);
    assert_string_equal(c.w.memory.last_action, "register");
    council_close(&c);
}

/* A member speaking for another. */
static void nobody_registers_changes_or_removes_anothers_node(void **state) {
    (void)state;
    struct council c;
    uint8_t link_key[KEY_LEN] = {1};
    Assay__RegisterNode reg;
    assay__register_node__init(&reg);
    Assay__UpdateNode update;
    assay__update_node__init(&update);
    Assay__RemoveNode gone = ASSAY__REMOVE_NODE__INIT;
    council_open(&c, 3, 4, 3); /* NODE(4) is org1's, NODE(5) org2's, NODE(6) org0's */
    reg.org = council_org(1);
    reg.key = council_key(&c, FRESH(0));
    reg.link_key = world_bytes(link_key, KEY_LEN);
    reg.role = NODE_GATEWAY;
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_NOT_AUTHORIZED);
    reg.org = council_text("nobody");
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_ORG_UNKNOWN);
    update.key = gone.key = council_key(&c, NODE(4));
    update.link_key = reg.link_key;
    update.peer = council_text("10.0.0.9:1");
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(0))), CODE_NOT_AUTHORIZED);
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_NOT_AUTHORIZED);
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0), NODE(4))), CODE_NOT_AUTHORIZED);
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(1))), CODE_OK);
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(1))), CODE_OK);
    assert_int_equal(council_role(&c, NODE(4)), 0);
    council_close(&c);
}

static void the_nodes_own_key_signs_its_registration(void **state) {
    (void)state;
    struct council c;
    uint8_t link_key[KEY_LEN] = {1};
    Assay__RegisterNode reg;
    assay__register_node__init(&reg);
    council_open(&c, 2, 4, 0);
    reg.org = council_org(0);
    reg.key = council_key(&c, FRESH(0));
    reg.link_key = world_bytes(link_key, KEY_LEN);
    reg.role = NODE_GATEWAY;
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0))), CODE_NODE_NO_POSSESSION);
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(1))), CODE_NODE_NO_POSSESSION);
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_OK);
    council_close(&c);
}

static void keys_are_unique_and_validators_are_not_registered(void **state) {
    (void)state;
    struct council c;
    uint8_t link_key[KEY_LEN];
    Assay__RegisterNode reg;
    assay__register_node__init(&reg);
    council_open(&c, 2, 4, 0);
    assert_int_equal(council_register(&c, 0, FRESH(0), NODE_VALIDATOR), CODE_NODE_ROLE);
    assert_int_equal(council_register(&c, 0, FRESH(0), 0), CODE_NODE_ROLE);
    assert_int_equal(council_register(&c, 0, FRESH(0), 4), CODE_NODE_ROLE);
    assert_int_equal(council_register(&c, 0, NODE(1), NODE_OBSERVER), CODE_NODE_EXISTS);
    assert_int_equal(council_register(&c, 0, FRESH(0), NODE_OBSERVER), CODE_OK);
    assert_int_equal(council_register(&c, 1, FRESH(0), NODE_OBSERVER), CODE_NODE_EXISTS);
    memcpy(link_key, c.public_key[NODE(1)], KEY_LEN);
    link_key[0] ^= 0xff;
    reg.org = council_org(0);
    reg.key = council_key(&c, FRESH(1));
    reg.link_key = world_bytes(link_key, KEY_LEN);
    reg.role = NODE_GATEWAY;
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(1))), CODE_LINK_KEY_TAKEN);
    memset(link_key, 0, KEY_LEN);
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(1))), CODE_BAD_ARGUMENTS);
    link_key[0] = 1;
    reg.key.len--;
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(1))), CODE_BAD_ARGUMENTS);
    council_close(&c);
}

static void an_update_moves_the_link_key_and_frees_the_old_one(void **state) {
    (void)state;
    struct council c;
    struct node_record node;
    uint8_t link_key[KEY_LEN] = {1}, old[KEY_LEN];
    bool found = false;
    Assay__UpdateNode update;
    assay__update_node__init(&update);
    council_open(&c, 2, 4, 0);
    memcpy(old, c.public_key[NODE(0)], KEY_LEN);
    old[0] ^= 0xff;
    update.key = council_key(&c, NODE(0));
    update.link_key = world_bytes(link_key, KEY_LEN);
    update.peer = council_text("validator.example:26600");
    c.w.height = 9;
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(0))), CODE_OK);
    assert_int_equal(node_get(&c.w.state, c.public_key[NODE(0)], &node, &found), OK);
    assert_memory_equal(node.node.link_key, link_key, KEY_LEN);
    assert_string_equal(node.node.peer, "validator.example:26600");
    assert_int_equal(node.node.role, NODE_VALIDATOR);
    assert_int_equal(node.stamp.created_height, 0);
    assert_int_equal(node.stamp.changed_height, 9);
    /* The new one is taken now, the old one free. */
    update.key = council_key(&c, NODE(1));
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(1))), CODE_LINK_KEY_TAKEN);
    update.link_key = world_bytes(old, KEY_LEN);
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(1))), CODE_OK);
    /* The same link key again, only an address changes. */
    update.http = council_text("https://validator.example");
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(1))), CODE_OK);
    update.key = council_key(&c, FRESH(0));
    assert_int_equal(council_run(&c, "update_node", &update.base, SIGNERS(ADMIN(1))), CODE_NODE_UNKNOWN);
    council_close(&c);
}

static void a_validator_is_not_removed_by_its_organisation_alone(void **state) {
    (void)state;
    struct council c;
    Assay__RemoveNode gone = ASSAY__REMOVE_NODE__INIT;
    council_open(&c, 2, 4, 1);
    gone.key = council_key(&c, NODE(0));
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_NODE_IS_VALIDATOR);
    gone.key = council_key(&c, FRESH(0));
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_NODE_UNKNOWN);
    gone.key = council_key(&c, NODE(4));
    assert_int_equal(council_run(&c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_OK);
    /* Its keys are free again. */
    assert_int_equal(council_register(&c, 1, NODE(4), NODE_GATEWAY), CODE_OK);
    council_close(&c);
}

/* Registers an observer with these addresses, and takes it away again. */
static bool are_taken(struct council *c, const char *peer, const char *http) {
    uint8_t link_key[KEY_LEN] = {1};
    Assay__RegisterNode reg;
    Assay__RemoveNode gone;
    assay__register_node__init(&reg);
    assay__remove_node__init(&gone);
    reg.org = council_org(0);
    reg.key = gone.key = council_key(c, FRESH(0));
    reg.link_key = world_bytes(link_key, KEY_LEN);
    reg.role = NODE_OBSERVER;
    reg.peer = council_text(peer);
    reg.http = council_text(http);
    enum code code = council_run(c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0)));
    if (code == CODE_OK) {
        assert_int_equal(council_run(c, "remove_node", &gone.base, SIGNERS(ADMIN(0))), CODE_OK);
    } else {
        assert_int_equal(code, CODE_NODE_ADDRESS);
    }
    return code == CODE_OK;
}

static bool peer_is_taken(struct council *c, const char *peer) {
    return are_taken(c, peer, "");
}

static bool http_is_taken(struct council *c, const char *http) {
    return are_taken(c, "a:1", http);
}

static void addresses_are_judged(void **state) {
    (void)state;
    struct council c;
    static const char *const peers[] = {"a:1", "127.0.0.1:65535", "node-1.example:26600", "[::1]:26600"};
    static const char *const no_peers[] = {"",        "a",     ":1",       "a:",    "a:0",
                                           "a:65536", "a:01",  "a:123456", "a b:1", "a/b:1",
                                           "[::1:1",  "::1:1", "[]:1",     "a:1x",  "\xc3\xa4:1"};
    static const char *const urls[] = {"http://a", "https://node.example:8443/base", "http://[::1]:1/"};
    static const char *const no_urls[] = {"http://",     "https:///x", "ftp://a",
                                          "a",           "http://a b", "http://a\"x",
                                          "http://\x7f", "http://:1",  "javascript://a"};
    char longest[GENESIS_TEXT_MAX + 2];
    council_open(&c, 1, 1, 0);
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        assert_true(peer_is_taken(&c, peers[i]));
    }
    for (size_t i = 0; i < sizeof no_peers / sizeof no_peers[0]; i++) {
        assert_false(peer_is_taken(&c, no_peers[i]));
    }
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        assert_true(http_is_taken(&c, urls[i]));
    }
    for (size_t i = 0; i < sizeof no_urls / sizeof no_urls[0]; i++) {
        assert_false(http_is_taken(&c, no_urls[i]));
    }
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "http://", 7);
    longest[sizeof longest - 1] = '\0';
    assert_false(http_is_taken(&c, longest));
    longest[sizeof longest - 2] = '\0';
    assert_true(http_is_taken(&c, longest));
    memset(longest, 'a', sizeof longest);
    memcpy(longest + sizeof longest - 3, ":1", 3);
    assert_false(peer_is_taken(&c, longest));
    assert_true(peer_is_taken(&c, longest + 1));
    council_close(&c);
}

static void observers_need_a_peer_address_and_gateways_have_none(void **state) {
    (void)state;
    struct council c;
    uint8_t link_key[KEY_LEN] = {1};
    Assay__RegisterNode reg;
    assay__register_node__init(&reg);
    council_open(&c, 1, 1, 0);
    reg.org = council_org(0);
    reg.key = council_key(&c, FRESH(0));
    reg.link_key = world_bytes(link_key, KEY_LEN);
    reg.role = NODE_OBSERVER;
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_NODE_ADDRESS);
    reg.role = NODE_GATEWAY;
    reg.peer = council_text("10.0.0.1:1");
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_NODE_ADDRESS);
    reg.peer = council_text("");
    reg.http = council_text("gateway");
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_NODE_ADDRESS);
    reg.http = council_text("");
    assert_int_equal(council_run(&c, "register_node", &reg.base, SIGNERS(ADMIN(0), FRESH(0))), CODE_OK);
    council_close(&c);
}

static void the_number_of_nodes_is_limited(void **state) {
    (void)state;
    struct council c;
    council_open(&c, 2, 1, 0);
    for (int i = 0; i < NODES_PER_ORG_MAX - 1; i++) {
        assert_int_equal(council_register(&c, 0, FRESH(i), NODE_GATEWAY), CODE_OK);
    }
    assert_int_equal(council_register(&c, 0, FRESH(NODES_PER_ORG_MAX), NODE_GATEWAY), CODE_NODE_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "one organisation"));
    /* Another organisation has room. */
    assert_int_equal(council_register(&c, 1, FRESH(NODES_PER_ORG_MAX), NODE_GATEWAY), CODE_OK);
    council_close(&c);
}

/* Each place has links with all others: no organisation takes them all, and there is always one for who has few. */
static void no_organisation_takes_the_places_of_others(void **state) {
    (void)state;
    struct council c;
    struct governance_totals totals;
    council_open(&c, 2, 1, 0);
    for (int i = 0; i < OBSERVERS_PER_ORG_MAX; i++) {
        assert_int_equal(council_register(&c, 0, FRESH(i), NODE_OBSERVER), CODE_OK);
    }
    assert_int_equal(council_register(&c, 0, FRESH(100), NODE_OBSERVER), CODE_NODE_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "observers of one organisation"));
    assert_int_equal(council_register(&c, 0, FRESH(100), NODE_GATEWAY), CODE_OK);
    assert_int_equal(governance_totals(&c.w.state, &totals), OK);
    struct buffer value = BUFFER_INIT; /* as if others had registered them */
    record_encode(&record_stamp_shape, &totals.stamp, &value);
    buffer_u32(&value, totals.orgs);
    buffer_u32(&value, totals.nodes[NODE_VALIDATOR]);
    buffer_u32(&value, LINKED_NODES_MAX - LINKED_NODES_KEPT);
    buffer_u32(&value, totals.nodes[NODE_GATEWAY]);
    struct record_key key = record_key("governance", "totals", bytes_of(NULL, 0));
    assert_int_equal(state_put_buffer(&c.w.state, &key, &value), OK);
    buffer_free(&value);
    assert_int_equal(council_register(&c, 1, FRESH(101), NODE_OBSERVER), CODE_OK);
    assert_int_equal(council_register(&c, 1, FRESH(102), NODE_OBSERVER), CODE_OK);
    assert_int_equal(council_register(&c, 1, FRESH(103), NODE_OBSERVER), CODE_NODE_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "are kept for"));
    council_close(&c);
}

static void totals_bound_what_one_organisation_may_not_reach(void **state) {
    (void)state;
    struct council c;
    struct governance_totals totals;
    council_open(&c, 2, 1, 0);
    assert_int_equal(governance_totals(&c.w.state, &totals), OK);
    /* As if others had registered them: the totals are what the limits go by. */
    struct buffer value = BUFFER_INIT;
    record_encode(&record_stamp_shape, &totals.stamp, &value);
    buffer_u32(&value, totals.orgs);
    buffer_u32(&value, 1);
    buffer_u32(&value, LINKED_NODES_MAX - 1);
    buffer_u32(&value, NODES_MAX - LINKED_NODES_MAX - 1);
    struct record_key key = record_key("governance", "totals", bytes_of(NULL, 0));
    assert_int_equal(state_put_buffer(&c.w.state, &key, &value), OK);
    buffer_free(&value);
    assert_int_equal(council_register(&c, 0, FRESH(0), NODE_OBSERVER), CODE_NODE_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "observers"));
    assert_int_equal(council_register(&c, 0, FRESH(0), NODE_GATEWAY), CODE_OK);
    assert_int_equal(council_register(&c, 0, FRESH(1), NODE_GATEWAY), CODE_NODE_LIMIT);
    assert_non_null(strstr(c.w.answer.detail, "in all"));
    council_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_organisation_registers_its_own_nodes_alone),
        cmocka_unit_test(nobody_registers_changes_or_removes_anothers_node),
        cmocka_unit_test(the_nodes_own_key_signs_its_registration),
        cmocka_unit_test(keys_are_unique_and_validators_are_not_registered),
        cmocka_unit_test(an_update_moves_the_link_key_and_frees_the_old_one),
        cmocka_unit_test(a_validator_is_not_removed_by_its_organisation_alone),
        cmocka_unit_test(addresses_are_judged),
        cmocka_unit_test(observers_need_a_peer_address_and_gateways_have_none),
        cmocka_unit_test(the_number_of_nodes_is_limited),
        cmocka_unit_test(no_organisation_takes_the_places_of_others),
        cmocka_unit_test(totals_bound_what_one_organisation_may_not_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
