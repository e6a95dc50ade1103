/* assay checkpoint: a small file that pins one block of a chain and the validators from there on. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/moment.h"
#include "node/cli/names.h"
#include "node/cli/out_file.h"
#include "node/cli/txcmd.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/genesis/checkpoint_file.h"
#include "node/genesis/genesis_json.h"
#include "node/home/home_chain.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What the proof is about that a block is taken from: a record that no contract has, so that it is provably absent at
 * every height. Only the header counts. */
#define ABOUT_CONTRACT "checkpoint"
#define BUNDLE_MAX (16u * 1024u * 1024u)

struct make {
    struct txcmd_options client;
    const char *home_path, *genesis_path, *pinned, *key, *passphrase_file, *out;
    uint64_t height;
    struct daemon_home home; /* where --home is given */
    struct genesis genesis;  /* else */
    const struct genesis *chain;
    uint8_t chain_id[CHAIN_ID_LEN];
    struct checkpoint_file from;
    struct checkpoint_room room;
    struct buffer bundle;
};

/* ---- Saying what it is ------------------------------------------------------------------------------------------- */

static void put_hex(json_t *out, const char *name, const uint8_t *data, size_t len) {
    char text[2 * HASH_LEN + 1];
    hex_encode(data, len, text);
    (void)json_object_set_new(out, name, json_string(text));
}

static json_t *in_json(const struct checkpoint *c) {
    char moment[MOMENT_MAX];
    json_t *out =
        json_pack("{s:I, s:I, s:I, s:I}", "height", (json_int_t)c->header.height, "epoch", (json_int_t)c->header.epoch,
                  "time_ms", (json_int_t)c->header.time_ms, "age_ms", (json_int_t)moment_age_ms(c->header.time_ms));
    json_t *keys = json_array();
    moment_text(c->header.time_ms, moment);
    (void)json_object_set_new(out, "as_of", json_string(moment));
    put_hex(out, "chain_id", c->header.chain_id, CHAIN_ID_LEN);
    put_hex(out, "hash", c->hash, HASH_LEN);
    put_hex(out, "validators_hash", c->header.validators_hash, HASH_LEN);
    for (uint16_t i = 0; i < c->validators.count; i++) {
        char text[2 * KEY_LEN + 1];
        hex_encode(c->validators.keys[i], KEY_LEN, text);
        (void)json_array_append_new(keys, json_string(text));
    }
    (void)json_object_set_new(out, "validators", keys);
    (void)json_object_set_new(out, "signed_by", json_null());
    if (c->is_signed) {
        put_hex(out, "signed_by", c->root, KEY_LEN);
    }
    (void)json_object_set_new(
        out, "expired", json_boolean(freshness_start(FOLLOWER_GATEWAY, c->header.time_ms, clock_wall_ms()) != GOOD));
    return out;
}

static void in_words(const struct checkpoint *c) {
    char chain[2 * CHAIN_ID_LEN + 1], hash[2 * HASH_LEN + 1], root[2 * KEY_LEN + 1], moment[MOMENT_MAX],
        age[MOMENT_MAX];
    hex_encode(c->header.chain_id, CHAIN_ID_LEN, chain);
    hex_encode(c->hash, HASH_LEN, hash);
    hex_encode(c->root, KEY_LEN, root);
    moment_text(c->header.time_ms, moment);
    moment_age_text(moment_age_ms(c->header.time_ms), age);
    printf("block   %" PRIu64 ":%s\n", c->header.height, hash);
    printf("chain   %s\n", chain);
    printf("as of   %s, %s ago\n", moment, age);
    printf("epoch   %" PRIu64 ", %u validators\n", c->header.epoch, (unsigned)c->validators.count);
    printf("signed  %s\n", c->is_signed ? root : "by nobody");
    if (freshness_start(FOLLOWER_GATEWAY, c->header.time_ms, clock_wall_ms()) != GOOD) {
        printf("It is older than %d days: gateways and joining nodes want a newer one.\n", FRESHNESS_TRUSTING_DAYS);
    }
}

/* ---- make -------------------------------------------------------------------------------------------------------- */

static int open_chain(struct make *m) {
    struct why why = WHY_NONE;
    struct why words = WHY_NONE;
    if (m->home_path != NULL) {
        enum err e = daemon_home_look(m->home_path, &m->home, &why);
        if (e != OK) {
            return args_fail("checkpoint: %s", why_said(&why) ? why.text : err_text(e));
        }
        m->chain = &m->home.genesis;
    } else {
        if (genesis_json_load(m->genesis_path, &m->genesis, &why) != OK) {
            return args_fail("genesis %s", why.text);
        }
        m->chain = &m->genesis;
    }
    genesis_chain_id(m->chain, &host_crypto, m->chain_id);
    if (m->pinned != NULL && checkpoint_file_take(m->pinned, m->chain_id, &m->from, &words) != OK) {
        return args_fail("--checkpoint %s", words.text);
    }
    return ARGS_GO_ON;
}

