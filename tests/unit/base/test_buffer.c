#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buffer.h"

#include <string.h>

static void what_is_written_is_read_back_in_order(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    buffer_u8(&b, 1);
    buffer_u16(&b, 2);
    buffer_u32(&b, 3);
    buffer_u64(&b, 4);
    buffer_put(&b, "xyz", 3);
    assert_int_equal(buffer_ok(&b), OK);
    assert_int_equal(b.len, 18);
    struct reader r = reader_of(buffer_bytes(&b));
    assert_int_equal(read_u8(&r), 1);
    assert_int_equal(read_u16(&r), 2);
    assert_int_equal(read_u32(&r), 3);
    assert_true(read_u64(&r) == 4);
    assert_false(reader_done(&r));
    struct bytes rest = read_span(&r, 3);
    assert_memory_equal(rest.data, "xyz", 3);
    assert_true(reader_done(&r));
    buffer_free(&b);
}

static void a_short_read_fails_for_good_and_gives_zeros(void **state) {
    (void)state;
    struct reader r = reader_of(bytes_of("\1\2\3", 3));
    assert_int_equal(read_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(read_u8(&r), 0);
    assert_null(read_span(&r, 1).data);
    assert_false(reader_done(&r));
}

static void an_impossible_size_fails_without_losing_what_was_there(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    buffer_put(&b, "abc", 3);
    assert_null(buffer_extend(&b, SIZE_MAX / 2));
    assert_int_equal(buffer_ok(&b), ERR_NOMEM);
    buffer_u8(&b, 1);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "abc", 3);
    buffer_reset(&b);
    assert_int_equal(buffer_ok(&b), OK);
    buffer_free(&b);
    buffer_free(NULL);
}

static void it_grows_through_many_appends(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    for (uint32_t i = 0; i < 10000; i++) {
        buffer_u32(&b, i);
    }
    struct reader r = reader_of(buffer_bytes(&b));
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(read_u32(&r), i);
    }
    assert_true(reader_done(&r));
    buffer_free(&b);
}

/* NULL means that memory is out, so nothing at the end of nothing has a place too. */
static void no_bytes_have_a_place_in_an_empty_buffer(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_non_null(buffer_extend(&b, 0));
    assert_int_equal(b.len, 0);
    assert_int_equal(buffer_ok(&b), OK);
    buffer_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back_in_order),
        cmocka_unit_test(a_short_read_fails_for_good_and_gives_zeros),
        cmocka_unit_test(an_impossible_size_fails_without_losing_what_was_there),
        cmocka_unit_test(it_grows_through_many_appends),
        cmocka_unit_test(no_bytes_have_a_place_in_an_empty_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
