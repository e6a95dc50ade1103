#include "node/cli/commands.h"

#include "base/ed25519.h"
#include "node/cli/args.h"
#include "node/fetch/client.h"
#include "node/host/config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define NOUNS_MAX 64
#define ARGUMENTS_MAX 256

/* Ends with a NULL noun. */
static const struct command {
    const char *noun;
    const char *about;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"testnet", "lay out a test network: genesis, homes, keys", cmd_testnet},
    {"up", "start every node of a test network", cmd_up},
    {"down", "stop them", cmd_down},
    {"status", "what a node says of itself", cmd_status},
    {"genesis", "found a chain together: from a draft to genesis.json (offline)", cmd_genesis},
    {"init", "make a new node's home", cmd_init},
    {"key", "make and show keys", cmd_key},
    {"org", "organisations", cmd_org},
    {"member", "nodes of the organisations", cmd_member},
    {"proposal", "what organisations decide together", cmd_proposal},
    {"author", "authors: keys that may sign releases", cmd_author},
    {"class", "device classes", cmd_class},
    {"release", "publish, find, approve, revoke firmware", cmd_release},
    {"update", "push a release to devices and watch", cmd_update},
    {"device", "devices", cmd_device},
    {"blob", "images in a node's store", cmd_blob},
    {"cid", "content identifier of a file (offline)", cmd_cid},
    {"suit", "SUIT envelopes (offline)", cmd_suit},
    {"proof", "check a proof (offline)", cmd_proof},
    {"checkpoint", "pin a block that trust can start from", cmd_checkpoint},
    {"tx", "send and look up transactions", cmd_tx},
    {"block", "look at a block", cmd_block},
    {"node", "upkeep of a node's own store (offline)", cmd_node},
    {"bench", "load generators", cmd_bench},
    {NULL, NULL, NULL},
};

static void print_usage(void) {
    printf("Usage: assay [--node URL] [--json] COMMAND [options]\n\n");
    for (const struct command *c = commands; c->noun != NULL; c++) {
        printf("  %-10s %s\n", c->noun, c->about);
    }
    printf("\n'assay COMMAND --help' says more; 'assay --version' prints the version.\n");
}

static const struct command *find(const char *noun) {
    for (const struct command *c = commands; c->noun != NULL; c++) {
        if (strcmp(c->noun, noun) == 0) {
            return c;
        }
    }
    return NULL;
}

static int refuse_noun(const char *given) {
    const char *known[NOUNS_MAX];
    size_t count = 0;
    for (const struct command *c = commands; c->noun != NULL && count < NOUNS_MAX; c++) {
        known[count++] = c->noun;
    }
    const char *near = config_nearest(given, known, count);
    if (near != NULL) {
        return args_wrong("no command '%s'; did you mean '%s'?", given, near);
    }
    return args_wrong("no command '%s'; 'assay --help' lists them", given);
}

/* How many arguments an option before the noun takes up; 0 when it is none that may stand there. */
static int leading_option(const char *argument) {
    if (strcmp(argument, "--json") == 0 || strncmp(argument, "--node=", 7) == 0 ||
        strncmp(argument, "--ca-file=", 10) == 0) {
        return 1;
    }
    return strcmp(argument, "--node") == 0 || strcmp(argument, "--ca-file") == 0 ? 2 : 0;
}

int commands_main(int argc, char **argv) {
    char *rest[ARGUMENTS_MAX + 1];
    int lead = 1;
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("assay %s\n", ASSAY_VERSION);
        return 0;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_usage();
        return 0;
    }
    while (lead < argc && argv[lead][0] == '-') {
        int taken = leading_option(argv[lead]);
        if (taken == 0 || lead + taken > argc) {
            return args_wrong("%s may not stand before the command; 'assay --help' shows the order", argv[lead]);
        }
        lead += taken;
    }
    if (lead >= argc) {
        return args_wrong("which command? 'assay --help' lists them");
    }
    if (argc > ARGUMENTS_MAX) {
        return args_wrong("more than %d arguments", ARGUMENTS_MAX);
    }
    const struct command *command = find(argv[lead]);
    if (command == NULL) {
        return refuse_noun(argv[lead]);
    }
    /* Options before the noun go behind the verb: noun, verb (if any), those options, the rest. */
    int n = 0;
    int at = lead;
    rest[n++] = argv[at++];
    if (at < argc && argv[at][0] != '-') {
        rest[n++] = argv[at++];
    }
    for (int i = 1; i < lead; i++) {
        rest[n++] = argv[i];
    }
    while (at < argc) {
        rest[n++] = argv[at++];
    }
    rest[n] = NULL;
    (void)signal(SIGPIPE, SIG_IGN);
    if (crypto_start() != OK || client_start() != OK) {
        return args_fail("the crypto or HTTP library does not start");
    }
    return command->run(n, rest);
}
