/* Requests without a thread: those answered later and event streams.
 *
 * One lock for all of a server's, held together with the library's suspend and resume, so that no connection is ever
 * suspended after the server began to stop: the library aborts the process if one is. The struct outlives the server as
 * long as somebody holds a handle.
 */
#ifndef ASSAY_NODE_HTTP_WAITING_H
#define ASSAY_NODE_HTTP_WAITING_H

#include "node/http/connections.h"
#include "node/http/server.h"

#include <microhttpd.h>

#define WAITING_STREAM_BYTES (256u * 1024u)
_Static_assert(HTTP_STREAM_LOW + HTTP_STREAM_PIECE <= WAITING_STREAM_BYTES, "a piece fits where there is room");
#define WAITING_HEARTBEAT_MS 15000 /* of quiet streams, so that dead ones are noticed */

struct waiting;

NODISCARD enum err waiting_new(uint32_t max_streams, uint32_t max_of_address, struct waiting **out);
void waiting_release(struct waiting *w);
/* New limits; streams that are open stay. */
void waiting_limit(struct waiting *w, uint32_t max_streams, uint32_t max_of_address);

/* The two halves of http_defer: the handle, then, after the handler has returned, the wait. `waiting_settle` queues the
 * answer if it is there already, else suspends the connection. */
struct http_deferred *waiting_defer(struct waiting *w, struct MHD_Connection *connection, uint64_t timeout_ms,
                                    struct http_response *on_timeout);
enum MHD_Result waiting_settle(struct http_deferred *deferred);
/* The request is over (answered or its client gone): drops the request's share of the handle. NULL is fine. */
void waiting_forget(struct http_deferred *deferred);

/* Answers what is overdue, sends heartbeats; gives the time of the next thing to do, at most `now_ms` + 1000. */
uint64_t waiting_tick(struct waiting *w, uint64_t now_ms);
/* Sleeps until `until_ms`, or until something with an earlier deadline comes in; false once stopping. */
bool waiting_sleep(struct waiting *w, uint64_t until_ms);
/* Answers everything; from now on nothing waits. */
void waiting_stop(struct waiting *w);
void waiting_stats(struct waiting *w, uint32_t *out_streams, uint32_t *out_deferred);

/* Opens a stream and makes the response that carries it; NULL: too many, or too many of this address, no memory,
 * stopping. */
struct waiting_stream_config {
    struct MHD_Connection *connection;
    struct connection_address address;
    void (*drained)(void *ctx);
    void *ctx;
};
struct http_stream *waiting_stream(struct waiting *w, const struct waiting_stream_config *config,
                                   struct http_response **out_response);

#endif
