/* The rules a genesis keeps across its records. */
#include "contracts/genesis/genesis.h"

#include "contracts/author/author.h"
#include "contracts/firmware/class_definition.h"
#include "contracts/kernel/method.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct check {
    const struct genesis *genesis;
    const struct verify_crypto *crypto;
    struct why *why;
};

static enum err broken(const struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static enum err broken(const struct check *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(c->why, format, args);
    va_end(args);
    return ERR_INVALID;
}

bool genesis_org_id_is_clean(const char *id) {
    size_t len = strnlen(id, GENESIS_ID_MAX + 1);
    if (len == 0 || len > GENESIS_ID_MAX) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9') && id[i] != '-') {
            return false;
        }
    }
    return true;
}

static int compare_ids(const void *a, const void *b) {
    return memcmp(a, b, HASH_LEN);
}

/* Sorts the ids; gives the first that stands twice, or NULL. */
static const uint8_t *find_twin(uint8_t (*ids)[HASH_LEN], size_t count) {
    qsort(ids, count, HASH_LEN, compare_ids);
    for (size_t i = 1; i < count; i++) {
        if (memcmp(ids[i - 1], ids[i], HASH_LEN) == 0) {
            return ids[i];
        }
    }
    return NULL;
}

/* Refuses a list in which an id stands twice. Takes the ids over. */
static enum err check_unique(const struct check *c, const char *what, uint8_t (*ids)[HASH_LEN], size_t count) {
    const uint8_t *twin = find_twin(ids, count);
    enum err e = OK;
    if (twin != NULL) {
        char hex[2 * HASH_LEN + 1];
        hex_encode(twin, HASH_LEN, hex);
        e = broken(c, "%s %s is listed twice", what, hex);
    }
    free(ids);
    return e;
}

static const struct genesis_org *find_org(const struct genesis *g, const char *id) {
    for (size_t i = 0; i < g->org_count; i++) {
        if (strncmp(g->orgs[i].id, id, GENESIS_ID_MAX + 1) == 0) {
            return &g->orgs[i];
        }
    }
    return NULL;
}

static const struct genesis_node *find_node(const struct genesis *g, const uint8_t key[KEY_LEN]) {
    for (size_t i = 0; i < g->node_count; i++) {
        if (memcmp(g->nodes[i].key, key, KEY_LEN) == 0) {
            return &g->nodes[i];
        }
    }
    return NULL;
}

static const struct genesis_class *find_class(const struct genesis *g, const uint8_t class_id[UUID_BYTES]) {
    for (size_t i = 0; i < g->class_count; i++) {
        uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
        class_definition_ids(g->classes[i].vendor_domain, g->classes[i].class_name, vendor, id);
        if (memcmp(id, class_id, UUID_BYTES) == 0) {
            return &g->classes[i];
        }
    }
    return NULL;
}

static enum err check_params(const struct check *c) {
    const struct genesis_params *p = &c->genesis->params;
    if (p->max_block_txs == 0 || p->max_block_txs > LIMIT_BLOCK_TXS) {
        return broken(c, "params.max_block_txs must be 1 to %u", LIMIT_BLOCK_TXS);
    }
    if (p->max_block_bytes < 2 * LIMIT_TX_BYTES || p->max_block_bytes > LIMIT_BLOCK_BYTES) {
        return broken(c, "params.max_block_bytes must be %u to %u", 2 * LIMIT_TX_BYTES, LIMIT_BLOCK_BYTES);
    }
    if (p->tx_max_lifetime_ms == 0 || p->tx_max_lifetime_ms > LIMIT_TX_LIFETIME_MS) {
        return broken(c, "params.tx_max_lifetime_ms must be 1 to %u", LIMIT_TX_LIFETIME_MS);
    }
    if (p->vote_threshold_percent <= 50 || p->vote_threshold_percent > 100) {
        return broken(c, "params.vote_threshold_percent must be 51 to 100");
    }
    if (p->protocol_version < PROTOCOL_VERSION) {
        return broken(
            c,
            "params.protocol_version %u is an older release's: that chain goes on as a new one, by its own release's "
            "'assay node export' and version %u in the genesis.json that comes out",
            p->protocol_version, PROTOCOL_VERSION);
    }
    if (p->protocol_version > PROTOCOL_VERSION) {
        return broken(c, "params.protocol_version %u is not known to this program", p->protocol_version);
    }
    return OK;
}

