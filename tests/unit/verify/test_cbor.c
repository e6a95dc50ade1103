#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "verify/cbor.h"

#include <string.h>

#define TEST_MAX 64

/* A span over hex digits, in memory of exactly that size so that a sanitizer sees a read past its end. */
static struct bytes unhex(const char *hex, uint8_t *memory) {
    size_t len = strlen(hex) / 2;
    assert_true(len <= TEST_MAX);
    assert_int_equal(hex_decode(hex, memory, len), OK);
    return bytes_of(memory, len);
}

static enum verdict item(const char *hex) {
    uint8_t memory[TEST_MAX];
    struct cbor_reader r = cbor_reader_of(unhex(hex, memory));
    struct bytes out;
    enum verdict v = cbor_item(&r, &out);
    if (v == GOOD) {
        assert_int_equal(out.len + r.rest.len, strlen(hex) / 2);
        v = cbor_end(&r);
    } else {
        assert_int_equal(r.rest.len, strlen(hex) / 2);
    }
    return v;
}

/* The integers of RFC 8949, appendix A. */
static const struct {
    const char *hex;
    int64_t value;
} integers[] = {
    {"00", 0},
    {"01", 1},
    {"0a", 10},
    {"17", 23},
    {"1818", 24},
    {"1864", 100},
    {"1903e8", 1000},
    {"1a000f4240", 1000000},
    {"1b000000e8d4a51000", 1000000000000},
    {"20", -1},
    {"29", -10},
    {"3863", -100},
    {"3903e7", -1000},
    {"3b7fffffffffffffff", INT64_MIN},
    {"1b7fffffffffffffff", INT64_MAX},
};

static void integers_are_read_and_written_as_rfc_8949_says(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        uint8_t memory[TEST_MAX], written[TEST_MAX];
        struct bytes in = unhex(integers[i].hex, memory);
        struct cbor_reader r = cbor_reader_of(in);
        int64_t value;
        assert_int_equal(cbor_int(&r, &value), GOOD);
        assert_true(value == integers[i].value);
        assert_int_equal(cbor_end(&r), GOOD);
        struct cbor_writer w = cbor_writer_of(written, sizeof written);
        size_t len;
        cbor_put_int(&w, value);
        assert_int_equal(cbor_writer_end(&w, &len), GOOD);
        assert_int_equal(len, in.len);
        assert_memory_equal(written, in.data, len);
    }
}

static void the_largest_unsigned_number_is_read_and_does_not_fit_a_signed_one(void **state) {
    (void)state;
    uint8_t memory[TEST_MAX];
    struct cbor_reader r = cbor_reader_of(unhex("1bffffffffffffffff", memory));
    uint64_t u;
    int64_t i;
    assert_int_equal(cbor_int(&r, &i), BAD_ENCODING);
    assert_int_equal(cbor_uint(&r, &u), GOOD);
    assert_true(u == UINT64_MAX);
    r = cbor_reader_of(unhex("3b8000000000000000", memory));
    assert_int_equal(cbor_int(&r, &i), BAD_ENCODING);
}

static void long_forms_are_refused(void **state) {
    (void)state;
    static const char *const longs[] = {"1817",     "190017", "1900ff", "1a0000ffff", "1b00000000ffffffff",
                                        "5800",     "580141", "7801",   "9800",       "b80100",
                                        "d9001100", "f814",   "f800",   "3800"};
    for (size_t i = 0; i < sizeof longs / sizeof longs[0]; i++) {
        assert_int_equal(item(longs[i]), BAD_ENCODING);
    }
}

static void indefinite_lengths_floats_and_unknown_simple_values_are_refused(void **state) {
    (void)state;
    static const char *const others[] = {"5f4101ff", "7f6161ff", "9f01ff",     "bf0101ff",           "ff",   "f7", "e0",
                                         "f3",       "f90000",   "fa00000000", "fb0000000000000000", "f820", "1c", "3d",
                                         "5e"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(item(others[i]), BAD_ENCODING);
    }
}

