/* Judging a change against the state, and carrying it out. */
#include "contracts/governance/governance_change.h"

#include "base/assert.h"
#include "contracts/governance/governance_evidence.h"
#include "contracts/governance/governance_proposal.h"
#include "contracts/governance/governance_records.h"
#include "contracts/kernel/due_queue.h"

#include <inttypes.h>
#include <string.h>

/* ---- Organisations ------------------------------------------------------------------------------------------ */

/* A key that spoke for two organisations would have two votes. */
static enum err judge_admins(const struct call *call, const struct genesis_org *org, struct answer *answer) {
    for (size_t i = 0; i < org->admin_count; i++) {
        bool taken = false;
        enum err e = admin_of_another(&call->state, org->admins[i], org->id, &taken);
        if (e != OK) {
            return e;
        }
        if (taken) {
            char hex[2 * KEY_LEN + 1];
            hex_encode(org->admins[i], KEY_LEN, hex);
            return refuse(answer, CODE_ADMIN_KEY_TAKEN, "key %s", hex);
        }
    }
    return OK;
}

static enum err judge_admit(const struct call *call, const struct genesis_org *org, struct answer *answer) {
    struct org_record present;
    struct governance_totals totals;
    struct record_key nodes = org_node_key(org->id);
    bool known = false, leaving = false;
    enum err e = org_get(&call->state, org->id, &present, &known);
    e = e == OK ? governance_totals(&call->state, &totals) : e;
    e = e == OK ? governance_any(&call->state, &nodes, &leaving) : e;
    if (e != OK) {
        return e;
    }
    if (known) {
        return refuse(answer, CODE_ORG_EXISTS, "organisation %s", org->id);
    }
    if (leaving) {
        return refuse(answer, CODE_ORG_LEAVING, "organisation %s", org->id);
    }
    if (totals.orgs >= ORGS_MAX) {
        return refuse(answer, CODE_ORG_LIMIT, "%" PRIu32 " organisations", totals.orgs);
    }
    return judge_admins(call, org, answer);
}

static enum err judge_remove_org(const struct call *call, const char *id, struct answer *answer) {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    struct org_record org;
    struct governance_totals totals;
    bool found = false;
    enum err e = org_get(&call->state, id, &org, &found);
    e = e == OK ? governance_totals(&call->state, &totals) : e;
    e = e == OK ? governance_validators(&call->state, keys, &count) : e;
    if (e != OK) {
        return e;
    }
    if (!found) {
        return refuse(answer, CODE_ORG_UNKNOWN, "no organisation %s", id);
    }
    if (totals.orgs <= 1) {
        return refuse(answer, CODE_ORG_LAST, "organisation %s", id);
    }
    for (size_t i = 0; i < count; i++) {
        struct node_record node;
        e = node_get(&call->state, keys[i], &node, &found);
        if (e != OK || !found) {
            return e != OK ? e : ERR_CORRUPT;
        }
        if (strcmp(node.node.org, id) == 0) {
            return refuse(answer, CODE_ORG_HAS_VALIDATORS, "validator %zu is of organisation %s", i, id);
        }
    }
    return OK;
}

static enum err judge_rotate(const struct call *call, const struct genesis_org *org, struct answer *answer) {
    struct org_record present;
    bool found = false;
    enum err e = org_get(&call->state, org->id, &present, &found);
    if (e != OK || !found) {
        return e != OK ? e : refuse(answer, CODE_ORG_UNKNOWN, "no organisation %s", org->id);
    }
    return judge_admins(call, org, answer);
}

static enum err apply_remove_org(const struct call *call, const char *id) {
    struct org_record org;
    bool found = false;
    enum err e = org_get(&call->state, id, &org, &found);
    if (e != OK) {
        return e;
    }
    ASSERT(found);
    e = org_erase(call, &org, "by proposal");
    e = e == OK ? proposal_forget_votes(call, id) : e;
    return e == OK ? due_queue_add(call, call->time_ms + 1, DUE_ORG_LEAVING, bytes_str(id)) : e;
}

static enum err apply_rotate(const struct call *call, const struct genesis_org *org) {
    struct org_record before;
    bool found = false;
    enum err e = org_get(&call->state, org->id, &before, &found);
    if (e != OK) {
        return e;
    }
    ASSERT(found);
    struct genesis_org after = before.org;
    memcpy(after.admins, org->admins, sizeof after.admins);
    after.admin_count = org->admin_count;
    after.admin_threshold = org->admin_threshold;
    return org_put(call, &before, &after, "rotate_admins", "by proposal");
}

/* Takes one node away and comes back in the next block. The id can't come back before its last node is gone, so what is
 * found here belongs to the organisation that left. */
