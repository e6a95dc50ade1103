#include "node/api/api_json.h"

#include "contracts/firmware/firmware.pb-c.h"
#include "contracts/firmware/release.h"
#include "ipfs-lite/repo.h"
#include "node/ledger/execute.h"

#include <string.h>

#define PAGE_DEFAULT 50
#define HISTORY_MAX 200

static json_t *ids_json(const uint8_t (*ids)[HASH_LEN], size_t count) {
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++) {
        char hex[2 * HASH_LEN + 1];
        hex_encode(ids[i], HASH_LEN, hex);
        (void)json_array_append_new(out, json_string(hex));
    }
    return out;
}

static json_t *release_json(const struct release_record *r) {
    json_t *out = json_object();
    api_hex(out, "release_id", r->id, HASH_LEN);
    api_hex(out, "vendor_id", r->vendor_id, UUID_BYTES);
    api_hex(out, "class_id", r->class_id, UUID_BYTES);
    api_u64(out, "sequence", r->sequence);
    api_set(out, "version", json_string(r->version));
    api_set(out, "state", json_string(release_state_name(r->state)));
    api_hex(out, "manifest_digest", r->manifest_digest, HASH_LEN);
    api_hex(out, "sha256", r->image_digest, HASH_LEN);
    api_u64(out, "size", r->image_size);
    api_cid(out, "cid", r->image_cid);
    api_hex(out, "tree_root", r->image_tree_root, HASH_LEN);
    if (r->has_sbom) {
        api_cid(out, "sbom_cid", r->sbom_cid);
    }
    api_u64(out, "component", r->component);
    api_u64(out, "envelope_size", r->envelope_len);
    api_hex(out, "tx_id", r->tx_id, HASH_LEN);
    api_u64(out, "height", r->stamp.created_height);
    api_set(out, "signers", ids_json((const uint8_t(*)[HASH_LEN])r->signers, r->signer_count));
    api_set(out, "dependencies", ids_json((const uint8_t(*)[HASH_LEN])r->dependencies, r->dependency_count));
    api_set(out, "notes", json_string(r->notes));
    api_set(out, "reason", json_string(r->reason));
    api_stamp(out, &r->stamp);
    return out;
}

struct page {
    json_t *items;
    uint8_t last[RELEASE_CURSOR_LEN];
    bool by_class;
};

static enum err each_release(void *arg, const struct release_record *release) {
    struct page *page = arg;
    if (page->by_class) {
        release_cursor(release, page->last);
    } else {
        memcpy(page->last, release->id, HASH_LEN);
    }
    (void)json_array_append_new(page->items, release_json(release));
    return OK;
}

static void list_releases(void *ctx, struct http_request *request) {
    static const char *const known[] = {"class", "after", "limit", NULL};
    struct api *api = ctx;
    struct page page = {.by_class = http_query(request, "class") != NULL};
    size_t cursor_len = page.by_class ? RELEASE_CURSOR_LEN : HASH_LEN;
    uint8_t class_id[UUID_BYTES], cursor[RELEASE_CURSOR_LEN];
    uint64_t limit;
    const uint8_t *from;
    struct chain_view view;
    if (!http_query_only(request, known) ||
        !http_query_u64(request, "limit", 1, STATE_PAGE_MAX, PAGE_DEFAULT, &limit) ||
        (page.by_class && !api_query_class(request, class_id)) ||
        !api_query_after(request, cursor_len, cursor, &from) || !api_view(api, request, &view)) {
        return;
    }
    page.items = json_array();
    struct state state = state_of_view(view.kv);
    enum err e = page.by_class ? release_list(&state, class_id, from, limit, each_release, &page)
                               : release_list_all(&state, from, limit, each_release, &page);
    chain_view_close(&view);
    if (e != OK) {
        json_decref(page.items);
        api_fail(api, request, e, "releases");
        return;
    }
    http_respond(request, http_json(200, api_page("releases", page.items, limit, page.last, cursor_len)));
}

