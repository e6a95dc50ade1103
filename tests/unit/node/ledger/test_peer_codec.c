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

/* ---- One of each kind -------------------------------------------------------------------------------------------- */

static const struct consensus_vote two_votes[2] = {
    {.subject = {.epoch = 4, .view = 9, .kind = VOTE_NULLIFY}, .signer = 2, .signature = {1, 2}},
    {.subject = {.epoch = 4, .view = 8, .kind = VOTE_FINALIZE, .block = {7, 7}}, .signer = 3, .signature = {3}},
};
static const struct bytes two_spans[2] = {{.data = (const uint8_t *)"first", .len = 5},
                                          {.data = (const uint8_t *)"second", .len = 6}};

#define BODY                                                                                                           \
    { .data = (const uint8_t *)"body", .len = 4 }

static const struct peer_message samples[PEER_KINDS] = {
    [PEER_PROPOSAL] = {.u.proposal = {.view = 11, .signature = {5}, .body = BODY, .certificates = {two_spans, 2}}},
    [PEER_VOTES] = {.u.votes = {two_votes, 2}},
    [PEER_CERTIFICATES] = {.u.certificates = {two_spans, 2}},
    [PEER_RECALL_ASK] = {.u.recall_ask.nonce = 11},
    [PEER_RECALL] = {.u.recall = {.nonce = 11, .votes = {two_votes, 2}}},
    [PEER_CERTIFICATES_ASK] = {.u.certificates_ask = {.first_view = 11, .last_view = 12}},
    [PEER_BODY_ASK] = {.u.body_ask.hash = {6, 7}},
    [PEER_BODY] = {.u.body.body = BODY},
    [PEER_BLOCKS_ASK] = {.u.blocks_ask.first_height = 11},
    [PEER_BLOCKS] = {.u.blocks = {.bodies = {two_spans, 2}, .finalization = BODY, .height = 11}},
    [PEER_STATUS] = {.u.status.height = 11},
    [PEER_TRANSACTION] = {.u.transaction.envelope = BODY},
};

static struct peer_message sample(int kind) {
    struct peer_message message = samples[kind];
    message.kind = (enum peer_kind)kind;
    message.epoch = 4;
    return message;
}

static void same_votes(struct peer_votes a, struct peer_votes b) {
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_int_equal(a.items[i].subject.epoch, b.items[i].subject.epoch);
        assert_int_equal(a.items[i].subject.view, b.items[i].subject.view);
        assert_int_equal(a.items[i].subject.kind, b.items[i].subject.kind);
        assert_memory_equal(a.items[i].subject.block, b.items[i].subject.block, HASH_LEN);
        assert_int_equal(a.items[i].signer, b.items[i].signer);
        assert_memory_equal(a.items[i].signature, b.items[i].signature, SIG_LEN);
    }
}

static void same_spans(struct peer_spans a, struct peer_spans b) {
    assert_int_equal(a.count, b.count);
    for (size_t i = 0; i < a.count; i++) {
        assert_true(bytes_equal(a.items[i], b.items[i]));
    }
}

static void same_content(const struct peer_message *a, const struct peer_message *b) {
    switch (a->kind) {
    case PEER_PROPOSAL:
        assert_int_equal(a->u.proposal.view, b->u.proposal.view);
        assert_memory_equal(a->u.proposal.signature, b->u.proposal.signature, SIG_LEN);
        assert_true(bytes_equal(a->u.proposal.body, b->u.proposal.body));
        same_spans(a->u.proposal.certificates, b->u.proposal.certificates);
        break;
    case PEER_VOTES:
        same_votes(a->u.votes, b->u.votes);
        break;
    case PEER_CERTIFICATES:
        same_spans(a->u.certificates, b->u.certificates);
        break;
    case PEER_RECALL:
        assert_int_equal(a->u.recall.nonce, b->u.recall.nonce);
        same_votes(a->u.recall.votes, b->u.recall.votes);
        break;
    case PEER_BODY:
        assert_true(bytes_equal(a->u.body.body, b->u.body.body));
        break;
    case PEER_BLOCKS:
        same_spans(a->u.blocks.bodies, b->u.blocks.bodies);
        assert_true(bytes_equal(a->u.blocks.finalization, b->u.blocks.finalization));
        assert_int_equal(a->u.blocks.height, b->u.blocks.height);
        break;
    case PEER_TRANSACTION:
        assert_true(bytes_equal(a->u.transaction.envelope, b->u.transaction.envelope));
        break;
    default: /* numbers and a hash: no pointers, no padding */
        assert_memory_equal(&a->u, &b->u, sizeof a->u);
        break;
    }
}

