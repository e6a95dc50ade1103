#include "contracts/kernel/method.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum err refuse(struct answer *answer, enum code code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int len = vsnprintf(answer->detail, sizeof answer->detail, format, args);
    va_end(args);
    if (len < 0) {
        answer->detail[0] = '\0';
    }
    text_make_clean(answer->detail); /* it may quote what was sent, and be cut within a character */
    answer->code = code;
    return OK;
}

enum err answer_with(struct answer *answer, const ProtobufCMessage *result) {
    size_t len = protobuf_c_message_get_packed_size(result);
    buffer_reset(&answer->result);
    uint8_t *at = len == 0 ? NULL : buffer_extend(&answer->result, len);
    if (at != NULL) {
        protobuf_c_message_pack(result, at);
    }
    return buffer_ok(&answer->result);
}

bool call_signed_by(const struct call *call, const uint8_t key[ED25519_KEY_LEN]) {
    for (size_t i = 0; i < call->signer_count; i++) {
        if (memcmp(call->signers[i], key, ED25519_KEY_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_of_kind(struct bytes text, enum text_kind kind) {
    switch (kind) {
    case TEXT_NAME:
        return text_is_line(text);
    case TEXT_PROSE:
        return text_is_clean(text);
    case TEXT_VERSION:
        return text_is_ascii(text);
    }
    return false;
}

enum code text_judge(const char *text, size_t max, enum text_kind kind) {
    size_t len = strlen(text);
    if (len > max) {
        return CODE_TEXT_TOO_LONG;
    }
    return is_of_kind(bytes_of(text, len), kind) ? CODE_OK : CODE_TEXT_NOT_CLEAN;
}

bool refuse_length(struct answer *answer, ProtobufCBinaryData data, size_t len, const char *name) {
    if (data.len == len) {
        return false;
    }
    (void)!refuse(answer, CODE_BAD_ARGUMENTS, "%s must be %zu bytes, got %zu", name, len, data.len);
    return true;
}

bool refuse_text(struct answer *answer, const char *text, size_t max, enum text_kind kind, const char *name) {
    static const char *const kinds[] = {[TEXT_NAME] = "UTF-8 in one line, all of it to be seen",
                                        [TEXT_PROSE] = "UTF-8, all of it to be seen",
                                        [TEXT_VERSION] = "printable ASCII"};
    enum code code = text_judge(text, max, kind);
    if (code == CODE_OK) {
        return false;
    }
    (void)!refuse(answer, code, "%s: at most %zu bytes of %s", name, max, kinds[kind]);
    return true;
}
