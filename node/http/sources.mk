node_http_SRCS := $(addprefix node/http/,server.c request.c response.c router.c waiting.c connections.c ratelimit.c auth.c)
node_http_PROTOS :=
node_http_TESTS := $(addprefix tests/unit/node/test_,http_server.c auth.c)
node_http_SRCS += node/http/ipfs_response.c node/http/ipfs_routes.c
node_http_TESTS += tests/unit/node/test_ipfs_response.c
node_http_SRCS += $(addprefix node/http/,api.c api_json.c api_status.c metrics.c api_blocks.c api_txs.c api_proof.c api_registry.c api_releases.c \
    api_updates.c api_blobs.c events.c)
node_http_SRCS += node/http/openapi.c node/http/api_snapshot.c node/http/api_governance.c
node_http_TESTS += $(addprefix tests/unit/node/test_,api.c events.c)
node_http_SRCS += node/http/listen.c