/* A release by id, found or answered 404. */
static bool find_release(struct api *api, struct http_request *request, const struct state *state,
                         const uint8_t id[HASH_LEN], struct release_record *out) {
    bool found = false;
    enum err e = release_get(state, id, out, &found);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this release");
        return false;
    }
    return true;
}

static void get_release(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct release_record release;
    struct chain_view view;
    if (!api_no_query(request) || !api_param_hex(request, "id", id, sizeof id) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    if (find_release(api, request, &state, id, &release)) {
        struct record_key key = release_key(id);
        json_t *history = json_array();
        enum err e = api_history(&view, record_key_bytes(&key), HISTORY_MAX, history);
        if (e == OK) {
            json_t *out = release_json(&release);
            api_set(out, "history", json_incref(history));
            http_respond(request, http_json(200, out));
        } else {
            api_fail(api, request, e, "the history of this release");
        }
        json_decref(history);
    }
    chain_view_close(&view);
}

static void get_envelope(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    if (!api_no_query(request) || !api_param_hex(request, "id", id, sizeof id) || !api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct buffer envelope = BUFFER_INIT;
    bool found = false;
    enum err e = release_envelope(&state, id, &envelope, &found);
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this release");
    } else {
        http_respond(request, http_bytes(200, "application/suit-envelope+cose", buffer_bytes(&envelope)));
    }
    buffer_free(&envelope);
}

/* The open getter: what should a device of this class run? With proof=1 the bundle that proves it. */
static void get_latest(void *ctx, struct http_request *request) {
    static const char *const known[] = {"class", "proof", "epoch", "format", NULL};
    struct api *api = ctx;
    uint8_t class_id[UUID_BYTES];
    uint64_t proof;
    if (!http_query_only(request, known) || !http_query_u64(request, "proof", 0, 1, 0, &proof) ||
        !api_query_class(request, class_id)) {
        return;
    }
    if (proof == 1) {
        uint8_t key[CLASS_RECORD_KEY_LEN];
        class_record_key(class_id, key);
        api_respond_proof(api, request, bytes_str("firmware"), bytes_of(key, sizeof key), 0);
        return;
    }
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    struct class_record record;
    struct release_record release;
    bool found = false;
    enum err e = release_latest(&state, class_id, &record, &found);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this class");
    } else if (!record.has_release) {
        http_respond(request, http_error(404, "NO_RELEASE", "publish one with `assay release publish`",
                                         "the class has no release that may be installed"));
    } else if (find_release(api, request, &state, record.release_id, &release)) {
        json_t *out = release_json(&release);
        api_u64(out, "floor", record.floor);
        api_u64(out, "at_height", view.head.header.height);
        http_respond(request, http_json(200, out));
    }
    chain_view_close(&view);
}

bool api_release_image_is_here(struct api *api, struct http_request *request, struct bytes args) {
    Assay__RegisterRelease *message = assay__register_release__unpack(NULL, args.len, args.data);
    struct cid cid;
    struct repo_image image;
    bool named = message != NULL && cid_decode(bytes_of(message->image_cid.data, message->image_cid.len), &cid) == OK;
    enum err e = named ? repo_stat(api->repo, &cid, &image) : ERR_NOTFOUND;
    if (message != NULL) {
        assay__register_release__free_unpacked(message, NULL);
    }
    if (e != OK && e != ERR_NOTFOUND) {
        api_fail(api, request, e, "the store of images");
    } else if (e != OK) {
        http_respond(request, http_error(409, "IMAGE_NOT_IN_STORE", "add it to this node first: assay blob add FILE",
                                         "the image that the release names is not in this node's store"));
    }
    return e == OK;
}

enum err api_releases_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/releases", list_releases, 0},
        {HTTP_GET, "/v1/releases/latest", get_latest, 0},
        {HTTP_GET, "/v1/releases/{id}", get_release, 0},
        {HTTP_GET, "/v1/releases/{id}/envelope", get_envelope, 0},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
