/* What hosts do with spans of bytes (verify/bytes.h): comparing, hex, text. */
#ifndef ASSAY_BASE_BYTES_H
#define ASSAY_BASE_BYTES_H

#include "base/error.h"
#include "verify/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Span over the characters of a C string, without its terminator. */
struct bytes bytes_str(const char *text);

bool bytes_equal(struct bytes a, struct bytes b);
/* memcmp order, shorter first on a tie. */
int bytes_compare(struct bytes a, struct bytes b);
bool bytes_is_zero(const void *data, size_t len);

/* Lowercase hex with terminator: `out` holds 2 * len + 1 bytes. */
void hex_encode(const void *data, size_t len, char *out);
/* Exactly 2 * len hex digits (either case) and then the end of the string, else ERR_MALFORMED. */
NODISCARD enum err hex_decode(const char *text, void *out, size_t len);

/* Is it UTF-8 (RFC 3629: no overlong forms, no surrogates) without control characters except tab and newline, and
 * without what is not seen on a screen or changes what is seen beside it: C1 controls, bidirectional marks and overrides,
 * characters of no width, tags? The list is frozen (docs/formats.md, Text): contracts refuse by it. */
bool text_is_clean(struct bytes text);
/* The same in one line, as names are: no tab, no newline. */
bool text_is_line(struct bytes text);
/* Printable ASCII alone, as versions are. */
bool text_is_ascii(struct bytes text);
/* Makes it clean: '?' for each byte that is not; a sequence that was cut at the end goes. */
void text_make_clean(char *text);
/* The same, and one line: a blank for each tab and newline. */
void text_make_line(char *text);
/* Decimal digits at `*at`, which is moved behind them. False: there are none (`*out` is 0), or they go beyond 2^64 - 1
 * (nothing is moved). */
bool text_take_number(const char **at, uint64_t *out);

#endif
