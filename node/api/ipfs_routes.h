/* GET and HEAD /ipfs/{cid} on a node's HTTP server: node/api/ipfs_response.h says what is answered. */
#ifndef ASSAY_NODE_API_IPFS_ROUTES_H
#define ASSAY_NODE_API_IPFS_ROUTES_H

#include "ipfs-lite/repo.h"
#include "node/http/server.h"

/* Before http_server_start. The repository outlives the server. */
NODISCARD enum err ipfs_routes_add(struct http_server *server, struct repo *repo);

#endif
