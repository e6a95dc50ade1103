/* assay node export: the last final state of a lost chain as the beginning of a new one. */
#include "node/cli/args.h"
#include "node/cli/cmd_node.h"
#include "node/cli/moment.h"
#include "node/home/home_export.h"

#include <stdio.h>

static int tell(const char *dir, const struct home_export_report *r, bool json) {
    char chain[65], old[65], hash[65], root[65], records[65], begin[MOMENT_MAX];
    moment_text(r->begin_ms, begin);
    hex_encode(r->chain_id, CHAIN_ID_LEN, chain);
    hex_encode(r->from.chain_id, CHAIN_ID_LEN, old);
    hex_encode(r->from.block_hash, HASH_LEN, hash);
    hex_encode(r->from.state_root, HASH_LEN, root);
    hex_encode(r->from.records_hash, SHA256_LEN, records);
    if (json) {
        return args_print_json(json_pack("{s:s, s:s, s:I, s:s, s:I, s:s, s:s, s:s, s:I, s:I}", "dir", dir, "chain_id",
                                         chain, "begin_ms", (json_int_t)r->begin_ms, "predecessor_chain_id", old,
                                         "height", (json_int_t)r->from.height, "block_hash", hash, "state_root", root,
                                         "records_hash", records, "records", (json_int_t)r->records, "validators",
                                         (json_int_t)r->validators));
    }
    printf("%s: a new chain %s of %zu validators that takes over %llu records from\n"
           "chain %s, block %llu (%s), and begins at %s\n"
           "Compare with the other organisations before anybody starts: sha256 of genesis.json, and records_hash\n%s\n",
           dir, chain, r->validators, (unsigned long long)r->records, old, (unsigned long long)r->from.height, hash,
           begin, records);
    return 0;
}

int cmd_node_export(int argc, char **argv) {
    const char *path = NULL, *dir = NULL, *begin = NULL;
    struct args_list validators = {.count = 0};
    static struct home_export_wish wish;
    bool json = false;
    const struct args_option options[] = {
        {"home", ARGS_TEXT, &path, "HOME", "the folder of a stopped node of the lost chain", 0, 0},
        {"out", ARGS_NEEDED, &dir, "DIR", "where to write; must not exist", 0, 0},
        {"validator", ARGS_LIST, &validators, "KEY", "signing keys of the new chain's validators, in order", 0, 0},
        {"begin", ARGS_TEXT, &begin, "TIME", "when the new chain begins (default: with the old one's last block)", 0,
         0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node export --home HOME --out DIR [--validator KEY,...] [--begin TIME]",
        "When more than f validators are lost for good, or the last block is years ahead of real time: writes "
        "genesis.json and predecessor.records of a new chain that begins with the last final state of the old one. "
        "What "
        "comes out is the same on every node with the same last block, asked for the same validators and beginning.",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    for (size_t i = 0; i < validators.count; i++) {
        if (hex_decode(validators.item[i], wish.validators[i], ED25519_KEY_LEN) != OK) {
            return args_wrong("--validator '%s' is no signing key of 64 hex digits", validators.item[i]);
        }
    }
    wish.validator_count = validators.count;
    if (begin != NULL && !args_time(begin, &wish.begin_ms)) {
        return args_wrong("--begin '%s' is no time: 2026-11-21, 2026-11-21T06:50:00Z or milliseconds since 1970",
                          begin);
    }
    struct daemon_home home;
    struct home_export_report report;
    struct why why = WHY_NONE;
    if (!cmd_node_begin("export", path, &home, &status)) {
        return status;
    }
    enum err e = home_export(&home, dir, &wish, &report, &why);
    status = cmd_node_end("export", &home, e, &why);
    return status == 0 ? tell(dir, &report, json) : status;
}
