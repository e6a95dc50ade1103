#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/json/record_file.h"

#include <stdlib.h>
#include <string.h>

enum colour { COLOUR_RED = 1, COLOUR_BLUE = 2 };

struct leaf {
    uint8_t number;
    bool lit;
};

struct crown {
    bool there;
    uint8_t id[2];
};

struct tree {
    enum colour colour;
    uint8_t id[4];
    char name[8];
    uint16_t height;
    uint64_t age;
    uint16_t bark_len;
    uint8_t bark[3];
    uint8_t ring_count;
    uint8_t rings[2][2];
    size_t leaf_count;
    struct leaf *leaves;
    struct crown crown;
};

static const struct field leaf_fields[] = {
    {"number", "Of it.", FIELD_NUMBER, MEMBER(struct leaf, number)},
    {"lit", "By the sun.", FIELD_BOOL, MEMBER(struct leaf, lit)},
};
static const struct record leaf_shape = {"Leaf", "A leaf.", RECORD_OF(struct leaf, leaf_fields)};

static const struct field crown_fields[] = {{"id", "Of it.", FIELD_HEX, MEMBER(struct crown, id)}};
static const struct record crown_shape = {"Crown", "A crown.", RECORD_OF(struct crown, crown_fields)};

static const struct field red[] = {{"id", "Two bytes.", FIELD_HEX, .at = offsetof(struct tree, id), .size = 2}};
static const struct field blue[] = {{"id", "Four bytes.", FIELD_HEX, MEMBER(struct tree, id)}};
static const struct record colours[] = {
    [COLOUR_RED] = {"red", "Short.", RECORD_OF(struct tree, red)},
    [COLOUR_BLUE] = {"blue", "Long.", RECORD_OF(struct tree, blue)},
};

static void format(const void *value, struct buffer *out) {
    (void)value;
    buffer_words(out, "tree-1");
}

static const struct field tree_fields[] = {
    {"format", "What this is.", FIELD_MADE, .make = format},
    {"colour", "Of its leaves.", FIELD_KIND, MEMBER(struct tree, colour), KINDS(colours)},
    {"name", "Of it.", FIELD_TEXT, MEMBER(struct tree, name)},
    {"height", "In metres.", FIELD_NUMBER, MEMBER(struct tree, height), .min = 2, .max = 120},
    {"age", "In years.", FIELD_NUMBER, MEMBER(struct tree, age)},
    {"bark", "Its bytes.", FIELD_BLOB, COUNTED(struct tree, bark, bark_len)},
    {"rings", "From the middle.", FIELD_LIST, COUNTED(struct tree, rings, ring_count)},
    {"leaves", "All of them.", FIELD_ROWS, ROWS(struct tree, leaves, leaf_count, 3), .of = &leaf_shape},
    {"crown", "If it has one.", FIELD_RECORD, MEMBER(struct tree, crown), .of = &crown_shape,
     IF(struct tree, crown.there), .is_omitted = true},
};
static const struct record tree_shape = {"Tree", "A tree.", RECORD_OF(struct tree, tree_fields)};

#define LIMIT 4096

static const char whole[] = "{\n"
                            "  \"format\": \"tree-1\",\n"
                            "  \"colour\": \"red\",\n"
                            "  \"id\": \"0102\",\n"
                            "  \"name\": \"oak\",\n"
                            "  \"height\": 20,\n"
                            "  \"age\": 300,\n"
                            "  \"bark\": \"0a0b\",\n"
                            "  \"rings\": [\n"
                            "    \"0c0d\"\n"
                            "  ],\n"
                            "  \"leaves\": [\n"
                            "    {\n"
                            "      \"number\": 1,\n"
                            "      \"lit\": true\n"
                            "    },\n"
                            "    {\n"
                            "      \"number\": 2,\n"
                            "      \"lit\": false\n"
                            "    }\n"
                            "  ],\n"
                            "  \"crown\": {\n"
                            "    \"id\": \"0e0f\"\n"
                            "  }\n"
                            "}\n";

static void a_file_is_read_into_its_record_and_written_as_it_was(void **state) {
    (void)state;
    struct tree tree;
    struct why why = WHY_NONE;
    struct buffer text = BUFFER_INIT;
    assert_int_equal(record_file_parse(&tree_shape, bytes_str(whole), LIMIT, &tree, &why), OK);
    assert_int_equal(tree.colour, COLOUR_RED);
    assert_memory_equal(tree.id, "\x01\x02\0\0", 4);
    assert_string_equal(tree.name, "oak");
    assert_int_equal(tree.height, 20);
    assert_int_equal(tree.age, 300);
    assert_int_equal(tree.bark_len, 2);
    assert_int_equal(tree.ring_count, 1);
    assert_int_equal(tree.leaf_count, 2);
    assert_int_equal(tree.leaves[1].number, 2);
    assert_true(tree.leaves[0].lit && !tree.leaves[1].lit);
    assert_true(tree.crown.there);
    assert_int_equal(record_file_render(&tree_shape, &tree, &text), OK);
    assert_string_equal(buffer_text(&text), whole);
    free(tree.leaves);
    buffer_free(&text);
}

