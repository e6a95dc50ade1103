#include "node/cli/args.h"

#include "node/host/config.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPTIONS_MAX 32
#define VERBS_MAX 24

static const char *program = "assay";

/* ---- How a command ends ---- */

static int explain(int status, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* One line, whatever it quotes. */
static int explain(int status, const char *format, va_list args) {
    char text[2048];
    (void)vsnprintf(text, sizeof text, format, args);
    text_make_line(text);
    (void)fprintf(stderr, "%s: %s\n", program, text);
    return status;
}

int args_fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int status = explain(1, format, args);
    va_end(args);
    return status;
}

int args_wrong(const char *format, ...) {
    va_list args;
    va_start(args, format);
    int status = explain(2, format, args);
    va_end(args);
    return status;
}

int args_print_json(json_t *consumed) {
    int failed = consumed == NULL || json_dumpf(consumed, stdout, JSON_INDENT(2)) != 0;
    json_decref(consumed);
    if (failed || putchar('\n') == EOF || fflush(stdout) != 0) {
        return args_fail("can't write the result: out of memory or standard output is closed");
    }
    return 0;
}

void args_print_clean(struct bytes text) {
    bool clean = text_is_clean(text);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool shown = c == '\t' || (c >= 0x20 && c < 0x7f) || (c >= 0x80 && clean);
        if (c == '\n') {
            (void)fputs("\n    ", stdout); /* what goes on looks like no line of ours */
        } else {
            (void)putchar(shown ? c : '?');
        }
    }
}

/* ---- Help ---- */

static void print_help(const struct args_spec *spec) {
    printf("Usage: %s %s\n\n%s\n", program, spec->usage, spec->about);
    if (spec->options[0].name != NULL) {
        printf("\nOptions:\n");
    }
    for (const struct args_option *o = spec->options; o->name != NULL; o++) {
        char left[64];
        (void)snprintf(left, sizeof left, "--%s%s%s", o->name, o->value != NULL ? " " : "",
                       o->value != NULL ? o->value : "");
        printf("  %-28s %s\n", left, o->help);
    }
    printf("  %-28s %s\n", "--help", "this text");
}

/* ---- Values ---- */

static bool parse_duration(const char *text, uint64_t *out_ms) {
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    uint64_t value = 0;
    if (!text_take_number(&text, &value)) {
        return false;
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strcmp(text, units[i].unit) == 0) {
            *out_ms = value * units[i].ms;
            return value <= UINT64_MAX / units[i].ms;
        }
    }
    return false;
}

static int take_number(const struct args_option *option, const char *text) {
    uint64_t value = 0;
    const char *at = text;
    bool good =
        option->type == ARGS_DURATION ? parse_duration(text, &value) : text_take_number(&at, &value) && *at == '\0';
    if (good && value >= option->min && value <= option->max) {
        memcpy(option->out, &value, sizeof value);
        return ARGS_GO_ON;
    }
    if (option->type == ARGS_DURATION) {
        return args_wrong("--%s '%s' is not a time from %" PRIu64 " ms to %" PRIu64
                          " ms; write it like 500ms, 60s, 5m, 2h",
                          option->name, text, option->min, option->max);
    }
    return args_wrong("--%s '%s' is not a number from %" PRIu64 " to %" PRIu64, option->name, text, option->min,
                      option->max);
}

static int take_items(const struct args_option *option, char *text, bool commas) {
    struct args_list *list = option->out;
    char *rest = NULL;
    char *item = commas ? strtok_r(text, ",", &rest) : text;
    for (; item != NULL; item = commas ? strtok_r(NULL, ",", &rest) : NULL) {
        if (list->count == ARGS_LIST_MAX) {
            return args_wrong("--%s takes at most %d values", option->name, ARGS_LIST_MAX);
        }
        list->item[list->count++] = item;
    }
    return ARGS_GO_ON;
}

static int take_value(const struct args_option *option, char *text) {
    bool yes = true;
    switch (option->type) {
    case ARGS_FLAG:
        memcpy(option->out, &yes, sizeof yes);
        return ARGS_GO_ON;
    case ARGS_NUMBER:
    case ARGS_DURATION:
        return take_number(option, text);
    case ARGS_LIST:
        return take_items(option, text, true);
    case ARGS_REPEAT:
        return take_items(option, text, false);
    case ARGS_TEXT:
    case ARGS_NEEDED:
    default:
        memcpy(option->out, &text, sizeof text);
        return ARGS_GO_ON;
    }
}

/* ---- Parsing ---- */

static int refuse_option(const struct args_spec *spec, const char *given) {
    const char *known[OPTIONS_MAX];
    char name[64];
    size_t count = 0;
    for (const struct args_option *o = spec->options; o->name != NULL && count < OPTIONS_MAX; o++) {
        known[count++] = o->name;
    }
    size_t start = strspn(given, "-");
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(given + start, "="), given + start);
    const char *near = config_nearest(name, known, count);
    if (near != NULL) {
        return args_wrong("unknown option %s; did you mean --%s?", given, near);
    }
    return args_wrong("unknown option %s; '%s %.*s --help' lists them", given, program,
                      (int)strcspn(spec->usage, "-[<A"), spec->usage);
}

