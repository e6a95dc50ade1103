/* assay testnet: lays out a test network. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/genesis/testnet.h"

#include <string.h>

static int describe(const struct testnet_plan *plan, bool json) {
    if (json) {
        return args_print_json(json_pack("{s:s, s:i, s:i, s:i}", "dir", plan->dir, "validators", (int)plan->validators,
                                         "gateways", (int)plan->gateways, "base_port", (int)plan->base_port));
    }
    printf("%s: %u validator%s and %u gateway%s laid out; HTTP of validator0 on http://127.0.0.1:%u\n"
           "start it with: assay up --dir %s\n",
           plan->dir, (unsigned)plan->validators, plan->validators == 1 ? "" : "s", (unsigned)plan->gateways,
           plan->gateways == 1 ? "" : "s", plan->base_port + 1u, plan->dir);
    return 0;
}

int cmd_testnet(int argc, char **argv) {
    struct testnet_plan plan;
    struct args_list orgs = {.count = 0};
    uint64_t validators = 4;
    uint64_t gateways = 1;
    uint64_t base_port = 26600;
    uint64_t policy = 1;
    const char *dir = NULL;
    bool json = false;
    const struct args_option options[] = {
        {"dir", ARGS_TEXT, &dir, "DIR", "where to lay it out; must be empty or not there", 0, 0},
        {"validators", ARGS_NUMBER, &validators, "N", "voting nodes (default 4)", 1, LIMIT_VALIDATORS},
        {"gateways", ARGS_NUMBER, &gateways, "N", "gateways (default 1)", 0, TESTNET_GATEWAYS_MAX},
        {"base-port", ARGS_NUMBER, &base_port, "PORT", "first port; node i takes PORT + 10 i and the next", 1, 65535},
        {"orgs", ARGS_LIST, &orgs, "LIST", "kind:id, separated by commas", 0, 0},
        {"policy", ARGS_NUMBER, &policy, "M", "authors who must sign a release (default 1)", 1, TESTNET_AUTHORS},
        ARGS_JSON(json),
        {0},
    };
    const struct args_spec spec = {"testnet --dir DIR [options]",
                                   "Lays out a test network on this machine: genesis, homes and keys.", options, 0, 0};
    struct args_operands operands;
    struct why why = WHY_NONE;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    if (dir == NULL) {
        return args_wrong("where to? give --dir DIR");
    }
    testnet_plan_default(&plan);
    plan.dir = dir;
    plan.validators = (uint32_t)validators;
    plan.gateways = (uint32_t)gateways;
    plan.base_port = (uint16_t)base_port;
    plan.policy = (uint8_t)policy;
    plan.org_count = orgs.count > 0 ? 0 : plan.org_count;
    for (size_t i = 0; i < orgs.count; i++) {
        if (!testnet_plan_add_org(&plan, orgs.item[i])) {
            return args_wrong(
                "--orgs '%s' is not kind:id with kind vendor, broker, operator or owner, or is there twice",
                orgs.item[i]);
        }
    }
    return testnet_write(&plan, &why) == OK ? describe(&plan, json) : args_fail("testnet: %s", why.text);
}
