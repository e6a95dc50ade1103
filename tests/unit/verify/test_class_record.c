#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "verify/class_record.h"

#include <string.h>

static struct class_record sample(void) {
    struct class_record r = {.has_release = true,
                             .sequence = 7,
                             .image_size = 552000,
                             .floor = 3,
                             .highest_released = 9,
                             .highest_revoked = 8,
                             .height = 100,
                             .time_ms = 1700000000000};
    memset(r.vendor_id, 0xa1, sizeof r.vendor_id);
    memset(r.class_id, 0xa2, sizeof r.class_id);
    memset(r.release_id, 0xa3, sizeof r.release_id);
    memset(r.manifest_digest, 0xa4, sizeof r.manifest_digest);
    memset(r.image_digest, 0xa5, sizeof r.image_digest);
    memset(r.image_cid, 0xa6, sizeof r.image_cid);
    memset(r.image_tree_root, 0xa7, sizeof r.image_tree_root);
    return r;
}

static enum verdict decode(const uint8_t *bytes, size_t len, struct class_record *out) {
    return class_record_decode(bytes_of(bytes, len), out);
}

static void reads_back_what_it_wrote(void **state) {
    (void)state;
    struct class_record r = sample(), back;
    uint8_t a[CLASS_RECORD_LEN], b[CLASS_RECORD_LEN];
    for (int has = 0; has < 2; has++) {
        r.has_release = has != 0;
        class_record_encode(&r, a);
        assert_int_equal(decode(a, sizeof a, &back), GOOD);
        assert_int_equal(back.has_release, r.has_release);
        assert_int_equal(back.floor, 3);
        assert_int_equal(back.sequence, has ? 7 : 0);
        assert_int_equal(back.time_ms, r.time_ms);
        class_record_encode(&back, b);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void stands_where_the_layout_says(void **state) {
    (void)state;
    struct class_record r = sample();
    uint8_t a[CLASS_RECORD_LEN];
    class_record_encode(&r, a);
    static const struct {
        size_t at;
        uint8_t byte;
    } places[] = {{0, 1},     {1, 1},     {2, 0xa1},   {18, 0xa2},  {33, 0xa2},  {41, 7},
                  {42, 0xa3}, {74, 0xa4}, {106, 0xa5}, {146, 0xa6}, {181, 0xa6}, {182, 0xa7},
                  {221, 3},   {229, 9},   {237, 8},    {238, 0},    {255, 100},  {213, 0xa7}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(a[places[i].at], places[i].byte);
    }
}

static void every_byte_counts(void **state) {
    (void)state;
    struct class_record r = sample(), back;
    uint8_t a[CLASS_RECORD_LEN], b[CLASS_RECORD_LEN];
    class_record_encode(&r, a);
    for (size_t i = 0; i < sizeof a; i++) {
        a[i] ^= 0x55;
        if (decode(a, sizeof a, &back) == GOOD) {
            class_record_encode(&back, b);
            assert_memory_equal(a, b, sizeof a);
        } else {
            assert_true(i < 2 || (i >= 238 && i < 248));
        }
        a[i] ^= 0x55;
    }
}

static void refuses_other_lengths_versions_and_stray_bytes(void **state) {
    (void)state;
    struct class_record r = sample(), out = {.floor = 77};
    uint8_t a[CLASS_RECORD_LEN + 1] = {0};
    class_record_encode(&r, a);
    for (size_t len = 0; len < CLASS_RECORD_LEN; len++) {
        assert_int_equal(decode(a, len, &out), BAD_TRUNCATED);
    }
    assert_int_equal(decode(a, CLASS_RECORD_LEN + 1, &out), BAD_TRAILING);
    a[0] = 2;
    assert_int_equal(decode(a, CLASS_RECORD_LEN, &out), BAD_VERSION);
    a[0] = 1;
    a[1] = 0; /* no release, yet its fields are filled in */
    assert_int_equal(decode(a, CLASS_RECORD_LEN, &out), BAD_ENCODING);
    a[1] = 3;
    assert_int_equal(decode(a, CLASS_RECORD_LEN, &out), BAD_ENCODING);
    assert_int_equal(out.floor, 77);
}

static void its_key_is_latest_and_the_class(void **state) {
    (void)state;
    uint8_t key[CLASS_RECORD_KEY_LEN];
    class_record_key((const uint8_t *)"0123456789abcdef", key);
    assert_memory_equal(key, "latest/0123456789abcdef", sizeof key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(stands_where_the_layout_says),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(refuses_other_lengths_versions_and_stray_bytes),
        cmocka_unit_test(its_key_is_latest_and_the_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
