#include "node/cli/out_file.h"
#include "node/cli/txcmd.h"

#include "base/clock.h"

#include "base/file.h"
#include "contracts/kernel/code.h"
#include "contracts/kernel/transaction.h"
#include "node/answers/block.h"
#include "node/answers/error.h"
#include "node/answers/page.h"
#include "node/answers/status.h"
#include "node/cli/names.h"
#include "node/json/record_json.h"
#include "node/ledger/ledger_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_TIMEOUT_MS 30000
#define CALL_SLACK_MS 5000 /* the node's own deadline comes first, its answer is clearer */

static const char *node_url(const struct txcmd_options *options) {
    if (options->node != NULL) {
        return options->node;
    }
    const char *from_environment = getenv("ASSAY_NODE");
    return from_environment != NULL && from_environment[0] != '\0' ? from_environment : TXCMD_DEFAULT_NODE;
}

static uint64_t timeout_of(const struct txcmd_options *options) {
    return options->timeout_ms != 0 ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
}

int txcmd_client(const struct txcmd_options *options, struct client **out) {
    const struct client_config config = {.url = node_url(options),
                                         .http.ca_file = options->ca_file,
                                         .timeout_ms = (uint32_t)timeout_of(options) + CALL_SLACK_MS};
    enum err e = client_new(&config, out);
    if (e == ERR_CONFIG) {
        return args_wrong("--node '%s' is not a base URL; give it like %s", config.url, TXCMD_DEFAULT_NODE);
    }
    return e == OK ? ARGS_GO_ON : args_fail("can't start the HTTP client: %s", err_text(e));
}

int txcmd_start(const struct args_spec *spec, int argc, char **argv, const struct txcmd_options *options,
                struct args_operands *operands, struct client **out) {
    int status = args_parse(spec, argc, argv, operands);
    return status == ARGS_GO_ON ? txcmd_client(options, out) : status;
}

/* ---- Opening ---- */

static int load_keys(const struct txcmd_options *options, struct txcmd *out) {
    struct buffer passphrase = BUFFER_INIT;
    struct why why = WHY_NONE;
    enum err e = OK;
    if (options->passphrase_file != NULL) {
        e = keyfile_read_passphrase(options->passphrase_file, &passphrase, &why);
    }
    for (size_t i = 0; i < options->keys.count && e == OK; i++) {
        e = keyfile_load(options->keys.item[i], KEYFILE_ED25519, buffer_bytes(&passphrase), &out->keys[i], &why);
        out->key_count += e == OK;
    }
    if (passphrase.data != NULL) {
        secure_wipe(passphrase.data, passphrase.cap);
    }
    buffer_free(&passphrase);
    return e == OK ? ARGS_GO_ON : args_fail("%s", why.text);
}

int txcmd_take(const struct client *client, const struct record *shape, const json_t *answer, void *out) {
    struct why why = WHY_NONE;
    enum err e = record_of_json(shape, answer, out, &why);
    return e == OK
               ? ARGS_GO_ON
               : args_fail("%s answered with something else: %s; is it an assay node?", client_url(client), why.text);
}

static int ask_status(struct txcmd *tx) {
    json_t *answer = NULL;
    struct node_status node;
    if (client_get_json(tx->client, "/v1/status", &answer) != OK) {
        return args_fail("%s", client_why(tx->client));
    }
    int status = txcmd_take(tx->client, &node_status_shape, answer, &node);
    if (status == ARGS_GO_ON) {
        memcpy(tx->chain_id, node.chain_id, CHAIN_ID_LEN);
        tx->ledger_ms = ledger_time_now(node.clock.time_ms, node.last_block_time_ms);
        tx->max_lifetime_ms = node.tells_lifetime ? node.tx_max_lifetime_ms : LIMIT_TX_LIFETIME_MS;
    }
    json_decref(answer);
    return status;
}

static int check_options(const struct txcmd_options *options) {
    if (options->keys.count == 0) {
        return args_wrong("--key FILE is needed: the key of who signs or asks");
    }
    if (options->keys.count > TXCMD_KEYS_MAX) {
        return args_wrong("--key may be given at most %d times", TXCMD_KEYS_MAX);
    }
    if (options->wait != NULL && strcmp(options->wait, "finalized") != 0 && strcmp(options->wait, "accepted") != 0) {
        return args_wrong("--wait is finalized or accepted, not '%s'", options->wait);
    }
    if (options->cosigners.count > 0 && options->out == NULL) {
        return args_wrong("--cosigner needs --out FILE: that file goes to who else signs ('assay tx sign')");
    }
    if (options->keys.count + options->cosigners.count > TXCMD_KEYS_MAX) {
        return args_wrong("at most %d keys sign one transaction", TXCMD_KEYS_MAX);
    }
    return ARGS_GO_ON;
}

