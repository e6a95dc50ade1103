/* What "governance" begins with: organisations, nodes, validators, parameters, and the rules among them. */
#include "contracts/genesis/genesis_check.h"
#include "contracts/governance/genesis_inherit.h"
#include "contracts/governance/governance_records.h"
#include "contracts/kernel/method.h"

#include <stdlib.h>
#include <string.h>

static enum err check_params(const struct genesis_checking *c) {
    const struct genesis_params *p = &c->genesis->params;
    if (p->max_block_txs == 0 || p->max_block_txs > LIMIT_BLOCK_TXS) {
        return genesis_broken(c, "params.max_block_txs must be 1 to %u", LIMIT_BLOCK_TXS);
    }
    if (p->max_block_bytes < 2 * LIMIT_TX_BYTES || p->max_block_bytes > LIMIT_BLOCK_BYTES) {
        return genesis_broken(c, "params.max_block_bytes must be %u to %u", 2 * LIMIT_TX_BYTES, LIMIT_BLOCK_BYTES);
    }
    if (p->tx_max_lifetime_ms == 0 || p->tx_max_lifetime_ms > LIMIT_TX_LIFETIME_MS) {
        return genesis_broken(c, "params.tx_max_lifetime_ms must be 1 to %u", LIMIT_TX_LIFETIME_MS);
    }
    if (p->vote_threshold_percent <= 50 || p->vote_threshold_percent > 100) {
        return genesis_broken(c, "params.vote_threshold_percent must be 51 to 100");
    }
    if (p->protocol_version < PROTOCOL_VERSION) {
        return genesis_broken(
            c,
            "params.protocol_version %u is an older release's: that chain goes on as a new one, by its own release's "
            "'assay node export' and version %u in the genesis.json that comes out",
            p->protocol_version, PROTOCOL_VERSION);
    }
    if (p->protocol_version > PROTOCOL_VERSION) {
        return genesis_broken(c, "params.protocol_version %u is not known to this program", p->protocol_version);
    }
    return OK;
}

/* A key that spoke for two organisations would have two votes. */
static enum err check_admins_apart(const struct genesis_checking *c, const struct genesis_org *org) {
    for (const struct genesis_org *other = c->genesis->orgs; other != org; other++) {
        for (size_t i = 0; i < (size_t)org->admin_count * other->admin_count; i++) {
            if (memcmp(org->admins[i / other->admin_count], other->admins[i % other->admin_count], KEY_LEN) == 0) {
                return genesis_broken(c, "organisations %s and %s share an admin key", other->id, org->id);
            }
        }
    }
    return OK;
}

static enum err check_org(const struct genesis_checking *c, const struct genesis_org *org) {
    if (!genesis_org_id_is_clean(org->id)) {
        return genesis_broken(c, "organisation id must be 1 to 32 of a-z, 0-9 and '-'");
    }
    if (genesis_find_org(c->genesis, org->id) != org) {
        return genesis_broken(c, "organisation %s is listed twice", org->id);
    }
    const char *flaw = genesis_org_flaw(org);
    return flaw == NULL ? check_admins_apart(c, org) : genesis_broken(c, "organisation %s: %s", org->id, flaw);
}

