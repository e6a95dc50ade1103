/* assay member list|add|update|remove: the nodes of an organisation on the ledger. */
#include "node/answers/page.h"
#include "node/cli/args.h"
#include "node/cli/commands.h"
#include "node/cli/names.h"
#include "node/cli/txcmd.h"

#include "contracts/genesis/genesis.h"
#include "contracts/governance/governance.pb-c.h"

#include <string.h>

static int member_list(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct txcmd_list list = {0};
    const struct args_option options[] = {CLIENT_OPTIONS(o), LIST_OPTIONS(list), {0}};
    const struct args_spec spec = {"member list [options]", "Validators, observers and gateways on the ledger.",
                                   options, 0, 0};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    return status == ARGS_GO_ON ? txcmd_show_list(&o, &list, "/v1/nodes", &nodes_page) : status;
}

/* What add and update have in common. */
struct addresses {
    const char *link_key;
    const char *peer;
    const char *http;
};

static int send_node(const struct txcmd_options *o, const char *org, enum node_role role, const char *key,
                     const struct addresses *at) {
    uint8_t node_key[ED25519_KEY_LEN], link_key[ED25519_KEY_LEN];
    int status = names_public_key("the node's key", key, node_key);
    if (status == ARGS_GO_ON) {
        status = names_public_key_of("--link-key", at->link_key, KEYFILE_X25519, o->passphrase_file, link_key);
    }
    if (status != ARGS_GO_ON) {
        return status;
    }
    char *peer = names_text(at->peer != NULL ? at->peer : ""), *http = names_text(at->http != NULL ? at->http : "");
    if (org == NULL) {
        Assay__UpdateNode message;
        assay__update_node__init(&message);
        message.key = names_binary(node_key, sizeof node_key);
        message.link_key = names_binary(link_key, sizeof link_key);
        message.peer = peer;
        message.http = http;
        return txcmd_message(o, "governance", "update_node", &message.base);
    }
    Assay__RegisterNode message;
    assay__register_node__init(&message);
    message.org = names_text(org);
    message.key = names_binary(node_key, sizeof node_key);
    message.link_key = names_binary(link_key, sizeof link_key);
    message.role = (uint32_t)role;
    message.peer = peer;
    message.http = http;
    return txcmd_message(o, "governance", "register_node", &message.base);
}

static int member_add(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct addresses at = {NULL, NULL, NULL};
    const char *org = NULL, *name = node_role_names[NODE_OBSERVER];
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"org", ARGS_TEXT, &org, "ID", "the organisation it belongs to", 0, 0},
        {"role", ARGS_TEXT, &name, "ROLE", "observer (default) or gateway; validators are voted in", 0, 0},
        {"link-key", ARGS_TEXT, &at.link_key, "KEY", "key of its links: 64 hex digits or a key file", 0, 0},
        {"peer", ARGS_TEXT, &at.peer, "HOST:PORT", "where its links listen (observers)", 0, 0},
        {"http", ARGS_TEXT, &at.http, "URL", "where it serves HTTP", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "member add NODEKEY --org ID --link-key KEY --key ADMIN... --key NODEKEYFILE",
        "Puts a node of your organisation on the ledger. Its admins sign, and the node's own key.", options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status != ARGS_GO_ON) {
        return status;
    }
    enum node_role role;
    if (!node_role_of(bytes_str(name), &role) || role == NODE_VALIDATOR) {
        return args_wrong(
            "--role '%s' is neither observer nor gateway; a validator begins as an observer and is voted in "
            "(assay proposal new add-validator)",
            name);
    }
    if (org == NULL || at.link_key == NULL) {
        return args_wrong("member add needs --org and --link-key");
    }
    return send_node(&o, org, role, operands.item[0], &at);
}

static int member_update(int argc, char **argv) {
    struct txcmd_options o = {0};
    struct addresses at = {NULL, NULL, NULL};
    const struct args_option options[] = {
        TXCMD_OPTIONS(o),
        {"link-key", ARGS_TEXT, &at.link_key, "KEY", "key of its links: 64 hex digits or a key file", 0, 0},
        {"peer", ARGS_TEXT, &at.peer, "HOST:PORT", "where its links listen; none for gateways", 0, 0},
        {"http", ARGS_TEXT, &at.http, "URL", "where it serves HTTP; empty for nowhere", 0, 0},
        {0},
    };
    const struct args_spec spec = {
        "member update NODEKEY --link-key KEY [--peer HOST:PORT] [--http URL] --key ADMIN...",
        "Gives a node new addresses or a new link key; all of them are set.", options, 1, 1};
    struct args_operands operands;
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON && at.link_key == NULL) {
        return args_wrong("member update needs --link-key");
    }
    return status == ARGS_GO_ON ? send_node(&o, NULL, NODE_OBSERVER, operands.item[0], &at) : status;
}

static int member_remove(int argc, char **argv) {
    struct txcmd_options o = {0};
    const struct args_option options[] = {TXCMD_OPTIONS(o), {0}};
    const struct args_spec spec = {"member remove NODEKEY --key ADMIN...",
                                   "Takes an observer or a gateway of your organisation off the ledger.", options, 1,
                                   1};
    struct args_operands operands;
    uint8_t key[ED25519_KEY_LEN];
    Assay__RemoveNode message;
    assay__remove_node__init(&message);
    int status = args_parse(&spec, argc, argv, &operands);
    if (status == ARGS_GO_ON) {
        status = names_public_key("the node's key", operands.item[0], key);
    }
    message.key = names_binary(key, sizeof key);
    return status == ARGS_GO_ON ? txcmd_message(&o, "governance", "remove_node", &message.base) : status;
}

int cmd_member(int argc, char **argv) {
    static const struct args_verb verbs[] = {{"list", "all of them", member_list},
                                             {"add", "an observer or a gateway of yours", member_add},
                                             {"update", "its addresses", member_update},
                                             {"remove", "an observer or a gateway of yours", member_remove},
                                             {NULL, NULL, NULL}};
    return args_dispatch("member", verbs, argc, argv);
}
