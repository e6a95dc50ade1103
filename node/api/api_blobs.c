/* POST /v1/blobs: an image streams into the store; only members of the node's own organisation may send one. */
#include "node/answers/blob.h"
#include "node/api/api_list.h"

#include "base/assert.h"
#include "contracts/class/class_definition.h"
#include "ipfs-lite/repo.h"
#include "node/api/uploads.h"
#include "node/http/auth.h"
#include "node/json/record_json.h"
#include "node/ledger/state_view.h"

#include <stdlib.h>
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

/* An image that is being sent, and whose. */
struct upload {
    struct repo_import *import;
    uint64_t left; /* bytes that may still come: of the class's largest slot, if it was named */
    uint8_t key[ED25519_KEY_LEN];
};

/* What is left of it when the image is in the store, or never will be. */
static void forget_upload(struct api *api, struct http_request *request) {
    struct upload *upload = http_user(request);
    if (api->uploads != NULL) {
        uploads_end(api->uploads, upload->key);
    }
    free(upload);
    http_set_user(request, NULL);
}

static bool take_place(struct api *api, struct http_request *request, const uint8_t key[ED25519_KEY_LEN]) {
    enum err e = api->uploads != NULL ? uploads_begin(api->uploads, key) : OK;
    if (e == OK) {
        return true;
    }
    bool own = e == ERR_DENIED;
    struct http_response *response = http_error(
        own ? 429 : 503, own ? "TOO_MANY_UPLOADS" : "BUSY", "wait until one of them has ended",
        "%s is sending as many images as %s", own ? "this key" : "everybody", own ? "one may" : "there are places");
    http_response_header(response, "Retry-After", "5");
    http_respond(request, response);
    return false;
}

/* What the file is written under. Takes over nothing when it fails. */
static enum err open_upload(struct api *api, struct http_request *request, const struct unixfs_profile *profile,
                            uint64_t most, const uint8_t key[ED25519_KEY_LEN]) {
    struct upload *upload = calloc(1, sizeof *upload);
    enum err e = upload != NULL ? repo_import_begin(api->repo, profile, &upload->import) : ERR_NOMEM;
    if (e != OK) {
        free(upload);
        return e;
    }
    upload->left = most;
    memcpy(upload->key, key, sizeof upload->key);
    http_set_user(request, upload);
    return OK;
}

static void refuse_for_slot(struct http_request *request) {
    http_respond(request, http_error(413, "RELEASE_TOO_BIG_FOR_SLOT", "make the image smaller",
                                     "the image does not fit any component slot of the class"));
}

/* How large an image may be: of the class that is named, as large as its largest slot. Refused: answered. */
static bool find_limit(struct api *api, struct http_request *request, uint64_t *out_most) {
    uint8_t class_id[UUID_BYTES];
    struct chain_view view;
    struct class_definition class;
    bool found = false;
    *out_most = UINT64_MAX;
    if (!api_class_argument(request, class_id)) {
        return true;
    }
    if (!api_view(api, request, &view)) {
        return false;
    }
    struct state state = state_of_view(view.kv);
    enum err e = class_definition_get(&state, class_id, &class, &found);
    chain_view_close(&view);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this class");
        return false;
    }
    *out_most = 0;
    for (size_t i = 0; i < class.def.slot_count; i++) {
        *out_most = class.def.slots[i].max_size > *out_most ? class.def.slots[i].max_size : *out_most;
    }
    const char *announced = http_header(request, "Content-Length");
    if (announced != NULL && strtoull(announced, NULL, 10) > *out_most) {
        refuse_for_slot(request);
        return false;
    }
    return true;
}

static bool begin_upload(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct auth_identity who;
    const struct unixfs_profile *profile = &unixfs_v1_2025;
    const char *name = http_text(request, "profile");
    if (!auth_require(api->auth, request, api->config->node.org, &who)) {
        return false;
    }
    if (name != NULL) {
        profile = unixfs_profile_named(name);
    }
    uint64_t most;
    if (!find_limit(api, request, &most) || !take_place(api, request, who.key)) {
        return false;
    }
    enum err e = open_upload(api, request, profile, most, who.key);
    if (e != OK) {
        if (api->uploads != NULL) {
            uploads_end(api->uploads, who.key);
        }
        http_respond(request, import_error(e));
    }
    return e == OK;
}

