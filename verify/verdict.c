#include "verify/verdict.h"

#include <stddef.h>

static const struct {
    const char *name;
    const char *text;
} verdicts[] = {
#define VERDICT_ROW(name, text) {#name, text},
    VERDICT_LIST(VERDICT_ROW)
#undef VERDICT_ROW
};

#define VERDICT_COUNT (sizeof verdicts / sizeof verdicts[0])

const char *verdict_name(enum verdict v) {
    return (size_t)v < VERDICT_COUNT ? verdicts[v].name : "BAD_VERDICT";
}

const char *verdict_text(enum verdict v) {
    return (size_t)v < VERDICT_COUNT ? verdicts[v].text : "unknown verdict";
}
