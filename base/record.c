#include "base/record.h"

#include "base/assert.h"

#include <string.h>

/* ---- Members ----------------------------------------------------------------------------------------------------- */

static const uint8_t *member(const void *value, uint32_t at) {
    return (const uint8_t *)value + at;
}

static uint8_t *member_of(void *value, uint32_t at) {
    return (uint8_t *)value + at;
}

uint64_t field_number(const void *value, uint32_t at, uint32_t size) {
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    switch (size) {
    case 1:
        return *member(value, at);
    case 2:
        memcpy(&u16, member(value, at), sizeof u16);
        return u16;
    case 4:
        memcpy(&u32, member(value, at), sizeof u32);
        return u32;
    default:
        ASSERT(size == sizeof u64);
        memcpy(&u64, member(value, at), sizeof u64);
        return u64;
    }
}

void field_set_number(void *value, uint32_t at, uint32_t size, uint64_t number) {
    const uint8_t u8 = (uint8_t)number;
    const uint16_t u16 = (uint16_t)number;
    const uint32_t u32 = (uint32_t)number;
    switch (size) {
    case 1:
        memcpy(member_of(value, at), &u8, sizeof u8);
        break;
    case 2:
        memcpy(member_of(value, at), &u16, sizeof u16);
        break;
    case 4:
        memcpy(member_of(value, at), &u32, sizeof u32);
        break;
    default:
        ASSERT(size == sizeof number);
        memcpy(member_of(value, at), &number, sizeof number);
        break;
    }
}

bool field_is_there(const struct field *field, const void *value) {
    bool there = true;
    if (field->is_optional && field->type != FIELD_MADE) {
        memcpy(&there, member(value, field->if_at), sizeof there);
    }
    return there;
}

const char *field_name_of(const struct field *field, const void *value) {
    uint64_t index = field_number(value, field->at, field->size);
    if (index >= field->name_count) {
        return NULL;
    }
    return field->type == FIELD_KIND ? field->kinds[index].name : field->names[index];
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static void put_number(struct buffer *out, uint32_t size, uint64_t number) {
    uint8_t bytes[8];
    store_u64(bytes, number);
    buffer_put(out, bytes + sizeof bytes - size, size);
}

static void put_text(struct buffer *out, const char *text, size_t cap) {
    size_t len = strnlen(text, cap);
    ASSERT(len < cap && len <= UINT16_MAX);
    buffer_u16(out, (uint16_t)len);
    buffer_put(out, text, len);
}

static void put_list(const struct field *f, const void *value, struct buffer *out) {
    uint64_t count = field_number(value, f->count_at, f->count_size);
    ASSERT(count <= f->max);
    put_number(out, f->count_size, count);
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *element = member(value, f->at) + i * f->size;
        if (f->of != NULL) {
            record_encode(f->of, element, out);
        } else {
            buffer_put(out, element, f->size);
        }
    }
}

/* Byte strings that may be missing say how long they are. */
static void put_bytes(const struct field *f, const void *value, struct buffer *out) {
    bool there = field_is_there(f, value);
    if (f->is_optional) {
        buffer_u8(out, there ? (uint8_t)f->size : 0);
    }
    buffer_put(out, member(value, f->at), there ? f->size : 0);
}

static void put_field(const struct field *f, const void *value, struct buffer *out) {
    switch (f->type) {
    case FIELD_VERSION:
        buffer_u8(out, (uint8_t)f->max);
        break;
    case FIELD_NUMBER:
    case FIELD_DECIMAL:
        put_number(out, f->size, field_number(value, f->at, f->size));
        break;
    case FIELD_BOOL:
        buffer_u8(out, *member(value, f->at) != 0);
        break;
    case FIELD_NAME:
        ASSERT(field_name_of(f, value) != NULL); /* it could never be read again */
        buffer_u8(out, (uint8_t)field_number(value, f->at, f->size));
        break;
    case FIELD_KIND:
        ASSERT(field_name_of(f, value) != NULL);
        buffer_u8(out, (uint8_t)field_number(value, f->at, f->size));
        record_encode(&f->kinds[field_number(value, f->at, f->size)], value, out);
        break;
    case FIELD_TEXT:
        put_text(out, (const char *)member(value, f->at), f->size);
        break;
    case FIELD_HEX:
    case FIELD_CID:
        put_bytes(f, value, out);
        break;
    case FIELD_BLOB:
    case FIELD_LIST:
        put_list(f, value, out);
        break;
    case FIELD_PART:
    case FIELD_RECORD:
        record_encode(f->of, member(value, f->at), out);
        break;
    case FIELD_MADE:
    case FIELD_WORDS:
    case FIELD_BYTES:
    case FIELD_BYTES_OF_TEXT:
    case FIELD_OBJECT:
    case FIELD_ITEMS:
    case FIELD_ROWS:
    default:
        ASSERT(f->use == FIELD_SHOWN); /* these are never stored */
    }
}

