/* What commands take from the user and nodes take from commands: ids in hex, class names, protobuf messages as bytes,
 * members of answers. */
#ifndef ASSAY_NODE_CLI_NAMES_H
#define ASSAY_NODE_CLI_NAMES_H

#include "base/buffer.h"
#include "base/uuid.h"
#include "contracts/genesis/genesis.h"
#include "node/fetch/client.h"
#include "node/host/keyfile.h"

#include <protobuf-c/protobuf-c.h>

/* "acme.example/thermostat": domain, class name, and their RFC 9124 ids. */
struct class_name {
    char domain[GENESIS_TEXT_MAX + 1];
    char name[GENESIS_TEXT_MAX + 1];
    uint8_t vendor_id[UUID_LEN];
    uint8_t class_id[UUID_LEN];
};

/* ARGS_GO_ON, or 2 with the mistake explained. `what` names the argument. */
int names_class(const char *text, struct class_name *out);
int names_hex(const char *what, const char *text, uint8_t *out, size_t len);
/* A public key: 64 hex digits, or the name of a file as `assay key show` or `key new` print it (a line of hex, or a key
 * file of ours). */
int names_public_key(const char *what, const char *text, uint8_t out[ED25519_KEY_LEN]);
/* The same of a type of key, whose file may be encrypted: `passphrase_file` NULL: it is not. */
int names_public_key_of(const char *what, const char *text, enum keyfile_type type, const char *passphrase_file,
                        uint8_t out[ED25519_KEY_LEN]);
/* A whole key file, which the caller wipes. */
int names_load_key(const char *path, enum keyfile_type type, const char *passphrase_file, struct keyfile *out);

/* Appends the message's bytes. */
NODISCARD enum err names_pack(const ProtobufCMessage *message, struct buffer *out);

static inline ProtobufCBinaryData names_binary(const void *data, size_t len) {
    return (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)data};
}

/* The library's fields are not const, but packing only reads them. */
static inline char *names_text(const char *text) {
    return (char *)(uintptr_t)text;
}

/* Appends "?class=..." with the name percent-encoded. */
void names_class_query(const char *class, struct buffer *out);

#endif