const char *genesis_org_flaw(const struct genesis_org *org) {
    if (org->name[0] == '\0' || text_judge(org->name, GENESIS_TEXT_MAX) != CODE_OK) {
        return "name must be 1 to 128 bytes of clean text";
    }
    if (org->kind < ORG_VENDOR || org->kind > ORG_OWNER) {
        return "unknown kind";
    }
    if (org->admin_count == 0 || org->admin_count > GENESIS_ADMINS_MAX) {
        return "needs 1 to 16 admins";
    }
    if (org->admin_threshold == 0 || org->admin_threshold > org->admin_count) {
        return "admin threshold must be 1 to the number of admins";
    }
    for (size_t i = 0; i < org->admin_count; i++) {
        if (bytes_is_zero(org->admins[i], KEY_LEN)) {
            return "an admin key is missing";
        }
        for (size_t j = 0; j < i; j++) {
            if (memcmp(org->admins[i], org->admins[j], KEY_LEN) == 0) {
                return "an admin is listed twice";
            }
        }
    }
    return NULL;
}

/* A key that spoke for two organisations would have two votes. */
static enum err check_admins_apart(const struct check *c, const struct genesis_org *org) {
    for (const struct genesis_org *other = c->genesis->orgs; other != org; other++) {
        for (size_t i = 0; i < (size_t)org->admin_count * other->admin_count; i++) {
            if (memcmp(org->admins[i / other->admin_count], other->admins[i % other->admin_count], KEY_LEN) == 0) {
                return broken(c, "organisations %s and %s share an admin key", other->id, org->id);
            }
        }
    }
    return OK;
}

static enum err check_org(const struct check *c, const struct genesis_org *org) {
    if (!genesis_org_id_is_clean(org->id)) {
        return broken(c, "organisation id must be 1 to 32 of a-z, 0-9 and '-'");
    }
    if (find_org(c->genesis, org->id) != org) {
        return broken(c, "organisation %s is listed twice", org->id);
    }
    const char *flaw = genesis_org_flaw(org);
    return flaw == NULL ? check_admins_apart(c, org) : broken(c, "organisation %s: %s", org->id, flaw);
}

static enum err check_node(const struct check *c, const struct genesis_node *node) {
    char hex[2 * KEY_LEN + 1];
    hex_encode(node->key, KEY_LEN, hex);
    if (bytes_is_zero(node->key, KEY_LEN) || bytes_is_zero(node->link_key, sizeof node->link_key)) {
        return broken(c, "node %s: signing or link key is missing", hex);
    }
    if (find_org(c->genesis, node->org) == NULL) {
        return broken(c, "node %s: no such organisation: %s", hex, node->org);
    }
    if (node->role < NODE_VALIDATOR || node->role > NODE_GATEWAY) {
        return broken(c, "node %s: unknown role", hex);
    }
    if (text_judge(node->peer, GENESIS_TEXT_MAX) != CODE_OK || text_judge(node->http, GENESIS_TEXT_MAX) != CODE_OK) {
        return broken(c, "node %s: addresses must be at most 128 bytes of clean text", hex);
    }
    if (node->role != NODE_GATEWAY && node->peer[0] == '\0') {
        return broken(c, "node %s: validators and observers need a peer address", hex);
    }
    return OK;
}

/* How many there are, in all and of each organisation. */
static enum err check_node_counts(const struct check *c) {
    const struct genesis *g = c->genesis;
    size_t validators = 0, gateways = 0;
    for (size_t i = 0; i < g->node_count; i++) {
        validators += g->nodes[i].role == NODE_VALIDATOR;
        gateways += g->nodes[i].role == NODE_GATEWAY;
    }
    if (validators == 0 || validators > LIMIT_VALIDATORS) {
        return broken(c, "there must be 1 to %u validators, not %zu", LIMIT_VALIDATORS, validators);
    }
    if (g->node_count > NODES_MAX || g->node_count - gateways > LINKED_NODES_MAX) {
        return broken(c, "there may be %d nodes, of which %d validators and observers", NODES_MAX, LINKED_NODES_MAX);
    }
    for (size_t i = 0; i < g->org_count; i++) {
        size_t own = 0;
        for (size_t j = 0; j < g->node_count; j++) {
            own += strcmp(g->nodes[j].org, g->orgs[i].id) == 0;
        }
        if (own > NODES_PER_ORG_MAX) {
            return broken(c, "organisation %s: at most %d nodes, not %zu", g->orgs[i].id, NODES_PER_ORG_MAX, own);
        }
    }
    return OK;
}