static int ask_node(struct make *m) {
    char path[96];
    struct client *client = NULL;
    int status = txcmd_client(&m->client, &client);
    if (status != ARGS_GO_ON) {
        return status;
    }
    (void)snprintf(path, sizeof path, "/v1/proof?contract=" ABOUT_CONTRACT "&key=&height=%" PRIu64, m->height);
    if (client_get_bytes(client, path, "application/octet-stream", BUNDLE_MAX, &m->bundle) != OK) {
        status = args_fail("%s", client_why(client));
    }
    client_free(client);
    return status;
}

static int look_in_home(struct make *m) {
    struct why why = WHY_NONE;
    struct home_chain store;
    struct chain_view view;
    enum err e = home_chain_open(&m->home, NULL, &store, &why);
    if (e != OK) {
        return args_fail("checkpoint: %s; a running node is asked with --node",
                         why_said(&why) ? why.text : err_text(e));
    }
    e = chain_view_open(store.chain, &view);
    if (e == OK) {
        e = chain_view_prove(&view, bytes_str(ABOUT_CONTRACT), bytes_of(NULL, 0), m->height, 0, &m->bundle);
        chain_view_close(&view);
    }
    home_chain_close(&store);
    if (e == OK) {
        return ARGS_GO_ON;
    }
    if (m->height == 0) {
        return args_fail("checkpoint: %s", err_text(e));
    }
    return args_fail("checkpoint: block %" PRIu64
                     " can't be proven any more, or not yet: leave out --height for the newest",
                     m->height);
}

/* The walk that makes the block one to vouch for. */
static int judge(struct make *m) {
    const struct checkpoint_file *from = m->pinned != NULL ? &m->from : NULL;
    enum verdict v = checkpoint_judge(m->chain, from, buffer_bytes(&m->bundle), &m->room);
    if (v != GOOD) {
        return args_fail("no checkpoint: the block's proof fails: %s: %s", verdict_name(v), verdict_text(v));
    }
    return m->height == 0 || m->room.result.header.height == m->height
               ? ARGS_GO_ON
               : args_fail("no checkpoint: the proof is of block %" PRIu64, m->room.result.header.height);
}

static int sign(const struct make *m, struct checkpoint *c, uint8_t raw[CHECKPOINT_MAX], size_t *out_len) {
    struct buffer passphrase = BUFFER_INIT;
    struct keyfile key;
    struct why why = WHY_NONE;
    enum err e = m->passphrase_file != NULL ? keyfile_read_passphrase(m->passphrase_file, &passphrase, &why) : OK;
    if (e == OK) {
        e = keyfile_load(m->key, KEYFILE_ED25519, buffer_bytes(&passphrase), &key, &why);
    }
    if (passphrase.data != NULL) {
        secure_wipe(passphrase.data, passphrase.cap);
    }
    buffer_free(&passphrase);
    if (e != OK) {
        return args_fail("%s", why.text);
    }
    c->is_signed = true;
    memcpy(c->root, key.public_key, KEY_LEN);
    size_t len = checkpoint_encode(c, raw);
    ed25519_sign(key.secret, raw, len, raw + len);
    *out_len = len + SIG_LEN;
    keyfile_wipe(&key);
    return ARGS_GO_ON;
}

/* Only what our own decoder takes is written. */
static int write_file(const struct make *m, const uint8_t *raw, size_t len) {
    static uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct checkpoint back;
    enum verdict v = checkpoint_decode(&host_crypto, bytes_of(raw, len), keys, LIMIT_VALIDATORS, &back);
    if (v != GOOD) {
        return args_fail("no checkpoint: what was made does not read back: %s", verdict_text(v));
    }
    return out_file_write(m->out, bytes_of(raw, len));
}

static int tell_made(const struct make *m, const struct checkpoint *c) {
    uint64_t start_ms = checkpoint_start_ms(m->chain, m->pinned != NULL ? &m->from : NULL);
    bool old_start = freshness_start(FOLLOWER_GATEWAY, start_ms, clock_wall_ms()) != GOOD;
    if (m->client.json) {
        json_t *out = in_json(c);
        (void)json_object_set_new(out, "file", json_string(m->out));
        (void)json_object_set_new(out, "compare", json_boolean(old_start));
        return args_print_json(out);
    }
    in_words(c);
    if (old_start) {
        char age[MOMENT_MAX];
        moment_age_text(moment_age_ms(start_ms), age);
        printf("The walk began %s ago, before the trusting period: compare the block with other organisations before "
               "anybody pins it.\n",
               age);
    }
    return 0;
}