enum err governance_leaving_due(const struct call *call, struct bytes subject) {
    char org[GENESIS_ID_MAX + 1] = {0};
    if (subject.len > GENESIS_ID_MAX) {
        return ERR_CORRUPT;
    }
    memcpy(org, subject.data, subject.len);
    struct record_key prefix = org_node_key(org);
    struct state_walk walk;
    struct bytes rest, value;
    struct node_record node;
    bool found = false;
    state_walk_init(&walk, &call->state, &prefix, bytes_of(NULL, 0));
    enum err e = state_walk_next(&walk, &rest, &value, &found);
    if (e == OK && found) {
        e = rest.len == KEY_LEN ? node_have(&call->state, rest.data, &node) : ERR_CORRUPT;
    }
    state_walk_close(&walk);
    if (e != OK || !found) {
        return e;
    }
    e = node_erase(call, &node, "organisation removed");
    return e == OK ? due_queue_add(call, call->time_ms + 1, DUE_ORG_LEAVING, subject) : e;
}

/* ---- Validators --------------------------------------------------------------------------------------------- */

struct set {
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count;
};

static uint16_t place_of(const struct set *set, const uint8_t key[KEY_LEN]) {
    uint16_t i = 0;
    while (i < set->count && memcmp(set->keys[i], key, KEY_LEN) != 0) {
        i++;
    }
    return i;
}

static enum err set_put(const struct call *call, const struct set *set, const char *action) {
    return validators_put(call, (const uint8_t(*)[KEY_LEN])set->keys, set->count, action, "by proposal");
}

/* May this node become a validator? */
static enum err judge_newcomer(const struct call *call, const struct set *set, const uint8_t key[KEY_LEN],
                               struct answer *answer) {
    struct node_record node;
    struct evidence_record evidence;
    bool found = false, convicted = false;
    enum err e = node_get(&call->state, key, &node, &found);
    e = e == OK ? evidence_get(&call->state, key, &evidence, &convicted) : e;
    if (e != OK) {
        return e;
    }
    if (!found) {
        return refuse(answer, CODE_NODE_UNKNOWN, "register it as an observer first");
    }
    if (place_of(set, key) < set->count) {
        return refuse(answer, CODE_VALIDATOR_EXISTS, "validator %u", place_of(set, key));
    }
    if (node.node.role != NODE_OBSERVER) {
        return refuse(answer, CODE_NODE_ROLE, "only an observer becomes a validator");
    }
    return convicted ? refuse(answer, CODE_NODE_CONVICTED, "evidence of epoch %" PRIu64, evidence.epoch) : OK;
}

static enum err judge_remove_validator(const struct call *call, const struct set *set,
                                       const struct governance_change *change, struct answer *answer) {
    struct evidence_record evidence;
    bool convicted = false;
    enum err e = evidence_get(&call->state, change->key, &evidence, &convicted);
    if (e != OK) {
        return e;
    }
    if (place_of(set, change->key) == set->count) {
        return refuse(answer, CODE_VALIDATOR_UNKNOWN, "the key is not among the validators");
    }
    if (change->kind == CHANGE_REMOVE_CONVICTED && !convicted) {
        return refuse(answer, CODE_EVIDENCE_NONE, "validator %u", place_of(set, change->key));
    }
    return set->count > 1 ? OK : refuse(answer, CODE_VALIDATOR_LAST, "it is the only one");
}

static enum err judge_validators(const struct call *call, const struct governance_change *change,
                                 struct answer *answer) {
    struct set set;
    enum err e = governance_validators(&call->state, set.keys, &set.count);
    if (e != OK) {
        return e;
    }
    if (change->kind == CHANGE_ADD_VALIDATOR) {
        e = judge_newcomer(call, &set, change->key, answer);
        if (e == OK && answer->code == CODE_OK && set.count >= LIMIT_VALIDATORS) {
            return refuse(answer, CODE_VALIDATOR_LIMIT, "%u validators", set.count);
        }
        return e;
    }
    if (change->kind == CHANGE_REPLACE_VALIDATOR) {
        if (place_of(&set, change->key) == set.count) {
            return refuse(answer, CODE_VALIDATOR_UNKNOWN, "old_key is not among the validators");
        }
        return judge_newcomer(call, &set, change->new_key, answer);
    }
    return judge_remove_validator(call, &set, change, answer);
}

static enum err apply_validators(const struct call *call, const struct governance_change *change) {
    struct set set;
    const char *action = governance_change_name(change->kind);
    if (change->kind != CHANGE_ADD_VALIDATOR && change->kind != CHANGE_REPLACE_VALIDATOR) {
        return validator_remove(call, change->key, action, "by proposal");
    }
    enum err e = governance_validators(&call->state, set.keys, &set.count);
    if (e != OK) {
        return e;
    }
    if (change->kind == CHANGE_ADD_VALIDATOR) {
        ASSERT(set.count < LIMIT_VALIDATORS);
        memcpy(set.keys[set.count++], change->key, KEY_LEN);
        e = set_put(call, &set, action);
        return e == OK ? node_set_role(call, change->key, NODE_VALIDATOR, action) : e;
    }
    uint16_t place = place_of(&set, change->key);
    ASSERT(place < set.count);
    memcpy(set.keys[place], change->new_key, KEY_LEN);
    e = set_put(call, &set, action);
    e = e == OK ? node_set_role(call, change->key, NODE_OBSERVER, action) : e;
    return e == OK ? node_set_role(call, change->new_key, NODE_VALIDATOR, action) : e;
}

