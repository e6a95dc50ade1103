#include "node/gateway/links/link_http.h"

/* NULL when memory is out, which the server answers with 500. */
static struct http_response *response_of(const struct device_reply *reply) {
    struct http_response *response = NULL;
    switch (reply->kind) {
    case DEVICE_REPLY_ANSWER:
        response = http_bytes(200, PROTOCOL_CONTENT_TYPE, reply->answer);
        http_response_header(response, "Cache-Control", "no-store");
        break;
    case DEVICE_REPLY_MALFORMED:
        response = http_error(400, "REQUEST_MALFORMED", "see docs/formats.md, Device protocol",
                              "the body is not a request of the device protocol");
        break;
    case DEVICE_REPLY_FAULT:
        response = http_error(500, "LOCAL_FAULT", "the gateway's log says more", "the request could not be served");
        break;
    case DEVICE_REPLY_CLOSED:
        response = http_error(503, "UNAVAILABLE", "ask again, here or at another gateway", "the gateway is closing");
        break;
    }
    return response;
}

static void reply_now(const struct device_call *call, const struct device_reply *reply) {
    http_respond(call->tag, response_of(reply));
}

static void *defer(const struct device_call *call, const struct device_reply *so_far) {
    return http_defer(call->tag, LINK_HTTP_WAIT_MS, response_of(so_far));
}

static void wake(void *handle, const struct device_reply *reply) {
    (void)http_complete(handle, response_of(reply));
}

static const struct device_link link = {.name = "http",
                                        .range_max = PROTOCOL_RANGE_MAX,
                                        .wait_ms = LINK_HTTP_WAIT_MS,
                                        .reply = reply_now,
                                        .defer = defer,
                                        .wake = wake};

static void post_request(void *ctx, struct http_request *http) {
    const struct device_call call = {.link = &link, .tag = http, .request = http_body(http), .peer = http_peer(http)};
    device_door_take(ctx, &call);
}

enum err link_http_routes(struct device_door *door, struct http_server *server) {
    const struct http_route route = {.method = HTTP_POST,
                                     .path = PROTOCOL_PATH,
                                     .handler = post_request,
                                     .ctx = door,
                                     .body_max = PROTOCOL_REQUEST_MAX,
                                     HTTP_BUDGET(1024 * 1024, 0, 1),
                                     .summary = "The device protocol: one message in, one out",
                                     .media = PROTOCOL_CONTENT_TYPE,
                                     .media_taken = PROTOCOL_CONTENT_TYPE};
    return http_server_route(server, &route);
}
