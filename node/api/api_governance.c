/* What the organisations decide: parameters for anyone, proposals and votes for members. */
#include "node/api/api.h"
#include "node/api/api_json.h"

#include "contracts/governance/governance.h"
#include "contracts/governance/governance_proposal.h"

#include <string.h>

#define PAGE_DEFAULT 50

/* ---- Records as JSON --------------------------------------------------------------------------------------------- */

static json_t *org_part(const struct governance_change *change, bool whole) {
    json_t *out = json_object();
    json_t *admins = json_array();
    api_set(out, "id", json_string(change->org.id));
    if (whole) {
        api_set(out, "name", json_string(change->org.name));
        api_u64(out, "kind", (uint64_t)change->org.kind);
    }
    for (size_t i = 0; i < change->org.admin_count; i++) {
        char hex[2 * ED25519_KEY_LEN + 1];
        hex_encode(change->org.admins[i], ED25519_KEY_LEN, hex);
        (void)json_array_append_new(admins, json_string(hex));
    }
    api_set(out, "admin_keys", admins);
    api_u64(out, "admin_threshold", change->org.admin_threshold);
    return out;
}

static json_t *settings_part(const struct governance_change *change) {
    json_t *out = json_object();
    for (size_t i = 0; i < change->setting_count; i++) {
        api_u64(out, governance_param_name(change->settings[i].param), change->settings[i].value);
    }
    return out;
}

static json_t *change_json(const struct governance_change *change) {
    json_t *out = json_object();
    api_set(out, "kind", json_string(governance_change_name(change->kind)));
    switch (change->kind) {
    case CHANGE_ADMIT_ORG:
    case CHANGE_ROTATE_ADMINS:
        api_set(out, "organisation", org_part(change, change->kind == CHANGE_ADMIT_ORG));
        break;
    case CHANGE_REMOVE_ORG:
        api_set(out, "organisation", json_string(change->org.id));
        break;
    case CHANGE_ADD_VALIDATOR:
    case CHANGE_REMOVE_VALIDATOR:
    case CHANGE_REMOVE_CONVICTED:
    case CHANGE_REPLACE_VALIDATOR:
        api_hex(out, "key", change->key, KEY_LEN);
        if (change->kind == CHANGE_REPLACE_VALIDATOR) {
            api_hex(out, "new_key", change->new_key, KEY_LEN);
        }
        break;
    case CHANGE_SET_PARAMS:
        api_set(out, "params", settings_part(change));
        break;
    case CHANGE_SET_PROTOCOL:
        api_u64(out, "version", change->version);
        api_u64(out, "height", change->height);
        break;
    }
    return out;
}

static json_t *proposal_json(const struct proposal_record *record) {
    json_t *out = json_object();
    api_hex(out, "proposal_id", record->id, HASH_LEN);
    api_set(out, "organisation", json_string(record->org));
    api_set(out, "state", json_string(proposal_state_name(record->state)));
    api_set(out, "change", change_json(&record->change));
    api_set(out, "text", json_string(record->text));
    api_u64(out, "yes", record->tally.yes);
    api_u64(out, "no", record->tally.no);
    api_u64(out, "organisations", record->tally.organisations);
    api_u64(out, "expires_ms", record->expires_ms);
    api_set(out, "outcome", record->outcome != 0 ? json_string(code_name(record->outcome)) : json_null());
    api_stamp(out, &record->stamp);
    return out;
}

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

static void get_params(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct params_record record;
    struct protocol_next next;
    bool found = false, coming = false;
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    enum err e = params_get(&state, &record, &found);
    if (e == OK) {
        e = governance_protocol_next(&state, &next, &coming);
    }
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_CORRUPT, "the parameters");
        return;
    }
    json_t *out = json_object();
    for (uint32_t param = 1; param <= PARAM_LAST; param++) {
        api_u64(out, governance_param_name(param), governance_param_get(&record.params, param));
    }
    api_u64(out, "protocol_version", record.params.protocol_version);
    if (coming) {
        json_t *step = json_object();
        api_u64(step, "version", next.version);
        api_u64(step, "height", next.height);
        api_set(out, "protocol_next", step);
    }
    api_stamp(out, &record.stamp);
    http_respond(request, http_json(200, out));
}

struct page {
    json_t *items;
    char last[2 * HASH_LEN + 1];
    size_t count;
};

static enum err each_proposal(void *arg, const struct proposal_record *record) {
    struct page *page = arg;
    hex_encode(record->id, HASH_LEN, page->last);
    page->count++;
    (void)json_array_append_new(page->items, proposal_json(record));
    return OK;
}

static void list_proposals(void *ctx, struct http_request *request) {
    static const char *const known[] = {"after", "limit", NULL};
    struct api *api = ctx;
    uint8_t cursor[HASH_LEN];
    const uint8_t *after;
    uint64_t limit;
    struct chain_view view;
    if (!http_query_only(request, known) || !api_query_after(request, sizeof cursor, cursor, &after) ||
        !http_query_u64(request, "limit", 1, STATE_PAGE_MAX, PAGE_DEFAULT, &limit) || !api_member(api, request) ||
        !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct page page = {.items = json_array()};
    enum err e = proposal_list(&state, after, limit, each_proposal, &page);
    chain_view_close(&view);
    if (e != OK) {
        json_decref(page.items);
        api_fail(api, request, e, "proposals");
        return;
    }
    json_t *out = json_object();
    api_set(out, "proposals", page.items);
    api_set(out, "next_after", page.count == limit ? json_string(page.last) : json_null());
    http_respond(request, http_json(200, out));
}

static enum err each_vote(void *arg, const struct vote_record *record) {
    json_t *vote = json_object();
    api_set(vote, "organisation", json_string(record->org));
    api_set(vote, "choice", json_string(record->choice == VOTE_YES ? "yes" : "no"));
    api_stamp(vote, &record->stamp);
    (void)json_array_append_new(arg, vote);
    return OK;
}

static void get_proposal(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    const char *hex = http_param(request, "id");
    uint8_t id[HASH_LEN];
    struct chain_view view;
    struct proposal_record record;
    bool found = false;
    if (!api_no_query(request) || !api_member(api, request)) {
        return;
    }
    if (hex == NULL || strlen(hex) != 2 * sizeof id || hex_decode(hex, id, sizeof id) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give the 64 hex digits of the propose transaction's id",
                                         "that is not a proposal's id"));
        return;
    }
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    json_t *votes = json_array();
    enum err e = proposal_get(&state, id, &record, &found);
    if (e == OK && found) {
        e = proposal_votes(&state, id, NULL, STATE_PAGE_MAX, each_vote, votes);
    }
    chain_view_close(&view);
    if (e != OK || !found) {
        json_decref(votes);
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this proposal");
        return;
    }
    json_t *out = proposal_json(&record);
    api_set(out, "votes", votes);
    http_respond(request, http_json(200, out));
}

enum err api_governance_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/params", get_params, 0},
        {HTTP_GET, "/v1/proposals", list_proposals, 0},
        {HTTP_GET, "/v1/proposals/{id}", get_proposal, 0},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
