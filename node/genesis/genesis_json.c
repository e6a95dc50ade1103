#include "node/genesis/genesis_json.h"

#include "base/file.h"
#include "node/genesis/genesis_json_records.h"

#include <stdlib.h>
#include <string.h>

/* Names in the file for the enums. */
static const struct shape_choice org_kinds[] = {
    {"vendor", ORG_VENDOR}, {"broker", ORG_BROKER}, {"operator", ORG_OPERATOR}, {"owner", ORG_OWNER}, {NULL, 0}};
static const struct shape_choice node_roles[] = {
    {"validator", NODE_VALIDATOR}, {"observer", NODE_OBSERVER}, {"gateway", NODE_GATEWAY}, {NULL, 0}};
static const struct shape_choice key_types[] = {{"ed25519", AUTHOR_ED25519}, {"p256", AUTHOR_P256}, {NULL, 0}};

/* ---- Reading: one function a record, each member taken by name, the rest refused ---- */

void genesis_json_take_params(struct shape *s, json_t *from, struct genesis_params *out) {
    shape_u32(s, from, "heartbeat_ms", 0, UINT32_MAX, &out->heartbeat_ms);
    shape_u32(s, from, "max_block_txs", 1, LIMIT_BLOCK_TXS, &out->max_block_txs);
    shape_u32(s, from, "max_block_bytes", LIMIT_TX_BYTES, LIMIT_BLOCK_BYTES, &out->max_block_bytes);
    shape_u64(s, from, "tx_max_lifetime_ms", 1000, LIMIT_TX_LIFETIME_MS, &out->tx_max_lifetime_ms);
    shape_u32(s, from, "vote_threshold_percent", 51, 100, &out->vote_threshold_percent);
    shape_u32(s, from, "protocol_version", 1, UINT32_MAX, &out->protocol_version);
    shape_end(s, from);
}

void genesis_json_take_org(struct shape *s, json_t *from, void *record) {
    struct genesis_org *out = record;
    int kind = 0;
    shape_text(s, from, "id", out->id, sizeof out->id);
    shape_text(s, from, "name", out->name, sizeof out->name);
    shape_choice(s, from, "kind", org_kinds, &kind);
    out->kind = (enum org_kind)kind;
    shape_hex_list(s, from, "admins", out->admins[0], ED25519_KEY_LEN, GENESIS_ADMINS_MAX, &out->admin_count);
    shape_u8(s, from, "admin_threshold", 1, GENESIS_ADMINS_MAX, &out->admin_threshold);
    shape_end(s, from);
}

void genesis_json_take_node(struct shape *s, json_t *from, void *record) {
    struct genesis_node *out = record;
    int role = 0;
    shape_hex(s, from, "key", out->key, sizeof out->key);
    shape_hex(s, from, "link_key", out->link_key, sizeof out->link_key);
    shape_text(s, from, "org", out->org, sizeof out->org);
    shape_choice(s, from, "role", node_roles, &role);
    out->role = (enum node_role)role;
    shape_text(s, from, "peer", out->peer, sizeof out->peer);
    shape_text(s, from, "http", out->http, sizeof out->http);
    shape_end(s, from);
}

static void take_slot(struct shape *s, json_t *from, void *record) {
    struct genesis_slot *out = record;
    shape_u8(s, from, "component", 0, UINT8_MAX, &out->component);
    shape_u64(s, from, "max_size", 1, INT64_MAX, &out->max_size);
    shape_end(s, from);
}

static void take_class(struct shape *s, json_t *from, void *record) {
    struct genesis_class *out = record;
    size_t slots = 0;
    shape_text(s, from, "vendor_domain", out->vendor_domain, sizeof out->vendor_domain);
    shape_text(s, from, "class_name", out->class_name, sizeof out->class_name);
    shape_text(s, from, "org", out->org, sizeof out->org);
    shape_hex(s, from, "root_key", out->root_key, sizeof out->root_key);
    shape_u32(s, from, "min_hardware_revision", 0, UINT32_MAX, &out->min_hardware_revision);
    shape_u8(s, from, "required_signers", 1, GENESIS_CLASS_AUTHORS_MAX, &out->required_signers);
    shape_hex_list(s, from, "authors", out->authors[0], HASH_LEN, GENESIS_CLASS_AUTHORS_MAX, &out->author_count);
    shape_array(s, from, "slots", take_slot, out->slots, sizeof out->slots[0], GENESIS_SLOTS_MAX, &slots);
    out->slot_count = (uint8_t)slots;
    shape_end(s, from);
}

