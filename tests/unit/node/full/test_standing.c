#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/full/standing.h"

#include <string.h>

#define BEGAN 1000u

static struct standing_facts sound(void) {
    return (struct standing_facts){.configured = NODE_VALIDATOR,
                                   .is_on_ledger = true,
                                   .validates = true,
                                   .epoch = 1,
                                   .validators = 5,
                                   .within_reach = 5,
                                   .last_block_ms = BEGAN,
                                   .heartbeat_ms = 2000};
}

static void a_chain_with_its_heartbeats_is_sound(void **state) {
    (void)state;
    struct standing standing = {0};
    struct standing_facts facts = sound();
    char text[STANDING_TEXT_MAX];
    standing_look(&standing, &facts, BEGAN + 2000);
    assert_int_equal(standing_overdue_ms(&facts, BEGAN + 2000), 0);
    assert_false(standing_is_stalled(&facts, BEGAN + 2000, text));
    assert_false(standing_is_apart(&standing, &facts, BEGAN + 2000, text));
    assert_false(standing_is_stranger(&facts, text));
    assert_false(standing_is_deposed(&facts, text));
}

static void missing_heartbeats_are_a_stall(void **state) {
    (void)state;
    struct standing_facts facts = sound();
    char text[STANDING_TEXT_MAX];
    assert_int_equal(standing_overdue_ms(&facts, BEGAN + 2001), 1);
    assert_false(standing_is_stalled(&facts, BEGAN + STANDING_PATIENCE_MS, text));
    assert_true(standing_is_stalled(&facts, BEGAN + STANDING_PATIENCE_MS + 1, text));
    assert_string_equal(text, "no block has become final for 10 s, though one is due every 2000 ms");
    facts.heartbeat_ms = 10000;
    assert_false(standing_is_stalled(&facts, BEGAN + 30000, text));
    assert_true(standing_is_stalled(&facts, BEGAN + 30001, text));
    facts.heartbeat_ms = 0; /* a chain that rests makes none */
    assert_false(standing_is_stalled(&facts, BEGAN + 3000000, text));
    assert_int_equal(standing_overdue_ms(&facts, BEGAN + 3000000), 0);
}

static void fewer_than_a_quorum_within_reach_are_told_after_a_while(void **state) {
    (void)state;
    struct standing standing = {0};
    struct standing_facts facts = sound();
    char text[STANDING_TEXT_MAX];
    facts.within_reach = 3;
    standing_look(&standing, &facts, 5000);
    assert_false(standing_is_apart(&standing, &facts, 5000 + STANDING_PATIENCE_MS, text));
    standing_look(&standing, &facts, 5001 + STANDING_PATIENCE_MS);
    assert_true(standing_is_apart(&standing, &facts, 5001 + STANDING_PATIENCE_MS, text));
    assert_string_equal(text, "3 of 5 validators are within reach, 4 are needed: nothing becomes final");
    facts.within_reach = 4;
    standing_look(&standing, &facts, 20000);
    assert_false(standing_is_apart(&standing, &facts, 90000, text));
}

static void a_node_that_the_ledger_does_not_know_is_a_stranger(void **state) {
    (void)state;
    struct standing_facts facts = sound();
    char text[STANDING_TEXT_MAX];
    facts.is_on_ledger = facts.validates = false;
    assert_true(standing_is_stranger(&facts, text));
    assert_non_null(strstr(text, "no node with this key"));
    assert_false(standing_is_deposed(&facts, text)); /* one thing at a time */
}

static void a_validator_that_is_none_any_more_is_told(void **state) {
    (void)state;
    struct standing_facts facts = sound();
    char text[STANDING_TEXT_MAX];
    facts.validates = false;
    assert_true(standing_is_deposed(&facts, text));
    assert_non_null(strstr(text, "node.role = observer"));
    facts.configured = NODE_OBSERVER;
    assert_false(standing_is_deposed(&facts, text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_with_its_heartbeats_is_sound),
        cmocka_unit_test(missing_heartbeats_are_a_stall),
        cmocka_unit_test(fewer_than_a_quorum_within_reach_are_told_after_a_while),
        cmocka_unit_test(a_node_that_the_ledger_does_not_know_is_a_stranger),
        cmocka_unit_test(a_validator_that_is_none_any_more_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
