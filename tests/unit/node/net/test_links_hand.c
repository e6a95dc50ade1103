/* Members made by hand: what no node of ours would do is done to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "tests/lib/hand.h"
#include "tests/lib/listen_port.h"
#include "tests/unit/node/nng_threads.h"

#include <nng/nng.h>
#include <stdio.h>

static struct hand late;

static void nothing(uv_timer_t *timer) {
    (void)timer;
}

struct deafness {
    struct hand *hand;
    uint64_t said_ms;
    size_t turns;
};

static void count_turn(uv_prepare_t *prepare) {
    ++*(size_t *)prepare->data;
}

static bool gave_up_talking(void *node, void *arg) {
    struct deafness *d = arg;
    if (clock_mono_ms() >= d->said_ms + LINKS_KEEPALIVE_MS / 6) {
        hand_say_alive(d->hand);
        d->said_ms = clock_mono_ms();
    }
    return hand_is_down(node, d->hand);
}

static void whoever_talks_and_does_not_read_is_lost_and_costs_little_until_then(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    static uint8_t big[1024 * 1024];
    hand_node_start(&n);
    hand_make(&n, &h, 1, NULL);
    hand_meet(&n, &h);
    enum err e = OK;
    uint64_t begun = clock_mono_ms();
    while (e == OK || clock_mono_ms() < begun + 1000) {
        e = links_send(n.links, 1, FRAME_SYNC, 0, bytes_of(big, sizeof big));
        (void)uv_run(&n.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(e, ERR_FULL);

    struct deafness d = {.hand = &h};
    uv_prepare_t counter = {.data = &d.turns};
    (void)uv_prepare_init(&n.loop, &counter);
    (void)uv_prepare_start(&counter, count_turn);
    uv_timer_t waker;
    (void)uv_timer_init(&n.loop, &waker);
    (void)uv_timer_start(&waker, nothing, 100, 100);
    begun = clock_mono_ms();
    while (clock_mono_ms() < begun + 2000) {
        assert_false(gave_up_talking(&n, &d));
        (void)uv_run(&n.loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&counter, NULL);
    uv_close((uv_handle_t *)&waker, NULL);
    printf("%zu turns in 2 s\n", d.turns);
    assert_true(d.turns < 600); /* one a millisecond were 2000; a busy machine has fewer */

    assert_true(hand_await_ms(&n, gave_up_talking, &d, LOOPBACK_DEADLINE_MS));
    assert_true(clock_mono_ms() - begun >= LINKS_SILENT_MS / 2);
    hand_leave(&h);
    hand_node_stop(&n);
}