int txcmd_open(const struct txcmd_options *options, struct txcmd *out) {
    memset(out, 0, sizeof *out);
    out->options = options;
    int status = check_options(options);
    if (status == ARGS_GO_ON) {
        status = load_keys(options, out);
    }
    for (size_t i = 0; i < options->cosigners.count && status == ARGS_GO_ON; i++) {
        status = names_public_key("--cosigner", options->cosigners.item[i], out->cosigners[i]);
    }
    if (status == ARGS_GO_ON) {
        status = txcmd_client(options, &out->client);
    }
    if (status == ARGS_GO_ON) {
        status = ask_status(out);
    }
    if (status != ARGS_GO_ON) {
        txcmd_close(out);
    }
    return status;
}

void txcmd_close(struct txcmd *tx) {
    for (size_t i = 0; i < tx->key_count; i++) {
        keyfile_wipe(&tx->keys[i]);
    }
    tx->key_count = 0;
    client_free(tx->client);
    tx->client = NULL;
}

/* ---- Sending ---- */

/* Contract refusals are answers, so they come with status 200 and a result. */
static int judge(const struct txcmd_options *options, const struct client *client, json_t *answer) {
    struct submitted_answer sent;
    int status = txcmd_take(client, &submitted_shape, answer, &sent);
    if (status != ARGS_GO_ON || !sent.is_final || sent.result.code == CODE_OK) {
        return status;
    }
    if (options->json) {
        (void)args_print_json(json_incref(answer));
    }
    const struct result_answer *result = &sent.result;
    return args_fail("refused: %s: %s%s%.*s; %s", result->name, code_text(result->code),
                     result->detail.len > 0 ? ": " : "", (int)result->detail.len, (const char *)result->detail.data,
                     code_hint(result->code));
}

int txcmd_send_envelope(const struct txcmd_options *options, struct client *client, struct bytes envelope,
                        json_t **out) {
    char path[96];
    json_t *answer = NULL;
    uint64_t timeout_ms = timeout_of(options) < 60000 ? timeout_of(options) : 60000;
    (void)snprintf(path, sizeof path, "/v1/txs?wait=%s&timeout_ms=%" PRIu64,
                   options->wait != NULL ? options->wait : "finalized", timeout_ms);
    if (client_post_bytes(client, path, "application/octet-stream", envelope, &answer) != OK) {
        if (options->json && client_error_code(client)[0] != '\0') {
            const struct error_answer error = {{client_error_code(client), client_why(client), ""}};
            (void)args_print_json(record_json(&error_answer_shape, &error));
        }
        return args_fail("%s", client_why(client));
    }
    int status = judge(options, client, answer);
    if (status != ARGS_GO_ON) {
        json_decref(answer);
        return status;
    }
    *out = answer;
    return ARGS_GO_ON;
}

static int write_out(const struct txcmd_options *options, struct bytes envelope, json_t **out) {
    struct transaction tx;
    char id[2 * HASH_LEN + 1];
    enum err e = transaction_decode(envelope, &tx, NULL);
    int status = e == OK ? out_file_write(options->out, envelope) : args_fail("%s: %s", options->out, err_text(e));
    if (status != ARGS_GO_ON) {
        return status;
    }
    hex_encode(tx.id, sizeof tx.id, id);
    *out = json_pack("{s:s, s:s}", "tx_id", id, "out", options->out);
    return ARGS_GO_ON;
}

/* A clock here that is behind, or theirs that are ahead, must not make a transaction that has expired by its block. */
uint64_t txcmd_expiry(const struct txcmd *tx) {
    uint64_t now_ms = ledger_time_now(clock_wall_ms(), tx->ledger_ms);
    if (tx->options != NULL && tx->options->expires_ms != 0) {
        return now_ms + tx->options->expires_ms;
    }
    bool others_sign = tx->options != NULL && tx->options->cosigners.count > 0;
    return others_sign ? now_ms + tx->max_lifetime_ms : ledger_time_expiry(now_ms, tx->max_lifetime_ms);
}