static int make_all(struct make *m) {
    static uint8_t raw[CHECKPOINT_MAX];
    size_t len = 0;
    int status = open_chain(m);
    if (status == ARGS_GO_ON) {
        status = m->home_path != NULL ? look_in_home(m) : ask_node(m);
    }
    if (status == ARGS_GO_ON) {
        status = judge(m);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    struct checkpoint c = {.header = m->room.result.header, .validators = m->room.result.validators};
    memcpy(c.hash, m->room.result.header_hash, HASH_LEN);
    if (m->key != NULL) {
        status = sign(m, &c, raw, &len);
    } else {
        len = checkpoint_encode(&c, raw);
    }
    if (status == ARGS_GO_ON) {
        status = write_file(m, raw, len);
    }
    return status == ARGS_GO_ON ? tell_made(m, &c) : status;
}

static int checkpoint_make(int argc, char **argv) {
    static struct make m;
    const struct args_option options[] = {
        CLIENT_OPTIONS(m.client),
        {"home", ARGS_TEXT, &m.home_path, "HOME", "take it from this stopped node's folder instead", 0, 0},
        {"genesis", ARGS_TEXT, &m.genesis_path, "FILE", "the chain's genesis.json, when a node is asked", 0, 0},
        {"checkpoint", ARGS_TEXT, &m.pinned, "FILE|H:HASH", "walk from there, or past it, not from the genesis alone",
         0, 0},
        {"height", ARGS_NUMBER, &m.height, "N", "of the block (default the newest); of the last minutes", 1, INT64_MAX},
        {"key", ARGS_TEXT, &m.key, "FILE", "sign with this root key of a vendor", 0, 0},
        {"passphrase-file", ARGS_TEXT, &m.passphrase_file, "FILE", "passphrase of an encrypted key", 0, 0},
        {"out", ARGS_TEXT, &m.out, "FILE", "the file to write", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "checkpoint make (--node URL --genesis FILE | --home HOME) --out FILE [options]",
        "Writes a file that pins a final block and the validators of its epoch, once the block's proof has been walked "
        "from the genesis or from another checkpoint. Gateways, joining nodes and proof verify start their trust "
        "there.",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (m.out == NULL) {
        return args_wrong("where to? give --out FILE");
    }
    if ((m.home_path != NULL) == (m.genesis_path != NULL)) {
        return args_wrong("give --genesis FILE with the node that is asked, or --home HOME alone");
    }
    status = make_all(&m);
    buffer_free(&m.bundle);
    genesis_free(&m.genesis);
    if (m.home_path != NULL && m.chain != NULL) {
        daemon_home_close(&m.home);
    }
    return status;
}

/* ---- show -------------------------------------------------------------------------------------------------------- */

static int check_signer(const struct checkpoint *c, const char *path, const uint8_t root[KEY_LEN]) {
    if (!c->is_signed) {
        return args_fail("%s: nobody has signed it", path);
    }
    return memcmp(c->root, root, KEY_LEN) == 0 ? ARGS_GO_ON : args_fail("%s: another key has signed it", path);
}

static int show_file(const char *path, const char *genesis_path, const uint8_t *root, bool json) {
    static struct checkpoint_file file;
    struct genesis genesis;
    uint8_t chain_id[CHAIN_ID_LEN];
    struct why why = WHY_NONE;
    struct why words = WHY_NONE;
    if (genesis_path != NULL) {
        if (genesis_json_load(genesis_path, &genesis, &why) != OK) {
            return args_fail("genesis %s", why.text);
        }
        genesis_chain_id(&genesis, &host_crypto, chain_id);
        genesis_free(&genesis);
    }
    if (checkpoint_file_load(path, genesis_path != NULL ? chain_id : NULL, &file, &words) != OK) {
        return args_fail("%s", words.text);
    }
    int status = root != NULL ? check_signer(&file.checkpoint, path, root) : ARGS_GO_ON;
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (json) {
        return args_print_json(in_json(&file.checkpoint));
    }
    in_words(&file.checkpoint);
    return 0;
}

static int checkpoint_show(int argc, char **argv) {
    const char *genesis = NULL, *key = NULL;
    uint8_t root[KEY_LEN];
    bool json = false;
    const struct args_option options[] = {
        {"genesis", ARGS_TEXT, &genesis, "FILE", "it has to be of this chain", 0, 0},
        {"key", ARGS_TEXT, &key, "KEY", "it has to be signed by this key (hex, or its file)", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"checkpoint show FILE [--genesis FILE] [--key KEY]",
                                   "What a checkpoint pins, and who signed it. Offline.", options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && key != NULL) {
        status = names_public_key("--key", key, root);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    return show_file(operands.item[0], genesis, key != NULL ? root : NULL, json);
}

int cmd_checkpoint(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"make", "pin a block of today in a file", checkpoint_make},
                                             {"show", "what a file pins", checkpoint_show},
                                             {NULL, NULL, NULL}};
    return args_dispatch("checkpoint", verbs, argc, argv);
}