/* ---- Rules -------------------------------------------------------------------------------------------------- */

static enum err params_now(const struct call *call, struct params_record *out) {
    bool found = false;
    enum err e = params_get(&call->state, out, &found);
    return e == OK && !found ? ERR_CORRUPT : e;
}

static enum err judge_params(const struct call *call, const struct governance_change *change, struct answer *answer) {
    struct params_record now;
    enum err e = params_now(call, &now);
    if (e != OK) {
        return e;
    }
    for (size_t i = 0; i < change->setting_count; i++) {
        if (governance_param_get(&now.params, change->settings[i].param) != change->settings[i].value) {
            return OK;
        }
    }
    return refuse(answer, CODE_PROPOSAL_NO_EFFECT, "the parameters are so already");
}

static enum err judge_protocol(const struct call *call, const struct governance_change *change, struct answer *answer) {
    struct params_record now;
    struct protocol_next next;
    bool pending = false;
    enum err e = params_now(call, &now);
    e = e == OK ? governance_protocol_next(&call->state, &next, &pending) : e;
    if (e != OK) {
        return e;
    }
    uint32_t version = now.params.protocol_version;
    if (change->version < version) {
        return refuse(answer, CODE_PROTOCOL_LOWER, "the present version is %" PRIu32, version);
    }
    if (change->version == version) {
        return pending ? OK : refuse(answer, CODE_PROPOSAL_NO_EFFECT, "version %" PRIu32 " is in force", version);
    }
    if (change->height <= call->height) {
        return refuse(answer, CODE_PROTOCOL_HEIGHT_PASSED, "this block is %" PRIu64, call->height);
    }
    return OK;
}

static enum err apply_params(const struct call *call, const struct governance_change *change) {
    struct params_record before;
    enum err e = params_now(call, &before);
    if (e != OK) {
        return e;
    }
    struct genesis_params params = before.params;
    for (size_t i = 0; i < change->setting_count; i++) {
        governance_param_set(&params, change->settings[i].param, change->settings[i].value);
    }
    return params_put(call, &before, &params, "set_params", "by proposal");
}

static enum err apply_protocol(const struct call *call, const struct governance_change *change) {
    struct params_record now;
    enum err e = params_now(call, &now);
    if (e != OK) {
        return e;
    }
    return change->version == now.params.protocol_version
               ? governance_protocol_cancel(call)
               : governance_protocol_plan(call, change->version, change->height);
}

/* ---- All ---------------------------------------------------------------------------------------------------- */

enum err governance_change_judge(const struct call *call, const struct governance_change *change,
                                 struct answer *answer) {
    switch (change->kind) {
    case CHANGE_ADMIT_ORG:
        return judge_admit(call, &change->org, answer);
    case CHANGE_REMOVE_ORG:
        return judge_remove_org(call, change->org.id, answer);
    case CHANGE_ADD_VALIDATOR:
    case CHANGE_REMOVE_VALIDATOR:
    case CHANGE_REPLACE_VALIDATOR:
    case CHANGE_REMOVE_CONVICTED:
        return judge_validators(call, change, answer);
    case CHANGE_SET_PARAMS:
        return judge_params(call, change, answer);
    case CHANGE_ROTATE_ADMINS:
        return judge_rotate(call, &change->org, answer);
    case CHANGE_SET_PROTOCOL:
        return judge_protocol(call, change, answer);
    }
    return ERR_CORRUPT;
}

enum err governance_change_apply(const struct call *call, const struct governance_change *change) {
    switch (change->kind) {
    case CHANGE_ADMIT_ORG:
        return org_put(call, NULL, &change->org, "admit", "by proposal");
    case CHANGE_REMOVE_ORG:
        return apply_remove_org(call, change->org.id);
    case CHANGE_ADD_VALIDATOR:
    case CHANGE_REMOVE_VALIDATOR:
    case CHANGE_REPLACE_VALIDATOR:
    case CHANGE_REMOVE_CONVICTED:
        return apply_validators(call, change);
    case CHANGE_SET_PARAMS:
        return apply_params(call, change);
    case CHANGE_ROTATE_ADMINS:
        return apply_rotate(call, &change->org);
    case CHANGE_SET_PROTOCOL:
        return apply_protocol(call, change);
    }
    return ERR_CORRUPT;
}
