/* The open connections of the HTTP server and who of them must go: limits in total and per address, slow senders.
 *
 * A connection is in one of three states: HEAD (no complete request head yet, or between two requests), BODY (a body is
 * coming in), SERVED (its answer is being made, awaited or sent). When a limit is reached the one that has been in HEAD
 * longest gives way, else the body that has stood still longest (over a second); if all are being served the newcomer
 * is turned away. Giving way means shutting the socket down: the library notices and closes it, so the descriptor stays
 * valid until connections_remove.
 *
 * Who takes an answer slower than `body_min_rate`, while bytes wait for it in the kernel, is cut off as well: how much
 * it has acknowledged says TCP itself. Who went away before its request was whole gives its place back within a second
 * or two.
 *
 * Thread-safe.
 */
#ifndef ASSAY_NODE_HTTP_CONNECTIONS_H
#define ASSAY_NODE_HTTP_CONNECTIONS_H

#include "base/bytes.h"

#include <sys/socket.h>

#define CONNECTIONS_BODY_GRACE_MS 10000 /* before the pace of a body counts */
#define CONNECTIONS_PACE_MS 10000       /* an answer's pace is looked at so often */
#define CONNECTIONS_STILL_MS 1000       /* a body without progress this long may be evicted */

enum connection_state { CONNECTION_HEAD, CONNECTION_BODY, CONNECTION_SERVED };

struct connection_address {
    uint8_t bytes[16]; /* IPv4 mapped; IPv6 cut to its /64 */
};

struct connection {
    struct connection *prev, *next;
    int fd;
    struct connection_address address;
    enum connection_state state;
    bool leaving;      /* shut down; counts no more */
    bool used;         /* has had an answer */
    uint64_t since_ms; /* in this state */
    uint64_t progress_ms;
    uint64_t body_bytes;
    uint64_t paced_ms, acked; /* of an answer: when its pace was last looked at, and what had been acknowledged then */
};

struct connections_limits {
    uint32_t total, per_address;
    uint32_t header_timeout_ms, idle_timeout_ms;
    uint32_t body_min_rate;
};

struct connections_stats {
    uint32_t open;
    uint64_t evicted, refused, timed_out;
};

struct connections;

NODISCARD enum err connections_new(const struct connections_limits *limits, struct connections **out);
void connections_free(struct connections *table);

/* A new connection; NULL when it was turned away (its socket is shut down) or memory is out. */
struct connection *connections_add(struct connections *table, int fd, const struct sockaddr *address, uint64_t now_ms);
/* The library is about to close it. NULL is fine. */
void connections_remove(struct connections *table, struct connection *c);
void connections_state(struct connections *table, struct connection *c, enum connection_state state, uint64_t now_ms);
void connections_progress(struct connections *table, struct connection *c, size_t bytes, uint64_t now_ms);
/* Cuts off those that are too slow; called about once a second. */
void connections_sweep(struct connections *table, uint64_t now_ms);
/* Waits until no connection is being served, at most `timeout_ms`. */
void connections_drain(struct connections *table, uint64_t timeout_ms);
/* New limits; those who are there already stay. */
void connections_limit(struct connections *table, uint32_t per_address, uint32_t header_timeout_ms);
void connections_stats(struct connections *table, struct connections_stats *out);

struct connection_address connections_address(const struct sockaddr *address);

#endif
