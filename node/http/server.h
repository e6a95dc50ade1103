/* The HTTP side of a node: a router, bounded requests, answers now or later, event streams.
 *
 * Requests are taken in and answers sent by the library's threads (http.threads of them), which also run the handlers
 * of routes that cost little. Those that read blocks, or wait for a disk, run on as many threads of their own
 * (workers.h), so that the short ones are answered whatever the long ones do. A handler runs once the whole request is
 * there; it must answer exactly once: with http_respond, or with http_defer (somebody else answers later), or with
 * http_stream_open (server-sent events). A handler that returns without any of these answers 500.
 *
 * What a stranger can do is bounded: connections in total and per address (the oldest connection that is not being
 * served gives way to a new one), the time to send a request's head, the pace of its body, sizes of head and body.
 *
 * Life cycle: http_server_new, any number of http_server_route, http_server_start, http_server_stop, http_server_free.
 */
#ifndef ASSAY_NODE_HTTP_SERVER_H
#define ASSAY_NODE_HTTP_SERVER_H

#include "base/buffer.h"
#include "base/record.h"
#include "base/why.h"

#include <jansson.h>

#define HTTP_PARAMS_MAX 4
#define HTTP_LISTEN_MAX 128

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE };

struct http_config {
    const char *listen;   /* "host:port"; "[v6]:port"; port 0 picks a free one */
    const char *tls_cert; /* PEM files; both NULL or "" for plain HTTP */
    const char *tls_key;
    uint32_t max_connections;
    uint32_t max_connections_per_ip; /* IPv6: per /64 */
    uint32_t threads;
    uint32_t header_max_bytes;   /* request line and headers together */
    uint32_t header_timeout_ms;  /* from the connection to the end of the first request's headers */
    uint32_t body_min_rate;      /* bytes a second, on average after the first 10 s; slower bodies are cut off */
    uint32_t idle_timeout_ms;    /* no byte moved either way; from one answer to the end of the next headers */
    uint32_t max_streams;        /* event streams at once */
    uint32_t max_streams_per_ip; /* of one address; IPv6: per /64 */
    uint32_t rate_per_second;    /* requests a second per address, bursts of twice that; 0: no limit; loopback exempt */
};

/* 200 connections, 64 per address, 4 threads, 16 KiB heads within 10 s, 1 KiB/s, 30 s idle, 64 streams, 16 of an address, no rate. */
void http_config_default(struct http_config *out);

struct http_server;
struct http_request;
struct http_response;

/* ---- Life cycle ---- */

NODISCARD enum err http_server_new(const struct http_config *config, struct http_server **out);

typedef void http_handler(void *ctx, struct http_request *request);

/* For bodies too large for memory. `begin` runs when the head is there; to refuse, it answers and returns false.
 * `data` gets each piece; on failure it answers and returns false. If the request ends before the handler was called
 * (client gone, refused later), `abandon` runs instead of it; not after begin returned false. */
struct http_sink {
    bool (*begin)(void *ctx, struct http_request *request);
    bool (*data)(void *ctx, struct http_request *request, struct bytes piece);
    void (*abandon)(void *ctx, struct http_request *request);
};

/* What one request of a route may cost at most. Beyond it the answer is a shorter page or a refusal. */
struct http_budget {
    uint32_t bytes;      /* read for it from logs and store, and answered from memory */
    uint32_t blocks;     /* whose bodies are read */
    uint32_t signatures; /* checked or made */
};
#define HTTP_BUDGET(bytes_most, blocks_most, signatures_most)                                                          \
    .budget = {.bytes = (bytes_most), .blocks = (blocks_most), .signatures = (signatures_most)}

/* A path is made of literal segments and {name} segments ("/v1/blocks/{height}"); a last segment {name*} takes the rest
 * of the path with its slashes, one segment at least. Literal segments win over {name}, which wins over {name*}. HEAD
 * is answered by GET's handler, the body is left out. Text fields and `sink` must outlive the server. */
struct http_route {
    enum http_method method;
    const char *path;
    http_handler *handler;
    void *ctx;
    uint64_t body_max;            /* bytes; 0: a body is refused. Over it: 413 BODY_TOO_LARGE */
    const struct http_sink *sink; /* NULL: the body is gathered in memory (http_body) */

