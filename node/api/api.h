/* The node's HTTP API (docs/operations.md lists the routes): what its handlers share, and how they are put on a server.
 *
 * Handlers run on HTTP threads. They read final state through a chain view of their own and reach the ledger thread
 * only through submit. Everything here is borrowed and outlives the server.
 */
#ifndef ASSAY_NODE_API_API_H
#define ASSAY_NODE_API_API_H

#include "node/answers/block.h"
#include "node/api/status.h"
#include "node/host/config.h"
#include "node/http/server.h"
#include "node/ledger/chain.h"
#include "node/ledger/submit.h"

struct ratelimit;
struct uploads;
struct repo;
struct auth;
struct events;
struct snapshots;

struct api {
    struct chain *chain;
    struct submit *submit; /* NULL on a node that takes no transactions */
    struct status_board *status;
    struct repo *repo; /* images; NULL on a node without a blob store */
    struct auth *auth;
    struct events *events;
    struct snapshots *snapshots; /* NULL on a node that serves none */
    const struct config *config;
    const struct verify_crypto *crypto;
    uint8_t node_key[ED25519_KEY_LEN];
    const uint8_t (*node_secret)[ED25519_SECRET_LEN];
    struct uploads *uploads;      /* NULL: no limit */
    struct ratelimit *statements; /* that this node signs for a device; NULL: no limit */
    uint64_t started_mono_ms;
};
#define API_STATEMENTS_PER_SECOND 1u /* of one device, bursts of two */

/* Puts every route on the server, before it starts. */
NODISCARD enum err api_routes(struct api *api, struct http_server *server);

/* Each file's part of it. */
NODISCARD enum err api_status_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_blocks_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_txs_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_proof_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_registry_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_governance_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_releases_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_updates_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_blobs_routes(struct api *api, struct http_server *server);
NODISCARD enum err api_snapshot_routes(struct api *api, struct http_server *server);

/* Answers a request with what becomes of a checked transaction. */
void api_submit(struct api *api, struct http_request *request, struct bytes envelope, enum submit_wait wait,
                uint64_t timeout_ms);
/* Answers with the proof bundle of one key (format=json: with what it proves). */
void api_respond_proof(struct api *api, struct http_request *request, struct bytes contract, struct bytes user_key,
                       uint64_t height);
/* Is the image that a firmware.register names in this node's store? If not, the answer has been given. */
bool api_release_image_is_here(struct api *api, struct http_request *request, struct bytes args);

/* ---- Shared by the handlers ------------------------------------------------------------------------------------- */

/* Adds `count` routes with `api` as context. */
NODISCARD enum err api_add(struct api *api, struct http_server *server, const struct http_route *routes, size_t count);

/* A view for this request; on failure 503 has been answered and it returns false. */
bool api_view(struct api *api, struct http_request *request, struct chain_view *out);
/* Answers with the error that fits a lookup that failed, or a local fault, which is told to the operator as well. */
void api_fail(struct api *api, struct http_request *request, enum err e, const char *what);
/* What a receipt says; borrows its texts. */
struct result_answer api_result(const struct receipt *receipt);
/* Answers 200 with a record. */
void api_answer(struct http_request *request, const struct record *shape, const void *value);
/* The same after a lookup of `what`, which may have failed: then as api_fail. */
void api_outcome(struct api *api, struct http_request *request, enum err e, const char *what,
                 const struct record *shape, const void *value);
/* Has the request a member's token? If not, 401 has been answered. */
bool api_member(struct api *api, struct http_request *request);

#endif
