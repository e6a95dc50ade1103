/* Devices that speak HTTP: POST /device/v1, a request of the device protocol as the body, an answer as the body. */
#ifndef ASSAY_NODE_GATEWAY_LINKS_LINK_HTTP_H
#define ASSAY_NODE_GATEWAY_LINKS_LINK_HTTP_H

#include "node/gateway/door/device_door.h"
#include "node/http/server.h"

#define LINK_HTTP_WAIT_MS 2500

/* Its route, before the server starts. The door outlives the server's requests. */
NODISCARD enum err link_http_routes(struct device_door *door, struct http_server *server);

#endif
