#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/json/record_json.h"
#include "node/json/record_schema.h"

#include <string.h>

/* A record with a field of each type that JSON has. */

enum colour { COLOUR_NONE, COLOUR_RED, COLOUR_BLUE };
enum form { FORM_NONE, FORM_ROUND, FORM_SQUARE };

struct setting {
    uint8_t number;
    uint64_t value;
};

struct corner {
    uint8_t x, y;
};

struct thing {
    uint32_t number;
    uint64_t counter;
    bool lit;
    enum colour colour;
    char name[8];
    uint8_t id[4];
    bool has_note;
    uint8_t note[2];
    bool has_extra;
    uint32_t extra;
    uint8_t blob_len, blob[5];
    uint8_t corner_count;
    struct corner corners[2];
    uint8_t setting_count;
    struct setting settings[2];
    struct corner part;
    struct corner inner;
    const char *words;
    struct bytes text;
    enum form form;
    uint8_t radius, side;
};

static const char *const colours[] = {[COLOUR_RED] = "red", [COLOUR_BLUE] = "blue"};
static const struct field corner_fields[] = {
    {"x", "Across.", FIELD_NUMBER, MEMBER(struct corner, x)},
    {"y", "Down.", FIELD_NUMBER, MEMBER(struct corner, y)},
};
static const struct record corner_shape = {"Corner", "A place.", RECORD_OF(struct corner, corner_fields)};

static void setting_name(const void *value, struct buffer *out) {
    buffer_u8(out, (uint8_t)('a' + ((const struct setting *)value)->number));
}
static const struct field setting_fields[] = {
    {NULL, NULL, FIELD_NUMBER, FIELD_KEPT, MEMBER(struct setting, number)},
    {"name", "Which.", FIELD_MADE, FIELD_SHOWN, .make = setting_name, .pattern = "^.$"},
    {"value", "What.", FIELD_NUMBER, MEMBER(struct setting, value)},
};
static const struct record setting_shape = {"Setting", "One.", RECORD_OF(struct setting, setting_fields)};

static const struct field round_fields[] = {{"radius", "Of it.", FIELD_NUMBER, MEMBER(struct thing, radius)}};
static const struct field square_fields[] = {{"side", "Of it.", FIELD_NUMBER, MEMBER(struct thing, side)}};
static const struct record forms[] = {
    [FORM_ROUND] = {"round", "A disc.", RECORD_OF(struct thing, round_fields)},
    [FORM_SQUARE] = {"square", "A tile.", RECORD_OF(struct thing, square_fields)},
};

static const struct field thing_fields[] = {
    {"number", "n", FIELD_NUMBER, MEMBER(struct thing, number)},
    {"counter", "c", FIELD_DECIMAL, MEMBER(struct thing, counter)},
    {"lit", "l", FIELD_BOOL, MEMBER(struct thing, lit)},
    {"colour", "c", FIELD_NAME, MEMBER(struct thing, colour), NAMES(colours)},
    {"name", "n", FIELD_TEXT, MEMBER(struct thing, name)},
    {"id", "i", FIELD_HEX, MEMBER(struct thing, id)},
    {"note", "n", FIELD_HEX, MEMBER(struct thing, note), IF(struct thing, has_note)},
    {"extra", "e", FIELD_NUMBER, MEMBER(struct thing, extra), IF(struct thing, has_extra), .is_omitted = true},
    {"blob", "b", FIELD_BLOB, COUNTED(struct thing, blob, blob_len)},
    {"corners", "c", FIELD_LIST, COUNTED(struct thing, corners, corner_count), .of = &corner_shape},
    {"settings", "s", FIELD_LIST, COUNTED(struct thing, settings, setting_count), .of = &setting_shape, .is_map = true},
    {"part", "p", FIELD_PART, MEMBER(struct thing, part), .of = &corner_shape},
    {"inner", "i", FIELD_RECORD, MEMBER(struct thing, inner), .of = &corner_shape},
    {"words", "w", FIELD_WORDS, MEMBER(struct thing, words)},
    {"text", "t", FIELD_BYTES_OF_TEXT, MEMBER(struct thing, text)},
    {"form", "f", FIELD_KIND, MEMBER(struct thing, form), KINDS(forms)},
};
static const struct record shape = {"Thing", "Of every type.", RECORD_OF(struct thing, thing_fields)};