static enum err check_node(const struct genesis_checking *c, const struct genesis_node *node) {
    char hex[2 * KEY_LEN + 1];
    hex_encode(node->key, KEY_LEN, hex);
    if (bytes_is_zero(node->key, KEY_LEN) || bytes_is_zero(node->link_key, sizeof node->link_key)) {
        return genesis_broken(c, "node %s: signing or link key is missing", hex);
    }
    if (genesis_find_org(c->genesis, node->org) == NULL) {
        return genesis_broken(c, "node %s: no such organisation: %s", hex, node->org);
    }
    if (node->role < NODE_VALIDATOR || node->role > NODE_GATEWAY) {
        return genesis_broken(c, "node %s: unknown role", hex);
    }
    if (text_judge(node->peer, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK ||
        text_judge(node->http, GENESIS_TEXT_MAX, TEXT_NAME) != CODE_OK) {
        return genesis_broken(c, "node %s: addresses must be at most 128 bytes of clean text", hex);
    }
    if (node->role != NODE_GATEWAY && node->peer[0] == '\0') {
        return genesis_broken(c, "node %s: validators and observers need a peer address", hex);
    }
    return OK;
}

/* How many there are, in all and of each organisation. */
static enum err check_node_counts(const struct genesis_checking *c) {
    const struct genesis *g = c->genesis;
    size_t validators = 0, gateways = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        validators += g->nodes[i].role == NODE_VALIDATOR;
        gateways += g->nodes[i].role == NODE_GATEWAY;
    }
    if (validators == 0 || validators > LIMIT_VALIDATORS) {
        return genesis_broken(c, "there must be 1 to %u validators, not %zu", LIMIT_VALIDATORS, validators);
    }
    if (g->node_count > NODES_MAX || g->node_count - gateways > LINKED_NODES_MAX) {
        return genesis_broken(c, "there may be %d nodes, of which %d validators and observers", NODES_MAX,
                              LINKED_NODES_MAX);
    }
    for (size_t i = 0; i < g->org_count; i++) {
        size_t own = 0;
        for (size_t j = 0; j < g->node_count; j++) {
            own += strcmp(g->nodes[j].org, g->orgs[i].id) == 0;
        }
        if (own > NODES_PER_ORG_MAX) {
            return genesis_broken(c, "organisation %s: at most %d nodes, not %zu", g->orgs[i].id, NODES_PER_ORG_MAX,
                                  own);
        }
    }
    return OK;
}

/* Refuses a key that two nodes share: which of the two keys is told by its place in the record. */
static enum err check_node_keys(const struct genesis_checking *c, const char *what, size_t offset) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->node_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        memcpy(ids[i], (const uint8_t *)&g->nodes[i] + offset, HASH_LEN);
    }
    return genesis_unique(c, what, ids, g->node_count);
}

static enum err check_nodes(const struct genesis_checking *c) {
    enum err e = OK;
    for (size_t i = 0; i < c->genesis->node_count && e == OK; i++) {
        e = check_node(c, &c->genesis->nodes[i]);
    }
    e = e == OK ? check_node_counts(c) : e;
    e = e == OK ? check_node_keys(c, "node", offsetof(struct genesis_node, key)) : e;
    return e == OK ? check_node_keys(c, "link key", offsetof(struct genesis_node, link_key)) : e;
}

enum err governance_genesis_check(const struct genesis_checking *c) {
    const struct genesis *genesis = c->genesis;
    if (genesis->org_count > ORGS_MAX) {
        return genesis_broken(c, "there may be %d organisations, not %zu", ORGS_MAX, genesis->org_count);
    }
    enum err e = check_params(c);
    for (size_t i = 0; i < genesis->org_count && e == OK; i++) {
        e = check_org(c, &genesis->orgs[i]);
    }
    return e == OK ? check_nodes(c) : e;
}

static enum err lay_validators(const struct call *call, const struct genesis *genesis) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = genesis_validators(genesis, keys);
    return validators_put(call, (const uint8_t(*)[KEY_LEN])keys, count, "genesis", "");
}

enum err governance_genesis(const struct call *call, const struct genesis *genesis) {
    enum err e = params_put(call, NULL, &genesis->params, "genesis", "");
    for (size_t i = 0; i < genesis->org_count && e == OK; i++) {
        e = org_put(call, NULL, &genesis->orgs[i], "genesis", genesis->orgs[i].name);
    }
    for (size_t i = 0; i < genesis->node_count && e == OK; i++) {
        e = node_put(call, NULL, &genesis->nodes[i], "genesis", genesis->nodes[i].org);
    }
    e = e == OK ? lay_validators(call, genesis) : e;
    return e == OK ? genesis_inherit_apply(call, genesis) : e;
}
