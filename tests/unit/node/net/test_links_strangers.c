/* Strangers, forgers and whoever sits in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/descriptors.h"
#include "node/net/wire.h"
#include "tests/lib/swarm.h"
#include "tests/unit/node/nng_threads.h"

#include <nng/nng.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t garbage(struct links_stats stats) {
    return stats.garbage;
}
static uint64_t forged(struct links_stats stats) {
    return stats.forged;
}
static uint64_t strangers(struct links_stats stats) {
    return stats.strangers;
}
static uint64_t replayed(struct links_stats stats) {
    return stats.replayed;
}
static uint64_t unknown(struct links_stats stats) {
    return stats.unknown;
}
static uint64_t throttled(struct links_stats stats) {
    return stats.throttled;
}
static uint64_t cut(struct links_stats stats) {
    return stats.connections_cut;
}

static void a_stranger_gets_nothing(void **state) {
    (void)state;
    static struct swarm s;
    struct noise_keys keys;
    uint8_t datagram[SESSION_INITIATION_LEN];
    swarm_start(&s, 2);
    swarm_await_up(&s);
    x25519_keypair(keys.public_key, keys.secret);
    swarm_initiation(&s, &keys, clock_wall_ms() + 1000, datagram);
    int fd = loopback_connect(0, s.node[0].port);
    loopback_send_frame(fd, datagram, sizeof datagram);
    swarm_await_count(&s, strangers, 1);
    swarm_await_cut(&s, fd);
    /* More than its address' share costs no curve arithmetic. */
    for (int i = 0; i < 20; i++) {
        fd = loopback_connect(0, s.node[0].port);
        loopback_send_frame(fd, datagram, sizeof datagram);
        swarm_await_cut(&s, fd);
    }
    swarm_await_count(&s, throttled, 1);
    assert_true(links_stats(s.node[0].links).strangers <= 20);
    assert_true(swarm_is_up(&s, NULL));
    swarm_stop(&s);
}

static void whoever_claims_a_members_key_without_its_secret_is_refused(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    size_t ups = s.node[0].ups, downs = s.node[0].downs;
    /* Member 2 says that it is member 1. */
    struct noise_keys keys = s.node[2].keys;
    memcpy(keys.public_key, s.node[1].keys.public_key, X25519_LEN);
    uint8_t datagram[SESSION_INITIATION_LEN];
    swarm_initiation(&s, &keys, clock_wall_ms() + 1000, datagram);
    int fd = loopback_connect(0, s.node[0].port);
    loopback_send_frame(fd, datagram, sizeof datagram);
    swarm_await_count(&s, forged, 1);
    swarm_await_cut(&s, fd);
    assert_int_equal(s.node[0].ups, ups);
    assert_int_equal(s.node[0].downs, downs);
    swarm_stop(&s);
}

/* Member 2 itself, on a connection more, with transport that names another member's session, or nobody's. */
static void a_session_counts_on_its_own_connection_alone(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 3);
    swarm_await_up(&s);
    swarm_turn(&s, 300);
    size_t downs = s.node[0].downs;
    for (uint64_t round = 0; round < 2; round++) {
        uint8_t datagram[SESSION_INITIATION_LEN], transport[64] = {SESSION_TRANSPORT, round == 0 ? 0 : 0xff, 1};
        swarm_initiation(&s, &s.node[2].keys, clock_wall_ms() + 1000 * (round + 1), datagram);
        int fd = loopback_connect(0, s.node[0].port);
        loopback_send_frame(fd, datagram, sizeof datagram);
        loopback_send_frame(fd, transport, sizeof transport);
        if (round == 1) {
            swarm_await_count(&s, unknown, 1);
        }
        swarm_await_cut(&s, fd);
        assert_int_equal(links_peer_stats(s.node[0].links, 1).rejected, 1);
    }
    assert_int_equal(s.node[0].downs, downs);
    assert_true(swarm_is_up(&s, NULL));
    swarm_stop(&s);
}

