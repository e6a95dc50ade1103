#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/cli/args.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool flag;
static const char *text;
static uint64_t number, window_ms;
static struct args_list list, repeat;

static const struct args_option options[] = {
    {"flag", ARGS_FLAG, &flag, NULL, "a flag", 0, 0},
    {"text", ARGS_TEXT, &text, "TEXT", "a text", 0, 0},
    {"number", ARGS_NUMBER, &number, "N", "a number", 1, 10},
    {"window", ARGS_DURATION, &window_ms, "T", "a time", 1, 86400000},
    {"list", ARGS_LIST, &list, "L", "a list", 0, 0},
    {"repeat", ARGS_REPEAT, &repeat, "R", "again", 0, 0},
    {0},
};
static const struct args_option needing[] = {
    {"home", ARGS_NEEDED, &text, "HOME", "where", 0, 0},
    {"flag", ARGS_FLAG, &flag, NULL, "a flag", 0, 0},
    {0},
};
static const struct args_spec needy = {"test --home HOME", "For the test.", needing, 0, 0};
static const struct args_spec spec = {"test [options] FILE...", "For the test.", options, 1, 2};
static struct args_operands operands;
static char words[64][64];
static char said[1024];

/* Parses a command line given as one text and catches what is said on stderr and stdout. */
static int parse_by(const struct args_spec *by, const char *line) {
    static char *argv[64]; /* operands point into it after the return */
    int argc = 0;
    char copy[512];
    char *rest = NULL;
    flag = false;
    text = NULL;
    number = window_ms = 0;
    list.count = repeat.count = 0;
    strcpy(copy, line);
    for (char *w = strtok_r(copy, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        argv[argc] = strcpy(words[argc], w);
        argc++;
    }
    argv[argc] = NULL;
    char name[] = "/tmp/assay-args-XXXXXX";
    int file = mkstemp(name);
    int err = dup(2);
    int out = dup(1);
    (void)fflush(stdout);
    (void)unlink(name);
    (void)dup2(file, 2);
    (void)dup2(file, 1);
    int status = args_parse(by, argc, argv, &operands);
    (void)fflush(stdout);
    (void)dup2(err, 2);
    (void)dup2(out, 1);
    (void)close(err);
    (void)close(out);
    ssize_t n = pread(file, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    (void)close(file);
    return status;
}

static int parse(const char *line) {
    return parse_by(&spec, line);
}

static void what_is_needed_is_asked_for_by_name(void **state) {
    (void)state;
    assert_int_equal(parse_by(&needy, "verb --flag"), 2);
    assert_non_null(strstr(said, "--home HOME is needed"));
    assert_int_equal(parse_by(&needy, "verb --home h"), ARGS_GO_ON);
    assert_string_equal(text, "h");
    assert_int_equal(parse_by(&needy, "verb --help"), 0);
}

static void options_and_operands_mix(void **state) {
    (void)state;
    assert_int_equal(parse("x a --flag --number 7 --text=hi b --window 2m --list p,q --list r --repeat a,b"),
                     ARGS_GO_ON);
    assert_true(flag);
    assert_string_equal(text, "hi");
    assert_int_equal(number, 7);
    assert_int_equal(window_ms, 120000);
    assert_int_equal(list.count, 3);
    assert_int_equal(repeat.count, 1);
    assert_string_equal(repeat.item[0], "a,b");
    assert_int_equal(operands.count, 2);
    assert_string_equal(operands.item[1], "b");
    assert_int_equal(parse("x -- --flag"), ARGS_GO_ON);
    assert_false(flag);
    assert_string_equal(operands.item[0], "--flag");
}

static void durations_have_units(void **state) {
    (void)state;
    static const struct {
        const char *line;
        uint64_t ms;
    } good[] = {
        {"x a --window 5", 5}, {"x a --window 5ms", 5}, {"x a --window 60s", 60000}, {"x a --window 1d", 86400000}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(parse(good[i].line), ARGS_GO_ON);
        assert_int_equal(window_ms, good[i].ms);
    }
    assert_int_equal(parse("x a --window 5w"), 2);
    assert_int_equal(parse("x a --window -5s"), 2);
    assert_int_equal(parse("x a --window 2d"), 2);
    assert_int_equal(parse("x a --window 99999999999999999999s"), 2);
    assert_int_equal(parse("x a --window 18446744073709551615d"), 2);
}

static void moments_exist_or_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
    } good[] = {{"2026-11-21", 1795219200000},
                {"2026-11-21T06:50:00Z", 1795243800000},
                {"1795243800000", 1795243800000},
                {"2028-02-29", 1835395200000}};
    static const char *const bad[] = {
        "2026-02-30",           "2026-02-29", "2026-06-31", "2026-13-01", "2026-11-21T24:00:00Z",
        "2026-11-21T17:00:60Z", "2026",       "20261130",   "1795243800", "1",
        "2026-11-21T06:50",     "-1",         "",           "tomorrow",   "0x1000000000000"};
    uint64_t ms = 0;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(args_time(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(args_time(bad[i], &ms));
    }
}

static void mistakes_are_explained_in_one_line(void **state) {
    (void)state;
    assert_int_equal(parse("x a --numbr 3"), 2);
    assert_non_null(strstr(said, "did you mean --number?"));
    assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
    assert_int_equal(strncmp(said, "assay: ", 7), 0);
    assert_int_equal(parse("x a --number 11"), 2);
    assert_non_null(strstr(said, "from 1 to 10"));
    assert_int_equal(parse("x a --number"), 2);
    assert_non_null(strstr(said, "needs a value"));
    assert_int_equal(parse("x"), 2);
    assert_int_equal(parse("x a b c"), 2);
    assert_int_equal(parse("x a --number 3x"), 2);
    assert_int_equal(parse("x a -q"), 2);
}

static void help_lists_the_options(void **state) {
    (void)state;
    assert_int_equal(parse("x --help"), 0);
    assert_non_null(strstr(said, "Usage: assay test [options] FILE..."));
    assert_non_null(strstr(said, "--number N"));
}

static int ran(int argc, char **argv) {
    (void)argv;
    return 40 + argc;
}

static void verbs_are_found_or_named(void **state) {
    (void)state;
    static const struct args_verb verbs[] = {{"list", "", ran}, {"show", "", ran}, {NULL, NULL, NULL}};
    char noun[] = "thing";
    char list_verb[] = "list";
    char wrong[] = "lits";
    char *good[] = {noun, list_verb, NULL};
    char *bad[] = {noun, wrong, NULL};
    assert_int_equal(args_dispatch("thing", verbs, 2, good), 41);
    assert_int_equal(args_dispatch("thing", verbs, 2, bad), 2);
    assert_int_equal(args_dispatch("thing", verbs, 1, good), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_is_asked_for_by_name),
        cmocka_unit_test(options_and_operands_mix),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(moments_exist_or_are_refused),
        cmocka_unit_test(mistakes_are_explained_in_one_line),
        cmocka_unit_test(help_lists_the_options),
        cmocka_unit_test(verbs_are_found_or_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
