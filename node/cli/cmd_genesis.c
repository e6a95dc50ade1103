/* assay genesis new|add|sign: organisations found a chain together, each on its own machine. */
#include "node/cli/cmd_genesis.h"

#include "base/clock.h"
#include "base/file.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/host/config.h"
#include "node/host/host_crypto.h"
#include "node/host/keyfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Files ---- */

int cmd_genesis_load(const char *path, struct genesis_draft *out) {
    struct buffer text = BUFFER_INIT;
    struct why why = WHY_NONE;
    enum err e = file_read(path, GENESIS_JSON_MAX, &text);
    if (e != OK) {
        why_set(&why, "%s", err_text(e));
    } else {
        e = genesis_draft_parse(buffer_bytes(&text), out, &why);
    }
    buffer_free(&text);
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", path, why.text);
}

/* A draft goes to disk only when what is in it holds. */
static int save_draft(const char *path, const struct genesis_draft *draft) {
    struct buffer text = BUFFER_INIT;
    struct why why = WHY_NONE;
    enum err e = genesis_draft_check(draft, &host_crypto, &why);
    if (e != OK) {
        return args_fail("%s is not written: %s", path, why.text);
    }
    e = genesis_draft_render(draft, &text);
    if (e == OK) {
        e = file_write(path, buffer_bytes(&text), 0644);
    }
    buffer_free(&text);
    return e == OK ? ARGS_GO_ON : args_fail("%s: %s", path, err_text(e));
}

int cmd_genesis_refuse_existing(const char *path) {
    return access(path, F_OK) == 0 ? args_fail("%s exists; choose another name or move it away", path) : ARGS_GO_ON;
}

/* ---- new ---- */

