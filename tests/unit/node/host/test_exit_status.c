#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "node/host/exit_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Run from the top of the checkout, as make does. */
#define UNIT "node/assayd.service.in"
#define STATUSES_MAX 8

static bool stays_down(enum exit_status status) {
    switch (status) {
#define CASE(name, number, down, text)                                                                                 \
    case name:                                                                                                         \
        return (down);
        EXIT_STATUS_LIST(CASE)
#undef CASE
    default:
        fail();
        return false;
    }
}

static void what_another_start_may_mend_is_tried_again(void **state) {
    (void)state;
    static const enum err passing[] = {ERR_NOMEM,   ERR_IO,      ERR_NOSPACE, ERR_BUSY,
                                       ERR_TIMEOUT, ERR_NETWORK, ERR_FULL,    ERR_CLOSED};
    for (size_t i = 0; i < sizeof passing / sizeof passing[0]; i++) {
        assert_int_equal(exit_status_of(passing[i], EXIT_STATUS_HOME), EXIT_STATUS_FAILED);
        assert_int_equal(exit_status_of(passing[i], EXIT_STATUS_NODE), EXIT_STATUS_FAILED);
    }
    /* While it runs these may be a source's or a peer's fault, which passes. */
    assert_int_equal(exit_status_of(ERR_INVALID, EXIT_STATUS_NODE), EXIT_STATUS_FAILED);
    assert_int_equal(exit_status_of(ERR_MALFORMED, EXIT_STATUS_NODE), EXIT_STATUS_FAILED);
    assert_false(stays_down(EXIT_STATUS_FAILED));
}

static void what_a_person_must_look_at_stays_down(void **state) {
    (void)state;
    static const enum err own[] = {ERR_DIVERGED, ERR_CORRUPT, ERR_MISMATCH, ERR_UNSUPPORTED};
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        assert_int_equal(exit_status_of(own[i], EXIT_STATUS_NODE), EXIT_STATUS_LOOK);
        assert_true(stays_down(exit_status_of(own[i], EXIT_STATUS_HOME)));
    }
    assert_true(stays_down(EXIT_STATUS_LOOK));
}

static void what_was_given_wrongly_is_told_as_wrong_usage(void **state) {
    (void)state;
    static const enum err given[] = {ERR_CONFIG, ERR_MODE,    ERR_NOTFOUND, ERR_MALFORMED,
                                     ERR_RANGE,  ERR_INVALID, ERR_MISMATCH, ERR_SIGNATURE};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        assert_int_equal(exit_status_of(given[i], EXIT_STATUS_HOME), EXIT_STATUS_WRONG);
    }
    assert_int_equal(exit_status_of(ERR_CONFIG, EXIT_STATUS_NODE), EXIT_STATUS_WRONG);
    assert_true(stays_down(EXIT_STATUS_WRONG));
}

static void a_clean_end_is_zero_and_no_other_is(void **state) {
    (void)state;
#define IS_CLEAN(name, text)                                                                                           \
    assert_int_equal(exit_status_of(name, EXIT_STATUS_NODE) == EXIT_STATUS_CLEAN, name == OK);                         \
    assert_int_equal(exit_status_of(name, EXIT_STATUS_HOME) == EXIT_STATUS_CLEAN, name == OK);
    ERR_LIST(IS_CLEAN)
#undef IS_CLEAN
    assert_int_equal(EXIT_STATUS_CLEAN, 0);
}

/* The values of a key of the unit file. */
static size_t unit_numbers(const char *key, long out[STATUSES_MAX]) {
    char line[512];
    size_t count = 0;
    FILE *f = fopen(UNIT, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, key, strlen(key)) != 0 || line[strlen(key)] != '=') {
            continue;
        }
        char *at = line + strlen(key) + 1, *end = NULL;
        for (long number = strtol(at, &end, 10); end != at && count < STATUSES_MAX; number = strtol(at, &end, 10)) {
            out[count++] = number;
            at = end;
        }
        assert_int_equal(strspn(at, " \n"), strlen(at)); /* nothing but numbers */
    }
    (void)fclose(f);
    return count;
}

static void the_unit_leaves_down_exactly_what_stays_down(void **state) {
    (void)state;
    long named[STATUSES_MAX];
    size_t count = unit_numbers("RestartPreventExitStatus", named), wanted = 0;
#define IS_NAMED(name, status, stays_down, text)                                                                       \
    for (size_t i = 0; (stays_down) && i <= count; i++) {                                                              \
        assert_true(i < count); /* else name is missing in the unit */                                                 \
        if (named[i] == (status)) {                                                                                    \
            wanted++;                                                                                                  \
            break;                                                                                                     \
        }                                                                                                              \
    }
    EXIT_STATUS_LIST(IS_NAMED)
#undef IS_NAMED
    assert_true(wanted > 0);
    assert_int_equal(count, wanted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_another_start_may_mend_is_tried_again),
        cmocka_unit_test(what_a_person_must_look_at_stays_down),
        cmocka_unit_test(what_was_given_wrongly_is_told_as_wrong_usage),
        cmocka_unit_test(a_clean_end_is_zero_and_no_other_is),
        cmocka_unit_test(the_unit_leaves_down_exactly_what_stays_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
