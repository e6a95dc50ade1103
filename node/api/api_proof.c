#include "node/api/api.h"

#include "verify/bundle.h"
#include "verify/class_record.h"

#include <stdlib.h>
#include <string.h>

#define PROOF_TYPE "application/octet-stream"

/* The bundle, checked by our own verifier from the epoch it was asked for, in words. */
static json_t *bundle_json(struct api *api, const struct chain_epoch *trusted, struct bytes bundle) {
    static const size_t value_max = LIMIT_STATE_VALUE;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    struct trust trust = {.epoch = trusted->number, .validators = chain_epoch_set(trusted)};
    memcpy(trust.chain_id, chain_id(api->chain), CHAIN_ID_LEN);
    uint8_t(*path)[33] = malloc(STATE_PATH_STEPS_MAX * sizeof *path);
    uint8_t *value = malloc(value_max);
    json_t *out = NULL;
    if (path != NULL && value != NULL) {
        const struct bundle_work work = {.set_memory = keys,
                                         .set_capacity = LIMIT_VALIDATORS,
                                         .path_memory = path,
                                         .path_capacity = STATE_PATH_STEPS_MAX,
                                         .value_memory = value,
                                         .value_capacity = (uint32_t)value_max};
        struct span_input from = {{bundle.data, bundle.len}};
        struct input in = input_of_span(&from);
        struct bundle_result result;
        enum verdict v = bundle_verify(api->crypto, &trust, &work, &in, &result);
        out = json_object();
        api_set(out, "verdict", json_string(verdict_name(v)));
        if (v == GOOD) {
            api_u64(out, "height", result.header.height);
            api_u64(out, "time_ms", result.header.time_ms);
            api_hex(out, "block_hash", result.header_hash, HASH_LEN);
            api_hex(out, "state_root", result.header.state_root, HASH_LEN);
            api_set(out, "contract", json_string(result.contract));
            api_hex(out, "key", result.user_key, result.user_key_len);
            api_set(out, "present", json_boolean(result.present));
            api_hex(out, "value", value, result.present ? result.value_len : 0);
        }
        api_u64(out, "size", bundle.len);
    }
    free(path);
    free(value);
    return out;
}

void api_respond_proof(struct api *api, struct http_request *request, struct bytes contract, struct bytes user_key,
                       uint64_t height) {
    const char *format = http_query(request, "format");
    struct chain_view view;
    struct chain_epoch trusted;
    struct buffer bundle = BUFFER_INIT;
    uint64_t epoch;
    if (!http_query_u64(request, "epoch", 0, INT64_MAX, 0, &epoch)) {
        return;
    }
    if (format != NULL && strcmp(format, "json") != 0) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give format=json, or leave it out for the bytes",
                                         "format names none that there is"));
        return;
    }
    if (!api_view(api, request, &view)) {
        return;
    }
    enum err e = chain_view_epoch(&view, epoch, &trusted);
    bool begun = e == OK;
    if (begun) {
        e = chain_view_prove(&view, contract, user_key, height, epoch, &bundle);
    }
    chain_view_close(&view);
    if (e == ERR_NOTFOUND && !begun) {
        http_respond(request, http_error(404, "NO_SUCH_EPOCH", "ask another node, or wait until this one has caught up",
                                         "that epoch has not begun here"));
    } else if (e == ERR_NOTFOUND) {
        http_respond(request, http_error(404, "NO_FINAL_BLOCK", "wait for the next block, at most one heartbeat",
                                         "there is no final block of that height yet"));
    } else if (e != OK) {
        api_fail(api, request, e, "the proof");
    } else if (format != NULL) {
        http_respond(request, http_json(200, bundle_json(api, &trusted, buffer_bytes(&bundle))));
    } else {
        http_respond(request, http_bytes(200, PROOF_TYPE, buffer_bytes(&bundle)));
    }
    buffer_free(&bundle);
}

/* The user key is given in hex, since most are binary. */
static void get_proof(void *ctx, struct http_request *request) {
    static const char *const known[] = {"contract", "key", "height", "epoch", "format", NULL};
    struct api *api = ctx;
    uint8_t key[BUNDLE_USER_KEY_MAX];
    uint64_t height;
    const char *contract = http_query(request, "contract");
    const char *hex = http_query(request, "key");
    if (!http_query_only(request, known) || !http_query_u64(request, "height", 0, INT64_MAX, 0, &height)) {
        return;
    }
    size_t len = hex != NULL ? strlen(hex) / 2 : 0;
    if (contract == NULL || hex == NULL || len > sizeof key || hex_decode(hex, key, len) != OK) {
        http_respond(request, http_error(400, "BAD_PARAMETER", "give ?contract=NAME&key=HEX",
                                         "contract must be a name, key the user key in hex, at most %d bytes",
                                         BUNDLE_USER_KEY_MAX));
        return;
    }
    api_respond_proof(api, request, bytes_str(contract), bytes_of(key, len), height);
}

enum err api_proof_routes(struct api *api, struct http_server *server) {
    static const struct api_route routes[] = {{HTTP_GET, "/v1/proof", get_proof, 0}};
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