static const char sample_text[] =
    "{\"number\":7,\"counter\":\"18446744073709551615\",\"lit\":true,\"colour\":\"blue\",\"name\":\"box\","
    "\"id\":\"01020304\",\"note\":null,\"blob\":\"0a0b\",\"corners\":[{\"x\":1,\"y\":2}],\"settings\":{\"b\":500},"
    "\"x\":3,\"y\":4,\"inner\":{\"x\":5,\"y\":6},\"words\":\"w\",\"text\":\"t\",\"form\":\"square\",\"side\":9}";

static struct thing sample(void) {
    return (struct thing){.number = 7,
                          .counter = UINT64_MAX,
                          .lit = true,
                          .colour = COLOUR_BLUE,
                          .name = "box",
                          .id = {1, 2, 3, 4},
                          .blob_len = 2,
                          .blob = {10, 11},
                          .corner_count = 1,
                          .corners = {{1, 2}},
                          .setting_count = 1,
                          .settings = {{1, 500}},
                          .part = {3, 4},
                          .inner = {5, 6},
                          .words = "w",
                          .text = bytes_of("t", 1),
                          .form = FORM_SQUARE,
                          .side = 9};
}

static void a_record_is_the_members_of_its_table(void **state) {
    (void)state;
    const struct thing thing = sample();
    json_t *json = record_json(&shape, &thing);
    char *text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, sample_text);
    free(text);
    json_decref(json);
}

static json_t *sample_json(void) {
    json_t *json = json_loads(sample_text, 0, NULL);
    assert_non_null(json);
    return json;
}

static void what_was_written_is_read(void **state) {
    (void)state;
    json_t *json = sample_json();
    struct thing thing;
    struct why why = WHY_NONE;
    (void)json_object_set_new(json, "unknown", json_true()); /* another version's */
    (void)json_object_set_new(json, "extra", json_integer(5));
    assert_int_equal(record_of_json(&shape, json, &thing, &why), OK);
    assert_int_equal(thing.number, 7);
    assert_true(thing.counter == UINT64_MAX && thing.lit && thing.colour == COLOUR_BLUE);
    assert_string_equal(thing.name, "box");
    assert_memory_equal(thing.id, "\1\2\3\4", 4);
    assert_false(thing.has_note);
    assert_true(thing.has_extra && thing.extra == 5);
    assert_true(thing.blob_len == 2 && thing.blob[1] == 11);
    assert_true(thing.corner_count == 1 && thing.corners[0].y == 2 && thing.part.x == 3 && thing.inner.y == 6);
    assert_string_equal(thing.words, "w");
    assert_int_equal(thing.text.len, 1);
    assert_true(thing.form == FORM_SQUARE && thing.side == 9);
    json_decref(json);
}

static void what_does_not_fit_is_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *name, *value; /* NULL: taken out */
    } wrong[] = {
        {"number", "-1"},
        {"number", "4294967296"},
        {"number", "\"7\""},
        {"number", "1.5"},
        {"number", NULL},
        {"counter", "18"},
        {"counter", "\"\""},
        {"counter", "\"01\""},
        {"counter", "\"18446744073709551616\""},
        {"counter", "\"1x\""},
        {"lit", "1"},
        {"colour", "\"green\""},
        {"name", "\"too long for it\""},
        {"id", "\"0102\""},
        {"id", "\"0102030g\""},
        {"note", "\"01\""},
        {"blob", "\"0102030405 6\""},
        {"blob", "\"010203040506\""},
        {"corners", "[{},{},{}]"},
        {"corners", "[{\"x\":1}]"},
        {"corners", "{}"},
        {"x", "256"},
        {"inner", "[]"},
        {"words", "null"},
        {"text", "7"},
        {"form", "\"oval\""},
        {"side", NULL},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *json = sample_json();
        struct thing thing;
        struct why why = WHY_NONE;
        if (wrong[i].value != NULL) {
            (void)json_object_set_new(json, wrong[i].name, json_loads(wrong[i].value, JSON_DECODE_ANY, NULL));
        } else {
            (void)json_object_del(json, wrong[i].name);
        }
        if (record_of_json(&shape, json, &thing, &why) != ERR_MALFORMED) {
            fail_msg("%s = %s was taken", wrong[i].name, wrong[i].value != NULL ? wrong[i].value : "(nothing)");
        }
        assert_true(why_said(&why));
        json_decref(json);
    }
    struct thing thing;
    struct why why = WHY_NONE;
    assert_int_equal(record_of_json(&shape, NULL, &thing, &why), ERR_MALFORMED);
}

