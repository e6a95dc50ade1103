/* Command lines: option tables over getopt_long, help made from them, and the ways a command ends.
 *
 * A command declares its options, parses into variables of its own, and ends with EXIT_SUCCESS, args_fail (1: refused
 * or failed) or args_wrong (2: wrong usage). Text for people goes to stderr, the result to stdout.
 */
#ifndef ASSAY_NODE_CLI_ARGS_H
#define ASSAY_NODE_CLI_ARGS_H

#include "base/bytes.h"

#include <jansson.h>

#define ARGS_LIST_MAX 64

enum args_type {
    ARGS_FLAG,     /* bool */
    ARGS_TEXT,     /* const char * */
    ARGS_NEEDED,   /* the same, and to leave it out is a mistake */
    ARGS_NUMBER,   /* uint64_t within [min, max] */
    ARGS_DURATION, /* uint64_t ms within [min, max]: "500ms", "60s", "5m", "2h", "3d"; a bare number is ms */
    ARGS_LIST,     /* struct args_list: may be given several times, or with commas */
    ARGS_REPEAT,   /* struct args_list: may be given several times; commas stay */
};

struct args_list {
    const char *item[ARGS_LIST_MAX];
    size_t count;
};

struct args_option {
    const char *name; /* without "--" */
    enum args_type type;
    void *out;         /* holds the default before parsing */
    const char *value; /* name of the value in the help, NULL for flags */
    const char *help;
    uint64_t min, max;
};

/* The option that every command with a result has; `flag` is a bool. */
#define ARGS_JSON(flag)                                                                                                \
    { "json", ARGS_FLAG, &(flag), NULL, "print one JSON document", 0, 0 }

/* `usage` is what follows "Usage: assay ", `about` one or more sentences. The options array ends with a NULL name. */
struct args_spec {
    const char *usage;
    const char *about;
    const struct args_option *options;
    int min_operands, max_operands; /* max -1: any number */
};

/* What is left after the options: borrowed from argv. */
struct args_operands {
    char **item;
    int count;
};

#define ARGS_GO_ON (-1)

/* argv[0] is the verb (or noun). ARGS_GO_ON, or the exit status: 0 after --help, 2 after a mistake that it has
 * explained. Options and operands may be mixed; "--" ends the options. */
int args_parse(const struct args_spec *spec, int argc, char **argv, struct args_operands *out);

/* One line on stderr: "assay: " and the text, which says what, why, and what to do. Gives 1. */
int args_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Same for a mistake in usage. Gives 2. */
int args_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints one JSON document and a newline on stdout; consumes it. Gives 0, or 1 when stdout can't be written. */
int args_print_json(json_t *consumed);
/* Prints the text of a span on stdout with control characters other than newline and tab replaced. */
void args_print_clean(struct bytes text);

/* A command of a noun, e.g. "list" of "class". */
struct args_verb {
    const char *name;
    const char *about;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
};
/* Finds the verb argv[1] in the table (ends with a NULL name) and runs it; help when asked; 2 for an unknown one,
 * naming the nearest. */
int args_dispatch(const char *noun, const struct args_verb *verbs, int argc, char **argv);

/* "2026-11-21", "2026-11-21T06:50:00Z", or milliseconds since 1970; false when it is none of them. */
bool args_time(const char *text, uint64_t *out_ms);

#endif