static void abandon_upload(void *ctx, struct http_request *request) {
    struct upload *upload = http_user(request);
    if (upload != NULL) {
        repo_import_abort(upload->import);
        forget_upload(ctx, request);
    }
}

static bool take_piece(void *ctx, struct http_request *request, struct bytes piece) {
    struct upload *upload = http_user(request);
    if (piece.len > upload->left) {
        abandon_upload(ctx, request);
        refuse_for_slot(request);
        return false;
    }
    upload->left -= piece.len;
    enum err e = repo_import_write(upload->import, piece.data, piece.len);
    if (e != OK) {
        abandon_upload(ctx, request);
        http_respond(request, import_error(e));
    }
    return e == OK;
}

static void blob_answer_of(const struct repo_image *image, struct blob_answer *out) {
    *out = (struct blob_answer){.size = image->size, .blocks = image->blocks};
    cid_encode(&image->root, out->cid);
    memcpy(out->sha256, image->sha256, SHA256_LEN);
    memcpy(out->tree_root, image->tree_root, SHA256_LEN);
}

static void end_upload(void *ctx, struct http_request *request) {
    struct upload *upload = http_user(request);
    struct repo_image image;
    struct blob_answer answer;
    enum err e = repo_import_end(upload->import, &image);
    forget_upload(ctx, request);
    if (e != OK) {
        http_respond(request, import_error(e));
        return;
    }
    blob_answer_of(&image, &answer);
    api_answer(request, &blob_answer_shape, &answer);
}

#define PAGE_MAX 200

static bool is_cid(const char *text) {
    struct cid cid;
    return cid_parse(text, &cid) == OK;
}

static void list_blobs(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct repo_image images[PAGE_MAX];
    struct cid after;
    char last[CID_TEXT_SIZE] = "";
    const char *from = http_text(request, "after");
    if (from != NULL) {
        ASSERT(cid_parse(from, &after) == OK); /* is_cid has judged it */
    }
    size_t limit = (size_t)http_number(request, "limit");
    size_t count = repo_list(api->repo, from != NULL ? &after : NULL, images, limit);
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        struct blob_answer blob;
        blob_answer_of(&images[i], &blob);
        (void)json_array_append_new(items, record_json(&blob_answer_shape, &blob));
        cid_format(&images[i].root, last);
    }
    const struct page_answer answer = {.items = items, .has_more = count == limit, .next = last};
    api_answer(request, &blobs_page, &answer);
    json_decref(items);
}

enum err api_blobs_routes(struct api *api, struct http_server *server) {
    if (api->repo == NULL) {
        return OK;
    }
    static const struct http_sink sink = {begin_upload, take_piece, abandon_upload};
    static const char *const profiles[] = {"kubo", "unixfs-v1-2025", NULL};
    static const struct http_argument list[] = {{"after", "next_after of the page before", HTTP_TEXT,
                                                 .most = CID_TEXT_LEN, .pattern = "^" CID_PATTERN "$", .judge = is_cid,
                                                 .must = "a CID"},
                                                LIST_LIMIT(PAGE_MAX, LIST_DEFAULT),
                                                {0}};
    static const struct http_argument upload[] = {
        {"profile", "how the image becomes blocks", HTTP_CHOICE, .choices = profiles}, LIST_CLASS, {0}};
    static const struct http_route get = {HTTP_GET,
                                          "/v1/blobs",
                                          list_blobs,
                                          HTTP_BUDGET(LIST_BYTES, 0, 0),
                                          .summary = "Images in this node's store",
                                          .arguments = list,
                                          .answers = &blobs_page};
    const struct http_route post = {HTTP_POST,
                                    "/v1/blobs",
                                    end_upload,
                                    .body_max = repo_max_image_bytes(api->repo),
                                    .sink = &sink,
                                    HTTP_BUDGET(4096, 0, 1),
                                    .is_long = true,
                                    .summary = "Adds an image; for members of the node's own organisation",
                                    .arguments = upload,
                                    .answers = &blob_answer_shape,
                                    .media_taken = "application/octet-stream",
                                    .for_members = true};
    enum err e = api_add(api, server, &post, 1);
    return e == OK ? api_add(api, server, &get, 1) : e;
}
