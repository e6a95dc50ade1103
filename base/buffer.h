/* A growable byte buffer on the heap.
 *
 * Appending never fails halfway: after a failed allocation the buffer is `failed`, keeps what it had, and
 * ignores further appends, so that a writer checks once at the end (buffer_ok).
 */
#ifndef ASSAY_BASE_BUFFER_H
#define ASSAY_BASE_BUFFER_H

#include "base/bytes.h"

struct buffer {
    uint8_t *data;
    size_t len;
    size_t cap;
    bool failed;
};

#define BUFFER_INIT ((struct buffer){0})

void buffer_free(struct buffer *b);
/* Forgets the contents, keeps the memory, clears `failed`. */
void buffer_reset(struct buffer *b);
NODISCARD enum err buffer_ok(const struct buffer *b);

/* Room for `len` more bytes at the end, counted as written; NULL after a failed allocation, and only then. */
uint8_t *buffer_extend(struct buffer *b, size_t len);
void buffer_put(struct buffer *b, const void *data, size_t len);
/* The characters of a text, without a terminator. */
void buffer_words(struct buffer *b, const char *text);
/* What is in the buffer as a C string, until the next append: a terminator stands behind it and is not counted. NULL
 * after a failed allocation. The caller knows that it holds text. */
const char *buffer_text(struct buffer *b);
void buffer_u8(struct buffer *b, uint8_t v);
void buffer_u16(struct buffer *b, uint16_t v);
void buffer_u32(struct buffer *b, uint32_t v);
void buffer_u64(struct buffer *b, uint64_t v);

static inline struct bytes buffer_bytes(const struct buffer *b) {
    return bytes_of(b->data, b->len);
}

/* Reading in canonical order from a span; after the first short read `failed` stays set and every read gives
 * zeros, so that a decoder checks once at the end (reader_done: nothing failed and nothing is left over). */
struct reader {
    const uint8_t *at;
    size_t left;
    bool failed;
};

struct reader reader_of(struct bytes from);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
void read_bytes(struct reader *r, void *out, size_t len);
/* Borrows `len` bytes of the input without copying. */
struct bytes read_span(struct reader *r, size_t len);
bool reader_done(const struct reader *r);

#endif
