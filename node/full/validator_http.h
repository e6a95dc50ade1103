/* The HTTP side of a validator: who may log in, which routes there are, and where they are served. */
#ifndef ASSAY_NODE_FULL_VALIDATOR_HTTP_H
#define ASSAY_NODE_FULL_VALIDATOR_HTTP_H

#include "base/why.h"
#include "node/api/api.h"
#include "node/home/daemon_home.h"

/* What it reads and reaches, borrowed; all of it outlives the server. */
struct validator_http_parts {
    const struct daemon_home *home;
    struct chain *chain;
    struct submit *submit;
    struct status_board *board;
    struct repo *repo;
    struct events *events;
    struct snapshots *snapshots;
};

struct validator_http {
    struct auth *auth;
    struct uploads *uploads;
    struct ratelimit *statements; /* that this node signs for a device */
    struct http_server *server;
    struct api api;
};

/* Starts serving. What went wrong is explained in `why`; ERR_CONFIG when http.listen is open to the network and there
 * is no TLS. After a failure only close may follow. */
NODISCARD enum err validator_http_open(const struct validator_http_parts *parts, struct validator_http *out,
                                       struct why *why);
/* "https://host:port" as it is served. */
void validator_http_url(const struct validator_http *http, char out[HTTP_LISTEN_MAX + 16]);
/* No request runs afterwards. Halfway open is fine. */
void validator_http_stop(struct validator_http *http);
/* Stops first if need be. */
void validator_http_close(struct validator_http *http);

#endif
