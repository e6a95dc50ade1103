#include "node/answers/blob.h"
#include "node/answers/registry.h"
#include "node/api/api_list.h"

#include "contracts/firmware/firmware.pb-c.h"
#include "ipfs-lite/repo.h"
#include "node/json/record_json.h"
#include "node/ledger/execute.h"

#include <string.h>

#define HISTORY_MAX 200

struct walk {
    struct api_list list;
    bool by_class;
};

/* Where a release stands in either list: in one by id the cursor's number is 0. */
static enum err each_release(void *arg, const struct release_record *release) {
    struct walk *walk = arg;
    uint8_t cursor[RELEASE_CURSOR_LEN] = {0};
    if (walk->by_class) {
        release_cursor(release, cursor);
    } else {
        memcpy(cursor + sizeof cursor - HASH_LEN, release->id, HASH_LEN);
    }
    return api_list_add(&walk->list, record_json(&release_shape, release), cursor, sizeof cursor);
}

static void list_releases(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t class_id[UUID_BYTES], cursor[RELEASE_CURSOR_LEN];
    struct walk walk = {.by_class = api_class_argument(request, class_id)};
    bool goes_on = http_hex(request, "after", cursor);
    struct chain_view view;
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    size_t limit = (size_t)http_number(request, "limit");
    walk.list = api_list_begin(limit);
    enum err e;
    if (walk.by_class) {
        e = release_list(&state, class_id, goes_on ? cursor : NULL, limit, each_release, &walk);
    } else {
        e = release_list_all(&state, goes_on ? cursor + sizeof cursor - HASH_LEN : NULL, limit, each_release, &walk);
    }
    chain_view_close(&view);
    api_list_end(api, request, &walk.list, &releases_page, e);
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
    struct release_answer answer = {.history = NULL};
    struct chain_view view;
    uint8_t id[HASH_LEN];
    (void)http_hex(request, "id", id);
    if (!api_view(api, request, &view)) {
        return;
    }
    struct state state = state_of_view(view.kv);
    if (find_release(api, request, &state, id, &answer.release)) {
        struct record_key key = release_key(id);
        struct history_answer entry;
        json_t *history = json_array();
        enum err e = api_history(&view, record_key_bytes(&key), HISTORY_MAX, &history_answer_shape, &entry, history);
        answer.history = history;
        api_outcome(api, request, e, "the history of this release", &release_answer_shape, &answer);
        json_decref(history);
    }
    chain_view_close(&view);
}

static void get_envelope(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    uint8_t id[HASH_LEN];
    struct chain_view view;
    (void)http_hex(request, "id", id);
    if (!api_view(api, request, &view)) {
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
    struct api *api = ctx;
    uint8_t class_id[UUID_BYTES];
    (void)api_class_argument(request, class_id);
    if (http_number(request, "proof") == 1) {
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
    struct latest_answer answer;
    bool found = false;
    enum err e = release_latest(&state, class_id, &record, &found);
    if (e != OK || !found) {
        api_fail(api, request, e != OK ? e : ERR_NOTFOUND, "this class");
    } else if (!record.has_release) {
        http_respond(request, http_error(404, "NO_RELEASE", "publish one with `assay release publish`",
                                         "the class has no release that may be installed"));
    } else if (find_release(api, request, &state, record.release_id, &answer.release)) {
        answer.floor = record.floor;
        answer.at_height = view.head.header.height;
        api_answer(request, &latest_answer_shape, &answer);
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
    static const struct http_argument list[] = {
        LIST_CLASS, LIST_AFTER(RELEASE_CURSOR_LEN), LIST_LIMIT(STATE_PAGE_MAX, LIST_DEFAULT), {0}};
    static const struct http_argument latest[] = {
        LIST_CLASS_REQUIRED,
        {"proof", "1: the proof bundle of it instead", HTTP_NUMBER, .most = 1},
        PROOF_EPOCH,
        PROOF_FORMAT,
        {0}};
    static const struct http_argument by_id[] = {{"id", "release id", HTTP_HEX, .most = HASH_LEN}, {0}};
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/releases", list_releases, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "Releases, of one class newest first", .arguments = list, .answers = &releases_page},
        {HTTP_GET, "/v1/releases/latest", get_latest, HTTP_BUDGET(PROOF_BYTES, 0, LIMIT_VALIDATORS),
         .summary = "What a device of the class should run", .arguments = latest, .answers = &latest_answer_shape,
         .answers_too = &proof_answer_shape, .media = "application/octet-stream"},
        {HTTP_GET, "/v1/releases/{id}", get_release, HTTP_BUDGET(LIST_BYTES, 0, 0),
         .summary = "One release with its history", .arguments = by_id, .answers = &release_answer_shape},
        {HTTP_GET, "/v1/releases/{id}/envelope", get_envelope, HTTP_BUDGET(256 * 1024, 0, 0),
         .summary = "A release's SUIT envelope", .arguments = by_id, .media = "application/suit-envelope+cose"},
    };
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
