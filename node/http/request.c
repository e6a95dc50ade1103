#include "node/http/http_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/http/ratelimit.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const method_names[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
#define METHOD_COUNT (sizeof method_names / sizeof method_names[0])

/* ---- Life ---- */

/* Of "http://host/path", too, as a proxy may send it (RFC 9112 section 3.2.2). */
static const char *path_of(const char *uri) {
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (strncasecmp(uri, schemes[i], strlen(schemes[i])) == 0) {
            const char *at = uri + strlen(schemes[i]);
            at += strcspn(at, "/?");
            return *at == '/' ? at : "/";
        }
    }
    return uri;
}

struct http_request *request_new(struct http_server *server, struct MHD_Connection *connection, const char *uri) {
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL) {
        return NULL;
    }
    request->server = server;
    request->mhd = connection;
    uri = path_of(uri);
    request->uri = strndup(uri, strcspn(uri, "?"));
    if (request->uri == NULL) {
        free(request);
        return NULL;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->connection = info != NULL ? info->socket_context : NULL;
    return request;
}

static void abandon_body(struct http_request *request) {
    if (request->sink_open) {
        request->sink_open = false;
        const struct http_route *route = request->match.route;
        if (route->sink->abandon != NULL) {
            route->sink->abandon(route->ctx, request);
        }
    }
}

void request_free(struct http_request *request) {
    if (request == NULL) {
        return;
    }
    abandon_body(request);
    waiting_forget(request->deferred);
    http_response_free(request->answer);
    buffer_free(&request->body);
    free(request->uri);
    free(request);
}

/* ---- The steps the library calls ---- */

static void refuse(struct http_request *request, unsigned status, const char *code, const char *hint,
                   const char *message) {
    http_respond(request, http_error(status, code, hint, "%s", message));
}

/* Hands the answer to the library. Without one (memory is out) the connection is closed. */
static enum MHD_Result send_answer(struct http_request *request) {
    struct http_response *answer = request->answer;
    request->answer = NULL;
    request->phase = REQUEST_HANDLED;
    connections_state(request->server->connections, request->connection, CONNECTION_SERVED, clock_mono_ms());
    if (answer == NULL) {
        return MHD_NO;
    }
    enum MHD_Result queued = MHD_queue_response(request->mhd, answer->status, answer->mhd);
    http_response_free(answer);
    return queued;
}

static bool find_method(struct http_request *request, const char *method) {
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (strcmp(method, method_names[i]) == 0) {
            request->method = (enum http_method)i;
            return true;
        }
    }
    return false;
}

/* A method that no route here takes is like any other that a path does not take. */
static enum router_found find_route(struct http_request *request, const char *method, unsigned *out_allowed) {
    bool is_known = find_method(request, method);
    enum router_found found = router_find(&request->server->router, is_known ? request->method : HTTP_GET, request->uri,
                                          &request->match, out_allowed);
    return found == ROUTER_FOUND && !is_known ? ROUTER_NO_METHOD : found;
}

static void refuse_method(struct http_request *request, unsigned allowed) {
    char list[64] = "";
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        bool here = (allowed >> i & 1) != 0 || (i == HTTP_HEAD && (allowed >> HTTP_GET & 1) != 0);
        if (here) {
            size_t len = strlen(list);
            (void)snprintf(list + len, sizeof list - len, "%s%s", len > 0 ? ", " : "", method_names[i]);
        }
    }
    struct http_response *response = http_error(405, "METHOD_NOT_ALLOWED", "use a method of the Allow header",
                                                "%s does not take this method", request->uri);
    http_response_header(response, "Allow", list);
    http_respond(request, response);
}

static enum MHD_Result take_query(void *ctx, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                  const char *value, size_t value_len) {
    struct http_request *request = ctx;
    (void)kind;
    size_t room = sizeof request->query_text - request->query_used;
    if (request->query_count == HTTP_QUERY_MAX || key_len + value_len + 2 > room) {
        request->query_count = HTTP_QUERY_MAX + 1;
        return MHD_NO;
    }
    char *name = request->query_text + request->query_used;
    if (!router_decode(key, key_len, name)) {
        request->query_count = HTTP_QUERY_MAX + 1;
        return MHD_NO;
    }
    char *text = name + strlen(name) + 1;
    if (!router_decode(value != NULL ? value : "", value_len, text)) {
        request->query_count = HTTP_QUERY_MAX + 1;
        return MHD_NO;
    }
    request->query_used += strlen(name) + strlen(text) + 2;
    request->query[request->query_count].name = name;
    request->query[request->query_count++].value = text;
    return MHD_YES;
}

