#include "contracts/governance/governance_records.h"

#include "base/assert.h"

#include <string.h>

/* ---- Keys --------------------------------------------------------------------------------------------------- */

struct record_key org_key(const char *id) {
    return record_key(GOVERNANCE, "org/", bytes_str(id));
}

struct record_key node_key(const uint8_t key[ED25519_KEY_LEN]) {
    return record_key(GOVERNANCE, "node/", bytes_of(key, ED25519_KEY_LEN));
}

struct record_key params_key(void) {
    return record_key(GOVERNANCE, "params", bytes_of(NULL, 0));
}

struct record_key validators_key(void) {
    return record_key(GOVERNANCE, "validators", bytes_of(NULL, 0));
}

struct record_key admin_key(const uint8_t key[ED25519_KEY_LEN], const char *org) {
    struct record_key k = record_key(GOVERNANCE, "admin/", bytes_of(key, ED25519_KEY_LEN));
    record_key_add(&k, org, strlen(org));
    return k;
}

struct record_key link_index_key(const uint8_t link_key[32]) {
    return record_key(GOVERNANCE, "link/", bytes_of(link_key, 32));
}

/* Ids hold no slash, so no organisation's nodes lie under another's prefix. */
struct record_key org_node_key(const char *org) {
    struct record_key k = record_key(GOVERNANCE, "org_node/", bytes_str(org));
    record_key_add(&k, "/", 1);
    return k;
}

static struct record_key totals_key(void) {
    return record_key(GOVERNANCE, "totals", bytes_of(NULL, 0));
}

/* ---- Layouts ------------------------------------------------------------------------------------------------ */

static const struct field org_fields[] = {
    STAMP(struct org_record),
    {"id", "Short name, the same for ever.", FIELD_TEXT, MEMBER(struct org_record, org.id)},
    {"name", "As people call it.", FIELD_TEXT, MEMBER(struct org_record, org.name)},
    {"kind", "What it does in the consortium.", FIELD_NAME, MEMBER(struct org_record, org.kind), NAMES(org_kind_names)},
    {"admin_threshold", "How many of the admins must sign to speak for it.", FIELD_NUMBER,
     MEMBER(struct org_record, org.admin_threshold)},
    {"admin_keys", "Signing keys of its admins.", FIELD_LIST, COUNTED(struct org_record, org.admins, org.admin_count)},
};
const struct record org_shape = {"Organisation", "A member of the consortium.",
                                 RECORD_OF(struct org_record, org_fields)};

static const struct field node_fields[] = {
    STAMP_KEPT(struct node_record),
    {"key", "Its signing key.", FIELD_HEX, MEMBER(struct node_record, node.key)},
    {"link_key", "X25519 key of its links.", FIELD_HEX, MEMBER(struct node_record, node.link_key)},
    {"role", "What it is.", FIELD_NAME, MEMBER(struct node_record, node.role), NAMES(node_role_names)},
    {"organisation", "Whose it is.", FIELD_TEXT, MEMBER(struct node_record, node.org)},
    {"peer", "HOST:PORT for other nodes; empty for a gateway.", FIELD_TEXT, MEMBER(struct node_record, node.peer)},
    {"http", "Base URL of its API; empty when it serves nobody.", FIELD_TEXT, MEMBER(struct node_record, node.http)},
};
const struct record node_shape = {"Node", "A machine of an organisation.", RECORD_OF(struct node_record, node_fields)};

static const struct field window_fields[] = {
    {"floor_ms", "Nothing alive was executed up to here.", FIELD_NUMBER, MEMBER(struct tx_window, floor_ms)},
    {"longest_ms", "Longest lifetime that a transaction from before may have.", FIELD_NUMBER,
     MEMBER(struct tx_window, longest_ms)},
    {"until_ms", "From here on only the present lifetime counts.", FIELD_NUMBER, MEMBER(struct tx_window, until_ms)},
};
static const struct record window_shape = {"TxWindow", "How far back ids of transactions count.",
                                           RECORD_OF(struct tx_window, window_fields)};

static const struct field params_fields[] = {
    STAMP(struct params_record),
    {"params", "The values.", FIELD_PART, MEMBER(struct params_record, params), .of = &params_shape},
    {"window", "How far back ids of transactions count.", FIELD_PART, FIELD_KEPT, MEMBER(struct params_record, window),
     .of = &window_shape},
};
const struct record params_record_shape = {"Params", "What the organisations can change by a vote.",
                                           RECORD_OF(struct params_record, params_fields)};

static const struct field totals_fields[] = {
    STAMP(struct governance_totals),
    {"orgs", "Organisations.", FIELD_NUMBER, MEMBER(struct governance_totals, orgs)},
    {"validators", "Nodes of this role.", FIELD_NUMBER, MEMBER(struct governance_totals, nodes[NODE_VALIDATOR])},
    {"observers", "Nodes of this role.", FIELD_NUMBER, MEMBER(struct governance_totals, nodes[NODE_OBSERVER])},
    {"gateways", "Nodes of this role.", FIELD_NUMBER, MEMBER(struct governance_totals, nodes[NODE_GATEWAY])},
};
static const struct record totals_shape = {"Totals", "How many there are.",
                                           RECORD_OF(struct governance_totals, totals_fields)};