int txcmd_send(struct txcmd *tx, const char *contract, const char *method, const ProtobufCMessage *args, json_t **out) {
    const uint8_t(*secrets[TXCMD_KEYS_MAX])[ED25519_SECRET_LEN];
    for (size_t i = 0; i < tx->key_count; i++) {
        secrets[i] = (const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)tx->keys[i].secret;
    }
    struct transaction_draft draft = {
        .chain_id = tx->chain_id,
        .expiry_ms = txcmd_expiry(tx),
        .contract = contract,
        .method = method,
        .cosigners = (const uint8_t(*)[ED25519_KEY_LEN])(uintptr_t)tx->cosigners,
        .cosigner_count = tx->options->cosigners.count,
    };
    struct buffer packed = BUFFER_INIT, envelope = BUFFER_INIT;
    random_fill(draft.salt, sizeof draft.salt);
    enum err e = names_pack(args, &packed);
    draft.args = buffer_bytes(&packed);
    if (e == OK) {
        e = transaction_build(&draft, secrets, tx->key_count, &envelope);
    }
    int status;
    if (e != OK) {
        status = args_fail("can't build the transaction: %s%s", err_text(e),
                           e == ERR_MALFORMED ? " (is a key given twice?)" : "");
    } else if (tx->options->out != NULL) {
        status = write_out(tx->options, buffer_bytes(&envelope), out);
    } else {
        status = txcmd_send_envelope(tx->options, tx->client, buffer_bytes(&envelope), out);
    }
    buffer_free(&envelope);
    buffer_free(&packed);
    return status;
}

bool txcmd_result(const json_t *answer, struct buffer *out) {
    const char *hex =
        json_string_value(record_member(&submitted_shape, answer, offsetof(struct submitted_answer, result_bytes)));
    size_t len = hex != NULL ? strlen(hex) / 2 : 0;
    uint8_t *at = hex != NULL ? buffer_extend(out, len) : NULL;
    return at != NULL && hex_decode(hex, at, len) == OK;
}

/* ---- Showing ---- */

static void print_scalar(const json_t *value) {
    if (json_is_string(value)) {
        args_print_clean(bytes_of(json_string_value(value), json_string_length(value)));
    } else {
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        args_print_clean(bytes_str(text != NULL ? text : ""));
        free(text);
    }
}

/* Lists of objects one block each, everything else "name: value"; the depth of what nodes send is two. */
static void print_lines(json_t *object, int depth) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        printf("%*s", 2 * depth, "");
        args_print_clean(bytes_str(name));
        printf(":");
        bool of_objects = json_is_array(value) && json_is_object(json_array_get(value, 0));
        if (json_is_object(value) && depth < 3) {
            printf("\n");
            print_lines(value, depth + 1);
        } else if (of_objects && depth < 3) {
            printf("\n");
            size_t i;
            json_t *item;
            json_array_foreach(value, i, item) {
                printf("%s", i > 0 ? "\n" : "");
                print_lines(item, depth + 1);
            }
        } else {
            printf(" ");
            print_scalar(value);
            printf("\n");
        }
    }
}

int txcmd_print(const struct txcmd_options *options, json_t *consumed) {
    if (options->json || !json_is_object(consumed)) {
        return args_print_json(consumed);
    }
    /* Protobuf is for programs. */
    (void)json_object_del(consumed, record_name_at(&submitted_shape, offsetof(struct submitted_answer, result_bytes)));
    print_lines(consumed, 0);
    json_decref(consumed);
    return fflush(stdout) == 0 ? 0 : args_fail("can't write the result: standard output is closed");
}

int txcmd_print_item(const struct txcmd_options *options, const json_t *page, const struct record *shape, size_t id_at,
                     const char *id, const char *noun) {
    const struct record *item_shape = shape->fields[0].of;
    const json_t *items = record_member(shape, page, offsetof(struct page_answer, items));
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        const char *this_id = json_string_value(record_member(item_shape, item, id_at));
        if (this_id != NULL && strcmp(this_id, id) == 0) {
            return txcmd_print(options, json_incref(item));
        }
    }
    return args_fail("no %s %s; 'assay %s list' lists them", noun, id, noun);
}

int txcmd_message(const struct txcmd_options *options, const char *contract, const char *method,
                  const ProtobufCMessage *args) {
    struct txcmd tx;
    json_t *answer = NULL;
    int status = txcmd_open(options, &tx);
    if (status == ARGS_GO_ON) {
        status = txcmd_send(&tx, contract, method, args, &answer);
        txcmd_close(&tx);
    }
    return status == ARGS_GO_ON ? txcmd_print(options, answer) : status;
}

int txcmd_show(const struct txcmd_options *options, const char *path) {
    struct client *client = NULL;
    json_t *answer = NULL;
    int status = path != NULL ? txcmd_client(options, &client) : args_fail("out of memory");
    if (status == ARGS_GO_ON) {
        status = client_get_json(client, path, &answer) == OK ? txcmd_print(options, answer)
                                                              : args_fail("%s", client_why(client));
        client_free(client);
    }
    return status;
}

