#include "device/core/protocol.h"

#include "verify/cbor.h"

#include <string.h>

#define PROTOCOL_VERSION 1

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static void put_number(struct cbor_writer *w, uint64_t key, uint64_t value) {
    cbor_put_uint(w, key);
    cbor_put_uint(w, value);
}

static void put_string(struct cbor_writer *w, uint64_t key, const uint8_t *data, size_t len) {
    cbor_put_uint(w, key);
    cbor_put_bytes(w, bytes_of(data, len));
}

static void put_truth(struct cbor_writer *w, uint64_t key, bool value) {
    cbor_put_uint(w, key);
    cbor_put_bool(w, value);
}

static void put_get_request(struct cbor_writer *w, const struct protocol_request *request) {
    put_number(w, 3, request->get.what);
    put_string(w, 4, request->get.update_id, HASH_LEN);
    put_number(w, 5, request->get.offset);
    put_number(w, 6, request->get.length);
    put_number(w, 7, request->get.tag);
    put_number(w, 8, request->get.epoch);
    put_number(w, 9, request->get.height);
}

enum verdict protocol_request_encode(const struct protocol_request *request, uint8_t *out, size_t capacity,
                                     size_t *out_len) {
    static const uint8_t pairs[] = {
        [PROTOCOL_HELLO] = 7, [PROTOCOL_CHECK] = 6, [PROTOCOL_GET] = 10, [PROTOCOL_STATEMENT] = 5};
    struct cbor_writer w = cbor_writer_of(out, capacity);
    cbor_put_map(&w, pairs[request->operation]);
    put_number(&w, 0, PROTOCOL_VERSION);
    put_number(&w, 1, request->operation);
    put_string(&w, 2, request->device_id, KEY_LEN);
    switch (request->operation) {
    case PROTOCOL_HELLO:
        put_string(&w, 3, request->hello.class_id, UUID_BYTES);
        put_number(&w, 4, request->hello.hardware_revision);
        put_number(&w, 5, request->hello.running_sequence);
        put_number(&w, 6, request->hello.counter);
        break;
    case PROTOCOL_CHECK:
        put_number(&w, 3, request->check.running_sequence);
        put_number(&w, 4, request->check.epoch);
        put_number(&w, 5, request->check.height);
        break;
    case PROTOCOL_GET:
        put_get_request(&w, request);
        break;
    case PROTOCOL_STATEMENT:
        put_string(&w, 3, request->said.statement, STATEMENT_LEN);
        put_string(&w, 4, request->said.signature, SIG_LEN);
        break;
    }
    return cbor_writer_end(&w, out_len);
}

static void put_offer(struct cbor_writer *w, const struct protocol_offer *offer) {
    put_string(w, 4, offer->update_id, HASH_LEN);
    put_string(w, 5, offer->release_id, HASH_LEN);
    put_number(w, 6, offer->sequence);
    put_truth(w, 7, offer->needs_open);
    put_number(w, 8, offer->envelope_size);
    put_number(w, 9, offer->proof_size);
    put_number(w, 10, offer->delegation_size);
    put_number(w, 11, offer->image_size);
}

static uint32_t answer_pairs(const struct protocol_answer *answer) {
    if (answer->code != PROTOCOL_OK) {
        return 3;
    }
    switch (answer->operation) {
    case PROTOCOL_CHECK:
        return answer->check.offered ? 12 : 4;
    case PROTOCOL_STATEMENT:
        return 7;
    case PROTOCOL_HELLO:
    case PROTOCOL_GET:
        break;
    }
    return 6;
}