void record_encode(const struct record *record, const void *value, struct buffer *out) {
    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].use != FIELD_SHOWN) {
            put_field(&record->fields[i], value, out);
        }
    }
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static uint64_t take_number(struct reader *r, uint32_t size) {
    uint8_t bytes[8] = {0};
    read_bytes(r, bytes + sizeof bytes - size, size);
    return load_u64(bytes);
}

static void take_text(struct reader *r, char *out, size_t cap) {
    size_t len = read_u16(r);
    if (len >= cap) {
        r->failed = true;
        return;
    }
    read_bytes(r, out, len);
    r->failed = r->failed || memchr(out, 0, len) != NULL; /* its end would be elsewhere */
}

/* Into zeroed memory. */
static void read_fields(const struct record *record, struct reader *r, void *out);

static void take_list(const struct field *f, struct reader *r, void *out) {
    uint64_t count = take_number(r, f->count_size);
    if (count > f->max) {
        r->failed = true;
        return;
    }
    field_set_number(out, f->count_at, f->count_size, count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t *element = member_of(out, f->at) + i * f->size;
        if (f->of != NULL) {
            read_fields(f->of, r, element);
        } else {
            read_bytes(r, element, f->size);
        }
    }
}

static void take_bytes(const struct field *f, struct reader *r, void *out) {
    bool there = true;
    if (f->is_optional) {
        uint8_t len = read_u8(r);
        there = len != 0;
        r->failed = r->failed || (there && len != f->size);
        memcpy(member_of(out, f->if_at), &there, sizeof there);
    }
    if (there) {
        read_bytes(r, member_of(out, f->at), f->size);
    }
}

static void take_bool(const struct field *f, struct reader *r, void *out) {
    uint8_t byte = read_u8(r);
    bool value = byte == 1;
    r->failed = r->failed || byte > 1;
    memcpy(member_of(out, f->at), &value, sizeof value);
}

static void take_name(const struct field *f, struct reader *r, void *out) {
    field_set_number(out, f->at, f->size, read_u8(r));
    r->failed = r->failed || field_name_of(f, out) == NULL;
}

static void take_field(const struct field *f, struct reader *r, void *out) {
    switch (f->type) {
    case FIELD_VERSION:
        r->failed = read_u8(r) != f->max || r->failed;
        break;
    case FIELD_NUMBER:
    case FIELD_DECIMAL:
        field_set_number(out, f->at, f->size, take_number(r, f->size));
        break;
    case FIELD_BOOL:
        take_bool(f, r, out);
        break;
    case FIELD_NAME:
        take_name(f, r, out);
        break;
    case FIELD_KIND:
        take_name(f, r, out);
        if (!r->failed) {
            read_fields(&f->kinds[field_number(out, f->at, f->size)], r, out);
        }
        break;
    case FIELD_TEXT:
        take_text(r, (char *)member_of(out, f->at), f->size);
        break;
    case FIELD_HEX:
    case FIELD_CID:
        take_bytes(f, r, out);
        break;
    case FIELD_BLOB:
    case FIELD_LIST:
        take_list(f, r, out);
        break;
    case FIELD_PART:
    case FIELD_RECORD:
        read_fields(f->of, r, member_of(out, f->at));
        break;
    case FIELD_MADE:
    case FIELD_WORDS:
    case FIELD_BYTES:
    case FIELD_BYTES_OF_TEXT:
    case FIELD_OBJECT:
    case FIELD_ITEMS:
    case FIELD_ROWS:
    default:
        ASSERT(f->use == FIELD_SHOWN);
    }
}

static void read_fields(const struct record *record, struct reader *r, void *out) {
    for (size_t i = 0; i < record->count; i++) {
        if (record->fields[i].use != FIELD_SHOWN) {
            take_field(&record->fields[i], r, out);
        }
    }
    if (!r->failed && record->is_sound != NULL) {
        r->failed = !record->is_sound(out);
    }
}

enum err record_decode(const struct record *record, struct bytes value, void *out) {
    struct reader r = reader_of(value);
    memset(out, 0, record->size);
    read_fields(record, &r, out);
    if (!reader_done(&r)) {
        memset(out, 0, record->size);
        return ERR_CORRUPT;
    }
    return OK;
}
