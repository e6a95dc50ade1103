#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/net/frame.h"
#include "node/net/session.h"

#include <stdlib.h>
#include <string.h>

static uint8_t message[LIMIT_PEER_MESSAGE];
static uint8_t datagram[SESSION_PLAIN_MAX];

struct got {
    size_t count;
    size_t len[16];
    enum frame_class class[16];
    bool wrong;
};

static void deliver(void *arg, enum frame_class class, struct bytes m) {
    struct got *g = arg;
    assert_true(g->count < 16);
    g->len[g->count] = m.len;
    g->class[g->count++] = class;
    g->wrong |= memcmp(m.data, message, m.len) != 0;
}

static int fill(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(i * 7 + i / 251);
    }
    return 0;
}

static struct frame_source source(enum frame_class class, uint32_t id, size_t len) {
    return (struct frame_source){.class = class, .id = id, .message = bytes_of(message, len)};
}

static void small_messages_share_a_datagram(void **state) {
    (void)state;
    struct frame_sink sink = {0};
    struct got got = {0};
    size_t used = 0;
    for (uint32_t i = 0; i < 3; i++) {
        struct frame_source s = source((enum frame_class)i, i, 100 + i);
        used += frame_put(&s, datagram + used, sizeof datagram - used, used == 0);
        assert_int_equal(s.sent, 100 + i);
    }
    assert_int_equal(used, 303 + 3 * FRAME_WHOLE_HEADER);
    assert_int_equal(frame_read(&sink, bytes_of(datagram, used), deliver, &got), OK);
    assert_int_equal(got.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(got.len[i], 100 + i);
        assert_int_equal(got.class[i], i);
    }
    assert_false(got.wrong);
    assert_int_equal(frame_read(&sink, bytes_of(datagram, 0), deliver, &got), OK);
    assert_int_equal(got.count, 3);
}

static void large_messages_arrive_whole_whatever_their_length(void **state) {
    (void)state;
    static const size_t lengths[] = {
        SESSION_PLAIN_MAX - 3, SESSION_PLAIN_MAX - 2, SESSION_PLAIN_MAX, 65535, 65536, 131038, 131039,
        LIMIT_PEER_MESSAGE};
    struct frame_sink sink = {0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct frame_source s = source(FRAME_SYNC, (uint32_t)i, lengths[i]);
        struct got got = {0};
        while (s.sent < lengths[i]) {
            size_t n = frame_put(&s, datagram, sizeof datagram, true);
            assert_true(n > 0 && n <= sizeof datagram);
            assert_int_equal(got.count, 0);
            assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
        }
        assert_int_equal(got.count, 1);
        assert_int_equal(got.len[0], lengths[i]);
        assert_false(got.wrong);
        assert_int_equal(sink.held, 0);
    }
    assert_int_equal(sink.lost, 0);
    frame_sink_reset(&sink);
}

static void a_vote_overtakes_a_long_answer(void **state) {
    (void)state;
    struct frame_sink sink = {0};
    struct got got = {0};
    struct frame_source answer = source(FRAME_SYNC, 1, 100000), vote = source(FRAME_CONSENSUS, 2, 200);
    size_t n = frame_put(&answer, datagram, sizeof datagram, true);
    assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
    n = frame_put(&vote, datagram, sizeof datagram, true);
    n += frame_put(&answer, datagram + n, sizeof datagram - n, false);
    assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.len[0], 200);
    assert_int_equal(got.len[1], 100000);
    assert_false(got.wrong);
}

static void a_missing_or_repeated_part_loses_that_message_alone(void **state) {
    (void)state;
    struct frame_sink sink = {0};
    struct got got = {0};
    struct frame_source s = source(FRAME_SYNC, 1, 200000);
    for (int part = 0; s.sent < s.message.len; part++) {
        size_t n = frame_put(&s, datagram, sizeof datagram, true);
        if (part != 1) {
            assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
        }
    }
    assert_int_equal(got.count, 0);
    assert_int_equal(sink.held, 0);
    assert_int_equal(sink.lost, 1);
    /* One given up for the next. */
    s = source(FRAME_SYNC, 2, 200000);
    size_t n = frame_put(&s, datagram, sizeof datagram, true);
    assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
    s = source(FRAME_SYNC, 3, 70000);
    while (s.sent < s.message.len) {
        n = frame_put(&s, datagram, sizeof datagram, true);
        assert_int_equal(frame_read(&sink, bytes_of(datagram, n), deliver, &got), OK);
    }
    assert_int_equal(got.count, 1);
    assert_int_equal(got.len[0], 70000);
    assert_int_equal(sink.lost, 2);
    frame_sink_reset(&sink);
}

static enum err read_part(struct frame_sink *sink, uint8_t kind, uint32_t total, uint32_t offset, uint16_t len) {
    static uint8_t part[FRAME_PART_HEADER + 65535];
    struct got got = {0};
    part[0] = kind;
    store_u16(part + 1, len);
    store_u32(part + 3, 1);
    store_u32(part + 7, total);
    store_u32(part + 11, offset);
    return frame_read(sink, bytes_of(part, FRAME_PART_HEADER + (size_t)len), deliver, &got);
}

static void what_no_sender_writes_is_refused(void **state) {
    (void)state;
    struct frame_sink sink = {0};
    struct got got = {0};
    const uint8_t class_3[] = {3, 0, 1, 9}, empty[] = {0, 0, 0}, cut[] = {0, 0, 2, 9}, short_header[] = {0, 0};
    assert_int_equal(frame_read(&sink, bytes_of(class_3, sizeof class_3), deliver, &got), ERR_MALFORMED);
    assert_int_equal(frame_read(&sink, bytes_of(empty, sizeof empty), deliver, &got), ERR_MALFORMED);
    assert_int_equal(frame_read(&sink, bytes_of(cut, sizeof cut), deliver, &got), ERR_MALFORMED);
    assert_int_equal(frame_read(&sink, bytes_of(short_header, sizeof short_header), deliver, &got), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x83, 100, 0, 10), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x80, 100, 0, 0), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x80, 9, 0, 10), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x80, 100, 91, 10), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x80, 100, UINT32_MAX, 10), ERR_MALFORMED);
    assert_int_equal(read_part(&sink, 0x80, LIMIT_PEER_MESSAGE + 1, 0, 10), ERR_TOOLARGE);
    assert_int_equal(got.count, 0);
    assert_int_equal(sink.held, 0);
}

static void half_messages_of_all_classes_together_are_bounded(void **state) {
    (void)state;
    struct frame_sink sink = {0};
    for (uint8_t class = 0; class < FRAME_CLASSES; class ++) {
        for (uint32_t at = 0; at + 65535 < LIMIT_PEER_MESSAGE; at += 65535) {
            assert_int_equal(read_part(&sink, (uint8_t)(0x80 + class), LIMIT_PEER_MESSAGE, at, 65535), OK);
            assert_true(sink.held <= FRAME_HELD_MAX);
        }
    }
    assert_true(sink.lost >= 1);
    frame_sink_reset(&sink);
    assert_int_equal(sink.held, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_messages_share_a_datagram),
        cmocka_unit_test(large_messages_arrive_whole_whatever_their_length),
        cmocka_unit_test(a_vote_overtakes_a_long_answer),
        cmocka_unit_test(a_missing_or_repeated_part_loses_that_message_alone),
        cmocka_unit_test(what_no_sender_writes_is_refused),
        cmocka_unit_test(half_messages_of_all_classes_together_are_bounded),
    };
    return cmocka_run_group_tests_name("frame", tests, fill, NULL);
}
