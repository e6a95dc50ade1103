/* The door: who is let in, who makes place for whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/descriptors.h"
#include "node/net/door.h"
#include "tests/lib/hand.h"
#include "tests/unit/node/nng_threads.h"

#include <nng/nng.h>
#include <time.h>
#include <unistd.h>

#define PLACES 12u

static bool all_were_seen(void *node, void *count) {
    const struct hand_node *n = node;
    struct links_stats stats = links_stats(n->links);
    return stats.connections + stats.connections_cut + stats.connections_refused >= *(size_t *)count;
}

/* Strangers, each from an address of its own or all from one, after what is there already. */
static void crowd(struct hand_node *n, int *fds, size_t count, unsigned host, bool spread) {
    struct links_stats stats = links_stats(n->links);
    size_t seen = stats.connections + stats.connections_cut + stats.connections_refused;
    for (size_t i = 0; i < count; i++) {
        fds[i] = loopback_connect(host + (spread ? (unsigned)i : 0), links_port(n->links));
        seen++;
        hand_await(n, all_were_seen, &seen);
    }
}

static void go_away(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(close(fds[i]), 0);
    }
}

static bool has_places(void *node, void *places) {
    const struct hand_node *n = node;
    return links_stats(n->links).connections <= *(size_t *)places;
}

/* It has a connection that has said nothing yet. */
static void come(struct hand_node *n, struct hand *h) {
    size_t seen = links_stats(n->links).connections + 1;
    hand_connect(n, h);
    (void)hand_await_ms(n, all_were_seen, &seen, 100);
}

static void strangers_of_many_addresses_do_not_push_out_a_member_seen_before(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h, mover;
    int fds[3 * PLACES];
    hand_node_start_with(&n, "0.0.0.0:0", PLACES);
    hand_make(&n, &h, 1, NULL);
    hand_make(&n, &mover, 2, NULL);
    h.host = 2;
    hand_meet(&n, &h);
    hand_leave(&h);
    hand_await(&n, hand_is_down, &h);
    /* Another member that is seen at many addresses has one place of its own, whatever it does. */
    for (unsigned i = 0; i < DOOR_ADDRESS_BURST; i++) {
        mover.host = 0x20000 + i;
        hand_meet(&n, &mover);
        hand_leave(&mover);
        hand_await(&n, hand_is_down, &mover);
        hand_turn(&n, 2 * DOOR_ALL_MS); /* within what strangers may have looked at */
    }
    come(&n, &h);
    crowd(&n, fds, 3 * PLACES, 0x30000, true);
    hand_meet(&n, &h);
    go_away(fds, 3 * PLACES);
    hand_leave(&h);
    hand_node_stop(&n);
}

static bool is_throttled(void *node, void *before) {
    const struct hand_node *n = node;
    return links_stats(n->links).throttled > *(uint64_t *)before;
}

/* However many addresses it has. */
static void a_member_comes_and_goes_no_more_often_than_it_may(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    hand_node_start_with(&n, "0.0.0.0:0", PLACES);
    hand_make(&n, &h, 1, NULL);
    for (unsigned i = 0; i < DOOR_ADDRESS_BURST; i++) {
        h.host = 0x40000 + i;
        hand_meet(&n, &h);
        hand_leave(&h);
        hand_await(&n, hand_is_down, &h);
    }
    uint64_t throttled = links_stats(n.links).throttled;
    h.host = 0x50000;
    come(&n, &h);
    hand_initiate(&h);
    hand_await(&n, is_throttled, &throttled);
    assert_false(links_peer_stats(n.links, 1).up);
    hand_leave(&h);
    hand_node_stop(&n);
}

static void strangers_of_one_address_push_out_each_other(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    int fds[3 * PLACES];
    hand_node_start_with(&n, "0.0.0.0:0", PLACES);
    hand_make(&n, &h, 1, NULL);
    h.host = 2;
    come(&n, &h);
    crowd(&n, fds, 3 * PLACES, 3, false);
    hand_meet(&n, &h);
    go_away(fds, 3 * PLACES);
    hand_await(&n, has_places, (size_t[]){1});
    hand_leave(&h);
    hand_node_stop(&n);
}

