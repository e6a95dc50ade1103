/* assay key new|show: key files. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/host/keyfile.h"

#include <string.h>

static json_t *describe(const char *path, const struct keyfile *key) {
    char hex[2 * ED25519_KEY_LEN + 1];
    hex_encode(key->public_key, ED25519_KEY_LEN, hex);
    return json_pack("{s:s, s:s, s:s}", "file", path, "type", key->type == KEYFILE_ED25519 ? "ed25519" : "x25519",
                     "public_key", hex);
}

static int print_key(bool as_json, const char *path, const struct keyfile *key) {
    if (as_json) {
        return args_print_json(describe(path, key));
    }
    char hex[2 * ED25519_KEY_LEN + 1];
    hex_encode(key->public_key, ED25519_KEY_LEN, hex);
    printf("%s\n", hex);
    return 0;
}

/* An empty buffer when no file is named. */
static int read_passphrase(const char *file, struct buffer *out) {
    struct why why = WHY_NONE;
    if (file != NULL && keyfile_read_passphrase(file, out, &why) != OK) {
        return args_fail("%s", why.text);
    }
    return ARGS_GO_ON;
}

static void forget(struct buffer *passphrase) {
    if (passphrase->data != NULL) {
        secure_wipe(passphrase->data, passphrase->cap);
    }
    buffer_free(passphrase);
}

static int parse_type(const char *text, enum keyfile_type *out) {
    if (text == NULL || strcmp(text, "ed25519") == 0) {
        *out = KEYFILE_ED25519;
        return ARGS_GO_ON;
    }
    *out = KEYFILE_X25519;
    return strcmp(text, "x25519") == 0 ? ARGS_GO_ON : args_wrong("--type is ed25519 or x25519, not '%s'", text);
}

static int key_new(int argc, char **argv) {
    const char *passphrase_file = NULL;
    const char *type_text = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"passphrase-file", ARGS_TEXT, &passphrase_file, "FILE", "encrypt it with the first line of this file", 0, 0},
        {"type", ARGS_TEXT, &type_text, "TYPE", "ed25519 (default) for signing, x25519 for links", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"key new FILE [options]",
                                   "Makes a key, writes it with mode 0600 and prints its public key.", options, 1, 1};
    struct args_operands operands;
    struct buffer passphrase = BUFFER_INIT;
    enum keyfile_type type = KEYFILE_ED25519;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = parse_type(type_text, &type);
    }
    if (status == ARGS_GO_ON) {
        status = read_passphrase(passphrase_file, &passphrase);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    struct keyfile key;
    keyfile_generate(type, &key);
    enum err e = keyfile_write(operands.item[0], &key, buffer_bytes(&passphrase));
    if (e == OK) {
        status = print_key(json, operands.item[0], &key);
    } else {
        status = args_fail("%s: %s%s", operands.item[0], err_text(e),
                           e == ERR_EXISTS ? "; keys are never overwritten, choose another name" : "");
    }
    keyfile_wipe(&key);
    forget(&passphrase);
    return status;
}

static int key_show(int argc, char **argv) {
    const char *passphrase_file = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"passphrase-file", ARGS_TEXT, &passphrase_file, "FILE", "passphrase of an encrypted key", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"key show FILE [options]", "Prints the public key of a key file.", options, 1, 1};
    struct args_operands operands;
    struct buffer passphrase = BUFFER_INIT;
    struct keyfile key;
    struct why why = WHY_NONE;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = read_passphrase(passphrase_file, &passphrase);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum err e = keyfile_load(operands.item[0], KEYFILE_ED25519, buffer_bytes(&passphrase), &key, &why);
    if (e == ERR_MISMATCH) {
        e = keyfile_load(operands.item[0], KEYFILE_X25519, buffer_bytes(&passphrase), &key, &why);
    }
    forget(&passphrase);
    if (e != OK) {
        return args_fail("%s", why.text);
    }
    status = print_key(json, operands.item[0], &key);
    keyfile_wipe(&key);
    return status;
}

int cmd_key(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"new", "make one", key_new}, {"show", "its public key", key_show}, {NULL, NULL, NULL}};
    return args_dispatch("key", verbs, argc, argv);
}
