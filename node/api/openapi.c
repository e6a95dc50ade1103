/* GET /openapi.json: an OpenAPI 3.1 description of the routes this node has, made from one table. A test holds the
 * table against what is registered, so that neither can gain a route alone. */
#include "node/api/api.h"

#include <stdlib.h>
#include <string.h>

#define JSON "application/json"
#define BYTES "application/octet-stream"

enum need { ANY_NODE, TAKES_TXS, HAS_STORE, HAS_SNAPSHOTS };
enum guard { OPEN, MEMBER };

/* One method of one path; path parameters are read off the path. */
struct operation_doc {
    const char *method, *path, *summary;
    const char *answers;   /* media type */
    const char *body;      /* media type of the request's body; NULL: none */
    const char *arguments; /* query: "name|type|what it does" joined by newlines; NULL: none */
    enum guard guard;
    enum need need;
};

#define PAGE "limit|integer|how many at most\n"
#define AFTER "after|string|next_after of the page before\n"
#define CLASS "class|string|VENDOR_DOMAIN/CLASS\n"

static const struct operation_doc operations[] = {
    {"get", "/v1/status", "What this node is, where it stands, whom it sees", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/livez", "200 while the ledger thread turns", "text/plain", NULL, NULL, OPEN, ANY_NODE},
    {"get", "/healthz", "200 while serving and making progress, else 503 with the reason", "text/plain", NULL, NULL,
     OPEN, ANY_NODE},
    {"get", "/metrics", "Figures for Prometheus", "text/plain", NULL, NULL, OPEN, ANY_NODE},
    {"get", "/openapi.json", "This description", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/v1/blocks", "Final blocks, newest first", JSON, NULL,
     "before|integer|next_before of the page before\n" PAGE, OPEN, ANY_NODE},
    {"get", "/v1/blocks/{height}", "One final block; height is a number or latest", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/v1/blocks/{height}/txs", "A block's transactions, in order", JSON, NULL,
     "from|integer|next_from of the page before\n" PAGE, OPEN, ANY_NODE},
    {"get", "/v1/txs/{id}", "One final transaction with its receipt", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/v1/txs", "A signer's transactions, newest first", JSON, NULL,
     "sender|string|signing key in hex, required\ncontract|string|only of this contract\n"
     "cursor|string|next_cursor of the page before\n" PAGE,
     OPEN, ANY_NODE},
    {"post", "/v1/txs", "Takes a signed transaction", JSON, BYTES,
     "wait|string|finalized: answer when it is final; accepted: at once\n"
     "timeout_ms|integer|how long to wait for finality\n",
     OPEN, TAKES_TXS},
    {"get", "/v1/proof", "Proof bundle of one state value, or of its absence", BYTES, NULL,
     "contract|string|its name, required\nkey|string|user key in hex, required\n"
     "height|integer|of an older state that is still kept\nformat|string|json: in words\n",
     OPEN, ANY_NODE},
    {"get", "/v1/orgs", "Organisations", JSON, NULL, AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/validators", "Validators", JSON, NULL, AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/nodes", "Nodes of every role", JSON, NULL, AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/authors", "Firmware authors", JSON, NULL, AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/classes", "Device classes, or one of them", JSON, NULL, CLASS AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/params", "The ledger's parameters", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/v1/proposals", "What organisations propose, newest first", JSON, NULL, AFTER PAGE, MEMBER, ANY_NODE},
    {"get", "/v1/proposals/{id}", "One proposal with its votes", JSON, NULL, NULL, MEMBER, ANY_NODE},
    {"get", "/v1/devices", "Registered devices", JSON, NULL, AFTER PAGE, MEMBER, ANY_NODE},
    {"get", "/v1/releases", "Releases, of one class newest first", JSON, NULL, CLASS AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/releases/latest", "What a device of the class should run", JSON, NULL,
     CLASS "proof|integer|1: the proof bundle of it instead\nformat|string|json: the bundle in words\n", OPEN,
     ANY_NODE},
    {"get", "/v1/releases/{id}", "One release with its history", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"get", "/v1/releases/{id}/envelope", "A release's SUIT envelope", "application/suit-envelope+cose", NULL, NULL,
     OPEN, ANY_NODE},
    {"get", "/v1/updates", "Updates, of one class or device newest first", JSON, NULL,
     CLASS "device|string|device id in hex\n" AFTER PAGE, OPEN, ANY_NODE},
    {"post", "/v1/updates", "Takes a signed transaction, as /v1/txs does", JSON, BYTES,
     "wait|string|finalized or accepted\ntimeout_ms|integer|how long to wait for finality\n", OPEN, TAKES_TXS},
    {"get", "/v1/updates/{id}", "One update and the state of its devices", JSON, NULL, AFTER PAGE, OPEN, ANY_NODE},
    {"get", "/v1/updates/{id}/history", "What happened to an update and its devices", JSON, NULL, NULL, OPEN, ANY_NODE},
    {"post", "/v1/updates/{id}/verify", "Takes a device's statement about an update", JSON, BYTES, NULL, OPEN,
     TAKES_TXS},
    {"post", "/v1/auth/challenge", "A challenge for a member's key", JSON, JSON, NULL, OPEN, ANY_NODE},
    {"post", "/v1/auth/token", "A token for a signed challenge", JSON, JSON, NULL, OPEN, ANY_NODE},
    {"get", "/v1/blobs", "Images in this node's store", JSON, NULL, AFTER PAGE, OPEN, HAS_STORE},
    {"post", "/v1/blobs", "Adds an image; for members of the node's own organisation", JSON, BYTES,
     "profile|string|kubo or unixfs-v1-2025\n", MEMBER, HAS_STORE},
    {"get", "/ipfs/{cid}", "A block or an image, as a trustless gateway serves it", BYTES, NULL,
     "format|string|raw or car\nfilename|string|name for the download\n", OPEN, HAS_STORE},
    {"get", "/v1/snapshots", "State snapshots for nodes that join, newest first", JSON, NULL, NULL, OPEN,
     HAS_SNAPSHOTS},
    {"get", "/v1/snapshots/{height}/manifest", "What a snapshot consists of, with its proof", BYTES, NULL, NULL, OPEN,
     HAS_SNAPSHOTS},
    {"get", "/v1/snapshots/{height}/chunks/{chunk}", "One chunk of a snapshot", BYTES, NULL, NULL, OPEN, HAS_SNAPSHOTS},
    {"get", "/v1/events", "What becomes final, as server-sent events; resumes by Last-Event-ID", "text/event-stream",
     NULL, "types|string|event types, joined by commas\nafter|integer|height to start behind\n", OPEN, ANY_NODE},
};

static json_t *parameter(const char *name, size_t name_len, const char *type, size_t type_len, const char *text,
                         size_t text_len, bool in_path) {
    return json_pack("{s:s%, s:s, s:b, s:{s:s%}, s:s%}", "name", name, name_len, "in", in_path ? "path" : "query",
                     "required", in_path, "schema", "type", type, type_len, "description", text, text_len);
}

static json_t *parameters_of(const struct operation_doc *op) {
    json_t *out = json_array();
    for (const char *at = strchr(op->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        size_t len = strcspn(at + 1, "}");
        (void)json_array_append_new(out, parameter(at + 1, len, "string", 6, at + 1, len, true));
    }
    for (const char *at = op->arguments; at != NULL && *at != '\0';) {
        size_t name = strcspn(at, "|");
        size_t type = strcspn(at + name + 1, "|");
        const char *text = at + name + 1 + type + 1;
        size_t text_len = strcspn(text, "\n");
        (void)json_array_append_new(out, parameter(at, name, at + name + 1, type, text, text_len, false));
        at = text + text_len + (text[text_len] == '\n');
    }
    return out;
}

static json_t *operation_json(const struct operation_doc *op) {
    json_t *out = json_pack("{s:s, s:o, s:{s:{s:s, s:{s:{}}}, s:{s:s}}}", "summary", op->summary, "parameters",
                            parameters_of(op), "responses", "200", "description", "as asked", "content", op->answers,
                            "default", "$ref", "#/components/responses/Error");
    if (op->body != NULL) {
        api_set(out, "requestBody", json_pack("{s:b, s:{s:{}}}", "required", 1, "content", op->body));
    }
    if (op->guard == MEMBER) {
        api_set(out, "security", json_pack("[{s:[]}]", "member"));
    }
    return out;
}

static bool is_served(const struct api *api, const struct operation_doc *op) {
    return op->need == ANY_NODE || (op->need == TAKES_TXS && (api->submit != NULL)) ||
           (op->need == HAS_STORE && api->repo != NULL) || (op->need == HAS_SNAPSHOTS && api->snapshots != NULL);
}

static json_t *paths_json(const struct api *api) {
    json_t *paths = json_object();
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct operation_doc *op = &operations[i];
        if (!is_served(api, op)) {
            continue;
        }
        json_t *item = json_object_get(paths, op->path);
        if (item == NULL) {
            item = json_object();
            api_set(paths, op->path, item);
        }
        api_set(item, op->method, operation_json(op));
    }
    return paths;
}

static void get_openapi(void *ctx, struct http_request *request) {
    if (!api_no_query(request)) {
        return;
    }
    json_t *error = json_pack("{s:{s:{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}}, s:s}}, s:s}", "properties", "error", "type",
                              "object", "properties", "code", "type", "string", "message", "type", "string", "hint",
                              "type", "string", "description", "what, why and what to do", "type", "object");
    json_t *components = json_pack("{s:{s:{s:s, s:s, s:s}}, s:{s:{s:s, s:{s:{s:o}}}}}", "securitySchemes", "member",
                                   "type", "http", "scheme", "bearer", "bearerFormat", "JWT", "responses", "Error",
                                   "description", "refused or failed", "content", JSON, "schema", error);
    http_respond(request, http_json(200, json_pack("{s:s, s:{s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title",
                                                   "Assay node", "version", ASSAY_VERSION, "paths", paths_json(ctx),
                                                   "components", components)));
}

enum err api_openapi_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {{HTTP_GET, "/openapi.json", get_openapi, 0}};
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
