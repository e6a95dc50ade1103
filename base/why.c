#include "base/why.h"

#include <stdio.h>
#include <string.h>

void why_set(struct why *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(why, format, args);
    va_end(args);
}

/* How many bytes a character of UTF-8 has by its first one. */
static size_t character_len(unsigned char lead) {
    if (lead < 0xc0) {
        return 1;
    }
    return 2 + (size_t)(lead >= 0xe0) + (size_t)(lead >= 0xf0);
}

/* The length of a cut text without the beginning of a character that was cut in two. */
static size_t whole_characters(const char *text, size_t len) {
    size_t at = len;
    while (at > 0 && ((unsigned char)text[at - 1] & 0xc0) == 0x80) {
        at--;
    }
    bool torn = at > 0 && len - (at - 1) < character_len((unsigned char)text[at - 1]);
    return torn ? at - 1 : len;
}

void why_vset(struct why *why, const char *format, va_list args) {
    char text[WHY_MAX];
    int n = vsnprintf(text, sizeof text, format, args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof text) {
        len = whole_characters(text, sizeof text - 1);
    }
    memcpy(why->text, text, len);
    why->text[len] = '\0';
}

bool why_not(struct why *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(why, format, args);
    va_end(args);
    return false;
}
