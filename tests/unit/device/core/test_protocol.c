#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "device/core/protocol.h"

#include <string.h>

static uint8_t bytes[2048];

static struct protocol_request request(enum protocol_operation operation) {
    struct protocol_request r = {.operation = operation};
    memset(r.device_id, 0xd1, KEY_LEN);
    switch (operation) {
    case PROTOCOL_HELLO:
        memset(r.hello.class_id, 0xc1, UUID_BYTES);
        r.hello.hardware_revision = 70000;
        r.hello.running_sequence = 1ull << 40;
        r.hello.counter = 23;
        break;
    case PROTOCOL_CHECK:
        r.check.running_sequence = 24;
        r.check.epoch = 256;
        r.check.height = 1ull << 33;
        break;
    case PROTOCOL_GET:
        r.get.what = PROTOCOL_STATUS_PROOF;
        memset(r.get.update_id, 0x0d, HASH_LEN);
        r.get.offset = 1ull << 32;
        r.get.length = 1024;
        r.get.tag = UINT32_MAX;
        r.get.epoch = UINT64_MAX;
        r.get.height = UINT64_MAX;
        break;
    case PROTOCOL_STATEMENT:
        memset(r.said.statement, 0x51, STATEMENT_LEN);
        memset(r.said.signature, 0x52, SIG_LEN);
        break;
    }
    return r;
}

static struct protocol_answer answer(enum protocol_operation operation) {
    static const uint8_t piece[] = "bytes of an object";
    struct protocol_answer a = {.operation = operation};
    switch (operation) {
    case PROTOCOL_HELLO:
        a.hello.time_ms = 1700000000000;
        a.hello.poll_ms = 5000;
        memset(a.hello.chain_id, 0xc4, CHAIN_ID_LEN);
        break;
    case PROTOCOL_CHECK:
        a.check.offered = true;
        memset(a.check.offer.update_id, 0x0d, HASH_LEN);
        memset(a.check.offer.release_id, 0x0e, HASH_LEN);
        a.check.offer.sequence = 9;
        a.check.offer.needs_open = true;
        a.check.offer.envelope_size = 400;
        a.check.offer.proof_size = 1500;
        a.check.offer.delegation_size = 204;
        a.check.offer.image_size = 1 << 20;
        break;
    case PROTOCOL_GET:
        a.get.total = 5000;
        a.get.tag = 3;
        a.get.bytes = bytes_of(piece, sizeof piece);
        break;
    case PROTOCOL_STATEMENT:
        a.said.reception = PROTOCOL_ACCEPTED;
        a.said.outcome = OUTCOME_MISMATCH;
        a.said.proof_ready = true;
        a.said.code = 1234;
        break;
    }
    return a;
}

static void requests_read_back(void **state) {
    (void)state;
    for (int op = PROTOCOL_HELLO; op <= PROTOCOL_STATEMENT; op++) {
        struct protocol_request r = request((enum protocol_operation)op), back;
        uint8_t again[PROTOCOL_REQUEST_MAX];
        size_t len, len2;
        assert_int_equal(protocol_request_encode(&r, bytes, PROTOCOL_REQUEST_MAX, &len), GOOD);
        assert_int_equal(protocol_request_decode(bytes_of(bytes, len), &back), GOOD);
        assert_int_equal(protocol_request_encode(&back, again, sizeof again, &len2), GOOD);
        assert_int_equal(len, len2);
        assert_memory_equal(bytes, again, len);
        assert_memory_equal(back.device_id, r.device_id, KEY_LEN);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_not_equal(protocol_request_decode(bytes_of(bytes, cut), &back), GOOD);
        }
        bytes[len] = 0;
        assert_int_equal(protocol_request_decode(bytes_of(bytes, len + 1), &back), BAD_TRAILING);
        assert_int_equal(protocol_request_encode(&r, again, len - 1, &len2), BAD_LIMIT);
    }
}

static void answers_read_back(void **state) {
    (void)state;
    for (int op = PROTOCOL_HELLO; op <= PROTOCOL_STATEMENT; op++) {
        struct protocol_answer a = answer((enum protocol_operation)op), back;
        uint8_t again[2048];
        size_t len, len2;
        for (int offered = 0; offered < 2; offered++) {
            a.check.offered = offered != 0;
            assert_int_equal(protocol_answer_encode(&a, bytes, sizeof bytes, &len), GOOD);
            assert_true(op == PROTOCOL_GET || len <= PROTOCOL_ANSWER_HEAD_MAX);
            assert_int_equal(protocol_answer_decode(bytes_of(bytes, len), &back), GOOD);
            assert_int_equal(protocol_answer_encode(&back, again, sizeof again, &len2), GOOD);
            assert_int_equal(len, len2);
            assert_memory_equal(bytes, again, len);
            for (size_t cut = 0; cut < len; cut++) {
                assert_int_not_equal(protocol_answer_decode(bytes_of(bytes, cut), &back), GOOD);
            }
        }
    }
}

static void an_answer_with_a_code_says_nothing_else(void **state) {
    (void)state;
    for (int code = PROTOCOL_NOT_YET; code <= PROTOCOL_BAD_REQUEST; code++) {
        struct protocol_answer a = answer(PROTOCOL_GET), back;
        size_t len;
        a.code = (enum protocol_code)code;
        assert_int_equal(protocol_answer_encode(&a, bytes, sizeof bytes, &len), GOOD);
        assert_int_equal(len, 7);
        assert_int_equal(protocol_answer_decode(bytes_of(bytes, len), &back), GOOD);
        assert_int_equal(back.code, code);
        assert_int_equal(back.get.bytes.len, 0);
    }
}

static void refuses_what_it_does_not_know(void **state) {
    (void)state;
    struct protocol_request r = request(PROTOCOL_CHECK), out = {.check.epoch = 77};
    size_t len;
    assert_int_equal(protocol_request_encode(&r, bytes, sizeof bytes, &len), GOOD);
    bytes[2] = 2;
    assert_int_equal(protocol_request_decode(bytes_of(bytes, len), &out), BAD_VERSION);
    bytes[2] = 1;
    bytes[4] = 5;
    assert_int_equal(protocol_request_decode(bytes_of(bytes, len), &out), BAD_UNSUPPORTED);
    bytes[4] = 2;
    bytes[0] = 0xa7; /* one pair more than there is */
    assert_int_not_equal(protocol_request_decode(bytes_of(bytes, len), &out), GOOD);
    bytes[0] = 0xa6;
    bytes[3] = 3; /* another key */
    assert_int_equal(protocol_request_decode(bytes_of(bytes, len), &out), BAD_ENCODING);
    assert_int_equal(out.check.epoch, 77);
}

/* Worked example of the documentation. */
static void the_worked_example_holds(void **state) {
    (void)state;
    static const char expected[] = "a6000101020258200000000000000000000000000000000000000000000000000000000000000000"
                                   "0304040005187b";
    struct protocol_request r = {.operation = PROTOCOL_CHECK, .check = {.running_sequence = 4, .height = 123}};
    char hex[256];
    size_t len;
    assert_int_equal(protocol_request_encode(&r, bytes, sizeof bytes, &len), GOOD);
    hex_encode(bytes, len, hex);
    assert_string_equal(hex, expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_read_back),
        cmocka_unit_test(answers_read_back),
        cmocka_unit_test(an_answer_with_a_code_says_nothing_else),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(the_worked_example_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
