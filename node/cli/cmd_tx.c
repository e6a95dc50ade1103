/* assay tx send|sign|show: transactions, in files and on the ledger. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/out_file.h"
#include "node/cli/tx_file.h"
#include "node/cli/txcmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- send -------------------------------------------------------------------------------------------------------- */

/* What is not signed by all would only be refused by the node. */
static int check_signed(const char *path, const struct transaction *tx) {
    size_t at = tx_file_unsigned(tx);
    char key[2 * ED25519_KEY_LEN + 1];
    if (at == tx->signer_count) {
        return ARGS_GO_ON;
    }
    hex_encode(tx->signers[at], ED25519_KEY_LEN, key);
    return args_fail("%s: key %s has not signed; its holder runs 'assay tx sign %s --key FILE'", path, key, path);
}

static int send_file(const struct txcmd_options *o, struct client *client, const char *path, json_t *answers) {
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    json_t *answer = NULL;
    int status = tx_file_read(path, &envelope, &tx);
    if (status == ARGS_GO_ON) {
        status = check_signed(path, &tx);
    }
    if (status == ARGS_GO_ON) {
        status = txcmd_send_envelope(o, client, buffer_bytes(&envelope), &answer);
    }
    if (status == ARGS_GO_ON) {
        (void)json_array_append_new(answers, answer);
    }
    buffer_free(&envelope);
    return status;
}

static int tx_send(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {
        CLIENT_OPTIONS(o),
        {"wait", ARGS_TEXT, &o.wait, "WHAT", "finalized (default) or accepted", 0, 0},
        {"timeout", ARGS_DURATION, &o.timeout_ms, "T", "how long to wait (default 30s)", 1, 600000},
        {0},
    };
    const struct args_spec spec = {"tx send FILE... [options]", "Sends signed transactions that --out has written.",
                                   options, 1, -1};
    struct args_operands operands;
    struct client *client = NULL;
    int status = txcmd_start(&spec, argc, argv, &o, &operands, &client);
    if (status != ARGS_GO_ON) {
        return status;
    }
    json_t *answers = json_array();
    for (int i = 0; i < operands.count && status == ARGS_GO_ON; i++) {
        status = send_file(&o, client, operands.item[i], answers);
    }
    client_free(client);
    if (status == ARGS_GO_ON) {
        json_t *shown =
            operands.count == 1 ? json_incref(json_array_get(answers, 0)) : json_pack("{s:O}", "transactions", answers);
        status = txcmd_print(&o, shown);
    }
    json_decref(answers);
    return status;
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

static int show_file(const struct txcmd_options *o, const char *path) {
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    int status = tx_file_read(path, &envelope, &tx);
    if (status == ARGS_GO_ON) {
        json_t *described = tx_file_describe(&tx);
        status = described != NULL ? txcmd_print(o, described) : args_fail("out of memory");
    }
    buffer_free(&envelope);
    return status;
}

static int tx_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {
        "tx show ID|FILE [options]",
        "A final transaction and its result, by its id; or what a file that --out has written would do, and who has "
        "signed it (offline).",
        options, 1, 1};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    char path[sizeof "/v1/txs/" + 2 * HASH_LEN];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    const char *given = operands.item[0];
    if (strlen(given) == 2 * HASH_LEN && hex_decode(given, id, sizeof id) == OK) {
        (void)snprintf(path, sizeof path, "/v1/txs/%s", given);
        return txcmd_show(&o, path);
    }
    if (access(given, F_OK) != 0) {
        return args_fail("%s is neither a transaction's id (64 hex digits) nor a file that is here", given);
    }
    return show_file(&o, given);
}

/* ---- sign -------------------------------------------------------------------------------------------------------- */

static int sign_with(struct buffer *envelope, const char *path, const char *key_path, const char *passphrase_file) {
    struct keyfile key;
    char public_key[2 * ED25519_KEY_LEN + 1];
    int status = names_load_key(key_path, KEYFILE_ED25519, passphrase_file, &key);
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum err e = transaction_sign(envelope, key.secret);
    hex_encode(key.public_key, ED25519_KEY_LEN, public_key);
    keyfile_wipe(&key);
    return e == OK ? ARGS_GO_ON
                   : args_fail("%s: key %s is not one of its signers; the command that wrote it takes "
                               "'--cosigner %s'",
                               path, public_key, public_key);
}

/* In words, before any key is opened: nobody signs what he has not been shown. */
static int tell_what(const char *path, const struct transaction *tx) {
    json_t *described = tx_file_describe(tx);
    char *text = json_dumps(described, JSON_INDENT(2));
    if (text != NULL && !text_is_clean(bytes_str(text))) {
        free(text); /* nothing that turns a terminal's letters round is shown as itself */
        text = json_dumps(described, JSON_INDENT(2) | JSON_ENSURE_ASCII);
    }
    int status = text != NULL ? ARGS_GO_ON : args_fail("out of memory");
    if (text != NULL) {
        (void)fprintf(stderr, "%s:\n%s\n", path, text);
    }
    free(text);
    json_decref(described);
    return status;
}

static int tx_sign(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {
        {"key", ARGS_REPEAT, &o.keys, "FILE", "sign with this key; may be repeated", 0, 0},
        {"passphrase-file", ARGS_TEXT, &o.passphrase_file, "FILE", "passphrase of encrypted keys", 0, 0},
        ARGS_JSON(o.json),
        {0},
    };
    const struct args_spec spec = {"tx sign FILE --key FILE [options]",
                                   "Adds a signature to a transaction that --out has written with --cosigner, once its "
                                   "content was shown (offline).",
                                   options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && o.keys.count == 0) {
        status = args_wrong("--key FILE is needed: the key of who signs");
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    const char *path = operands.item[0];
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    status = tx_file_read(path, &envelope, &tx);
    if (status == ARGS_GO_ON) {
        status = tell_what(path, &tx);
    }
    for (size_t i = 0; i < o.keys.count && status == ARGS_GO_ON; i++) {
        status = sign_with(&envelope, path, o.keys.item[i], o.passphrase_file);
    }
    if (status == ARGS_GO_ON) {
        status = out_file_write(path, buffer_bytes(&envelope));
    }
    if (status == ARGS_GO_ON) {
        char id[2 * HASH_LEN + 1];
        hex_encode(tx.id, HASH_LEN, id);
        bool complete = tx_file_unsigned(&tx) == tx.signer_count;
        status = txcmd_print(&o, json_pack("{s:s, s:s, s:b}", "tx_id", id, "out", path, "complete", complete));
    }
    buffer_free(&envelope);
    return status;
}

int cmd_tx(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"send", "send signed files", tx_send},
        {"sign", "add a signature to a file (offline)", tx_sign},
        {"show", "a final transaction, or what a file would do", tx_show},
        {NULL, NULL, NULL},
    };
    return args_dispatch("tx", verbs, argc, argv);
}
