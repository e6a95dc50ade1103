/* GET /v1/snapshots..: what a node that joins needs, straight from files. Open to anyone: each piece is checked by
 * whoever takes it, and holds nothing that a full node would not be told. */
#include "node/answers/blob.h"
#include "node/api/api.h"
#include "node/json/record_json.h"
#include "node/snapshot/snapshots.h"

#include <stdio.h>
#include <string.h>

static json_t *entry_json(const struct snapshots_entry *from) {
    struct snapshot_answer_entry entry = {.height = from->height,
                                          .time_ms = from->time_ms,
                                          .bytes = from->bytes,
                                          .manifest_bytes = from->manifest_bytes,
                                          .chunks = from->chunks};
    memcpy(entry.hash, from->block, HASH_LEN);
    memcpy(entry.content, from->content, HASH_LEN);
    return record_json(&snapshot_entry_shape, &entry);
}

static void list_snapshots(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    if (!api_view(api, request, &view)) {
        return;
    }
    struct snapshots_answer answer = {.height = view.head.header.height,
                                      .time_ms = view.head.header.time_ms,
                                      .making = snapshots_want(api->snapshots)};
    chain_view_close(&view);
    size_t count = snapshots_list(api->snapshots, entries);
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(items, entry_json(&entries[i]));
    }
    answer.snapshots = items;
    api_answer(request, &snapshots_answer_shape, &answer);
    json_decref(items);
}

static void send_file(struct api *api, struct http_request *request, const char *name) {
    uint64_t size = 0;
    int fd = -1;
    enum err e = snapshots_file(api->snapshots, http_number(request, "height"), name, &fd, &size);
    if (e != OK) {
        api_fail(api, request, e, "this part of a snapshot");
        return;
    }
    http_respond(request, http_file(request, fd, size, "application/octet-stream"));
}

static void get_manifest(void *ctx, struct http_request *request) {
    send_file(ctx, request, "manifest");
}

static void get_chunk(void *ctx, struct http_request *request) {
    char name[24];
    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)http_number(request, "chunk"));
    send_file(ctx, request, name);
}

enum err api_snapshot_routes(struct api *api, struct http_server *server) {
#define HEIGHT                                                                                                         \
    { "height", "of the snapshot, as /v1/snapshots has it", HTTP_NUMBER, .most = INT64_MAX, .is_required = true }
    static const struct http_argument manifest[] = {HEIGHT, {0}};
    static const struct http_argument chunk[] = {
        HEIGHT, {"chunk", "its number, from 0", HTTP_NUMBER, .most = UINT32_MAX, .is_required = true}, {0}};
#undef HEIGHT
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/snapshots", list_snapshots, HTTP_BUDGET(64 * 1024, 0, 0),
         .summary = "State snapshots for nodes that join, newest first", .answers = &snapshots_answer_shape},
        {HTTP_GET, "/v1/snapshots/{height}/manifest", get_manifest, HTTP_BUDGET(4096, 0, 0),
         .summary = "What a snapshot consists of, with its proof", .arguments = manifest,
         .media = "application/octet-stream", .has_ranges = true},
        {HTTP_GET, "/v1/snapshots/{height}/chunks/{chunk}", get_chunk, HTTP_BUDGET(4096, 0, 0),
         .summary = "One chunk of a snapshot", .arguments = chunk, .media = "application/octet-stream",
         .has_ranges = true},
    };
    return api->snapshots != NULL ? api_add(api, server, routes, sizeof routes / sizeof routes[0]) : OK;
}
