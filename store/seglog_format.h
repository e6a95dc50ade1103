/* Bytes of a log's segments (docs/formats.md); all numbers are big-endian.
 *
 *   segment header (40): magic "ASSAYLOG" (8) | version 1 (4) | zero (4) | first sequence (8) | salt (8) | zero (4) |
 *                        CRC-32C of all before (4)
 *   record header (32):  sequence (8) | synced up to (8) | length (4) | type (1) | zero (3) |
 *                        header CRC (4): of salt and the 24 bytes before | record CRC (4): of header CRC and the bytes
 *   record: header, bytes, zeros up to a multiple of 8
 *
 * The header has a CRC of its own so that the length can be relied on when the bytes are bad, and so that looking for
 * records behind a bad one costs the same whatever somebody put into the bytes.
 */
#ifndef ASSAY_STORE_SEGLOG_FORMAT_H
#define ASSAY_STORE_SEGLOG_FORMAT_H

#include "base/bytes.h"

#define SEGMENT_HEADER_LEN 40u
#define RECORD_HEADER_LEN 32u
/* Left behind by a clean close where the next record will go: no bytes, and "synced up to" all before it. */
#define RECORD_CLOSED 0xffu

struct record_header {
    uint64_t sequence;
    uint64_t synced;
    uint32_t length;
    uint8_t type;
    uint32_t crc;
};

void segment_header_encode(uint64_t first, uint64_t salt, uint8_t out[SEGMENT_HEADER_LEN]);
NODISCARD enum err segment_header_decode(const uint8_t in[SEGMENT_HEADER_LEN], uint64_t *out_first, uint64_t *out_salt);

/* Fills in the record CRC. */
void record_header_encode(struct record_header *h, uint64_t salt, struct bytes record, uint8_t out[RECORD_HEADER_LEN]);
/* False when these are not the bytes of a record header under this salt. */
bool record_header_decode(const uint8_t in[RECORD_HEADER_LEN], uint64_t salt, struct record_header *out);
/* Whether the bytes are those that the header was written for. */
bool record_is_whole(const uint8_t header[RECORD_HEADER_LEN], const struct record_header *h, const uint8_t *record);

/* Bytes that a record takes in its segment. */
static inline uint64_t record_span(uint64_t length) {
    return (RECORD_HEADER_LEN + length + 7) & ~(uint64_t)7;
}

#endif
