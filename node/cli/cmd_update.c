/* assay update push|show|verify. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "base/clock.h"
#include "contracts/update/update.h"
#include "contracts/update/update.pb-c.h"
#include "node/answers/block.h"
#include "node/json/record_json.h"
#include "verify/statement.h"

#include <stdio.h>
#include <string.h>

#define TARGETS_MAX 64
#define WINDOW_MAX_MS (30ull * 24 * 60 * 60 * 1000)

/* ---- push ---- */

struct push {
    const char *release, *class;
    struct args_list devices;
    uint64_t window_ms, max_failed;
};

static int take_targets(const struct push *p, uint8_t (*ids)[ED25519_KEY_LEN], ProtobufCBinaryData *out) {
    int status = ARGS_GO_ON;
    for (size_t i = 0; i < p->devices.count && status == ARGS_GO_ON; i++) {
        status = names_public_key("--device", p->devices.item[i], ids[i]);
        out[i] = names_binary(ids[i], ED25519_KEY_LEN);
    }
    return status;
}

static int send_push(const struct txcmd_options *o, const struct push *p) {
    uint8_t release[HASH_LEN];
    uint8_t ids[TARGETS_MAX][ED25519_KEY_LEN];
    ProtobufCBinaryData devices[TARGETS_MAX];
    struct class_name class;
    struct txcmd tx;
    json_t *answer = NULL;
    int status = names_hex("--release", p->release, release, sizeof release);
    if (status == ARGS_GO_ON) {
        status = p->class != NULL ? names_class(p->class, &class) : take_targets(p, ids, devices);
    }
    if (status == ARGS_GO_ON) {
        status = txcmd_open(o, &tx);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    Assay__UpdatePush message;
    assay__update_push__init(&message);
    message.release_id = names_binary(release, sizeof release);
    message.n_devices = p->class != NULL ? 0 : p->devices.count;
    message.devices = devices;
    message.class_id = names_binary(class.class_id, p->class != NULL ? sizeof class.class_id : 0);
    message.window_ms = p->window_ms;
    message.max_failed = (uint32_t)p->max_failed;
    message.time_sent_ms = clock_wall_ms();
    status = txcmd_send(&tx, "update", "push", &message.base, &answer);
    txcmd_close(&tx);
    if (status == ARGS_GO_ON) {
        /* An update's id is its push transaction's. */
        (void)json_object_set(answer, record_name_at(&update_shape, offsetof(struct update_record, id)),
                              record_member(&submitted_shape, answer, offsetof(struct submitted_answer, tx_id)));
        status = txcmd_print(o, answer);
    }
    return status;
}

static int update_push(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct push p = {.window_ms = 60000, .max_failed = 3};
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"release", ARGS_TEXT, &p.release, "ID", "what to install", 0, 0},
        {"device", ARGS_LIST, &p.devices, "DEVICE", "target: public key or key file; may be repeated", 0, 0},
        {"class", ARGS_TEXT, &p.class, "CLASS", "target: every device of the class", 0, 0},
        {"window", ARGS_DURATION, &p.window_ms, "T", "time to verify in (default 60s)", 1000, WINDOW_MAX_MS},
        {"max-failed", ARGS_NUMBER, &p.max_failed, "N", "failed attempts allowed (default 3)", 1, 100},
        {0},
    };
    const struct args_spec spec = {"update push --release ID (--device DEVICE... | --class CLASS) --key FILE [options]",
                                   "Tells devices to install a release.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (p.release == NULL || (p.devices.count == 0) == (p.class == NULL)) {
        return args_wrong("update push needs --release, and either --device or --class");
    }
    return send_push(&o, &p);
}

/* ---- show ---- */

static int update_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    bool history = false;
    const struct args_option options[] = {
        CLIENT_OPTIONS(o), {"history", ARGS_FLAG, &history, NULL, "every change, oldest first", 0, 0}, {0}};
    const struct args_spec spec = {"update show ID [--history] [options]", "An update's status and counters.", options,
                                   1, 1};
    struct args_operands operands;
    uint8_t id[HASH_LEN];
    char path[128];
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_hex("update", operands.item[0], id, sizeof id);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    (void)snprintf(path, sizeof path, "/v1/updates/%s%s", operands.item[0], history ? "/history" : "");
    return txcmd_show(&o, path);
}

