/* Looking at the ledger: status, block, org. */
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/governance/governance.h"
#include "node/answers/page.h"

#include <stdio.h>
#include <string.h>

/* Options of a command that only reads, and its one path. */
static int show_path(const char *usage, const char *about, const char *format, int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    bool takes_operand = strstr(format, "%s") != NULL;
    const struct args_spec spec = {usage, about, options, takes_operand, takes_operand};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    struct buffer path = BUFFER_INIT;
    const char *hole = strstr(format, "%s");
    size_t head = hole != NULL ? (size_t)(hole - format) : strlen(format);
    buffer_put(&path, format, head);
    if (hole != NULL) {
        client_escape(operands.item[0], &path);
        buffer_put(&path, hole + 2, strlen(hole + 2));
    }
    status = txcmd_show(&o, buffer_text(&path));
    buffer_free(&path);
    return status;
}

int cmd_status(int argc, char **argv) {
    return show_path("status [options]", "What a node says of itself.", "/v1/status", argc, argv);
}

static int block_show(int argc, char **argv) {
    return show_path("block show HEIGHT|latest [options]", "A final block's header.", "/v1/blocks/%s", argc, argv);
}

static int block_list(int argc, char **argv) {
    return show_path("block list [options]", "The last final blocks.", "/v1/blocks", argc, argv);
}

int cmd_block(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"show", "a final block's header", block_show}, {"list", "the last ones", block_list}, {NULL, NULL, NULL}};
    return args_dispatch("block", verbs, argc, argv);
}

/* ---- Organisations ---- */

static int cmd_org_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"org list [options]", "The organisations of the consortium.", options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list(&o, &list, "/v1/orgs", &orgs_page) : status;
}

static int cmd_org_show(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), {0}};
    const struct args_spec spec = {"org show ID [options]", "One organisation.", options, 1, 1};
    struct args_operands operands;
    struct client *client = NULL;
    json_t *answer = NULL;
    int status = txcmd_start(&spec, argc, argv, &o, &operands, &client);
    if (status != ARGS_GO_ON) {
        return status;
    }
    status =
        client_get_json(client, "/v1/orgs?limit=100", &answer) == OK
            ? txcmd_print_item(&o, answer, &orgs_page, offsetof(struct org_record, org.id), operands.item[0], "org")
            : args_fail("%s", client_why(client));
    json_decref(answer);
    client_free(client);
    return status;
}

int cmd_org(int argc, char **argv) {
    static const struct args_verb verbs[] = {
        {"list", "all of them", cmd_org_list}, {"show", "one", cmd_org_show}, {NULL, NULL, NULL}};
    return args_dispatch("org", verbs, argc, argv);
}