/* A key and its type, in two members; the length is the type's. */
static void take_key(struct shape *s, json_t *from, enum author_key_type *out_type, uint8_t out[P256_KEY_LEN]) {
    int type = 0;
    shape_choice(s, from, "key_type", key_types, &type);
    *out_type = (enum author_key_type)type;
    shape_hex(s, from, "key", out, type == AUTHOR_P256 ? P256_KEY_LEN : ED25519_KEY_LEN);
}

static void take_author(struct shape *s, json_t *from, void *record) {
    struct genesis_author *out = record;
    size_t len = 0;
    take_key(s, from, &out->key.type, out->key.key);
    shape_text(s, from, "org", out->org, sizeof out->org);
    shape_u64(s, from, "expires_ms", 0, INT64_MAX, &out->expires_ms);
    shape_blob(s, from, "delegation", out->delegation, sizeof out->delegation, &len);
    out->delegation_len = (uint16_t)len;
    shape_end(s, from);
}

static void take_device(struct shape *s, json_t *from, void *record) {
    struct genesis_device *out = record;
    take_key(s, from, &out->key_type, out->key);
    shape_text(s, from, "vendor_domain", out->vendor_domain, sizeof out->vendor_domain);
    shape_text(s, from, "class_name", out->class_name, sizeof out->class_name);
    shape_u32(s, from, "hardware_revision", 0, UINT32_MAX, &out->hardware_revision);
    shape_u64(s, from, "running_sequence", 0, INT64_MAX, &out->running_sequence);
    shape_hex(s, from, "gateway", out->gateway, sizeof out->gateway);
    shape_hex(s, from, "mac_hmac", out->mac_hmac, sizeof out->mac_hmac);
    shape_bool(s, from, "endorsed", &out->endorsed);
    shape_end(s, from);
}

/* The one member that may be left out: few chains take over from another. */
static void take_predecessor(struct shape *s, json_t *from, struct genesis_predecessor *out) {
    if (json_object_get(from, "predecessor") == NULL) {
        return;
    }
    json_t *object = shape_object(s, from, "predecessor");
    if (object != NULL) {
        shape_enter(s, "predecessor");
        shape_hex(s, object, "chain_id", out->chain_id, sizeof out->chain_id);
        shape_u64(s, object, "height", 0, INT64_MAX, &out->height);
        shape_hex(s, object, "block_hash", out->block_hash, sizeof out->block_hash);
        shape_hex(s, object, "state_root", out->state_root, sizeof out->state_root);
        shape_hex(s, object, "records_hash", out->records_hash, sizeof out->records_hash);
        shape_end(s, object);
        shape_leave(s);
        json_decref(object);
        out->named = true;
    }
}

static void take_genesis(struct shape *s, json_t *from, struct genesis *out) {
    static const struct shape_choice format[] = {{"assay-genesis-1", 1}, {NULL, 0}};
    int version = 0;
    shape_choice(s, from, "format", format, &version);
    shape_text(s, from, "name", out->name, sizeof out->name);
    shape_u64(s, from, "time_ms", 0, INT64_MAX, &out->time_ms);
    shape_hex(s, from, "salt", out->salt, sizeof out->salt);
    json_t *params = shape_object(s, from, "params");
    if (params != NULL) {
        shape_enter(s, "params");
        genesis_json_take_params(s, params, &out->params);
        shape_leave(s);
        json_decref(params);
    }
    size_t most = GENESIS_JSON_RECORDS_MAX;
    out->orgs =
        shape_records(s, from, "organisations", genesis_json_take_org, sizeof *out->orgs, most, &out->org_count);
    out->nodes = shape_records(s, from, "nodes", genesis_json_take_node, sizeof *out->nodes, most, &out->node_count);
    out->classes = shape_records(s, from, "classes", take_class, sizeof *out->classes, most, &out->class_count);
    out->authors = shape_records(s, from, "authors", take_author, sizeof *out->authors, most, &out->author_count);
    out->devices = shape_records(s, from, "devices", take_device, sizeof *out->devices, most, &out->device_count);
    take_predecessor(s, from, &out->predecessor);
    shape_end(s, from);
}

