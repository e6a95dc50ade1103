#include "contracts/governance/governance_nodes.h"

#include "contracts/governance/governance.pb-c.h"
#include "contracts/governance/governance_evidence.h"
#include "contracts/governance/governance_records.h"

#include <inttypes.h>
#include <string.h>

/* ---- Addresses ---------------------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool port_is_sound(const char *text) {
    uint32_t port = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 5 || text[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i])) {
            return false;
        }
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    return port <= UINT16_MAX;
}

static bool host_char(char c, bool bracketed) {
    if (bracketed) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    }
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
}

/* host:port, host a name, an IPv4 address, or an IPv6 address in brackets; port 1 to 65535. */
static bool peer_is_sound(const char *peer) {
    const char *colon = strrchr(peer, ':');
    if (colon == NULL || strlen(peer) > GENESIS_TEXT_MAX || !port_is_sound(colon + 1)) {
        return false;
    }
    size_t len = (size_t)(colon - peer);
    bool bracketed = len > 2 && peer[0] == '[' && peer[len - 1] == ']';
    size_t from = bracketed ? 1 : 0, to = bracketed ? len - 1 : len;
    for (size_t i = from; i < to; i++) {
        if (!host_char(peer[i], bracketed)) {
            return false;
        }
    }
    return len > 0;
}

/* The length of "http://" or "https://" before it, 0 when it begins with neither. */
static size_t scheme_len(const char *http) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (strncmp(http, schemes[i], len) == 0) {
            return len;
        }
    }
    return 0;
}