static void every_kind_survives_the_wire(void **state) {
    (void)state;
    for (int kind = 0; kind < (int)PEER_KINDS; kind++) {
        struct peer_message in = sample(kind), out;
        pass_through(&in, &out);
        same_content(&in, &out);
        peer_free(&out);
    }
}

/* What precedes the cut is a message of another length, or none: of no kind does a beginning pass for the whole. */
static void no_kind_can_be_cut_short(void **state) {
    (void)state;
    for (int kind = 0; kind < (int)PEER_KINDS; kind++) {
        struct peer_message in = sample(kind), out;
        struct buffer bytes = BUFFER_INIT;
        assert_int_equal(peer_encode(&in, &bytes), OK);
        for (size_t len = 0; len < bytes.len; len++) {
            uint8_t *cut = malloc(len + 1); /* of just that size, for the sanitizers */
            memcpy(cut, bytes.data, len);
            assert_int_not_equal(peer_decode(bytes_of(cut, len), &out), OK);
            free(cut);
        }
        buffer_free(&bytes);
    }
}

/* Fields 3 to 14 of the envelope are the kinds; whatever else stands there is none, however it is formed. */
static void a_kind_that_nobody_knows_is_refused(void **state) {
    (void)state;
    struct peer_message out;
    uint8_t bytes[] = {0x08, PEER_VERSION, 0x10, 4, 0, 0};
    assert_int_equal(peer_decode(bytes_of(bytes, 4), &out), ERR_MALFORMED); /* no content at all */
    for (uint8_t field = 3; field < 16; field++) {
        bytes[4] = (uint8_t)(field << 3 | 2);
        enum err e = peer_decode(bytes_of(bytes, sizeof bytes), &out);
        assert_true(field - 3 < (int)PEER_KINDS || e == ERR_MALFORMED);
        if (e == OK) {
            assert_int_equal(out.kind, field - 3);
            peer_free(&out);
        }
    }
}

/* A message of this kind with so many items in its list. */
static struct peer_message listing(int kind, const struct consensus_vote *votes, const struct bytes *spans,
                                   size_t count) {
    struct peer_message message = sample(kind);
    switch (message.kind) {
    case PEER_PROPOSAL:
        message.u.proposal.certificates = (struct peer_spans){spans, count};
        break;
    case PEER_VOTES:
        message.u.votes = (struct peer_votes){votes, count};
        break;
    case PEER_CERTIFICATES:
        message.u.certificates = (struct peer_spans){spans, count};
        break;
    case PEER_RECALL:
        message.u.recall.votes = (struct peer_votes){votes, count};
        break;
    case PEER_BLOCKS:
        message.u.blocks.bodies = (struct peer_spans){spans, count};
        break;
    default:
        fail_msg("%s has a list that this test does not know", peer_traits(message.kind)->name);
    }
    return message;
}

