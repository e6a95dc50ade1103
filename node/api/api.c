#include "node/api/api.h"

#include "contracts/kernel/code.h"
#include "node/http/auth.h"
#include "node/http/openapi.h"
#include "node/json/record_json.h"
#include "node/ledger/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err api_add(struct api *api, struct http_server *server, const struct http_route *routes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct http_route route = routes[i];
        route.ctx = api;
        enum err e = http_server_route(server, &route);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err api_routes(struct api *api, struct http_server *server) {
    enum err (*const parts[])(struct api *, struct http_server *) = {
        api_status_routes,     api_blocks_routes,   api_txs_routes,     api_proof_routes, api_registry_routes,
        api_governance_routes, api_releases_routes, api_updates_routes, api_blobs_routes, api_snapshot_routes};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        enum err e = parts[i](api, server);
        if (e != OK) {
            return e;
        }
    }
    return openapi_route(server, "Assay node");
}

bool api_view(struct api *api, struct http_request *request, struct chain_view *out) {
    enum err e = chain_view_open(api->chain, out);
    if (e != OK) {
        api_fail(api, request, e, "the ledger");
    }
    return e == OK;
}

void api_fail(struct api *api, struct http_request *request, enum err e, const char *what) {
    struct http_response *response;
    char fault[STATUS_FAULT_MAX];
    switch (e) {
    case ERR_NOTFOUND:
        response = http_error(404, "NOT_FOUND", "check the name or number; lists show what there is",
                              "%s is not known here", what);
        break;
    case ERR_EXPIRED:
        response = http_error(410, "NO_LONGER_KEPT", "ask without a height for the newest state",
                              "%s is no longer kept at that height", what);
        break;
    case ERR_RANGE:
    case ERR_MALFORMED:
        response = http_error(400, "BAD_REQUEST", "see the API description", "%s: %s", what, err_text(e));
        break;
    case ERR_FULL:
    case ERR_BUSY:
        response = http_error(503, "BUSY", "try again in a moment", "%s: %s", what, err_text(e));
        break;
    default:
        if (e == ERR_CORRUPT || e == ERR_IO) { /* what a request alone can bring about is no alarm */
            (void)snprintf(fault, sizeof fault, "%s: %s", what, err_text(e));
            status_board_fault(api->status, fault);
        }
        response = http_error(500, "LOCAL_FAULT", "the node's log says more", "%s: %s", what, err_text(e));
        break;
    }
    http_respond(request, response);
}

struct result_answer api_result(const struct receipt *receipt) {
    return (struct result_answer){receipt->code, code_name((enum code)receipt->code), receipt->detail};
}

void api_answer(struct http_request *request, const struct record *shape, const void *value) {
    http_respond(request, http_json(200, record_json(shape, value)));
}

void api_outcome(struct api *api, struct http_request *request, enum err e, const char *what,
                 const struct record *shape, const void *value) {
    if (e == OK) {
        api_answer(request, shape, value);
    } else {
        api_fail(api, request, e, what);
    }
}

bool api_member(struct api *api, struct http_request *request) {
    struct auth_identity who;
    return auth_require(api->auth, request, NULL, &who);
}