enum err genesis_json_parse(struct bytes text, struct genesis *out, struct why *out_why) {
    json_t *json = NULL;
    struct shape s;
    struct genesis genesis;
    memset(&genesis, 0, sizeof genesis);
    shape_init(&s, out_why);
    enum err e = shape_load(&s, text, GENESIS_JSON_MAX, &json);
    if (e != OK) {
        return e;
    }
    take_genesis(&s, json, &genesis);
    json_decref(json);
    if (s.result != OK) {
        genesis_free(&genesis);
        return s.result;
    }
    *out = genesis;
    return OK;
}

enum err genesis_json_load(const char *path, struct genesis *out, struct why *out_why) {
    struct buffer text = BUFFER_INIT;
    enum err e = file_read(path, GENESIS_JSON_MAX, &text);
    if (e != OK) {
        why_set(out_why, "%.150s: %s", path, err_text(e));
    } else {
        e = genesis_json_parse(buffer_bytes(&text), out, out_why);
    }
    buffer_free(&text);
    return e;
}

/* ---- Writing ---- */

/* Adds a member; a failure anywhere shows as `failed` at the end. */
static void put(struct genesis_json_render *r, json_t *object, const char *name, json_t *value) {
    if (json_object_set_new(object, name, value) != 0) {
        r->failed = true;
    }
}

static json_t *hex_of(const void *data, size_t len) {
    char text[2 * DELEGATION_MAX + 1];
    hex_encode(data, len, text);
    return json_string(text);
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static json_t *name_of(const struct shape_choice *choices, int value) {
    while (choices->name != NULL && choices->value != value) {
        choices++;
    }
    return json_string(choices->name);
}

static json_t *hex_list(const uint8_t *items, size_t len, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, hex_of(items + i * len, len));
    }
    return list;
}

json_t *genesis_json_org(struct genesis_json_render *r, const struct genesis_org *org) {
    json_t *o = json_object();
    put(r, o, "id", json_string(org->id));
    put(r, o, "name", json_string(org->name));
    put(r, o, "kind", name_of(org_kinds, (int)org->kind));
    put(r, o, "admins", hex_list(org->admins[0], ED25519_KEY_LEN, org->admin_count));
    put(r, o, "admin_threshold", number(org->admin_threshold));
    return o;
}

json_t *genesis_json_node(struct genesis_json_render *r, const struct genesis_node *node) {
    json_t *o = json_object();
    put(r, o, "key", hex_of(node->key, sizeof node->key));
    put(r, o, "link_key", hex_of(node->link_key, sizeof node->link_key));
    put(r, o, "org", json_string(node->org));
    put(r, o, "role", name_of(node_roles, (int)node->role));
    put(r, o, "peer", json_string(node->peer));
    put(r, o, "http", json_string(node->http));
    return o;
}

static json_t *class_of(struct genesis_json_render *r, const struct genesis_class *class) {
    json_t *o = json_object();
    json_t *slots = json_array();
    for (size_t i = 0; i < class->slot_count; i++) {
        json_t *slot = json_object();
        put(r, slot, "component", number(class->slots[i].component));
        put(r, slot, "max_size", number(class->slots[i].max_size));
        r->failed |= json_array_append_new(slots, slot) != 0;
    }
    put(r, o, "vendor_domain", json_string(class->vendor_domain));
    put(r, o, "class_name", json_string(class->class_name));
    put(r, o, "org", json_string(class->org));
    put(r, o, "root_key", hex_of(class->root_key, sizeof class->root_key));
    put(r, o, "min_hardware_revision", number(class->min_hardware_revision));
    put(r, o, "required_signers", number(class->required_signers));
    put(r, o, "authors", hex_list(class->authors[0], HASH_LEN, class->author_count));
    put(r, o, "slots", slots);
    return o;
}

static size_t key_len(enum author_key_type type) {
    return type == AUTHOR_P256 ? P256_KEY_LEN : ED25519_KEY_LEN;
}

