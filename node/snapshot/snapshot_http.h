/* Snapshots over HTTP: the transport (snapshot_transport.h) of a daemon and of the command line.
 *
 * Belongs to one thread. curl_global_init has been called (client_start).
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_HTTP_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_HTTP_H

#include "node/fetch/fetch_options.h"
#include "node/snapshot/snapshot_transport.h"

struct snapshot_http;

/* Defaults are sharper than elsewhere, for there are other sources: a connection within 3 s, 4096 bytes a second. */
NODISCARD enum err snapshot_http_new(const struct fetch_options *options, struct snapshot_http **out);
void snapshot_http_free(struct snapshot_http *http); /* ends what is under way; NULL is fine */
struct snapshot_transport snapshot_http_transport(struct snapshot_http *http);

#endif
