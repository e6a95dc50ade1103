/* Where a node's HTTP side listens, and on what terms: from the configuration to the server's settings, the same for
 * every role. */
#ifndef ASSAY_NODE_HTTP_LISTEN_H
#define ASSAY_NODE_HTTP_LISTEN_H

#include "base/why.h"
#include "node/host/config.h"
#include "node/http/server.h"

/* False, explained in `why`, when http.listen can be reached from the network and there is no TLS. */
bool listen_settings(const struct config *config, struct http_config *out, struct why *why);

/* What a running server takes over of a configuration that was read anew, certificates included; told in the log. */
void listen_reload(const struct config *config, struct http_server *server);

#endif
