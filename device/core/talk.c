#include "device/core/talk.h"

#include <string.h>

/* Sends `request`; gives the answer of the same operation. */
static enum talk_result converse(struct device *device, struct protocol_request *request, struct protocol_answer *out) {
    const struct device_transport *link = device->seams.transport;
    size_t len;
    memcpy(request->device_id, device->id, KEY_LEN);
    if (protocol_request_encode(request, device->request, sizeof device->request, &len) != GOOD ||
        !link->exchange(link->ctx, device->request, len, device->answer, sizeof device->answer, &len) ||
        len > sizeof device->answer) {
        return TALK_OFFLINE;
    }
    if (protocol_answer_decode(bytes_of(device->answer, len), out) != GOOD || out->operation != request->operation) {
        return TALK_OFFLINE;
    }
    switch (out->code) {
    case PROTOCOL_OK:
        return TALK_OK;
    case PROTOCOL_UNKNOWN_DEVICE:
        return TALK_UNKNOWN;
    case PROTOCOL_NOT_YET:
        return TALK_NOT_YET;
    case PROTOCOL_GONE:
        return TALK_GONE;
    case PROTOCOL_BAD_REQUEST:
        break;
    }
    return TALK_OFFLINE;
}

enum talk_result talk_hello(struct device *device, struct protocol_answer *out) {
    struct protocol_request request;
    memset(&request, 0, sizeof request);
    request.operation = PROTOCOL_HELLO;
    memcpy(request.hello.class_id, device->config->class_id, UUID_BYTES);
    request.hello.hardware_revision = device->config->hardware_revision;
    request.hello.running_sequence = device->state.running.sequence;
    request.hello.counter = device->state.counter;
    return converse(device, &request, out);
}

enum talk_result talk_check(struct device *device, struct protocol_answer *out) {
    struct protocol_request request;
    memset(&request, 0, sizeof request);
    request.operation = PROTOCOL_CHECK;
    request.check.running_sequence = device->state.running.sequence;
    request.check.epoch = device->state.epoch;
    request.check.height = device->state.height;
    return converse(device, &request, out);
}

/* Asks for what comes next; an answer that contradicts the first one or is too much of a good thing is no answer. */
static enum talk_result next_piece(struct talk_object *object) {
    struct device *device = object->device;
    struct protocol_request request;
    struct protocol_answer answer;
    memset(&request, 0, sizeof request);
    request.operation = PROTOCOL_GET;
    request.get.what = object->what;
    memcpy(request.get.update_id, device->state.candidate.update_id, HASH_LEN);
    request.get.offset = object->at;
    request.get.length = DEVICE_PIECE;
    request.get.tag = object->tag;
    request.get.epoch = device->state.epoch;
    request.get.height = object->height;
    enum talk_result result = converse(device, &request, &answer);
    if (result != TALK_OK) {
        return result;
    }
    bool first = object->tag == 0;
    if (answer.get.tag == 0 || answer.get.bytes.len == 0 || answer.get.bytes.len > DEVICE_PIECE ||
        object->at >= answer.get.total || answer.get.bytes.len > answer.get.total - object->at ||
        (!first && (answer.get.tag != object->tag || answer.get.total != object->size))) {
        return TALK_OFFLINE;
    }
    object->tag = answer.get.tag;
    object->size = answer.get.total;
    object->piece = answer.get.bytes.data;
    object->left = answer.get.bytes.len;
    return TALK_OK;
}

enum talk_result talk_open(struct talk_object *object, struct device *device, enum protocol_what what, uint64_t offset,
                           uint64_t height) {
    memset(object, 0, sizeof *object);
    object->device = device;
    object->what = what;
    object->at = offset;
    object->height = height;
    return next_piece(object);
}

bool talk_read(void *ctx, uint8_t *out, size_t len) {
    struct talk_object *object = ctx;
    while (len > 0) {
        if (object->left == 0) {
            if (object->at >= object->size) {
                return false;
            }
            if (next_piece(object) != TALK_OK) {
                object->offline = true;
                return false;
            }
        }
        size_t part = len < object->left ? len : object->left;
        memcpy(out, object->piece, part);
        out += part;
        len -= part;
        object->piece += part;
        object->left -= part;
        object->at += part;
    }
    return true;
}

enum talk_result talk_statement(struct device *device, const struct statement *statement, struct protocol_answer *out) {
    const struct device_secure *secure = device->seams.secure;
    uint8_t text[STATEMENT_SIGNED_LEN];
    struct protocol_request request;
    memset(&request, 0, sizeof request);
    request.operation = PROTOCOL_STATEMENT;
    statement_encode(statement, text);
    memcpy(request.said.statement, text + TAG_LEN, STATEMENT_LEN);
    if (!secure->sign(secure->ctx, text, sizeof text, request.said.signature)) {
        return TALK_OFFLINE;
    }
    return converse(device, &request, out);
}