/* Their first frame was good, and the ledger's thread is busy. */
static void whoever_waits_to_be_looked_at_makes_place_for_others(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h, many[PLACES];
    hand_node_start_with(&n, "0.0.0.0:0", PLACES);
    hand_make(&n, &h, 1, NULL);
    for (unsigned i = 0; i < PLACES; i++) {
        hand_make(&n, &many[i], 2, NULL); /* the last of them alone stays a member */
        many[i].fd = loopback_connect(3 + i, links_port(n.links));
        hand_initiate(&many[i]);
    }
    hand_let_threads_run();
    assert_int_equal(links_stats(n.links).connections, PLACES);
    h.fd = loopback_connect(h.host, links_port(n.links));
    hand_let_threads_run();
    hand_visit(&n, &h);
    for (unsigned i = 0; i < PLACES; i++) {
        hand_leave(&many[i]);
    }
    hand_leave(&h);
    hand_node_stop(&n);
}

/* As many as there are places for guests, and more, come while the ledger's thread is busy. */
static void whoever_waits_to_be_looked_at_pushes_out_no_guest_who_has_shown_who_it_is(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h, stranger, other;
    enum { MANY = 150 };
    int fds[MANY];
    hand_node_start_with(&n, "0.0.0.0:0", 2 * MANY);
    hand_make(&n, &h, 1, NULL);
    hand_visit(&n, &h);
    hand_make(&n, &stranger, 2, NULL);
    hand_make(&n, &other, 2, NULL); /* whose place is another's now */
    for (unsigned i = 0; i < MANY; i++) {
        const struct timespec moment = {.tv_nsec = 2 * DOOR_ALL_MS * 1000 * 1000}; /* within what may be looked at */
        stranger.fd = fds[i] = loopback_connect(3 + i, links_port(n.links));
        hand_initiate(&stranger);
        (void)nanosleep(&moment, NULL);
    }
    hand_let_threads_run();
    assert_int_equal(links_stats(n.links).connections, MANY + 1);
    hand_await(&n, has_places, (size_t[]){1});
    hand_say_alive(&h);
    hand_await(&n, hand_is_up, &h);
    go_away(fds, MANY);
    hand_leave(&h);
    hand_node_stop(&n);
}

/* Beside our own ends of the connections. */
static bool are_taken(void *node, void *arg) {
    (void)node;
    return descriptors_open() > *(size_t *)arg;
}

static bool are_given_back(void *node, void *arg) {
    (void)node;
    return descriptors_open() <= *(size_t *)arg;
}

static void what_is_closed_gives_its_descriptor_back(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand h;
    int fds[3 * PLACES];
    hand_node_start_with(&n, "0.0.0.0:0", PLACES);
    hand_make(&n, &h, 1, NULL);
    hand_meet(&n, &h);
    size_t before = descriptors_open();
    size_t ours = before + 3 * PLACES;
    crowd(&n, fds, 3 * PLACES, 3, false);
    hand_await(&n, are_taken, &ours);
    go_away(fds, 3 * PLACES);
    hand_await(&n, are_given_back, &before);
    assert_int_equal(links_stats(n.links).connections, 1);
    hand_leave(&h);
    hand_node_stop(&n);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_of_many_addresses_do_not_push_out_a_member_seen_before),
        cmocka_unit_test(a_member_comes_and_goes_no_more_often_than_it_may),
        cmocka_unit_test(strangers_of_one_address_push_out_each_other),
        cmocka_unit_test(whoever_waits_to_be_looked_at_makes_place_for_others),
        cmocka_unit_test(whoever_waits_to_be_looked_at_pushes_out_no_guest_who_has_shown_who_it_is),
        cmocka_unit_test(what_is_closed_gives_its_descriptor_back),
    };
    int failed = cmocka_run_group_tests_name("links and their door", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
