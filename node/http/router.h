/* Which route answers a path. Patterns are checked when added; matching never allocates beyond the request's own
 * memory. */
#ifndef ASSAY_NODE_HTTP_ROUTER_H
#define ASSAY_NODE_HTTP_ROUTER_H

#include "node/http/server.h"

#define ROUTER_ROUTES_MAX 128
#define ROUTER_SEGMENTS_MAX 12
#define ROUTER_PATH_MAX 2048 /* of a request, still encoded */

struct router {
    struct http_route routes[ROUTER_ROUTES_MAX];
    struct http_budget most[ROUTER_ROUTES_MAX]; /* that one request of it has cost; atomic */
    size_t count;
};

struct router_match {
    const struct http_route *route;
    struct {
        struct bytes name;
        char *value;
    } params[HTTP_PARAMS_MAX];
    size_t param_count;
    char decoded[ROUTER_PATH_MAX]; /* where the values live */
};

enum router_found { ROUTER_FOUND, ROUTER_NO_PATH, ROUTER_NO_METHOD, ROUTER_BAD_PATH };

NODISCARD enum err router_add(struct router *router, const struct http_route *route);
/* `path` is as sent, without the query. On ROUTER_NO_METHOD, `out_allowed` has a bit (1 << method) for each that
 * exists. ROUTER_BAD_PATH: too long, bad percent code, zero byte, not UTF-8. */
enum router_found router_find(const struct router *router, enum http_method method, const char *path,
                              struct router_match *out, unsigned *out_allowed);

/* Percent-decodes into `out` (room for len + 1) with a terminator; false for a bad code, a zero byte or unclean text.
 */
bool router_decode(const char *text, size_t len, char *out);

#endif
