/* assay node join: a stopped node gets its ledger from a state snapshot of others. */
#include "node/cli/args.h"
#include "node/cli/cmd_node.h"
#include "node/fetch/client.h"
#include "node/home/daemon_home.h"
#include "node/home/home_join.h"

#include <stdio.h>
#include <unistd.h>

static bool show(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total) {
    static const char *const names[] = {"ms of waiting for a snapshot that is being made", "bytes of the snapshot",
                                        "chunks built in"};
    cmd_node_progress(arg, names[part], done, total);
    return true;
}

/* On a line of its own; the progress line is drawn again by itself. */
static void tell_left(void *arg, const char *url, enum err reason, const char *what) {
    (void)arg;
    cmd_node_progress_end();
    (void)fprintf(stderr, "assay: %s %s: %s\n", url, reason == ERR_MISMATCH ? "is asked no more" : "is left out", what);
}

static int tell(const char *path, const struct snapshot_join_report *r, bool json) {
    char block[2 * HASH_LEN + 1];
    hex_encode(r->block, HASH_LEN, block);
    if (json) {
        return args_print_json(json_pack("{s:b, s:I, s:s, s:I, s:I}", "joined", (int)r->joined, "height",
                                         (json_int_t)r->height, "hash", block, "bytes", (json_int_t)r->bytes, "fetched",
                                         (json_int_t)r->fetched));
    }
    if (!r->joined) {
        printf("%s: nobody offers a snapshot that is newer than this node's own ledger\n", path);
    } else {
        printf("%s: joined at height %llu (block %s), %.1f MiB, of which %.1f MiB fetched now; start the node\n", path,
               (unsigned long long)r->height, block, (double)r->bytes / 1048576.0, (double)r->fetched / 1048576.0);
    }
    return 0;
}

static int join(const char *path, const struct args_list *from, const struct checkpoint_file *pinned, bool json) {
    struct daemon_home home;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    int status = 0;
    if (client_start() != OK) {
        return args_fail("join: the HTTP library did not start");
    }
    if (!cmd_node_begin("join", path, &home, &status)) {
        return status;
    }
    const struct home_join_config config = {.home = &home,
                                            .sources = from->item,
                                            .source_count = from->count,
                                            .pin = pinned,
                                            .wanted = true,
                                            .progress = show,
                                            .source_left = tell_left};
    enum err e = home_join(&config, &report, &why);
    cmd_node_progress_end();
    status = cmd_node_end("join", &home, e, &why);
    return status == 0 ? tell(path, &report, json) : status;
}

int cmd_node_join(int argc, char **argv) {
    const char *path = NULL, *checkpoint = NULL;
    struct args_list from = {.count = 0};
    static struct checkpoint_file pinned;
    struct why why = WHY_NONE;
    bool json = false;
    const struct args_option options[] = {
        CMD_NODE_HOME(path),
        {"from", ARGS_LIST, &from, "URL",
         "a full node to fetch from; the nodes that the home's ledger knows, or genesis.json, if none is given", 0, 0},
        {"checkpoint", ARGS_TEXT, &checkpoint, "HEIGHT:HASH|FILE",
         "a block known to be good, or a checkpoint file; needed where genesis is old", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node join --home HOME [--from URL]... [--checkpoint HEIGHT:HASH|FILE]",
        "Gets a stopped node's ledger from a state snapshot of full nodes, each piece checked against a finalized "
        "block. What the node had stays in place until all of it is here; interrupted, the same command goes on. The "
        "vote journal is kept. (A node that is new or far behind does the same by itself when it starts.)",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum err e = checkpoint != NULL ? checkpoint_file_take(checkpoint, NULL, &pinned, &why) : OK;
    if (e != OK) {
        return e == ERR_NOTFOUND ? args_wrong("--checkpoint %s", why.text) : args_fail("--checkpoint %s", why.text);
    }
    return join(path, &from, checkpoint != NULL ? &pinned : NULL, json);
}
