/* assay genesis check|seal: what a draft or a genesis says, and the one made from the other. */
#include "node/cli/cmd_genesis.h"

#include "base/file.h"
#include "base/sha256.h"
#include "contracts/contracts.h"
#include "node/cli/args.h"
#include "node/cli/out_file.h"
#include "node/host/config.h"
#include "node/host/host_crypto.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENOUGH_VALIDATORS 4 /* the fewest that stand the loss of one */

/* What a genesis comes to; strings are "" while there is none. */
struct facts {
    size_t orgs;
    uint16_t validators, f, quorum;
    char chain_id[2 * CHAIN_ID_LEN + 1];
    char sha256[2 * SHA256_LEN + 1]; /* of genesis.json */
    json_t *missing, *warnings;      /* sentences */
};

static void note(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(json_t *list, const char *format, ...) {
    struct why text = WHY_NONE;
    va_list args;
    va_start(args, format);
    why_vset(&text, format, args);
    va_end(args);
    (void)json_array_append_new(list, json_string(text.text));
}

static void hash_text(struct bytes text, char out[2 * SHA256_LEN + 1]) {
    uint8_t hash[SHA256_LEN];
    sha256(text.data, text.len, hash);
    hex_encode(hash, sizeof hash, out);
}

static size_t validators_of(const struct genesis *genesis, const char *org) {
    size_t count = 0;
    for (size_t i = 0; i < genesis->node_count; i++) {
        count += genesis->nodes[i].role == NODE_VALIDATOR && strcmp(genesis->nodes[i].org, org) == 0;
    }
    return count;
}

/* The caller releases the lists. */
static void gather(const struct genesis *genesis, struct facts *out) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN], chain_id[CHAIN_ID_LEN];
    *out = (struct facts){.orgs = genesis->org_count, .validators = genesis_validators(genesis, keys)};
    out->missing = json_array();
    out->warnings = json_array();
    if (out->validators == 0) {
        return;
    }
    out->quorum = validators_quorum(out->validators);
    out->f = (uint16_t)(out->validators - out->quorum);
    genesis_chain_id(genesis, &host_crypto, chain_id);
    hex_encode(chain_id, sizeof chain_id, out->chain_id);
    if (out->validators < ENOUGH_VALIDATORS) {
        note(out->warnings, "%u validators are fewer than %d: when one is down the chain stands", out->validators,
             ENOUGH_VALIDATORS);
        return;
    }
    for (size_t i = 0; i < genesis->org_count; i++) {
        size_t own = validators_of(genesis, genesis->orgs[i].id);
        if (own > out->f) {
            note(out->warnings,
                 "organisation %s has %zu of %u validators, more than f = %u: alone it can stop the chain",
                 genesis->orgs[i].id, own, out->validators, out->f);
        }
    }
}

static void gather_missing(const struct genesis_draft *draft, struct facts *facts) {
    struct buffer text = BUFFER_INIT;
    struct why why = WHY_NONE;
    for (size_t i = 0; i < draft->part_count; i++) {
        size_t need = genesis_draft_unsigned(&draft->parts[i]);
        if (need > 0) {
            note(facts->missing, "organisation %s: %zu more of its admins must sign (assay genesis sign)",
                 draft->parts[i].org.id, need);
        }
    }
    if (facts->validators == 0) {
        note(facts->missing, "a validator (assay genesis add --node)");
    }
    if (genesis_draft_seal(draft, &host_crypto, &text, &why) == OK) {
        hash_text(buffer_bytes(&text), facts->sha256);
    }
    buffer_free(&text);
}

/* ---- Printing ---- */

static void print_list(const char *head, const json_t *list) {
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        printf("%s: %s\n", head, json_string_value(item));
    }
}

static void print_part(const struct genesis_draft_part *part) {
    char hex[2 * ED25519_KEY_LEN + 1];
    printf("organisation %s (%s), %s: %zu of %u signatures\n", part->org.id, org_kind_names[part->org.kind],
           part->org.name, part->signature_count, part->org.admin_threshold);
    for (size_t i = 0; i < part->org.admin_count; i++) {
        bool has_signed = false;
        for (size_t j = 0; j < part->signature_count; j++) {
            has_signed |= memcmp(part->signatures[j].admin, part->org.admins[i], ED25519_KEY_LEN) == 0;
        }
        hex_encode(part->org.admins[i], ED25519_KEY_LEN, hex);
        printf("  admin      %s%s\n", hex, has_signed ? " has signed" : "");
    }
    for (size_t i = 0; i < part->node_count; i++) {
        const struct genesis_node *node = &part->nodes[i];
        hex_encode(node->key, sizeof node->key, hex);
        printf("  %-9s  %s %s %s\n", node_role_names[node->role], hex, node->peer, node->http);
    }
}

static void print_params(const struct genesis_params *p) {
    printf("parameters: heartbeat_ms %u, max_block_txs %u, max_block_bytes %u, tx_max_lifetime_ms %" PRIu64
           ", vote_threshold_percent %u, protocol_version %u\n",
           p->heartbeat_ms, p->max_block_txs, p->max_block_bytes, p->tx_max_lifetime_ms, p->vote_threshold_percent,
           p->protocol_version);
}

static void print_facts(const struct facts *facts) {
    printf("organisations %zu, validators %u", facts->orgs, facts->validators);
    if (facts->validators > 0) {
        printf(", quorum %u, f %u (so many validators may fail)\nchain id %s\n", facts->quorum, facts->f,
               facts->chain_id);
    } else {
        printf("\n");
    }
    if (facts->sha256[0] != '\0') {
        printf("SHA-256 of genesis.json %s\n", facts->sha256);
    }
    print_list("missing", facts->missing);
    print_list("warning", facts->warnings);
}

