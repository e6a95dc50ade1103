#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "tests/lib/listen_port.h"
#include "tests/lib/swarm.h"
#include "tests/unit/node/net/broadcast.h"
#include "tests/unit/node/nng_threads.h"

#include <nng/nng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_MS 10000 /* a change waits for nothing; what is left is a busy machine */

static void three_nodes_exchange_messages_of_every_size(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    assert_int_equal(broadcast(s.node[0].links, FRAME_CONSENSUS, 0, bytes_str("hello")), 2);
    swarm_await_messages(&s, 1, 1);
    assert_int_equal(s.node[1].last_from, 0);
    assert_memory_equal(s.node[1].last, "hello", 5);

    static const size_t sizes[] = {1, 64, 1000, 65000, 65516, 65519, 65535, 65536, 200000, LIMIT_PEER_MESSAGE};
    uint8_t *data = malloc(LIMIT_PEER_MESSAGE + 1);
    assert_non_null(data);
    size_t total = s.node[1].bytes;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        memset(data, (uint8_t)sizes[i], sizes[i]);
        enum frame_class class = i % 2 == 0 ? FRAME_SYNC : FRAME_GOSSIP;
        assert_int_equal(links_send(s.node[0].links, 1, class, 0, bytes_of(data, sizes[i])), OK);
        total += sizes[i];
    }
    const size_t sent = 1 + sizeof sizes / sizeof *sizes;
    swarm_await_messages(&s, 1, sent);
    assert_int_equal(s.node[1].bytes, total);
    assert_false(s.node[1].wrong);
    assert_int_equal(links_send(s.node[0].links, 1, FRAME_SYNC, 0, bytes_of(data, LIMIT_PEER_MESSAGE + 1)),
                     ERR_TOOLARGE);
    assert_int_equal(links_send(s.node[0].links, 0, FRAME_SYNC, 0, bytes_of(data, 1)), ERR_RANGE);
    free(data);
    struct links_peer_stats stats = links_peer_stats(s.node[1].links, 0);
    assert_int_equal(stats.messages_in, sent);
    assert_int_equal(stats.rejected, 0);
    assert_int_equal(stats.lost, 0);
    assert_true(stats.handshakes >= 1);
    swarm_stop(&s);
}

static bool node_0_lost_1(void *swarm, void *unused) {
    (void)unused;
    return !links_peer_stats(((struct swarm *)swarm)->node[0].links, 1).up;
}

static void a_node_that_restarts_is_found_again(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start_at(&s, 3, listen_port());
    assert_true(s.node[1].port < listen_port_highest());
    swarm_await_up(&s);
    for (int round = 0; round < 3; round++) {
        swarm_stop_node(&s, 1);
        swarm_await(&s, node_0_lost_1, NULL);
        assert_int_equal(links_send(s.node[0].links, 1, FRAME_CONSENSUS, 0, bytes_str("x")), ERR_CLOSED);
        swarm_open_node(&s, 1, s.node[1].port);
        swarm_introduce(&s, 1);
        swarm_await_up(&s);
        s.node[1].messages = 0;
        assert_int_equal(links_send(s.node[0].links, 1, FRAME_CONSENSUS, 0, bytes_str("again")), OK);
        swarm_await_messages(&s, 1, 1);
    }
    assert_true(s.node[0].downs >= 3);
    swarm_stop(&s);
}

static void a_member_that_is_removed_is_cut_and_one_that_is_added_is_reached(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    assert_int_equal(links_set_member(s.node[0].links, 1, NULL), OK);
    assert_false(links_peer_stats(s.node[0].links, 1).up);
    assert_int_equal(s.node[0].downs, 1);
    s.node[0].messages = 0;
    (void)!links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("unheard"));
    swarm_turn(&s, 300);
    assert_int_equal(s.node[0].messages, 0);
    struct links_member member = {.address = s.node[1].address};
    memcpy(member.key, s.node[2].keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(s.node[0].links, 1, &member), ERR_EXISTS);
    memcpy(member.key, s.node[1].keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(s.node[0].links, 1, &member), OK);
    swarm_await_up(&s);
    swarm_stop(&s);
}

/* Where both dial, one connection stays; where one has no address, its own. */
static void a_pair_has_one_connection(void **state) {
    (void)state;
    static struct swarm s;
    for (int behind_nat = 0; behind_nat < 2; behind_nat++) {
        swarm_init(&s, 2);
        for (size_t i = 0; i < 2; i++) {
            swarm_open_node(&s, i, 0);
        }
        for (size_t i = 0; i < 2; i++) {
            struct links_member member = {.address = i == 0 && behind_nat ? NULL : s.node[1 - i].address};
            memcpy(member.key, s.node[1 - i].keys.public_key, X25519_LEN);
            assert_int_equal(links_set_member(s.node[i].links, 1 - i, &member), OK);
            assert_int_equal(links_attach(s.node[i].links, &s.loop), OK);
        }
        swarm_await_up(&s);
        swarm_turn(&s, 1000);
        size_t at_0 = links_stats(s.node[0].links).connections, at_1 = links_stats(s.node[1].links).connections;
        assert_int_equal(at_0 + at_1, 1);
        assert_true(swarm_is_up(&s, NULL));
        assert_int_equal(s.node[0].downs + s.node[1].downs, 0);
        if (behind_nat) {
            assert_int_equal(at_0, 1);
        }
        swarm_stop(&s);
    }
}

