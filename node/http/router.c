#include "node/http/router.h"

#include "base/assert.h"

#include <string.h>

/* Splits at '/', the leading one left out: "/a/b" gives a, b; "/" gives one empty segment. -1 when there are too many.
 */
static int split(const char *path, struct bytes out[ROUTER_SEGMENTS_MAX]) {
    int count = 0;
    const char *at = path + 1;
    for (;;) {
        size_t len = strcspn(at, "/");
        if (count == ROUTER_SEGMENTS_MAX) {
            return -1;
        }
        out[count++] = bytes_of(at, len);
        if (at[len] == '\0') {
            return count;
        }
        at += len + 1;
    }
}

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PARAM, SEGMENT_REST };

static enum segment_kind kind_of(struct bytes segment) {
    if (segment.len < 3 || segment.data[0] != '{' || segment.data[segment.len - 1] != '}') {
        return SEGMENT_LITERAL;
    }
    return segment.data[segment.len - 2] == '*' ? SEGMENT_REST : SEGMENT_PARAM;
}

static struct bytes name_of(struct bytes segment, enum segment_kind kind) {
    return bytes_of(segment.data + 1, segment.len - (kind == SEGMENT_REST ? 3 : 2));
}

static bool pattern_is_good(const char *path) {
    struct bytes segments[ROUTER_SEGMENTS_MAX];
    if (path[0] != '/') {
        return false;
    }
    int count = split(path, segments);
    int params = 0;
    for (int i = 0; i < count; i++) {
        enum segment_kind kind = kind_of(segments[i]);
        params += kind != SEGMENT_LITERAL;
        if (kind == SEGMENT_REST && i + 1 < count) {
            return false;
        }
    }
    return count > 0 && params <= HTTP_PARAMS_MAX;
}

enum err router_add(struct router *router, const struct http_route *route) {
    const struct http_budget *budget = &route->budget;
    bool has_budget = route->summary == NULL || budget->bytes + budget->blocks + budget->signatures > 0;
    if (router->count == ROUTER_ROUTES_MAX || !pattern_is_good(route->path) || route->handler == NULL || !has_budget) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < router->count; i++) {
        if (router->routes[i].method == route->method && strcmp(router->routes[i].path, route->path) == 0) {
            return ERR_EXISTS;
        }
    }
    router->routes[router->count++] = *route;
    return OK;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool router_decode(const char *text, size_t len, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%') {
            if (len - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) {
                return false;
            }
            c = (char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
            i += 2;
        }
        if (c == '\0') {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return text_is_clean(bytes_of(out, n));
}

/* One letter a segment, so that strcmp-like comparison ranks literal over parameter over rest, left to right. */
static int rank(const struct bytes *pattern, int count, uint8_t out[ROUTER_SEGMENTS_MAX]) {
    for (int i = 0; i < count; i++) {
        out[i] = (uint8_t)kind_of(pattern[i]);
    }
    return count;
}

static bool matches(const struct bytes *pattern, int pattern_count, const struct bytes *path, int path_count) {
    for (int i = 0; i < pattern_count; i++) {
        enum segment_kind kind = kind_of(pattern[i]);
        if (i >= path_count || (kind != SEGMENT_LITERAL && path[i].len == 0)) {
            return false;
        }
        if (kind == SEGMENT_REST) {
            return true;
        }
        if (kind == SEGMENT_LITERAL && !bytes_equal(pattern[i], path[i])) {
            return false;
        }
    }
    return pattern_count == path_count;
}

static bool take_params(const struct http_route *route, const struct bytes *path, struct router_match *out) {
    struct bytes pattern[ROUTER_SEGMENTS_MAX];
    int count = split(route->path, pattern);
    char *at = out->decoded;
    out->route = route;
    out->param_count = 0;
    for (int i = 0; i < count; i++) {
        enum segment_kind kind = kind_of(pattern[i]);
        if (kind == SEGMENT_LITERAL) {
            continue;
        }
        const char *text = (const char *)path[i].data;
        ASSERT(text != NULL); /* the pattern matched, so the path has this segment */
        size_t len = kind == SEGMENT_REST ? strlen(text) : path[i].len;
        if (!router_decode(text, len, at)) {
            return false;
        }
        out->params[out->param_count].name = name_of(pattern[i], kind);
        out->params[out->param_count++].value = at;
        at += strlen(at) + 1;
    }
    return true;
}

enum router_found router_find(const struct router *router, enum http_method method, const char *path,
                              struct router_match *out, unsigned *out_allowed) {
    struct bytes segments[ROUTER_SEGMENTS_MAX] = {0};
    *out_allowed = 0;
    if (path[0] != '/' || strlen(path) >= ROUTER_PATH_MAX) {
        return ROUTER_BAD_PATH;
    }
    /* A path with too many segments is looked at up to the last one, which keeps the rest: only {name*} can take it. */
    int count = split(path, segments);
    int known = count < 0 ? ROUTER_SEGMENTS_MAX : count;
    if (method == HTTP_HEAD) {
        method = HTTP_GET;
    }
    const struct http_route *best = NULL;
    uint8_t best_rank[ROUTER_SEGMENTS_MAX];
    int best_count = 0;
    for (size_t i = 0; i < router->count; i++) {
        struct bytes pattern[ROUTER_SEGMENTS_MAX];
        uint8_t this_rank[ROUTER_SEGMENTS_MAX];
        int n = rank(pattern, split(router->routes[i].path, pattern), this_rank);
        if (!matches(pattern, n, segments, known) || (count < 0 && this_rank[n - 1] != SEGMENT_REST)) {
            continue;
        }
        *out_allowed |= 1u << router->routes[i].method;
        if (router->routes[i].method != method) {
            continue;
        }
        if (best == NULL ||
            bytes_compare(bytes_of(this_rank, (size_t)n), bytes_of(best_rank, (size_t)best_count)) < 0) {
            best = &router->routes[i];
            memcpy(best_rank, this_rank, (size_t)n);
            best_count = n;
        }
    }
    if (best == NULL) {
        return *out_allowed != 0 ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
    }
    return take_params(best, segments, out) ? ROUTER_FOUND : ROUTER_BAD_PATH;
}
