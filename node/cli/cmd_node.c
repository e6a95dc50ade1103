/* assay node verify: the upkeep of a node's own store, offline. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/home_chain.h"
#include "node/host_crypto.h"
#include "node/ledger/chain_verify.h"

#include <stdio.h>
#include <unistd.h>

static void show_progress(void *arg, uint64_t done, uint64_t total) {
    (void)arg;
    (void)fprintf(stderr, "\r%llu of %llu blocks%s", (unsigned long long)done, (unsigned long long)total,
                  done == total ? "\n" : "");
}

static json_t *report_json(const struct chain_verify_report *report, uint64_t height) {
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "height", (json_int_t)height, "blocks",
                     (json_int_t)report->blocks, "transactions", (json_int_t)report->transactions, "certificates",
                     (json_int_t)report->certificates, "leaves", (json_int_t)report->leaves, "wrong", report->wrong);
}

static int verify_home(const char *path, bool json) {
    struct daemon_home home;
    struct home_chain store;
    char why[DAEMON_WHY_MAX] = "";
    enum err e = daemon_home_open(path, &home, why);
    if (e != OK) {
        return args_fail("%s", why[0] != '\0' ? why : err_text(e));
    }
    e = home_chain_open(&home, NULL, &store, why);
    if (e != OK) {
        daemon_home_close(&home);
        return args_fail("%s", why);
    }
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    const struct validator_set set = {(const uint8_t(*)[KEY_LEN])keys, genesis_validators(&home.genesis, keys)};
    struct chain_verify_report report;
    uint64_t height = chain_head(store.chain)->header.height;
    bool bar = !json && isatty(STDERR_FILENO);
    e = chain_verify(store.chain, &set, bar ? show_progress : NULL, NULL, &report);
    home_chain_close(&store);
    daemon_home_close(&home);
    if (json && args_print_json(report_json(&report, height)) != 0) {
        return 1;
    }
    if (e != OK) {
        return args_fail("%s: %s", path, report.wrong[0] != '\0' ? report.wrong : err_text(e));
    }
    if (!json) {
        printf("good: %llu blocks, %llu transactions, %llu finalizations, %llu leaves; height %llu\n",
               (unsigned long long)report.blocks, (unsigned long long)report.transactions,
               (unsigned long long)report.certificates, (unsigned long long)report.leaves, (unsigned long long)height);
    }
    return 0;
}

static int node_verify(int argc, char **argv) {
    const char *home = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"home", ARGS_TEXT, &home, "HOME", "the node's folder", 0, 0},
        {"json", ARGS_FLAG, &json, NULL, "print one JSON document", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "node verify --home HOME",
        "Walks a stopped node's whole store and names the first thing that is wrong: every block's hash chain, "
        "certificates and receipts, and the state tree recomputed from its leaves.",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    return home == NULL ? args_wrong("--home HOME is needed") : verify_home(home, json);
}

int cmd_node(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"verify", "check a node's whole store", node_verify},
        {NULL, NULL, NULL},
    };
    return args_dispatch("node", verbs, argc, argv);
}
