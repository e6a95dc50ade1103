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

static enum err load_key(const char *path, enum keyfile_type type, const char *passphrase_file, struct keyfile *out,
                         struct why *why) {
    struct buffer passphrase = BUFFER_INIT;
    enum err e = passphrase_file != NULL ? keyfile_read_passphrase(passphrase_file, &passphrase, why) : OK;
    if (e == OK) {
        e = keyfile_load(path, type, buffer_bytes(&passphrase), out, why);
    }
    if (passphrase.data != NULL) {
        secure_wipe(passphrase.data, passphrase.cap);
    }
    buffer_free(&passphrase);
    return e;
}

int names_load_key(const char *path, enum keyfile_type type, const char *passphrase_file, struct keyfile *out) {
    struct why why = WHY_NONE;
    enum err e = load_key(path, type, passphrase_file, out, &why);
    return e == OK ? ARGS_GO_ON : args_fail("%s", why.text);
}

int names_public_key_of(const char *what, const char *text, enum keyfile_type type, const char *passphrase_file,
                        uint8_t out[ED25519_KEY_LEN]) {
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
    e = load_key(text, type, passphrase_file, &key, &why);
    if (e == OK) {
        memcpy(out, key.public_key, ED25519_KEY_LEN);
        keyfile_wipe(&key);
        return ARGS_GO_ON;
    }
    if (e == ERR_MISMATCH) {
        return args_wrong("%s '%s' holds a key of another type: %s is needed", what, text,
                          type == KEYFILE_X25519 ? "the X25519 key of links (link.key)" : "an Ed25519 key");
    }
    if (e == ERR_MALFORMED || e == ERR_NOTFOUND || e == ERR_NOFILE || e == ERR_TOOLARGE) {
        return args_wrong("%s '%s' is neither a public key (64 hex digits) nor a key file", what, text);
    }
    return args_wrong("%s: %s", what, why.text);
}

int names_public_key(const char *what, const char *text, uint8_t out[ED25519_KEY_LEN]) {
    return names_public_key_of(what, text, KEYFILE_ED25519, NULL, out);
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
