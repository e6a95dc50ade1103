/* assay proof verify: judges a proof bundle offline, against the genesis or a checkpoint. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"

#include "base/clock.h"
#include "base/file.h"
#include "ipfs-lite/cid.h"
#include "node/cli/moment.h"
#include "node/genesis/checkpoint_file.h"
#include "node/genesis/genesis_json.h"
#include "node/host/host_crypto.h"
#include "verify/class_record.h"
#include "verify/statement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROOF_MAX (16u * 1024u * 1024u)

struct verifying {
    const char *genesis_path, *pinned;
    uint64_t max_age_ms; /* 0: any age will do */
    bool json;
    struct genesis genesis;
    struct checkpoint_file from;
    struct checkpoint_room room;
};

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
static bool say_class(const struct checkpoint_room *b, json_t *out, char *words, size_t max) {
    struct class_record r;
    const struct bundle_result *proven = &b->result;
    if (strcmp(proven->contract, "firmware") != 0 || proven->user_key_len != CLASS_RECORD_KEY_LEN || !proven->present ||
        class_record_decode(bytes_of(b->value, proven->value_len), &r) != GOOD) {
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

static bool say_status(const struct checkpoint_room *b, json_t *out, char *words, size_t max) {
    struct status_record r;
    const struct bundle_result *proven = &b->result;
    if (strcmp(proven->contract, "update") != 0 || proven->user_key_len != STATUS_RECORD_KEY_LEN || !proven->present ||
        status_record_decode(bytes_of(b->value, proven->value_len), &r) != GOOD) {
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

/* What is proven is so as of the block's time: in numbers, and in words. */
static void say_when(const struct verifying *v, json_t *out, char *words, size_t max) {
    uint64_t time_ms = v->room.result.header.time_ms;
    char moment[MOMENT_MAX], age[MOMENT_MAX];
    moment_text(time_ms, moment);
    moment_age_text(moment_age_ms(time_ms), age);
    put_number(out, "time_ms", time_ms);
    put_number(out, "age_ms", moment_age_ms(time_ms));
    (void)json_object_set_new(out, "as_of", json_string(moment));
    (void)snprintf(words, max, "as of %s (%s ago)", moment, age);
}

/* Where the walk began, and what that is worth; true when it began before the trusting period. */
static bool say_start(const struct verifying *v, json_t *out) {
    const struct checkpoint_file *from = v->pinned != NULL ? &v->from : NULL;
    uint64_t start_ms = checkpoint_start_ms(&v->genesis, from);
    bool old = freshness_start(FOLLOWER_GATEWAY, start_ms, clock_wall_ms()) != GOOD;
    bool told = from != NULL && !from->whole; /* the operator's word of today */
    json_t *trust = json_object();
    (void)json_object_set_new(trust, "from", json_string(from != NULL && from->whole ? "checkpoint" : "genesis"));
    put_number(trust, "start_ms", start_ms);
    if (from != NULL) {
        put_number(trust, "pinned_height", from->pin.height);
        put_hex(trust, "pinned_hash", from->pin.hash, HASH_LEN);
    }
    (void)json_object_set_new(trust, "older_than_trusting_period", json_boolean(old && !told));
    (void)json_object_set_new(out, "trust", trust);
    return old && !told;
}

static int say_proven(const struct verifying *v) {
    const struct checkpoint_room *b = &v->room;
    const struct bundle_result *r = &b->result;
    char words[300], when[2 * MOMENT_MAX + 20], start[MOMENT_MAX];
    json_t *out = json_object();
    (void)json_object_set_new(out, "verdict", json_string(verdict_name(GOOD)));
    put_number(out, "height", r->header.height);
    say_when(v, out, when, sizeof when);
    put_hex(out, "block_hash", r->header_hash, HASH_LEN);
    put_hex(out, "state_root", r->header.state_root, HASH_LEN);
    put_number(out, "epoch", r->epoch);
    (void)json_object_set_new(out, "contract", json_string(r->contract));
    put_hex(out, "key", r->user_key, r->user_key_len);
    (void)json_object_set_new(out, "present", json_boolean(r->present));
    put_hex(out, "value", b->value, r->present ? r->value_len : 0);
    bool old_start = say_start(v, out);
    if (!say_class(b, out, words, sizeof words) && !say_status(b, out, words, sizeof words)) {
        (void)snprintf(words, sizeof words, "contract %s has %s value under this key", r->contract,
                       r->present ? "the given" : "no");
    }
    if (v->json) {
        (void)json_object_set_new(out, "proven", json_string(words));
        return args_print_json(out);
    }
    printf("yes: %s, at height %" PRIu64 ", %s.\n", when, r->header.height, words);
    printf("A quorum of the chain's validators signed it.\n");
    if (old_start) {
        const struct checkpoint_file *from = v->pinned != NULL ? &v->from : NULL;
        moment_age_text(moment_age_ms(checkpoint_start_ms(&v->genesis, from)), start);
        printf("They follow from the %s's, of %s ago: keys that left since could have signed another history. "
               "--checkpoint starts from a newer block.\n",
               from != NULL ? "checkpoint" : "genesis", start);
    }
    json_decref(out);
    return 0;
}

/* One line that says which rule broke and what to do. */
static int say_refused(const struct verifying *v, enum verdict verdict) {
    const struct bundle_result *r = &v->room.result;
    json_t *out = json_pack("{s:s, s:s}", "verdict", verdict_name(verdict), "message", verdict_text(verdict));
    char when[2 * MOMENT_MAX + 20] = "";
    if (verdict == BAD_STALE) {
        say_when(v, out, when, sizeof when);
    }
    if (v->json) {
        (void)args_print_json(out);
    } else {
        json_decref(out);
    }
    if (verdict == BAD_STALE) {
        return args_fail("no: BAD_STALE: it holds %s, and --max-age wants it newer; get a new proof from a node", when);
    }
    if (verdict == BAD_PIN && v->room.unmet) {
        return args_fail("no: BAD_PIN: the walk to height %" PRIu64 " does not lead over block %" PRIu64
                         ": so pinned, only the proof's own block and those that changed the validators can be met; "
                         "give a checkpoint file",
                         r->header.height, v->from.pin.height);
    }
    return args_fail("no: %s: %s", verdict_name(verdict), verdict_text(verdict));
}

static int load(struct verifying *v, const char *proof_path, struct buffer *out_proof) {
    struct why why = WHY_NONE;
    struct why words = WHY_NONE;
    uint8_t chain_id[CHAIN_ID_LEN];
    if (genesis_json_load(v->genesis_path, &v->genesis, &why) != OK) {
        return args_fail("genesis %s", why.text);
    }
    genesis_chain_id(&v->genesis, &host_crypto, chain_id);
    if (v->pinned != NULL && checkpoint_file_take(v->pinned, chain_id, &v->from, &words) != OK) {
        return args_fail("--checkpoint %s", words.text);
    }
    enum err e = file_read(proof_path, PROOF_MAX, out_proof);
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", proof_path, err_text(e));
}

static int verify_file(struct verifying *v, const char *proof_path) {
    struct buffer proof = BUFFER_INIT;
    int status = load(v, proof_path, &proof);
    if (status == ARGS_GO_ON) {
        enum verdict verdict =
            checkpoint_judge(&v->genesis, v->pinned != NULL ? &v->from : NULL, buffer_bytes(&proof), &v->room);
        if (verdict == GOOD) {
            verdict = freshness_head(v->room.result.header.time_ms, clock_wall_ms(),
                                     freshness_limit(FOLLOWER_COMMAND_LINE, v->max_age_ms, 0));
        }
        status = verdict == GOOD ? say_proven(v) : say_refused(v, verdict);
    }
    buffer_free(&proof);
    genesis_free(&v->genesis);
    return status;
}

static int proof_verify(int argc, char **argv) {
    static struct verifying v;
    const struct args_option options[] = {
        {"genesis", ARGS_TEXT, &v.genesis_path, "FILE", "the chain's genesis.json", 0, 0},
        {"checkpoint", ARGS_TEXT, &v.pinned, "FILE|H:HASH",
         "trust from this checkpoint on; or the walk has to lead "
         "over this block",
         0, 0},
        {"max-age", ARGS_DURATION, &v.max_age_ms, "T", "refuse a proof of an older block (default: any age)", 1,
         INT64_MAX},
        ARGS_JSON(v.json),
        {0},
    };
    const struct args_spec spec = {"proof verify --genesis FILE PROOF [--checkpoint FILE|HEIGHT:HASH] [--max-age T]",
                                   "Checks a proof offline and says what it proves, and as of when.", options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    return v.genesis_path != NULL ? verify_file(&v, operands.item[0]) : args_wrong("which chain? give --genesis FILE");
}

int cmd_proof(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"verify", "check a proof file", proof_verify}, {NULL, NULL, NULL}};
    return args_dispatch("proof", verbs, argc, argv);
}