static void a_connection_that_breaks_on_writing_is_lost_at_once(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    bool at_once = false;
    hand_node_start(&n);
    hand_make(&n, &h, 1, NULL);
    for (int i = 0; i < HAND_TRIES && !at_once; i++) {
        hand_meet(&n, &h);
        hand_break_writing(&h);
        assert_int_equal(links_send(n.links, 1, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
        at_once = hand_await_ms(&n, hand_is_down, &h, LINKS_KEEPALIVE_MS / 2);
        hand_await(&n, hand_is_down, &h);
        hand_leave(&h);
    }
    assert_true(at_once);
    hand_node_stop(&n);
}

static void a_member_holds_one_place_without_a_session(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    hand_node_start(&n);
    hand_make(&n, &h, 1, NULL);
    for (int i = 0; i < 5; i++) {
        int before = h.fd;
        h.fd = -1;
        hand_visit(&n, &h);
        if (before >= 0) {
            struct hand older = {.fd = before};
            hand_await(&n, hand_has_ended, &older);
            hand_leave(&older);
        }
        assert_int_equal(links_stats(n.links).connections, 1);
    }
    hand_say_alive(&h);
    hand_await(&n, hand_is_up, &h);
    assert_int_equal(links_stats(n.links).connections, 1);
    hand_leave(&h);
    hand_node_stop(&n);
}

/* Whoever has heard a member's initiation says it again: that takes no place from the member. */
static void an_initiation_said_again_does_not_cut_the_guest_who_said_it_first(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h, parrot;
    hand_node_start(&n);
    hand_make(&n, &h, 1, NULL);
    hand_visit(&n, &h);
    parrot.fd = loopback_connect(1, links_port(n.links));
    loopback_send_frame(parrot.fd, h.initiation, sizeof h.initiation);
    hand_await(&n, hand_has_ended, &parrot);
    assert_int_equal(links_stats(n.links).replayed, 1);
    hand_say_alive(&h);
    hand_await(&n, hand_is_up, &h);
    hand_leave(&h);
    hand_leave(&parrot);
    hand_node_stop(&n);
}

/* It has been answered, begins again while an attempt of the node's own is out, which has precedence, and then confirms
 * what was answered first: with a datagram as large as they get. */
static void a_guest_may_confirm_its_session_while_its_next_attempt_finds_us_busy(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    uint8_t said[SESSION_DATAGRAM_MAX];
    bool was_busy = false;
    for (int i = 0; i < HAND_TRIES && !was_busy; i++) {
        struct hand_listener listener;
        char address[LOOPBACK_ADDRESS_MAX];
        uint16_t port = listen_port(); /* nobody is there yet */
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
        hand_node_start(&n);
        hand_make(&n, &h, 1, address);
        hand_visit(&n, &h);
        hand_listen(&listener, port, &late);
        hand_await_attempt(&n, &listener);
        hand_initiate(&h);
        hand_turn(&n, 50);
        was_busy = hand_hear(&h, said) == 0;
        if (was_busy) {
            hand_say_message(&h, 60000);
            hand_await(&n, hand_is_up, &h);
            assert_int_equal(n.messages[1], 1);
            assert_int_equal(n.last_len, 60000);
            hand_await(&n, hand_has_ended, &late); /* a pair has one connection */
        }
        hand_leave(&h);
        hand_leave(&late);
        assert_int_equal(close(listener.fd), 0);
        hand_node_stop(&n);
    }
    assert_true(was_busy);
}

/* Our own attempt, which has precedence, went with the connection it was made on. */
static void whoever_hung_up_on_our_attempt_is_answered_when_it_comes(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    struct hand_listener listener;
    hand_listen(&listener, 0, &late);
    hand_node_start(&n);
    hand_make(&n, &h, 1, listener.address);
    hand_await_attempt(&n, &listener);
    assert_int_equal(close(listener.fd), 0);
    hand_leave(&late);
    hand_turn(&n, 50);
    hand_visit(&n, &h); /* answers its first initiation, or never */
    hand_leave(&h);
    hand_node_stop(&n);
}

static bool all_said(void *node, void *members) {
    const struct hand_node *n = node;
    return n->messages[1] >= ((size_t *)members)[0] && n->messages[2] >= ((size_t *)members)[1];
}

/* However much one has sent, the other is read in the same turn. */
static void who_sends_much_does_not_keep_others_waiting(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand loud, quiet;
    enum { MANY = 300 };
    hand_node_start(&n);
    hand_make(&n, &loud, 1, NULL);
    hand_make(&n, &quiet, 2, NULL);
    hand_meet(&n, &loud);
    hand_meet(&n, &quiet);
    for (size_t i = 0; i < MANY; i++) {
        hand_say_message(&loud, 1);
    }
    hand_say_message(&quiet, 1);
    while (n.messages[1] == 0 && n.messages[2] == 0) {
        hand_let_threads_run();
        (void)uv_run(&n.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n.messages[2], 1);
    assert_true(n.messages[1] > 0 && n.messages[1] < MANY);
    hand_await(&n, all_said, (size_t[]){MANY, 1});
    hand_leave(&loud);
    hand_leave(&quiet);
    hand_node_stop(&n);
}

static struct hand_listener late_listener;

static void another_comes(struct hand_node *n) {
    hand_make(n, &late, 2, late_listener.address);
}

/* What a callback asks for from within the timer is not put off by the timer's own end. */
static void a_member_made_when_another_goes_is_dialled_at_once(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    bool at_once = false;
    hand_listen(&late_listener, 0, &late);
    hand_node_start(&n);
    hand_make(&n, &h, 5, NULL);
    for (int i = 0; i < HAND_TRIES && !at_once; i++) {
        n.on_down = another_comes;
        hand_meet(&n, &h);
        hand_break_writing(&h);
        assert_int_equal(links_send(n.links, 5, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
        hand_await(&n, hand_is_down, &h);
        uint64_t begun = clock_mono_ms();
        while (!hand_was_dialled(&n, &late_listener)) {
            (void)uv_run(&n.loop, UV_RUN_ONCE);
        }
        at_once = clock_mono_ms() - begun < 400;
        hand_leave(&h);
        hand_leave(&late);
        assert_int_equal(links_set_member(n.links, 2, NULL), OK);
    }
    assert_true(at_once);
    assert_int_equal(close(late_listener.fd), 0);
    hand_node_stop(&n);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_talks_and_does_not_read_is_lost_and_costs_little_until_then),
        cmocka_unit_test(a_connection_that_breaks_on_writing_is_lost_at_once),
        cmocka_unit_test(a_member_holds_one_place_without_a_session),
        cmocka_unit_test(an_initiation_said_again_does_not_cut_the_guest_who_said_it_first),
        cmocka_unit_test(a_guest_may_confirm_its_session_while_its_next_attempt_finds_us_busy),
        cmocka_unit_test(whoever_hung_up_on_our_attempt_is_answered_when_it_comes),
        cmocka_unit_test(who_sends_much_does_not_keep_others_waiting),
        cmocka_unit_test(a_member_made_when_another_goes_is_dialled_at_once),
    };
    int failed = cmocka_run_group_tests_name("links by hand", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