static bool query_is_good(struct http_request *request) {
    (void)MHD_get_connection_values_n(request->mhd, MHD_GET_ARGUMENT_KIND, take_query, request);
    if (request->query_count <= HTTP_QUERY_MAX) {
        return true;
    }
    request->query_count = 0;
    refuse(request, 400, "BAD_QUERY", "send at most 32 arguments and 4 KiB, percent-encoded UTF-8",
           "the query is too long or not well-formed");
    return false;
}

static bool head_is_small(struct http_request *request) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (info == NULL || info->header_size <= request->server->config.header_max_bytes) {
        return true;
    }
    refuse(request, 431, "HEADERS_TOO_LARGE", "send fewer and shorter headers", "the request's head is over the limit");
    return false;
}

/* ---- What two readers of a request could understand in two ways ---- */

struct head_look {
    unsigned hosts, lengths, encodings;
    bool is_chunked;
    bool is_garbled; /* a name that is no token, or a value with a zero byte */
};

static bool is_token(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (name[i] <= ' ' || name[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", name[i]) != NULL) {
            return false;
        }
    }
    return len > 0;
}

static bool is_name(const char *name, size_t len, const char *wanted) {
    return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

static enum MHD_Result look_at_header(void *ctx, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                      const char *value, size_t value_len) {
    struct head_look *look = ctx;
    (void)kind;
    look->hosts += is_name(name, name_len, "Host") ? 1 : 0;
    look->lengths += is_name(name, name_len, "Content-Length") ? 1 : 0;
    if (is_name(name, name_len, "Transfer-Encoding")) {
        look->encodings++;
        look->is_chunked = is_name(value, value_len, "chunked");
    }
    look->is_garbled =
        look->is_garbled || !is_token(name, name_len) || (value != NULL && memchr(value, 0, value_len) != NULL);
    return MHD_YES;
}

/* After it the connection is closed: where one request ends is not sure. */
static void refuse_and_close(struct http_request *request, unsigned status, const char *code, const char *hint,
                             const char *message) {
    struct http_response *response = http_error(status, code, hint, "%s", message);
    http_response_header(response, "Connection", "close");
    http_respond(request, response);
}

/* A proxy in front may read such a request another way, and hide a second one in it (RFC 9112 section 11.2). */
static bool head_is_sound(struct http_request *request) {
    struct head_look look = {0};
    (void)MHD_get_connection_values_n(request->mhd, MHD_HEADER_KIND, look_at_header, &look);
    if (look.encodings > 1 || (look.encodings == 1 && !look.is_chunked)) {
        refuse_and_close(request, 501, "BAD_ENCODING", "send the body as it is, or chunked",
                         "no transfer encoding is known but chunked");
        return false;
    }
    if (look.hosts > 1 || look.lengths > 1 || (look.lengths == 1 && look.encodings == 1) || look.is_garbled) {
        refuse_and_close(request, 400, "BAD_HEAD", "send each of Host, Content-Length and Transfer-Encoding once",
                         "the request's head can be read in two ways");
        return false;
    }
    return true;
}

static bool rate_is_kept(struct http_request *request) {
    struct ratelimit *limit = request->server->ratelimit;
    if (limit == NULL || http_peer_is_loopback(request)) {
        return true;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct connection_address address = connections_address(info != NULL ? info->client_addr : NULL);
    if (ratelimit_take(limit, address.bytes, sizeof address.bytes, clock_mono_ms())) {
        return true;
    }
    (void)__atomic_add_fetch(&request->server->rate_limited, 1, __ATOMIC_RELAXED);
    struct http_response *response = http_error(429, "TOO_MANY_REQUESTS", "wait a second",
                                                "more requests a second than this node allows an address");
    http_response_header(response, "Retry-After", "1");
    http_respond(request, response);
    return false;
}

static bool body_is_expected(struct http_request *request, bool *out_has_body) {
    const char *length = http_header(request, "Content-Length");
    bool chunked = http_header(request, "Transfer-Encoding") != NULL;
    uint64_t announced = length != NULL ? strtoull(length, NULL, 10) : 0;
    *out_has_body = chunked || announced > 0;
    if (!*out_has_body || announced <= request->match.route->body_max) {
        if (!chunked || request->match.route->body_max > 0) {
            return true;
        }
    }
    http_respond(request, http_error(413, "BODY_TOO_LARGE", "send a smaller body", "%s takes at most %" PRIu64 " bytes",
                                     request->uri, request->match.route->body_max));
    return false;
}

/* Everything that can be judged from the head. False when it has been answered. */
static bool judge_head(struct http_request *request, const char *method, bool *out_has_body) {
    unsigned allowed = 0;
    if (!head_is_small(request) || !head_is_sound(request) || !rate_is_kept(request)) {
        return false;
    }
    switch (find_route(request, method, &allowed)) {
    case ROUTER_NO_PATH:
        refuse(request, 404, "NO_SUCH_PATH", "see /openapi.json for the paths there are", "nothing is served here");
        return false;
    case ROUTER_NO_METHOD:
        refuse_method(request, allowed);
        return false;
    case ROUTER_BAD_PATH:
        refuse(request, 400, "BAD_PATH", "send a path of percent-encoded UTF-8, at most 2 KiB",
               "the path is malformed");
        return false;
    case ROUTER_FOUND:
    default:
        break;
    }
    if (!query_is_good(request) || !arguments_are_good(request) || !body_is_expected(request, out_has_body)) {
        return false;
    }
    const struct http_sink *sink = request->match.route->sink;
    if (sink != NULL) {
        if (!sink->begin(request->match.route->ctx, request)) {
            return false;
        }
        request->sink_open = true;
    }
    return true;
}

static enum MHD_Result step_head(struct http_request *request, const char *method) {
    bool has_body = false;
    (void)__atomic_add_fetch(&request->server->requests, 1, __ATOMIC_RELAXED);
    if (!judge_head(request, method, &has_body)) {
        return send_answer(request);
    }
    request->phase = REQUEST_BODY;
    connections_state(request->server->connections, request->connection, has_body ? CONNECTION_BODY : CONNECTION_SERVED,
                      clock_mono_ms());
    return MHD_YES;
}

/* False when the piece was refused (and answered). */
static bool take_piece(struct http_request *request, struct bytes piece) {
    const struct http_route *route = request->match.route;
    if (request->body_seen + piece.len > route->body_max) {
        http_respond(request, http_error(413, "BODY_TOO_LARGE", "send a smaller body",
                                         "%s takes at most %" PRIu64 " bytes", request->uri, route->body_max));
        return false;
    }
    request->body_seen += piece.len;
    if (route->sink != NULL) {
        return route->sink->data(route->ctx, request, piece);
    }
    buffer_put(&request->body, piece.data, piece.len);
    if (buffer_ok(&request->body) != OK) {
        refuse(request, 503, "UNAVAILABLE", "try again later", "out of memory");
        return false;
    }
    return true;
}

static enum MHD_Result step_body(struct http_request *request, const char *data, size_t *len) {
    struct bytes piece = bytes_of(data, *len);
    *len = 0;
    connections_progress(request->server->connections, request->connection, piece.len, clock_mono_ms());
    if (request->phase == REQUEST_REFUSED) {
        /* The library sends an answer only after the body: a short rest is read for that, a long one is not. */
        request->body_seen += piece.len;
        return request->body_seen <= HTTP_DISCARD_MAX ? MHD_YES : MHD_NO;
    }
    if (!take_piece(request, piece)) {
        abandon_body(request);
        request->phase = REQUEST_REFUSED;
        request->body_seen = 0;
    }
    return MHD_YES;
}

static void keep_most(uint32_t *most, uint32_t value) {
    uint32_t seen = __atomic_load_n(most, __ATOMIC_RELAXED);
    while (value > seen && !__atomic_compare_exchange_n(most, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
}

static void run_handler(struct http_request *request) {
    const struct http_route *route = request->match.route;
    struct router *router = &request->server->router;
    request->phase = REQUEST_HANDLED;
    route->handler(route->ctx, request);
    struct http_budget *most = &router->most[route - router->routes];
    keep_most(&most->bytes, request->spent.bytes);
    keep_most(&most->blocks, request->spent.blocks);
    keep_most(&most->signatures, request->spent.signatures);
}

static enum MHD_Result give_answer(struct http_request *request) {
    if (request->deferred != NULL) {
        return waiting_settle(request->deferred);
    }
    if (request->answer == NULL) {
        refuse(request, 500, "INTERNAL", "report this with the node's log", "the node has no answer");
    }
    return send_answer(request);
}

void request_work(void *arg) {
    struct http_request *request = arg;
    struct MHD_Connection *mhd = request->mhd;
    run_handler(request);
    MHD_resume_connection(mhd);
}

static void refuse_busy(struct http_request *request) {
    struct http_response *response =
        http_error(503, "BUSY", "try again in a moment, or another node", "too many requests wait here that read much");
    http_response_header(response, "Retry-After", "1");
    http_respond(request, response);
}

void request_drop(void *arg) {
    struct http_request *request = arg;
    request->phase = REQUEST_HANDLED;
    refuse_busy(request);
    MHD_resume_connection(request->mhd);
}

/* Its connection rests until a worker has run the handler. */
static enum MHD_Result leave_to_workers(struct http_request *request) {
    request->phase = REQUEST_WORKING;
    request->job = (struct workers_job){.arg = request};
    if (request->connection != NULL) {
        request->job.address = request->connection->address;
    }
    MHD_suspend_connection(request->mhd);
    if (!workers_put(request->server->workers, &request->job)) {
        request_drop(request);
    }
    return MHD_YES;
}

static enum MHD_Result step_handler(struct http_request *request) {
    const struct http_route *route = request->match.route;
    request->sink_open = false;
    connections_state(request->server->connections, request->connection, CONNECTION_SERVED, clock_mono_ms());
    if (route->is_long || route->budget.blocks > 0) {
        return leave_to_workers(request);
    }
    run_handler(request);
    return give_answer(request);
}

enum MHD_Result request_step(struct http_request *request, const char *method, const char *data, size_t *len) {
    if (request->phase == REQUEST_NEW) {
        return step_head(request, method);
    }
    if (*len > 0) {
        return step_body(request, data, len);
    }
    switch (request->phase) {
    case REQUEST_BODY:
        return step_handler(request);
    case REQUEST_REFUSED:
        return send_answer(request);
    case REQUEST_HANDLED:
        return give_answer(request);
    case REQUEST_WORKING: /* suspended: nobody calls */
    case REQUEST_NEW:
    default:
        return MHD_NO;
    }
}

/* ---- What handlers call ---- */

const char *http_param(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->match.param_count; i++) {
        if (bytes_equal(request->match.params[i].name, bytes_str(name))) {
            return request->match.params[i].value;
        }
    }
    return NULL;
}

const char *http_query(const struct http_request *request, const char *name) {
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, name) == 0) {
            return request->query[i].value;
        }
    }
    return NULL;
}