/* ---- Reading ------------------------------------------------------------------------------------------------ */

enum err governance_any(const struct state *state, const struct record_key *prefix, bool *out_found) {
    struct state_walk walk;
    struct bytes rest, value;
    state_walk_init(&walk, state, prefix, bytes_of(NULL, 0));
    enum err e = state_walk_next(&walk, &rest, &value, out_found);
    state_walk_close(&walk);
    return e;
}

enum err admin_of_another(const struct state *state, const uint8_t key[ED25519_KEY_LEN], const char *org,
                          bool *out_taken) {
    struct record_key prefix = admin_key(key, "");
    struct state_walk walk;
    struct bytes rest, value;
    bool found = true, taken = false;
    enum err e = OK;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    while (e == OK && found && !taken) {
        e = state_walk_next(&walk, &rest, &value, &found);
        taken = e == OK && found && !bytes_equal(rest, bytes_str(org));
    }
    state_walk_close(&walk);
    if (e == OK) {
        *out_taken = taken;
    }
    return e;
}

enum err node_have(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out) {
    struct record_key whole = node_key(key);
    bool found = false;
    enum err e = state_read(state, &whole, &node_shape, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

enum err org_node_count(const struct state *state, const char *org, uint32_t *out_count, uint32_t *out_observers) {
    struct record_key prefix = org_node_key(org);
    struct state_walk walk;
    struct bytes rest, value;
    uint32_t count = 0, observers = 0;
    bool found = true;
    enum err e = OK;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    while (e == OK && found && count < NODES_PER_ORG_MAX) {
        e = state_walk_next(&walk, &rest, &value, &found);
        if (e == OK && found) {
            struct node_record node;
            bool is_there = false;
            count++;
            e = rest.len == KEY_LEN ? node_get(state, rest.data, &node, &is_there) : ERR_CORRUPT;
            observers += e == OK && is_there && node.node.role == NODE_OBSERVER ? 1 : 0;
        }
    }
    state_walk_close(&walk);
    if (e == OK) {
        *out_count = count;
        *out_observers = observers;
    }
    return e;
}

/* ---- Writing ------------------------------------------------------------------------------------------------ */

static struct record_stamp stamp_after(const struct call *call, const struct record_stamp *before) {
    if (before == NULL) {
        return record_stamp_new(call);
    }
    struct record_stamp stamp = *before;
    record_stamp_touch(&stamp, call);
    return stamp;
}

/* Writes the record and its history. */
static enum err put_noted(const struct call *call, const struct record_key *key, const struct record *shape,
                          const void *record, const char *action, const char *detail) {
    enum err e = state_write(&call->state, key, shape, record);
    return e == OK ? state_history(&call->state, key, action, detail) : e;
}

static enum err put_mark(const struct call *call, struct record_key key) {
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

enum err governance_totals(const struct state *state, struct governance_totals *out) {
    struct governance_totals totals = {0};
    struct record_key key = totals_key();
    bool found = false;
    enum err e = state_read(state, &key, &totals_shape, &totals, &found);
    if (e == OK) {
        *out = totals;
    }
    return e;
}

static enum err totals_put(const struct call *call, struct governance_totals *totals) {
    struct record_key key = totals_key();
    bool fresh = totals->stamp.created_ms == 0;
    totals->stamp = stamp_after(call, fresh ? NULL : &totals->stamp);
    return state_write(&call->state, &key, &totals_shape, totals);
}

static enum err count_org(const struct call *call, bool more) {
    struct governance_totals totals;
    enum err e = governance_totals(&call->state, &totals);
    if (e != OK) {
        return e;
    }
    if (!more && totals.orgs == 0) {
        return ERR_CORRUPT;
    }
    totals.orgs = more ? totals.orgs + 1 : totals.orgs - 1;
    return totals_put(call, &totals);
}

/* One node of `from` fewer, one of `to` more; 0 is no role. */
static enum err count_node(const struct call *call, enum node_role from, enum node_role to) {
    struct governance_totals totals;
    enum err e = from == to ? OK : governance_totals(&call->state, &totals);
    if (e != OK || from == to) {
        return e;
    }
    if (from != 0 && totals.nodes[from] == 0) {
        return ERR_CORRUPT;
    }
    if (from != 0) {
        totals.nodes[from]--;
    }
    if (to != 0) {
        totals.nodes[to]++;
    }
    return totals_put(call, &totals);
}

static enum err unmark_admins(const struct call *call, const struct genesis_org *org) {
    enum err e = OK;
    for (size_t i = 0; i < org->admin_count && e == OK; i++) {
        struct record_key key = admin_key(org->admins[i], org->id);
        e = state_remove(&call->state, &key);
    }
    return e;
}

enum err org_put(const struct call *call, const struct org_record *before, const struct genesis_org *org,
                 const char *action, const char *detail) {
    struct org_record record = {stamp_after(call, before == NULL ? NULL : &before->stamp), *org};
    struct record_key key = org_key(org->id);
    enum err e = put_noted(call, &key, &org_shape, &record, action, detail);
    if (e == OK && before != NULL) {
        e = unmark_admins(call, &before->org);
    } else if (e == OK) {
        e = count_org(call, true);
    }
    for (size_t i = 0; i < org->admin_count && e == OK; i++) {
        e = put_mark(call, admin_key(org->admins[i], org->id));
    }
    return e;
}

enum err org_erase(const struct call *call, const struct org_record *record, const char *detail) {
    struct record_key key = org_key(record->org.id);
    enum err e = state_remove(&call->state, &key);
    e = e == OK ? unmark_admins(call, &record->org) : e;
    e = e == OK ? count_org(call, false) : e;
    return e == OK ? state_history(&call->state, &key, "remove", detail) : e;
}

enum err node_put(const struct call *call, const struct node_record *before, const struct genesis_node *node,
                  const char *action, const char *detail) {
    struct node_record record = {stamp_after(call, before == NULL ? NULL : &before->stamp), *node};
    struct record_key key = node_key(node->key);
    enum err e = put_noted(call, &key, &node_shape, &record, action, detail);
    if (e == OK && before == NULL) {
        struct record_key index = org_node_key(node->org);
        record_key_add(&index, node->key, sizeof node->key);
        e = put_mark(call, index);
    } else if (e == OK) {
        struct record_key old = link_index_key(before->node.link_key);
        e = state_remove(&call->state, &old);
    }
    if (e == OK) {
        struct record_key link = link_index_key(node->link_key);
        e = state_put(&call->state, &link, bytes_of(node->key, sizeof node->key));
    }
    if (e != OK) {
        return e;
    }
    return count_node(call, before == NULL ? 0 : before->node.role, node->role);
}

enum err node_erase(const struct call *call, const struct node_record *record, const char *detail) {
    const struct genesis_node *node = &record->node;
    struct record_key key = node_key(node->key);
    struct record_key link = link_index_key(node->link_key);
    struct record_key index = org_node_key(node->org);
    record_key_add(&index, node->key, sizeof node->key);
    enum err e = state_remove(&call->state, &key);
    e = e == OK ? state_remove(&call->state, &link) : e;
    e = e == OK ? state_remove(&call->state, &index) : e;
    e = e == OK ? count_node(call, node->role, 0) : e;
    return e == OK ? state_history(&call->state, &key, "remove", detail) : e;
}

/* The lifetime changes at this block: what was admitted up to and in it may live as long as was allowed so far. */
static struct tx_window window_after(const struct params_record *before, uint64_t time_ms) {
    uint64_t lifetime = before->params.tx_max_lifetime_ms;
    bool lasts = time_ms < before->window.until_ms && before->window.longest_ms > lifetime;
    uint64_t until = time_ms + lifetime;
    return (struct tx_window){
        .floor_ms = params_window_start(before, time_ms),
        .longest_ms = lasts ? before->window.longest_ms : lifetime,
        .until_ms = lasts && before->window.until_ms > until ? before->window.until_ms : until,
    };
}

enum err params_put(const struct call *call, const struct params_record *before, const struct genesis_params *params,
                    const char *action, const char *detail) {
    struct params_record record = {.stamp = stamp_after(call, before == NULL ? NULL : &before->stamp),
                                   .params = *params};
    if (before != NULL) {
        bool same = before->params.tx_max_lifetime_ms == params->tx_max_lifetime_ms;
        record.window = same ? before->window : window_after(before, call->time_ms);
    }
    struct record_key key = params_key();
    return put_noted(call, &key, &params_record_shape, &record, action, detail);
}

enum err validators_put(const struct call *call, const uint8_t (*keys)[KEY_LEN], uint16_t count, const char *action,
                        const char *detail) {
    ASSERT(count >= 1 && count <= LIMIT_VALIDATORS);
    struct record_key key = validators_key();
    struct buffer value = BUFFER_INIT;
    buffer_u16(&value, count);
    buffer_put(&value, keys, (size_t)count * KEY_LEN);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e == OK ? state_history(&call->state, &key, action, detail) : e;
}

enum err node_set_role(const struct call *call, const uint8_t key[ED25519_KEY_LEN], enum node_role role,
                       const char *action) {
    struct node_record before;
    enum err e = node_have(&call->state, key, &before);
    if (e != OK) {
        return e;
    }
    struct genesis_node node = before.node;
    node.role = role;
    return node_put(call, &before, &node, action, node.org);
}

enum err validator_remove(const struct call *call, const uint8_t key[ED25519_KEY_LEN], const char *action,
                          const char *detail) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0, kept = 0;
    enum err e = governance_validators(&call->state, keys, &count);
    if (e != OK) {
        return e;
    }
    for (uint16_t i = 0; i < count; i++) {
        if (memcmp(keys[i], key, KEY_LEN) != 0) {
            memmove(keys[kept++], keys[i], KEY_LEN);
        }
    }
    ASSERT(kept == count - 1);
    e = validators_put(call, (const uint8_t(*)[KEY_LEN])keys, kept, action, detail);
    return e == OK ? node_set_role(call, key, NODE_OBSERVER, action) : e;
}
