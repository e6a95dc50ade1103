#include "node/json/record_json.h"

#include "base/assert.h"
#include "ipfs-lite/cid.h"

#include <stdlib.h>
#include <string.h>

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static const uint8_t *member(const void *value, uint32_t at) {
    return (const uint8_t *)value + at;
}

static json_t *hex_json(const void *data, size_t len) {
    char *text = malloc(2 * len + 1);
    if (text == NULL) {
        return NULL;
    }
    hex_encode(data, len, text);
    json_t *out = json_stringn(text, 2 * len);
    free(text);
    return out;
}

static json_t *cid_json(const uint8_t *binary, size_t len) {
    struct cid cid;
    char text[CID_TEXT_SIZE];
    if (cid_decode(bytes_of(binary, len), &cid) != OK) {
        return json_null();
    }
    cid_format(&cid, text);
    return json_string(text);
}

static json_t *made_json(const struct field *f, const void *value) {
    struct buffer text = BUFFER_INIT;
    f->make(value, &text);
    json_t *out = NULL;
    if (buffer_ok(&text) == OK) {
        out = text.len > 0 ? json_stringn((const char *)text.data, text.len) : json_null();
    }
    buffer_free(&text);
    return out;
}

/* The record's object. Not `whole` any more when something of it could not be added. */
static json_t *object_of(const struct record *record, const void *value, bool *whole);

/* {name: value} of a list whose elements show these two. */
static json_t *map_json(const struct field *f, const void *value, bool *whole) {
    json_t *out = json_object();
    uint64_t count = field_number(value, f->count_at, f->count_size);
    for (uint64_t i = 0; i < count; i++) {
        json_t *pair = object_of(f->of, member(value, f->at) + i * f->size, whole);
        void *name = json_object_iter(pair);
        void *number = json_object_iter_next(pair, name);
        *whole &= number != NULL && json_object_set(out, json_string_value(json_object_iter_value(name)),
                                                    json_object_iter_value(number)) == 0;
        json_decref(pair);
    }
    return out;
}

static json_t *list_json(const struct field *f, const void *value, const uint8_t *first, bool *whole) {
    json_t *out = json_array();
    uint64_t count = field_number(value, f->count_at, f->count_size);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *element = first + i * f->size;
        json_t *item = f->of != NULL ? object_of(f->of, element, whole) : hex_json(element, f->size);
        *whole &= json_array_append_new(out, item) == 0;
    }
    return out;
}

static const uint8_t *rows(const struct field *f, const void *value) {
    const uint8_t *first;
    memcpy(&first, member(value, f->at), sizeof first);
    return first;
}

static json_t *name_json(const char *name) {
    return name != NULL ? json_string(name) : json_null();
}

static json_t *shared(const struct field *f, const void *value) {
    json_t *json;
    memcpy(&json, member(value, f->at), sizeof json);
    return json_incref(json);
}

static struct bytes borrowed(const struct field *f, const void *value) {
    struct bytes bytes;
    memcpy(&bytes, member(value, f->at), sizeof bytes);
    return bytes;
}

static const char *words(const struct field *f, const void *value) {
    const char *text;
    memcpy(&text, member(value, f->at), sizeof text);
    return text;
}

static json_t *field_json(const struct field *f, const void *value, bool *whole) {
    switch (f->type) {
    case FIELD_NUMBER:
        return json_integer((json_int_t)field_number(value, f->at, f->size));
    case FIELD_DECIMAL:
        return json_sprintf("%llu", (unsigned long long)field_number(value, f->at, f->size));
    case FIELD_BOOL:
        return json_boolean(*member(value, f->at) != 0);
    case FIELD_NAME:
    case FIELD_KIND:
        return name_json(field_name_of(f, value));
    case FIELD_TEXT:
        return json_string((const char *)member(value, f->at));
    case FIELD_HEX:
        return hex_json(member(value, f->at), f->size);
    case FIELD_CID:
        return cid_json(member(value, f->at), f->size);
    case FIELD_BLOB:
        return hex_json(member(value, f->at), (size_t)field_number(value, f->count_at, f->count_size));
    case FIELD_LIST:
        return f->is_map ? map_json(f, value, whole) : list_json(f, value, member(value, f->at), whole);
    case FIELD_ROWS:
        return list_json(f, value, rows(f, value), whole);
    case FIELD_RECORD:
        return object_of(f->of, member(value, f->at), whole);
    case FIELD_MADE:
        return made_json(f, value);
    case FIELD_WORDS:
        return json_string(words(f, value));
    case FIELD_BYTES:
        return hex_json(borrowed(f, value).data, borrowed(f, value).len);
    case FIELD_BYTES_OF_TEXT:
        return json_stringn((const char *)borrowed(f, value).data, borrowed(f, value).len);
    case FIELD_OBJECT:
    case FIELD_ITEMS:
        return shared(f, value);
    case FIELD_VERSION:
    case FIELD_PART:
    default:
        ASSERT(f->use == FIELD_KEPT); /* parts' fields are added one by one */
        return NULL;
    }
}