static void an_initiation_seen_before_is_refused_and_evicts_nobody(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    /* What both ends began at once when they met may still be under way: let it end. */
    swarm_turn(&s, 300);
    /* A true one of member 1, recorded on the wire. It is answered (and starts a session that nobody confirms). */
    uint8_t datagram[SESSION_INITIATION_LEN];
    swarm_initiation(&s, &s.node[1].keys, clock_wall_ms(), datagram);
    int first = loopback_connect(0, s.node[0].port), second = loopback_connect(0, s.node[0].port);
    loopback_send_frame(first, datagram, sizeof datagram);
    swarm_turn(&s, 300);
    assert_false(loopback_has_ended(first));
    loopback_send_frame(second, datagram, sizeof datagram);
    swarm_await_count(&s, replayed, 1);
    swarm_await_cut(&s, second);
    assert_true(swarm_is_up(&s, NULL));
    s.node[0].messages = 0;
    assert_int_equal(links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("still here")), OK);
    swarm_await_messages(&s, 0, 1);
    assert_int_equal(s.node[0].downs, 0);
    assert_int_equal(close(first), 0);
    swarm_stop(&s);
}

static void garbage_and_altered_handshakes_cut_the_connection_before_any_arithmetic(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    uint8_t datagram[SESSION_INITIATION_LEN];
    struct noise_keys keys;
    x25519_keypair(keys.public_key, keys.secret);
    swarm_initiation(&s, &keys, clock_wall_ms(), datagram);
    const size_t at[] = {0, 1, 40, 109, 110, 125};
    size_t count = sizeof at / sizeof *at;
    for (size_t i = 0; i < count; i++) {
        int fd = loopback_connect(0, s.node[0].port);
        datagram[at[i]] ^= 0x10;
        loopback_send_frame(fd, datagram, sizeof datagram);
        datagram[at[i]] ^= 0x10;
        swarm_await_count(&s, garbage, i + 1);
        swarm_await_count(&s, cut, i + 1);
        swarm_await_cut(&s, fd);
    }
    /* What is longer than an initiation is not even waited for. */
    uint8_t longer[SESSION_INITIATION_LEN + 1] = {0};
    memcpy(longer, datagram, sizeof datagram);
    int fd = loopback_connect(0, s.node[0].port);
    loopback_send_frame(fd, longer, sizeof longer);
    swarm_await_count(&s, garbage, count + 1);
    swarm_await_cut(&s, fd);
    assert_int_equal(links_stats(s.node[0].links).forged, 0);
    assert_int_equal(links_stats(s.node[0].links).strangers, 0);
    assert_true(swarm_is_up(&s, NULL));
    swarm_stop(&s);
}

struct middle {
    int listener, from, to; /* node 1's connection, and ours to node 0 */
    char address[LOOPBACK_ADDRESS_MAX];
    uint8_t held[256 * 1024]; /* of node 1, frames that are not whole yet */
    size_t len;
    size_t datagrams;
};

static struct middle middle;
static bool middle_alters, middle_repeats;

static void middle_open(void) {
    memset(&middle, 0, sizeof middle);
    middle.from = middle.to = -1;
    middle.listener = loopback_listen(0, middle.address);
}

static void middle_close(void) {
    (void)close(middle.listener);
    (void)close(middle.from);
    (void)close(middle.to);
}

static void middle_forward(uint8_t *frame, size_t len) {
    bool transport = frame[WIRE_LENGTH_LEN] == SESSION_TRANSPORT;
    middle.datagrams++;
    if (transport && middle_repeats) {
        assert_int_equal(send(middle.to, frame, len, MSG_NOSIGNAL), len);
    }
    frame[len - 1] ^= transport && middle_alters;
    assert_int_equal(send(middle.to, frame, len, MSG_NOSIGNAL), len);
}

