/* The CBOR reader: whatever it accepts, the writer would have written; whatever it refuses, it has not moved past. */
#include "verify/cbor.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* Writes the head of the item that starts `item` again: accepted heads are the shortest, so it must come out the same.
 */
static void check_head(struct bytes item) {
    struct cbor_reader r = cbor_reader_of(item);
    uint8_t *written = malloc(item.len + CBOR_HEAD_MAX);
    require(written != NULL);
    struct cbor_writer w = cbor_writer_of(written, item.len + CBOR_HEAD_MAX);
    struct bytes content;
    uint64_t number;
    int64_t integer;
    uint32_t count;
    bool flag;
    if (cbor_uint(&r, &number) == GOOD) {
        cbor_put_uint(&w, number);
    } else if (cbor_int(&r, &integer) == GOOD) {
        cbor_put_int(&w, integer);
    } else if (cbor_bytes(&r, &content) == GOOD) {
        cbor_put_bytes(&w, content);
    } else if (cbor_text(&r, &content) == GOOD) {
        cbor_put_text(&w, content);
    } else if (cbor_array(&r, &count) == GOOD) {
        cbor_put_array(&w, count);
    } else if (cbor_map(&r, &count) == GOOD) {
        cbor_put_map(&w, count);
    } else if (cbor_tag(&r, &number) == GOOD) {
        cbor_put_tag(&w, number);
    } else if (cbor_bool(&r, &flag) == GOOD) {
        cbor_put_bool(&w, flag);
    } else if (cbor_null(&r) == GOOD) {
        cbor_put_null(&w);
    } else {
        require((item.data[0] & 0xe0) == 0x20); /* a negative number below INT64_MIN has no reader */
        free(written);
        return;
    }
    size_t len = 0;
    require(cbor_writer_end(&w, &len) == GOOD && len <= item.len && memcmp(written, item.data, len) == 0);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cbor_reader r = cbor_reader_of(bytes_of(data, size));
    struct bytes item;
    size_t taken = 0;
    while (cbor_item(&r, &item) == GOOD) {
        require(item.data == data + taken && item.len > 0);
        taken += item.len;
        check_head(item);
    }
    require(r.rest.len == size - taken);
    return 0;
}
