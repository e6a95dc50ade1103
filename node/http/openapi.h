/* GET /openapi.json: what this server serves, as OpenAPI 3.1, made of the routes that it has (struct http_route). */
#ifndef ASSAY_NODE_HTTP_OPENAPI_H
#define ASSAY_NODE_HTTP_OPENAPI_H

#include "node/http/server.h"

/* Adds the route; it describes all that have a summary, those added later, too. `title` is borrowed. */
NODISCARD enum err openapi_route(struct http_server *server, const char *title);

#endif
