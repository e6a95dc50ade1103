#include "contracts/governance.h"

#include "contracts/method.h"

#include <string.h>

#define CONTRACT "governance"

struct record_key org_key(const char *id) {
    return record_key(CONTRACT, "org/", bytes_str(id));
}

struct record_key node_key(const uint8_t key[ED25519_KEY_LEN]) {
    return record_key(CONTRACT, "node/", bytes_of(key, ED25519_KEY_LEN));
}

static struct record_key params_key(void) {
    return record_key(CONTRACT, "params", bytes_of(NULL, 0));
}

static struct record_key admin_key(const uint8_t key[ED25519_KEY_LEN], const char *org) {
    struct record_key k = record_key(CONTRACT, "admin/", bytes_of(key, ED25519_KEY_LEN));
    record_key_add(&k, org, strlen(org));
    return k;
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

static enum err org_decode(struct bytes value, void *out) {
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

static enum err node_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct node_record record = {0};
    record_stamp_read(&r, &record.stamp);
    read_bytes(&r, record.node.key, sizeof record.node.key);
    read_bytes(&r, record.node.link_key, sizeof record.node.link_key);
    record.node.role = (enum node_role)read_u8(&r);
    record_text_read(&r, record.node.org, sizeof record.node.org);
    record_text_read(&r, record.node.peer, sizeof record.node.peer);
    record_text_read(&r, record.node.http, sizeof record.node.http);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
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
}

static enum err params_decode(struct bytes value, void *out) {
    struct reader r = reader_of(value);
    struct params_record record = {0};
    record_stamp_read(&r, &record.stamp);
    record.params.heartbeat_ms = read_u32(&r);
    record.params.max_block_txs = read_u32(&r);
    record.params.max_block_bytes = read_u32(&r);
    record.params.tx_max_lifetime_ms = read_u64(&r);
    record.params.vote_threshold_percent = read_u32(&r);
    record.params.protocol_version = read_u32(&r);
    if (!reader_done(&r)) {
        return ERR_CORRUPT;
    }
    *(struct params_record *)out = record;
    return OK;
}

/* ---- Reading ------------------------------------------------------------------------------------------------ */

enum err org_get(const struct state *state, const char *id, struct org_record *out, bool *out_found) {
    /* An id that is too long for a key names nothing. */
    if (strlen(id) > GENESIS_ID_MAX) {
        *out_found = false;
        return OK;
    }
    struct record_key key = org_key(id);
    return state_get_record(state, &key, org_decode, out, out_found);
}

enum err node_get(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out,
                  bool *out_found) {
    struct record_key whole = node_key(key);
    return state_get_record(state, &whole, node_decode, out, out_found);
}

enum err params_get(const struct state *state, struct params_record *out, bool *out_found) {
    struct record_key key = params_key();
    return state_get_record(state, &key, params_decode, out, out_found);
}

struct org_visit {
    enum err (*each)(void *arg, const struct org_record *org);
    void *arg;
};

static enum err visit_org(void *arg, struct bytes rest, struct bytes value) {
    const struct org_visit *visit = arg;
    struct org_record record;
    (void)rest;
    enum err e = org_decode(value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err org_list(const struct state *state, const char *after, size_t limit,
                  enum err (*each)(void *arg, const struct org_record *org), void *arg) {
    struct record_key prefix = org_key("");
    struct org_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_str(after == NULL ? "" : after), limit, visit_org, &visit);
}

struct node_visit {
    enum err (*each)(void *arg, const struct node_record *node);
    void *arg;
};

static enum err visit_node(void *arg, struct bytes rest, struct bytes value) {
    const struct node_visit *visit = arg;
    struct node_record record;
    (void)rest;
    enum err e = node_decode(value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err node_list(const struct state *state, const uint8_t *after, size_t limit,
                   enum err (*each)(void *arg, const struct node_record *node), void *arg) {
    struct record_key prefix = record_key(CONTRACT, "node/", bytes_of(NULL, 0));
    struct node_visit visit = {each, arg};
    struct bytes from = bytes_of(after, after == NULL ? 0 : ED25519_KEY_LEN);
    return state_each(state, &prefix, from, limit, visit_node, &visit);
}

/* ---- Who may speak ------------------------------------------------------------------------------------------ */

enum err org_authorizes(const struct call *call, const char *id, struct org_record *out, enum code *out_code) {
    struct org_record record;
    bool found = false;
    enum err e = org_get(&call->state, id, &record, &found);
    if (e != OK) {
        return e;
    }
    if (!found) {
        *out_code = CODE_ORG_UNKNOWN;
        return OK;
    }
    size_t signed_by = 0;
    for (size_t i = 0; i < record.org.admin_count; i++) {
        signed_by += call_signed_by(call, record.org.admins[i]);
    }
    if (signed_by >= record.org.admin_threshold) {
        *out_code = CODE_OK;
    } else {
        *out_code = signed_by == 0 ? CODE_NOT_AUTHORIZED : CODE_ADMIN_THRESHOLD;
    }
    if (out != NULL) {
        *out = record;
    }
    return OK;
}

enum err admin_known(const struct state *state, const uint8_t key[ED25519_KEY_LEN], bool *out_known) {
    struct record_key prefix = admin_key(key, "");
    struct state_walk walk;
    struct bytes rest, value;
    state_walk_init(&walk, state, &prefix, bytes_of(NULL, 0));
    enum err e = state_walk_next(&walk, &rest, &value, out_known);
    state_walk_close(&walk);
    return e;
}

/* ---- Genesis ------------------------------------------------------------------------------------------------ */

static enum err lay_org(const struct call *call, const struct genesis_org *org) {
    struct org_record record = {record_stamp_new(call), *org};
    struct buffer value = BUFFER_INIT;
    org_encode(&record, &value);
    struct record_key key = org_key(org->id);
    enum err e = state_put_buffer(&call->state, &key, &value);
    for (size_t i = 0; i < org->admin_count && e == OK; i++) {
        struct record_key admin = admin_key(org->admins[i], org->id);
        e = state_put(&call->state, &admin, bytes_of("\1", 1));
    }
    buffer_free(&value);
    return e;
}

static enum err lay_node(const struct call *call, const struct genesis_node *node) {
    struct node_record record = {record_stamp_new(call), *node};
    struct buffer value = BUFFER_INIT;
    node_encode(&record, &value);
    struct record_key key = node_key(node->key);
    enum err e = state_put_buffer(&call->state, &key, &value);
    buffer_free(&value);
    return e;
}

enum err governance_genesis(const struct call *call, const struct genesis *genesis) {
    struct params_record params = {record_stamp_new(call), genesis->params};
    struct buffer value = BUFFER_INIT;
    params_encode(&params, &value);
    struct record_key key = params_key();
    enum err e = state_put_buffer(&call->state, &key, &value);
    for (size_t i = 0; i < genesis->org_count && e == OK; i++) {
        e = lay_org(call, &genesis->orgs[i]);
    }
    for (size_t i = 0; i < genesis->node_count && e == OK; i++) {
        e = lay_node(call, &genesis->nodes[i]);
    }
    buffer_free(&value);
    return e;
}
