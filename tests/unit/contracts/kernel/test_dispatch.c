#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "tests/lib/world.h"

#include "contracts/governance/governance.h"
#include "contracts/kernel/state.h"

static void unknown_contracts_and_methods_are_refused(void **state) {
    (void)state;
    struct world w;
    const struct bytes none = {NULL, 0};
    world_open(&w, 1);
    assert_int_equal(world_execute(&w, "nothing", "register", none, PEOPLE_OF(GATEWAY_1)), OK);
    assert_int_equal(w.answer.code, CODE_UNKNOWN_METHOD);
    assert_int_equal(world_execute(&w, "author", "registe", none, PEOPLE_OF(GATEWAY_1)), OK);
    assert_int_equal(w.answer.code, CODE_UNKNOWN_METHOD);
    assert_int_equal(world_execute(&w, "governance", "proposal", none, PEOPLE_OF(GATEWAY_1)), OK);
    assert_int_equal(w.answer.code, CODE_UNKNOWN_METHOD);
    world_close(&w);
}

static enum code endorse_with(struct world *w, const void *args, size_t len) {
    assert_int_equal(world_execute(w, "device", "endorse", bytes_of(args, len), PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     OK);
    return w->answer.code;
}

static void arguments_have_one_form(void **state) {
    (void)state;
    struct world w;
    uint8_t good[2 + KEY_LEN + 40] = {0x0a, KEY_LEN};
    world_open(&w, 1);
    memcpy(good + 2, w.public_key[DEVICE_1], KEY_LEN);
    const size_t len = 2 + KEY_LEN;
    memcpy(good + len, "\x10\x05", 2); /* a field nobody knows */
    assert_int_equal(endorse_with(&w, good, len + 2), CODE_BAD_ARGUMENTS);
    memcpy(good + len, "\x0a\x00", 2); /* the field again */
    assert_int_equal(endorse_with(&w, good, len + 2), CODE_BAD_ARGUMENTS);
    assert_int_equal(endorse_with(&w, good, len - 1), CODE_BAD_ARGUMENTS);
    assert_int_equal(endorse_with(&w, "\x0a\xa0\x00", 3), CODE_BAD_ARGUMENTS);
    assert_int_equal(endorse_with(&w, NULL, 0), CODE_BAD_ARGUMENTS); /* decodes; the id has no length */
    assert_int_equal(endorse_with(&w, good, len), CODE_OK);
    /* Zero bytes after the end of a text are not hidden in the ledger. */
    const char hidden[] = "\x0a\x20"
                          "0123456789abcdef0123456789abcdef"
                          "\x12\x03"
                          "a\0b";
    assert_int_equal(world_execute(&w, "author", "revoke", bytes_of(hidden, sizeof hidden - 1),
                                   PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)),
                     OK);
    assert_int_equal(w.answer.code, CODE_BAD_ARGUMENTS);
    /* An unknown field inside a nested message: DefineClass.slots[0]. */
    assert_int_equal(
        world_execute(&w, "firmware", "define_class", bytes_of("\x42\x02\x18\x01", 4), PEOPLE_OF(ACME_ADMIN_1)), OK);
    assert_int_equal(w.answer.code, CODE_BAD_ARGUMENTS);
    assert_non_null(strstr(w.answer.detail, "unknown field"));
    world_close(&w);
}

static void the_check_reads_only_and_knows_senders(void **state) {
    (void)state;
    struct world w;
    Assay__DeviceEndorse args = ASSAY__DEVICE_ENDORSE__INIT;
    uint8_t packed[64], signers[1][ED25519_KEY_LEN];
    world_open(&w, 1);
    args.device_id = world_bytes(w.public_key[DEVICE_1], KEY_LEN);
    struct bytes bytes = bytes_of(packed, assay__device_endorse__pack(&args, packed));
    const int known[] = {ACME_ADMIN_1, VALIDATOR, GATEWAY_1, AUTHOR_1};
    struct call call = world_call(&w, signers, 1);
    w.memory.read_only = true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct answer answer = {.code = CODE_OK};
        memcpy(signers[0], w.public_key[known[i]], ED25519_KEY_LEN);
        assert_int_equal(contracts_check(&call, bytes_str("device"), bytes_str("endorse"), bytes, &answer), OK);
        assert_int_equal(answer.code, CODE_OK);
    }
    struct answer answer = {.code = CODE_OK};
    memcpy(signers[0], w.public_key[STRANGER], ED25519_KEY_LEN);
    assert_int_equal(contracts_check(&call, bytes_str("device"), bytes_str("endorse"), bytes, &answer), OK);
    assert_int_equal(answer.code, CODE_UNKNOWN_SENDER);
    answer.code = CODE_OK;
    memcpy(signers[0], w.public_key[DEVICE_1],
           ED25519_KEY_LEN); /* a device sends what devices send, and nothing else */
    assert_int_equal(contracts_check(&call, bytes_str("device"), bytes_str("endorse"), bytes, &answer), OK);
    assert_int_equal(answer.code, CODE_UNKNOWN_SENDER);
    answer.code = CODE_OK;
    assert_int_equal(contracts_check(&call, bytes_str("update"), bytes_str("push"), bytes_of("", 0), &answer), OK);
    assert_int_equal(answer.code, CODE_UNKNOWN_SENDER);
    answer.code = CODE_OK;
    assert_int_equal(contracts_check(&call, bytes_str("update"), bytes_str("report"), bytes_of("", 0), &answer), OK);
    assert_int_equal(answer.code, CODE_OK);
    bytes.len--;
    memcpy(signers[0], w.public_key[GATEWAY_1], ED25519_KEY_LEN);
    assert_int_equal(contracts_check(&call, bytes_str("device"), bytes_str("endorse"), bytes, &answer), OK);
    assert_int_equal(answer.code, CODE_BAD_ARGUMENTS);
    world_close(&w);
}

