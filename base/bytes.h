/* Borrowed byte spans, big-endian loads and stores, hex.
 *
 * A span never owns its memory: it is valid as long as what it points into.
 */
#ifndef ASSAY_BASE_BYTES_H
#define ASSAY_BASE_BYTES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *data;
    size_t len;
};

static inline struct bytes bytes_of(const void *data, size_t len) {
    return (struct bytes){(const uint8_t *)data, len};
}

/* Span over the characters of a C string, without its terminator. */
struct bytes bytes_str(const char *text);

bool bytes_equal(struct bytes a, struct bytes b);
/* memcmp order, shorter first on a tie. */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_is_zero(const void *data, size_t len);

static inline uint16_t load_u16(const uint8_t *p) {
    return (uint16_t)((uint16_t)p[0] << 8 | p[1]);
}
static inline uint32_t load_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline uint64_t load_u64(const uint8_t *p) {
    return (uint64_t)load_u32(p) << 32 | load_u32(p + 4);
}
static inline void store_u16(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}
static inline void store_u32(uint8_t *p, uint32_t v) {
    store_u16(p, (uint16_t)(v >> 16));
    store_u16(p + 2, (uint16_t)v);
}
static inline void store_u64(uint8_t *p, uint64_t v) {
    store_u32(p, (uint32_t)(v >> 32));
    store_u32(p + 4, (uint32_t)v);
}

/* Lowercase hex with terminator: `out` holds 2 * len + 1 bytes. */
void hex_encode(const void *data, size_t len, char *out);
/* Exactly 2 * len hex digits (either case) and then the end of the string, else ERR_MALFORMED. */
NODISCARD enum err hex_decode(const char *text, void *out, size_t len);

/* Is it UTF-8 (RFC 3629: no overlong forms, no surrogates) without control characters except tab and newline? */
bool text_is_clean(struct bytes text);

#endif