static int parse_options(const struct args_spec *spec, int argc, char **argv) {
    struct option table[OPTIONS_MAX + 2];
    int count = 0;
    for (const struct args_option *o = spec->options; o->name != NULL && count < OPTIONS_MAX; o++) {
        table[count] =
            (struct option){o->name, o->type == ARGS_FLAG ? no_argument : required_argument, NULL, 256 + count};
        count++;
    }
    table[count] = (struct option){"help", no_argument, NULL, 'h'};
    table[count + 1] = (struct option){NULL, 0, NULL, 0};
    optind = 0; /* glibc: start anew */
    opterr = 0;
    for (;;) {
        int c = getopt_long(argc, argv, ":h", table, NULL);
        if (c == -1) {
            return ARGS_GO_ON;
        }
        if (c == 'h') {
            print_help(spec);
            return 0;
        }
        if (c == ':') {
            return args_wrong("%s needs a value", argv[optind - 1]);
        }
        if (c < 256) {
            return refuse_option(spec, argv[optind - 1]);
        }
        int status = take_value(&spec->options[c - 256], optarg);
        if (status != ARGS_GO_ON) {
            return status;
        }
    }
}

int args_parse(const struct args_spec *spec, int argc, char **argv, struct args_operands *out) {
    int status = parse_options(spec, argc, argv);
    if (status != ARGS_GO_ON) {
        return status;
    }
    for (const struct args_option *o = spec->options; o->name != NULL; o++) {
        if (o->type == ARGS_NEEDED && *(const char *const *)o->out == NULL) {
            return args_wrong("--%s %s is needed", o->name, o->value);
        }
    }
    int given = argc - optind;
    if (given < spec->min_operands) {
        return args_wrong("missing argument; usage: %s %s", program, spec->usage);
    }
    if (spec->max_operands >= 0 && given > spec->max_operands) {
        return args_wrong("unexpected argument%s; usage: %s %s",
                          argv[optind + spec->max_operands][0] != '\0' ? "" : "s", program, spec->usage);
    }
    *out = (struct args_operands){argv + optind, given};
    return ARGS_GO_ON;
}

/* ---- Verbs ---- */

static void print_verbs(const char *noun, const struct args_verb *verbs) {
    printf("Usage: %s %s VERB [options]\n\n", program, noun);
    for (const struct args_verb *v = verbs; v->name != NULL; v++) {
        printf("  %-12s %s\n", v->name, v->about);
    }
    printf("\n'%s %s VERB --help' says more.\n", program, noun);
}

int args_dispatch(const char *noun, const struct args_verb *verbs, int argc, char **argv) {
    const char *known[VERBS_MAX];
    size_t count = 0;
    const char *given = argc > 1 ? argv[1] : NULL;
    if (given == NULL || strcmp(given, "--help") == 0 || strcmp(given, "-h") == 0) {
        if (given != NULL) {
            print_verbs(noun, verbs);
            return 0;
        }
        return args_wrong("%s needs a verb; '%s %s --help' lists them", noun, program, noun);
    }
    for (const struct args_verb *v = verbs; v->name != NULL; v++) {
        if (strcmp(given, v->name) == 0) {
            return v->run(argc - 1, argv + 1);
        }
        if (count < VERBS_MAX) {
            known[count++] = v->name;
        }
    }
    const char *near = config_nearest(given, known, count);
    if (near != NULL) {
        return args_wrong("%s has no verb '%s'; did you mean '%s'?", noun, given, near);
    }
    return args_wrong("%s has no verb '%s'; '%s %s --help' lists them", noun, given, program, noun);
}

/* 2001-09-09: a smaller number is a year, a date without its dashes, or seconds. */
#define FIRST_MS 1000000000000u

/* Seconds since 1970, or 0: no such moment, like the 30th of February, which timegm takes for the 2nd of March. */
static uint64_t seconds_of(const struct tm *tm) {
    struct tm there = *tm;
    time_t seconds = timegm(&there);
    bool same = there.tm_mday == tm->tm_mday && there.tm_mon == tm->tm_mon && there.tm_sec == tm->tm_sec;
    return same && seconds > 0 ? (uint64_t)seconds : 0;
}

bool args_time(const char *text, uint64_t *out_ms) {
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%d", &tm);
    if (end != NULL && *end == 'T') {
        struct tm clock = {0};
        end = strptime(end + 1, "%H:%M:%SZ", &clock);
        tm.tm_hour = clock.tm_hour;
        tm.tm_min = clock.tm_min;
        tm.tm_sec = clock.tm_sec;
    }
    if (end != NULL && *end == '\0') {
        *out_ms = seconds_of(&tm) * 1000;
        return *out_ms > 0;
    }
    char *rest;
    errno = 0;
    unsigned long long ms = strtoull(text, &rest, 10);
    if (errno != 0 || rest == text || *rest != '\0' || text[0] == '-' || ms < FIRST_MS) {
        return false;
    }
    *out_ms = ms;
    return true;
}
