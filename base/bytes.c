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

/* Characters that are not seen, or turn around what is. Never changed: what was accepted stays in records. */
static const struct {
    uint32_t first, last;
} hidden[] = {
    {0x80, 0x9f},     {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x200b, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},   {0x3164, 0x3164},   {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff9, 0xfffb}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff},
};

static uint32_t code_point(const uint8_t *p, size_t len) {
    static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = p[0] & lead_bits[len];
    for (size_t i = 1; i < len; i++) {
        code = code << 6 | (p[i] & 0x3f);
    }
    return code;
}

static bool is_hidden(uint32_t code) {
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        if (code >= hidden[i].first && code <= hidden[i].last) {
            return true;
        }
    }
    return false;
}

/* Length of the character at p, 0 if it is none that may be shown. */
static size_t clean_character(const uint8_t *p, size_t left) {
    if ((p[0] < 0x20 && p[0] != '\t' && p[0] != '\n') || p[0] == 0x7f) {
        return 0;
    }
    size_t len = utf8_sequence(p, left);
    return len > 1 && is_hidden(code_point(p, len)) ? 0 : len;
}

bool text_is_clean(struct bytes text) {
    for (size_t i = 0; i < text.len;) {
        size_t len = clean_character(text.data + i, text.len - i);
        if (len == 0) {
            return false;
        }
        i += len;
    }
    return true;
}

bool text_is_line(struct bytes text) {
    return text_is_clean(text) &&
           (text.len == 0 || (memchr(text.data, '\n', text.len) == NULL && memchr(text.data, '\t', text.len) == NULL));
}

bool text_is_ascii(struct bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

void text_make_clean(char *text) {
    uint8_t *p = (uint8_t *)text;
    for (size_t left = strlen(text); left > 0;) {
        size_t len = clean_character(p, left);
        bool cut = p[0] >= 0xc2 && p[0] <= 0xf4 && left < 2 + (size_t)(p[0] >= 0xe0) + (size_t)(p[0] >= 0xf0);
        if (len == 0 && cut) {
            *p = '\0';
            return;
        }
        if (len == 0) {
            *p = '?';
            len = 1;
        }
        p += len;
        left -= len;
    }
}

void text_make_line(char *text) {
    text_make_clean(text);
    for (char *p = text; *p != '\0'; p++) {
        if (*p == '\n' || *p == '\t') {
            *p = ' ';
        }
    }
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
