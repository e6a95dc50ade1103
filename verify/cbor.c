#include "verify/cbor.h"

#include <string.h>

enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

struct head {
    enum cbor_major major;
    uint64_t argument;
};

static void advance(struct cbor_reader *r, size_t len) {
    r->rest.data += len;
    r->rest.len -= len;
}

/* Takes a head; only the shortest form of an argument is one. */
static enum verdict take_head(struct cbor_reader *r, struct head *out) {
    if (r->rest.len == 0) {
        return BAD_TRUNCATED;
    }
    uint8_t first = r->rest.data[0];
    enum cbor_major major = (enum cbor_major)(first >> 5);
    uint8_t info = first & 0x1f;
    uint64_t argument = info;
    size_t extra = 0;
    if (info > 27) {
        return BAD_ENCODING;
    }
    if (info >= 24) {
        extra = (size_t)1 << (info - 24);
        if (r->rest.len - 1 < extra) {
            return BAD_TRUNCATED;
        }
        argument = 0;
        for (size_t i = 0; i < extra; i++) {
            argument = argument << 8 | r->rest.data[1 + i];
        }
        static const uint64_t least[] = {24, 0x100, 0x10000, 0x100000000};
        if (argument < least[info - 24]) {
            return BAD_ENCODING;
        }
    }
    if (major == CBOR_SIMPLE && (info < SIMPLE_FALSE || info > SIMPLE_NULL)) {
        return BAD_ENCODING;
    }
    advance(r, 1 + extra);
    out->major = major;
    out->argument = argument;
    return GOOD;
}

/* A head of that major type, or nothing is taken. */
static enum verdict take_typed(struct cbor_reader *r, enum cbor_major major, uint64_t *out_argument) {
    struct cbor_reader at = *r;
    struct head head;
    enum verdict v = take_head(&at, &head);
    if (v != GOOD) {
        return v;
    }
    if (head.major != major) {
        return BAD_ENCODING;
    }
    *out_argument = head.argument;
    *r = at;
    return GOOD;
}

/* How many bytes the UTF-8 character at the start of `text` takes; 0 when there is none (RFC 3629: no overlong forms,
 * no surrogates, nothing above U+10FFFF). */
static size_t utf8_character(const uint8_t *text, size_t len) {
    if (text[0] < 0x80) {
        return 1;
    }
    size_t size = 2 + (size_t)(text[0] >= 0xe0) + (size_t)(text[0] >= 0xf0);
    if (text[0] < 0xc2 || text[0] > 0xf4 || len < size) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return size;
}

static bool is_utf8(struct bytes text) {
    size_t at = 0;
    while (at < text.len) {
        size_t size = utf8_character(text.data + at, text.len - at);
        if (size == 0) {
            return false;
        }
        at += size;
    }
    return true;
}

/* Takes what follows the head of a string. */
static enum verdict take_content(struct cbor_reader *r, const struct head *head, struct bytes *out) {
    if (head->argument > r->rest.len) {
        return BAD_TRUNCATED;
    }
    struct bytes content = {r->rest.data, (size_t)head->argument};
    if (head->major == CBOR_TEXT && !is_utf8(content)) {
        return BAD_ENCODING;
    }
    advance(r, content.len);
    *out = content;
    return GOOD;
}

enum verdict cbor_peek(const struct cbor_reader *r, enum cbor_major *out) {
    if (r->rest.len == 0) {
        return BAD_TRUNCATED;
    }
    *out = (enum cbor_major)(r->rest.data[0] >> 5);
    return GOOD;
}

enum verdict cbor_uint(struct cbor_reader *r, uint64_t *out) {
    return take_typed(r, CBOR_UINT, out);
}

enum verdict cbor_int(struct cbor_reader *r, int64_t *out) {
    struct cbor_reader at = *r;
    struct head head;
    enum verdict v = take_head(&at, &head);
    if (v != GOOD) {
        return v;
    }
    if ((head.major != CBOR_UINT && head.major != CBOR_NINT) || head.argument > INT64_MAX) {
        return BAD_ENCODING;
    }
    *out = head.major == CBOR_UINT ? (int64_t)head.argument : -1 - (int64_t)head.argument;
    *r = at;
    return GOOD;
}

static enum verdict take_string(struct cbor_reader *r, enum cbor_major major, struct bytes *out) {
    struct cbor_reader at = *r;
    struct head head = {major, 0};
    enum verdict v = take_typed(&at, major, &head.argument);
    if (v == GOOD) {
        v = take_content(&at, &head, out);
    }
    if (v == GOOD) {
        *r = at;
    }
    return v;
}