static void one_copy_goes_to_the_members_named(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    const uint16_t both[] = {1, 2}, some[] = {0, 1, 77, LINKS_MEMBERS_MAX, UINT16_MAX};
    assert_int_equal(links_multicast(s.node[0].links, both, 2, FRAME_GOSSIP, 0, bytes_str("both")), 2);
    assert_int_equal(links_multicast(s.node[0].links, some, 5, FRAME_SYNC, 0, bytes_str("one")), 1);
    assert_int_equal(links_multicast(s.node[0].links, both, 0, FRAME_SYNC, 0, bytes_str("none")), 0);
    assert_int_equal(links_multicast(s.node[0].links, both, 2, FRAME_SYNC, 0, bytes_of("", 0)), 0);
    swarm_await_messages(&s, 1, 2);
    while (s.node[2].messages < 1) {
        (void)uv_run(&s.loop, UV_RUN_ONCE);
    }
    assert_memory_equal(s.node[2].last, "both", 4);
    assert_int_equal(s.node[2].messages, 1);
    swarm_stop(&s);
}

static void a_member_added_late_is_reached_at_once_by_one_who_tried_for_long(void **state) {
    (void)state;
    static struct swarm s;
    bool at_once = false;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    for (int tries = 0; tries < 5 && !at_once; tries++) { /* a busy machine may spoil one, a mistake spoils all */
        assert_int_equal(links_set_member(s.node[0].links, 1, NULL), OK);
        /* Node 1 is a stranger meanwhile, and its attempts come more and more seldom. */
        swarm_turn(&s, 4000);
        assert_false(links_peer_stats(s.node[0].links, 1).up);
        assert_int_equal(swarm_tell(&s, 0, 1, 1), OK);
        at_once = loopback_turn(&s.loop, swarm_is_up, &s, NULL, 1500);
        swarm_await_up(&s);
    }
    assert_true(at_once);
    swarm_stop(&s);
}

static void what_is_as_told_before_does_not_break_a_link(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    assert_int_equal(swarm_tell(&s, 0, 1, 1), OK);
    assert_true(links_peer_stats(s.node[0].links, 1).up);
    assert_int_equal(s.node[0].downs, 0);
    assert_int_equal(swarm_tell(&s, 0, 0, 1), OK); /* our own number: ignored, whatever it says */
    swarm_stop(&s);
}

static void a_storm_of_changes_under_traffic_harms_nothing(void **state) {
    (void)state;
    static struct swarm s;
    static uint8_t big[40000];
    memset(big, (uint8_t)sizeof big, sizeof big);
    swarm_start(&s, 3);
    swarm_await_up(&s);
    unsigned seed = (unsigned)clock_mono_ns();
    printf("seed %u\n", seed);
    srandom(seed);
    uint64_t slowest = 0;
    for (int i = 0; i < 600; i++) {
        size_t at = (size_t)random() % 3, about = (at + 1 + (size_t)random() % 2) % 3;
        uint64_t begun = clock_mono_ms();
        if (i % 3 == 0) {
            assert_int_equal(links_set_member(s.node[at].links, about, NULL), OK);
        } else if (i % 3 == 1) {
            /* Nobody's key, at an address that somebody has: then the true one again. */
            struct links_member other = {.address = s.node[about].address};
            random_fill(other.key, sizeof other.key);
            assert_int_equal(links_set_member(s.node[at].links, about, &other), OK);
        } else {
            assert_int_equal(swarm_tell(&s, at, about, about), OK);
        }
        uint64_t took = clock_mono_ms() - begun;
        slowest = took > slowest ? took : slowest;
        (void)broadcast(s.node[i % 3].links, FRAME_SYNC, 0, bytes_of(big, sizeof big));
        (void)broadcast(s.node[(i + 1) % 3].links, FRAME_GOSSIP, 0, bytes_str("small"));
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
        if (i % 50 == 49) {
            for (size_t j = 0; j < 9; j++) {
                assert_int_equal(j / 3 == j % 3 ? OK : swarm_tell(&s, j / 3, j % 3, j % 3), OK);
            }
            swarm_await_up(&s);
        }
    }
    printf("slowest change %u ms\n", (unsigned)slowest);
    assert_true(slowest < CHANGE_MS); /* one waits for nothing; what is left is the machine */
    swarm_stop(&s);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_nodes_exchange_messages_of_every_size),
        cmocka_unit_test(a_node_that_restarts_is_found_again),
        cmocka_unit_test(a_member_that_is_removed_is_cut_and_one_that_is_added_is_reached),
        cmocka_unit_test(a_pair_has_one_connection),
        cmocka_unit_test(one_copy_goes_to_the_members_named),
        cmocka_unit_test(a_member_added_late_is_reached_at_once_by_one_who_tried_for_long),
        cmocka_unit_test(what_is_as_told_before_does_not_break_a_link),
        cmocka_unit_test(a_storm_of_changes_under_traffic_harms_nothing),
    };
    int failed = cmocka_run_group_tests_name("links", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