/* Reads the whole text with the first `from` replaced. */
static enum err parse_changed(const char *from, const char *to, struct why *why) {
    struct tree tree;
    struct buffer text = BUFFER_INIT;
    const char *at = strstr(whole, from);
    assert_non_null(at);
    buffer_put(&text, whole, (size_t)(at - whole));
    buffer_words(&text, to);
    buffer_words(&text, at + strlen(from));
    enum err e = record_file_parse(&tree_shape, buffer_bytes(&text), LIMIT, &tree, why);
    free(tree.leaves);
    buffer_free(&text);
    return e;
}

static void refuses(const char *from, const char *to, const char *says) {
    struct why why = WHY_NONE;
    assert_int_equal(parse_changed(from, to, &why), ERR_MALFORMED);
    assert_string_equal(why.text, says);
}

static void what_is_wrong_is_told_with_its_place(void **state) {
    (void)state;
    refuses("tree-1", "tree-2", "format must be one of: tree-1");
    refuses("\"red\"", "\"grey\"", "colour must be one of: red, blue");
    refuses("\"red\"", "\"blue\"", "id must be 4 bytes in hex");
    refuses("\"oak\"", "\"sycamore\"", "name must be at most 7 characters of plain text");
    refuses("\"oak\"", "7", "name must be a text");
    refuses("20,", "1,", "height must be from 2 to 120");
    refuses("20,", "121,", "height must be from 2 to 120");
    refuses("300", "-1", "age must be from 0 to 9007199254740991");
    refuses("300", "\"300\"", "age must be a whole number");
    refuses("0a0b", "0a0b0c0d", "bark must be at most 3 bytes in hex");
    refuses("\"0c0d\"", "\"0c0d\", \"0c\"", "rings item 1 must be 2 bytes in hex");
    refuses("\"0c0d\"", "\"0c0d\", \"0c0d\", \"0c0d\"", "rings has more than 2 items");
    refuses("\"leaves\": [", "\"leaves\": [{}, {}, ", "leaves has more than 3 items");
    refuses("\"leaves\": [", "\"leaves\": [7, ", "leaves[0] must be an object");
    refuses("\"number\": 2", "\"number\": 256", "leaves[1].number must be from 0 to 255");
    refuses("false", "0", "leaves[1].lit must be true or false");
    refuses("\"0e0f\"", "\"0e\"", "crown.id must be 2 bytes in hex");
}

static void what_the_table_does_not_have_is_refused(void **state) {
    (void)state;
    refuses("\"age\"", "\"sap\": 1, \"age\"", "sap is not a known member");
    refuses("\"number\": 2", "\"sap\": 1, \"number\": 2", "leaves[1].sap is not a known member");
    refuses("\"0e0f\"", "\"0e0f\", \"sap\": 1", "crown.sap is not a known member");
}

static void only_what_is_omitted_without_a_value_may_be_missing(void **state) {
    (void)state;
    struct why why = WHY_NONE;
    refuses("\"age\": 300,", "", "age is missing");
    refuses("\"lit\": false", "\"lid\": false", "leaves[1].lit is missing");
    refuses("{\n    \"id\": \"0e0f\"\n  }", "null", "crown must be an object");
    assert_int_equal(parse_changed(",\n  \"crown\": {\n    \"id\": \"0e0f\"\n  }", "", &why), OK);
}

static void other_texts_are_refused(void **state) {
    (void)state;
    struct tree tree;
    struct why why = WHY_NONE;
    const char *const texts[] = {"", "[]", "{", "{} {}", "{\"age\": 1, \"age\": 1}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(record_file_parse(&tree_shape, bytes_str(texts[i]), LIMIT, &tree, &why), ERR_MALFORMED);
        assert_memory_equal(why.text, "line ", 5);
    }
    assert_int_equal(record_file_parse(&tree_shape, bytes_str(whole), sizeof whole - 2, &tree, &why), ERR_TOOLARGE);
}

static void a_record_that_json_cannot_hold_is_not_written_in_part(void **state) {
    (void)state;
    struct tree tree = {.colour = COLOUR_RED, .name = "o\xff"};
    struct buffer text = BUFFER_INIT;
    assert_int_equal(record_file_render(&tree_shape, &tree, &text), ERR_NOMEM);
    assert_int_equal(text.len, 0);
    buffer_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_into_its_record_and_written_as_it_was),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(what_the_table_does_not_have_is_refused),
        cmocka_unit_test(only_what_is_omitted_without_a_value_may_be_missing),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(a_record_that_json_cannot_hold_is_not_written_in_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
