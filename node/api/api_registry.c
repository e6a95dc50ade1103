/* Organisations, nodes, authors, classes, devices. */
#include "node/answers/registry.h"
#include "node/api/api_list.h"

#include "contracts/author/author.h"
#include "contracts/governance/governance.h"
#include "node/json/record_json.h"

#include <stdio.h>
#include <string.h>

/* What the callback of a list's walk works on. */
struct walk {
    struct api_list list;
    struct state state;
    enum node_role only_role; /* 0: any */
};

/* A page of what `walk` gives, as `page` describes it. */
static void respond(struct api *api, struct http_request *request, const struct record *page, enum node_role only_role,
                    enum err (*list)(struct walk *walk, struct http_request *request, size_t limit)) {
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    size_t limit = (size_t)http_number(request, "limit");
    struct walk walk = {api_list_begin(limit), state_of_view(view.kv), only_role};
    enum err e = list(&walk, request, limit);
    chain_view_close(&view);
    api_list_end(api, request, &walk.list, page, e);
}

/* ---- Organisations ----------------------------------------------------------------------------------------------- */

/* Their ids are texts, and so is the cursor. */
static enum err each_org(void *arg, const struct org_record *record) {
    struct walk *walk = arg;
    enum err e = api_list_add(&walk->list, record_json(&org_shape, record), NULL, 0);
    (void)snprintf(walk->list.last, sizeof walk->list.last, "%s", record->org.id);
    return e;
}

static enum err walk_orgs(struct walk *walk, struct http_request *request, size_t limit) {
    return org_list(&walk->state, http_text(request, "after"), limit, each_org, walk);
}

static void get_orgs(void *ctx, struct http_request *request) {
    respond(ctx, request, &orgs_page, 0, walk_orgs);
}

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static enum err each_node(void *arg, const struct node_record *record) {
    struct walk *walk = arg;
    if (walk->only_role == 0 || record->node.role == walk->only_role) {
        return api_list_add(&walk->list, record_json(&node_shape, record), record->node.key, ED25519_KEY_LEN);
    }
    api_list_pass(&walk->list, record->node.key, ED25519_KEY_LEN);
    return OK;
}

static enum err walk_nodes(struct walk *walk, struct http_request *request, size_t limit) {
    uint8_t after[ED25519_KEY_LEN];
    return node_list(&walk->state, http_hex(request, "after", after) ? after : NULL, limit, each_node, walk);
}

static void get_validators(void *ctx, struct http_request *request) {
    respond(ctx, request, &validators_page, NODE_VALIDATOR, walk_nodes);
}

static void get_nodes(void *ctx, struct http_request *request) {
    respond(ctx, request, &nodes_page, 0, walk_nodes);
}

/* ---- Authors ----------------------------------------------------------------------------------------------------- */

static enum err each_author(void *arg, const struct author_record *record) {
    struct walk *walk = arg;
    return api_list_add(&walk->list, record_json(&author_shape, record), record->id, HASH_LEN);
}

static enum err walk_authors(struct walk *walk, struct http_request *request, size_t limit) {
    uint8_t after[HASH_LEN];
    return author_list(&walk->state, http_hex(request, "after", after) ? after : NULL, limit, each_author, walk);
}

static void get_authors(void *ctx, struct http_request *request) {
    respond(ctx, request, &authors_page, 0, walk_authors);
}

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

static enum err complete(const struct state *state, const struct class_definition *class, struct class_answer *out) {
    bool found = false;
    out->definition = *class;
    enum err e = release_latest(state, class->class_id, &out->record, &found);
    return e == OK && !found ? ERR_CORRUPT : e; /* a class always has a record */
}

static enum err each_class(void *arg, const struct class_definition *class) {
    struct walk *walk = arg;
    struct class_answer answer = {0};
    enum err e = complete(&walk->state, class, &answer);
    return e != OK ? e
                   : api_list_add(&walk->list, record_json(&class_answer_shape, &answer), class->class_id, UUID_BYTES);
}

static enum err walk_classes(struct walk *walk, struct http_request *request, size_t limit) {
    uint8_t after[UUID_BYTES];
    return class_definition_list(&walk->state, http_hex(request, "after", after) ? after : NULL, limit, each_class,
                                 walk);
}

static void get_class(struct api *api, struct http_request *request) {
    uint8_t class_id[UUID_BYTES];
    struct chain_view view;
    (void)api_class_argument(request, class_id);
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct class_definition class;
    struct class_answer answer = {0};
    bool found = false;
    enum err e = class_definition_get(&state, class_id, &class, &found);
    if (e == OK && found) {
        e = complete(&state, &class, &answer);
    }
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this class");
        return;
    }
    api_answer(request, &class_answer_shape, &answer);
}

/* One class by name, or the list. */
static void get_classes(void *ctx, struct http_request *request) {
    if (http_text(request, "class") != NULL) {
        get_class(ctx, request);
    } else {
        respond(ctx, request, &classes_page, 0, walk_classes);
    }
}

/* ---- Devices ----------------------------------------------------------------------------------------------------- */

static enum err each_device(void *arg, const struct device_record *record) {
    struct walk *walk = arg;
    struct device_answer answer = {.record = *record, .running_sequence = record->first_sequence};
    struct update_running running;
    bool found = false;
    enum err e = update_running_get(&walk->state, record->id, &running, &found);
    if (e != OK) {
        return e;
    }
    if (found) {
        answer.running_sequence = running.sequence;
    }
    return api_list_add(&walk->list, record_json(&device_answer_shape, &answer), record->id, KEY_LEN);
}

static enum err walk_devices(struct walk *walk, struct http_request *request, size_t limit) {
    uint8_t after[KEY_LEN];
    return device_list(&walk->state, http_hex(request, "after", after) ? after : NULL, limit, each_device, walk);
}

static void get_devices(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    if (api_member(api, request)) {
        respond(api, request, &devices_page, 0, walk_devices);
    }
}

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

#define LIMIT LIST_LIMIT(STATE_PAGE_MAX, LIST_DEFAULT)

enum err api_registry_routes(struct api *api, struct http_server *server) {
    static const struct http_argument by_text[] = {{"after", "next_after of the page before", HTTP_TEXT,
                                                    .most = GENESIS_ID_MAX, .pattern = "^[a-z0-9-]{1,32}$",
                                                    .judge = genesis_org_id_is_clean, .must = "an organisation's id"},
                                                   LIMIT,
                                                   {0}};
    static const struct http_argument by_key[] = {LIST_AFTER(KEY_LEN), LIMIT, {0}};
    static const struct http_argument classes[] = {LIST_CLASS, LIST_AFTER(UUID_BYTES), LIMIT, {0}};
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/orgs", get_orgs, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Organisations",
         .arguments = by_text, .answers = &orgs_page},
        {HTTP_GET, "/v1/validators", get_validators, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Validators",
         .arguments = by_key, .answers = &validators_page},
        {HTTP_GET, "/v1/nodes", get_nodes, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Nodes of every role",
         .arguments = by_key, .answers = &nodes_page},
        {HTTP_GET, "/v1/authors", get_authors, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Firmware authors",
         .arguments = by_key, .answers = &authors_page},
        {HTTP_GET, "/v1/classes", get_classes, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "Device classes, or the one that is named", .arguments = classes, .answers = &classes_page,
         .answers_too = &class_answer_shape},
        {HTTP_GET, "/v1/devices", get_devices, HTTP_BUDGET(LIST_BYTES, 0, 0), .summary = "Registered devices",
         .arguments = by_key, .answers = &devices_page, .for_members = true},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
