/* assay node prune: a stopped node gives the bodies of old blocks back to the disk. */
#include "node/cli/args.h"
#include "node/cli/cmd_node.h"
#include "node/home/home_trim.h"

#include <stdio.h>

static int tell(const struct home_prune_report *r, bool json) {
    if (json) {
        return args_print_json(json_pack("{s:I, s:I, s:I, s:I, s:b}", "height", (json_int_t)r->head, "bodies_from",
                                         (json_int_t)r->kept_from, "bytes_before", (json_int_t)r->before, "bytes_after",
                                         (json_int_t)r->after, "limited", (int)r->limited));
    }
    printf("bodies are kept from height %llu of %llu on%s; the block log had %.1f MiB and has %.1f MiB\n",
           (unsigned long long)r->kept_from, (unsigned long long)r->head,
           r->limited ? " (all of the expiry window stay)" : "", (double)r->before / 1048576.0,
           (double)r->after / 1048576.0);
    return 0;
}

static int prune(const char *path, const struct home_prune_wish *wish, bool json) {
    struct daemon_home home;
    struct home_prune_report report;
    struct why why = WHY_NONE;
    int status = 0;
    if (!cmd_node_begin("prune", path, &home, &status)) {
        return status;
    }
    enum err e = home_prune(&home, wish, &report, &why);
    status = cmd_node_end("prune", &home, e, &why);
    return status == 0 ? tell(&report, json) : status;
}

int cmd_node_prune(int argc, char **argv) {
    const char *path = NULL, *before = NULL;
    struct home_prune_wish wish = {0};
    bool json = false;
    const struct args_option options[] = {
        CMD_NODE_HOME(path),
        {"keep", ARGS_NUMBER, &wish.count, "N", "keep the bodies of the last N blocks", 1, UINT64_MAX},
        {"before", ARGS_TEXT, &before, "TIME", "give back those before TIME (2026-11-21, 2026-11-21T06:50:00Z)", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node prune --home HOME --keep N | --before TIME",
        "Gives the bodies of a stopped node's old blocks back to the disk, in whole files of the block log. Headers, "
        "finalizations, receipts and histories stay, and so do all bodies within the longest lifetime of a "
        "transaction. "
        "(A running node does the same by itself where ledger.keep_bodies_ms is set.)",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if ((wish.count != 0) == (before != NULL)) {
        return args_wrong("what to keep? give --keep N or --before TIME");
    }
    if (before != NULL && !args_time(before, &wish.since_ms)) {
        return args_wrong("--before '%s' is no time: 2026-11-21, 2026-11-21T06:50:00Z or milliseconds since 1970",
                          before);
    }
    return prune(path, &wish, json);
}