/* Longer arguments than a method can have any use for get no place in a block. */
static void arguments_have_a_length_by_method(void **state) {
    (void)state;
    struct world w;
    static uint8_t junk[LIMIT_TX_BYTES];
    uint8_t signers[1][ED25519_KEY_LEN];
    world_open(&w, 1);
    struct call call = world_call(&w, signers, 1);
    memcpy(signers[0], w.public_key[AUTHOR_1], ED25519_KEY_LEN);
    for (const struct contract *c = contracts_table; c->name != NULL; c++) {
        for (const struct method *m = c->methods; m->name != NULL; m++) {
            uint32_t most = m->args_max != 0 ? m->args_max : METHOD_ARGS_MAX;
            struct answer answer = {.code = CODE_OK};
            assert_true(most <= LIMIT_TX_BYTES);
            if (strcmp(c->name, "governance") != 0) {
                assert_int_equal(contracts_check(&call, bytes_str(c->name), bytes_str(m->name),
                                                 bytes_of(junk, most < sizeof junk ? most + 1 : most), &answer),
                                 OK);
                assert_int_equal(answer.code, CODE_BAD_ARGUMENTS);
                assert_int_equal(most < sizeof junk, strstr(answer.detail, "bytes, at most") != NULL);
            }
        }
    }
    world_close(&w);
}

static void a_damaged_record_is_a_local_fault_and_no_answer(void **state) {
    (void)state;
    struct world w;
    Assay__DeviceEndorse args = ASSAY__DEVICE_ENDORSE__INIT;
    uint8_t packed[64];
    world_open(&w, 1);
    struct record_key key = record_key("device", "device/", bytes_of(w.public_key[DEVICE_1], KEY_LEN));
    assert_int_equal(state_put(&w.state, &key, bytes_of("\2", 1)), OK);
    args.device_id = world_bytes(w.public_key[DEVICE_1], KEY_LEN);
    struct bytes bytes = bytes_of(packed, assay__device_endorse__pack(&args, packed));
    assert_int_equal(world_execute(&w, "device", "endorse", bytes, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2)), ERR_CORRUPT);
    world_close(&w);
}

static void every_code_has_a_name_a_text_and_a_number_of_its_own(void **state) {
    (void)state;
    static const uint32_t numbers[] = {
#define NUMBER(number, name, text, hint) number,
        CODE_LIST(NUMBER)
#undef NUMBER
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_true(strlen(code_name(numbers[i])) > 1 && strlen(code_text(numbers[i])) > 0);
        assert_true(i == 0 || strlen(code_hint(numbers[i])) > 0);
        assert_true(i == 0 || numbers[i] > numbers[i - 1]);
    }
    assert_string_equal(code_name(CODE_RELEASE_SEQUENCE_TOO_LOW), "RELEASE_SEQUENCE_TOO_LOW");
    assert_int_equal(CODE_RELEASE_SEQUENCE_TOO_LOW, 209);
    assert_string_equal(code_name(99999), "UNKNOWN_CODE");
}

struct walk_count {
    size_t count;
    size_t stop_at;
};

static enum err count_nodes(void *arg, const struct node_record *node) {
    struct walk_count *c = arg;
    (void)node;
    return ++c->count == c->stop_at ? ERR_CLOSED : OK;
}

static void lists_stop_at_the_limit_and_at_an_error(void **state) {
    (void)state;
    struct world w;
    struct walk_count c = {0};
    world_open(&w, 1);
    assert_int_equal(node_list(&w.state, NULL, 2, count_nodes, &c), OK);
    assert_int_equal(c.count, 2);
    c = (struct walk_count){.stop_at = 1};
    assert_int_equal(node_list(&w.state, NULL, 10, count_nodes, &c), ERR_CLOSED);
    assert_int_equal(c.count, 1);
    world_close(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_contracts_and_methods_are_refused),
        cmocka_unit_test(arguments_have_one_form),
        cmocka_unit_test(the_check_reads_only_and_knows_senders),
        cmocka_unit_test(arguments_have_a_length_by_method),
        cmocka_unit_test(a_damaged_record_is_a_local_fault_and_no_answer),
        cmocka_unit_test(every_code_has_a_name_a_text_and_a_number_of_its_own),
        cmocka_unit_test(lists_stop_at_the_limit_and_at_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
