#include "store/seglog_format.h"

#include "base/assert.h"
#include "store/crc32c.h"

#include <string.h>

static const uint8_t magic[8] = {'A', 'S', 'S', 'A', 'Y', 'L', 'O', 'G'};

#define FORMAT_VERSION 1u

void segment_header_encode(uint64_t first, uint64_t salt, uint8_t out[SEGMENT_HEADER_LEN]) {
    memset(out, 0, SEGMENT_HEADER_LEN);
    memcpy(out, magic, sizeof magic);
    store_u32(out + 8, FORMAT_VERSION);
    store_u64(out + 16, first);
    store_u64(out + 24, salt);
    store_u32(out + 36, crc32c(0, out, 36));
}

enum err segment_header_decode(const uint8_t in[SEGMENT_HEADER_LEN], uint64_t *out_first, uint64_t *out_salt) {
    if (memcmp(in, magic, sizeof magic) != 0 || load_u32(in + 36) != crc32c(0, in, 36)) {
        return ERR_CORRUPT;
    }
    if (load_u32(in + 8) != FORMAT_VERSION) {
        return ERR_UNSUPPORTED;
    }
    *out_first = load_u64(in + 16);
    *out_salt = load_u64(in + 24);
    return OK;
}

static uint32_t header_crc(const uint8_t header[RECORD_HEADER_LEN], uint64_t salt) {
    uint8_t salt_bytes[8];
    store_u64(salt_bytes, salt);
    return crc32c(crc32c(0, salt_bytes, sizeof salt_bytes), header, 24);
}

void record_header_encode(struct record_header *h, uint64_t salt, struct bytes record, uint8_t out[RECORD_HEADER_LEN]) {
    ASSERT(h->length == record.len && h->synced < h->sequence); /* nobody knows of itself that it was synced */
    memset(out, 0, RECORD_HEADER_LEN);
    store_u64(out, h->sequence);
    store_u64(out + 8, h->synced);
    store_u32(out + 16, h->length);
    out[20] = h->type;
    store_u32(out + 24, header_crc(out, salt));
    h->crc = crc32c(crc32c(0, out + 24, 4), record.data, record.len);
    store_u32(out + 28, h->crc);
}

bool record_header_decode(const uint8_t in[RECORD_HEADER_LEN], uint64_t salt, struct record_header *out) {
    if (load_u32(in + 24) != header_crc(in, salt)) {
        return false;
    }
    *out = (struct record_header){.sequence = load_u64(in),
                                  .synced = load_u64(in + 8),
                                  .length = load_u32(in + 16),
                                  .type = in[20],
                                  .crc = load_u32(in + 28)};
    return true;
}

bool record_is_whole(const uint8_t header[RECORD_HEADER_LEN], const struct record_header *h, const uint8_t *record) {
    return crc32c(crc32c(0, header + 24, 4), record, h->length) == h->crc;
}