/* Refuses a key that two nodes share: which of the two keys is told by its place in the record. */
static enum err check_node_keys(const struct check *c, const char *what, size_t offset) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->node_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < g->node_count; i++) {
        memcpy(ids[i], (const uint8_t *)&g->nodes[i] + offset, HASH_LEN);
    }
    return check_unique(c, what, ids, g->node_count);
}

static enum err check_nodes(const struct check *c) {
    enum err e = OK;
    for (size_t i = 0; i < c->genesis->node_count && e == OK; i++) {
        e = check_node(c, &c->genesis->nodes[i]);
    }
    e = e == OK ? check_node_counts(c) : e;
    e = e == OK ? check_node_keys(c, "node", offsetof(struct genesis_node, key)) : e;
    return e == OK ? check_node_keys(c, "link key", offsetof(struct genesis_node, link_key)) : e;
}

static enum err check_class(const struct check *c, const struct genesis_class *class) {
    const char *flaw = class_definition_flaw(class);
    if (flaw != NULL) {
        return broken(c, "class %.64s/%.64s: %s", class->vendor_domain, class->class_name, flaw);
    }
    const struct genesis_org *org = find_org(c->genesis, class->org);
    if (org == NULL || org->kind != ORG_VENDOR) {
        return broken(c, "class %.64s: owner %s is no organisation of kind vendor", class->class_name, class->org);
    }
    uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
    class_definition_ids(class->vendor_domain, class->class_name, vendor, id);
    if (find_class(c->genesis, id) != class) {
        return broken(c, "class %.64s/%.64s is listed twice", class->vendor_domain, class->class_name);
    }
    return OK;
}

/* The delegation's first class tells the root key; the others must have the same one. */
static enum err check_delegation(const struct check *c, const struct genesis_author *author, const char *name) {
    uint8_t chain_id[CHAIN_ID_LEN];
    if (author->delegation_len < DELEGATION_HEAD_LEN + UUID_BYTES || author->delegation_len > DELEGATION_MAX) {
        return broken(c, "author %s: delegation is %u bytes long", name, author->delegation_len);
    }
    const struct genesis_class *class = find_class(c->genesis, author->delegation + DELEGATION_HEAD_LEN);
    if (class == NULL) {
        return broken(c, "author %s: delegation names a class that is not defined", name);
    }
    struct delegation d;
    const struct span encoded = {author->delegation, author->delegation_len};
    enum verdict v = delegation_verify(c->crypto, class->root_key, encoded, &d);
    if (v != GOOD) {
        return broken(c, "author %s: delegation: %s", name, verdict_text(v));
    }
    genesis_chain_id(c->genesis, c->crypto, chain_id);
    if (memcmp(d.chain_id, chain_id, CHAIN_ID_LEN) != 0) {
        return broken(c, "author %s: delegation is for another chain", name);
    }
    if (d.author.type != author->key.type || memcmp(d.author.key, author->key.key, P256_KEY_LEN) != 0) {
        return broken(c, "author %s: delegation is for another key", name);
    }
    for (size_t i = 0; i < d.class_count; i++) {
        uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
        const struct genesis_class *other = find_class(c->genesis, d.classes[i]);
        if (other == NULL) {
            return broken(c, "author %s: delegation names a class that is not defined", name);
        }
        class_definition_ids(other->vendor_domain, other->class_name, vendor, id);
        if (memcmp(other->root_key, class->root_key, KEY_LEN) != 0 || memcmp(vendor, d.vendor_id, UUID_BYTES) != 0) {
            return broken(c, "author %s: delegation covers a class of another vendor", name);
        }
    }
    return OK;
}

