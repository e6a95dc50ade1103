#include "base/buffer.h"

#include <stdlib.h>
#include <string.h>

void buffer_free(struct buffer *b) {
    if (b != NULL) {
        free(b->data);
        *b = BUFFER_INIT;
    }
}

void buffer_reset(struct buffer *b) {
    b->len = 0;
    b->failed = false;
}

enum err buffer_ok(const struct buffer *b) {
    return b->failed ? ERR_NOMEM : OK;
}

uint8_t *buffer_extend(struct buffer *b, size_t len) {
    if (b->failed || len > SIZE_MAX / 4 || b->len > SIZE_MAX / 4) {
        b->failed = true;
        return NULL;
    }
    if (b->data == NULL || b->cap - b->len < len) {
        size_t cap = b->cap == 0 ? 256 : b->cap;
        while (cap - b->len < len) {
            cap *= 2;
        }
        uint8_t *grown = realloc(b->data, cap);
        if (grown == NULL) {
            b->failed = true;
            return NULL;
        }
        b->data = grown;
        b->cap = cap;
    }
    uint8_t *at = b->data + b->len;
    b->len += len;
    return at;
}

void buffer_put(struct buffer *b, const void *data, size_t len) {
    if (len == 0) {
        return;
    }
    uint8_t *at = buffer_extend(b, len);
    if (at != NULL) {
        memcpy(at, data, len);
    }
}

void buffer_u8(struct buffer *b, uint8_t v) {
    buffer_put(b, &v, 1);
}

void buffer_u16(struct buffer *b, uint16_t v) {
    uint8_t *at = buffer_extend(b, 2);
    if (at != NULL) {
        store_u16(at, v);
    }
}

void buffer_u32(struct buffer *b, uint32_t v) {
    uint8_t *at = buffer_extend(b, 4);
    if (at != NULL) {
        store_u32(at, v);
    }
}

void buffer_u64(struct buffer *b, uint64_t v) {
    uint8_t *at = buffer_extend(b, 8);
    if (at != NULL) {
        store_u64(at, v);
    }
}

struct reader reader_of(struct bytes from) {
    return (struct reader){from.data, from.len, false};
}

struct bytes read_span(struct reader *r, size_t len) {
    if (r->failed || r->left < len) {
        r->failed = true;
        return bytes_of(NULL, 0);
    }
    struct bytes span = bytes_of(r->at, len);
    if (len > 0) {
        r->at += len;
    }
    r->left -= len;
    return span;
}

void read_bytes(struct reader *r, void *out, size_t len) {
    struct bytes span = read_span(r, len);
    if (r->failed) {
        memset(out, 0, len);
    } else if (len > 0) {
        memcpy(out, span.data, len);
    }
}

uint8_t read_u8(struct reader *r) {
    uint8_t v[1];
    read_bytes(r, v, sizeof v);
    return v[0];
}

uint16_t read_u16(struct reader *r) {
    uint8_t v[2];
    read_bytes(r, v, sizeof v);
    return load_u16(v);
}

uint32_t read_u32(struct reader *r) {
    uint8_t v[4];
    read_bytes(r, v, sizeof v);
    return load_u32(v);
}

uint64_t read_u64(struct reader *r) {
    uint8_t v[8];
    read_bytes(r, v, sizeof v);
    return load_u64(v);
}

bool reader_done(const struct reader *r) {
    return !r->failed && r->left == 0;
}

void buffer_words(struct buffer *b, const char *text) {
    buffer_put(b, text, strlen(text));
}

const char *buffer_text(struct buffer *b) {
    buffer_u8(b, 0);
    if (b->failed) {
        return NULL;
    }
    b->len--;
    return (const char *)b->data;
}