/* http:// or https://, a host, and nothing but printable ASCII without quotes, angle brackets or backslashes. */
static bool http_is_sound(const char *http) {
    size_t scheme = scheme_len(http), len = strlen(http);
    if (scheme == 0 || len <= scheme || len > GENESIS_TEXT_MAX || http[scheme] == '/' || http[scheme] == ':') {
        return false;
    }
    for (size_t i = scheme; i < len; i++) {
        if (http[i] <= ' ' || http[i] > '~' || strchr("\"<>\\^`{|}", http[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool refuse_addresses(struct answer *answer, enum node_role role, const char *peer, const char *http) {
    if (role == NODE_GATEWAY && peer[0] != '\0') {
        (void)!refuse(answer, CODE_NODE_ADDRESS, "peer: a gateway has none, it dials out");
        return true;
    }
    if (role != NODE_GATEWAY && !peer_is_sound(peer)) {
        (void)!refuse(answer, CODE_NODE_ADDRESS, "peer: must be host:port, at most %d bytes", GENESIS_TEXT_MAX);
        return true;
    }
    if (http[0] != '\0' && !http_is_sound(http)) {
        (void)!refuse(answer, CODE_NODE_ADDRESS, "http: must be http://... or https://..., at most %d bytes",
                      GENESIS_TEXT_MAX);
        return true;
    }
    return false;
}

static bool refuse_key(struct answer *answer, ProtobufCBinaryData key, const char *name) {
    if (refuse_length(answer, key, KEY_LEN, name)) {
        return true;
    }
    if (bytes_is_zero(key.data, key.len)) {
        (void)!refuse(answer, CODE_BAD_ARGUMENTS, "%s is all zeros", name);
        return true;
    }
    return false;
}

/* ---- Rules -------------------------------------------------------------------------------------------------- */

/* Do this organisation's admins speak? Refuses when they do not. */
static enum err judge_admins(const struct call *call, const char *org, struct answer *answer) {
    enum code code;
    enum err e = org_authorizes(call, org, NULL, &code);
    if (e != OK || code == CODE_OK) {
        return e;
    }
    return refuse(answer, code, "admins of organisation %.32s must sign", org);
}

static enum err judge_unique(const struct call *call, const struct genesis_node *node, struct answer *answer) {
    struct record_key key = node_key(node->key), link = link_index_key(node->link_key);
    struct evidence_record evidence;
    bool known = false, linked = false, convicted = false;
    enum err e = state_has(&call->state, &key, &known);
    e = e == OK ? state_has(&call->state, &link, &linked) : e;
    e = e == OK ? evidence_get(&call->state, node->key, &evidence, &convicted) : e;
    if (e != OK) {
        return e;
    }
    if (known) {
        return refuse(answer, CODE_NODE_EXISTS, "the signing key is registered");
    }
    if (convicted) {
        return refuse(answer, CODE_NODE_CONVICTED, "evidence of epoch %" PRIu64, evidence.epoch);
    }
    return linked ? refuse(answer, CODE_LINK_KEY_TAKEN, "the link key is registered") : OK;
}

static enum err judge_room(const struct call *call, const struct genesis_node *node, struct answer *answer) {
    struct governance_totals totals;
    enum err e = governance_totals(&call->state, &totals);
    if (e != OK) {
        return e;
    }
    uint32_t linked = totals.nodes[NODE_VALIDATOR] + totals.nodes[NODE_OBSERVER];
    if (linked + totals.nodes[NODE_GATEWAY] >= NODES_MAX) {
        return refuse(answer, CODE_NODE_LIMIT, "%d nodes in all", NODES_MAX);
    }
    if (node->role != NODE_GATEWAY && linked >= LINKED_NODES_MAX) {
        return refuse(answer, CODE_NODE_LIMIT, "%d validators and observers in all", LINKED_NODES_MAX);
    }
    uint32_t own = 0, observers = 0;
    e = org_node_count(&call->state, node->org, &own, &observers);
    if (e != OK) {
        return e;
    }
    if (own >= NODES_PER_ORG_MAX) {
        return refuse(answer, CODE_NODE_LIMIT, "%d nodes of one organisation", NODES_PER_ORG_MAX);
    }
    if (node->role != NODE_OBSERVER) {
        return OK;
    }
    if (observers >= OBSERVERS_PER_ORG_MAX) {
        return refuse(answer, CODE_NODE_LIMIT, "%d observers of one organisation", OBSERVERS_PER_ORG_MAX);
    }
    if (observers >= 2 && linked >= LINKED_NODES_MAX - LINKED_NODES_KEPT) {
        return refuse(answer, CODE_NODE_LIMIT,
                      "the last %d places are kept for organisations with fewer than 2 observers", LINKED_NODES_KEPT);
    }
    return OK;
}

/* The node and whether its organisation's admins speak for it. */
static enum err judge_own(const struct call *call, ProtobufCBinaryData key, struct node_record *out,
                          struct answer *answer) {
    bool found = false;
    if (refuse_length(answer, key, KEY_LEN, "key")) {
        return OK;
    }
    enum err e = node_get(&call->state, key.data, out, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_NODE_UNKNOWN, "no such node");
    }
    return judge_admins(call, out->node.org, answer);
}

/* ---- Methods ------------------------------------------------------------------------------------------------ */

enum err node_register(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__RegisterNode *args = (const Assay__RegisterNode *)(const void *)message;
    struct genesis_node node = {0};
    if (refuse_key(answer, args->key, "key") || refuse_key(answer, args->link_key, "link_key")) {
        return OK;
    }
    if (args->role != NODE_OBSERVER && args->role != NODE_GATEWAY) {
        return refuse(answer, CODE_NODE_ROLE, "role must be observer (2) or gateway (3)");
    }
    node.role = (enum node_role)args->role;
    if (refuse_addresses(answer, node.role, args->peer, args->http)) {
        return OK;
    }
    enum err e = judge_admins(call, args->org, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (!call_signed_by(call, args->key.data)) {
        return refuse(answer, CODE_NODE_NO_POSSESSION, "the node's key must sign as well");
    }
    memcpy(node.key, args->key.data, KEY_LEN);
    memcpy(node.link_key, args->link_key.data, sizeof node.link_key);
    memcpy(node.org, args->org, strlen(args->org) + 1);
    memcpy(node.peer, args->peer, strlen(args->peer) + 1);
    memcpy(node.http, args->http, strlen(args->http) + 1);
    e = judge_unique(call, &node, answer);
    if (e == OK && answer->code == CODE_OK) {
        e = judge_room(call, &node, answer);
    }
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    return node_put(call, NULL, &node, "register", node.org);
}

enum err node_update(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__UpdateNode *args = (const Assay__UpdateNode *)(const void *)message;
    struct node_record before = {0};
    if (refuse_key(answer, args->link_key, "link_key")) {
        return OK;
    }
    enum err e = judge_own(call, args->key, &before, answer);
    if (e != OK || answer->code != CODE_OK || refuse_addresses(answer, before.node.role, args->peer, args->http)) {
        return e;
    }
    struct genesis_node node = before.node;
    memcpy(node.link_key, args->link_key.data, sizeof node.link_key);
    memcpy(node.peer, args->peer, strlen(args->peer) + 1);
    memcpy(node.http, args->http, strlen(args->http) + 1);
    if (memcmp(node.link_key, before.node.link_key, sizeof node.link_key) != 0) {
        struct record_key link = link_index_key(node.link_key);
        bool taken = false;
        e = state_has(&call->state, &link, &taken);
        if (e != OK || taken) {
            return e != OK ? e : refuse(answer, CODE_LINK_KEY_TAKEN, "the link key is registered");
        }
    }
    return node_put(call, &before, &node, "update", node.org);
}

enum err node_remove(const struct call *call, const ProtobufCMessage *message, struct answer *answer) {
    const Assay__RemoveNode *args = (const Assay__RemoveNode *)(const void *)message;
    struct node_record node = {0};
    enum err e = judge_own(call, args->key, &node, answer);
    if (e != OK || answer->code != CODE_OK) {
        return e;
    }
    if (node.node.role == NODE_VALIDATOR) {
        return refuse(answer, CODE_NODE_IS_VALIDATOR, "propose remove_validator or replace_validator");
    }
    return node_erase(call, &node, node.node.org);
}
