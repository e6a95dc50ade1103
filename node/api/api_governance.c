/* What the organisations decide: parameters for anyone, proposals and votes for members. */
#include "node/answers/registry.h"
#include "node/api/api_list.h"

#include "contracts/governance/governance.h"
#include "node/json/record_json.h"

static void get_params(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct params_answer answer = {.changes_protocol = false};
    bool found = false;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    enum err e = params_get(&state, &answer.record, &found);
    if (e == OK) {
        e = governance_protocol_next(&state, &answer.next, &answer.changes_protocol);
    }
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_CORRUPT, "the parameters");
        return;
    }
    api_answer(request, &params_answer_shape, &answer);
}

static enum err each_proposal(void *arg, const struct proposal_record *record) {
    return api_list_add(arg, record_json(&proposal_shape, record), record->id, HASH_LEN);
}

static void list_proposals(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t after[HASH_LEN];
    struct chain_view view;
    if (!api_member(api, request) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct api_list list = api_list_begin((size_t)http_number(request, "limit"));
    enum err e =
        proposal_list(&state, http_hex(request, "after", after) ? after : NULL, list.limit, each_proposal, &list);
    chain_view_close(&view);
    api_list_end(api, request, &list, &proposals_page, e);
}

static enum err each_vote(void *arg, const struct vote_record *record) {
    return json_array_append_new(arg, record_json(&vote_shape, record)) == 0 ? OK : ERR_NOMEM;
}

static void get_proposal(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    struct proposal_answer answer = {.votes = NULL};
    struct params_record params;
    bool found = false, has_params = false;
    (void)http_hex(request, "id", id);
    if (!api_member(api, request) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    json_t *votes = json_array();
    enum err e = proposal_get(&state, id, &answer.proposal, &found);
    if (e == OK && found) {
        e = proposal_votes(&state, id, NULL, STATE_PAGE_MAX, each_vote, votes);
    }
    if (e == OK && found) {
        e = params_get(&state, &params, &has_params);
        e = e == OK && !has_params ? ERR_CORRUPT : e;
    }
    chain_view_close(&view);
    if (e == OK && found) {
        answer.votes = votes;
        answer.needed = vote_tally_needed(&answer.proposal.tally, params.params.vote_threshold_percent);
        api_answer(request, &proposal_answer_shape, &answer);
    } else {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this proposal");
    }
    json_decref(votes);
}

enum err api_governance_routes(struct api *api, struct http_server *server) {
    static const struct http_argument list[] = {LIST_AFTER(HASH_LEN), LIST_LIMIT(STATE_PAGE_MAX, LIST_DEFAULT), {0}};
    static const struct http_argument by_id[] = {{"id", "the propose transaction's id", HTTP_HEX, .most = HASH_LEN},
                                                 {0}};
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/params", get_params, HTTP_BUDGET(8192, 0, 0), .summary = "The ledger's parameters",
         .answers = &params_answer_shape},
        {HTTP_GET, "/v1/proposals", list_proposals, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "What organisations propose, newest first", .arguments = list, .answers = &proposals_page,
         .for_members = true},
        {HTTP_GET, "/v1/proposals/{id}", get_proposal, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "One proposal with its votes", .arguments = by_id, .answers = &proposal_answer_shape,
         .for_members = true},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
