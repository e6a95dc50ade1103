#include "node/host/log.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Set once before threads start, read by all. */
static enum log_format line_format = LOG_TEXT;
static enum log_level least_level = LOG_INFO;

void log_setup(enum log_format format, enum log_level level) {
    line_format = format;
    least_level = level;
}

static bool wants(enum log_level level) {
    return level >= least_level;
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

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count) {
    if (!wants(level)) {
        return;
    }
    char line[LOG_LINE_MAX];
    size_t len = log_format_line(line_format, clock_wall_ms(), level, event, fields, count, line);
    /* A log that can't be written is nothing the node can do anything about. */
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written;
}
