#include "node/http/openapi.h"

#include "node/answers/error.h"
#include "node/http/http_internal.h"
#include "node/json/record_schema.h"

#include <ctype.h>
#include <string.h>

#define JSON "application/json"
#define PRINTABLE "^[^\\u0000-\\u001f\\u007f]*$" /* what a text argument may consist of */

static void set(json_t *object, const char *name, json_t *value) {
    (void)json_object_set_new(object, name, value);
}

/* ---- Arguments --------------------------------------------------------------------------------------------------- */

static bool is_in_path(const struct http_route *route, const char *name) {
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        size_t len = strcspn(at + 1, "*}");
        if (strlen(name) == len && strncmp(at + 1, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static json_t *choices_json(const char *const *choices) {
    json_t *out = json_array();
    for (; *choices != NULL; choices++) {
        (void)json_array_append_new(out, json_string(*choices));
    }
    return out;
}

static json_t *argument_schema(const struct http_argument *a) {
    json_t *out;
    switch (a->type) {
    case HTTP_NUMBER:
        out = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)a->least, "maximum",
                        (json_int_t)a->most);
        if (!a->is_required) {
            set(out, "default", json_integer((json_int_t)a->fallback));
        }
        return out;
    case HTTP_HEX:
        return json_pack("{s:s, s:o}", "type", "string", "pattern",
                         json_sprintf("^[0-9a-fA-F]{%llu}$", (unsigned long long)(2 * a->most)));
    case HTTP_CHOICE:
        return json_pack("{s:s, s:o}", "type", "string", "enum", choices_json(a->choices));
    case HTTP_TEXT:
    default:
        out = json_pack("{s:s, s:i, s:I}", "type", "string", "minLength", a->may_be_empty ? 0 : 1, "maxLength",
                        (json_int_t)a->most);
        set(out, "pattern", json_string(a->pattern != NULL ? a->pattern : PRINTABLE));
        return out;
    }
}

static json_t *parameters_json(const struct http_route *route) {
    json_t *out = json_array();
    for (const struct http_argument *a = route->arguments; a != NULL && a->name != NULL; a++) {
        bool in_path = is_in_path(route, a->name);
        (void)json_array_append_new(out, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", a->name, "in",
                                                   in_path ? "path" : "query", "required", in_path || a->is_required,
                                                   "description", a->about, "schema", argument_schema(a)));
    }
    return out;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static json_t *json_schema(const struct record *record, const struct record *other, json_t *schemas) {
    json_t *schema = record_schema(record, schemas);
    return other == NULL ? schema : json_pack("{s:[o, o]}", "anyOf", schema, record_schema(other, schemas));
}

static json_t *content(const struct record *record, const struct record *other, const char *media, json_t *schemas) {
    json_t *out = json_object();
    if (record != NULL) {
        set(out, JSON, json_pack("{s:o}", "schema", json_schema(record, other, schemas)));
    }
    if (media != NULL) {
        set(out, media, json_object());
    }
    return out;
}

static json_t *responses_json(const struct http_route *route, json_t *schemas, bool is_head) {
    json_t *out = json_object();
    json_t *good = json_pack("{s:s}", "description", "as asked");
    if (!is_head) {
        json_t *those = content(route->answers, route->answers_too, route->media, schemas);
        if (route->media_too != NULL) {
            set(those, route->media_too, json_object());
        }
        set(good, "content", those);
    }
    set(out, "200", good);
    if (route->may_answer_202) {
        set(out, "202",
            json_pack("{s:s, s:o}", "description", "taken, not done yet", "content",
                      content(route->answers, NULL, NULL, schemas)));
    }
    if (route->has_ranges) {
        json_t *part = json_pack("{s:s}", "description", "the part that the Range header asks for");
        if (!is_head) {
            set(part, "content", content(NULL, NULL, route->media, schemas));
        }
        set(out, "206", part);
    }
    if (route->may_answer_304) {
        set(out, "304", json_pack("{s:s}", "description", "what the caller has is the same"));
    }
    set(out, "default",
        json_pack("{s:s}", "$ref", is_head ? "#/components/responses/ErrorOfHead" : "#/components/responses/Error"));
    return out;
}

/* "get /v1/blocks/{height}" becomes "get_v1_blocks_height". */
static json_t *operation_id(const char *method, const char *path) {
    char id[128];
    size_t n = (size_t)snprintf(id, sizeof id, "%s", method);
    for (const char *at = path; *at != '\0' && n + 1 < sizeof id; at++) {
        if (isalnum((unsigned char)*at)) {
            id[n++] = *at;
        } else if (id[n - 1] != '_') {
            id[n++] = '_';
        }
    }
    n -= n > 0 && id[n - 1] == '_';
    return json_stringn(id, n);
}

/* What a body is made of; members that are not described are refused. */
static json_t *body_content(const struct http_route *route, json_t *schemas) {
    json_t *out = content(route->takes, NULL, route->media_taken, schemas);
    if (route->takes != NULL) {
        set(json_object_get(schemas, route->takes->name), "additionalProperties", json_false());
    }
    return out;
}

static json_t *operation_json(const struct http_route *route, const char *method, json_t *schemas) {
    bool is_head = strcmp(method, "head") == 0;
    json_t *out =
        json_pack("{s:s, s:o, s:o, s:o}", "summary", route->summary, "operationId", operation_id(method, route->path),
                  "parameters", parameters_json(route), "responses", responses_json(route, schemas, is_head));
    if (route->takes != NULL || route->media_taken != NULL) {
        set(out, "requestBody", json_pack("{s:b, s:o}", "required", 1, "content", body_content(route, schemas)));
    }
    if (route->events != NULL) { /* OpenAPI 3.1 has no word for what a stream is made of */
        json_t *events = json_array();
        for (const struct record *const *event = route->events; *event != NULL; event++) {
            (void)json_array_append_new(events, record_schema(*event, schemas));
        }
        set(out, "x-events", events);
    }
    if (route->for_members) {
        set(out, "security", json_pack("[{s:[]}]", "member"));
    }
    return out;
}

static const char *method_name(enum http_method method) {
    static const char *const names[] = {"get", "head", "post", "put", "delete"};
    return names[method];
}

static void add_route(const struct http_route *route, json_t *paths, json_t *schemas) {
    char path[128];
    size_t n = 0;
    for (const char *at = route->path; *at != '\0' && n + 1 < sizeof path; at++) {
        if (*at != '*') { /* OpenAPI has no name for the rest of a path */
            path[n++] = *at;
        }
    }
    path[n] = '\0';
    json_t *item = json_object_get(paths, path);
    if (item == NULL) {
        item = json_object();
        set(paths, path, item);
    }
    set(item, method_name(route->method), operation_json(route, method_name(route->method), schemas));
    if (route->method == HTTP_GET && strcmp(route->media != NULL ? route->media : "", "text/event-stream") != 0) {
        set(item, "head", operation_json(route, "head", schemas));
    }
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static json_t *describe(const struct http_server *server) {
    json_t *paths = json_object(), *schemas = json_object();
    for (size_t i = 0; i < server->router.count; i++) {
        if (server->router.routes[i].summary != NULL) {
            add_route(&server->router.routes[i], paths, schemas);
        }
    }
    json_t *error = json_pack("{s:s, s:o}", "description", "refused or failed", "content",
                              content(&error_answer_shape, NULL, NULL, schemas));
    json_t *responses = json_pack("{s:o, s:{s:s}}", "Error", error, "ErrorOfHead", "description", "refused or failed");
    json_t *login = json_pack("{s:s, s:s, s:s}", "type", "http", "scheme", "bearer", "bearerFormat", "JWT");
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:{s:o, s:o, s:{s:o}}}", "openapi", "3.1.0", "info", "title",
                     server->title != NULL ? server->title : "Assay node", "version", ASSAY_VERSION, "paths", paths,
                     "components", "schemas", schemas, "responses", responses, "securitySchemes", "member", login);
}

static void get_openapi(void *ctx, struct http_request *request) {
    http_respond(request, http_json(200, describe(ctx)));
}

enum err openapi_route(struct http_server *server, const char *title) {
    static const struct record description = {"OpenApi", "A description of this API as OpenAPI 3.1 has it.", NULL, 0, 0,
                                              NULL};
    const struct http_route route = {.method = HTTP_GET,
                                     .path = "/openapi.json",
                                     .handler = get_openapi,
                                     .ctx = server,
                                     HTTP_BUDGET(1024 * 1024, 0, 0),
                                     .is_long = true,
                                     .summary = "This description",
                                     .answers = &description};
    server->title = title;
    return http_server_route(server, &route);
}
