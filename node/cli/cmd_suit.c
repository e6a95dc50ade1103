/* assay suit: look into SUIT envelopes, check them, sign them. Needs no node. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/out_file.h"
#include "node/cli/suit_key.h"
#include "node/cli/suit_show.h"

#include "base/file.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"
#include "verify/suit_build.h"

#include <inttypes.h>
#include <stdlib.h>

/* Reads an envelope; ARGS_GO_ON, or the exit status. The caller frees `out` in any case. */
static int read_envelope(const char *path, struct buffer *out) {
    enum err e = file_read(path, SUIT_ENVELOPE_MAX, out);
    return e == OK ? ARGS_GO_ON : args_fail("cannot read %s: %s", path, err_text(e));
}

static int refuse(const char *path, enum verdict v) {
    return args_fail("%s is refused: %s (%s); get it again from its author", path, verdict_text(v), verdict_name(v));
}

static int show_envelope(const char *path, struct bytes envelope, bool json) {
    bool digest_holds = false;
    json_t *document = NULL;
    enum verdict v =
        json ? suit_show_json(envelope, &document, &digest_holds) : suit_show_text(stdout, envelope, &digest_holds);
    if (v != GOOD) {
        return refuse(path, v);
    }
    int status = EXIT_SUCCESS;
    if (json) {
        status = document != NULL ? args_print_json(document) : args_fail("cannot show %s: out of memory", path);
    } else if (fflush(stdout) != 0) {
        status = EXIT_FAILURE;
    }
    return digest_holds ? status : refuse(path, BAD_DIGEST);
}

static int suit_show(int argc, char **argv) {
    bool json = false;
    const struct args_option options[] = {
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"suit show FILE [--json]",
                                   "Prints what a SUIT envelope says. Checks its form and digests, not its signatures.",
                                   options, 1, 1};
    struct args_operands operands;
    struct buffer file = BUFFER_INIT;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    status = read_envelope(operands.item[0], &file);
    if (status == ARGS_GO_ON) {
        status = show_envelope(operands.item[0], buffer_bytes(&file), json);
    }
    buffer_free(&file);
    return status;
}

/* Everything that can be checked of an envelope when the author is known. */
static enum verdict check(struct bytes in, const struct author_key *author, struct suit_manifest *out) {
    struct suit_envelope envelope;
    enum verdict v = suit_envelope_parse(in, &envelope);
    if (v == GOOD) {
        v = suit_verify_author(&host_crypto, &envelope, author);
    }
    if (v == GOOD) {
        v = suit_manifest_parse(&host_crypto, &envelope, out);
    }
    return v == GOOD ? suit_check_payloads(&host_crypto, &envelope, out) : v;
}

static int explain_unverified(const char *path, enum verdict v) {
    if (v == BAD_UNSUPPORTED) {
        return args_fail("%s is not verified: it has no signature that fits this kind of key, or uses a feature this "
                         "verifier does not support (%s); see `assay suit show`",
                         path, verdict_name(v));
    }
    if (v == BAD_SIGNATURE) {
        return args_fail("%s is not verified: no signature in it is by this key (%s); check that it is the author's",
                         path, verdict_name(v));
    }
    return args_fail("%s is not verified: %s (%s); get it again from its author", path, verdict_text(v),
                     verdict_name(v));
}

static int suit_verify(int argc, char **argv) {
    const char *key = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"key", ARGS_TEXT, &key, "PUB", "the author's public key: PEM file, hex file, or hex", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"suit verify --key PUB FILE [--json]",
                                   "Checks that a SUIT envelope is well-formed, whole, and signed by this key.",
                                   options, 1, 1};
    struct args_operands operands;
    struct buffer file = BUFFER_INIT;
    struct author_key author;
    struct suit_manifest manifest;
    struct why why = WHY_NONE;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (key == NULL) {
        return args_wrong("suit verify needs --key: without the author's key nothing can be verified");
    }
    if (suit_key_load_public(key, &author, &why) != OK) {
        return args_fail("%s", why.text);
    }
    status = read_envelope(operands.item[0], &file);
    if (status == ARGS_GO_ON) {
        enum verdict v = check(buffer_bytes(&file), &author, &manifest);
        if (v != GOOD) {
            status = explain_unverified(operands.item[0], v);
        } else if (json) {
            status = args_print_json(json_pack("{s:b, s:I}", "verified", 1, "sequence", (json_int_t)manifest.sequence));
        } else {
            (void)printf("verified\n");
            status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
    }
    buffer_free(&file);
    return status;
}

