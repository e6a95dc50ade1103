#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "verify/statement.h"

#include <string.h>

static struct statement sample(enum statement_kind kind) {
    struct statement s = {.counter = 12, .kind = kind, .sequence = 7};
    memset(s.chain_id, 0xa1, sizeof s.chain_id);
    memset(s.device_id, 0xa2, sizeof s.device_id);
    memset(s.update_id, 0xa3, sizeof s.update_id);
    memset(s.digest, 0xa4, sizeof s.digest);
    memset(s.nonce, 0xa5, sizeof s.nonce);
    if (kind == STATEMENT_REPORT) {
        s.outcome = REPORT_FAILED;
        s.reason = BAD_DIGEST;
    }
    return s;
}

static enum verdict decode(const uint8_t *bytes, size_t len, struct statement *out) {
    return statement_decode(bytes_of(bytes, len), out);
}

static void statements_read_back(void **state) {
    (void)state;
    for (int kind = STATEMENT_OPEN; kind <= STATEMENT_REPORT; kind++) {
        struct statement s = sample((enum statement_kind)kind), back;
        uint8_t a[STATEMENT_SIGNED_LEN], b[STATEMENT_SIGNED_LEN];
        statement_encode(&s, a);
        assert_memory_equal(a, TAG_STATEMENT, TAG_LEN);
        assert_int_equal(decode(a + TAG_LEN, STATEMENT_LEN, &back), GOOD);
        statement_encode(&back, b);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(back.kind, kind);
        assert_int_equal(back.counter, 12);
        assert_int_equal(back.reason, s.reason);
    }
}

static void every_byte_of_a_statement_counts(void **state) {
    (void)state;
    struct statement s = sample(STATEMENT_REPORT), back;
    uint8_t a[STATEMENT_SIGNED_LEN], b[STATEMENT_SIGNED_LEN];
    statement_encode(&s, a);
    for (size_t i = 0; i < STATEMENT_LEN; i++) {
        a[TAG_LEN + i] ^= 0x55;
        if (decode(a + TAG_LEN, STATEMENT_LEN, &back) == GOOD) {
            statement_encode(&back, b);
            assert_memory_equal(a, b, sizeof a);
        } else {
            assert_true(i == 0 || i == 105 || i == 106);
        }
        a[TAG_LEN + i] ^= 0x55;
    }
}

static void statements_are_refused_with_their_reason(void **state) {
    (void)state;
    struct statement s = sample(STATEMENT_VERIFY), out = {.counter = 77};
    uint8_t a[STATEMENT_SIGNED_LEN + 1] = {0}, *p = a + TAG_LEN;
    statement_encode(&s, a);
    for (size_t len = 0; len < STATEMENT_LEN; len++) {
        assert_int_equal(decode(p, len, &out), BAD_TRUNCATED);
    }
    assert_int_equal(decode(p, STATEMENT_LEN + 1, &out), BAD_TRAILING);
    p[0] = 2;
    assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_VERSION);
    p[0] = 1;
    for (unsigned kind = 0; kind < 256; kind++) {
        p[105] = (uint8_t)kind;
        if (kind != STATEMENT_OPEN && kind != STATEMENT_VERIFY) {
            assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_ENCODING);
        }
    }
    p[105] = STATEMENT_VERIFY;
    p[106] = REPORT_INSTALLED;
    assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_ENCODING);
    p[106] = 0;
    p[108] = 1; /* a reason */
    assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_ENCODING);
    p[105] = STATEMENT_REPORT; /* a report without an outcome */
    assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_ENCODING);
    p[106] = 4;
    assert_int_equal(decode(p, STATEMENT_LEN, &out), BAD_ENCODING);
    assert_int_equal(out.counter, 77);
}

static struct status_record sample_status(void) {
    struct status_record r = {.status = STATUS_VERIFIED,
                              .last_outcome = OUTCOME_SUCCESS,
                              .failed_attempts = 2,
                              .counter = 12,
                              .window_start_ms = 5,
                              .window_ms = 60000,
                              .height = 9,
                              .time_ms = 10};
    memset(r.update_id, 0xb1, sizeof r.update_id);
    memset(r.device_id, 0xb2, sizeof r.device_id);
    memset(r.release_id, 0xb3, sizeof r.release_id);
    memset(r.nonce, 0xb4, sizeof r.nonce);
    memset(r.digest, 0xb5, sizeof r.digest);
    return r;
}

static void status_records_read_back_and_every_byte_counts(void **state) {
    (void)state;
    struct status_record r = sample_status(), back;
    uint8_t a[STATUS_RECORD_LEN], b[STATUS_RECORD_LEN];
    status_record_encode(&r, a);
    assert_int_equal(a[7], 2);
    assert_int_equal(a[8], 0xb1);
    assert_int_equal(a[111], 12);
    assert_int_equal(a[127], 0xb4);
    assert_int_equal(a[159], 0xb5);
    assert_int_equal(a[191], 10);
    assert_int_equal(status_record_decode(bytes_of(a, sizeof a), &back), GOOD);
    assert_int_equal(back.window_ms, 60000);
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] ^= 0x55;
        if (status_record_decode(bytes_of(a, sizeof a), &back) == GOOD) {
            status_record_encode(&back, b);
            assert_memory_equal(a, b, sizeof a);
        } else {
            assert_true(i < 4 || i >= 192);
        }
        a[i] ^= 0x55;
    }
    for (size_t len = 0; len < sizeof a; len++) {
        assert_int_equal(status_record_decode(bytes_of(a, len), &back), BAD_TRUNCATED);
    }
    a[1] = 0;
    assert_int_equal(status_record_decode(bytes_of(a, sizeof a), &back), BAD_ENCODING);
    a[1] = STATUS_EXPIRED;
    a[2] = OUTCOME_SUCCESS + 1;
    assert_int_equal(status_record_decode(bytes_of(a, sizeof a), &back), BAD_ENCODING);
}

static void keys_and_names(void **state) {
    (void)state;
    uint8_t key[STATUS_RECORD_KEY_LEN], update[HASH_LEN], device[KEY_LEN];
    memset(update, 'u', sizeof update);
    memset(device, 'd', sizeof device);
    status_record_key(update, device, key);
    assert_memory_equal(key, "status/uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuudddddddddddddddddddddddddddddddd", sizeof key);
    assert_string_equal(device_status_name(STATUS_ROLLED_BACK), "rolled_back");
    assert_string_equal(device_status_name((enum device_status)99), "unknown");
    assert_string_equal(verify_outcome_name(OUTCOME_MISMATCH), "mismatch");
    assert_string_equal(verify_outcome_name((enum verify_outcome)99), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_read_back),
        cmocka_unit_test(every_byte_of_a_statement_counts),
        cmocka_unit_test(statements_are_refused_with_their_reason),
        cmocka_unit_test(status_records_read_back_and_every_byte_counts),
        cmocka_unit_test(keys_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
