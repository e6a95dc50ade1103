/* Names and addresses to listen at and to dial. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/net/link_internal.h"
#include "node/net/wire.h"
#include "tests/lib/hand.h"
#include "tests/unit/node/nng_threads.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The system's, but for names that end so: they hang until they may go on, and then nobody knows them. */
#define SLOW_NAME ".slow"
#define SLOW_NAMES 9

static atomic_uint slow_now, slow_most, slow_asked[SLOW_NAMES];
static atomic_bool slow_may_end;

static void hang(unsigned which) {
    const struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    unsigned now = atomic_fetch_add(&slow_now, 1) + 1, most = atomic_load(&slow_most);
    while (now > most && !atomic_compare_exchange_weak(&slow_most, &most, now)) {
    }
    (void)atomic_fetch_add(&slow_asked[which % SLOW_NAMES], 1);
    do {
        (void)nanosleep(&moment, NULL);
    } while (!atomic_load(&slow_may_end));
    (void)atomic_fetch_sub(&slow_now, 1);
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict res) {
    int (*system_s)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    unsigned which;
    if (node != NULL && strstr(node, SLOW_NAME) != NULL && sscanf(node, "m%u", &which) == 1) {
        hang(which);
        return EAI_AGAIN;
    }
    void *found = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&system_s, &found, sizeof found);
    return system_s(node, service, hints, res);
}

static bool all_were_asked(void *node, void *times) {
    (void)node;
    for (size_t i = 1; i < SLOW_NAMES; i++) {
        if (atomic_load(&slow_asked[i]) < *(unsigned *)times) {
            return false;
        }
    }
    return true;
}

static void names_that_resolve_slowly_hold_up_no_address_and_each_gets_its_turn(void **state) {
    (void)state;
    static struct hand_node n;
    static struct hand named[SLOW_NAMES];
    static struct hand late;
    struct hand_listener listener;
    hand_listen(&listener, 0, &late);
    hand_node_start(&n);
    atomic_store(&slow_may_end, false);
    for (unsigned i = 1; i < SLOW_NAMES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m%u" SLOW_NAME ":26600", i);
        hand_make(&n, &named[i], i, name);
    }
    hand_turn(&n, 300);
    assert_true(atomic_load(&slow_now) > 0);
    hand_make(&n, &late, SLOW_NAMES, listener.address);
    hand_await(&n, hand_was_dialled, &listener);
    hand_leave(&late);
    assert_true(atomic_load(&slow_most) < SLOW_NAMES - 1);
    atomic_store(&slow_may_end, true);
    hand_await(&n, all_were_asked, (unsigned[]){2});
    assert_int_equal(close(listener.fd), 0);
    hand_node_stop(&n);
    while (atomic_load(&slow_now) > 0) {
        hand_let_threads_run();
    }
}

static uint64_t address_seen_at(const char *url, int family, const char *host) {
    nng_stream_listener *listener;
    nng_aio *accept_one;
    struct wire_hub *hub = wire_hub_new(NULL, NULL);
    struct wire *wire;
    int port;
    if (nng_stream_listener_alloc(&listener, url) != 0) {
        return 0;
    }
    assert_int_equal(nng_aio_alloc(&accept_one, NULL, NULL), 0);
    uint64_t seen = 0;
    if (nng_stream_listener_listen(listener) == 0) {
        assert_int_equal(nng_stream_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
        nng_stream_listener_accept(listener, accept_one);
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
        int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        void *into = family == AF_INET ? (void *)&v4.sin_addr : (void *)&v6.sin6_addr;
        assert_int_equal(inet_pton(family, host, into), 1);
        if (connect(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
                    family == AF_INET ? sizeof v4 : sizeof v6) == 0) {
            nng_aio_wait(accept_one);
            assert_int_equal(wire_new(hub, nng_aio_get_output(accept_one, 0), 100, &wire), OK);
            seen = wire_address(wire);
            wire_close(wire);
        }
        assert_int_equal(close(fd), 0);
    }
    nng_stream_listener_close(listener);
    nng_aio_free(accept_one);
    nng_stream_listener_free(listener);
    wire_hub_unref(hub);
    return seen;
}

static bool has_ipv6(void) {
    const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof at) == 0;
    (void)close(fd);
    return has;
}