enum verdict cbor_bytes(struct cbor_reader *r, struct bytes *out) {
    return take_string(r, CBOR_BYTES, out);
}

enum verdict cbor_text(struct cbor_reader *r, struct bytes *out) {
    return take_string(r, CBOR_TEXT, out);
}

/* Every element takes at least one byte, so a count above what is left is a lie (or a cut). */
static enum verdict take_count(struct cbor_reader *r, enum cbor_major major, uint32_t *out) {
    struct cbor_reader at = *r;
    uint64_t count;
    enum verdict v = take_typed(&at, major, &count);
    if (v != GOOD) {
        return v;
    }
    size_t each = major == CBOR_MAP ? 2 : 1;
    if (count > at.rest.len / each) {
        return BAD_TRUNCATED;
    }
    if (count > UINT32_MAX / each) {
        return BAD_LIMIT;
    }
    *out = (uint32_t)count;
    *r = at;
    return GOOD;
}

enum verdict cbor_array(struct cbor_reader *r, uint32_t *out_items) {
    return take_count(r, CBOR_ARRAY, out_items);
}

enum verdict cbor_map(struct cbor_reader *r, uint32_t *out_pairs) {
    return take_count(r, CBOR_MAP, out_pairs);
}

enum verdict cbor_tag(struct cbor_reader *r, uint64_t *out) {
    return take_typed(r, CBOR_TAG, out);
}

enum verdict cbor_bool(struct cbor_reader *r, bool *out) {
    struct cbor_reader at = *r;
    uint64_t simple;
    enum verdict v = take_typed(&at, CBOR_SIMPLE, &simple);
    if (v != GOOD) {
        return v;
    }
    if (simple == SIMPLE_NULL) {
        return BAD_ENCODING;
    }
    *out = simple == SIMPLE_TRUE;
    *r = at;
    return GOOD;
}

enum verdict cbor_null(struct cbor_reader *r) {
    struct cbor_reader at = *r;
    uint64_t simple;
    enum verdict v = take_typed(&at, CBOR_SIMPLE, &simple);
    if (v != GOOD) {
        return v;
    }
    if (simple != SIMPLE_NULL) {
        return BAD_ENCODING;
    }
    *r = at;
    return GOOD;
}

/* A container whose items are being taken: in a map keys and values count alike, so a key is due while an even number
 * is left. */
struct level {
    uint32_t left;
    bool is_map;
    const uint8_t *key;
    struct bytes last_key;
};

/* Takes an item's head and, of a string, its content; `out->left` is how many items are nested in it. */
static enum verdict take_shallow(struct cbor_reader *r, struct level *out) {
    enum cbor_major major;
    enum verdict v = cbor_peek(r, &major);
    struct level level = {0, false, NULL, {NULL, 0}};
    struct bytes content;
    struct head head;
    if (v != GOOD) {
        return v;
    }
    switch (major) {
    case CBOR_BYTES:
    case CBOR_TEXT:
        v = take_string(r, major, &content);
        break;
    case CBOR_ARRAY:
        v = cbor_array(r, &level.left);
        break;
    case CBOR_MAP:
        v = cbor_map(r, &level.left);
        level.left = v == GOOD ? level.left * 2 : 0;
        level.is_map = true;
        break;
    case CBOR_TAG:
        v = take_head(r, &head);
        level.left = 1;
        break;
    default:
        v = take_head(r, &head);
        break;
    }
    level.key = r->rest.data;
    *out = level;
    return v;
}

/* An item ended at `r`: counts it where it stands, and ends the containers that it completes. */
static enum verdict end_item(struct level *levels, size_t *depth, const struct cbor_reader *r) {
    while (*depth > 0) {
        struct level *level = &levels[*depth - 1];
        level->left--;
        if (level->is_map && level->left % 2 == 1) {
            struct bytes key = {level->key, (size_t)(r->rest.data - level->key)};
            return cbor_key_ascends(&level->last_key, key);
        }
        level->key = r->rest.data;
        if (level->left > 0) {
            return GOOD;
        }
        (*depth)--;
    }
    return GOOD;
}

enum verdict cbor_item(struct cbor_reader *r, struct bytes *out) {
    struct cbor_reader at = *r;
    struct level levels[CBOR_DEPTH_MAX];
    size_t depth = 0;
    do {
        struct level level;
        enum verdict v = take_shallow(&at, &level);
        if (v != GOOD) {
            return v;
        }
        if (level.left > 0) {
            if (depth == CBOR_DEPTH_MAX) {
                return BAD_LIMIT;
            }
            levels[depth++] = level;
            continue;
        }
        v = end_item(levels, &depth, &at);
        if (v != GOOD) {
            return v;
        }
    } while (depth > 0);
    out->data = r->rest.data;
    out->len = (size_t)(at.rest.data - r->rest.data);
    *r = at;
    return GOOD;
}

