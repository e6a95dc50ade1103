/* assay node verify|recover: the upkeep of a node's own store, offline. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/home_chain.h"
#include "node/host_crypto.h"
#include "node/ledger/chain_verify.h"
#include "node/ledger/journal.h"

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

/* ---- recover ------------------------------------------------------------------------------------------------------ */

struct journal_facts {
    uint64_t votes, proposals, bodies, certificates;
    uint64_t highest_view;
};

static enum err count_vote(void *arg, const struct consensus_vote *vote) {
    struct journal_facts *facts = arg;
    *(vote->subject.kind == VOTE_PROPOSE ? &facts->proposals : &facts->votes) += 1;
    facts->highest_view = vote->subject.view > facts->highest_view ? vote->subject.view : facts->highest_view;
    return OK;
}

static enum err count_body(void *arg, struct bytes body) {
    struct journal_facts *facts = arg;
    (void)body;
    facts->bodies++;
    return OK;
}

static enum err count_certificate(void *arg, struct bytes certificate) {
    struct journal_facts *facts = arg;
    (void)certificate;
    facts->certificates++;
    return OK;
}

/* Reads the vote journal of a stopped validator; changes nothing. */
static enum err read_journal(const struct daemon_home *home, struct journal_facts *facts) {
    char dir[CONFIG_PATH_MAX];
    struct journal *journal = NULL;
    enum err e = home_path(home, "journal", dir);
    const struct journal_config config = {
        .disk = disk_posix(), .dir = dir, .segment_bytes = HOME_JOURNAL_SEGMENT_BYTES};
    const struct journal_reader reader = {
        .vote = count_vote, .body = count_body, .certificate = count_certificate, .arg = facts};
    if (e == OK) {
        e = journal_open(&config, &reader, &journal);
    }
    journal_close(journal);
    return e;
}

static int tell_journal(const struct journal_facts *facts, enum err e, bool json) {
    if (json) {
        int status = args_print_json(
            json_pack("{s:b, s:I, s:I, s:I, s:I, s:I}", "sound", e == OK, "votes", (json_int_t)facts->votes,
                      "proposals", (json_int_t)facts->proposals, "bodies", (json_int_t)facts->bodies, "certificates",
                      (json_int_t)facts->certificates, "highest_view", (json_int_t)facts->highest_view));
        if (status != 0) {
            return status;
        }
    }
    if (e != OK) {
        return args_fail(
            "the vote journal is damaged (%s): start the node, it follows without voting; do not delete the "
            "journal, and do not put an old copy back: votes that it forgot could be cast twice. Give this "
            "validator a fresh key by a vote of the organisations",
            journal_error());
    }
    if (!json) {
        printf(
            "the vote journal is sound: %llu votes, %llu proposals, %llu bodies, highest view %llu\n"
            "If the node still refuses to vote with the alarm old-journal, a peer holds a later vote of it: an old "
            "copy\n"
            "of this home was put back. It goes on following; to vote again this validator needs a fresh key, which\n"
            "the organisations vote in.\n",
            (unsigned long long)facts->votes, (unsigned long long)facts->proposals, (unsigned long long)facts->bodies,
            (unsigned long long)facts->highest_view);
    }
    return 0;
}

static int node_recover(int argc, char **argv) {
    const char *path = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"home", ARGS_TEXT, &path, "HOME", "the node's folder", 0, 0},
        {"json", ARGS_FLAG, &json, NULL, "print one JSON document", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "node recover --home HOME",
        "Looks at the vote journal of a stopped validator that refuses to vote and says what is left to do. Changes "
        "nothing.",
        options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (path == NULL) {
        return args_wrong("--home HOME is needed");
    }
    struct daemon_home home;
    struct home_chain store;
    struct journal_facts facts = {0};
    char why[DAEMON_WHY_MAX] = "";
    enum err e = daemon_home_open(path, &home, why);
    if (e != OK) {
        return args_fail("%s", why[0] != '\0' ? why : err_text(e));
    }
    e = home_chain_open(&home, NULL, &store, why); /* holds the lock; the node must be stopped */
    if (e != OK) {
        daemon_home_close(&home);
        return args_fail("%s", why);
    }
    e = read_journal(&home, &facts);
    home_chain_close(&store);
    daemon_home_close(&home);
    return tell_journal(&facts, e, json);
}

int cmd_node(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"verify", "check a node's whole store", node_verify},
        {"recover", "what to do with a validator that refuses to vote", node_recover},
        {NULL, NULL, NULL},
    };
    return args_dispatch("node", verbs, argc, argv);
}
