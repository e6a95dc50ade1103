/* Why something failed: one line for people, beside the `enum err` that programs go by. It says what, why, and where it
 * helps what to do. Whoever fails sets it, whoever passes the failure on may set it again with more around it, whoever
 * handles it tells it. */
#ifndef ASSAY_BASE_WHY_H
#define ASSAY_BASE_WHY_H

#include <stdarg.h>
#include <stdbool.h>

#define WHY_MAX 640

struct why {
    char text[WHY_MAX]; /* "" while nothing was said */
};

#define WHY_NONE                                                                                                       \
    (struct why) {                                                                                                     \
        ""                                                                                                             \
    }

/* Cut where it is too long, never within a character of UTF-8. What stands there may be among the arguments. */
void why_set(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
void why_vset(struct why *why, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Says it and gives false: for functions that look whether something holds. */
bool why_not(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Has anything been said? */
static inline bool why_said(const struct why *why) {
    return why->text[0] != '\0';
}

#endif
