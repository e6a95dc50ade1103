/* assay proof verify: judges a proof bundle offline, against nothing but the genesis. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"

#include "base/file.h"
#include "ipfs-lite/cid.h"
#include "node/genesis_json.h"
#include "node/host_crypto.h"
#include "verify/bundle.h"
#include "verify/class_record.h"
#include "verify/statement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_MAX (16u * 1024u * 1024u)

/* Memory for the verifier, which has none of its own. */
struct bench {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t set[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t path[STATE_PATH_STEPS_MAX][33];
    uint8_t value[LIMIT_STATE_VALUE];
    struct bundle_result result;
};

static enum verdict judge(const struct genesis *genesis, struct bytes proof, struct bench *b) {
    struct trust trust = {.validators = {(const uint8_t(*)[KEY_LEN])(uintptr_t)b->keys, 0}};
    const struct bundle_work work = {.set_memory = b->set,
                                     .set_capacity = LIMIT_VALIDATORS,
                                     .path_memory = b->path,
                                     .path_capacity = STATE_PATH_STEPS_MAX,
                                     .value_memory = b->value,
                                     .value_capacity = sizeof b->value};
    struct span_input from = {{proof.data, proof.len}};
    struct input in = input_of_span(&from);
    trust.validators.count = genesis_validators(genesis, b->keys);
    genesis_chain_id(genesis, &host_crypto, trust.chain_id);
    return bundle_verify(&host_crypto, &trust, &work, &in, &b->result);
}

static void put_hex(json_t *out, const char *name, const void *data, size_t len) {
    char *text = malloc(2 * len + 1);
    if (text != NULL) {
        hex_encode(data, len, text);
        (void)json_object_set_new(out, name, json_string(text));
        free(text);
    }
}

static void put_number(json_t *out, const char *name, uint64_t value) {
    (void)json_object_set_new(out, name, json_integer((json_int_t)value));
}

/* The class record in words; false when the proof is about something else. */
static bool say_class(const struct bench *b, json_t *out, char *words, size_t max) {
    struct class_record r;
    const struct bundle_result *proven = &b->result;
    if (strcmp(proven->contract, "firmware") != 0 || proven->user_key_len != CLASS_RECORD_KEY_LEN || !proven->present ||
        class_record_decode((struct span){b->value, proven->value_len}, &r) != GOOD) {
        return false;
    }
    json_t *class = json_object();
    char cid_text[CID_TEXT_SIZE] = "";
    struct cid cid;
    put_hex(class, "class_id", r.class_id, UUID_BYTES);
    put_number(class, "floor", r.floor);
    if (r.has_release) {
        put_number(class, "sequence", r.sequence);
        put_hex(class, "release_id", r.release_id, HASH_LEN);
        put_hex(class, "manifest_digest", r.manifest_digest, HASH_LEN);
        put_hex(class, "sha256", r.image_digest, HASH_LEN);
        put_number(class, "size", r.image_size);
        if (cid_decode(bytes_of(r.image_cid, sizeof r.image_cid), &cid) == OK) {
            cid_format(&cid, cid_text);
            (void)json_object_set_new(class, "cid", json_string(cid_text));
        }
        (void)snprintf(words, max,
                       "devices of the class should run sequence %" PRIu64 ", image %s of %" PRIu64 " bytes",
                       r.sequence, cid_text, r.image_size);
    } else {
        (void)snprintf(words, max, "the class has no release that may be installed");
    }
    (void)json_object_set_new(out, "class", class);
    return true;
}

static bool say_status(const struct bench *b, json_t *out, char *words, size_t max) {
    struct status_record r;
    const struct bundle_result *proven = &b->result;
    if (strcmp(proven->contract, "update") != 0 || proven->user_key_len != STATUS_RECORD_KEY_LEN || !proven->present ||
        status_record_decode((struct span){b->value, proven->value_len}, &r) != GOOD) {
        return false;
    }
    json_t *status = json_object();
    put_hex(status, "update_id", r.update_id, HASH_LEN);
    put_hex(status, "device_id", r.device_id, KEY_LEN);
    (void)json_object_set_new(status, "status", json_string(device_status_name(r.status)));
    (void)json_object_set_new(status, "last_outcome", json_string(verify_outcome_name(r.last_outcome)));
    put_number(status, "failed_attempts", r.failed_attempts);
    (void)json_object_set_new(out, "device_status", status);
    (void)snprintf(words, max, "the device's status is %s after %" PRIu32 " failed attempts",
                   device_status_name(r.status), r.failed_attempts);
    return true;
}

static int say_proven(const struct bench *b, bool json) {
    const struct bundle_result *r = &b->result;
    char words[300];
    json_t *out = json_object();
    (void)json_object_set_new(out, "verdict", json_string(verdict_name(GOOD)));
    put_number(out, "height", r->header.height);
    put_number(out, "time_ms", r->header.time_ms);
    put_hex(out, "block_hash", r->header_hash, HASH_LEN);
    put_hex(out, "state_root", r->header.state_root, HASH_LEN);
    put_number(out, "epoch", r->epoch);
    (void)json_object_set_new(out, "contract", json_string(r->contract));
    put_hex(out, "key", r->user_key, r->user_key_len);
    (void)json_object_set_new(out, "present", json_boolean(r->present));
    put_hex(out, "value", b->value, r->present ? r->value_len : 0);
    if (!say_class(b, out, words, sizeof words) && !say_status(b, out, words, sizeof words)) {
        (void)snprintf(words, sizeof words, "contract %s has %s value under this key", r->contract,
                       r->present ? "the given" : "no");
    }
    if (json) {
        (void)json_object_set_new(out, "proven", json_string(words));
        return args_print_json(out);
    }
    printf("yes: at height %" PRIu64 " (block time %" PRIu64 " ms), %s.\n", r->header.height, r->header.time_ms, words);
    printf("A quorum of the chain's validators signed it.\n");
    json_decref(out);
    return 0;
}

static int verify_files(const char *genesis_path, const char *proof_path, bool json) {
    struct genesis genesis;
    struct buffer proof = BUFFER_INIT;
    char why[GENESIS_JSON_WHY_MAX];
    if (genesis_json_load(genesis_path, &genesis, why) != OK) {
        return args_fail("genesis %s", why);
    }
    struct bench *b = calloc(1, sizeof *b);
    enum err e = b != NULL ? file_read(proof_path, PROOF_MAX, &proof) : ERR_NOMEM;
    int status;
    if (e != OK) {
        status = args_fail("%s: %s", proof_path, err_text(e));
    } else {
        enum verdict v = judge(&genesis, buffer_bytes(&proof), b);
        status = v == GOOD ? say_proven(b, json) : 1;
        if (v != GOOD) {
            if (json) {
                (void)args_print_json(json_pack("{s:s, s:s}", "verdict", verdict_name(v), "message", verdict_text(v)));
            }
            (void)args_fail("no: %s: %s", verdict_name(v), verdict_text(v));
        }
    }
    buffer_free(&proof);
    free(b);
    genesis_free(&genesis);
    return status;
}

static int proof_verify(int argc, char **argv) {
    const char *genesis = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"genesis", ARGS_TEXT, &genesis, "FILE", "the chain's genesis.json: all that is trusted", 0, 0},
        {"json", ARGS_FLAG, &json, NULL, "print one JSON document", 0, 0},
        {0},
    };
    const struct args_spec spec = {"proof verify --genesis FILE PROOF",
                                   "Checks a proof offline and says what it proves.", options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    return genesis != NULL ? verify_files(genesis, operands.item[0], json)
                           : args_wrong("which chain? give --genesis FILE");
}

int cmd_proof(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"verify", "check a proof file", proof_verify}, {NULL, NULL, NULL}};
    return args_dispatch("proof", verbs, argc, argv);
}
