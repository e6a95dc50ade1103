#include "contracts/kernel/code.h"

#include <stddef.h>

struct code_entry {
    uint32_t number;
    const char *name;
    const char *text;
    const char *hint;
};

static const struct code_entry entries[] = {
#define CODE_ENTRY(number, name, text, hint) {number, #name, text, hint},
    CODE_LIST(CODE_ENTRY)
#undef CODE_ENTRY
};

static const struct code_entry *find(uint32_t number) {
    static const struct code_entry unknown = {UINT32_MAX, "UNKNOWN_CODE", "a code this program does not know",
                                              "use a newer version of this program"};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        if (entries[i].number == number) {
            return &entries[i];
        }
    }
    return &unknown;
}

const char *code_name(uint32_t number) {
    return find(number)->name;
}

const char *code_text(uint32_t number) {
    return find(number)->text;
}

const char *code_hint(uint32_t number) {
    return find(number)->hint;
}
