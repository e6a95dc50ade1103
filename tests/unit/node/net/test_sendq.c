#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/net/sendq.h"

#include <string.h>

static uint8_t zeros[1 << 16];

static enum err push(struct sendq *q, enum frame_class class, size_t len) {
    struct parcel *parcel = parcel_new((unsigned)class + 1, bytes_of(zeros, len)); /* kinds as classes */
    assert_non_null(parcel);
    enum err e = sendq_push(q, class, parcel);
    parcel_release(parcel);
    return e;
}

static void the_class_of_most_value_leaves_first(void **state) {
    (void)state;
    struct sendq q = {.max_bytes = 1000, .max_messages = 10};
    assert_int_equal(push(&q, FRAME_GOSSIP, 10), OK);
    assert_int_equal(push(&q, FRAME_SYNC, 11), OK);
    assert_int_equal(push(&q, FRAME_CONSENSUS, 12), OK);
    uint8_t out[SENDQ_ROOM_MIN];
    struct sendq_sent sent = {0};
    size_t n = sendq_fill(&q, out, sizeof out, &sent);
    assert_int_equal(n, 33 + 3 * FRAME_WHOLE_HEADER);
    assert_int_equal(sent.messages, 3);
    assert_int_equal(sent.bytes[FRAME_CONSENSUS + 1], 12 + FRAME_WHOLE_HEADER);
    assert_int_equal(sent.bytes[FRAME_SYNC + 1], 11 + FRAME_WHOLE_HEADER);
    assert_int_equal(sent.bytes[FRAME_GOSSIP + 1], 10 + FRAME_WHOLE_HEADER);
    assert_int_equal(out[0], FRAME_CONSENSUS);
    assert_int_equal(out[15], FRAME_SYNC);
    assert_int_equal(out[29], FRAME_GOSSIP);
    assert_int_equal(q.bytes, 0);
    assert_int_equal(sendq_fill(&q, out, sizeof out, &sent), 0);
}

static void the_least_value_makes_room_and_the_best_is_refused_last(void **state) {
    (void)state;
    struct sendq q = {.max_bytes = 100, .max_messages = 4};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(push(&q, FRAME_GOSSIP, 10), OK);
    }
    assert_int_equal(push(&q, FRAME_GOSSIP, 10), ERR_FULL);
    assert_int_equal(push(&q, FRAME_SYNC, 10), OK);
    assert_int_equal(q.messages, 4);
    assert_int_equal(push(&q, FRAME_CONSENSUS, 95), OK); /* by bytes: everything else goes */
    assert_int_equal(q.messages, 1);
    assert_int_equal(q.dropped[FRAME_GOSSIP], 5);
    assert_int_equal(q.dropped[FRAME_SYNC], 1);
    assert_int_equal(push(&q, FRAME_SYNC, 6), ERR_FULL);
    assert_int_equal(push(&q, FRAME_CONSENSUS, 6), ERR_FULL);
    assert_int_equal(q.bytes, 95);
    /* What can't fit even then drops nothing. */
    assert_int_equal(push(&q, FRAME_CONSENSUS, 101), ERR_FULL);
    assert_int_equal(q.messages, 1);
    sendq_clear(&q);
    assert_int_equal(q.bytes, 0);
    assert_int_equal(q.messages, 0);
    assert_int_equal(q.dropped[FRAME_CONSENSUS], 3);
}

static void a_long_message_leaves_in_parts_and_lets_others_pass(void **state) {
    (void)state;
    struct sendq q = {.max_bytes = 1 << 20, .max_messages = 10};
    uint8_t out[SENDQ_ROOM_MIN];
    struct sendq_sent sent = {0};
    assert_int_equal(push(&q, FRAME_SYNC, 10000), OK);
    assert_int_equal(sendq_fill(&q, out, sizeof out, &sent), sizeof out);
    assert_int_equal(push(&q, FRAME_CONSENSUS, 10), OK);
    (void)sendq_fill(&q, out, sizeof out, &sent);
    assert_int_equal(out[0], FRAME_CONSENSUS);
    assert_int_equal(sent.messages, 1);
    while (q.messages > 0) {
        assert_true(sendq_fill(&q, out, sizeof out, &sent) > 0);
    }
    assert_int_equal(sent.messages, 2);
    assert_int_equal(sent.bytes[FRAME_SYNC + 1] > 10000 + FRAME_PART_HEADER, 1); /* its parts' headers, too */
    assert_int_equal(sent.bytes[0], 0);
}

static void a_parcel_is_shared_by_queues(void **state) {
    (void)state;
    struct sendq a = {.max_bytes = 100, .max_messages = 4}, b = a;
    struct parcel *parcel = parcel_new(0, bytes_str("shared"));
    assert_int_equal(sendq_push(&a, FRAME_GOSSIP, parcel), OK);
    assert_int_equal(sendq_push(&b, FRAME_GOSSIP, parcel), OK);
    assert_int_equal(parcel->refs, 3);
    parcel_release(parcel);
    sendq_clear(&a);
    sendq_clear(&b); /* the sanitizer sees what is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_class_of_most_value_leaves_first),
        cmocka_unit_test(the_least_value_makes_room_and_the_best_is_refused_last),
        cmocka_unit_test(a_long_message_leaves_in_parts_and_lets_others_pass),
        cmocka_unit_test(a_parcel_is_shared_by_queues),
    };
    return cmocka_run_group_tests_name("sendq", tests, NULL, NULL);
}