static json_t *author_of(struct genesis_json_render *r, const struct genesis_author *author) {
    json_t *o = json_object();
    put(r, o, "key_type", name_of(key_types, (int)author->key.type));
    put(r, o, "key", hex_of(author->key.key, key_len(author->key.type)));
    put(r, o, "org", json_string(author->org));
    put(r, o, "expires_ms", number(author->expires_ms));
    put(r, o, "delegation", hex_of(author->delegation, author->delegation_len));
    return o;
}

static json_t *device_of(struct genesis_json_render *r, const struct genesis_device *device) {
    json_t *o = json_object();
    put(r, o, "key_type", name_of(key_types, (int)device->key_type));
    put(r, o, "key", hex_of(device->key, key_len(device->key_type)));
    put(r, o, "vendor_domain", json_string(device->vendor_domain));
    put(r, o, "class_name", json_string(device->class_name));
    put(r, o, "hardware_revision", number(device->hardware_revision));
    put(r, o, "running_sequence", number(device->running_sequence));
    put(r, o, "gateway", hex_of(device->gateway, sizeof device->gateway));
    put(r, o, "mac_hmac", hex_of(device->mac_hmac, sizeof device->mac_hmac));
    put(r, o, "endorsed", json_boolean(device->endorsed));
    return o;
}

json_t *genesis_json_params(struct genesis_json_render *r, const struct genesis_params *params) {
    json_t *o = json_object();
    put(r, o, "heartbeat_ms", number(params->heartbeat_ms));
    put(r, o, "max_block_txs", number(params->max_block_txs));
    put(r, o, "max_block_bytes", number(params->max_block_bytes));
    put(r, o, "tx_max_lifetime_ms", number(params->tx_max_lifetime_ms));
    put(r, o, "vote_threshold_percent", number(params->vote_threshold_percent));
    put(r, o, "protocol_version", number(params->protocol_version));
    return o;
}

static json_t *predecessor_of(struct genesis_json_render *r, const struct genesis_predecessor *from) {
    json_t *o = json_object();
    put(r, o, "chain_id", hex_of(from->chain_id, sizeof from->chain_id));
    put(r, o, "height", number(from->height));
    put(r, o, "block_hash", hex_of(from->block_hash, sizeof from->block_hash));
    put(r, o, "state_root", hex_of(from->state_root, sizeof from->state_root));
    put(r, o, "records_hash", hex_of(from->records_hash, sizeof from->records_hash));
    return o;
}

#define PUT_RECORDS(r, root, name, of, records, count)                                                                 \
    do {                                                                                                               \
        json_t *list = json_array();                                                                                   \
        for (size_t i = 0; i < (count); i++) {                                                                         \
            (r)->failed |= json_array_append_new(list, of(r, &(records)[i])) != 0;                                     \
        }                                                                                                              \
        put(r, root, name, list);                                                                                      \
    } while (0)

enum err genesis_json_render(const struct genesis *genesis, struct buffer *out) {
    struct genesis_json_render r = {false};
    json_t *root = json_object();
    put(&r, root, "format", json_string("assay-genesis-1"));
    put(&r, root, "name", json_string(genesis->name));
    put(&r, root, "time_ms", number(genesis->time_ms));
    put(&r, root, "salt", hex_of(genesis->salt, sizeof genesis->salt));
    put(&r, root, "params", genesis_json_params(&r, &genesis->params));
    PUT_RECORDS(&r, root, "organisations", genesis_json_org, genesis->orgs, genesis->org_count);
    PUT_RECORDS(&r, root, "nodes", genesis_json_node, genesis->nodes, genesis->node_count);
    PUT_RECORDS(&r, root, "classes", class_of, genesis->classes, genesis->class_count);
    PUT_RECORDS(&r, root, "authors", author_of, genesis->authors, genesis->author_count);
    PUT_RECORDS(&r, root, "devices", device_of, genesis->devices, genesis->device_count);
    if (genesis->predecessor.named) {
        put(&r, root, "predecessor", predecessor_of(&r, &genesis->predecessor));
    }
    char *text = r.failed ? NULL : json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    if (text == NULL) {
        return ERR_NOMEM;
    }
    buffer_put(out, text, strlen(text));
    buffer_u8(out, '\n');
    free(text);
    return buffer_ok(out);
}
