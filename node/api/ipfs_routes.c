#include "node/api/ipfs_routes.h"

#include "ipfs-lite/cid.h"
#include "node/api/ipfs_response.h"

#define LIST_MAX 2048u /* characters of a header that is a list */

static struct http_response *to_http(struct ipfs_response *answer) {
    struct http_response *response;
    if (answer->status >= 400) {
        response = http_error(answer->status, answer->error, "see docs/operations.md, blobs", "%s", answer->why);
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
    char accept[LIST_MAX], none_match[LIST_MAX];
    const struct ipfs_request asked = {
        .cid = http_text(request, "cid"),
        .format = http_text(request, "format"),
        .filename = http_text(request, "filename"),
        .accept = http_header_list(request, "Accept", accept, sizeof accept),
        .range = http_header(request, "Range"),
        .if_range = http_header(request, "If-Range"),
        .if_none_match = http_header_list(request, "If-None-Match", none_match, sizeof none_match),
    };
    ipfs_respond(repo, &asked, &answer);
    http_respond(request, to_http(&answer));
    ipfs_response_close(&answer);
}

enum err ipfs_routes_add(struct http_server *server, struct repo *repo) {
    static const struct http_argument arguments[] = {
        {"cid", "of a block or an image", HTTP_TEXT, .most = 128, .pattern = "^(bafkqaaa|" CID_PATTERN ")$"},
        {"format", "raw: one block", HTTP_TEXT, .most = 64, .pattern = "^raw$"},
        {"filename", "name for the download", HTTP_TEXT, .most = 1024},
        {0}};
    const struct http_route route = {HTTP_GET,
                                     "/ipfs/{cid}",
                                     get_ipfs,
                                     repo,
                                     HTTP_BUDGET(2 * 1024 * 1024, 0, 0),
                                     .summary = "A block or an image, as a trustless gateway serves it",
                                     .arguments = arguments,
                                     .media = "application/octet-stream",
                                     .media_too = "application/vnd.ipld.raw",
                                     .has_ranges = true,
                                     .may_answer_304 = true};
    return http_server_route(server, &route);
}
