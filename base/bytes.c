#include "base/bytes.h"

#include <string.h>

struct bytes bytes_str(const char *text) {
    return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.data, b.data, n);
    if (order != 0 || a.len == b.len) {
        return order;
    }
    return a.len < b.len ? -1 : 1;
}

bool bytes_is_zero(const void *data, size_t len) {
    const uint8_t *p = data;
    uint8_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum |= p[i];
    }
    return sum == 0;
}

void hex_encode(const void *data, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

enum err hex_decode(const char *text, void *out, size_t len) {
    if (strlen(text) != 2 * len) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < 2 * len; i++) {
        if (hex_digit(text[i]) < 0) {
            return ERR_MALFORMED;
        }
    }
    uint8_t *p = out;
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(hex_digit(text[2 * i]) * 16 + hex_digit(text[2 * i + 1]));
    }
    return OK;
}

/* May this be the second byte of a sequence? After four leads less: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
static inline bool utf8_second(uint8_t lead, uint8_t second) {
    switch (lead) {
    case 0xe0:
        return second >= 0xa0 && second <= 0xbf;
    case 0xed:
        return second >= 0x80 && second <= 0x9f;
    case 0xf0:
        return second >= 0x90 && second <= 0xbf;
    case 0xf4:
        return second >= 0x80 && second <= 0x8f;
    default:
        return second >= 0x80 && second <= 0xbf;
    }
}

/* Length of the well-formed UTF-8 sequence at p, 0 if there is none. Table 3-7 of the Unicode Standard. */
static size_t utf8_sequence(const uint8_t *p, size_t left) {
    uint8_t a = p[0];
    if (a < 0x80) {
        return 1;
    }
    size_t len = 2 + (size_t)(a >= 0xe0) + (size_t)(a >= 0xf0);
    if (a < 0xc2 || a > 0xf4 || left < len || !utf8_second(a, p[1])) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool text_is_clean(struct bytes text) {
    for (size_t i = 0; i < text.len;) {
        uint8_t c = text.data[i];
        if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
            return false;
        }
        size_t len = utf8_sequence(text.data + i, text.len - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

bool text_take_number(const char **at, uint64_t *out) {
    uint64_t value = 0;
    const char *p = *at;
    while (*p >= '0' && *p <= '9') {
        uint64_t digit = (uint64_t)(*p - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
        p++;
    }
    bool any = p != *at;
    *at = p;
    *out = value;
    return any;
}