static void an_item_cut_anywhere_is_truncated(void **state) {
    (void)state;
    const char *whole = "a301820203026461626364d81844deadbeef1a00010000";
    char cut[TEST_MAX];
    assert_int_equal(item("a3018202030264616263640344deadbeef"), GOOD);
    for (size_t digits = 0; digits < strlen(whole); digits += 2) {
        memcpy(cut, whole, digits);
        cut[digits] = 0;
        assert_int_equal(item(cut), BAD_TRUNCATED);
    }
}

static void a_count_that_the_rest_cannot_hold_is_refused_at_once(void **state) {
    (void)state;
    assert_int_equal(item("9a0fffffff00"), BAD_TRUNCATED);
    assert_int_equal(item("ba0fffffff0000"), BAD_TRUNCATED);
    assert_int_equal(item("9bffffffffffffffff"), BAD_TRUNCATED);
    assert_int_equal(item("5bffffffffffffffff00"), BAD_TRUNCATED);
    assert_int_equal(item("bb7fffffffffffffff0000"), BAD_TRUNCATED);
}

static void map_keys_must_ascend(void **state) {
    (void)state;
    assert_int_equal(item("a201000200"), GOOD);
    assert_int_equal(item("a202000100"), BAD_ENCODING);
    assert_int_equal(item("a201000100"), BAD_ENCODING);
    assert_int_equal(item("a2010020f6"), GOOD);                     /* 1, -1 */
    assert_int_equal(item("a320f661610081410000"), GOOD);           /* -1, "a", [h'00'] */
    assert_int_equal(item("a361610081410000616200"), BAD_ENCODING); /* "a", [h'00'], "b" */
    assert_int_equal(item("81a201a2010001000200"), BAD_ENCODING);   /* twice inside */
    assert_int_equal(item("a201a2010002000200"), GOOD);
}

static void text_must_be_utf8(void **state) {
    (void)state;
    static const char *const good[] = {"60", "6161", "62c3bc", "63e6b0b4", "64f0908591", "63efbfbd", "64f48fbfbf"};
    static const char *const bad[] = {"6180", "62c080",     "62c1bf",     "63e08080", "63eda080", "64f08080af",
                                      "61c3", "64f4908080", "64f5808080", "63e6b041", "62c341"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(item(good[i]), GOOD);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(item(bad[i]), BAD_ENCODING);
    }
}

static void nesting_has_a_limit(void **state) {
    (void)state;
    assert_int_equal(item("818181818181818100"), GOOD); /* eight arrays */
    assert_int_equal(item("81818181818181818100"), BAD_LIMIT);
    assert_int_equal(item("c6c6c6c6c6c6c6c6c600"), BAD_LIMIT);
    assert_int_equal(item("a100a100a100a100a100a100a100a100a10000"), BAD_LIMIT);
    assert_int_equal(item("81818181818181818180"), BAD_LIMIT);
    assert_int_equal(item("8080"), BAD_TRAILING);
}

static void a_reader_that_fails_stays_where_it_was(void **state) {
    (void)state;
    uint8_t memory[TEST_MAX];
    struct cbor_reader r = cbor_reader_of(unhex("4201", memory));
    uint64_t u;
    int64_t i;
    uint32_t count;
    bool flag;
    struct bytes span;
    assert_int_equal(cbor_uint(&r, &u), BAD_ENCODING);
    assert_int_equal(cbor_int(&r, &i), BAD_ENCODING);
    assert_int_equal(cbor_text(&r, &span), BAD_ENCODING);
    assert_int_equal(cbor_array(&r, &count), BAD_ENCODING);
    assert_int_equal(cbor_map(&r, &count), BAD_ENCODING);
    assert_int_equal(cbor_tag(&r, &u), BAD_ENCODING);
    assert_int_equal(cbor_bool(&r, &flag), BAD_ENCODING);
    assert_int_equal(cbor_null(&r), BAD_ENCODING);
    assert_int_equal(cbor_bytes(&r, &span), BAD_TRUNCATED);
    assert_int_equal(r.rest.len, 2);
    assert_ptr_equal(r.rest.data, memory);
}

