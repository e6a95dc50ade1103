/* The device protocol behind a link that is a table of what was said to it: no transport, no full node that answers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/ed25519.h"
#include "node/fetch/client.h"
#include "tests/lib/door_fixture.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS 60000 /* longer than any case: what is woken was woken by the door */

/* ---- The link ---------------------------------------------------------------------------------------------------- */

/* What became of one message: the message's tag and, once it waits, its handle. */
struct sent {
    unsigned replies, defers, wakes;
    enum device_reply_kind kind; /* of the last */
    uint8_t raw[PROTOCOL_ANSWER_HEAD_MAX + PROTOCOL_RANGE_MAX];
    size_t len;
};

static pthread_mutex_t sent_lock = PTHREAD_MUTEX_INITIALIZER;

static void note(struct sent *sent, unsigned *counter, const struct device_reply *reply) {
    (void)pthread_mutex_lock(&sent_lock);
    ++*counter;
    sent->kind = reply->kind;
    sent->len = reply->answer.len;
    if (sent->len > 0) {
        memcpy(sent->raw, reply->answer.data, sent->len);
    }
    (void)pthread_mutex_unlock(&sent_lock);
}

static void on_reply(const struct device_call *call, const struct device_reply *reply) {
    struct sent *sent = call->tag;
    note(sent, &sent->replies, reply);
}

static void *on_defer(const struct device_call *call, const struct device_reply *so_far) {
    struct sent *sent = call->tag;
    note(sent, &sent->defers, so_far);
    return sent;
}

static void on_wake(void *handle, const struct device_reply *reply) {
    struct sent *sent = handle;
    note(sent, &sent->wakes, reply);
}

static const struct device_link patient = {.name = "test",
                                           .range_max = PROTOCOL_RANGE_MAX,
                                           .wait_ms = WAIT_MS,
                                           .reply = on_reply,
                                           .defer = on_defer,
                                           .wake = on_wake};
static const struct device_link narrow = {
    .name = "narrow", .range_max = 100, .wait_ms = 0, .reply = on_reply, .defer = on_defer, .wake = on_wake};

/* ---- The gateway ------------------------------------------------------------------------------------------------- */

struct home {
    struct door_fixture f;
    struct sent sent;
};

static int setup(void **out) {
    struct home *home = calloc(1, sizeof *home);
    assert_non_null(home);
    door_fixture_open(&home->f);
    *out = home;
    return 0;
}

static int teardown(void **state) {
    struct home *home = *state;
    door_fixture_close(&home->f);
    free(home);
    return 0;
}

static void send_raw(struct home *home, const struct device_link *link, struct bytes raw) {
    const struct device_call call = {.link = link, .tag = &home->sent, .request = raw, .peer = "somebody"};
    home->sent = (struct sent){0};
    device_door_take(home->f.door, &call);
}

static void send_request(struct home *home, const struct device_link *link, const struct protocol_request *request) {
    uint8_t raw[PROTOCOL_REQUEST_MAX];
    send_raw(home, link, bytes_of(raw, door_fixture_encode(request, raw)));
}

/* What the link heard last, decoded; `bytes` of a get stay valid until the next message. */
static struct protocol_answer answer_of(struct home *home) {
    struct protocol_answer answer;
    assert_int_equal(home->sent.kind, DEVICE_REPLY_ANSWER);
    assert_int_equal(protocol_answer_decode(bytes_of(home->sent.raw, home->sent.len), &answer), GOOD);
    return answer;
}

static void assert_sent(struct home *home, unsigned replies, unsigned defers, unsigned wakes) {
    (void)pthread_mutex_lock(&sent_lock);
    assert_int_equal(home->sent.replies, replies);
    assert_int_equal(home->sent.defers, defers);
    assert_int_equal(home->sent.wakes, wakes);
    (void)pthread_mutex_unlock(&sent_lock);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static void what_is_no_request_is_called_malformed(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    send_raw(home, &patient, bytes_str("hello?"));
    assert_sent(home, 1, 0, 0);
    assert_int_equal(home->sent.kind, DEVICE_REPLY_MALFORMED);
    device_door_stats(home->f.door, &stats);
    assert_int_equal(stats.requests[0], 1);
}

static void a_known_device_is_answered_at_once(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    door_fixture_accept(&home->f);
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 1, 0, 0);
    const struct protocol_answer answer = answer_of(home);
    assert_int_equal(answer.code, PROTOCOL_OK);
    assert_int_equal(answer.hello.poll_ms, DOOR_FIXTURE_POLL_MS);
    assert_int_equal(answer.hello.time_ms, 0); /* no head is proven */
    assert_memory_equal(answer.hello.chain_id, light_chain_id(home->f.light), CHAIN_ID_LEN);
    device_door_stats(home->f.door, &stats);
    assert_int_equal(stats.requests[PROTOCOL_HELLO], 1);
    assert_int_equal(stats.waiting, 0);
}

