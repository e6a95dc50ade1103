#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/host/log.h"

#include <jansson.h>
#include <string.h>

static char line[LOG_LINE_MAX];

static void text_lines_are_key_value(void **state) {
    (void)state;
    const uint8_t hash[32] = {0xab, 0xcd};
    const struct log_field fields[] = {log_number("height", 12), log_hash("hash", hash, sizeof hash),
                                       log_text("peer", "a:1"), log_text("why", "it \"broke\"")};
    (void)log_format_line(LOG_TEXT, 1767323045678, LOG_INFO, "block.final", fields, 4, line);
    assert_string_equal(line, "2026-01-02T03:04:05.678Z info block.final height=12 hash=abcd000000000000 peer=a:1 "
                              "why=\"it \\\"broke\\\"\"\n");
}

static void a_field_cannot_forge_a_line(void **state) {
    (void)state;
    const struct log_field field = log_text("name", "x\nfake info event \x1b[2J \xff");
    (void)log_format_line(LOG_TEXT, 0, LOG_WARN, "test", &field, 1, line);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_null(strchr(line, 0x1b));
    assert_null(strchr(line, '\xff'));
}

static void json_lines_are_json(void **state) {
    (void)state;
    const struct log_field fields[] = {log_number("n", 3), log_text("t", "tab\t\"q\" \x01 \xc3\xa9"),
                                       log_err(ERR_NOSPACE)};
    size_t len = log_format_line(LOG_JSON, 0, LOG_ERROR, "test", fields, 3, line);
    json_t *json = json_loadb(line, len, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "n")), 3);
    assert_string_equal(json_string_value(json_object_get(json, "level")), "error");
    assert_string_equal(json_string_value(json_object_get(json, "error")), "no space left on device");
    json_decref(json);
}

static void long_lines_are_cut_and_stay_whole(void **state) {
    (void)state;
    char text[2 * LOG_LINE_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    const struct log_field fields[] = {log_number("n", 3), log_text("t", text), log_number("m", 4)};
    size_t len = log_format_line(LOG_JSON, 0, LOG_INFO, "test", fields, 3, line);
    assert_true(len < LOG_LINE_MAX);
    json_t *json = json_loadb(line, len, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "n")), 3);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_are_key_value),
        cmocka_unit_test(a_field_cannot_forge_a_line),
        cmocka_unit_test(json_lines_are_json),
        cmocka_unit_test(long_lines_are_cut_and_stay_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