/* "latest" of a class record stands over the record's own struct. */
static void a_record_over_its_own_struct_keeps_what_is_beside_it(void **state) {
    (void)state;
    static const struct field inner_fields[] = {{"number", "n", FIELD_NUMBER, MEMBER(struct thing, number)}};
    static const struct record inner = {"Inner", "Part of it.", RECORD_OF(struct thing, inner_fields)};
    static const struct field outer_fields[] = {
        {"extra", "e", FIELD_NUMBER, MEMBER(struct thing, extra)},
        {"latest", "l", FIELD_RECORD, .at = 0, .size = sizeof(struct thing), IF(struct thing, has_note), .of = &inner},
    };
    static const struct record outer = {"Outer", "The whole.", RECORD_OF(struct thing, outer_fields)};
    json_t *json = json_loads("{\"extra\":3,\"latest\":{\"number\":4}}", 0, NULL);
    struct thing thing;
    struct why why = WHY_NONE;
    assert_int_equal(record_of_json(&outer, json, &thing, &why), OK);
    assert_true(thing.extra == 3 && thing.has_note && thing.number == 4);
    json_decref(json);
}

static void a_member_is_found_by_where_it_stands(void **state) {
    (void)state;
    uint8_t id[4];
    json_t *json = sample_json();
    assert_string_equal(record_name_at(&shape, offsetof(struct thing, part.y)), "y");
    assert_null(record_name_at(&shape, offsetof(struct thing, has_note)));
    assert_int_equal(json_integer_value(record_member(&shape, json, offsetof(struct thing, number))), 7);
    assert_true(record_hex(&shape, json, offsetof(struct thing, id), id, sizeof id));
    assert_false(record_hex(&shape, json, offsetof(struct thing, id), id, 3));
    assert_false(record_hex(&shape, json, offsetof(struct thing, note), id, 2));
    json_decref(json);
}

static void the_schema_says_what_the_table_says(void **state) {
    (void)state;
    json_t *schemas = json_object();
    json_t *reference = record_schema(&shape, schemas);
    assert_string_equal(json_string_value(json_object_get(reference, "$ref")), "#/components/schemas/Thing");
    assert_non_null(json_object_get(schemas, "Corner"));
    assert_null(json_object_get(schemas, "Setting")); /* a map's pairs are no objects of their own */
    json_t *kinds = json_object_get(json_object_get(schemas, "Thing"), "oneOf");
    assert_int_equal(json_array_size(kinds), 2);
    json_t *square = json_array_get(kinds, 1), *properties = json_object_get(square, "properties");
    assert_non_null(json_object_get(properties, "side"));
    assert_null(json_object_get(properties, "radius"));
    json_t *number = json_object_get(properties, "number");
    assert_int_equal(json_integer_value(json_object_get(number, "maximum")), UINT32_MAX);
    assert_string_equal(json_string_value(json_object_get(number, "description")), "n");
    json_t *note = json_object_get(properties, "note");
    assert_int_equal(json_array_size(json_object_get(note, "type")), 2); /* or null */
    bool requires_extra = false, requires_note = false;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(square, "required"), i, name) {
        requires_extra = requires_extra || strcmp(json_string_value(name), "extra") == 0;
        requires_note = requires_note || strcmp(json_string_value(name), "note") == 0;
    }
    assert_true(requires_note && !requires_extra);
    json_decref(reference);
    json_decref(schemas);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_the_members_of_its_table),
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(a_member_is_found_by_where_it_stands),
        cmocka_unit_test(the_schema_says_what_the_table_says),
        cmocka_unit_test(a_record_over_its_own_struct_keeps_what_is_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