/* Members that a text has none of are left out. Borrows the facts. */
static json_t *facts_json(const char *kind, const char *name, const struct facts *facts) {
    json_t *json =
        json_pack("{s:s, s:s, s:I, s:i, s:i, s:i, s:O, s:O}", "kind", kind, "name", name, "organisations",
                  (json_int_t)facts->orgs, "validators", (int)facts->validators, "quorum", (int)facts->quorum, "f",
                  (int)facts->f, "missing", facts->missing, "warnings", facts->warnings);
    if (facts->chain_id[0] != '\0') {
        (void)json_object_set_new(json, "chain_id", json_string(facts->chain_id));
    }
    if (facts->sha256[0] != '\0') {
        (void)json_object_set_new(json, "sha256", json_string(facts->sha256));
    }
    return json;
}

static void release(struct facts *facts) {
    json_decref(facts->missing);
    json_decref(facts->warnings);
}

/* ---- check ---- */

static int check_draft(const char *path, struct bytes text, bool json) {
    struct genesis_draft draft = {0};
    struct genesis genesis = {0};
    struct facts facts;
    struct why why = {"out of memory"};
    enum err e = genesis_draft_parse(text, &draft, &why);
    if (e == OK) {
        e = genesis_draft_check(&draft, &host_crypto, &why);
    }
    if (e == OK) {
        e = genesis_draft_genesis(&draft, &genesis);
    }
    if (e != OK) {
        genesis_draft_free(&draft);
        return args_fail("%s: %s", path, why.text);
    }
    gather(&genesis, &facts);
    gather_missing(&draft, &facts);
    int status = 0;
    if (json) {
        status = args_print_json(facts_json("draft", draft.name, &facts));
    } else {
        printf("%s: draft of %s, every signature in it verifies\n", path, draft.name);
        print_params(&draft.params);
        for (size_t i = 0; i < draft.part_count; i++) {
            print_part(&draft.parts[i]);
        }
        print_facts(&facts);
    }
    release(&facts);
    genesis_free(&genesis);
    genesis_draft_free(&draft);
    return status;
}

static int check_genesis(const char *path, struct bytes text, bool json) {
    struct genesis genesis;
    struct facts facts;
    struct why why = WHY_NONE;
    enum err e = genesis_json_parse(text, &genesis, &why);
    if (e != OK) {
        return args_fail("%s: %s", path, why_said(&why) ? why.text : err_text(e));
    }
    e = contracts_genesis_check(&genesis, &host_crypto, &why);
    if (e != OK) {
        genesis_free(&genesis);
        return args_fail("%s: %s", path, why_said(&why) ? why.text : err_text(e));
    }
    gather(&genesis, &facts);
    hash_text(text, facts.sha256);
    int status = 0;
    if (json) {
        status = args_print_json(facts_json("genesis", genesis.name, &facts));
    } else {
        printf("%s: genesis of %s\n", path, genesis.name);
        print_params(&genesis.params);
        print_facts(&facts);
    }
    release(&facts);
    genesis_free(&genesis);
    return status;
}

int cmd_genesis_check(int argc, char **argv) {
    bool json = false;
    const struct args_option options[] = {ARGS_JSON(json), {0}};
    const struct args_spec spec = {"genesis check FILE",
                                   "Checks a draft with its signatures, or a genesis.json, and says what it comes to.",
                                   options, 1, 1};
    struct args_operands operands;
    struct buffer text = BUFFER_INIT;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum err e = file_read(operands.item[0], GENESIS_JSON_MAX, &text);
    if (e != OK) {
        status = args_fail("%s: %s", operands.item[0], err_text(e));
    } else if (genesis_draft_is(buffer_bytes(&text))) {
        status = check_draft(operands.item[0], buffer_bytes(&text), json);
    } else {
        status = check_genesis(operands.item[0], buffer_bytes(&text), json);
    }
    buffer_free(&text);
    return status;
}

/* ---- seal ---- */

static int seal(const char *path, const char *out, bool json) {
    struct genesis_draft draft = {0};
    struct buffer text = BUFFER_INIT;
    struct why why = WHY_NONE;
    int status = cmd_genesis_load(path, &draft);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (genesis_draft_seal(&draft, &host_crypto, &text, &why) != OK) {
        status = args_fail("%s: %s", path, why.text);
    }
    if (status == ARGS_GO_ON) {
        status = out_file_write(out, buffer_bytes(&text));
    }
    if (status == ARGS_GO_ON) {
        status = check_genesis(out, buffer_bytes(&text), json);
    }
    if (status == 0 && !json) {
        printf("next: every organisation seals for itself and compares the SHA-256 with the others, by voice or on "
               "paper; then the file goes into every home\n");
    }
    buffer_free(&text);
    genesis_draft_free(&draft);
    return status;
}

int cmd_genesis_seal(int argc, char **argv) {
    const char *out = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"out", ARGS_TEXT, &out, "FILE", "the genesis.json to make", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"genesis seal DRAFT --out genesis.json",
                                   "Makes genesis.json of a draft that every organisation has signed: the same bytes "
                                   "wherever it is done.",
                                   options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && out == NULL) {
        return args_wrong("genesis seal needs --out");
    }
    if (status == ARGS_GO_ON) {
        status = cmd_genesis_refuse_existing(out);
    }
    return status == ARGS_GO_ON ? seal(operands.item[0], out, json) : status;
}
