/* Snapshots over HTTP: the transport (snapshot_transport.h) of a daemon and of the command line.
 *
 * Belongs to one thread. curl_global_init has been called.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_HTTP_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_HTTP_H

#include "node/snapshot/snapshot_transport.h"

struct snapshot_http;

/* 0 means the default in brackets. */
struct snapshot_http_options {
    uint32_t connect_timeout_ms; /* [3000] */
    uint32_t min_rate;           /* bytes a second; a transfer below it for stall_ms is ended [4096] */
    uint32_t stall_ms;           /* [10000] */
};

NODISCARD enum err snapshot_http_new(const struct snapshot_http_options *options, struct snapshot_http **out);
void snapshot_http_free(struct snapshot_http *http); /* ends what is under way; NULL is fine */
/* A status that is 404 or 410 is ERR_NOTFOUND, another one than 200 ERR_NETWORK. */
struct snapshot_transport snapshot_http_transport(struct snapshot_http *http);

#endif
