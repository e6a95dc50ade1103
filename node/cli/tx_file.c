#include "node/cli/tx_file.h"

#include "base/file.h"
#include "contracts/genesis/genesis.h"
#include "contracts/governance/governance_params.h"
#include "contracts/governance/governance_proposal.h"
#include "contracts/kernel/table.h"
#include "node/cli/args.h"
#include "node/cli/moment.h"

#include <inttypes.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>

int tx_file_read(const char *path, struct buffer *envelope, struct transaction *out) {
    const char *why = NULL;
    enum err e = file_read(path, LIMIT_TX_BYTES, envelope);
    if (e != OK) {
        return args_fail("%s: %s", path, e == ERR_TOOLARGE ? "over 64 KiB, so not a transaction" : err_text(e));
    }
    e = transaction_decode(buffer_bytes(envelope), out, &why);
    return e == OK ? ARGS_GO_ON : args_fail("%s: not a transaction as --out writes it: %s", path, why);
}

size_t tx_file_unsigned(const struct transaction *tx) {
    size_t i = 0;
    while (i < tx->signer_count && transaction_is_signed_by(tx, i)) {
        i++;
    }
    return i;
}

/* ---- Arguments ----------------------------------------------------------------------------------------------------
 * Any method's, by the descriptor that its bytes are decoded with. */

static const char *choice_word(uint32_t value) {
    static const char *const names[] = {[VOTE_YES] = "yes", [VOTE_NO] = "no"};
    return value < sizeof names / sizeof names[0] ? names[value] : NULL;
}

static const char *kind_word(uint32_t value) {
    return value <= ORG_OWNER ? org_kind_names[value] : NULL;
}

static const char *role_word(uint32_t value) {
    return value <= NODE_GATEWAY ? node_role_names[value] : NULL;
}

/* Numbers that stand for words; what has no word is shown as the number. */
static const struct {
    const char *message, *field;
    const char *(*word)(uint32_t value);
} worded[] = {
    {"CastVote", "choice", choice_word},
    {"AdmitOrg", "kind", kind_word},
    {"RegisterNode", "role", role_word},
    {"ParamSetting", "param", governance_param_name},
};

static json_t *number_json(const char *message, const char *field, uint64_t value) {
    for (size_t i = 0; i < sizeof worded / sizeof worded[0]; i++) {
        bool is_it = strcmp(worded[i].message, message) == 0 && strcmp(worded[i].field, field) == 0;
        const char *word = is_it && value <= UINT32_MAX ? worded[i].word((uint32_t)value) : NULL;
        if (word != NULL) {
            return json_string(word);
        }
    }
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_string(digits);
}

static json_t *hex_json(const void *data, size_t len) {
    struct buffer hex = BUFFER_INIT;
    char *at = (char *)buffer_extend(&hex, 2 * len + 1);
    if (at != NULL) {
        hex_encode(data, len, at);
    }
    json_t *json = at != NULL ? json_string(at) : NULL;
    buffer_free(&hex);
    return json;
}

/* A text that is none is shown by its bytes: nothing may be missing from what is signed. */
static json_t *text_json(const char *text) {
    json_t *json = json_string(text);
    return json != NULL ? json : json_pack("{s:o}", "not_text", hex_json(text, strlen(text)));
}

static json_t *message_json(const ProtobufCMessage *message);

static json_t *value_json(const char *message, const ProtobufCFieldDescriptor *field, const void *at) {
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return text_json(*(const char *const *)at);
    case PROTOBUF_C_TYPE_BYTES: {
        const ProtobufCBinaryData *data = at;
        return hex_json(data->data, data->len);
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        return message_json(*(const ProtobufCMessage *const *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_UINT64:
        return number_json(message, field->name, *(const uint64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
        return number_json(message, field->name, *(const uint32_t *)at);
    default:
        return json_string("(of a type this version can't show)");
    }
}

static size_t size_of_value(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return sizeof(uint32_t);
    }
}

static json_t *list_json(const char *message, const ProtobufCFieldDescriptor *field, const uint8_t *base) {
    json_t *list = json_array();
    bool whole = list != NULL;
    size_t count;
    const uint8_t *items;
    memcpy(&count, base + field->quantifier_offset, sizeof count);
    memcpy(&items, base + field->offset, sizeof items);
    for (size_t i = 0; i < count && whole; i++) {
        whole = json_array_append_new(list, value_json(message, field, items + i * size_of_value(field->type))) == 0;
    }
    if (!whole) {
        json_decref(list);
    }
    return whole ? list : NULL;
}

/* Part of a oneof that is not the one given? */
static bool is_other_part(const ProtobufCFieldDescriptor *field, const uint8_t *base) {
    uint32_t given;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0) {
        return false;
    }
    memcpy(&given, base + field->quantifier_offset, sizeof given);
    return given != field->id;
}

static json_t *message_json(const ProtobufCMessage *message) {
    json_t *object = json_object();
    bool whole = object != NULL;
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    const uint8_t *base = (const uint8_t *)message;
    for (unsigned i = 0; i < descriptor->n_fields && whole; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        const void *at = base + field->offset;
        bool is_message = field->type == PROTOBUF_C_TYPE_MESSAGE && field->label != PROTOBUF_C_LABEL_REPEATED;
        if (is_other_part(field, base) || (is_message && *(const ProtobufCMessage *const *)at == NULL)) {
            continue;
        }
        bool is_list = field->label == PROTOBUF_C_LABEL_REPEATED;
        const char *of = descriptor->short_name;
        json_t *value = is_list ? list_json(of, field, base) : value_json(of, field, at);
        whole = json_object_set_new(object, field->name, value) == 0;
    }
    if (!whole) {
        json_decref(object);
    }
    return whole ? object : NULL;
}

static json_t *arguments_json(const struct method *method, struct bytes args) {
    ProtobufCMessage *message =
        method != NULL ? protobuf_c_message_unpack(method->args, NULL, args.len, args.data) : NULL;
    if (message == NULL) {
        return json_pack("{s:o}", "not_readable", hex_json(args.data, args.len));
    }
    json_t *json = message_json(message);
    protobuf_c_message_free_unpacked(message, NULL);
    return json;
}

/* ---- The whole ---------------------------------------------------------------------------------------------------- */

static json_t *signers_json(const struct transaction *tx) {
    json_t *signers = json_array();
    for (size_t i = 0; i < tx->signer_count; i++) {
        (void)json_array_append_new(signers, json_pack("{s:o, s:b}", "key", hex_json(tx->signers[i], ED25519_KEY_LEN),
                                                       "signed", transaction_is_signed_by(tx, i)));
    }
    return signers;
}

json_t *tx_file_describe(const struct transaction *tx) {
    const struct method *method = contracts_method(tx->contract, tx->method);
    char expires[MOMENT_MAX];
    moment_text(tx->expiry_ms, expires);
    return json_pack("{s:o, s:s, s:s%, s:s%, s:o, s:o, s:s, s:o}", "tx_id", hex_json(tx->id, HASH_LEN), "does",
                     method != NULL ? method->about : "something that this version does not know", "contract",
                     (const char *)tx->contract.data, tx->contract.len, "method", (const char *)tx->method.data,
                     tx->method.len, "arguments", arguments_json(method, tx->args), "chain_id",
                     hex_json(tx->chain_id, CHAIN_ID_LEN), "expires", expires, "signers", signers_json(tx));
}
