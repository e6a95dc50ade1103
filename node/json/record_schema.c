#include "node/json/record_schema.h"

#include "base/assert.h"
#include "ipfs-lite/cid.h"

#include <string.h>

#define DECIMAL_PATTERN "^(0|[1-9][0-9]{0,19})$"

static json_t *hex_schema(uint64_t bytes) {
    return json_pack("{s:s, s:o}", "type", "string", "pattern",
                     json_sprintf("^[0-9a-f]{%llu}$", (unsigned long long)(2 * bytes)));
}

static json_t *any_hex_schema(uint64_t most) {
    json_t *out = json_pack("{s:s, s:s}", "type", "string", "pattern", "^([0-9a-f]{2})*$");
    if (most > 0) {
        (void)json_object_set_new(out, "maxLength", json_integer((json_int_t)(2 * most)));
    }
    return out;
}

static json_t *pattern_schema(const char *pattern) {
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *number_schema(const struct field *f) {
    static const json_int_t most[] = {[1] = UINT8_MAX, [2] = UINT16_MAX, [4] = UINT32_MAX, [8] = FIELD_NUMBER_MAX};
    ASSERT(f->size < sizeof most / sizeof most[0] && most[f->size] != 0);
    return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)f->min, "maximum",
                     f->max > 0 ? (json_int_t)f->max : most[f->size]);
}

static json_t *names_schema(const struct field *f) {
    json_t *names = json_array();
    for (uint32_t i = 0; i < f->name_count; i++) {
        if (f->names[i] != NULL) {
            (void)json_array_append_new(names, json_string(f->names[i]));
        }
    }
    return json_pack("{s:s, s:o}", "type", "string", "enum", names);
}

static json_t *field_schema(const struct field *f, json_t *schemas);

/* {name: value}: what a value looks like is the last field that is shown. */
static json_t *map_schema(const struct field *f, json_t *schemas) {
    const struct field *value = NULL;
    for (size_t i = 0; i < f->of->count; i++) {
        value = f->of->fields[i].use != FIELD_KEPT ? &f->of->fields[i] : value;
    }
    ASSERT(value != NULL);
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", field_schema(value, schemas));
}

static json_t *list_schema(const struct field *f, json_t *schemas) {
    json_t *items = f->of != NULL ? record_schema(f->of, schemas) : hex_schema(f->size);
    return json_pack("{s:s, s:o, s:I}", "type", "array", "items", items, "maxItems", (json_int_t)f->max);
}

static json_t *items_schema(const struct field *f, json_t *schemas) {
    return json_pack("{s:s, s:o}", "type", "array", "items", record_schema(f->of, schemas));
}

static json_t *field_schema(const struct field *f, json_t *schemas) {
    switch (f->type) {
    case FIELD_NUMBER:
        return number_schema(f);
    case FIELD_DECIMAL:
        return pattern_schema(DECIMAL_PATTERN);
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_NAME:
        return names_schema(f);
    case FIELD_TEXT:
        return json_pack("{s:s, s:I}", "type", "string", "maxLength", (json_int_t)f->size - 1);
    case FIELD_HEX:
        return hex_schema(f->size);
    case FIELD_CID:
        return pattern_schema("^" CID_PATTERN "$");
    case FIELD_BLOB:
        return any_hex_schema(f->max);
    case FIELD_BYTES:
        return any_hex_schema(0);
    case FIELD_LIST:
        return f->is_map ? map_schema(f, schemas) : list_schema(f, schemas);
    case FIELD_ROWS:
        return list_schema(f, schemas);
    case FIELD_ITEMS:
        return items_schema(f, schemas);
    case FIELD_RECORD:
    case FIELD_OBJECT:
        return record_schema(f->of, schemas);
    case FIELD_MADE:
        return pattern_schema(f->pattern);
    case FIELD_WORDS:
    case FIELD_BYTES_OF_TEXT:
        return json_pack("{s:s}", "type", "string");
    case FIELD_VERSION:
    case FIELD_KIND:
    case FIELD_PART:
    default:
        ASSERT(f->use == FIELD_KEPT); /* the others are not one member */
        return NULL;
    }
}

static json_t *or_null(json_t *schema) {
    json_t *type = json_object_get(schema, "type");
    if (json_object_get(schema, "enum") != NULL) {
        (void)json_array_append_new(json_object_get(schema, "enum"), json_null());
    }
    if (type == NULL) {
        return json_pack("{s:[o, {s:s}]}", "oneOf", schema, "type", "null");
    }
    (void)json_object_set_new(schema, "type", json_pack("[O, s]", type, "null"));
    return schema;
}

/* Members of an object schema, those of parts among them. */
static void add_members(const struct record *record, json_t *schemas, json_t *properties, json_t *required) {
    for (size_t i = 0; i < record->count; i++) {
        const struct field *f = &record->fields[i];
        if (f->use == FIELD_KEPT || f->type == FIELD_KIND) {
            continue;
        }
        if (f->type == FIELD_PART) {
            add_members(f->of, schemas, properties, required);
            continue;
        }
        json_t *schema = field_schema(f, schemas);
        schema = f->is_optional && !f->is_omitted ? or_null(schema) : schema;
        (void)json_object_set_new(schema, "description", json_string(f->about));
        (void)json_object_set_new(properties, f->name, schema);
        if (!f->is_omitted) {
            (void)json_array_append_new(required, json_string(f->name));
        }
    }
}

static json_t *object_schema(const struct record *record, json_t *schemas, const struct field *kind, uint32_t number) {
    json_t *properties = json_object(), *required = json_array();
    const char *about = record->about;
    if (kind != NULL) {
        const struct record *of = &kind->kinds[number];
        about = of->about;
        (void)json_object_set_new(properties, kind->name,
                                  json_pack("{s:s, s:s}", "const", of->name, "description", kind->about));
        (void)json_array_append_new(required, json_string(kind->name));
        add_members(of, schemas, properties, required);
    }
    add_members(record, schemas, properties, required);
    return json_pack("{s:s, s:s, s:o, s:o}", "type", "object", "description", about, "properties", properties,
                     "required", required);
}

static const struct field *kind_of(const struct record *record) {
    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].type == FIELD_KIND) {
            return &record->fields[i];
        }
    }
    return NULL;
}

static json_t *schema_of(const struct record *record, json_t *schemas) {
    const struct field *kind = kind_of(record);
    if (kind == NULL) {
        return object_schema(record, schemas, NULL, 0);
    }
    json_t *each = json_array();
    for (uint32_t i = 0; i < kind->name_count; i++) {
        if (kind->kinds[i].name != NULL) {
            (void)json_array_append_new(each, object_schema(record, schemas, kind, i));
        }
    }
    return json_pack("{s:s, s:o}", "description", record->about, "oneOf", each);
}

json_t *record_schema(const struct record *record, json_t *schemas) {
    if (json_object_get(schemas, record->name) == NULL) {
        (void)json_object_set_new(schemas, record->name, json_null()); /* a place in the order, while its parts come */
        (void)json_object_set_new(schemas, record->name, schema_of(record, schemas));
    }
    return json_pack("{s:o}", "$ref", json_sprintf("#/components/schemas/%s", record->name));
}
