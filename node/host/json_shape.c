#include "node/host/json_shape.h"

#include "base/buffer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void shape_init(struct shape *s, struct why *why) {
    *s = (struct shape){.result = OK, .why = why};
}

static void wrong(struct shape *s, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void wrong(struct shape *s, const char *name, const char *format, ...) {
    if (s->result != OK) {
        return;
    }
    char what[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    why_set(s->why, "%s%s%.60s %s", s->path, s->path[0] != '\0' ? "." : "", name, what);
    s->result = ERR_MALFORMED;
}

enum err shape_load(struct shape *s, struct bytes text, size_t limit, json_t **out) {
    if (text.len > limit) {
        why_set(s->why, "the document is over %zu bytes", limit);
        return s->result = ERR_TOOLARGE;
    }
    json_error_t error;
    const char *data = text.data != NULL ? (const char *)text.data : "";
    json_t *json = json_loadb(data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        why_set(s->why, "line %d: %.150s", json == NULL ? error.line : 1,
                json == NULL ? error.text : "not a JSON object");
        json_decref(json);
        return s->result = ERR_MALFORMED;
    }
    *out = json;
    return OK;
}

static json_t *member(struct shape *s, json_t *from, const char *name, json_type type, const char *type_name) {
    if (s->result != OK) {
        return NULL;
    }
    json_t *value = json_object_get(from, name);
    if (value == NULL) {
        wrong(s, name, "is missing");
    } else if (json_typeof(value) != type) {
        wrong(s, name, "must be %s", type_name);
        value = NULL;
    }
    return value;
}

static void taken(json_t *from, const char *name) {
    (void)json_object_del(from, name);
}

void shape_text(struct shape *s, json_t *from, const char *name, char *out, size_t out_size) {
    json_t *value = member(s, from, name, JSON_STRING, "a text");
    if (value == NULL) {
        return;
    }
    struct bytes text = bytes_of(json_string_value(value), json_string_length(value));
    if (text.len >= out_size || !text_is_clean(text) || memchr(text.data, 0, text.len) != NULL) {
        wrong(s, name, "must be at most %zu characters of plain text", out_size - 1);
        return;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    taken(from, name);
}

/* A JSON string as whole bytes of hex; a zero byte inside makes it shorter than it says. */
static bool hex_value(const json_t *value, uint8_t *out, size_t len) {
    return json_is_string(value) && json_string_length(value) == 2 * len &&
           hex_decode(json_string_value(value), out, len) == OK;
}

void shape_hex(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t len) {
    json_t *value = member(s, from, name, JSON_STRING, "a text in hex");
    if (value == NULL) {
        return;
    }
    if (!hex_value(value, out, len)) {
        wrong(s, name, "must be %zu bytes in hex", len);
        return;
    }
    taken(from, name);
}

void shape_blob(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t max, size_t *out_len) {
    json_t *value = member(s, from, name, JSON_STRING, "a text in hex");
    if (value == NULL) {
        return;
    }
    size_t len = json_string_length(value) / 2;
    if (len > max || !hex_value(value, out, len)) {
        wrong(s, name, "must be at most %zu bytes in hex", max);
        return;
    }
    *out_len = len;
    taken(from, name);
}

void shape_hex_list(struct shape *s, json_t *from, const char *name, uint8_t *out, size_t len, size_t max,
                    uint8_t *out_count) {
    json_t *list = member(s, from, name, JSON_ARRAY, "a list");
    size_t count = json_array_size(list);
    if (list == NULL) {
        return;
    }
    if (count > max) {
        wrong(s, name, "has more than %zu items", max);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (!hex_value(json_array_get(list, i), out + i * len, len)) {
            wrong(s, name, "item %zu must be %zu bytes in hex", i, len);
            return;
        }
    }
    *out_count = (uint8_t)count;
    taken(from, name);
}

void shape_u64(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint64_t *out) {
    json_t *value = member(s, from, name, JSON_INTEGER, "a whole number");
    if (value == NULL) {
        return;
    }
    json_int_t number = json_integer_value(value);
    if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
        wrong(s, name, "must be from %" PRIu64 " to %" PRIu64, min, max);
        return;
    }
    *out = (uint64_t)number;
    taken(from, name);
}

void shape_u32(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint32_t *out) {
    uint64_t value = *out;
    shape_u64(s, from, name, min, max, &value);
    *out = (uint32_t)value;
}

void shape_u8(struct shape *s, json_t *from, const char *name, uint64_t min, uint64_t max, uint8_t *out) {
    uint64_t value = *out;
    shape_u64(s, from, name, min, max, &value);
    *out = (uint8_t)value;
}

void shape_bool(struct shape *s, json_t *from, const char *name, bool *out) {
    if (s->result != OK) {
        return;
    }
    json_t *value = json_object_get(from, name);
    if (!json_is_boolean(value)) {
        wrong(s, name, value == NULL ? "is missing" : "must be true or false");
        return;
    }
    *out = json_is_true(value);
    taken(from, name);
}

void shape_choice(struct shape *s, json_t *from, const char *name, const struct shape_choice *choices, int *out) {
    json_t *value = member(s, from, name, JSON_STRING, "a text");
    if (value == NULL) {
        return;
    }
    char list[120] = "";
    for (const struct shape_choice *c = choices; c->name != NULL; c++) {
        if (strcmp(json_string_value(value), c->name) == 0) {
            *out = c->value;
            taken(from, name);
            return;
        }
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", c->name);
    }
    wrong(s, name, "must be one of: %s", list);
}

json_t *shape_object(struct shape *s, json_t *from, const char *name) {
    json_t *value = json_incref(member(s, from, name, JSON_OBJECT, "an object"));
    if (value != NULL) {
        taken(from, name);
    }
    return value;
}

/* Every object of the list, in place. */
static void take_items(struct shape *s, json_t *list, const char *name, void (*take)(struct shape *, json_t *, void *),
                       void *out, size_t size) {
    for (size_t i = 0; i < json_array_size(list) && s->result == OK; i++) {
        char item[SHAPE_PATH_MAX];
        json_t *object = json_array_get(list, i);
        (void)snprintf(item, sizeof item, "%.60s[%zu]", name, i);
        if (!json_is_object(object)) {
            wrong(s, item, "must be an object");
            return;
        }
        shape_enter(s, item);
        take(s, object, (char *)out + i * size);
        shape_leave(s);
    }
}

void shape_array(struct shape *s, json_t *from, const char *name, void (*take)(struct shape *, json_t *, void *),
                 void *out, size_t size, size_t max, size_t *out_count) {
    json_t *list = member(s, from, name, JSON_ARRAY, "a list");
    if (list == NULL) {
        return;
    }
    if (json_array_size(list) > max) {
        wrong(s, name, "has more than %zu items", max);
        return;
    }
    take_items(s, list, name, take, out, size);
    *out_count = json_array_size(list);
    if (s->result == OK) {
        taken(from, name);
    }
}

void *shape_records(struct shape *s, json_t *from, const char *name, void (*take)(struct shape *, json_t *, void *),
                    size_t size, size_t max, size_t *out_count) {
    json_t *list = member(s, from, name, JSON_ARRAY, "a list");
    size_t count = json_array_size(list);
    if (list == NULL) {
        return NULL;
    }
    void *records = calloc(count > 0 ? count : 1, size);
    if (records == NULL) {
        s->result = ERR_NOMEM;
        why_set(s->why, "%s", err_text(ERR_NOMEM));
        return NULL;
    }
    shape_array(s, from, name, take, records, size, max, out_count);
    return records;
}

void shape_enter(struct shape *s, const char *name) {
    size_t len = strlen(s->path);
    (void)snprintf(s->path + len, sizeof s->path - len, "%s%s", len > 0 ? "." : "", name);
}

void shape_leave(struct shape *s) {
    char *dot = strrchr(s->path, '.');
    if (s->result == OK) {
        *(dot != NULL ? dot : s->path) = '\0';
    }
}

void shape_end(struct shape *s, json_t *from) {
    void *left = json_object_iter(from);
    if (left != NULL) {
        wrong(s, json_object_iter_key(left), "is not a known member");
    }
}
