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

static void org_encode(const struct org_record *record, struct buffer *out) {
    const struct genesis_org *org = &record->org;
    record_stamp_write(out, &record->stamp);
    record_text_write(out, org->id);
    record_text_write(out, org->name);
    buffer_u8(out, (uint8_t)org->kind);
    buffer_u8(out, org->admin_threshold);
    buffer_u8(out, org->admin_count);
    buffer_put(out, org->admins, (size_t)org->admin_count * ED25519_KEY_LEN);
}

enum err org_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct org_record record = {0};
    record_stamp_read(&r, &record.stamp);
    record_text_read(&r, record.org.id, sizeof record.org.id);
    record_text_read(&r, record.org.name, sizeof record.org.name);
    record.org.kind = (enum org_kind)read_u8(&r);
    record.org.admin_threshold = read_u8(&r);
    record.org.admin_count = read_u8(&r);
    if (record.org.admin_count > GENESIS_ADMINS_MAX) {
        return ERR_CORRUPT;
    }
    read_bytes(&r, record.org.admins, (size_t)record.org.admin_count * ED25519_KEY_LEN);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct org_record *)out = record;
    return OK;
}

static void node_encode(const struct node_record *record, struct buffer *out) {
    const struct genesis_node *node = &record->node;
    record_stamp_write(out, &record->stamp);
    buffer_put(out, node->key, sizeof node->key);
    buffer_put(out, node->link_key, sizeof node->link_key);
    buffer_u8(out, (uint8_t)node->role);
    record_text_write(out, node->org);
    record_text_write(out, node->peer);
    record_text_write(out, node->http);
}

enum err node_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct node_record record = {0};
    record_stamp_read(&r, &record.stamp);
    read_bytes(&r, record.node.key, sizeof record.node.key);
    read_bytes(&r, record.node.link_key, sizeof record.node.link_key);
    uint8_t role = read_u8(&r);
    record_text_read(&r, record.node.org, sizeof record.node.org);
    record_text_read(&r, record.node.peer, sizeof record.node.peer);
    record_text_read(&r, record.node.http, sizeof record.node.http);
    if (!reader_done(&r) || role < NODE_VALIDATOR || role > NODE_GATEWAY) {
        return ERR_CORRUPT;
    }
    record.node.role = (enum node_role)role;
    *(struct node_record *)out = record;
    return OK;
}

static void params_encode(const struct params_record *record, struct buffer *out) {
    record_stamp_write(out, &record->stamp);
    buffer_u32(out, record->params.heartbeat_ms);
    buffer_u32(out, record->params.max_block_txs);
    buffer_u32(out, record->params.max_block_bytes);
    buffer_u64(out, record->params.tx_max_lifetime_ms);
    buffer_u32(out, record->params.vote_threshold_percent);
    buffer_u32(out, record->params.protocol_version);
    buffer_u64(out, record->window.floor_ms);
    buffer_u64(out, record->window.longest_ms);
    buffer_u64(out, record->window.until_ms);
}

enum err params_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct params_record record = {0};
    record_stamp_read(&r, &record.stamp);
    record.params.heartbeat_ms = read_u32(&r);
    record.params.max_block_txs = read_u32(&r);
    record.params.max_block_bytes = read_u32(&r);
    record.params.tx_max_lifetime_ms = read_u64(&r);
    record.params.vote_threshold_percent = read_u32(&r);
    record.params.protocol_version = read_u32(&r);
    record.window.floor_ms = read_u64(&r);
    record.window.longest_ms = read_u64(&r);
    record.window.until_ms = read_u64(&r);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct params_record *)out = record;
    return OK;
}

static enum err totals_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct governance_totals totals = {0};
    record_stamp_read(&r, &totals.stamp);
    totals.orgs = read_u32(&r);
    for (size_t role = NODE_VALIDATOR; role <= NODE_GATEWAY; role++) {
        totals.nodes[role] = read_u32(&r);
    }
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct governance_totals *)out = totals;
    return OK;
}

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
    enum err e = state_get_record(state, &whole, node_decode, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

enum err org_node_count(const struct state *state, const char *org, uint32_t *out_count) {
    struct record_key prefix = org_node_key(org);
    struct state_walk walk;
    struct bytes rest, value;
    uint32_t count = 0;
    bool found = true;
    enum err e = OK;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    while (e == OK && found && count < NODES_PER_ORG_MAX) {
        e = state_walk_next(&walk, &rest, &value, &found);
        count += e == OK && found;
    }
    state_walk_close(&walk);
    if (e == OK) {
        *out_count = count;
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

/* Writes the record and its history; frees the buffer. */
static enum err put_noted(const struct call *call, const struct record_key *key, struct buffer *value,
                          const char *action, const char *detail) {
    enum err e = state_put_buffer(&call->state, key, value);
    buffer_free(value);
    return e == OK ? state_history(&call->state, key, action, detail) : e;
}

static enum err put_mark(const struct call *call, struct record_key key) {
    return state_put(&call->state, &key, bytes_of("\1", 1));
}

enum err governance_totals(const struct state *state, struct governance_totals *out) {
    struct governance_totals totals = {0};
    struct record_key key = totals_key();
    bool found = false;
    enum err e = state_get_record(state, &key, totals_decode, &totals, &found);
    if (e == OK) {
        *out = totals;
    }
    return e;
}

static enum err totals_put(const struct call *call, struct governance_totals *totals) {
    struct buffer value = BUFFER_INIT;
    struct record_key key = totals_key();
    bool fresh = totals->stamp.created_ms == 0;
    totals->stamp = stamp_after(call, fresh ? NULL : &totals->stamp);
    record_stamp_write(&value, &totals->stamp);
    buffer_u32(&value, totals->orgs);
    for (size_t role = NODE_VALIDATOR; role <= NODE_GATEWAY; role++) {
        buffer_u32(&value, totals->nodes[role]);
    }
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e;
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
    struct buffer value = BUFFER_INIT;
    org_encode(&record, &value);
    enum err e = put_noted(call, &key, &value, action, detail);
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
    struct buffer value = BUFFER_INIT;
    node_encode(&record, &value);
    enum err e = put_noted(call, &key, &value, action, detail);
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
    return e == OK ? count_node(call, before == NULL ? 0 : before->node.role, node->role) : e;
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
    struct buffer value = BUFFER_INIT;
    params_encode(&record, &value);
    return put_noted(call, &key, &value, action, detail);
}

enum err validators_put(const struct call *call, const uint8_t (*keys)[KEY_LEN], uint16_t count, const char *action,
                        const char *detail) {
    ASSERT(count >= 1 && count <= LIMIT_VALIDATORS);
    struct record_key key = validators_key();
    struct buffer value = BUFFER_INIT;
    buffer_u16(&value, count);
    buffer_put(&value, keys, (size_t)count * KEY_LEN);
    return put_noted(call, &key, &value, action, detail);
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
