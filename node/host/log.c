#include "node/host/log.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Read by all threads, written where a configuration is taken over. */
static atomic_int line_format = LOG_TEXT;
static atomic_int least_level = LOG_INFO;

/* Where lines go, one at a time. */
static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static int out_fd = STDERR_FILENO;
static uint64_t lost, lost_told; /* lines */

void log_setup(enum log_format format, enum log_level level) {
    atomic_store(&line_format, (int)format);
    atomic_store(&least_level, (int)level);
}

static bool wants(enum log_level level) {
    return (int)level >= atomic_load(&least_level);
}

enum err log_open(const char *path) {
    int fd = STDERR_FILENO;
    if (path[0] != '\0') {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    }
    if (fd < 0) {
        return err_from_errno(errno);
    }
    (void)pthread_mutex_lock(&out_lock);
    int before = out_fd;
    out_fd = fd;
    (void)pthread_mutex_unlock(&out_lock);
    if (before != STDERR_FILENO) {
        (void)close(before);
    }
    return OK;
}

uint64_t log_dropped(void) {
    (void)pthread_mutex_lock(&out_lock);
    uint64_t dropped = lost;
    (void)pthread_mutex_unlock(&out_lock);
    return dropped;
}

static const char *level_name(enum log_level level) {
    return log_level_names[(size_t)level <= LOG_ERROR ? level : LOG_ERROR];
}

/* A line being written: what does not fit is left out, the end of the line always fits. */
struct line {
    char *at;
    size_t len, room;
};

static void put(struct line *line, const char *text, size_t len) {
    size_t n = len < line->room - line->len ? len : line->room - line->len;
    memcpy(line->at + line->len, text, n);
    line->len += n;
}

static void put_text(struct line *line, const char *text) {
    put(line, text, strlen(text));
}

/* In quotes; escapes are those of JSON, which read well in text lines too. Bytes that are not clean UTF-8 become '?'.
 */
static void put_quoted(struct line *line, const char *text) {
    bool clean = text_is_clean(bytes_str(text));
    put_text(line, "\"");
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        char escaped[8];
        if (c == '"' || c == '\\') {
            put(line, (char[]){'\\', (char)c}, 2);
        } else if (c < 0x20 || c == 0x7f) {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", c);
            put_text(line, escaped);
        } else if (c >= 0x80 && !clean) {
            put_text(line, "?");
        } else {
            put(line, p, 1);
        }
    }
    put_text(line, "\"");
}

static bool is_plain_word(const char *text) {
    if (text[0] == '\0') {
        return false;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '"' || *p == '\\' || *p == '=') {
            return false;
        }
    }
    return true;
}

static void put_value(struct line *line, enum log_format format, const struct log_field *field) {
    char text[40];
    switch (field->type) {
    case LOG_FIELD_NUMBER:
        (void)snprintf(text, sizeof text, "%" PRId64, field->value.number);
        put_text(line, text);
        break;
    case LOG_FIELD_HEX: {
        size_t len = field->value.hex.len < 16 ? field->value.hex.len : 16;
        hex_encode(field->value.hex.data, len, text);
        put_text(line, format == LOG_JSON ? "\"" : "");
        put_text(line, text);
        put_text(line, format == LOG_JSON ? "\"" : "");
        break;
    }
    case LOG_FIELD_TEXT:
    default: {
        const char *value = field->value.text != NULL ? field->value.text : "";
        if (format == LOG_TEXT && is_plain_word(value)) {
            put_text(line, value);
        } else {
            put_quoted(line, value);
        }
        break;
    }
    }
}

static void put_time(struct line *line, uint64_t time_ms) {
    char text[40];
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts);
    size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    (void)snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(time_ms % 1000));
    put_text(line, text);
}

size_t log_format_line(enum log_format format, uint64_t time_ms, enum log_level level, const char *event,
                       const struct log_field *fields, size_t count, char out[LOG_LINE_MAX]) {
    bool json = format == LOG_JSON;
    struct line line = {out, 0, LOG_LINE_MAX - 4};
    put_text(&line, json ? "{\"time\":\"" : "");
    put_time(&line, time_ms);
    put_text(&line, json ? "\",\"level\":\"" : " ");
    put_text(&line, level_name(level));
    put_text(&line, json ? "\",\"event\":\"" : " ");
    put_text(&line, event);
    put_text(&line, json ? "\"" : "");
    for (size_t i = 0; i < count; i++) {
        size_t before = line.len;
        put_text(&line, json ? ",\"" : " ");
        put_text(&line, fields[i].name);
        put_text(&line, json ? "\":" : "=");
        put_value(&line, format, &fields[i]);
        if (line.len == line.room) {
            /* Cut at a whole field, so that the line stays well-formed. */
            line.len = before;
            break;
        }
    }
    line.room = LOG_LINE_MAX - 1;
    put_text(&line, json ? "}\n" : "\n");
    out[line.len] = '\0';
    return line.len;
}

/* The lock is held. Only what can be written at once: a pipe that is ready takes a line of LOG_LINE_MAX, which is less
 * than it takes as a whole (PIPE_BUF). */
_Static_assert(LOG_LINE_MAX <= PIPE_BUF, "a line is written whole or not at all");

static bool put_out(const char *line, size_t len) {
    struct pollfd look = {.fd = out_fd, .events = POLLOUT};
    return poll(&look, 1, 0) == 1 && (look.revents & POLLOUT) != 0 && write(out_fd, line, len) == (ssize_t)len;
}

/* The lock is held. Somebody reads again: how much is missing stands where it is missing. */
static void tell_of_lost(enum log_format format) {
    char line[LOG_LINE_MAX];
    const struct log_field field = log_number("lines", lost - lost_told);
    size_t len = log_format_line(format, clock_wall_ms(), LOG_WARN, "log.dropped", &field, 1, line);
    if (put_out(line, len)) {
        lost_told = lost;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    if (!wants(level)) {
        return;
    }
    char line[LOG_LINE_MAX];
    enum log_format format = (enum log_format)atomic_load(&line_format);
    size_t len = log_format_line(format, clock_wall_ms(), level, event, fields, count, line);
    (void)pthread_mutex_lock(&out_lock);
    if (lost > lost_told) {
        tell_of_lost(format);
    }
    lost += put_out(line, len) ? 0 : 1;
    (void)pthread_mutex_unlock(&out_lock);
}