    /* What the route takes and answers, for its callers; /openapi.json is made of it. With a summary the server refuses
     * every argument that is not listed, and those that are not as they should be, before the handler runs. */
    const char *summary;                   /* NULL: not described, and takes any argument */
    struct http_budget budget;             /* a route with a summary has one */
    bool is_long;                          /* its handler waits for a disk; so does one that reads blocks */
    const struct http_argument *arguments; /* up to one without a name; NULL: none */
    const struct record *answers;          /* JSON of status 200; NULL: none */
    const struct record *answers_too;      /* another shape, by the arguments */
    const char *media;                     /* media type of what is answered and is no JSON; NULL: none */
    const char *media_too;                 /* another, by the arguments */
    const struct record *const *events;    /* data of server-sent events, up to NULL; NULL: it sends none */
    const struct record *takes;            /* JSON body; NULL: `media_taken` */
    const char *media_taken;               /* NULL and no `takes`: no body */
    bool for_members;                      /* needs a member's token */
    bool may_answer_202;                   /* with the same shape: taken, not done yet */
    bool has_ranges;                       /* 206 for a Range header */
    bool may_answer_304;                   /* to If-None-Match */
};

enum http_argument_type {
    HTTP_TEXT,   /* UTF-8 of at most `most` characters, none of them a control character */
    HTTP_NUMBER, /* from `least` to `most` */
    HTTP_HEX,    /* of `most` bytes */
    HTTP_CHOICE, /* one of `choices` */
};

/* An argument of the query, or of the path when the route's pattern has {name}. */
struct http_argument {
    const char *name;
    const char *about;
    enum http_argument_type type;
    uint64_t least, most;
    uint64_t fallback;          /* of a number that is left out */
    const char *const *choices; /* up to NULL */
    const char *pattern;        /* text: the same that `judge` says, as a regular expression for callers; NULL: any */
    bool (*judge)(const char *text); /* text: is it one? NULL: any is */
    const char *must;                /* what a text that is none should be, in words: "VENDOR_DOMAIN/CLASS" */
    bool is_required;
    bool may_be_empty; /* a text of no bytes is one, too */
};

/* Before start only. ERR_RANGE for more than 128 routes, a bad pattern or a described route without a budget,
 * ERR_EXISTS for the same route twice. */
NODISCARD enum err http_server_route(struct http_server *server, const struct http_route *route);
/* ERR_CONFIG: bad address or TLS files; ERR_BUSY: address in use; `out_why` says it in words. */
NODISCARD enum err http_server_start(struct http_server *server, struct why *out_why);
/* "127.0.0.1:26601" with the true port; valid after start. */
const char *http_server_address(const struct http_server *server);
bool http_server_has_tls(const struct http_server *server);

/* While it runs: takes over the limits of addresses, of streams and of the time for a head. */
void http_server_limit(struct http_server *server, const struct http_config *config);
/* While it runs: reads certificate and key anew, for connections that come from now on; those that are there end by
 * themselves under the old ones. ERR_CONFIG (the files; `out_why`), ERR_BUSY (too many old ones are still in use), ERR_IO;
 * nothing has changed then. OK without TLS, too. */
NODISCARD enum err http_server_renew_tls(struct http_server *server, struct why *out_why);
/* What somebody should be warned of: a certificate that is not good yet, not any more, or not for long (30 days), one that
 * is weak, or, with `host` not NULL, of another host. False: nothing, or no TLS. */
bool http_server_tls_warning(struct http_server *server, const char *host, uint64_t now_ms, struct why *out);

struct http_stats {
    uint32_t connections, streams, deferred;
    uint64_t requests, evicted, refused, rate_limited, timed_out;
};
void http_server_stats(struct http_server *server, struct http_stats *out);
/* The most that one request of a route has cost so far, for tests; zeros: there was none. */
struct http_budget http_server_most(struct http_server *server, enum http_method method, const char *path);

/* Refuses new connections, answers deferred requests 503, ends streams, waits shortly for answers under way, closes.
 * Safe with any number of suspended requests. Completing a deferred request afterwards is still allowed. NULL: nothing.
 */
void http_server_stop(struct http_server *server);
/* Stops first if need be. NULL is fine. */
void http_server_free(struct http_server *server);

/* ---- The request: borrowed until the handler returns ---- */

/* Percent-decoded value of {name} of the route; NULL if it has none. */
const char *http_param(const struct http_request *request, const char *name);
/* Percent-decoded query argument; NULL if absent, "" if without value. */
const char *http_query(const struct http_request *request, const char *name);
/* Header by name, any case; NULL if absent. */
const char *http_header(const struct http_request *request, const char *name);
/* A header that may stand on several lines, as one list (RFC 9110 section 5.3); what doesn't fit into `out` is left out.
 * NULL if absent. */
