/* What every command that makes a transaction shares: its options, building, signing, sending, showing the answer.
 *
 *   --node URL  --ca-file FILE  --key FILE (repeatable, the first pays)  --passphrase-file FILE
 *   --wait finalized|accepted  --timeout T  --expires T  --out FILE  --cosigner KEY (repeatable)  --json
 */
#ifndef ASSAY_NODE_CLI_TXCMD_H
#define ASSAY_NODE_CLI_TXCMD_H

#include "base/limits.h"
#include "base/record.h"
#include "node/cli/args.h"
#include "node/fetch/client.h"
#include "node/host/keyfile.h"
#include "verify/crypto.h"

#include <protobuf-c/protobuf-c.h>

#define TXCMD_KEYS_MAX 16
#define TXCMD_DEFAULT_NODE "http://127.0.0.1:26601"

/* Values of the options; zeroed by the caller, then filled by args_parse through TXCMD_OPTIONS. */
struct txcmd_options {
    const char *node;
    const char *ca_file;
    struct args_list keys;
    const char *passphrase_file;
    const char *wait;
    uint64_t timeout_ms;
    uint64_t expires_ms; /* 0: the default lifetime */
    const char *out;
    struct args_list cosigners; /* public keys: who signs the file of `out` later (assay tx sign) */
    bool json;
};

/* Rows of an args_option table: commands that only read take CLIENT_OPTIONS, those that write TXCMD_OPTIONS. */
#define CLIENT_OPTIONS(o)                                                                                              \
    {"node", ARGS_TEXT, &(o).node, "URL", "the node to talk to (default $ASSAY_NODE, else " TXCMD_DEFAULT_NODE ")",    \
     0,      0},                                                                                                       \
        {"ca-file", ARGS_TEXT, &(o).ca_file, "FILE", "trust these certificates (PEM) for https", 0, 0},                \
        ARGS_JSON((o).json)
#define TXCMD_OPTIONS(o)                                                                                               \
    CLIENT_OPTIONS(o),                                                                                                 \
        {"key", ARGS_REPEAT, &(o).keys, "FILE", "sign with this key; may be repeated, first pays", 0, 0},              \
        {"passphrase-file", ARGS_TEXT, &(o).passphrase_file, "FILE", "passphrase of encrypted keys", 0, 0},            \
        {"wait", ARGS_TEXT, &(o).wait, "WHAT", "finalized (default) or accepted", 0, 0},                               \
        {"timeout", ARGS_DURATION, &(o).timeout_ms, "T", "how long to wait (default 30s)", 1, 600000},                 \
        {"expires", ARGS_DURATION,       &(o).expires_ms, "T", "how long it stays valid (default 10m)",                \
         1,         LIMIT_TX_LIFETIME_MS},                                                                             \
        {"out", ARGS_TEXT, &(o).out, "FILE", "write the signed transaction there instead of sending it", 0, 0}, {      \
        "cosigner", ARGS_REPEAT, &(o).cosigners, "KEY",                                                                \
            "with --out: this public key signs too, elsewhere ('tx sign'); may be repeated", 0, 0                      \
    }

/* How much of a list is wanted; zeroed by the caller, then filled by args_parse through LIST_OPTIONS. */
struct txcmd_list {
    uint64_t limit; /* 0: what the node gives */
    const char *after;
    bool all;
};
#define TXCMD_LIST_MAX 200u /* of one page, as nodes have it */
#define LIST_OPTIONS(l)                                                                                                \
    {"limit", ARGS_NUMBER, &(l).limit, "N", "how many at most (default 50)", 1, TXCMD_LIST_MAX},                       \
        {"after", ARGS_TEXT, &(l).after, "CURSOR", "go on behind this: next_after of the page before", 0, 0}, {        \
        "all", ARGS_FLAG, &(l).all, NULL, "every page of it", 0, 0                                                     \
    }

/* An opened connection and loaded keys. */
struct txcmd {
    const struct txcmd_options *options;
    struct client *client;
    struct keyfile keys[TXCMD_KEYS_MAX];
    size_t key_count;
    uint8_t cosigners[TXCMD_KEYS_MAX][ED25519_KEY_LEN];
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t ledger_ms;       /* the later of the last block and the node's clock: the next block is not before */
    uint64_t max_lifetime_ms; /* of a transaction, as the organisations have it now */
};

/* Opens the client alone. ARGS_GO_ON or the exit status, explained. The caller frees `*out`. */
int txcmd_client(const struct txcmd_options *options, struct client **out);
/* The same once the command's arguments are taken. */
int txcmd_start(const struct args_spec *spec, int argc, char **argv, const struct txcmd_options *options,
                struct args_operands *operands, struct client **out);
/* Opens the client, loads the keys (at least one), asks /v1/status for the chain id and block time. */
int txcmd_open(const struct txcmd_options *options, struct txcmd *out);
/* Wipes the keys. Fine on a zeroed one. */
void txcmd_close(struct txcmd *tx);

/* When a transaction made now expires, block time in ms: one that others still have to sign as late as is allowed. */
uint64_t txcmd_expiry(const struct txcmd *tx);

/* Builds, signs and sends (or writes to --out) one operation. The answer: {"tx_id", "height", "result": {code, name,
 * detail}} in `*out`, owned by the caller. ARGS_GO_ON when it was accepted and its result is OK; a refusal by the
 * contract or the node has been explained in one line (with --json the answer is printed too) and gives 1. With --out:
 * `*out` holds {"tx_id", "out"}. */
int txcmd_send(struct txcmd *tx, const char *contract, const char *method, const ProtobufCMessage *args, json_t **out);
/* Sends a ready envelope. */
int txcmd_send_envelope(const struct txcmd_options *options, struct client *client, struct bytes envelope,
                        json_t **out);
/* Prints an answer: JSON with --json, else "name: value" lines of its scalar members. Consumes it; the exit status. */
int txcmd_print(const struct txcmd_options *options, json_t *consumed);

/* open, send, print, close: all of a simple command. */
int txcmd_message(const struct txcmd_options *options, const char *contract, const char *method,
                  const ProtobufCMessage *args);
/* The method's result message in an answer: its bytes, appended to `out`. False: there is none, as with --out. */
bool txcmd_result(const json_t *answer, struct buffer *out);

/* An answer of a node as the record it should be. ARGS_GO_ON, or 1, explained. */
int txcmd_take(const struct client *client, const struct record *shape, const json_t *answer, void *out);
/* Prints the item of a page (node/answers/page.h) whose member at `id_at` is `id`, or says that there is no such `noun`. */
int txcmd_print_item(const struct txcmd_options *options, const json_t *page, const struct record *shape, size_t id_at,
                     const char *id, const char *noun);

/* GET `path` and print it: all of a command that only reads. NULL: the path could not be built for want of memory. */
int txcmd_show(const struct txcmd_options *options, const char *path);
/* The same of a list: one page, or with --all every one as one list. `page` is its shape (node/answers/page.h). */
int txcmd_show_list(const struct txcmd_options *options, const struct txcmd_list *list, const char *path,
                    const struct record *page);
/* And of one for members alone. */
int txcmd_show_list_to_member(const struct txcmd_options *options, const struct txcmd_list *list, const char *path,
                              const struct record *page);
/* The same for what members alone may see: logs in with the first --key, an author's or an admin's. */
int txcmd_show_to_member(const struct txcmd_options *options, const char *path);

#endif
