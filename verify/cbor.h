/* CBOR (RFC 8949), its core deterministic encoding (section 4.2.1) and nothing else: shortest heads, definite lengths,
 * map keys in ascending order of their encoded bytes. Reader and writer over the caller's memory, no recursion.
 *
 * Whatever is not in that encoding is BAD_ENCODING. No floating point, no simple values but false, true and null.
 */
#ifndef ASSAY_VERIFY_CBOR_H
#define ASSAY_VERIFY_CBOR_H

#include "verify/crypto.h"

enum cbor_major {
    CBOR_UINT = 0,
    CBOR_NINT = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
    CBOR_SIMPLE = 7,
};

/* How deep containers and tags may nest inside one item that is skipped (BAD_LIMIT beyond). */
#define CBOR_DEPTH_MAX 8

/* The longest head of an item. */
#define CBOR_HEAD_MAX 9

/* Reads items one after the other; `rest` is what is left. A call that fails leaves the reader where it was. */
struct cbor_reader {
    struct bytes rest;
};

static inline struct cbor_reader cbor_reader_of(struct bytes in) {
    struct cbor_reader r = {in};
    return r;
}

/* The major type of the next item; BAD_TRUNCATED at the end of the input. */
enum verdict cbor_peek(const struct cbor_reader *r, enum cbor_major *out);

/* Each takes one item of that type. BAD_TRUNCATED, or BAD_ENCODING for another type, a number that does not fit the
 * output, a long form, or text that is not UTF-8. Counts of arrays and maps never exceed what the rest could hold. */
enum verdict cbor_uint(struct cbor_reader *r, uint64_t *out);
enum verdict cbor_int(struct cbor_reader *r, int64_t *out);
enum verdict cbor_bytes(struct cbor_reader *r, struct bytes *out);
enum verdict cbor_text(struct cbor_reader *r, struct bytes *out);
enum verdict cbor_array(struct cbor_reader *r, uint32_t *out_items);
enum verdict cbor_map(struct cbor_reader *r, uint32_t *out_pairs);
enum verdict cbor_tag(struct cbor_reader *r, uint64_t *out);
enum verdict cbor_bool(struct cbor_reader *r, bool *out);
enum verdict cbor_null(struct cbor_reader *r);

/* Takes one whole item, checked throughout (maps inside it too), and gives its encoding. BAD_LIMIT when it nests
 * deeper than CBOR_DEPTH_MAX. */
enum verdict cbor_item(struct cbor_reader *r, struct bytes *out);

/* BAD_TRAILING when anything is left. */
enum verdict cbor_end(const struct cbor_reader *r);

/* Keys of one map, each as its encoding, in the order read: BAD_ENCODING for one that is not above the last. Begin with
 * an empty span. */
enum verdict cbor_key_ascends(struct bytes *last, struct bytes key);

/* Writes into `out`; what does not fit sets `failed` and is dropped, so that only the end needs a check. */
struct cbor_writer {
    uint8_t *out;
    size_t capacity;
    size_t len;
    bool failed;
};

struct cbor_writer cbor_writer_of(uint8_t *out, size_t capacity);
/* BAD_LIMIT when anything did not fit. */
enum verdict cbor_writer_end(const struct cbor_writer *w, size_t *out_len);

void cbor_put_uint(struct cbor_writer *w, uint64_t v);
void cbor_put_int(struct cbor_writer *w, int64_t v);
void cbor_put_bytes(struct cbor_writer *w, struct bytes bytes);
void cbor_put_text(struct cbor_writer *w, struct bytes text);
void cbor_put_array(struct cbor_writer *w, uint32_t items);
void cbor_put_map(struct cbor_writer *w, uint32_t pairs);
void cbor_put_tag(struct cbor_writer *w, uint64_t tag);
void cbor_put_bool(struct cbor_writer *w, bool v);
void cbor_put_null(struct cbor_writer *w);
/* Items that are encoded already. */
void cbor_put_raw(struct cbor_writer *w, struct bytes items);

/* A byte string whose content is written between the two calls (CBOR in CBOR); they nest. */
size_t cbor_begin_bytes(struct cbor_writer *w);
void cbor_end_bytes(struct cbor_writer *w, size_t begun);

#endif
