/* What waits to be sent: what is dropped, what travels together, and closing with much of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "tests/lib/swarm.h"
#include "tests/unit/node/net/broadcast.h"
#include "tests/unit/node/nng_threads.h"

#include <nng/nng.h>
#include <stdio.h>
#include <string.h>

#define CLOSING_MS 10000 /* closing waits for nobody; what is left is a busy machine */

static void a_full_queue_drops_gossip_before_it_refuses_a_vote(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    static uint8_t big[1024 * 1024];
    memset(big, (uint8_t)sizeof big, sizeof big);
    /* Nothing leaves before the loop turns. */
    for (int i = 0; i < 16; i++) {
        assert_int_equal(links_send(s.node[0].links, 1, FRAME_GOSSIP, 0, bytes_of(big, sizeof big)), OK);
    }
    assert_int_equal(links_send(s.node[0].links, 1, FRAME_GOSSIP, 0, bytes_of(big, 1)), ERR_FULL);
    assert_int_equal(links_send(s.node[0].links, 1, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
    struct links_peer_stats stats = links_peer_stats(s.node[0].links, 1);
    assert_int_equal(stats.dropped[FRAME_GOSSIP], 2);
    assert_int_equal(stats.dropped[FRAME_CONSENSUS], 0);
    swarm_await_messages(&s, 1, 16);
    swarm_stop(&s);
}

static void closing_under_traffic_takes_bounded_time(void **state) {
    (void)state;
    static struct swarm s;
    static uint8_t big[100000];
    for (int round = 0; round < 10; round++) {
        swarm_start(&s, 3);
        swarm_await_up(&s);
        memset(big, (uint8_t)sizeof big, sizeof big);
        for (int i = 0; i < 50; i++) {
            (void)broadcast(s.node[0].links, FRAME_SYNC, 0, bytes_of(big, sizeof big));
            (void)broadcast(s.node[1].links, FRAME_GOSSIP, 0, bytes_of(big, sizeof big));
        }
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
        uint64_t begun = clock_mono_ms();
        swarm_stop(&s);
        assert_true(clock_mono_ms() - begun < CLOSING_MS);
    }
}

static void closing_with_many_peers_takes_bounded_time(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    struct links_member member = {.address = s.node[1].address};
    for (size_t i = 2; i < 120; i++) {
        random_fill(member.key, sizeof member.key);
        assert_int_equal(links_set_member(s.node[0].links, i, &member), OK);
    }
    swarm_turn(&s, 200);
    uint64_t begun = clock_mono_ms();
    swarm_stop(&s);
    assert_true(clock_mono_ms() - begun < CLOSING_MS);
}

static void gossip_of_several_turns_travels_together(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    uint64_t before = links_peer_stats(s.node[0].links, 1).bytes_out;
    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(links_send(s.node[0].links, 1, FRAME_GOSSIP, 0, bytes_str("tx")), OK);
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(links_send(s.node[0].links, 1, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
    swarm_await_messages(&s, 1, 301);
    const uint64_t alone = 300 * (SESSION_HEADER_LEN + AEAD_TAG_LEN + FRAME_WHOLE_HEADER + 2);
    assert_true(links_peer_stats(s.node[0].links, 1).bytes_out - before < alone / 2);
    swarm_stop(&s);
}

/* A lone transaction must not wait for company that does not come. */
static void gossip_after_a_quiet_time_leaves_with_its_turn(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    unsigned at_once = 0;
    for (uint64_t round = 1; round <= 20; round++) {
        swarm_turn(&s, 4 * LINKS_LINGER_MS); /* what went out before is long gone */
        assert_int_equal(broadcast(s.node[0].links, FRAME_GOSSIP, 0, bytes_str("tx")), 2);
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
        at_once += links_peer_stats(s.node[0].links, 1).messages_out == round &&
                   links_peer_stats(s.node[0].links, 2).messages_out == round; /* neither waits for the other */
        swarm_await_messages(&s, 1, round);
    }
    assert_true(at_once >= 10); /* a socket may still be busy with the one before */
    swarm_stop(&s);
}

static void figures_are_printed(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    s.node[1].echo = true;
    const size_t trips = 2000;
    uint64_t begun = clock_mono_ns();
    for (size_t i = 0; i < trips; i++) {
        assert_int_equal(links_send(s.node[0].links, 1, FRAME_CONSENSUS, 0, bytes_str("ping")), OK);
        while (s.node[0].messages <= i) {
            (void)uv_run(&s.loop, UV_RUN_ONCE);
        }
    }
    printf("round trip %.1f us (both ends on one loop)\n", (double)(clock_mono_ns() - begun) / 1000.0 / (double)trips);
    swarm_stop(&s);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_queue_drops_gossip_before_it_refuses_a_vote),
        cmocka_unit_test(closing_under_traffic_takes_bounded_time),
        cmocka_unit_test(closing_with_many_peers_takes_bounded_time),
        cmocka_unit_test(gossip_of_several_turns_travels_together),
        cmocka_unit_test(gossip_after_a_quiet_time_leaves_with_its_turn),
        cmocka_unit_test(figures_are_printed),
    };
    int failed = cmocka_run_group_tests_name("links and queues", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
