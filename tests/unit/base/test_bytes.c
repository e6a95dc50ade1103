#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"

#include <string.h>

static void hex_round_trips_and_refuses_what_is_not_hex(void **state) {
    (void)state;
    const uint8_t raw[] = {0x00, 0x7f, 0x80, 0xff};
    char text[9];
    uint8_t back[4] = {0};
    hex_encode(raw, sizeof raw, text);
    assert_string_equal(text, "007f80ff");
    assert_int_equal(hex_decode("007F80ff", back, sizeof back), OK);
    assert_memory_equal(back, raw, sizeof raw);
    const uint8_t untouched[4] = {1, 2, 3, 4};
    memcpy(back, untouched, sizeof back);
    assert_int_equal(hex_decode("007f80f", back, sizeof back), ERR_MALFORMED);
    assert_int_equal(hex_decode("007f80ff00", back, sizeof back), ERR_MALFORMED);
    assert_int_equal(hex_decode("007f80fg", back, sizeof back), ERR_MALFORMED);
    assert_memory_equal(back, untouched, sizeof back);
}

static void integers_are_big_endian(void **state) {
    (void)state;
    uint8_t b[8];
    store_u64(b, 0x0102030405060708u);
    assert_memory_equal(b, "\1\2\3\4\5\6\7\10", 8);
    assert_int_equal(load_u16(b), 0x0102);
    assert_int_equal(load_u32(b), 0x01020304);
    assert_true(load_u64(b) == 0x0102030405060708u);
}

static void spans_sort_bytewise_and_shorter_first(void **state) {
    (void)state;
    assert_true(bytes_compare(bytes_str("a"), bytes_str("ab")) < 0);
    assert_true(bytes_compare(bytes_str("b"), bytes_str("ab")) > 0);
    assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_of(NULL, 0)), 0);
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_str("")));
    assert_false(bytes_equal(bytes_str("a"), bytes_str("b")));
    assert_true(bytes_is_zero("\0\0", 2));
    assert_false(bytes_is_zero("\0\1", 2));
}

static void only_well_formed_utf8_without_controls_is_clean(void **state) {
    (void)state;
    const char *good[] = {"",
                          "plain",
                          "tab\tand\nline",
                          "gr\xc3\xbc\xc3\x9f",
                          "\xe2\x82\xac",
                          "\xf0\x9f\x94\xa7",
                          "\xed\x9f\xbf",
                          "\xf4\x8f\xbf\xbf"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(text_is_clean(bytes_str(good[i])));
    }
    const char *bad[] = {"\x80",        "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80",     "\xf4\x90\x80\x80",
                         "\xff",        "bell\x07", "\x7f", "\xe2\x82",     "\xf0\x8f\xbf\xbf", "\xc3(",
                         "\xe2\x28\xa1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(text_is_clean(bytes_str(bad[i])));
    }
    assert_false(text_is_clean(bytes_of("a\0b", 3)));
}

static void what_is_not_seen_is_not_clean(void **state) {
    (void)state;
    const char *hidden[] = {("a\xc2\x85"
                             "b"),          /* C1: next line */
                            "\xc2\x9b[2J",  /* C1: a terminal's command */
                            "\xc2\xad",     /* soft hyphen */
                            "\xe2\x80\x8b", /* zero width space */
                            "\xe2\x80\xae", /* right-to-left override */
                            "\xe2\x81\xa6", /* isolate */
                            "\xe2\x80\xa8", /* line separator */
                            "\xef\xbb\xbf", /* byte order mark */
                            "\xf3\xa0\x81\x81" /* tag */};
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        assert_false(text_is_clean(bytes_str(hidden[i])));
    }
    assert_true(text_is_clean(bytes_str("\xc2\xa0\xe2\x80\x8a\xe2\x80\x90"))); /* beside them */
    assert_true(text_is_line(bytes_str("M\xc3\xbcller & S\xc3\xb6hne")));
    assert_false(text_is_line(bytes_str("one\ntwo")));
    assert_false(text_is_line(bytes_str("one\ttwo")));
    assert_true(text_is_ascii(bytes_str("1.2.3-rc1+build ~")));
    assert_false(text_is_ascii(bytes_str("1.2.3\nstate: revoked")));
    assert_false(text_is_ascii(bytes_str("1.2.\xc3\xbc")));
}

static void text_is_made_clean_and_cut_at_a_character(void **state) {
    (void)state;
    char cut[] = "gr\xc3\xbc\xc3", bad[] = "a\x1b[2J\xff\xe2\x80\xae-", whole[] = "\xe2\x82\xac";
    text_make_clean(cut);
    assert_string_equal(cut, "gr\xc3\xbc");
    text_make_clean(bad);
    assert_string_equal(bad, "a?[2J?"
                             "?"
                             "?"
                             "?"
                             "-");
    text_make_clean(whole);
    assert_string_equal(whole, "\xe2\x82\xac");
}

static void digits_are_taken_up_to_what_is_none(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool taken;
        uint64_t value;
        size_t left;
    } cases[] = {{"0", true, 0, 0},
                 {"0042-", true, 42, 1},
                 {"18446744073709551615", true, UINT64_MAX, 0},
                 {"18446744073709551616", false, 7, 20},
                 {"", false, 0, 0},
                 {"-1", false, 0, 2},
                 {" 1", false, 0, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *at = cases[i].text;
        uint64_t value = 7;
        assert_int_equal(text_take_number(&at, &value), cases[i].taken);
        assert_int_equal(value, cases[i].value);
        assert_int_equal(strlen(at), cases[i].left);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digits_are_taken_up_to_what_is_none),
        cmocka_unit_test(hex_round_trips_and_refuses_what_is_not_hex),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(spans_sort_bytewise_and_shorter_first),
        cmocka_unit_test(what_is_not_seen_is_not_clean),
        cmocka_unit_test(text_is_made_clean_and_cut_at_a_character),
        cmocka_unit_test(only_well_formed_utf8_without_controls_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
