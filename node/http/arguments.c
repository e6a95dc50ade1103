/* Arguments of a described route: refused by name when they are not as its list says, and read by the handler. */
#include "node/http/http_internal.h"

#include "base/assert.h"
#include "node/json/record_json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct http_argument *find(const struct http_route *route, const char *name) {
    for (const struct http_argument *a = route->arguments; a != NULL && a->name != NULL; a++) {
        if (strcmp(a->name, name) == 0) {
            return a;
        }
    }
    return NULL;
}

/* From the path, else from the query; NULL when it was left out. */
static const char *value_of(const struct http_request *request, const struct http_argument *a) {
    const char *text = http_param(request, a->name);
    return text != NULL ? text : http_query(request, a->name);
}

static bool parse_number(const char *text, uint64_t *out) {
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 19) {
        return false;
    }
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool is_hex(const char *text, uint64_t bytes) {
    return strlen(text) == 2 * bytes && strspn(text, "0123456789abcdefABCDEF") == 2 * bytes;
}

static bool is_choice(const char *text, const char *const *choices) {
    while (*choices != NULL && strcmp(*choices, text) != 0) {
        choices++;
    }
    return *choices != NULL;
}

/* Arguments are UTF-8 and have no control characters but tab and newline (router_decode). */
static bool is_text(const struct http_argument *a, const char *text) {
    uint64_t characters = 0;
    for (const char *at = text; *at != '\0'; at++) {
        characters += ((uint8_t)*at & 0xc0) != 0x80; /* not the middle of one */
        if (*at == '\t' || *at == '\n') {
            return false;
        }
    }
    return characters <= a->most && (characters > 0 || a->may_be_empty);
}

static bool refuse(struct http_request *request, const struct http_argument *a, const char *must) {
    http_respond(request, http_error(400, "BAD_PARAMETER", a->about, "%s must be %s", a->name, must));
    return false;
}

static bool is_good(struct http_request *request, const struct http_argument *a, const char *text) {
    char must[160];
    uint64_t number;
    switch (a->type) {
    case HTTP_NUMBER:
        (void)snprintf(must, sizeof must, "a number from %" PRIu64 " to %" PRIu64, a->least, a->most);
        return (parse_number(text, &number) && number >= a->least && number <= a->most) || refuse(request, a, must);
    case HTTP_HEX:
        (void)snprintf(must, sizeof must, "%" PRIu64 " hex digits", 2 * a->most);
        return is_hex(text, a->most) || refuse(request, a, must);
    case HTTP_CHOICE:
        must[0] = '\0';
        for (const char *const *c = a->choices; *c != NULL; c++) {
            size_t len = strlen(must);
            (void)snprintf(must + len, sizeof must - len, "%s%s", len > 0 ? " or " : "", *c);
        }
        return is_choice(text, a->choices) || refuse(request, a, must);
    case HTTP_TEXT:
    default:
        if (a->must != NULL) {
            (void)snprintf(must, sizeof must, "%s", a->must);
        } else {
            (void)snprintf(must, sizeof must, "%d to %" PRIu64 " printable characters", a->may_be_empty ? 0 : 1,
                           a->most);
        }
        return (is_text(a, text) && (a->judge == NULL || a->judge(text))) || refuse(request, a, must);
    }
}

bool arguments_are_good(struct http_request *request) {
    const struct http_route *route = request->match.route;
    if (route->summary == NULL) {
        return true;
    }
    for (size_t i = 0; i < request->query_count; i++) {
        const struct http_argument *a = find(route, request->query[i].name);
        if (a == NULL || http_param(request, a->name) != NULL) {
            http_respond(request, http_error(400, "UNKNOWN_ARGUMENT", "leave it out", "unknown query argument '%.100s'",
                                             request->query[i].name));
            return false;
        }
    }
    for (const struct http_argument *a = route->arguments; a != NULL && a->name != NULL; a++) {
        const char *text = value_of(request, a);
        if (text == NULL && a->is_required) {
            return refuse(request, a, "given");
        }
        if (text != NULL && !is_good(request, a, text)) {
            return false;
        }
    }
    return true;
}

static const struct http_argument *have(const struct http_request *request, const char *name) {
    const struct http_argument *a = find(request->match.route, name);
    ASSERT(a != NULL); /* handlers read what their route's list names */
    return a;
}

uint64_t http_number(const struct http_request *request, const char *name) {
    const struct http_argument *a = have(request, name);
    const char *text = value_of(request, a);
    uint64_t number = a->fallback;
    ASSERT(a->type == HTTP_NUMBER);
    ASSERT(text == NULL || parse_number(text, &number)); /* arguments_are_good has judged it */
    return number;
}

const char *http_text(const struct http_request *request, const char *name) {
    return value_of(request, have(request, name));
}

bool http_hex(const struct http_request *request, const char *name, uint8_t *out) {
    const struct http_argument *a = have(request, name);
    const char *text = value_of(request, a);
    ASSERT(a->type == HTTP_HEX);
    return text != NULL && hex_decode(text, out, (size_t)a->most) == OK;
}

/* ---- Body -------------------------------------------------------------------------------------------------------- */

static json_t *body_json(struct http_request *request) {
    struct bytes body = http_body(request);
    json_error_t error;
    json_t *json =
        json_loadb((const char *)body.data, body.data != NULL ? body.len : 0, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(json)) {
        return json;
    }
    http_respond(request, http_error(400, "BAD_JSON", "send one JSON object", "line %d: %s",
                                     json != NULL ? 1 : error.line, json != NULL ? "not an object" : error.text));
    json_decref(json);
    return NULL;
}

/* Name of the first member that the record does not have; NULL: there is none. */
static const char *stranger(const struct record *record, const json_t *object) {
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        size_t i = 0;
        while (i < record->count && strcmp(record->fields[i].name, json_object_iter_key(at)) != 0) {
            i++;
        }
        if (i == record->count) {
            return json_object_iter_key(at);
        }
    }
    return NULL;
}

bool http_body_record(struct http_request *request, void *out) {
    const struct record *record = request->match.route->takes;
    struct why why = WHY_NONE;
    ASSERT(record != NULL);
    for (size_t i = 0; i < record->count; i++) { /* a body is one flat table */
        ASSERT(record->fields[i].name != NULL && record->fields[i].type != FIELD_PART &&
               record->fields[i].type != FIELD_KIND);
    }
    json_t *body = body_json(request);
    if (body == NULL) {
        return false;
    }
    const char *unknown = stranger(record, body);
    bool good = unknown == NULL && record_of_json(record, body, out, &why) == OK;
    if (unknown != NULL) {
        http_respond(request, http_error(400, "UNKNOWN_MEMBER", "leave it out", "unknown member '%.100s'", unknown));
    } else if (!good) {
        http_respond(request, http_error(400, "BAD_MEMBER", "correct the body", "%s", why.text));
    }
    json_decref(body);
    return good;
}