/* Is the fixed array what author_key_parse would have made of the key's own bytes? */
static bool key_is_sound(enum author_key_type type, const uint8_t key[P256_KEY_LEN]) {
    struct author_key parsed;
    size_t len = type == AUTHOR_P256 ? P256_KEY_LEN : KEY_LEN;
    return author_key_parse(type, bytes_of(key, len), &parsed) && memcmp(parsed.key, key, P256_KEY_LEN) == 0;
}

static enum err check_authors(const struct check *c) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->author_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < g->author_count && e == OK; i++) {
        const struct genesis_author *author = &g->authors[i];
        char name[2 * HASH_LEN + 1];
        author_id(&author->key, ids[i]);
        hex_encode(ids[i], HASH_LEN, name);
        if (!key_is_sound(author->key.type, author->key.key)) {
            e = broken(c, "author %s: not a usable key of its type", name);
        } else if (find_org(g, author->org) == NULL) {
            e = broken(c, "author %s: no such organisation: %s", name, author->org);
        } else {
            e = check_delegation(c, author, name);
        }
    }
    if (e != OK) {
        free(ids);
        return e;
    }
    return check_unique(c, "author", ids, g->author_count);
}

static enum err check_device(const struct check *c, const struct genesis_device *device, const char *name) {
    if (!key_is_sound(device->key_type, device->key)) {
        return broken(c, "device %s: not a usable key of its type", name);
    }
    uint8_t vendor[UUID_BYTES], id[UUID_BYTES];
    if (text_judge(device->vendor_domain, GENESIS_TEXT_MAX) != CODE_OK ||
        text_judge(device->class_name, GENESIS_TEXT_MAX) != CODE_OK) {
        return broken(c, "device %s: class is not clean text", name);
    }
    class_definition_ids(device->vendor_domain, device->class_name, vendor, id);
    const struct genesis_class *class = find_class(c->genesis, id);
    if (class == NULL) {
        return broken(c, "device %s: no such class: %.32s/%.32s", name, device->vendor_domain, device->class_name);
    }
    if (device->hardware_revision < class->min_hardware_revision) {
        return broken(c, "device %s: hardware revision is below the class's minimum", name);
    }
    const struct genesis_node *gateway = find_node(c->genesis, device->gateway);
    if (gateway == NULL || gateway->role != NODE_GATEWAY) {
        return broken(c, "device %s: its gateway is no node of role gateway", name);
    }
    return OK;
}

static enum err check_devices(const struct check *c) {
    const struct genesis *g = c->genesis;
    uint8_t(*ids)[HASH_LEN] = malloc((g->device_count + 1) * sizeof *ids);
    if (ids == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < g->device_count && e == OK; i++) {
        struct author_key key = {.type = g->devices[i].key_type};
        char name[2 * HASH_LEN + 1];
        memcpy(key.key, g->devices[i].key, P256_KEY_LEN);
        author_id(&key, ids[i]);
        hex_encode(ids[i], HASH_LEN, name);
        e = check_device(c, &g->devices[i], name);
    }
    if (e != OK) {
        free(ids);
        return e;
    }
    return check_unique(c, "device", ids, g->device_count);
}

enum err genesis_check(const struct genesis *genesis, const struct verify_crypto *crypto, struct why *out_why) {
    const struct check c = {genesis, crypto, out_why};
    *out_why = WHY_NONE;
    if (genesis->name[0] == '\0' || text_judge(genesis->name, GENESIS_NAME_MAX) != CODE_OK) {
        return broken(&c, "name must be 1 to 64 bytes of clean text");
    }
    if (genesis->time_ms == 0) {
        return broken(&c, "time_ms is missing");
    }
    if (genesis->org_count > ORGS_MAX) {
        return broken(&c, "there may be %d organisations, not %zu", ORGS_MAX, genesis->org_count);
    }
    enum err e = check_params(&c);
    for (size_t i = 0; i < genesis->org_count && e == OK; i++) {
        e = check_org(&c, &genesis->orgs[i]);
    }
    e = e == OK ? check_nodes(&c) : e;
    for (size_t i = 0; i < genesis->class_count && e == OK; i++) {
        e = check_class(&c, &genesis->classes[i]);
    }
    e = e == OK ? check_authors(&c) : e;
    e = e == OK ? check_devices(&c) : e;
    return e;
}
