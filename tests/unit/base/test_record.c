#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/record.h"

#include <string.h>

enum colour { COLOUR_NONE, COLOUR_RED, COLOUR_BLUE };

struct corner {
    uint8_t x;
    uint16_t y;
};

struct thing {
    uint8_t small;
    uint16_t middle;
    uint32_t big;
    uint64_t huge;
    bool lit;
    enum colour colour;
    char name[8];
    uint8_t id[4];
    bool has_note;
    uint8_t note[3];
    uint16_t blob_len;
    uint8_t blob[5];
    uint8_t corner_count;
    struct corner corners[3];
    uint8_t tag_count;
    uint8_t tags[2][2];
    struct corner origin;
};

static const char *const colours[] = {[COLOUR_RED] = "red", [COLOUR_BLUE] = "blue"};

static const struct field corner_fields[] = {
    {"x", "Across.", FIELD_NUMBER, MEMBER(struct corner, x)},
    {"y", "Down.", FIELD_NUMBER, MEMBER(struct corner, y)},
};
static const struct record corner_shape = {"Corner", "A place.", RECORD_OF(struct corner, corner_fields)};

static void loud_name(const void *value, struct buffer *out) {
    buffer_put(out, ((const struct thing *)value)->name, 1);
}

static const struct field thing_fields[] = {
    {NULL, NULL, FIELD_VERSION, FIELD_KEPT, .max = 7},
    {"small", "", FIELD_NUMBER, MEMBER(struct thing, small)},
    {"middle", "", FIELD_NUMBER, MEMBER(struct thing, middle)},
    {"big", "", FIELD_NUMBER, MEMBER(struct thing, big)},
    {"huge", "", FIELD_DECIMAL, MEMBER(struct thing, huge)},
    {"lit", "", FIELD_BOOL, MEMBER(struct thing, lit)},
    {"colour", "", FIELD_NAME, MEMBER(struct thing, colour), NAMES(colours)},
    {"name", "", FIELD_TEXT, MEMBER(struct thing, name)},
    {"loud", "", FIELD_MADE, FIELD_SHOWN, .make = loud_name, .pattern = "^.$"},
    {"id", "", FIELD_HEX, MEMBER(struct thing, id)},
    {"note", "", FIELD_HEX, MEMBER(struct thing, note), IF(struct thing, has_note)},
    {"blob", "", FIELD_BLOB, COUNTED(struct thing, blob, blob_len)},
    {"corners", "", FIELD_LIST, COUNTED(struct thing, corners, corner_count), .of = &corner_shape},
    {"tags", "", FIELD_LIST, COUNTED(struct thing, tags, tag_count)},
    {"origin", "", FIELD_RECORD, MEMBER(struct thing, origin), .of = &corner_shape},
};
static const struct record shape = {"Thing", "Of every type.", RECORD_OF(struct thing, thing_fields)};

static const struct thing sample = {
    .small = 1,
    .middle = 0x0203,
    .big = 0x04050607,
    .huge = 0x08090a0b0c0d0e0f,
    .lit = true,
    .colour = COLOUR_BLUE,
    .name = "box",
    .id = {0x10, 0x11, 0x12, 0x13},
    .has_note = true,
    .note = {0x14, 0x15, 0x16},
    .blob_len = 2,
    .blob = {0x17, 0x18},
    .corner_count = 1,
    .corners = {{0x19, 0x1a1b}},
    .tag_count = 2,
    .tags = {{0x1c, 0x1d}, {0x1e, 0x1f}},
    .origin = {0x20, 0x2122},
};

/* Where the parts of the encoded sample begin. */
enum { AT_VERSION = 0, AT_LIT = 16, AT_COLOUR = 17, AT_NAME = 18, AT_NOTE = 27, AT_BLOB = 31, AT_CORNERS = 35 };

static const uint8_t encoded[] = {
    7, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, /* numbers */
    1, 2,    0,    3,    'b',  'o',  'x',  0x10, 0x11, 0x12, 0x13,                               /* to id */
    3, 0x14, 0x15, 0x16, 0,    2,    0x17, 0x18, 1,    0x19, 0x1a, 0x1b,                         /* to corners */
    2, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22,
};

static void the_bytes_are_the_fields_in_the_order_of_the_table(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    record_encode(&shape, &sample, &b);
    assert_int_equal(b.len, sizeof encoded);
    assert_memory_equal(b.data, encoded, sizeof encoded);
    struct thing back;
    assert_int_equal(record_decode(&shape, buffer_bytes(&b), &back), OK);
    struct buffer again = BUFFER_INIT;
    record_encode(&shape, &back, &again);
    assert_memory_equal(again.data, encoded, sizeof encoded);
    assert_string_equal(back.name, "box");
    assert_true(back.has_note && back.lit && back.colour == COLOUR_BLUE && back.huge == sample.huge);
    buffer_free(&again);
    buffer_free(&b);
}

static void what_is_not_there_takes_one_byte(void **state) {
    (void)state;
    struct thing without = sample, back;
    without.has_note = false;
    struct buffer b = BUFFER_INIT;
    record_encode(&shape, &without, &b);
    assert_int_equal(b.len, sizeof encoded - sizeof sample.note);
    assert_int_equal(b.data[AT_NOTE], 0);
    assert_int_equal(record_decode(&shape, buffer_bytes(&b), &back), OK);
    assert_false(back.has_note);
    assert_int_equal(back.origin.y, sample.origin.y);
    buffer_free(&b);
}

static void expect_corrupt(const uint8_t *data, size_t len) {
    struct thing back;
    memset(&back, 0x55, sizeof back);
    assert_int_equal(record_decode(&shape, bytes_of(data, len), &back), ERR_CORRUPT);
    assert_true(bytes_is_zero(&back, sizeof back));
}

static void no_other_bytes_are_a_record(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } wrong[] = {
        {AT_VERSION, 6},  /* another version */
        {AT_LIT, 2},      /* neither true nor false */
        {AT_COLOUR, 0},   /* a name that is empty */
        {AT_COLOUR, 3},   /* behind the names */
        {AT_NAME + 1, 8}, /* no room for the terminator */
        {AT_NAME + 2, 0}, /* ends within */
        {AT_NAME + 1, 9}, /* no room for the terminator */
        {AT_NOTE, 2},     /* another length than it has */
        {AT_BLOB + 1, 6}, /* over the limit */
        {AT_CORNERS, 4},  /* over the limit */
    };
    uint8_t data[sizeof encoded + 1];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(data, encoded, sizeof encoded);
        data[wrong[i].at] = wrong[i].value;
        expect_corrupt(data, sizeof encoded);
    }
    memcpy(data, encoded, sizeof encoded);
    data[sizeof encoded] = 0;
    expect_corrupt(data, sizeof data);
    for (size_t len = 0; len < sizeof encoded; len++) {
        expect_corrupt(encoded, len);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_are_the_fields_in_the_order_of_the_table),
        cmocka_unit_test(what_is_not_there_takes_one_byte),
        cmocka_unit_test(no_other_bytes_are_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