enum verdict protocol_answer_encode(const struct protocol_answer *answer, uint8_t *out, size_t capacity,
                                    size_t *out_len) {
    struct cbor_writer w = cbor_writer_of(out, capacity);
    cbor_put_map(&w, answer_pairs(answer));
    put_number(&w, 0, PROTOCOL_VERSION);
    put_number(&w, 1, answer->operation);
    put_number(&w, 2, answer->code);
    if (answer->code != PROTOCOL_OK) {
        return cbor_writer_end(&w, out_len);
    }
    switch (answer->operation) {
    case PROTOCOL_HELLO:
        put_number(&w, 3, answer->hello.time_ms);
        put_number(&w, 4, answer->hello.poll_ms);
        put_string(&w, 5, answer->hello.chain_id, CHAIN_ID_LEN);
        break;
    case PROTOCOL_CHECK:
        put_truth(&w, 3, answer->check.offered);
        if (answer->check.offered) {
            put_offer(&w, &answer->check.offer);
        }
        break;
    case PROTOCOL_GET:
        put_number(&w, 3, answer->get.total);
        put_number(&w, 4, answer->get.tag);
        put_string(&w, 5, answer->get.bytes.data, answer->get.bytes.len);
        break;
    case PROTOCOL_STATEMENT:
        put_number(&w, 3, answer->said.reception);
        put_number(&w, 4, answer->said.outcome);
        put_truth(&w, 5, answer->said.proof_ready);
        put_number(&w, 6, answer->said.code);
        break;
    }
    return cbor_writer_end(&w, out_len);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* Takes pairs one after the other; after the first failure nothing more is read, so that only the end needs a check. */
struct taker {
    struct cbor_reader reader;
    enum verdict verdict;
};

static void take_key(struct taker *t, uint64_t key) {
    uint64_t got;
    if (t->verdict == GOOD) {
        t->verdict = cbor_uint(&t->reader, &got);
    }
    if (t->verdict == GOOD && got != key) {
        t->verdict = BAD_ENCODING;
    }
}

static uint64_t take_number(struct taker *t, uint64_t key, uint64_t most) {
    uint64_t value = 0;
    take_key(t, key);
    if (t->verdict == GOOD) {
        t->verdict = cbor_uint(&t->reader, &value);
    }
    if (t->verdict == GOOD && value > most) {
        t->verdict = BAD_ENCODING;
    }
    return t->verdict == GOOD ? value : 0;
}

/* A number of a list from `least` to `most`; another one is of a newer protocol. */
static uint64_t take_choice(struct taker *t, uint64_t key, uint64_t least, uint64_t most) {
    uint64_t value = take_number(t, key, UINT64_MAX);
    if (t->verdict == GOOD && (value < least || value > most)) {
        t->verdict = BAD_UNSUPPORTED;
    }
    return t->verdict == GOOD ? value : least;
}

static bool take_truth(struct taker *t, uint64_t key) {
    bool value = false;
    take_key(t, key);
    if (t->verdict == GOOD) {
        t->verdict = cbor_bool(&t->reader, &value);
    }
    return value;
}

static struct bytes take_span(struct taker *t, uint64_t key) {
    struct bytes value = {NULL, 0};
    take_key(t, key);
    if (t->verdict == GOOD) {
        t->verdict = cbor_bytes(&t->reader, &value);
    }
    return value;
}

static void take_string(struct taker *t, uint64_t key, uint8_t *out, size_t len) {
    struct bytes value = take_span(t, key);
    if (t->verdict == GOOD && value.len != len) {
        t->verdict = BAD_ENCODING;
    }
    if (t->verdict == GOOD) {
        memcpy(out, value.data, len);
    }
}

static struct taker begin(struct bytes in, uint32_t *out_pairs, enum protocol_operation *out_operation) {
    struct taker t = {cbor_reader_of(in), GOOD};
    *out_pairs = 0;
    t.verdict = cbor_map(&t.reader, out_pairs);
    if (take_number(&t, 0, UINT64_MAX) != PROTOCOL_VERSION && t.verdict == GOOD) {
        t.verdict = BAD_VERSION;
    }
    *out_operation = (enum protocol_operation)take_choice(&t, 1, PROTOCOL_HELLO, PROTOCOL_STATEMENT);
    return t;
}

static enum verdict finish(const struct taker *t, uint32_t pairs, uint32_t expected) {
    if (t->verdict != GOOD) {
        return t->verdict;
    }
    return pairs == expected ? cbor_end(&t->reader) : BAD_ENCODING;
}

static void take_get_request(struct taker *t, struct protocol_request *out) {
    out->get.what = (enum protocol_what)take_choice(t, 3, PROTOCOL_ENVELOPE, PROTOCOL_STATUS_PROOF);
    take_string(t, 4, out->get.update_id, HASH_LEN);
    out->get.offset = take_number(t, 5, UINT64_MAX);
    out->get.length = (uint32_t)take_number(t, 6, UINT32_MAX);
    out->get.tag = (uint32_t)take_number(t, 7, UINT32_MAX);
    out->get.epoch = take_number(t, 8, UINT64_MAX);
    out->get.height = take_number(t, 9, UINT64_MAX);
}

enum verdict protocol_request_decode(struct bytes in, struct protocol_request *out) {
    struct protocol_request request;
    uint32_t pairs, expected = 0;
    memset(&request, 0, sizeof request);
    struct taker t = begin(in, &pairs, &request.operation);
    take_string(&t, 2, request.device_id, KEY_LEN);
    switch (request.operation) {
    case PROTOCOL_HELLO:
        take_string(&t, 3, request.hello.class_id, UUID_BYTES);
        request.hello.hardware_revision = (uint32_t)take_number(&t, 4, UINT32_MAX);
        request.hello.running_sequence = take_number(&t, 5, UINT64_MAX);
        request.hello.counter = take_number(&t, 6, UINT64_MAX);
        expected = 7;
        break;
    case PROTOCOL_CHECK:
        request.check.running_sequence = take_number(&t, 3, UINT64_MAX);
        request.check.epoch = take_number(&t, 4, UINT64_MAX);
        request.check.height = take_number(&t, 5, UINT64_MAX);
        expected = 6;
        break;
    case PROTOCOL_GET:
        take_get_request(&t, &request);
        expected = 10;
        break;
    case PROTOCOL_STATEMENT:
        take_string(&t, 3, request.said.statement, STATEMENT_LEN);
        take_string(&t, 4, request.said.signature, SIG_LEN);
        expected = 5;
        break;
    }
    enum verdict v = finish(&t, pairs, expected);
    if (v == GOOD) {
        *out = request;
    }
    return v;
}

static void take_offer(struct taker *t, struct protocol_offer *out) {
    take_string(t, 4, out->update_id, HASH_LEN);
    take_string(t, 5, out->release_id, HASH_LEN);
    out->sequence = take_number(t, 6, UINT64_MAX);
    out->needs_open = take_truth(t, 7);
    out->envelope_size = take_number(t, 8, UINT64_MAX);
    out->proof_size = take_number(t, 9, UINT64_MAX);
    out->delegation_size = take_number(t, 10, UINT64_MAX);
    out->image_size = take_number(t, 11, UINT64_MAX);
}

static void take_answer_part(struct taker *t, struct protocol_answer *out) {
    switch (out->operation) {
    case PROTOCOL_HELLO:
        out->hello.time_ms = take_number(t, 3, UINT64_MAX);
        out->hello.poll_ms = (uint32_t)take_number(t, 4, UINT32_MAX);
        take_string(t, 5, out->hello.chain_id, CHAIN_ID_LEN);
        break;
    case PROTOCOL_CHECK:
        out->check.offered = take_truth(t, 3);
        if (out->check.offered) {
            take_offer(t, &out->check.offer);
        }
        break;
    case PROTOCOL_GET:
        out->get.total = take_number(t, 3, UINT64_MAX);
        out->get.tag = (uint32_t)take_number(t, 4, UINT32_MAX);
        out->get.bytes = take_span(t, 5);
        break;
    case PROTOCOL_STATEMENT:
        out->said.reception = (enum protocol_reception)take_choice(t, 3, PROTOCOL_ACCEPTED, PROTOCOL_REFUSED);
        out->said.outcome = (enum verify_outcome)take_choice(t, 4, OUTCOME_NONE, OUTCOME_SUCCESS);
        out->said.proof_ready = take_truth(t, 5);
        out->said.code = (uint32_t)take_number(t, 6, UINT32_MAX);
        break;
    }
}

enum verdict protocol_answer_decode(struct bytes in, struct protocol_answer *out) {
    struct protocol_answer answer;
    uint32_t pairs;
    memset(&answer, 0, sizeof answer);
    struct taker t = begin(in, &pairs, &answer.operation);
    answer.code = (enum protocol_code)take_choice(&t, 2, PROTOCOL_OK, PROTOCOL_BAD_REQUEST);
    if (answer.code == PROTOCOL_OK) {
        take_answer_part(&t, &answer);
    }
    enum verdict v = finish(&t, pairs, answer_pairs(&answer));
    if (v == GOOD) {
        *out = answer;
    }
    return v;
}
