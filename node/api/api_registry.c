#include "node/api/api.h"
#include "node/api/api_json.h"

#include "contracts/author/author.h"
#include "contracts/class/class_definition.h"
#include "contracts/device/device.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/governance.h"
#include "contracts/update/update.h"
#include "node/http/auth.h"

#include <string.h>

#define PAGE_DEFAULT 50

static const char *org_kind_name(enum org_kind kind) {
    static const char *const names[] = {"unknown", "vendor", "broker", "operator", "owner"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : names[0];
}

static const char *key_type_name(enum author_key_type type) {
    return type == AUTHOR_P256 ? "p256" : "ed25519";
}

static size_t key_len(enum author_key_type type) {
    return type == AUTHOR_P256 ? P256_KEY_LEN : KEY_LEN;
}

/* ---- One record as JSON ------------------------------------------------------------------------------------------ */

static json_t *org_json(const struct org_record *record) {
    json_t *out = json_object();
    api_set(out, "id", json_string(record->org.id));
    api_set(out, "name", json_string(record->org.name));
    api_set(out, "kind", json_string(org_kind_name(record->org.kind)));
    json_t *admins = json_array();
    for (size_t i = 0; i < record->org.admin_count; i++) {
        char hex[2 * ED25519_KEY_LEN + 1];
        hex_encode(record->org.admins[i], ED25519_KEY_LEN, hex);
        (void)json_array_append_new(admins, json_string(hex));
    }
    api_set(out, "admin_keys", admins);
    api_u64(out, "admin_threshold", record->org.admin_threshold);
    api_stamp(out, &record->stamp);
    return out;
}

static json_t *node_json(const struct node_record *record) {
    json_t *out = json_object();
    api_hex(out, "key", record->node.key, ED25519_KEY_LEN);
    api_hex(out, "link_key", record->node.link_key, sizeof record->node.link_key);
    api_set(out, "organisation", json_string(record->node.org));
    api_set(out, "role", json_string(config_role_name(record->node.role)));
    api_set(out, "peer", json_string(record->node.peer));
    api_set(out, "http", json_string(record->node.http));
    return out;
}

static json_t *author_json(const struct author_record *record) {
    json_t *out = json_object();
    api_hex(out, "id", record->id, HASH_LEN);
    api_set(out, "key_type", json_string(key_type_name(record->key.type)));
    api_hex(out, "key", record->key.key, key_len(record->key.type));
    api_set(out, "organisation", json_string(record->org));
    api_u64(out, "expires_ms", record->expires_ms);
    api_set(out, "revoked", json_boolean(record->revoked));
    api_set(out, "reason", json_string(record->reason));
    api_hex(out, "delegation", record->delegation, record->delegation_len);
    api_stamp(out, &record->stamp);
    return out;
}

static json_t *class_json(const struct class_definition *class) {
    char name[2 * GENESIS_TEXT_MAX + 2];
    (void)snprintf(name, sizeof name, "%s/%s", class->def.vendor_domain, class->def.class_name);
    json_t *out = json_object();
    api_set(out, "class", json_string(name));
    api_hex(out, "vendor_id", class->vendor_id, UUID_BYTES);
    api_hex(out, "class_id", class->class_id, UUID_BYTES);
    api_set(out, "organisation", json_string(class->def.org));
    api_hex(out, "root_key", class->def.root_key, KEY_LEN);
    api_u64(out, "min_hardware_revision", class->def.min_hardware_revision);
    api_u64(out, "required_signers", class->def.required_signers);
    json_t *authors = json_array();
    for (size_t i = 0; i < class->def.author_count; i++) {
        char hex[2 * HASH_LEN + 1];
        hex_encode(class->def.authors[i], HASH_LEN, hex);
        (void)json_array_append_new(authors, json_string(hex));
    }
    api_set(out, "authors", authors);
    json_t *slots = json_array();
    for (size_t i = 0; i < class->def.slot_count; i++) {
        json_t *slot = json_object();
        api_u64(slot, "component", class->def.slots[i].component);
        api_u64(slot, "max_size", class->def.slots[i].max_size);
        (void)json_array_append_new(slots, slot);
    }
    api_set(out, "slots", slots);
    api_stamp(out, &class->stamp);
    return out;
}

static json_t *device_json(const struct device_record *record) {
    json_t *out = json_object();
    api_hex(out, "id", record->id, KEY_LEN);
    api_set(out, "key_type", json_string(key_type_name(record->key.type)));
    api_hex(out, "key", record->key.key, key_len(record->key.type));
    api_hex(out, "vendor_id", record->vendor_id, UUID_BYTES);
    api_hex(out, "class_id", record->class_id, UUID_BYTES);
    api_u64(out, "hardware_revision", record->hardware_revision);
    api_u64(out, "first_sequence", record->first_sequence);
    api_hex(out, "gateway", record->gateway, ED25519_KEY_LEN);
    api_set(out, "endorsed", json_boolean(record->endorsed));
    api_stamp(out, &record->stamp);
    return out;
}

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

/* A list under way: the array, and the cursor of what was seen last. */
struct page {
    json_t *items;
    char last[2 * P256_KEY_LEN + 1];
    size_t count;
    struct state state;
    enum node_role only_role; /* 0: any */
};

static void page_seen(struct page *page, const void *id, size_t len, json_t *item) {
    if (len > 0) {
        hex_encode(id, len, page->last);
    }
    page->count++;
    (void)json_array_append_new(page->items, item);
}

static enum err each_org(void *arg, const struct org_record *record) {
    struct page *page = arg;
    (void)snprintf(page->last, sizeof page->last, "%s", record->org.id);
    page_seen(page, NULL, 0, org_json(record));
    return OK;
}

static enum err each_node(void *arg, const struct node_record *record) {
    struct page *page = arg;
    hex_encode(record->node.key, ED25519_KEY_LEN, page->last);
    page->count++;
    if (page->only_role == 0 || record->node.role == page->only_role) {
        (void)json_array_append_new(page->items, node_json(record));
    }
    return OK;
}

static enum err each_author(void *arg, const struct author_record *record) {
    page_seen(arg, record->id, HASH_LEN, author_json(record));
    return OK;
}

static enum err each_class(void *arg, const struct class_definition *class) {
    struct page *page = arg;
    json_t *item = class_json(class);
    struct class_record record;
    bool found = false;
    enum err e = release_latest(&page->state, class->class_id, &record, &found);
    if (e == OK && found) {
        api_class_record(item, &record);
    }
    page_seen(page, class->class_id, UUID_BYTES, item);
    return e;
}

static enum err each_device(void *arg, const struct device_record *record) {
    struct page *page = arg;
    json_t *item = device_json(record);
    struct update_running running;
    bool found = false;
    enum err e = update_running_get(&page->state, record->id, &running, &found);
    if (e == OK) {
        api_u64(item, "running_sequence", found ? running.sequence : record->first_sequence);
    }
    page_seen(page, record->id, KEY_LEN, item);
    return e;
}

/* What a list route is: its name, how long its cursor is, and how its records are walked. */
struct list {
    const char *name;
    size_t cursor_len; /* 0: the cursor is text */
    enum err (*walk)(struct page *page, const void *after, size_t limit);
};

static enum err walk_orgs(struct page *page, const void *after, size_t limit) {
    return org_list(&page->state, after, limit, each_org, page);
}

static enum err walk_validators(struct page *page, const void *after, size_t limit) {
    page->only_role = NODE_VALIDATOR;
    return node_list(&page->state, after, limit, each_node, page);
}

static enum err walk_nodes(struct page *page, const void *after, size_t limit) {
    return node_list(&page->state, after, limit, each_node, page);
}

static enum err walk_authors(struct page *page, const void *after, size_t limit) {
    return author_list(&page->state, after, limit, each_author, page);
}

static enum err walk_classes(struct page *page, const void *after, size_t limit) {
    return class_definition_list(&page->state, after, limit, each_class, page);
}

static enum err walk_devices(struct page *page, const void *after, size_t limit) {
    return device_list(&page->state, after, limit, each_device, page);
}

static void respond_list(struct api *api, struct http_request *request, const struct list *list) {
    uint64_t limit;
    const char *after = http_query(request, "after");
    uint8_t cursor[P256_KEY_LEN];
    if (!http_query_u64(request, "limit", 1, STATE_PAGE_MAX, PAGE_DEFAULT, &limit)) {
        return;
    }
    if (after != NULL && list->cursor_len > 0 && hex_decode(after, cursor, list->cursor_len) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give the next_after of the page before",
                                         "after is not a cursor of this list"));
        return;
    }
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct page page = {.items = json_array(), .state = state_of_view(view.kv)};
    const void *from = after == NULL ? NULL : list->cursor_len > 0 ? (const void *)cursor : (const void *)after;
    enum err e = list->walk(&page, from, limit);
    chain_view_close(&view);
    if (e != OK) {
        json_decref(page.items);
        api_fail(api, request, e, list->name);
        return;
    }
    json_t *out = json_object();
    api_set(out, list->name, page.items);
    api_set(out, "next_after", page.count == limit ? json_string(page.last) : json_null());
    http_respond(request, http_json(200, out));
}