static void middle_pass(const struct swarm *s) {
    uint8_t back[4096];
    ssize_t n;
    if (middle.from < 0) {
        middle.from = accept(middle.listener, NULL, NULL);
        middle.to = middle.from >= 0 ? loopback_connect(0, s->node[0].port) : -1;
    }
    while (middle.from >= 0 && (n = recv(middle.to, back, sizeof back, MSG_DONTWAIT)) > 0) {
        assert_int_equal(send(middle.from, back, (size_t)n, MSG_NOSIGNAL), n);
    }
    while (middle.from >= 0 &&
           (n = recv(middle.from, middle.held + middle.len, sizeof middle.held - middle.len, MSG_DONTWAIT)) > 0) {
        middle.len += (size_t)n;
        size_t at = 0;
        while (middle.len - at >= WIRE_LENGTH_LEN && middle.len - at >= WIRE_LENGTH_LEN + load_u32(middle.held + at)) {
            size_t len = WIRE_LENGTH_LEN + load_u32(middle.held + at);
            middle_forward(middle.held + at, len);
            at += len;
        }
        memmove(middle.held, middle.held + at, middle.len - at);
        middle.len -= at;
    }
}

static bool all_up_through_middle(void *swarm, void *unused) {
    middle_pass(swarm);
    return swarm_is_up(swarm, unused);
}

static bool node_0_rejected(void *swarm, void *wanted) {
    middle_pass(swarm);
    return links_peer_stats(((struct swarm *)swarm)->node[0].links, 1).rejected >= *(uint64_t *)wanted;
}

static void replayed_and_altered_transport_is_dropped_and_the_link_lives_on(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    middle_open();
    middle_alters = middle_repeats = false;
    struct links_member member = {.address = NULL}; /* node 0 is dialled, and does not dial */
    memcpy(member.key, s.node[1].keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(s.node[0].links, 1, &member), OK);
    member.address = middle.address;
    memcpy(member.key, s.node[0].keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(s.node[1].links, 0, &member), OK);
    swarm_await(&s, all_up_through_middle, NULL);
    assert_true(middle.datagrams > 0);

    uint64_t wanted = links_peer_stats(s.node[0].links, 1).rejected;
    s.node[0].messages = 0;
    middle_repeats = true;
    assert_int_equal(links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("once")), OK);
    wanted++;
    swarm_await(&s, node_0_rejected, &wanted);
    assert_int_equal(s.node[0].messages, 1);

    middle_repeats = false;
    middle_alters = true;
    assert_int_equal(links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("altered")), OK);
    wanted++;
    swarm_await(&s, node_0_rejected, &wanted);
    assert_int_equal(s.node[0].messages, 1);

    middle_alters = false;
    assert_int_equal(links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("whole")), OK);
    while (s.node[0].messages < 2) {
        middle_pass(&s);
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
    }
    assert_memory_equal(s.node[0].last, "whole", 5);
    assert_true(links_peer_stats(s.node[0].links, 1).up);
    swarm_stop(&s);
    middle_close();
}

static size_t resident_kib(void) {
    long pages = 0, ignored = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    int n = f == NULL ? 0 : fscanf(f, "%ld %ld", &ignored, &pages);
    if (f != NULL) {
        (void)fclose(f);
    }
    return n == 2 ? (size_t)pages * 4 : 0;
}

static bool descriptors_are_back(void *swarm, void *wanted) {
    (void)swarm;
    return descriptors_open() <= *(size_t *)wanted;
}

