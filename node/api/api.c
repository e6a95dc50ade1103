#include "node/api/api.h"

#include "contracts/kernel/code.h"
#include "node/ledger/execute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err api_add(struct api *api, struct http_server *server, const struct api_route *routes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct http_route route = {.method = routes[i].method,
                                         .path = routes[i].path,
                                         .handler = routes[i].handler,
                                         .ctx = api,
                                         .body_max = routes[i].body_max};
        enum err e = http_server_route(server, &route);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err api_routes(struct api *api, struct http_server *server) {
    enum err (*const parts[])(struct api *, struct http_server *) = {
        api_status_routes,   api_blocks_routes,     api_txs_routes,      api_proof_routes,
        api_registry_routes, api_governance_routes, api_releases_routes, api_updates_routes,
        api_blobs_routes,    api_snapshot_routes,   api_openapi_routes};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        enum err e = parts[i](api, server);
        if (e != OK) {
            return e;
        }
    }
    return OK;
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

void api_hex(json_t *object, const char *name, const void *data, size_t len) {
    char *text = malloc(2 * len + 1);
    if (text != NULL) {
        hex_encode(data, len, text);
        (void)json_object_set_new(object, name, json_string(text));
    }
    free(text);
}

void api_set(json_t *object, const char *name, json_t *value) {
    (void)json_object_set_new(object, name, value);
}

void api_u64(json_t *object, const char *name, uint64_t value) {
    if (value <= INT64_MAX) {
        (void)json_object_set_new(object, name, json_integer((json_int_t)value));
    } else { /* only what a sender made up is so large */
        (void)json_object_set_new(object, name, json_sprintf("%llu", (unsigned long long)value));
    }
}

bool api_no_query(struct http_request *request) {
    static const char *const none[] = {NULL};
    return http_query_only(request, none);
}

bool api_param_hex(struct http_request *request, const char *name, void *out, size_t len) {
    const char *text = http_param(request, name);
    if (text == NULL || hex_decode(text, out, len) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give it as lowercase hex", "%s must be %zu hex digits",
                                         name, 2 * len));
        return false;
    }
    return true;
}

json_t *api_result_json(const struct receipt *receipt) {
    json_t *result = json_object();
    api_u64(result, "code", receipt->code);
    api_set(result, "name", json_string(code_name((enum code)receipt->code)));
    api_set(result, "detail", json_stringn((const char *)receipt->detail.data, receipt->detail.len));
    return result;
}
