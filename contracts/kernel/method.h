/* What the methods of contracts share.
 *
 * A method gets arguments that decoded cleanly (no unknown fields, canonical bytes), checks its rules in a fixed order
 * and either refuses (`refuse`, then returns OK) or writes and answers. Everything a rule may depend on is in the call:
 * methods read no clock, no file, no other memory.
 */
#ifndef ASSAY_CONTRACTS_KERNEL_METHOD_H
#define ASSAY_CONTRACTS_KERNEL_METHOD_H

#include "contracts/kernel/table.h"

#include <protobuf-c/protobuf-c.h>

/* Sets the code and one line that names the argument or value in question; returns OK, so that a method can write
 * `return refuse(answer, CODE_..., ...)`. */
NODISCARD enum err refuse(struct answer *answer, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Packs a result message. */
NODISCARD enum err answer_with(struct answer *answer, const ProtobufCMessage *result);

bool call_signed_by(const struct call *call, const uint8_t key[ED25519_KEY_LEN]);

static inline struct bytes bytes_of_pb(ProtobufCBinaryData data) {
    return bytes_of(data.data, data.len);
}
static inline ProtobufCBinaryData pb_of(const void *data, size_t len) {
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

/* Text argument rules in one place: CODE_OK, CODE_TEXT_NOT_CLEAN, CODE_TEXT_TOO_LONG. */
enum text_kind {
    TEXT_NAME,    /* one line of what can be seen (text_is_line) */
    TEXT_PROSE,   /* the same in several lines, with tabs (text_is_clean) */
    TEXT_VERSION, /* printable ASCII */
};
enum code text_judge(const char *text, size_t max, enum text_kind kind);
/* Refuses (true) an argument that is not `len` bytes, or a text that breaks text_judge. */
bool refuse_length(struct answer *answer, ProtobufCBinaryData data, size_t len, const char *name);
bool refuse_text(struct answer *answer, const char *text, size_t max, enum text_kind kind, const char *name);

#endif
