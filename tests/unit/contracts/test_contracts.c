/* The table of contracts (contracts/contracts.c). */
#include "contracts/contracts.h"

#include "contracts/kernel/due_queue.h"
#include "contracts/kernel/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_name_stands_for_one_contract_and_one_method(void **state) {
    (void)state;
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        assert_in_range(strlen(c->name), 1, LIMIT_TX_NAME);
        assert_non_null(c->methods);
        assert_non_null(c->sender_known);
        assert_string_not_equal(c->name, DUE_CONTRACT); /* whose records are the kernel's */
        for (const struct contract *other = contracts_table; other != c; other++) {
            assert_string_not_equal(c->name, other->name);
        }
        for (const struct method *m = c->methods; m->name != NULL; m++) {
            assert_in_range(strlen(m->name), 1, LIMIT_TX_NAME);
            assert_non_null(m->args);
            assert_non_null(m->run);
            assert_in_range(m->event, CONTRACT_EVENT_NONE, CONTRACT_EVENT_COUNT - 1);
            for (const struct method *other = c->methods; other != m; other++) {
                assert_string_not_equal(m->name, other->name);
            }
        }
    }
}

static void a_kind_of_due_item_has_one_handler(void **state) {
    (void)state;
    const struct due_handler *found[DUE_KINDS_MAX + 1] = {0};
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        for (const struct due_handler *h = c->due; h != NULL && h->kind != 0; h++) {
            assert_in_range(h->kind, 1, DUE_KINDS_MAX);
            assert_null(found[h->kind]);
            assert_non_null(h->run);
            assert_non_null(h->refused);
            found[h->kind] = h;
        }
    }
    for (uint8_t kind = 1; kind <= due_kinds(); kind++) {
        assert_non_null(found[kind]);
    }
}

static void what_subscribers_hear_goes_by_the_method(void **state) {
    (void)state;
    static const struct {
        const char *contract, *method, *event;
    } cases[] = {
        {"firmware", "register", "release"},
        {"firmware", "approve", "release"},
        {"firmware", "revoke", "revocation"},
        {"firmware", "set_minimum_sequence", "floor"},
        {"firmware", "define_class", ""},
        {"update", "push", "update"},
        {"update", "report", "update"},
        {"device", "endorse", "device"},
        {"author", "register", ""},
        {"governance", "vote", "proposal"},
        {"governance", "propose", "proposal"},
        {"governance", "register_node", ""},
        {"update", "no such method", ""},
        {"no such contract", "push", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum contract_event event = contracts_event(bytes_str(cases[i].contract), bytes_str(cases[i].method));
        assert_string_equal(contract_event_name(event), cases[i].event);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_stands_for_one_contract_and_one_method),
        cmocka_unit_test(a_kind_of_due_item_has_one_handler),
        cmocka_unit_test(what_subscribers_hear_goes_by_the_method),
    };
    return cmocka_run_group_tests_name("contracts", tests, NULL, NULL);
}