int txcmd_show_to_member(const struct txcmd_options *options, const char *path) {
    struct txcmd tx;
    json_t *answer = NULL;
    memset(&tx, 0, sizeof tx);
    int status = txcmd_open(options, &tx);
    if (status == ARGS_GO_ON && client_login(tx.client, tx.keys[0].secret) != OK) {
        status = args_fail("%s", client_why(tx.client));
    }
    if (status == ARGS_GO_ON) {
        status = client_get_json(tx.client, path, &answer) == OK ? txcmd_print(options, answer)
                                                                 : args_fail("%s", client_why(tx.client));
    }
    txcmd_close(&tx);
    return status;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

/* One page; `after` NULL: the first. ARGS_GO_ON, or explained. */
static int get_page(struct client *client, const struct txcmd_list *list, const char *path, const char *after,
                    json_t **out) {
    struct buffer whole = BUFFER_INIT;
    char limit[40];
    uint64_t most = list->limit == 0 && list->all ? TXCMD_LIST_MAX : list->limit;
    const char *mark = strchr(path, '?') != NULL ? "&" : "?";
    buffer_words(&whole, path);
    if (most != 0) {
        (void)snprintf(limit, sizeof limit, "%slimit=%" PRIu64, mark, most);
        buffer_words(&whole, limit);
        mark = "&";
    }
    if (after != NULL) {
        buffer_words(&whole, mark);
        buffer_words(&whole, "after=");
        client_escape(after, &whole);
    }
    const char *text = buffer_text(&whole);
    enum err e = text != NULL ? client_get_json(client, text, out) : ERR_NOMEM;
    buffer_free(&whole);
    return e == OK ? ARGS_GO_ON : args_fail("%s", client_why(client));
}

/* Where the next page begins; NULL: there is none. */
static const char *next_of(const json_t *answer, const struct record *page) {
    return json_string_value(record_member(page, answer, offsetof(struct page_answer, next)));
}

/* The pages behind the first are put to its items, and its cursor is that of the last. */
static int add_pages(struct client *client, const struct txcmd_list *list, const char *path, const struct record *page,
                     json_t *first) {
    json_t *items = record_member(page, first, offsetof(struct page_answer, items));
    char after[1024];
    int status = ARGS_GO_ON;
    while (status == ARGS_GO_ON && next_of(first, page) != NULL) {
        json_t *more = NULL;
        (void)snprintf(after, sizeof after, "%s", next_of(first, page));
        status = get_page(client, list, path, after, &more);
        if (status == ARGS_GO_ON) {
            const char *next = next_of(more, page);
            bool goes_on = next == NULL || strcmp(next, after) != 0;
            json_t *cursor = next != NULL ? json_string(next) : json_null();
            bool good =
                goes_on &&
                json_array_extend(items, record_member(page, more, offsetof(struct page_answer, items))) == 0 &&
                json_object_set_new(first, record_name_at(page, offsetof(struct page_answer, next)), cursor) == 0;
            status =
                good ? ARGS_GO_ON : args_fail("%s: the list does not go on; is it an assay node?", client_url(client));
        }
        json_decref(more);
    }
    return status;
}

static int show_list(const struct txcmd_options *options, struct client *client, const struct txcmd_list *list,
                     const char *path, const struct record *page) {
    json_t *answer = NULL;
    int status = get_page(client, list, path, list->after, &answer);
    if (status == ARGS_GO_ON && list->all) {
        status = add_pages(client, list, path, page, answer);
    }
    if (status == ARGS_GO_ON) {
        status = txcmd_print(options, json_incref(answer));
    }
    json_decref(answer);
    return status;
}

int txcmd_show_list(const struct txcmd_options *options, const struct txcmd_list *list, const char *path,
                    const struct record *page) {
    struct client *client = NULL;
    if (path == NULL) {
        return args_fail("out of memory");
    }
    int status = txcmd_client(options, &client);
    if (status == ARGS_GO_ON) {
        status = show_list(options, client, list, path, page);
        client_free(client);
    }
    return status;
}

int txcmd_show_list_to_member(const struct txcmd_options *options, const struct txcmd_list *list, const char *path,
                              const struct record *page) {
    struct txcmd tx;
    memset(&tx, 0, sizeof tx);
    int status = txcmd_open(options, &tx);
    if (status == ARGS_GO_ON && client_login(tx.client, tx.keys[0].secret) != OK) {
        status = args_fail("%s", client_why(tx.client));
    }
    if (status == ARGS_GO_ON) {
        status = show_list(options, tx.client, list, path, page);
    }
    txcmd_close(&tx);
    return status;
}
