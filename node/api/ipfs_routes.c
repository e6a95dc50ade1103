#include "node/api/ipfs_routes.h"

#include "node/api/ipfs_response.h"

static struct http_response *to_http(struct ipfs_response *answer) {
    struct http_response *response;
    if (answer->status >= 400) {
        response = http_error(answer->status, answer->error, "see docs/operations.md, blobs", "%s", answer->why);
    } else if (answer->status == 304) {
        response = http_empty(304);
    } else if (answer->fd >= 0) {
        response = http_file_part(answer->status, answer->content_type, answer->fd, answer->offset, answer->size);
        answer->fd = -1; /* taken over */
    } else {
        response = http_bytes(answer->status, answer->content_type, answer->bytes);
    }
    for (size_t i = 0; response != NULL && i < answer->header_count; i++) {
        http_response_header(response, answer->headers[i].name, answer->headers[i].value);
    }
    return response;
}

static void get_ipfs(void *ctx, struct http_request *request) {
    struct repo *repo = ctx;
    struct ipfs_response answer;
    const struct ipfs_request asked = {
        .cid = http_param(request, "cid"),
        .format = http_query(request, "format"),
        .filename = http_query(request, "filename"),
        .accept = http_header(request, "Accept"),
        .range = http_header(request, "Range"),
        .if_range = http_header(request, "If-Range"),
        .if_none_match = http_header(request, "If-None-Match"),
    };
    ipfs_respond(repo, &asked, &answer);
    http_respond(request, to_http(&answer));
    ipfs_response_close(&answer);
}

enum err ipfs_routes_add(struct http_server *server, struct repo *repo) {
    const struct http_route route = {.method = HTTP_GET, .path = "/ipfs/{cid}", .handler = get_ipfs, .ctx = repo};
    return http_server_route(server, &route);
}
