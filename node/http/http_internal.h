/* What the files of the HTTP server share. */
#ifndef ASSAY_NODE_HTTP_HTTP_INTERNAL_H
#define ASSAY_NODE_HTTP_HTTP_INTERNAL_H

#include "node/http/connections.h"
#include "node/http/router.h"
#include "node/http/server.h"
#include "node/http/waiting.h"
#include "node/http/workers.h"

#include <microhttpd.h>
#include <pthread.h>

#define TLS_GENERATIONS 4              /* older certificates with connections */
#define HTTP_QUERY_MAX 32              /* arguments */
#define HTTP_QUERY_BYTES 4096          /* decoded, together */
#define HTTP_DISCARD_MAX (1024 * 1024) /* of a body that was refused while it came in; then the connection is cut */

/* An answer: the library's, and its status. */
struct http_response {
    struct MHD_Response *mhd;
    unsigned status;
    uint32_t size; /* of what stands in memory */
};

enum request_phase {
    REQUEST_NEW,     /* the head has not been looked at */
    REQUEST_BODY,    /* a body is coming in */
    REQUEST_REFUSED, /* answered while the body was coming in: the rest is thrown away */
    REQUEST_WORKING, /* the handler waits for a worker, or runs on one */
    REQUEST_HANDLED, /* the handler has run */
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *mhd;
    struct connection *connection;
    enum request_phase phase;
    enum http_method method;
    char *uri; /* as sent, without the query */
    struct router_match match;
    char peer[64];
    struct {
        const char *name, *value;
    } query[HTTP_QUERY_MAX];
    size_t query_count;
    char query_text[HTTP_QUERY_BYTES];
    size_t query_used;
    struct buffer body;
    uint64_t body_seen;
    bool sink_open;
    void *user;
    struct http_response *answer;
    struct http_deferred *deferred;
    struct http_budget spent;
    struct workers_job job;
};

struct http_server {
    struct http_config config;
    char listen[HTTP_LISTEN_MAX];
    char address[HTTP_LISTEN_MAX];
    char *tls_cert, *tls_key; /* paths; NULL for plain */
    struct router router;
    const char *title; /* of the description; borrowed */
    struct connections *connections;
    struct waiting *waiting;
    struct workers *workers;                    /* NULL: not started */
    struct ratelimit *ratelimit;                /* NULL: no limit */
    struct MHD_Daemon *daemon;                  /* takes connections */
    struct MHD_Daemon *ending[TLS_GENERATIONS]; /* have connections under older certificates; NULL: a free place */
    pthread_mutex_t tls_lock;
    struct buffer tls_chain; /* PEM of the certificate chain in use; under the lock */
    int listen_fd;           /* -1: none */
    pthread_t keeper;        /* beside the library's threads: deadlines and slow senders */
    bool keeper_runs;
    uint64_t requests;     /* atomic */
    uint64_t rate_limited; /* atomic */
};

/* request.c: the library's calls for one request. */
struct http_request *request_new(struct http_server *server, struct MHD_Connection *connection, const char *uri);
enum MHD_Result request_step(struct http_request *request, const char *method, const char *data, size_t *len);
void request_free(struct http_request *request);
/* The two ways in which a request (`arg`) leaves the workers. */
void request_work(void *arg);
void request_drop(void *arg);

/* arguments.c: are the arguments those of the route? If not, the answer has been given. */
bool arguments_are_good(struct http_request *request);

#endif
