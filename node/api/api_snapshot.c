/* GET /v1/snapshots..: what a node that joins needs, straight from files. Open to anyone: each piece is checked by
 * whoever takes it, and holds nothing that a full node would not be told. */
#include "node/api/api.h"

#include "node/snapshot/snapshots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void list_snapshots(void *ctx, struct http_request *request) {
    struct api *api = ctx;
    struct chain_view view;
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    if (!api_no_query(request) || !api_view(api, request, &view)) {
        return;
    }
    bool making = snapshots_want(api->snapshots);
    size_t count = snapshots_list(api->snapshots, entries);
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_object();
        api_u64(item, "height", entries[i].height);
        api_hex(item, "hash", entries[i].block, HASH_LEN);
        api_u64(item, "time_ms", entries[i].time_ms);
        api_hex(item, "content", entries[i].content, HASH_LEN);
        api_u64(item, "bytes", entries[i].bytes);
        api_u64(item, "manifest_bytes", entries[i].manifest_bytes);
        api_u64(item, "chunks", entries[i].chunks);
        (void)json_array_append_new(items, item);
    }
    json_t *out = json_object();
    api_u64(out, "height", view.head.header.height);
    api_u64(out, "time_ms", view.head.header.time_ms);
    api_set(out, "making", json_boolean(making));
    api_set(out, "snapshots", items);
    chain_view_close(&view);
    http_respond(request, http_json(200, out));
}

static bool number_param(struct http_request *request, const char *name, uint64_t *out) {
    const char *text = http_param(request, name);
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 19) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give a number", "%s must be a number", name));
        return false;
    }
    *out = value;
    return true;
}

static void send_file(struct api *api, struct http_request *request, const char *name) {
    uint64_t height, size = 0;
    int fd = -1;
    if (!api_no_query(request) || !number_param(request, "height", &height)) {
        return;
    }
    enum err e = snapshots_file(api->snapshots, height, name, &fd, &size);
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
    uint64_t chunk;
    char name[24];
    if (number_param(request, "chunk", &chunk)) {
        (void)snprintf(name, sizeof name, "%llu", (unsigned long long)chunk);
        send_file(ctx, request, name);
    }
}

enum err api_snapshot_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {
        {HTTP_GET, "/v1/snapshots", list_snapshots, 0},
        {HTTP_GET, "/v1/snapshots/{height}/manifest", get_manifest, 0},
        {HTTP_GET, "/v1/snapshots/{height}/chunks/{chunk}", get_chunk, 0},
    };
    return api->snapshots != NULL ? api_add(api, server, routes, sizeof routes / sizeof routes[0]) : OK;
}
