#include "node/cli/names.h"

#include "base/file.h"
#include "node/cli/args.h"
#include "node/host/keyfile.h"

#include <string.h>

#define KEY_TEXT_MAX 4096

int names_class(const char *text, struct class_name *out) {
    const char *slash = strchr(text, '/');
    size_t domain_len = slash != NULL ? (size_t)(slash - text) : 0;
    size_t name_len = slash != NULL ? strlen(slash + 1) : 0;
    if (domain_len == 0 || name_len == 0 || domain_len > GENESIS_TEXT_MAX || name_len > GENESIS_TEXT_MAX) {
        return args_wrong("'%s' is not a class; write VENDOR_DOMAIN/CLASS, such as acme.example/thermostat", text);
    }
    memset(out, 0, sizeof *out);
    memcpy(out->domain, text, domain_len);
    memcpy(out->name, slash + 1, name_len);
    uuid_vendor(bytes_str(out->domain), out->vendor_id);
    uuid_class(out->vendor_id, bytes_str(out->name), out->class_id);
    return ARGS_GO_ON;
}

int names_hex(const char *what, const char *text, uint8_t *out, size_t len) {
    if (hex_decode(text, out, len) != OK) {
        return args_wrong("%s '%s' is not %zu hex digits", what, text, 2 * len);
    }
    return ARGS_GO_ON;
}

int names_public_key(const char *what, const char *text, uint8_t out[ED25519_KEY_LEN]) {
    if (hex_decode(text, out, ED25519_KEY_LEN) == OK) {
        return ARGS_GO_ON;
    }
    struct buffer file = BUFFER_INIT;
    enum err e = file_read(text, KEY_TEXT_MAX, &file);
    if (e == OK && buffer_text(&file) != NULL) {
        file.len = strcspn(buffer_text(&file), "\r\n");
        e = hex_decode(buffer_text(&file), out, ED25519_KEY_LEN);
    }
    buffer_free(&file);
    if (e == OK) {
        return ARGS_GO_ON;
    }
    struct keyfile key;
    struct why why = WHY_NONE;
    if (keyfile_load(text, KEYFILE_ED25519, bytes_of(NULL, 0), &key, &why) == OK) {
        memcpy(out, key.public_key, ED25519_KEY_LEN);
        keyfile_wipe(&key);
        return ARGS_GO_ON;
    }
    return args_wrong("%s '%s' is neither a public key (64 hex digits) nor a key file", what, text);
}

enum err names_pack(const ProtobufCMessage *message, struct buffer *out) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *at = buffer_extend(out, len);
    if (at == NULL) {
        return ERR_NOMEM;
    }
    (void)protobuf_c_message_pack(message, at);
    return OK;
}

void names_class_query(const char *class, struct buffer *out) {
    buffer_words(out, "?class=");
    client_escape(class, out);
}