static void an_address_is_the_same_however_its_socket_shows_it(void **state) {
    (void)state;
    uint64_t plain = address_seen_at("tcp://127.0.0.1:0", AF_INET, "127.0.0.1");
    assert_true(plain != 0);
    if (!has_ipv6()) {
        print_message("no IPv6 here\n");
        skip();
    }
    assert_true(address_seen_at("tcp://[::]:0", AF_INET, "127.0.0.1") == plain); /* ::ffff:127.0.0.1 */
}

static bool both_up(void *node, void *other) {
    return links_peer_stats(((struct hand_node *)node)->links, 1).up &&
           links_peer_stats(((struct hand_node *)other)->links, HAND_NODE_NUMBER).up;
}

/* Two nodes on one loop, the second of which dials the first at this host. */
static void nodes_meet_at(const char *listen_host, const char *dial_host) {
    static struct hand_node n, m;
    char at[64];
    (void)snprintf(at, sizeof at, "%s:0", listen_host);
    hand_node_start_with(&n, at, 0);
    hand_node_open_beside(&m, &n, 1, at);
    struct links_member member = {.address = NULL};
    memcpy(member.key, m.keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(n.links, 1, &member), OK);
    (void)snprintf(at, sizeof at, "%s:%u", dial_host, links_port(n.links));
    member.address = at;
    memcpy(member.key, n.keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(m.links, HAND_NODE_NUMBER, &member), OK);
    hand_await(&n, both_up, &m);
    links_close(m.links);
    hand_node_stop(&n);
}

static void names_and_ipv6_are_addresses_to_listen_at_and_to_dial(void **state) {
    (void)state;
    nodes_meet_at("127.0.0.1", "127.0.0.1");
    nodes_meet_at("localhost", "localhost");
    nodes_meet_at("127.0.0.1", "localhost"); /* where that is ::1 as well, the other is next */
    if (has_ipv6()) {
        nodes_meet_at("[::1]", "[::1]");
        nodes_meet_at("[::]", "127.0.0.1");
        nodes_meet_at("[::]", "[::1]");
    }
}

static void an_address_to_listen_at_needs_a_port(void **state) {
    (void)state;
    static const char *const bad[] = {"127.0.0.1", "127.0.0.1:", ":0", "", "nothing", "[::1]"};
    const struct links_ops ops = {0};
    struct links_config config = {.self = 0};
    struct links *links = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.listen = bad[i];
        assert_int_equal(links_open(&config, &ops, &links), ERR_CONFIG);
    }
}

static void dead_addresses_are_dialled_seldom(void **state) {
    (void)state;
    const uint64_t now = 10000000;
    assert_int_equal(link_redial_most(now - 1000, false, now), LINKS_REDIAL_MAX_MS);
    assert_int_equal(link_redial_most(now - LINKS_REDIAL_LOST_MS, false, now), LINKS_REDIAL_LOST_MAX_MS);
    assert_int_equal(link_redial_most(0, false, now), LINKS_REDIAL_LOST_MAX_MS);
    assert_int_equal(link_redial_most(now, true, now), LINKS_REDIAL_NAME_MAX_MS);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_resolve_slowly_hold_up_no_address_and_each_gets_its_turn),
        cmocka_unit_test(an_address_is_the_same_however_its_socket_shows_it),
        cmocka_unit_test(names_and_ipv6_are_addresses_to_listen_at_and_to_dial),
        cmocka_unit_test(an_address_to_listen_at_needs_a_port),
        cmocka_unit_test(dead_addresses_are_dialled_seldom),
    };
    int failed = cmocka_run_group_tests_name("links and names", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