const char *http_header(const struct http_request *request, const char *name) {
    return MHD_lookup_connection_value(request->mhd, MHD_HEADER_KIND, name);
}

struct header_list {
    const char *name;
    char *out;
    size_t len, room;
};

static enum MHD_Result join_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct header_list *list = ctx;
    (void)kind;
    if (strcasecmp(name, list->name) == 0 && value != NULL) {
        int n = snprintf(list->out + list->len, list->room - list->len, "%s%s", list->len > 0 ? ", " : "", value);
        list->len += n > 0 && (size_t)n < list->room - list->len ? (size_t)n : 0;
    }
    return MHD_YES;
}

const char *http_header_list(const struct http_request *request, const char *name, char *out, size_t room) {
    struct header_list list = {.name = name, .out = out, .room = room};
    out[0] = '\0';
    (void)MHD_get_connection_values(request->mhd, MHD_HEADER_KIND, join_header, &list);
    out[list.len] = '\0';
    return list.len > 0 ? out : NULL;
}

bool http_is_head(const struct http_request *request) {
    return request->method == HTTP_HEAD;
}

static const struct sockaddr *peer_address(const struct http_request *request) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(request->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info != NULL ? info->client_addr : NULL;
}

/* "192.0.2.1" or "2001:db8::1". */
const char *http_peer(const struct http_request *request) {
    const struct sockaddr *address = peer_address(request);
    /* The text is made on first use; the request stays logically unchanged. */
    char *text = ((struct http_request *)(uintptr_t)request)->peer;
    if (text[0] != '\0' || address == NULL) {
        return text;
    }
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof request->peer);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof request->peer);
    }
    return text;
}