static void add_fields(const struct record *record, const void *value, json_t *object, bool *whole);

static void add_field(const struct field *f, const void *value, json_t *object, bool *whole) {
    if (f->type == FIELD_PART) {
        add_fields(f->of, member(value, f->at), object, whole);
        return;
    }
    bool there = field_is_there(f, value);
    if (there || !f->is_omitted) {
        *whole &= json_object_set_new(object, f->name, there ? field_json(f, value, whole) : json_null()) == 0;
    }
    if (f->type == FIELD_KIND && field_name_of(f, value) != NULL) {
        add_fields(&f->kinds[field_number(value, f->at, f->size)], value, object, whole);
    }
}

static void add_fields(const struct record *record, const void *value, json_t *object, bool *whole) {
    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].use != FIELD_KEPT) {
            add_field(&record->fields[i], value, object, whole);
        }
    }
}

static json_t *object_of(const struct record *record, const void *value, bool *whole) {
    json_t *out = json_object();
    add_fields(record, value, out, whole);
    return out;
}

json_t *record_json(const struct record *record, const void *value) {
    bool whole = true;
    return object_of(record, value, &whole);
}

json_t *record_json_whole(const struct record *record, const void *value) {
    bool whole = true;
    json_t *out = object_of(record, value, &whole);
    if (!whole) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static uint8_t *member_of(void *value, uint32_t at) {
    return (uint8_t *)value + at;
}

static enum err refuse(const struct field *f, const char *must, struct why *why) {
    why_set(why, "%s must be %s", f->name, must);
    return ERR_MALFORMED;
}

static enum err take_number(const struct field *f, const json_t *from, void *out, struct why *why) {
    json_int_t number = json_integer_value(from);
    bool fits = f->size >= sizeof number ? number <= (json_int_t)FIELD_NUMBER_MAX : number >> (8 * f->size) == 0;
    bool in_bounds = (uint64_t)number >= f->min && (f->max == 0 || (uint64_t)number <= f->max);
    if (!json_is_integer(from) || number < 0 || !fits || !in_bounds) {
        return refuse(f, "a number that fits", why);
    }
    field_set_number(out, f->at, f->size, (uint64_t)number);
    return OK;
}

static enum err take_decimal(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    uint64_t number = 0;
    bool good = text != NULL && text[0] != '\0' && (text[0] != '0' || text[1] == '\0');
    for (; good && *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        good = *text >= '0' && *text <= '9' && number <= (UINT64_MAX - digit) / 10;
        number = number * 10 + digit;
    }
    if (!good) {
        return refuse(f, "a text of decimal digits below 2^64", why);
    }
    field_set_number(out, f->at, f->size, number);
    return OK;
}

static enum err take_name(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    for (uint32_t i = 0; text != NULL && i < f->name_count; i++) {
        const char *name = f->type == FIELD_KIND ? f->kinds[i].name : f->names[i];
        if (name != NULL && strcmp(name, text) == 0) {
            field_set_number(out, f->at, f->size, i);
            return OK;
        }
    }
    return refuse(f, "one of the names that it has", why);
}

static enum err take_text(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    if (text == NULL || strlen(text) >= f->size) {
        return refuse(f, "a text that fits", why);
    }
    memcpy(member_of(out, f->at), text, strlen(text) + 1);
    return OK;
}

static enum err take_hex(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    bool good = text != NULL && hex_decode(text, member_of(out, f->at), f->size) == OK;
    return good ? OK : refuse(f, "hex of its length", why);
}

static enum err take_cid(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    struct cid cid;
    if (text == NULL || cid_parse(text, &cid) != OK || f->size != CID_LEN) {
        return refuse(f, "a CID", why);
    }
    cid_encode(&cid, member_of(out, f->at));
    return OK;
}

static enum err take_blob(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    size_t len = text != NULL ? strlen(text) / 2 : 0;
    if (text == NULL || len > f->max || hex_decode(text, member_of(out, f->at), len) != OK) {
        return refuse(f, "hex that fits", why);
    }
    field_set_number(out, f->count_at, f->count_size, len);
    return OK;
}

static enum err take_list(const struct field *f, const json_t *from, void *out, struct why *why) {
    size_t i;
    json_t *item;
    if (!json_is_array(from) || json_array_size(from) > f->max) {
        return refuse(f, "an array that fits", why);
    }
    field_set_number(out, f->count_at, f->count_size, json_array_size(from));
    json_array_foreach(from, i, item) {
        uint8_t *element = member_of(out, f->at) + i * f->size;
        if (f->of != NULL) {
            enum err e = record_of_json(f->of, item, element, why);
            if (e != OK) {
                return e;
            }
        } else if (!json_is_string(item) || hex_decode(json_string_value(item), element, f->size) != OK) {
            return refuse(f, "an array of hex", why);
        }
    }
    return OK;
}

static enum err take_borrowed(const struct field *f, const json_t *from, void *out, struct why *why) {
    const char *text = json_string_value(from);
    if (text == NULL) {
        return refuse(f, "a text", why);
    }
    const struct bytes bytes = bytes_of(text, json_string_length(from));
    if (f->type == FIELD_WORDS) {
        memcpy(member_of(out, f->at), &text, sizeof text);
    } else {
        memcpy(member_of(out, f->at), &bytes, sizeof bytes);
    }
    return OK;
}

static enum err take_shared(const struct field *f, const json_t *from, void *out, struct why *why) {
    if (f->type == FIELD_OBJECT ? !json_is_object(from) : !json_is_array(from)) {
        return refuse(f, f->type == FIELD_OBJECT ? "an object" : "an array", why);
    }
    memcpy(member_of(out, f->at), &from, sizeof from);
    return OK;
}

static enum err take_fields(const struct record *record, const json_t *object, void *out, struct why *why);

static enum err take_value(const struct field *f, const json_t *from, void *out, struct why *why) {
    switch (f->type) {
    case FIELD_NUMBER:
        return take_number(f, from, out, why);
    case FIELD_DECIMAL:
        return take_decimal(f, from, out, why);
    case FIELD_BOOL:
        *member_of(out, f->at) = json_is_true(from);
        return json_is_boolean(from) ? OK : refuse(f, "true or false", why);
    case FIELD_NAME:
    case FIELD_KIND:
        return take_name(f, from, out, why);
    case FIELD_TEXT:
        return take_text(f, from, out, why);
    case FIELD_HEX:
        return take_hex(f, from, out, why);
    case FIELD_CID:
        return take_cid(f, from, out, why);
    case FIELD_BLOB:
        return take_blob(f, from, out, why);
    case FIELD_LIST:
        return f->is_map ? OK : take_list(f, from, out, why);
    case FIELD_RECORD: /* the outermost call has zeroed the memory; a record may stand over its own struct */
        return json_is_object(from) ? take_fields(f->of, from, member_of(out, f->at), why)
                                    : refuse(f, "an object", why);
    case FIELD_WORDS:
    case FIELD_BYTES_OF_TEXT:
        return take_borrowed(f, from, out, why);
    case FIELD_OBJECT:
    case FIELD_ITEMS:
        return take_shared(f, from, out, why);
    case FIELD_VERSION:
    case FIELD_PART:
    case FIELD_MADE:
    case FIELD_BYTES:
    case FIELD_ROWS:
    default:
        return OK;
    }
}

static enum err take_field(const struct field *f, const json_t *object, void *out, struct why *why) {
    if (f->use == FIELD_KEPT) {
        return OK;
    }
    if (f->type == FIELD_PART) {
        return take_fields(f->of, object, member_of(out, f->at), why);
    }
    const json_t *from = json_object_get(object, f->name);
    bool there = from != NULL && !json_is_null(from);
    if (f->is_optional && f->type != FIELD_MADE) {
        memcpy(member_of(out, f->if_at), &there, sizeof there);
    }
    if (!there) {
        return f->is_optional || f->type == FIELD_MADE ? OK : refuse(f, "there", why);
    }
    enum err e = take_value(f, from, out, why);
    if (e == OK && f->type == FIELD_KIND) {
        e = take_fields(&f->kinds[field_number(out, f->at, f->size)], object, out, why);
    }
    return e;
}

static enum err take_fields(const struct record *record, const json_t *object, void *out, struct why *why) {
    enum err e = OK;
    for (size_t i = 0; i < record->count && e == OK; i++) {
        e = take_field(&record->fields[i], object, out, why);
    }
    return e;
}

enum err record_of_json(const struct record *record, const json_t *object, void *out, struct why *why) {
    memset(out, 0, record->size);
    if (!json_is_object(object)) {
        why_set(why, "it must be an object");
        return ERR_MALFORMED;
    }
    enum err e = take_fields(record, object, out, why);
    if (e == OK && record->is_sound != NULL && !record->is_sound(out)) {
        why_set(why, "its values do not fit each other");
        e = ERR_MALFORMED;
    }
    return e;
}

const char *record_name_at(const struct record *record, size_t at) {
    for (size_t i = 0; i < record->count; i++) {
        const struct field *f = &record->fields[i];
        if (f->use == FIELD_KEPT || at < f->at || at >= (size_t)f->at + f->size) {
            continue;
        }
        const char *name = f->type == FIELD_PART ? record_name_at(f->of, at - f->at) : f->name;
        if (name != NULL && (f->type == FIELD_PART || at == f->at)) {
            return name;
        }
    }
    return NULL;
}

json_t *record_member(const struct record *record, const json_t *object, size_t at) {
    const char *name = record_name_at(record, at);
    ASSERT(name != NULL); /* the table shows it */
    return json_object_get(object, name);
}

bool record_hex(const struct record *record, const json_t *object, size_t at, void *out, size_t len) {
    const char *text = json_string_value(record_member(record, object, at));
    return text != NULL && hex_decode(text, out, len) == OK;
}
