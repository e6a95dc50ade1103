/* POST /v1/blobs: an image streams into the store; only members of the node's own organisation may send one. */
#include "node/api/api_json.h"

#include "ipfs-lite/repo.h"
#include "node/http/auth.h"

#include <string.h>

static struct http_response *import_error(enum err e) {
    switch (e) {
    case ERR_TOOLARGE:
        return http_error(413, "IMAGE_TOO_LARGE", "raise blobs.max_image_bytes, or send a smaller image",
                          "the image is over this node's limit");
    case ERR_NOSPACE:
        return http_error(507, "STORE_FULL", "free disk space or raise the store's limit", "the store is full");
    default:
        return http_error(500, "STORE_FAULT", "the node's log says more", "the store failed: %s", err_text(e));
    }
}

static bool begin_upload(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct auth_identity who;
    struct repo_import *import;
    const struct unixfs_profile *profile = &unixfs_v1_2025;
    const char *name = http_query(request, "profile");
    static const char *const known[] = {"profile", NULL};
    if (!http_query_only(request, known) || !auth_require(api->auth, request, api->config->node.org, &who)) {
        return false;
    }
    if (name != NULL) {
        profile = unixfs_profile_named(name);
        if (profile == NULL) {
            http_respond(request, http_error(400, "BAD_PARAMETER", "give kubo or unixfs-v1-2025",
                                             "profile names no import profile"));
            return false;
        }
    }
    enum err e = repo_import_begin(api->repo, profile, &import);
    if (e != OK) {
        http_respond(request, import_error(e));
        return false;
    }
    http_set_user(request, import);
    return true;
}

static void abandon_upload(void *ctx, struct http_request *request) {
    (void)ctx;
    repo_import_abort(http_user(request));
    http_set_user(request, NULL);
}

static bool take_piece(void *ctx, struct http_request *request, struct bytes piece) {
    enum err e = repo_import_write(http_user(request), piece.data, piece.len);
    if (e != OK) {
        abandon_upload(ctx, request);
        http_respond(request, import_error(e));
    }
    return e == OK;
}

static void end_upload(void *ctx, struct http_request *request) {
    (void)ctx;
    struct repo_image image;
    enum err e = repo_import_end(http_user(request), &image);
    http_set_user(request, NULL);
    if (e != OK) {
        http_respond(request, import_error(e));
        return;
    }
    uint8_t cid[CID_LEN];
    json_t *out = json_object();
    cid_encode(&image.root, cid);
    api_cid(out, "cid", cid);
    api_u64(out, "size", image.size);
    api_hex(out, "sha256", image.sha256, SHA256_LEN);
    api_hex(out, "tree_root", image.tree_root, SHA256_LEN);
    api_u64(out, "blocks", image.blocks);
    http_respond(request, http_json(200, out));
}

#define PAGE_MAX 200

static void list_blobs(void *ctx, struct http_request *request) {
    static const char *const known[] = {"after", "limit", NULL};
    struct api *api = ctx;
    struct repo_image images[PAGE_MAX];
    struct cid after;
    uint64_t limit;
    const char *from = http_query(request, "after");
    if (!http_query_only(request, known) || !http_query_u64(request, "limit", 1, PAGE_MAX, 50, &limit)) {
        return;
    }
    if (from != NULL && cid_parse(from, &after) != OK) {
        http_respond(request,
                     http_error(400, "BAD_PARAMETER", "give the next_after of the page before", "after is not a CID"));
        return;
    }
    size_t count = repo_list(api->repo, from != NULL ? &after : NULL, images, limit);
    json_t *items = json_array();
    uint8_t cid[CID_LEN];
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object();
        cid_encode(&images[i].root, cid);
        api_cid(item, "cid", cid);
        api_u64(item, "size", images[i].size);
        api_hex(item, "sha256", images[i].sha256, SHA256_LEN);
        api_u64(item, "blocks", images[i].blocks);
        (void)json_array_append_new(items, item);
    }
    json_t *out = json_object();
    api_set(out, "blobs", items);
    if (count == limit) {
        api_cid(out, "next_after", cid);
    } else {
        api_set(out, "next_after", json_null());
    }
    http_respond(request, http_json(200, out));
}

enum err api_blobs_routes(struct api *api, struct http_server *server) {
    static const struct http_sink sink = {begin_upload, take_piece, abandon_upload};
    static const struct api_route lists[] = {{HTTP_GET, "/v1/blobs", list_blobs, 0}};
    if (api->repo == NULL) {
        return OK;
    }
    const struct http_route upload = {.method = HTTP_POST,
                                      .path = "/v1/blobs",
                                      .handler = end_upload,
                                      .ctx = api,
                                      .body_max = repo_max_image_bytes(api->repo),
                                      .sink = &sink};
    enum err e = http_server_route(server, &upload);
    return e == OK ? api_add(api, server, lists, 1) : e;
}
