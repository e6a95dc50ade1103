/* The log: one line an event on stderr, key=value or JSON, with time and level.
 *
 *   2026-01-02T03:04:05.678Z info block.final height=12 hash=ab12 txs=3
 *   {"time":"2026-01-02T03:04:05.678Z","level":"info","event":"block.final","height":12,"hash":"ab12","txs":3}
 *
 * Fields are typed values, so that nothing from the network can forge one: text is quoted and escaped where it needs
 * it, and control characters never reach the terminal. Used in node/ alone, once, where an event is handled.
 */
#ifndef ASSAY_NODE_HOST_LOG_H
#define ASSAY_NODE_HOST_LOG_H

#include "node/host/config.h"

#define LOG_LINE_MAX 2048 /* longer lines are cut */

/* What lines look like and which are written; default: text, info. Any thread. */
void log_setup(enum log_format format, enum log_level level);
/* Where they go from now on: the end of this file, or stderr with "". The same path again opens it anew, so that it can
 * be renamed meanwhile. What can't be opened changes nothing. Any thread. */
NODISCARD enum err log_open(const char *path);
/* Lines that were lost because nobody took them: a reader stands still, a disk is full. Nothing waits for a log. */
uint64_t log_dropped(void);

/* A field: text values are quoted where they need it. */
struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_NUMBER, LOG_FIELD_HEX } type;
    union {
        const char *text;
        int64_t number;
        struct bytes hex;
    } value;
};

static inline struct log_field log_text(const char *name, const char *text) {
    return (struct log_field){.name = name, .type = LOG_FIELD_TEXT, .value.text = text};
}
static inline struct log_field log_number(const char *name, uint64_t number) {
    return (struct log_field){.name = name, .type = LOG_FIELD_NUMBER, .value.number = (int64_t)number};
}
/* At most the first 8 bytes are shown: enough to find it again. */
static inline struct log_field log_hash(const char *name, const void *hash, size_t len) {
    return (struct log_field){.name = name, .type = LOG_FIELD_HEX, .value.hex = bytes_of(hash, len < 8 ? len : 8)};
}
static inline struct log_field log_err(enum err e) {
    return (struct log_field){.name = "error", .type = LOG_FIELD_TEXT, .value.text = err_text(e)};
}

/* Writes one line with one write call. `event` is a dotted lowercase name. */
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);

/* log_event(LOG_INFO, "block.final", log_number("height", 12), log_hash("hash", hash, 32)); at least one field. */
#define log_event(level, event, ...)                                                                                   \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__},                                                   \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* The line without writing it, for tests: text with terminator and newline, at most LOG_LINE_MAX bytes; its length. */
size_t log_format_line(enum log_format format, uint64_t time_ms, enum log_level level, const char *event,
                       const struct log_field *fields, size_t count, char out[LOG_LINE_MAX]);

#endif
