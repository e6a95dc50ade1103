#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/peer_codec.h"

#include <stdlib.h>
#include <string.h>

static void pass_through(const struct peer_message *in, struct peer_message *out) {
    struct buffer bytes = BUFFER_INIT;
    assert_int_equal(peer_encode(in, &bytes), OK);
    assert_int_equal(peer_decode(buffer_bytes(&bytes), out), OK);
    assert_int_equal(out->kind, in->kind);
    assert_int_equal(out->epoch, in->epoch);
    buffer_free(&bytes);
}

static void every_kind_survives_the_wire(void **state) {
    (void)state;
    struct consensus_vote votes[2] = {{.subject = {.epoch = 4, .view = 9, .kind = VOTE_NULLIFY}, .signer = 2},
                                      {.subject = {.epoch = 4, .view = 8, .kind = VOTE_FINALIZE}, .signer = 3}};
    memset(votes[1].subject.block, 7, HASH_LEN);
    struct bytes spans[2] = {bytes_str("first"), bytes_str("second")};
    for (int kind = PEER_PROPOSAL; kind <= PEER_TRANSACTION; kind++) {
        struct peer_message in = {.kind = (enum peer_kind)kind, .epoch = 4, .number = 11, .last = 12};
        in.body = bytes_str("body");
        bool votes_in = kind == PEER_VOTES || kind == PEER_RECALL;
        bool spans_in = kind == PEER_PROPOSAL || kind == PEER_CERTIFICATES || kind == PEER_BLOCKS;
        in.votes = votes;
        in.vote_count = votes_in ? 2 : 0;
        in.spans = spans;
        in.span_count = spans_in ? 2 : 0;
        struct peer_message out;
        pass_through(&in, &out);
        assert_int_equal(out.vote_count, in.vote_count);
        assert_int_equal(out.span_count, in.span_count);
        if (votes_in) {
            assert_memory_equal(&out.votes[1].subject.block, votes[1].subject.block, HASH_LEN);
            assert_int_equal(out.votes[0].subject.view, 9);
            assert_int_equal(out.votes[1].subject.epoch, 4);
        }
        if (spans_in) {
            assert_true(bytes_equal(out.spans[1], spans[1]));
        }
        peer_free(&out);
    }
}

static void limits_are_kept(void **state) {
    (void)state;
    struct consensus_vote *votes = calloc(PEER_VOTES_MAX + 1, sizeof *votes);
    for (size_t i = 0; i <= PEER_VOTES_MAX; i++) {
        votes[i].subject.kind = VOTE_NULLIFY;
    }
    struct buffer bytes = BUFFER_INIT;
    struct peer_message message = {.kind = PEER_VOTES, .votes = votes, .vote_count = PEER_VOTES_MAX + 1};
    assert_int_equal(peer_encode(&message, &bytes), ERR_TOOLARGE);
    struct peer_message out;
    uint8_t *huge = calloc(1, LIMIT_PEER_MESSAGE + 1);
    assert_int_equal(peer_decode(bytes_of(huge, LIMIT_PEER_MESSAGE + 1), &out), ERR_TOOLARGE);
    message = (struct peer_message){.kind = PEER_TRANSACTION, .body = bytes_of(huge, LIMIT_TX_BYTES + 1)};
    assert_int_equal(peer_encode(&message, &bytes), OK);
    assert_int_equal(peer_decode(buffer_bytes(&bytes), &out), ERR_TOOLARGE);
    free(huge);
    free(votes);
    buffer_free(&bytes);
}

/* Two bytes of input each ask for a struct: the budget stops it long before the machine's memory does. */
static void small_repeated_fields_cannot_ask_for_much_memory(void **state) {
    (void)state;
    size_t inner = LIMIT_PEER_MESSAGE - 16;
    struct buffer bytes = BUFFER_INIT;
    buffer_u8(&bytes, 0x08);
    buffer_u8(&bytes, PEER_VERSION);
    buffer_u8(&bytes, 0x22); /* field 4, votes */
    for (size_t left = inner; left > 0; left >>= 7) {
        buffer_u8(&bytes, (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0)));
    }
    for (size_t i = 0; i < inner / 2; i++) {
        buffer_u16(&bytes, 0x0a00);
    }
    struct peer_message out;
    assert_int_equal(peer_decode(buffer_bytes(&bytes), &out), ERR_MALFORMED);
    buffer_free(&bytes);
}

static void garbage_is_refused(void **state) {
    (void)state;
    struct consensus_vote vote = {.subject = {.view = 9, .kind = VOTE_NOTARIZE}, .signer = 2};
    struct peer_message message = {.kind = PEER_VOTES, .votes = &vote, .vote_count = 1};
    struct buffer bytes = BUFFER_INIT;
    struct peer_message out;
    assert_int_equal(peer_encode(&message, &bytes), OK);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        if (peer_decode(buffer_bytes(&bytes), &out) == OK) {
            peer_free(&out); /* another message, but a whole one */
        }
        bytes.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_not_equal(peer_decode(bytes_of(bytes.data, len), &out), OK);
    }
    bytes.data[1] = PEER_VERSION + 1;
    assert_int_equal(peer_decode(buffer_bytes(&bytes), &out), ERR_UNSUPPORTED);
    buffer_free(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives_the_wire),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(small_repeated_fields_cannot_ask_for_much_memory),
        cmocka_unit_test(garbage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
