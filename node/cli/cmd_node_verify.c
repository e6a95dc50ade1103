/* assay node verify: walks a store and names the first thing that is wrong. */
#include "node/cli/args.h"
#include "node/cli/cmd_node.h"
#include "node/home/home_look.h"
#include "node/host/host_crypto.h"
#include "node/ledger/chain_verify.h"

#include <stdio.h>

static json_t *report_json(const struct chain_verify_report *r, long pid) {
    char root[2 * HASH_LEN + 1];
    hex_encode(r->state_root, sizeof r->state_root, root);
    return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:s}", "height",
                     (json_int_t)r->height, "state_root", root, "log_height", (json_int_t)r->log_height, "bodies_from",
                     (json_int_t)r->bodies_from, "blocks", (json_int_t)r->blocks, "bodies", (json_int_t)r->bodies,
                     "transactions", (json_int_t)r->transactions, "certificates", (json_int_t)r->certificates, "epochs",
                     (json_int_t)r->epochs, "leaves", (json_int_t)r->leaves, "entries", (json_int_t)r->entries,
                     "running", pid != 0, "wrong", r->wrong.text);
}

static void print_report(const struct chain_verify_report *r, long pid) {
    printf("good: %llu blocks, %llu transactions, %llu finalizations, %llu leaves; height %llu%s\n",
           (unsigned long long)r->blocks, (unsigned long long)r->transactions, (unsigned long long)r->certificates,
           (unsigned long long)r->leaves, (unsigned long long)r->height,
           pid != 0 ? " (the last checkpoint of the running node)" : "");
    if (r->log_height > r->height) {
        printf("blocks %llu to %llu are in the block log only: links and finalizations checked, not yet their state\n",
               (unsigned long long)r->height + 1, (unsigned long long)r->log_height);
    }
    if (r->bodies_from > 1) {
        printf("bodies are there from height %llu on; below it headers, finalizations and epochs were checked\n",
               (unsigned long long)r->bodies_from);
    }
}

static int verify_home(const char *path, bool json) {
    struct daemon_home home;
    struct home_look look;
    struct chain_verify_report report = {0};
    struct why why = WHY_NONE;
    int status = 0;
    if (!cmd_node_begin("verify", path, &home, &status)) {
        return status;
    }
    enum err e = home_look_open(&home, &look, &why);
    long pid = look.pid;
    if (e == OK) {
        const struct chain_verify_input input = {.crypto = &host_crypto,
                                                 .genesis = &home.genesis,
                                                 .view = look.view,
                                                 .log = look.log,
                                                 .progress = json ? NULL : cmd_node_progress};
        e = chain_verify(&input, &report);
        cmd_node_progress_end();
        home_look_close(&look);
    } else {
        report.wrong = why;
    }
    daemon_home_close(&home);
    if (json && args_print_json(report_json(&report, pid)) != 0) {
        return 1;
    }
    if (e != OK) {
        return args_fail("%s: %s", path, why_said(&report.wrong) ? report.wrong.text : err_text(e));
    }
    if (!json) {
        print_report(&report, pid);
    }
    return 0;
}

int cmd_node_verify(int argc, char **argv) {
    const char *home = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"home", ARGS_TEXT, &home, "HOME", "the node's folder, or a backup", 0, 0},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {
        "node verify --home HOME",
        "Walks a node's whole store, running or stopped, and names the first thing that is wrong: every entry's "
        "checksum, every block's hash chain, certificates and receipts, and the state tree recomputed from its leaves. "
        "Needs no keys and changes nothing.",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    return verify_home(home, json);
}