static void throw_raw(uint16_t port, bool polite) {
    int fd = loopback_connect(0, port);
    static uint8_t noise[64 * 1024];
    random_fill(noise, sizeof noise);
    if (polite) { /* a length that fits, and the kind of what may come first */
        store_u32(noise, SESSION_INITIATION_LEN);
        noise[WIRE_LENGTH_LEN] = SESSION_INITIATION;
    }
    (void)!send(fd, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

static void random_bytes_at_the_port_neither_harm_nor_grow_anything(void **state) {
    (void)state;
    static struct swarm s;
    swarm_start(&s, 2);
    swarm_await_up(&s);
    for (int i = 0; i < 100; i++) {
        throw_raw(s.node[0].port, i % 2 == 0);
    }
    swarm_turn(&s, 200);
    size_t wanted = descriptors_open() + 8, memory = resident_kib();
    for (int i = 0; i < 600; i++) {
        throw_raw(s.node[0].port, i % 2 == 0);
        (void)uv_run(&s.loop, UV_RUN_NOWAIT);
    }
    swarm_await(&s, descriptors_are_back, &wanted);
    assert_true(resident_kib() <= memory + 8 * 1024);
    assert_true(swarm_is_up(&s, NULL));
    s.node[0].messages = 0;
    assert_int_equal(links_send(s.node[1].links, 0, FRAME_CONSENSUS, 0, bytes_str("fine")), OK);
    swarm_await_messages(&s, 0, 1);
    swarm_stop(&s);
}

static void the_oldest_stranger_goes_for_the_newest(void **state) {
    (void)state;
    static struct swarm s;
    int many[20];
    swarm_start(&s, 2);
    swarm_await_up(&s);
    swarm_turn(&s, 300);
    for (size_t i = 0; i < 20; i++) {
        many[i] = loopback_connect(0, s.node[0].port);
        swarm_turn(&s, 5);
    }
    swarm_await_count(&s, cut, 4);
    assert_true(links_stats(s.node[0].links).connections <= 16);
    assert_true(loopback_has_ended(many[0]));
    assert_false(loopback_has_ended(many[19]));
    assert_true(swarm_is_up(&s, NULL));
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(close(many[i]), 0);
    }
    swarm_stop(&s);
}

static uint64_t connections(struct links_stats stats) {
    return stats.connections;
}

static void limits_of_connections_follow_the_members_there_are(void **state) {
    (void)state;
    static struct swarm s;
    swarm_init(&s, 1);
    swarm_open_node_with(&s, 0, (struct links_config){.self = 200, .listen = "127.0.0.1:0"});
    assert_int_equal(links_attach(s.node[0].links, &s.loop), OK);
    int many[60];
    for (size_t i = 0; i < 30; i++) {
        many[i] = loopback_connect(0, links_port(s.node[0].links));
    }
    swarm_await_count(&s, cut, 14);
    assert_true(links_stats(s.node[0].links).connections <= 16);
    struct links_member member = {.address = NULL};
    for (size_t i = 0; i < 30; i++) {
        random_fill(member.key, sizeof member.key);
        assert_int_equal(links_set_member(s.node[0].links, i, &member), OK);
    }
    for (size_t i = 30; i < 60; i++) {
        many[i] = loopback_connect(0, links_port(s.node[0].links));
    }
    swarm_await_count(&s, connections, 30);
    for (size_t i = 0; i < 60; i++) {
        assert_int_equal(close(many[i]), 0);
    }
    swarm_stop(&s);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_gets_nothing),
        cmocka_unit_test(whoever_claims_a_members_key_without_its_secret_is_refused),
        cmocka_unit_test(a_session_counts_on_its_own_connection_alone),
        cmocka_unit_test(an_initiation_seen_before_is_refused_and_evicts_nobody),
        cmocka_unit_test(garbage_and_altered_handshakes_cut_the_connection_before_any_arithmetic),
        cmocka_unit_test(replayed_and_altered_transport_is_dropped_and_the_link_lives_on),
        cmocka_unit_test(random_bytes_at_the_port_neither_harm_nor_grow_anything),
        cmocka_unit_test(the_oldest_stranger_goes_for_the_newest),
        cmocka_unit_test(limits_of_connections_follow_the_members_there_are),
    };
    int failed = cmocka_run_group_tests_name("links and strangers", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