static void bools_and_null_are_told_apart(void **state) {
    (void)state;
    uint8_t memory[TEST_MAX];
    struct cbor_reader r = cbor_reader_of(unhex("f4f5f6", memory));
    bool flag = true;
    assert_int_equal(cbor_null(&r), BAD_ENCODING);
    assert_int_equal(cbor_bool(&r, &flag), GOOD);
    assert_false(flag);
    assert_int_equal(cbor_bool(&r, &flag), GOOD);
    assert_true(flag);
    assert_int_equal(cbor_bool(&r, &flag), BAD_ENCODING);
    assert_int_equal(cbor_null(&r), GOOD);
    assert_int_equal(cbor_null(&r), BAD_TRUNCATED);
}

/* Every length of content around the places where the head grows. */
static void byte_strings_begun_and_ended_are_those_put_whole(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 23, 24, 25, 255, 256, 257, 65535, 65536, 65537};
    static uint8_t content[65537], begun[65600], whole[65600];
    memset(content, 0x5a, sizeof content);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct bytes span = {content, lengths[i]};
        size_t a_len, b_len;
        struct cbor_writer a = cbor_writer_of(begun, sizeof begun);
        size_t outer = cbor_begin_bytes(&a);
        size_t inner = cbor_begin_bytes(&a);
        cbor_put_raw(&a, span);
        cbor_end_bytes(&a, inner);
        cbor_put_null(&a);
        cbor_end_bytes(&a, outer);
        assert_int_equal(cbor_writer_end(&a, &a_len), GOOD);
        static uint8_t nested[65600];
        struct cbor_writer n = cbor_writer_of(nested, sizeof nested);
        cbor_put_bytes(&n, span);
        cbor_put_null(&n);
        struct cbor_writer b = cbor_writer_of(whole, sizeof whole);
        cbor_put_bytes(&b, bytes_of(nested, n.len));
        assert_int_equal(cbor_writer_end(&b, &b_len), GOOD);
        assert_int_equal(a_len, b_len);
        assert_memory_equal(begun, whole, a_len);
    }
}

static void a_writer_without_room_fails_and_writes_nothing_beyond(void **state) {
    (void)state;
    uint8_t out[40];
    for (size_t capacity = 0; capacity < 33; capacity++) {
        memset(out, 0xee, sizeof out);
        struct cbor_writer w = cbor_writer_of(out, capacity);
        size_t len = 7;
        size_t begun = cbor_begin_bytes(&w);
        static const uint8_t content[29] = {0};
        cbor_put_array(&w, 1);
        cbor_put_raw(&w, bytes_of(content, sizeof content));
        cbor_end_bytes(&w, begun);
        bool fits = capacity >= 32;
        assert_int_equal(cbor_writer_end(&w, &len), fits ? GOOD : BAD_LIMIT);
        assert_int_equal(len, fits ? 32 : 7);
        for (size_t i = capacity; i < sizeof out; i++) {
            assert_int_equal(out[i], 0xee);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read_and_written_as_rfc_8949_says),
        cmocka_unit_test(the_largest_unsigned_number_is_read_and_does_not_fit_a_signed_one),
        cmocka_unit_test(long_forms_are_refused),
        cmocka_unit_test(indefinite_lengths_floats_and_unknown_simple_values_are_refused),
        cmocka_unit_test(an_item_cut_anywhere_is_truncated),
        cmocka_unit_test(a_count_that_the_rest_cannot_hold_is_refused_at_once),
        cmocka_unit_test(map_keys_must_ascend),
        cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(a_reader_that_fails_stays_where_it_was),
        cmocka_unit_test(bools_and_null_are_told_apart),
        cmocka_unit_test(byte_strings_begun_and_ended_are_those_put_whole),
        cmocka_unit_test(a_writer_without_room_fails_and_writes_nothing_beyond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