const char *http_header_list(const struct http_request *request, const char *name, char *out, size_t room);
/* Only the head of the answer is wanted. */
bool http_is_head(const struct http_request *request);
/* "192.0.2.1" or "2001:db8::1". */
const char *http_peer(const struct http_request *request);
bool http_peer_is_loopback(const struct http_request *request);
/* The gathered body; empty for routes with a sink. */
struct bytes http_body(const struct http_request *request);
/* Books what was done for this request. False: its budget is used up, and the handler must come to an end. */
bool http_spend(struct http_request *request, struct http_budget cost);
/* How much of its budget is left. */
struct http_budget http_left(const struct http_request *request);
/* One pointer for the route's sink and handler. */
void http_set_user(struct http_request *request, void *user);
void *http_user(const struct http_request *request);

/* An argument of the route's list, by its name. A number left out is its fallback; a text or choice left out is NULL. */
uint64_t http_number(const struct http_request *request, const char *name);
const char *http_text(const struct http_request *request, const char *name);
/* False: it was left out. `out` holds the bytes that the list says. */
bool http_hex(const struct http_request *request, const char *name, uint8_t *out);

/* The body as the record that the route `takes`; JSON with members that it does not have, or with one twice, is refused.
 * On failure it has answered 400 and returns false. The record borrows nothing. */
bool http_body_record(struct http_request *request, void *out);
/* ---- Answers ----
 * Constructors may give NULL when memory is out; every consumer takes NULL and answers 500 then. */

struct http_response *http_json(unsigned status, json_t *consumed);
struct http_response *http_bytes(unsigned status, const char *content_type, struct bytes copied);
/* `data` must outlive the server. */
struct http_response *http_static(unsigned status, const char *content_type, struct bytes data);
/* {"error":{"code","message","hint"}}; `code` is a name in capitals, `hint` says what to do. */
struct http_response *http_error(unsigned status, const char *code, const char *hint, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The file's bytes [0, size), or the part a single-range Range header of the request asks for (206, 416). Takes over
 * `fd`, also on failure. */
struct http_response *http_file(const struct http_request *request, int fd, uint64_t size, const char *content_type);
/* A part of a file as the whole answer. Takes over `fd`. With status 304 its bytes are not sent, and its length is told,
 * as caches expect it. */
struct http_response *http_file_part(unsigned status, const char *content_type, int fd, uint64_t offset, uint64_t len);

/* NULL response is ignored. */
void http_response_header(struct http_response *response, const char *name, const char *value);
void http_response_free(struct http_response *response);

/* Answers the request. Consumes the response. Programmer's error to call twice. */
void http_respond(struct http_request *request, struct http_response *consumed);

/* ---- Answering later ---- */

struct http_deferred;

/* The request waits, without a thread, until http_complete, or for `timeout_ms`: then `on_timeout` (consumed) is the
 * answer. The handler must return right after. The handle belongs to the caller until http_complete. Never fails: if
 * memory is out or the server stops, the client is answered 503 and the handle is one that http_complete accepts. */
struct http_deferred *http_defer(struct http_request *request, uint64_t timeout_ms, struct http_response *on_timeout);
/* From any thread, exactly once per handle, which is gone afterwards; consumes the response. False when the client had
 * its answer already (timeout, stop). */
bool http_complete(struct http_deferred *deferred, struct http_response *consumed);

/* ---- Server-sent events ---- */

#define HTTP_STREAM_LOW (32u * 1024u)
#define HTTP_STREAM_PIECE (192u * 1024u)

struct http_stream;

/* Answers 200 text/event-stream; the handler must return right after. NULL: the client was answered 503 (too many
 * streams, no memory, stopping). The caller owns the handle until http_stream_close. `drained` (may be NULL) is called
 * on one of the library's threads when everything queued has been taken, or the stream is over; it must not call the
 * stream. */
struct http_stream *http_stream_open(struct http_request *request, void (*drained)(void *ctx), void *ctx);
/* Queues one event: "id:", "event:", "data:" lines; `id` and `type` may be NULL; `data` may have several lines. From
 * any thread, never blocks. False when the stream is over (client gone, server stopping, no memory), or when it has no
 * room; a sender that looks for room first never meets that. */
bool http_stream_send(struct http_stream *stream, const char *id, const char *type, const char *data);
/* Has it room for more: is less than HTTP_STREAM_LOW queued? Then HTTP_STREAM_PIECE can be. */
bool http_stream_has_room(struct http_stream *stream);
bool http_stream_over(struct http_stream *stream);
/* Ends the answer after what is queued. NULL is fine. */
void http_stream_close(struct http_stream *stream);

#endif
