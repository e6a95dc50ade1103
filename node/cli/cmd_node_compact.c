/* assay node compact: a stopped node's state store without its free pages. */
#include "node/cli/cmd_node.h"
#include "node/home/home_trim.h"

#include <stdio.h>

int cmd_node_compact(int argc, char **argv) {
    const char *path = NULL;
    bool json = false;
    const struct args_option options[] = {
        CMD_NODE_HOME(path),
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node compact --home HOME",
        "Shrinks a stopped node's state store to what is in use. It needs room for a copy meanwhile; a crash at any "
        "moment leaves the old store or the new one.",
        options, 0, 0};
    struct args_operands operands;
    struct daemon_home home;
    int status;
    uint64_t before = 0, after = 0;
    struct why why = WHY_NONE;
    if (!cmd_node_take(&spec, argc, argv, &path, &operands, &home, &status)) {
        return status;
    }
    enum err e = home_compact(&home, &before, &after, &why);
    status = cmd_node_end("compact", &home, e, &why);
    if (status != 0) {
        return status;
    }
    if (json) {
        return args_print_json(
            json_pack("{s:I, s:I}", "bytes_before", (json_int_t)before, "bytes_after", (json_int_t)after));
    }
    printf("%s: the state store had %.1f MiB and has %.1f MiB\n", path, (double)before / 1048576.0,
           (double)after / 1048576.0);
    return 0;
}