/* Adds one signature to `in`. A manifest whose digest does not hold, or that is malformed, is not signed. */
static int sign_envelope(const char *path, struct bytes in, const struct suit_key *key, const char *out_path) {
    static uint8_t out[SUIT_ENVELOPE_MAX];
    struct suit_envelope envelope;
    struct suit_manifest manifest;
    struct suit_new_signature signature = {.algorithm = suit_key_algorithm(key)};
    uint8_t message[COSE_SIGNED_MAX];
    size_t len;
    enum verdict v = suit_envelope_parse(in, &envelope);
    if (v == GOOD) {
        v = suit_check_digest(&host_crypto, &envelope);
    }
    if (v == GOOD) {
        v = suit_manifest_parse(&host_crypto, &envelope, &manifest);
    }
    if (v == GOOD && suit_verify_author(&host_crypto, &envelope, suit_key_public(key)) == GOOD) {
        return args_fail("%s is signed by this key already; nothing was written", path);
    }
    if (v == GOOD) {
        v = suit_signed_bytes(&envelope, signature.algorithm, signature.key_id, message, &len);
    }
    if (v != GOOD) {
        return refuse(path, v);
    }
    if (suit_key_sign(key, bytes_of(message, len), signature.signature) != OK) {
        return args_fail("the key could not sign: out of memory; try again");
    }
    v = suit_attach(&envelope, &signature, 1, out, sizeof out, &len);
    if (v != GOOD) {
        return args_fail("%s cannot take another signature: at most %d fit, in %u bytes", path, SUIT_SIGNATURES_MAX,
                         SUIT_ENVELOPE_MAX);
    }
    int status = out_file_write(out_path, bytes_of(out, len));
    return status == ARGS_GO_ON ? EXIT_SUCCESS : status;
}

static int suit_sign(int argc, char **argv) {
    const char *key_path = NULL, *in = NULL, *out = NULL, *passphrase_file = NULL;
    const struct args_option options[] = {
        {"key", ARGS_TEXT, &key_path, "KEY", "the author's private key: PEM or key file", 0, 0},
        {"passphrase-file", ARGS_TEXT, &passphrase_file, "FILE", "passphrase of an encrypted key file", 0, 0},
        {"in", ARGS_TEXT, &in, "ENVELOPE", "the envelope to sign; signatures it has stay", 0, 0},
        {"out", ARGS_TEXT, &out, "FILE", "where the signed envelope is written", 0, 0},
        {0},
    };
    const struct args_spec spec = {"suit sign --key KEY --in ENVELOPE --out FILE",
                                   "Adds an author's signature to a SUIT envelope.", options, 0, 0};
    struct args_operands operands;
    struct buffer file = BUFFER_INIT, passphrase = BUFFER_INIT;
    struct suit_key *key = NULL;
    struct why why = WHY_NONE;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (key_path == NULL || in == NULL || out == NULL) {
        return args_wrong("suit sign needs --key, --in and --out");
    }
    if (passphrase_file != NULL && keyfile_read_passphrase(passphrase_file, &passphrase, &why) != OK) {
        status = args_fail("%s", why.text);
    } else if (suit_key_load_private(key_path, buffer_bytes(&passphrase), &key, &why) != OK) {
        status = args_fail("%s", why.text);
    } else {
        status = read_envelope(in, &file);
    }
    if (status == ARGS_GO_ON) {
        status = sign_envelope(in, buffer_bytes(&file), key, out);
    }
    if (passphrase.data != NULL) {
        secure_wipe(passphrase.data, passphrase.len);
    }
    suit_key_free(key);
    buffer_free(&passphrase);
    buffer_free(&file);
    return status;
}

int cmd_suit(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"show", "print what an envelope says", suit_show},
        {"verify", "check an envelope against an author's key", suit_verify},
        {"sign", "add a signature to an envelope", suit_sign},
        {0},
    };
    return args_dispatch("suit", verbs, argc, argv);
}