static bool plain_list(struct http_request *request) {
    static const char *const known[] = {"after", "limit", NULL};
    return http_query_only(request, known);
}

static void get_orgs(void *ctx, struct http_request *request) {
    static const struct list list = {"orgs", 0, walk_orgs};
    if (plain_list(request)) {
        respond_list(ctx, request, &list);
    }
}

static void get_validators(void *ctx, struct http_request *request) {
    static const struct list list = {"validators", ED25519_KEY_LEN, walk_validators};
    if (plain_list(request)) {
        respond_list(ctx, request, &list);
    }
}

static void get_nodes(void *ctx, struct http_request *request) {
    static const struct list list = {"nodes", ED25519_KEY_LEN, walk_nodes};
    if (plain_list(request)) {
        respond_list(ctx, request, &list);
    }
}

static void get_authors(void *ctx, struct http_request *request) {
    static const struct list list = {"authors", HASH_LEN, walk_authors};
    if (plain_list(request)) {
        respond_list(ctx, request, &list);
    }
}

static void get_devices(void *ctx, struct http_request *request) {
    static const struct list list = {"devices", KEY_LEN, walk_devices};
    struct api *api = ctx;
    if (plain_list(request) && api_member(api, request)) {
        respond_list(api, request, &list);
    }
}

/* One class by name, or the list. */
static void get_classes(void *ctx, struct http_request *request) {
    static const char *const known[] = {"class", "after", "limit", NULL};
    static const struct list list = {"classes", UUID_BYTES, walk_classes};
    struct api *api = ctx;
    if (!http_query_only(request, known)) {
        return;
    }
    if (http_query(request, "class") == NULL) {
        respond_list(api, request, &list);
        return;
    }
    uint8_t class_id[UUID_BYTES];
    struct chain_view view;
    if (!api_query_class(request, class_id) || !api_view(api, request, &view)) {
        return;
    }
    struct page page = {.items = json_array(), .state = state_of_view(view.kv)};
    struct class_definition class;
    bool found = false;
    enum err e = class_definition_get(&page.state, class_id, &class, &found);
    if (e == OK && found) {
        e = each_class(&page, &class);
    }
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this class");
    } else {
        http_respond(request, http_json(200, json_incref(json_array_get(page.items, 0))));
    }
    json_decref(page.items);
}

enum err api_registry_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/orgs", get_orgs, 0},       {HTTP_GET, "/v1/validators", get_validators, 0},
        {HTTP_GET, "/v1/nodes", get_nodes, 0},     {HTTP_GET, "/v1/authors", get_authors, 0},
        {HTTP_GET, "/v1/classes", get_classes, 0}, {HTTP_GET, "/v1/devices", get_devices, 0},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