enum verdict cbor_end(const struct cbor_reader *r) {
    return r->rest.len == 0 ? GOOD : BAD_TRAILING;
}

enum verdict cbor_key_ascends(struct bytes *last, struct bytes key) {
    if (last->len > 0) {
        size_t common = last->len < key.len ? last->len : key.len;
        int order = memcmp(last->data, key.data, common);
        if (order > 0 || (order == 0 && last->len >= key.len)) {
            return BAD_ENCODING;
        }
    }
    *last = key;
    return GOOD;
}

struct cbor_writer cbor_writer_of(uint8_t *out, size_t capacity) {
    struct cbor_writer w = {out, capacity, 0, false};
    return w;
}

enum verdict cbor_writer_end(const struct cbor_writer *w, size_t *out_len) {
    if (w->failed) {
        return BAD_LIMIT;
    }
    *out_len = w->len;
    return GOOD;
}

static void put(struct cbor_writer *w, const uint8_t *data, size_t len) {
    if (w->failed || w->capacity - w->len < len) {
        w->failed = true;
        return;
    }
    if (len > 0) {
        memcpy(w->out + w->len, data, len);
        w->len += len;
    }
}

static size_t encode_head(enum cbor_major major, uint64_t argument, uint8_t out[CBOR_HEAD_MAX]) {
    uint8_t type = (uint8_t)((unsigned)major << 5);
    if (argument < 24) {
        out[0] = (uint8_t)(type | argument);
        return 1;
    }
    unsigned log = (unsigned)(argument > UINT8_MAX) + (unsigned)(argument > UINT16_MAX) + (argument > UINT32_MAX);
    size_t extra = (size_t)1 << log;
    out[0] = (uint8_t)(type | (24 + log));
    for (size_t i = 0; i < extra; i++) {
        out[1 + i] = (uint8_t)(argument >> (8 * (extra - 1 - i)));
    }
    return 1 + extra;
}

static void put_head(struct cbor_writer *w, enum cbor_major major, uint64_t argument) {
    uint8_t head[CBOR_HEAD_MAX];
    put(w, head, encode_head(major, argument, head));
}

void cbor_put_uint(struct cbor_writer *w, uint64_t v) {
    put_head(w, CBOR_UINT, v);
}

void cbor_put_int(struct cbor_writer *w, int64_t v) {
    if (v >= 0) {
        put_head(w, CBOR_UINT, (uint64_t)v);
    } else {
        put_head(w, CBOR_NINT, (uint64_t)(-1 - v));
    }
}

void cbor_put_bytes(struct cbor_writer *w, struct bytes bytes) {
    put_head(w, CBOR_BYTES, bytes.len);
    put(w, bytes.data, bytes.len);
}

void cbor_put_text(struct cbor_writer *w, struct bytes text) {
    put_head(w, CBOR_TEXT, text.len);
    put(w, text.data, text.len);
}

void cbor_put_array(struct cbor_writer *w, uint32_t items) {
    put_head(w, CBOR_ARRAY, items);
}

void cbor_put_map(struct cbor_writer *w, uint32_t pairs) {
    put_head(w, CBOR_MAP, pairs);
}

void cbor_put_tag(struct cbor_writer *w, uint64_t tag) {
    put_head(w, CBOR_TAG, tag);
}

void cbor_put_bool(struct cbor_writer *w, bool v) {
    put_head(w, CBOR_SIMPLE, v ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_put_null(struct cbor_writer *w) {
    put_head(w, CBOR_SIMPLE, SIMPLE_NULL);
}

void cbor_put_raw(struct cbor_writer *w, struct bytes items) {
    put(w, items.data, items.len);
}

/* The length is not known yet: one byte is kept for the head, and the content moves up when the head needs more. */
size_t cbor_begin_bytes(struct cbor_writer *w) {
    static const uint8_t placeholder = 0;
    size_t begun = w->len;
    put(w, &placeholder, 1);
    return begun;
}

void cbor_end_bytes(struct cbor_writer *w, size_t begun) {
    if (w->failed) {
        return;
    }
    uint8_t head[CBOR_HEAD_MAX];
    size_t content = w->len - begun - 1;
    size_t head_len = encode_head(CBOR_BYTES, content, head);
    if (w->capacity - w->len < head_len - 1) {
        w->failed = true;
        return;
    }
    memmove(w->out + begun + head_len, w->out + begun + 1, content);
    memcpy(w->out + begun, head, head_len);
    w->len += head_len - 1;
}