/* ---- verify: what a device would say ---- */

/* The counter must rise with every statement of the device: the clock does, across calls. */
static void make_statement(const struct txcmd *tx, const struct keyfile *device, const uint8_t update[HASH_LEN],
                           const uint8_t digest[HASH_LEN], uint8_t out[STATEMENT_LEN + SIG_LEN]) {
    uint8_t text[STATEMENT_SIGNED_LEN];
    struct statement s = {.kind = STATEMENT_VERIFY, .counter = clock_wall_ms()};
    memcpy(s.chain_id, tx->chain_id, CHAIN_ID_LEN);
    memcpy(s.device_id, device->public_key, KEY_LEN);
    memcpy(s.update_id, update, HASH_LEN);
    memcpy(s.digest, digest, HASH_LEN);
    random_fill(s.nonce, sizeof s.nonce);
    statement_encode(&s, text);
    memcpy(out, text + TAG_LEN, STATEMENT_LEN);
    ed25519_sign(device->secret, text, sizeof text, out + STATEMENT_LEN);
}

/* What the contract says of the device now; with --out there is no result yet. */
static void add_outcome(json_t *answer) {
    struct buffer bytes = BUFFER_INIT;
    Assay__UpdateStatementResult *result =
        txcmd_result(answer, &bytes) ? assay__update_statement_result__unpack(NULL, bytes.len, bytes.data) : NULL;
    if (result != NULL) {
        (void)json_object_set_new(answer, "outcome",
                                  json_string(verify_outcome_name((enum verify_outcome)result->outcome)));
        (void)json_object_set_new(answer, "status",
                                  json_string(device_status_name((enum device_status)result->status)));
        (void)json_object_set_new(answer, "failed_attempts", json_integer(result->failed_attempts));
        assay__update_statement_result__free_unpacked(result, NULL);
    }
    buffer_free(&bytes);
}

/* The device's key signs the statement and, as its own carrier, the transaction. */
static int send_verify(const struct txcmd_options *o, const uint8_t update[HASH_LEN], const uint8_t digest[HASH_LEN]) {
    uint8_t signed_statement[STATEMENT_LEN + SIG_LEN];
    struct txcmd tx;
    json_t *answer = NULL;
    int status = txcmd_open(o, &tx);
    if (status != ARGS_GO_ON) {
        return status;
    }
    make_statement(&tx, &tx.keys[0], update, digest, signed_statement);
    Assay__UpdateStatement message;
    assay__update_statement__init(&message);
    message.statement = names_binary(signed_statement, STATEMENT_LEN);
    message.signature = names_binary(signed_statement + STATEMENT_LEN, SIG_LEN);
    status = txcmd_send(&tx, "update", "verify", &message.base, &answer);
    txcmd_close(&tx);
    if (status != ARGS_GO_ON) {
        return status;
    }
    add_outcome(answer);
    return txcmd_print(o, answer);
}

static int update_verify(int argc, char **argv) {
    struct txcmd_options o = {0};
    const char *update = NULL;
    const char *digest = NULL;
    uint8_t update_id[HASH_LEN];
    uint8_t digest_bytes[HASH_LEN];
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"update", ARGS_TEXT, &update, "ID", "the update", 0, 0},
        {"digest", ARGS_TEXT, &digest, "HEX", "SHA-256 of the image the device holds", 0, 0},
        {0},
    };
    const struct args_spec spec = {"update verify --key DEVICE_KEY --update ID --digest HEX [options]",
                                   "Says what a device would: here is my image's digest.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (update == NULL || digest == NULL) {
        return args_wrong("update verify needs --update and --digest");
    }
    status = names_hex("--update", update, update_id, sizeof update_id);
    if (status == ARGS_GO_ON) {
        status = names_hex("--digest", digest, digest_bytes, sizeof digest_bytes);
    }
    return status == ARGS_GO_ON ? send_verify(&o, update_id, digest_bytes) : status;
}

int cmd_update(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"push", "tell devices to install a release", update_push},
                                             {"show", "status, counters, history", update_show},
                                             {"verify", "send a device's statement", update_verify},
                                             {NULL, NULL, NULL}};
    return args_dispatch("update", verbs, argc, argv);
}
