/* base/why.h */
#include "base/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void nothing_is_said_at_first(void **state) {
    (void)state;
    struct why why = WHY_NONE;
    assert_false(why_said(&why));
    why_set(&why, "%s: %d", "blocks", 7);
    assert_true(why_said(&why));
    assert_string_equal(why.text, "blocks: 7");
}

static void what_does_not_hold_is_said_and_false(void **state) {
    (void)state;
    struct why why = WHY_NONE;
    assert_false(why_not(&why, "%d of %d", 1, 2));
    assert_string_equal(why.text, "1 of 2");
}

static void more_is_put_around_what_was_said(void **state) {
    (void)state;
    struct why why = WHY_NONE;
    why_set(&why, "no such file");
    why_set(&why, "reading the key: %s", why.text);
    assert_string_equal(why.text, "reading the key: no such file");
}

static void a_line_is_cut_between_characters(void **state) {
    (void)state;
    struct why why = WHY_NONE;
    char full[WHY_MAX], text[WHY_MAX + 8];
    memset(full, 'a', sizeof full);
    full[WHY_MAX - 1] = '\0';
    why_set(&why, "%s", full);
    assert_string_equal(why.text, full);
    for (size_t before = WHY_MAX - 4; before < WHY_MAX + 1; before++) {
        memset(text, 'a', before);
        memcpy(text + before, "\xe2\x82\xac", 4); /* the euro sign */
        why_set(&why, "%s", text);
        size_t whole = before < WHY_MAX ? before : WHY_MAX - 1;
        whole = before + 3 < WHY_MAX ? before + 3 : whole;
        assert_int_equal(strlen(why.text), whole);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_said_at_first),
        cmocka_unit_test(what_does_not_hold_is_said_and_false),
        cmocka_unit_test(more_is_put_around_what_was_said),
        cmocka_unit_test(a_line_is_cut_between_characters),
    };
    return cmocka_run_group_tests_name("why", tests, NULL, NULL);
}
