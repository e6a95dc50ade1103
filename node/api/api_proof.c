#include "base/assert.h"
#include "node/answers/blob.h"
#include "node/api/api_list.h"
#include "node/json/record_json.h"

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
        struct bytes_input from = {bundle};
        struct input in = input_of_bytes(&from);
        struct bundle_result result;
        enum verdict v = bundle_verify(api->crypto, &trust, &work, &in, &result);
        struct proof_answer answer = {.verdict = verdict_name(v), .size = bundle.len, .is_good = v == GOOD};
        if (v == GOOD) {
            answer.height = result.header.height;
            answer.time_ms = result.header.time_ms;
            memcpy(answer.block_hash, result.header_hash, HASH_LEN);
            memcpy(answer.state_root, result.header.state_root, HASH_LEN);
            answer.contract = result.contract;
            answer.key = bytes_of(result.user_key, result.user_key_len);
            answer.present = result.present;
            answer.value = bytes_of(value, result.present ? result.value_len : 0);
        }
        out = record_json(&proof_answer_shape, &answer);
    }
    free(path);
    free(value);
    return out;
}

void api_respond_proof(struct api *api, struct http_request *request, struct bytes contract, struct bytes user_key,
                       uint64_t height) {
    bool in_words = http_text(request, "format") != NULL;
    struct chain_view view;
    struct chain_epoch trusted;
    struct buffer bundle = BUFFER_INIT;
    uint64_t epoch = http_number(request, "epoch");
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
    } else if (in_words) {
        http_respond(request, http_json(200, bundle_json(api, &trusted, buffer_bytes(&bundle))));
    } else {
        http_respond(request, http_bytes(200, PROOF_TYPE, buffer_bytes(&bundle)));
    }
    buffer_free(&bundle);
}

static bool is_key(const char *text) {
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    return text[digits] == '\0' && digits % 2 == 0 && digits <= (size_t)2 * BUNDLE_USER_KEY_MAX;
}

/* The user key is given in hex, since most are binary. */
static void get_proof(void *ctx, struct http_request *request) {
    uint8_t key[BUNDLE_USER_KEY_MAX];
    const char *hex = http_text(request, "key");
    size_t len = strlen(hex) / 2;
    ASSERT(len <= sizeof key && hex_decode(hex, key, len) == OK); /* is_key has judged it */
    api_respond_proof(ctx, request, bytes_str(http_text(request, "contract")), bytes_of(key, len),
                      http_number(request, "height"));
}

const char *const proof_formats[] = {"json", NULL};

enum err api_proof_routes(struct api *api, struct http_server *server) {
    static const struct http_argument arguments[] = {
        {"contract", "whose record it is", HTTP_TEXT, .most = LIMIT_TX_NAME, .pattern = CONTRACT_PATTERN,
         .judge = api_is_contract, .must = "a contract's name", .is_required = true},
        {"key", "the record's key in hex", HTTP_TEXT, .most = 2 * BUNDLE_USER_KEY_MAX, .pattern = "^([0-9a-fA-F]{2})*$",
         .judge = is_key, .must = "the record's key in hex", .is_required = true, .may_be_empty = true},
        {"height", "of an older state that is still kept; 0: the newest", HTTP_NUMBER, .most = INT64_MAX},
        PROOF_EPOCH,
        PROOF_FORMAT,
        {0}};
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/proof", get_proof, HTTP_BUDGET(PROOF_BYTES, 0, LIMIT_VALIDATORS),
         .summary = "Proof bundle of one state value, or of its absence", .arguments = arguments,
         .answers = &proof_answer_shape, .media = PROOF_TYPE}};
    return api_add(api, server, routes, sizeof routes / sizeof routes[0]);
}
