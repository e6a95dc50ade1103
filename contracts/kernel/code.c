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

bool code_is_sure(enum code code) {
    switch (code) {
    case CODE_UNKNOWN_METHOD:
    case CODE_BAD_ARGUMENTS:
    case CODE_TEXT_NOT_CLEAN:
    case CODE_TEXT_TOO_LONG:
    case CODE_AUTHOR_KEY_INVALID:
    case CODE_AUTHOR_NO_POSSESSION:
    case CODE_NODE_ADDRESS:
    case CODE_NODE_NO_POSSESSION:
    case CODE_EVIDENCE_NO_CONTRADICTION:
    case CODE_EVIDENCE_SIGNATURE:
    case CODE_CLASS_INVALID:
    case CODE_RELEASE_ENVELOPE_INVALID:
    case CODE_RELEASE_DIGEST_MISMATCH:
    case CODE_RELEASE_SIZE_MISMATCH:
    case CODE_RELEASE_CID_INVALID:
    case CODE_DEVICE_KEY_INVALID:
    case CODE_UPDATE_NO_TARGETS:
    case CODE_UPDATE_TOO_MANY_TARGETS:
    case CODE_UPDATE_TARGET_REPEATED:
    case CODE_UPDATE_WINDOW_RANGE:
    case CODE_UPDATE_MAX_FAILED_RANGE:
    case CODE_STATEMENT_INVALID:
    case CODE_STATEMENT_WRONG_CHAIN:
    case CODE_STATEMENT_WRONG_KIND:
    case CODE_STATEMENT_SIGNATURE:
        return true;
    default:
        return false;
    }
}