/* How a message with so many empty items in its list is read. */
static enum err decode_empty_items(int kind, size_t count) {
    static const uint8_t list_field[PEER_KINDS] = {
        [PEER_PROPOSAL] = 3, [PEER_VOTES] = 1, [PEER_CERTIFICATES] = 1, [PEER_RECALL] = 2, [PEER_BLOCKS] = 1};
    const uint8_t head[] = {0x08, PEER_VERSION, (uint8_t)((kind + 3) << 3 | 2)},
                  signature[2 + SIG_LEN] = {0x0a, SIG_LEN};
    struct buffer bytes = BUFFER_INIT;
    struct peer_message out;
    size_t before = kind == PEER_PROPOSAL ? sizeof signature : 0, len = before + 2 * count;
    buffer_put(&bytes, head, sizeof head);
    buffer_u8(&bytes, (uint8_t)(len | 0x80));
    buffer_u8(&bytes, (uint8_t)(len >> 7));
    buffer_put(&bytes, signature, before);
    for (size_t i = 0; i < count; i++) {
        buffer_u8(&bytes, (uint8_t)(list_field[kind] << 3 | 2));
        buffer_u8(&bytes, 0);
    }
    enum err e = peer_decode(buffer_bytes(&bytes), &out);
    if (e == OK) {
        peer_free(&out);
    }
    buffer_free(&bytes);
    return e;
}

static void lists_are_as_long_as_the_table_says(void **state) {
    (void)state;
    struct consensus_vote votes[PEER_VOTES_MAX + 1];
    struct bytes spans[PEER_BODIES_MAX + 1];
    for (size_t i = 0; i <= PEER_VOTES_MAX; i++) {
        votes[i] = two_votes[1];
    }
    for (size_t i = 0; i <= PEER_BODIES_MAX; i++) {
        spans[i] = two_spans[1];
    }
    for (int kind = 0; kind < (int)PEER_KINDS; kind++) {
        size_t max = peer_traits((enum peer_kind)kind)->items_max;
        if (max == 0) {
            continue;
        }
        struct buffer bytes = BUFFER_INIT;
        struct peer_message out, fits = listing(kind, votes, spans, max), over = listing(kind, votes, spans, max + 1);
        assert_int_equal(peer_encode(&over, &bytes), ERR_TOOLARGE);
        assert_int_equal(bytes.len, 0);
        pass_through(&fits, &out);
        same_content(&fits, &out);
        peer_free(&out);
        assert_int_not_equal(decode_empty_items(kind, max), ERR_TOOLARGE);
        assert_int_equal(decode_empty_items(kind, max + 1), ERR_TOOLARGE);
        buffer_free(&bytes);
    }
}

static void every_kind_has_its_row(void **state) {
    (void)state;
    for (int kind = 0; kind < (int)PEER_KINDS; kind++) {
        const struct peer_traits *traits = peer_traits((enum peer_kind)kind);
        assert_non_null(traits->name);
        for (int other = 0; other < kind; other++) {
            assert_string_not_equal(traits->name, peer_traits((enum peer_kind)other)->name);
        }
    }
}

static void limits_are_kept(void **state) {
    (void)state;
    struct consensus_vote *votes = calloc(PEER_VOTES_MAX + 1, sizeof *votes);
    for (size_t i = 0; i <= PEER_VOTES_MAX; i++) {
        votes[i].subject.kind = VOTE_NULLIFY;
    }
    struct buffer bytes = BUFFER_INIT;
    struct peer_message message = {.kind = PEER_VOTES, .u.votes = {votes, PEER_VOTES_MAX + 1}};
    assert_int_equal(peer_encode(&message, &bytes), ERR_TOOLARGE);
    struct peer_message out;
    uint8_t *huge = calloc(1, LIMIT_PEER_MESSAGE + 1);
    assert_int_equal(peer_decode(bytes_of(huge, LIMIT_PEER_MESSAGE + 1), &out), ERR_TOOLARGE);
    message =
        (struct peer_message){.kind = PEER_TRANSACTION, .u.transaction.envelope = bytes_of(huge, LIMIT_TX_BYTES + 1)};
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
    struct peer_message message = {.kind = PEER_VOTES, .u.votes = {&vote, 1}};
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
        cmocka_unit_test(no_kind_can_be_cut_short),
        cmocka_unit_test(a_kind_that_nobody_knows_is_refused),
        cmocka_unit_test(lists_are_as_long_as_the_table_says),
        cmocka_unit_test(every_kind_has_its_row),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(small_repeated_fields_cannot_ask_for_much_memory),
        cmocka_unit_test(garbage_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