bool http_peer_is_loopback(const struct http_request *request) {
    const char *text = http_peer(request);
    return strncmp(text, "127.", 4) == 0 || strcmp(text, "::1") == 0 || strncmp(text, "::ffff:127.", 11) == 0;
}

struct bytes http_body(const struct http_request *request) {
    return buffer_bytes(&request->body);
}

struct http_budget http_left(const struct http_request *request) {
    const struct http_budget *most = &request->match.route->budget, *spent = &request->spent;
    return (struct http_budget){.bytes = spent->bytes < most->bytes ? most->bytes - spent->bytes : 0,
                                .blocks = spent->blocks < most->blocks ? most->blocks - spent->blocks : 0,
                                .signatures =
                                    spent->signatures < most->signatures ? most->signatures - spent->signatures : 0};
}

static uint32_t added(uint32_t a, uint32_t b) {
    return a <= UINT32_MAX - b ? a + b : UINT32_MAX;
}

bool http_spend(struct http_request *request, struct http_budget cost) {
    struct http_budget *spent = &request->spent;
    const struct http_budget *most = &request->match.route->budget;
    spent->bytes = added(spent->bytes, cost.bytes);
    spent->blocks = added(spent->blocks, cost.blocks);
    spent->signatures = added(spent->signatures, cost.signatures);
    return spent->bytes <= most->bytes && spent->blocks <= most->blocks && spent->signatures <= most->signatures;
}