static int genesis_new(int argc, char **argv) {
    struct genesis_draft draft = {0};
    const char *name = NULL, *out = NULL;
    bool json = false;
    genesis_params_default(&draft.params);
    uint64_t heartbeat_ms = draft.params.heartbeat_ms, threshold = draft.params.vote_threshold_percent;
    const struct args_option options[] = {
        {"name", ARGS_TEXT, &name, "NAME", "the chain's name", 0, 0},
        {"out", ARGS_TEXT, &out, "DRAFT", "the file to make", 0, 0},
        {"heartbeat", ARGS_DURATION, &heartbeat_ms, "T", "an empty block at least so often (default 10s; 0: never)", 0,
         UINT32_MAX},
        {"vote-threshold", ARGS_NUMBER, &threshold, "P",
         "percent of the organisations that a proposal needs "
         "(default 67)",
         51, 100},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"genesis new --name NAME --out DRAFT [options]",
                                   "Begins a draft: the head that every organisation signs along with its part.",
                                   options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (name == NULL || out == NULL) {
        return args_wrong("genesis new needs --name and --out");
    }
    if (strlen(name) > GENESIS_NAME_MAX) {
        return args_wrong("--name has at most %d bytes", GENESIS_NAME_MAX);
    }
    memcpy(draft.name, name, strlen(name) + 1);
    draft.time_ms = clock_wall_ms();
    random_fill(draft.salt, sizeof draft.salt);
    draft.params.heartbeat_ms = (uint32_t)heartbeat_ms;
    draft.params.vote_threshold_percent = (uint32_t)threshold;
    status = cmd_genesis_refuse_existing(out);
    if (status == ARGS_GO_ON) {
        status = save_draft(out, &draft);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (json) {
        return args_print_json(json_pack("{s:s, s:s}", "draft", out, "name", name));
    }
    printf("%s: draft of %s\nnext: every organisation adds its part (assay genesis add)\n", out, name);
    return 0;
}

/* ---- Keys ---- */

/* The key files of `files` that are no public keys in hex, loaded. The caller wipes `keys`. */
struct admin_keys {
    struct keyfile keys[GENESIS_ADMINS_MAX];
    size_t count;
};

static void forget_keys(struct admin_keys *keys) {
    for (size_t i = 0; i < keys->count; i++) {
        keyfile_wipe(&keys->keys[i]);
    }
    keys->count = 0;
}

static int load_admin(const char *path, const char *passphrase_file, struct admin_keys *keys) {
    struct buffer passphrase = BUFFER_INIT;
    struct why why = WHY_NONE;
    enum err e = passphrase_file == NULL ? OK : keyfile_read_passphrase(passphrase_file, &passphrase, &why);
    if (e == OK) {
        e = keyfile_load(path, KEYFILE_ED25519, buffer_bytes(&passphrase), &keys->keys[keys->count], &why);
        keys->count += e == OK;
    }
    if (passphrase.data != NULL) {
        secure_wipe(passphrase.data, passphrase.cap);
    }
    buffer_free(&passphrase);
    return e == OK ? ARGS_GO_ON : args_fail("%s", why.text);
}

static int sign_with(const struct genesis_draft *draft, struct genesis_draft_part *part,
                     const struct admin_keys *admins) {
    for (size_t i = 0; i < admins->count; i++) {
        enum err e = genesis_draft_sign(draft, part, admins->keys[i].public_key, admins->keys[i].secret);
        if (e != OK) {
            return args_fail("organisation %s: %s", part->org.id, err_text(e));
        }
    }
    return ARGS_GO_ON;
}

/* ---- add ---- */

struct addition {
    const char *org, *kind, *name, *passphrase_file;
    struct args_list admins, nodes;
    uint64_t threshold;
    bool json;
};

/* `text` into a record's field of `size` bytes. */
static int take_text(const char *what, const char *text, size_t len, char *out, size_t size) {
    if (len >= size) {
        return args_wrong("%s has at most %zu bytes", what, size - 1);
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return ARGS_GO_ON;
}

static int take_kind(const char *text, enum org_kind *out) {
    return org_kind_of(bytes_str(text), out)
               ? ARGS_GO_ON
               : args_wrong("--kind '%s' is none of vendor, broker, operator, owner", text);
}

static int take_org(const struct addition *a, struct genesis_org *org, struct admin_keys *keys) {
    int status = take_text("--org", a->org, strlen(a->org), org->id, sizeof org->id);
    if (status == ARGS_GO_ON) {
        status = take_text("--name", a->name, strlen(a->name), org->name, sizeof org->name);
    }
    if (status == ARGS_GO_ON) {
        status = take_kind(a->kind, &org->kind);
    }
    if (status == ARGS_GO_ON && a->admins.count > GENESIS_ADMINS_MAX) {
        status = args_wrong("--admin may be given at most %d times", GENESIS_ADMINS_MAX);
    }
    for (size_t i = 0; i < a->admins.count && status == ARGS_GO_ON; i++) {
        uint8_t *admin = org->admins[org->admin_count];
        if (hex_decode(a->admins.item[i], admin, ED25519_KEY_LEN) != OK) {
            status = load_admin(a->admins.item[i], a->passphrase_file, keys);
            if (status == ARGS_GO_ON) {
                memcpy(admin, keys->keys[keys->count - 1].public_key, ED25519_KEY_LEN);
            }
        }
        org->admin_count++;
    }
    if (status == ARGS_GO_ON && a->threshold > org->admin_count) {
        status = args_wrong("--threshold %" PRIu64 " is more than the %u admins", a->threshold, org->admin_count);
    }
    org->admin_threshold = (uint8_t)a->threshold;
    return status;
}

/* A node's public key out of its home's key file. */
static int take_key(const char *path, enum keyfile_type type, uint8_t out[ED25519_KEY_LEN]) {
    struct keyfile key;
    struct why why = WHY_NONE;
    if (keyfile_load(path, type, bytes_of(NULL, 0), &key, &why) != OK) {
        return args_fail("%s", why.text);
    }
    memcpy(out, key.public_key, ED25519_KEY_LEN);
    keyfile_wipe(&key);
    return ARGS_GO_ON;
}

/* HOME=PEER,URL; either address may be empty. */
static int take_node(const char *text, const struct genesis_org *org, struct genesis_node *out) {
    struct why why = WHY_NONE;
    char home[CONFIG_PATH_MAX];
    struct config config;
    const char *equals = strrchr(text, '=');
    if (equals == NULL || equals == text) {
        return args_wrong("--node '%s' is not HOME=HOST:PORT,URL", text);
    }
    const char *peer = equals + 1;
    size_t peer_len = strcspn(peer, ",");
    const char *http = peer[peer_len] == ',' ? peer + peer_len + 1 : "";
    int status = take_text("a home's path", text, (size_t)(equals - text), home, sizeof home);
    if (status == ARGS_GO_ON) {
        status = take_text("a peer address", peer, peer_len, out->peer, sizeof out->peer);
    }
    if (status == ARGS_GO_ON) {
        status = take_text("an HTTP address", http, strlen(http), out->http, sizeof out->http);
    }
    if (status == ARGS_GO_ON && config_load_home(home, &config, &why) != OK) {
        return args_fail("%s", why.text);
    }
    if (status == ARGS_GO_ON && strcmp(config.node.org, org->id) != 0) {
        return args_fail("%s is a home of organisation '%s', not of %s (node.org in its assay.conf)", home,
                         config.node.org, org->id);
    }
    if (status == ARGS_GO_ON) {
        status = take_key(config.node.key_file, KEYFILE_ED25519, out->key);
    }
    if (status == ARGS_GO_ON) {
        status = take_key(config.node.link_key_file, KEYFILE_X25519, out->link_key);
    }
    if (status == ARGS_GO_ON) {
        out->role = config.node.role;
        memcpy(out->org, org->id, sizeof out->org);
    }
    return status;
}

static int take_nodes(const struct addition *a, struct genesis_draft_part *part) {
    int status = ARGS_GO_ON;
    part->nodes = calloc(a->nodes.count + 1, sizeof *part->nodes);
    if (part->nodes == NULL) {
        return args_fail("%s", err_text(ERR_NOMEM));
    }
    for (size_t i = 0; i < a->nodes.count && status == ARGS_GO_ON; i++) {
        status = take_node(a->nodes.item[i], &part->org, &part->nodes[part->node_count++]);
    }
    return status;
}

/* Says what the part is and what it lacks; the end of add and sign. */
static int print_part(const char *path, const struct genesis_draft_part *part, bool json) {
    size_t need = genesis_draft_unsigned(part);
    if (json) {
        return args_print_json(json_pack("{s:s, s:s, s:I, s:I, s:i, s:b}", "draft", path, "organisation", part->org.id,
                                         "nodes", (json_int_t)part->node_count, "signatures",
                                         (json_int_t)part->signature_count, "threshold", (int)part->org.admin_threshold,
                                         "signed", need == 0));
    }
    printf("%s: organisation %s, %zu nodes, %zu of %u signatures\n", path, part->org.id, part->node_count,
           part->signature_count, part->org.admin_threshold);
    printf(need > 0 ? "next: another of its admins signs (assay genesis sign)\n"
                    : "next: hand the draft on; assay genesis check says what it lacks\n");
    return 0;
}

static int add_part(const char *path, const struct addition *a, struct genesis_draft *draft, struct admin_keys *keys) {
    struct genesis_draft_part part = {0};
    int status = take_org(a, &part.org, keys);
    if (status == ARGS_GO_ON) {
        status = take_nodes(a, &part);
    }
    enum err e = status == ARGS_GO_ON ? genesis_draft_put(draft, &part) : OK;
    if (status == ARGS_GO_ON && e != OK) {
        status = args_fail("%s: %s", path, err_text(e));
    }
    if (status != ARGS_GO_ON) {
        free(part.nodes);
        return status;
    }
    struct genesis_draft_part *put = genesis_draft_find(draft, a->org);
    status = sign_with(draft, put, keys);
    if (status == ARGS_GO_ON) {
        status = save_draft(path, draft);
    }
    return status == ARGS_GO_ON ? print_part(path, put, a->json) : status;
}

static int genesis_add(int argc, char **argv) {
    struct addition a = {.threshold = 1};
    const struct args_option options[] = {
        {"org", ARGS_TEXT, &a.org, "ID", "your organisation: a-z, 0-9 and '-'", 0, 0},
        {"kind", ARGS_TEXT, &a.kind, "KIND", "vendor, broker, operator or owner", 0, 0},
        {"name", ARGS_TEXT, &a.name, "TEXT", "its name in full", 0, 0},
        {"admin", ARGS_REPEAT, &a.admins, "KEY",
         "an admin: its key file, which signs, or 64 hex digits of one that signs later; may be repeated", 0, 0},
        {"threshold", ARGS_NUMBER, &a.threshold, "M", "how many admins speak for it together (default 1)", 1,
         GENESIS_ADMINS_MAX},
        {"node", ARGS_REPEAT, &a.nodes, "HOME=HOST:PORT,URL",
         "a node: its home (assay init), where others reach its links and its HTTP; may be repeated", 0, 0},
        {"passphrase-file", ARGS_TEXT, &a.passphrase_file, "FILE", "passphrase of encrypted admin keys", 0, 0},
        ARGS_JSON(a.json),
        {0},
    };
    const struct args_spec spec = {"genesis add DRAFT --org ID --kind KIND --name TEXT --admin KEY... [options]",
                                   "Puts your organisation and its nodes into the draft, in place of what it had "
                                   "there, and signs.",
                                   options, 1, 1};
    struct args_operands operands;
    struct genesis_draft draft = {0};
    struct admin_keys keys = {.count = 0};
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (a.org == NULL || a.kind == NULL || a.name == NULL || a.admins.count == 0) {
        return args_wrong("genesis add needs --org, --kind, --name and --admin");
    }
    status = cmd_genesis_load(operands.item[0], &draft);
    if (status == ARGS_GO_ON) {
        status = add_part(operands.item[0], &a, &draft, &keys);
    }
    forget_keys(&keys);
    genesis_draft_free(&draft);
    return status;
}

/* ---- sign ---- */

static int sign_part(const char *path, const char *key, const struct admin_keys *keys, struct genesis_draft *draft,
                     bool json) {
    struct genesis_draft_part *part = genesis_draft_find_admin(draft, keys->keys[0].public_key);
    if (part == NULL) {
        return args_fail("%s is the key of no admin in %s; assay genesis check lists them", key, path);
    }
    int status = sign_with(draft, part, keys);
    if (status == ARGS_GO_ON) {
        status = save_draft(path, draft);
    }
    return status == ARGS_GO_ON ? print_part(path, part, json) : status;
}

static int genesis_sign(int argc, char **argv) {
    const char *key = NULL, *passphrase_file = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"key", ARGS_TEXT, &key, "FILE", "the admin's key", 0, 0},
        {"passphrase-file", ARGS_TEXT, &passphrase_file, "FILE", "its passphrase when it is encrypted", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"genesis sign DRAFT --key ADMIN",
                                   "Signs the part of the organisation whose admin this is. Look at it first (assay "
                                   "genesis check).",
                                   options, 1, 1};
    struct args_operands operands;
    struct genesis_draft draft = {0};
    struct admin_keys keys = {.count = 0};
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && key == NULL) {
        return args_wrong("genesis sign needs --key");
    }
    if (status == ARGS_GO_ON) {
        status = cmd_genesis_load(operands.item[0], &draft);
    }
    if (status == ARGS_GO_ON) {
        status = load_admin(key, passphrase_file, &keys);
    }
    if (status == ARGS_GO_ON) {
        status = sign_part(operands.item[0], key, &keys, &draft, json);
    }
    forget_keys(&keys);
    genesis_draft_free(&draft);
    return status;
}

int cmd_genesis(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"new", "begin a draft", genesis_new},
                                             {"add", "put your organisation and its nodes in", genesis_add},
                                             {"sign", "another admin signs", genesis_sign},
                                             {"check", "what a draft or a genesis.json says", cmd_genesis_check},
                                             {"seal", "make genesis.json of a draft", cmd_genesis_seal},
                                             {NULL, NULL, NULL}};
    return args_dispatch("genesis", verbs, argc, argv);
}
