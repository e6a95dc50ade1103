#include "node/json/record_file.h"

#include "base/assert.h"
#include "node/json/record_json.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_LEN 128

/* A file being read. After the first thing wrong nothing more is taken. */
struct reading {
    enum err result;
    struct why *why;
    char path[PATH_LEN]; /* of the object being read, "" for the outermost */
};

static void wrong(struct reading *r, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void wrong(struct reading *r, const char *name, const char *format, ...) {
    if (r->result != OK) {
        return;
    }
    char what[160];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(what, sizeof what, format, args);
    va_end(args);
    why_set(r->why, "%s%s%.60s %s", r->path, r->path[0] != '\0' ? "." : "", name, what);
    r->result = ERR_MALFORMED;
}

static uint8_t *member_of(void *value, uint32_t at) {
    return (uint8_t *)value + at;
}

/* ---- Values: each into its member, or wrong ---- */

static void take_number(struct reading *r, const struct field *f, const json_t *from, void *out) {
    static const uint64_t holds[] = {[1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX, [8] = FIELD_NUMBER_MAX};
    const uint64_t max = f->max > 0 ? f->max : holds[f->size];
    json_int_t number = json_integer_value(from);
    if (number < 0 || (uint64_t)number < f->min || (uint64_t)number > max) {
        wrong(r, f->name, "must be from %" PRIu32 " to %" PRIu64, f->min, max);
        return;
    }
    field_set_number(out, f->at, f->size, (uint64_t)number);
}

static void take_text(struct reading *r, const struct field *f, const json_t *from, void *out) {
    struct bytes text = bytes_of(json_string_value(from), json_string_length(from));
    if (text.len >= f->size || !text_is_clean(text) || memchr(text.data, 0, text.len) != NULL) {
        wrong(r, f->name, "must be at most %" PRIu32 " characters of plain text", f->size - 1);
        return;
    }
    memcpy(member_of(out, f->at), text.data, text.len);
}

static void take_name(struct reading *r, const struct field *f, const json_t *from, void *out) {
    char list[120] = "";
    for (uint32_t i = 0; i < f->name_count; i++) {
        const char *name = f->type == FIELD_KIND ? f->kinds[i].name : f->names[i];
        if (name == NULL) {
            continue;
        }
        if (strcmp(json_string_value(from), name) == 0) {
            field_set_number(out, f->at, f->size, i);
            return;
        }
        size_t len = strlen(list);
        (void)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", name);
    }
    wrong(r, f->name, "must be one of: %s", list);
}

/* What is made must stand there to the letter. */
static void take_made(struct reading *r, const struct field *f, const json_t *from, const void *out) {
    struct buffer made = BUFFER_INIT;
    f->make(out, &made);
    if (buffer_ok(&made) != OK) {
        r->result = ERR_NOMEM;
    } else if (!bytes_equal(buffer_bytes(&made), bytes_of(json_string_value(from), json_string_length(from)))) {
        wrong(r, f->name, "must be one of: %.*s", (int)made.len, (const char *)made.data);
    }
    buffer_free(&made);
}

/* A JSON string as whole bytes of hex; a zero byte inside makes it shorter than it says. */
static bool is_hex(const json_t *from, uint8_t *out, size_t len) {
    return json_is_string(from) && json_string_length(from) == 2 * len &&
           hex_decode(json_string_value(from), out, len) == OK;
}

static void take_hex(struct reading *r, const struct field *f, const json_t *from, void *out) {
    if (!is_hex(from, member_of(out, f->at), f->size)) {
        wrong(r, f->name, "must be %" PRIu32 " bytes in hex", f->size);
    }
}

static void take_blob(struct reading *r, const struct field *f, const json_t *from, void *out) {
    size_t len = json_string_length(from) / 2;
    if (len > f->max || !is_hex(from, member_of(out, f->at), len)) {
        wrong(r, f->name, "must be at most %" PRIu32 " bytes in hex", f->max);
        return;
    }
    field_set_number(out, f->count_at, f->count_size, len);
}

static void take_fields(struct reading *r, const struct record *record, json_t *from, void *out);

/* All members of an object, which stands under this name. */
static void take_object(struct reading *r, const struct record *record, const char *name, json_t *from, void *out) {
    const size_t len = strlen(r->path);
    (void)snprintf(r->path + len, sizeof r->path - len, "%s%s", len > 0 ? "." : "", name);
    take_fields(r, record, from, out);
    void *left = json_object_iter(from);
    if (left != NULL) {
        wrong(r, json_object_iter_key(left), "is not a known member");
    }
    r->path[len] = '\0';
}

static void take_elements(struct reading *r, const struct field *f, const json_t *from, uint8_t *first) {
    for (size_t i = 0; i < json_array_size(from) && r->result == OK; i++) {
        json_t *item = json_array_get(from, i);
        char name[PATH_LEN];
        (void)snprintf(name, sizeof name, "%.60s[%zu]", f->name, i);
        if (f->of == NULL && !is_hex(item, first + i * f->size, f->size)) {
            wrong(r, f->name, "item %zu must be %" PRIu32 " bytes in hex", i, f->size);
        } else if (f->of != NULL && !json_is_object(item)) {
            wrong(r, name, "must be an object");
        } else if (f->of != NULL) {
            take_object(r, f->of, name, item, first + i * f->size);
        }
    }
}

static void take_list(struct reading *r, const struct field *f, const json_t *from, void *out) {
    const size_t count = json_array_size(from);
    uint8_t *first = member_of(out, f->at);
    if (count > f->max) {
        wrong(r, f->name, "has more than %" PRIu32 " items", f->max);
        return;
    }
    if (f->type == FIELD_ROWS) {
        first = calloc(count > 0 ? count : 1, f->size);
        if (first == NULL) {
            r->result = ERR_NOMEM;
            return;
        }
        memcpy(member_of(out, f->at), &first, sizeof first);
    }
    field_set_number(out, f->count_at, f->count_size, count);
    take_elements(r, f, from, first);
}

/* ---- Members ---- */

static void take_value(struct reading *r, const struct field *f, json_t *from, void *out) {
    switch (f->type) {
    case FIELD_NUMBER:
        take_number(r, f, from, out);
        break;
    case FIELD_BOOL:
        *member_of(out, f->at) = json_is_true(from);
        break;
    case FIELD_NAME:
    case FIELD_KIND:
        take_name(r, f, from, out);
        break;
    case FIELD_TEXT:
        take_text(r, f, from, out);
        break;
    case FIELD_MADE:
        take_made(r, f, from, out);
        break;
    case FIELD_HEX:
        take_hex(r, f, from, out);
        break;
    case FIELD_BLOB:
        take_blob(r, f, from, out);
        break;
    case FIELD_LIST:
    case FIELD_ROWS:
        take_list(r, f, from, out);
        break;
    default: /* is_of_type knows no others */
        take_object(r, f->of, f->name, from, member_of(out, f->at));
        break;
    }
}

static bool is_of_type(struct reading *r, const struct field *f, const json_t *value) {
    static const struct {
        const char *name;
        json_type type;
    } types[] = {
        [FIELD_NUMBER] = {"a whole number", JSON_INTEGER},
        [FIELD_BOOL] = {"true or false", JSON_TRUE},
        [FIELD_NAME] = {"a text", JSON_STRING},
        [FIELD_KIND] = {"a text", JSON_STRING},
        [FIELD_TEXT] = {"a text", JSON_STRING},
        [FIELD_MADE] = {"a text", JSON_STRING},
        [FIELD_HEX] = {"a text in hex", JSON_STRING},
        [FIELD_BLOB] = {"a text in hex", JSON_STRING},
        [FIELD_LIST] = {"a list", JSON_ARRAY},
        [FIELD_ROWS] = {"a list", JSON_ARRAY},
        [FIELD_RECORD] = {"an object", JSON_OBJECT},
    };
    ASSERT(f->type < sizeof types / sizeof types[0] && types[f->type].name != NULL);
    if (value == NULL) {
        wrong(r, f->name, "is missing");
        return false;
    }
    const json_type type = json_is_false(value) ? JSON_TRUE : json_typeof(value);
    if (type != types[f->type].type) {
        wrong(r, f->name, "must be %s", types[f->type].name);
    }
    return type == types[f->type].type;
}

static void take_field(struct reading *r, const struct field *f, json_t *from, void *out) {
    if (f->type == FIELD_PART) {
        take_fields(r, f->of, from, member_of(out, f->at));
        return;
    }
    json_t *value = json_object_get(from, f->name);
    const bool there = value != NULL;
    ASSERT(f->is_omitted == f->is_optional); /* files have no null */
    if (f->is_omitted) {
        memcpy(member_of(out, f->if_at), &there, sizeof there);
        if (!there) {
            return;
        }
    }
    if (!is_of_type(r, f, value)) {
        return;
    }
    take_value(r, f, value, out);
    (void)json_object_del(from, f->name);
    if (f->type == FIELD_KIND && r->result == OK) {
        take_fields(r, &f->kinds[field_number(out, f->at, f->size)], from, out);
    }
}

/* Takes the members out of their object, so that what nobody took is left. */
static void take_fields(struct reading *r, const struct record *record, json_t *from, void *out) {
    for (size_t i = 0; i < record->count && r->result == OK; i++) {
        take_field(r, &record->fields[i], from, out);
    }
}

/* ---- Texts ---- */

enum err record_file_parse(const struct record *record, struct bytes text, size_t limit, void *out, struct why *why) {
    struct reading r = {.result = OK, .why = why};
    json_error_t error;
    memset(out, 0, record->size);
    if (text.len > limit) {
        why_set(why, "the document is over %zu bytes", limit);
        return ERR_TOOLARGE;
    }
    const char *data = text.data != NULL ? (const char *)text.data : "";
    json_t *json = json_loadb(data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(json)) {
        why_set(why, "line %d: %.150s", json == NULL ? error.line : 1, json == NULL ? error.text : "not a JSON object");
        json_decref(json);
        return ERR_MALFORMED;
    }
    take_object(&r, record, "", json, out);
    json_decref(json);
    if (r.result == ERR_NOMEM) {
        why_set(why, "%s", err_text(ERR_NOMEM));
    }
    return r.result;
}

enum err record_file_render(const struct record *record, const void *value, struct buffer *out) {
    json_t *root = record_json_whole(record, value);
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2)) : NULL;
    json_decref(root);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    buffer_words(out, text);
    buffer_u8(out, '\n');
    free(text);
    return buffer_ok(out);
}
