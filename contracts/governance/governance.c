#include "contracts/governance/governance.h"

#include "contracts/governance/governance_records.h"
#include "contracts/kernel/method.h"

#include <string.h>

/* ---- Reading ------------------------------------------------------------------------------------------------ */

enum err org_get(const struct state *state, const char *id, struct org_record *out, bool *out_found) {
    /* An id that is too long for a key names nothing. */
    if (strlen(id) > GENESIS_ID_MAX) {
        *out_found = false;
        return OK;
    }
    struct record_key key = org_key(id);
    return state_read(state, &key, &org_shape, out, out_found);
}

/* A node is one as long as its organisation is; what is left of a removed one's is taken away little by little. */
static enum err org_stands(const struct state *state, const struct node_record *node, bool *out_stands) {
    struct record_key key = org_key(node->node.org);
    return state_has(state, &key, out_stands);
}

enum err node_get(const struct state *state, const uint8_t key[ED25519_KEY_LEN], struct node_record *out,
                  bool *out_found) {
    struct record_key whole = node_key(key);
    struct node_record record;
    bool found = false;
    enum err e = state_read(state, &whole, &node_shape, &record, &found);
    if (e == OK && found) {
        e = org_stands(state, &record, &found);
    }
    if (e != OK) {
        return e;
    }
    if (found) {
        *out = record;
    }
    *out_found = found;
    return OK;
}

enum err params_get(const struct state *state, struct params_record *out, bool *out_found) {
    struct record_key key = params_key();
    return state_read(state, &key, &params_record_shape, out, out_found);
}

enum err governance_validators(const struct state *state, uint8_t (*keys)[KEY_LEN], uint16_t *out_count) {
    struct record_key key = validators_key();
    struct buffer value = BUFFER_INIT;
    bool found = false;
    enum err e = state_get(state, &key, &value, &found);
    struct reader r = reader_of(buffer_bytes(&value));
    uint16_t count = read_u16(&r);
    struct bytes all = read_span(&r, (size_t)count * KEY_LEN);
    if (e == OK && (!found || !reader_done(&r) || count == 0 || count > LIMIT_VALIDATORS)) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        memcpy(keys, all.data, all.len);
        *out_count = count;
    }
    buffer_free(&value);
    return e;
}

uint64_t params_window_start(const struct params_record *record, uint64_t time_ms) {
    const struct tx_window *w = &record->window;
    uint64_t lifetime = record->params.tx_max_lifetime_ms;
    uint64_t longest = time_ms < w->until_ms && w->longest_ms > lifetime ? w->longest_ms : lifetime;
    uint64_t start = time_ms > longest ? time_ms - longest : 0;
    return start > w->floor_ms ? start : w->floor_ms;
}

struct org_visit {
    enum err (*each)(void *arg, const struct org_record *org);
    void *arg;
};

static enum err visit_org(void *arg, struct bytes rest, struct bytes value) {
    const struct org_visit *visit = arg;
    struct org_record record;
    (void)rest;
    enum err e = record_decode(&org_shape, value, &record);
    return e == OK ? visit->each(visit->arg, &record) : e;
}

enum err org_list(const struct state *state, const char *after, size_t limit,
                  enum err (*each)(void *arg, const struct org_record *org), void *arg) {
    struct record_key prefix = org_key("");
    struct org_visit visit = {each, arg};
    return state_each(state, &prefix, bytes_str(after == NULL ? "" : after), limit, visit_org, &visit);
}

struct node_visit {
    const struct state *state;
    enum err (*each)(void *arg, const struct node_record *node);
    void *arg;
};

static enum err visit_node(void *arg, struct bytes rest, struct bytes value) {
    const struct node_visit *visit = arg;
    struct node_record record;
    bool stands = false;
    (void)rest;
    enum err e = record_decode(&node_shape, value, &record);
    e = e == OK ? org_stands(visit->state, &record, &stands) : e;
    return e == OK && stands ? visit->each(visit->arg, &record) : e;
}

enum err node_list(const struct state *state, const uint8_t *after, size_t limit,
                   enum err (*each)(void *arg, const struct node_record *node), void *arg) {
    struct record_key prefix = record_key(GOVERNANCE, "node/", bytes_of(NULL, 0));
    struct node_visit visit = {state, each, arg};
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
    return governance_any(state, &prefix, out_known);
}

enum err governance_sender_known(const struct call *call, const struct method *method, bool *out_known) {
    const uint8_t *key = call->signers[0];
    struct node_record node;
    bool known = false;
    enum err e = admin_known(&call->state, key, &known);
    if (e == OK && !known && strcmp(method->name, "submit_evidence") == 0) {
        e = node_get(&call->state, key, &node, &known);
    }
    if (e == OK) {
        *out_known = known;
    }
    return e;
}

/* ---- Power -------------------------------------------------------------------------------------------------- */

struct holding {
    char org[GENESIS_ID_MAX + 1];
    uint16_t validators;
};

/* Adds one to the organisation's holding, which stands at the end of the list when it is new. */
static void hold_one(struct holding *holdings, size_t *count, const char *org) {
    size_t i = 0;
    while (i < *count && strcmp(holdings[i].org, org) != 0) {
        i++;
    }
    if (i == *count) {
        holdings[(*count)++] = (struct holding){.validators = 0};
        memcpy(holdings[i].org, org, strlen(org) + 1);
    }
    holdings[i].validators++;
}

enum err governance_dominating_org(const struct state *state, char out_org[GENESIS_ID_MAX + 1], uint16_t *out_held,
                                   bool *out_found) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct holding holdings[LIMIT_VALIDATORS] = {{.validators = 0}};
    uint16_t count = 0;
    size_t orgs = 0, most = 0;
    enum err e = governance_validators(state, keys, &count);
    for (uint16_t i = 0; i < count && e == OK; i++) {
        struct node_record node;
        e = node_have(state, keys[i], &node);
        if (e == OK) {
            hold_one(holdings, &orgs, node.node.org);
        }
    }
    if (e != OK) {
        return e;
    }
    for (size_t i = 1; i < orgs; i++) {
        most = holdings[i].validators > holdings[most].validators ? i : most;
    }
    *out_found = holdings[most].validators > validators_faulty(count);
    if (*out_found) {
        memcpy(out_org, holdings[most].org, sizeof holdings[most].org);
        *out_held = holdings[most].validators;
    }
    return OK;
}

/* ---- Genesis ------------------------------------------------------------------------------------------------ */
