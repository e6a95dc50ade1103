/* assay node backup: a consistent copy of a node's ledger, also while it runs. */
#include "node/cli/cmd_node.h"
#include "node/home/home_backup.h"

#include <stdio.h>

static int tell(const char *dir, const struct home_backup_report *r, bool json) {
    char hash[2 * HASH_LEN + 1];
    hex_encode(r->head.hash, HASH_LEN, hash);
    if (json) {
        return args_print_json(json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "dir", dir, "height",
                                         (json_int_t)r->head.header.height, "hash", hash, "bodies_from",
                                         (json_int_t)r->bodies_from, "log_height", (json_int_t)r->log_height, "bytes",
                                         (json_int_t)r->bytes));
    }
    printf("%s: the ledger up to block %llu (state as of %llu, %s)\n"
           "Without keys and vote journal: put back, it is an observer. Check it with: assay node verify --home %s\n",
           dir, (unsigned long long)r->log_height, (unsigned long long)r->head.header.height, hash, dir);
    return 0;
}

int cmd_node_backup(int argc, char **argv) {
    const char *path = NULL;
    bool json = false;
    const struct args_option options[] = {
        CMD_NODE_HOME(path),
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node backup --home HOME DIR",
        "Copies a node's ledger, running or stopped, into DIR, which must not exist: checkpoint, block log, genesis "
        "and "
        "configuration with role observer, but no keys, vote journal or images. The copy is read back before DIR gets "
        "its name.",
        options, 1, 1};
    struct args_operands operands;
    struct daemon_home home;
    int status;
    struct home_backup_report report;
    struct why why = WHY_NONE;
    if (!cmd_node_take(&spec, argc, argv, &path, &operands, &home, &status)) {
        return status;
    }
    enum err e = home_backup(&home, operands.item[0], &report, &why);
    status = cmd_node_end("backup", &home, e, &why);
    return status == 0 ? tell(operands.item[0], &report, json) : status;
}