void http_set_user(struct http_request *request, void *user) {
    request->user = user;
}

void *http_user(const struct http_request *request) {
    return request->user;
}

void http_respond(struct http_request *request, struct http_response *consumed) {
    ASSERT(request->answer == NULL && request->deferred == NULL);
    if (consumed != NULL && request->match.route != NULL) {
        (void)http_spend(request, (struct http_budget){.bytes = consumed->size});
    }
    if (consumed == NULL) {
        consumed = http_static(500, "application/json",
                               bytes_str("{\"error\":{\"code\":\"NO_MEMORY\",\"message\":\"out of memory\","
                                         "\"hint\":\"try again later\"}}"));
    }
    request->answer = consumed;
}

struct http_deferred *http_defer(struct http_request *request, uint64_t timeout_ms, struct http_response *on_timeout) {
    ASSERT(request->answer == NULL && request->deferred == NULL && request->phase == REQUEST_HANDLED);
    request->deferred = waiting_defer(request->server->waiting, request->mhd, timeout_ms, on_timeout);
    if (request->deferred == NULL) {
        http_respond(request, NULL);
    }
    return request->deferred;
}

struct http_stream *http_stream_open(struct http_request *request, void (*drained)(void *ctx), void *ctx) {
    ASSERT(request->answer == NULL && request->deferred == NULL);
    struct http_response *response = NULL;
    struct waiting_stream_config config = {.connection = request->mhd, .drained = drained, .ctx = ctx};
    if (request->connection != NULL) {
        config.address = request->connection->address;
    }
    struct http_stream *stream = waiting_stream(request->server->waiting, &config, &response);
    if (stream == NULL) {
        refuse(request, 503, "TOO_MANY_STREAMS", "end some, try another node, or this one later",
               "this node serves no more event streams now, or none to this address");
        return NULL;
    }
    http_respond(request, response);
    return stream;
}