static void an_unknown_device_waits_and_is_woken_when_it_is_known(void **state) {
    struct home *home = *state;
    struct device_door_stats stats;
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 0, 1, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
    device_door_stats(home->f.door, &stats);
    assert_int_equal(stats.waiting, 1);
    door_fixture_accept(&home->f);
    static const uint8_t other[KEY_LEN] = {9};
    device_door_changed(home->f.door, other);
    device_door_changed(home->f.door, home->f.device);
    assert_sent(home, 0, 1, 1);
    assert_int_equal(answer_of(home).code, PROTOCOL_OK);
    device_door_stats(home->f.door, &stats);
    assert_int_equal(stats.waiting, 0);
    device_door_changed(home->f.door, home->f.device);
    assert_sent(home, 0, 1, 1);
}

static void over_a_link_that_cannot_wait_all_is_answered_at_once(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    send_request(home, &narrow, &hello);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
}

static void a_range_is_no_longer_than_its_link_can_carry(void **state) {
    struct home *home = *state;
    door_fixture_accept(&home->f);
    door_fixture_release(&home->f);
    struct protocol_request get = door_fixture_request(&home->f, PROTOCOL_GET);
    get.get.what = PROTOCOL_ENVELOPE;
    get.get.update_id[0] = 1;
    get.get.length = 4000;
    send_request(home, &patient, &get);
    struct protocol_answer answer = answer_of(home);
    assert_int_equal(answer.get.total, DOOR_FIXTURE_ENVELOPE);
    assert_int_equal(answer.get.bytes.len, 4000);
    send_request(home, &narrow, &get);
    answer = answer_of(home);
    assert_int_equal(answer.get.total, DOOR_FIXTURE_ENVELOPE);
    assert_int_equal(answer.get.bytes.len, narrow.range_max);
    get.get.length = 60;
    send_request(home, &narrow, &get);
    assert_int_equal(answer_of(home).get.bytes.len, 60);
    assert_sent(home, 1, 0, 0);
}

static void a_statement_is_queued_and_its_device_told_when_it_is_settled(void **state) {
    struct home *home = *state;
    struct protocol_request said;
    door_fixture_accept(&home->f);
    const struct statement statement = door_fixture_statement(&home->f, &said);
    send_request(home, &patient, &said);
    assert_sent(home, 0, 1, 0);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_QUEUED);
    assert_int_equal(statement_queue_count(home->f.queue), 1);
    struct statement_item item = {.statement = statement};
    sha256(said.said.statement, STATEMENT_LEN, item.hash);
    const struct uplink_result refused = {.item = &item, .refused = true, .code = 1};
    device_door_settled(home->f.door, &refused);
    assert_sent(home, 0, 1, 1);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_REFUSED);
    assert_int_equal(answer_of(home).said.code, 1);
    /* Said once more, it is answered from what is known. */
    send_request(home, &patient, &said);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).said.reception, PROTOCOL_REFUSED);
}

static void a_statement_signed_by_another_is_no_request(void **state) {
    struct home *home = *state;
    struct protocol_request said;
    door_fixture_accept(&home->f);
    (void)door_fixture_statement(&home->f, &said);
    said.said.signature[0] ^= 1;
    send_request(home, &patient, &said);
    assert_sent(home, 1, 0, 0);
    assert_int_equal(answer_of(home).code, PROTOCOL_BAD_REQUEST);
    assert_int_equal(statement_queue_count(home->f.queue), 0);
}

static void no_more_wait_than_there_is_room_for(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    unsigned waiting = 0;
    /* What looks at those that wait takes them out for a moment, and may be at it once more. */
    follow_stop(home->f.follow);
    for (bool room = true; room && waiting < 2 * DEVICE_DOOR_WAITING_MAX; waiting += room) {
        send_request(home, &patient, &hello);
        room = home->sent.replies == 0;
    }
    assert_in_range(waiting, DEVICE_DOOR_WAITING_MAX, 2 * DEVICE_DOOR_WAITING_MAX - 1);
    assert_int_equal(answer_of(home).code, PROTOCOL_NOT_YET);
}

static void what_waits_is_told_when_the_gateway_stops(void **state) {
    struct home *home = *state;
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    send_request(home, &patient, &hello);
    assert_sent(home, 0, 1, 0);
    door_fixture_end_threads(&home->f);
    device_door_free(home->f.door);
    home->f.door = NULL;
    assert_sent(home, 0, 1, 1);
    assert_int_equal(home->sent.kind, DEVICE_REPLY_CLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_no_request_is_called_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_known_device_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_device_waits_and_is_woken_when_it_is_known, setup, teardown),
        cmocka_unit_test_setup_teardown(over_a_link_that_cannot_wait_all_is_answered_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_range_is_no_longer_than_its_link_can_carry, setup, teardown),
        cmocka_unit_test_setup_teardown(a_statement_is_queued_and_its_device_told_when_it_is_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(a_statement_signed_by_another_is_no_request, setup, teardown),
        cmocka_unit_test_setup_teardown(no_more_wait_than_there_is_room_for, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_told_when_the_gateway_stops, setup, teardown),
    };
    if (crypto_start() != OK || client_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
