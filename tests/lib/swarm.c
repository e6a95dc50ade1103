#include "tests/lib/swarm.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/sha256.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static void on_message(void *ctx, size_t member, struct bytes message) {
    struct swarm_node *n = ctx;
    n->messages++;
    n->bytes += message.len;
    n->last_from = member;
    memcpy(n->last, message.data, message.len < sizeof n->last ? message.len : sizeof n->last);
    for (size_t i = sizeof n->last; i < message.len; i++) {
        n->wrong |= message.data[i] != (uint8_t)message.len;
    }
    if (n->echo) {
        (void)!links_send(n->links, member, FRAME_CONSENSUS, 0, message);
    }
}

static void on_up(void *ctx, size_t member) {
    struct swarm_node *n = ctx;
    (void)member;
    n->ups++;
}

static void on_down(void *ctx, size_t member) {
    struct swarm_node *n = ctx;
    (void)member;
    n->downs++;
}

void swarm_init(struct swarm *s, size_t count) {
    const uint8_t chain[SHA256_LEN] = {1};
    memset(s, 0, sizeof *s);
    s->count = count;
    assert_int_equal(uv_loop_init(&s->loop), 0);
    links_psk(chain, bytes_str("swarm"), s->psk);
    for (size_t i = 0; i < count; i++) {
        x25519_keypair(s->node[i].keys.public_key, s->node[i].keys.secret);
    }
}

void swarm_open_node_with(struct swarm *s, size_t i, struct links_config config) {
    struct swarm_node *n = &s->node[i];
    memcpy(config.link_secret, n->keys.secret, X25519_LEN);
    memcpy(config.psk, s->psk, sizeof config.psk);
    struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = n};
    assert_int_equal(links_open(&config, &ops, &n->links), OK);
    n->port = links_port(n->links);
    (void)snprintf(n->address, sizeof n->address, "127.0.0.1:%u", n->port);
}

void swarm_open_node(struct swarm *s, size_t i, uint16_t port) {
    char listen[LOOPBACK_ADDRESS_MAX];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", port);
    swarm_open_node_with(
        s, i,
        (struct links_config){.self = i, .listen = listen, .max_connections = 24, .max_connections_per_address = 16});
}

enum err swarm_tell(struct swarm *s, size_t to, size_t number, size_t about) {
    struct links_member member = {.address = s->node[about].address};
    memcpy(member.key, s->node[about].keys.public_key, X25519_LEN);
    return links_set_member(s->node[to].links, number, &member);
}

void swarm_introduce(struct swarm *s, size_t i) {
    for (size_t j = 0; j < s->count; j++) {
        assert_int_equal(swarm_tell(s, i, j, j), OK);
    }
    assert_int_equal(links_attach(s->node[i].links, &s->loop), OK);
}

void swarm_start_at(struct swarm *s, size_t count, uint16_t port) {
    swarm_init(s, count);
    for (size_t i = 0; i < count; i++) {
        swarm_open_node(s, i, i == 1 ? port : 0);
    }
    for (size_t i = 0; i < count; i++) {
        swarm_introduce(s, i);
    }
}

void swarm_start(struct swarm *s, size_t count) {
    swarm_start_at(s, count, 0);
}

void swarm_stop_node(struct swarm *s, size_t i) {
    links_close(s->node[i].links);
    s->node[i].links = NULL;
}

void swarm_stop(struct swarm *s) {
    for (size_t i = 0; i < s->count; i++) {
        swarm_stop_node(s, i);
    }
    (void)uv_run(&s->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&s->loop), 0);
}

void swarm_initiation(struct swarm *s, const struct noise_keys *keys, uint64_t when_ms,
                      uint8_t out[SESSION_INITIATION_LEN]) {
    struct session_self self;
    session_self_init(&self, keys->secret, s->psk);
    self.keys = *keys;
    struct session session;
    session_init(&session, &self, 0, s->node[0].keys.public_key);
    assert_int_equal(session_initiate(&session, when_ms, out), OK);
    session_close(&session);
}

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

void swarm_await(struct swarm *s, bool (*condition)(void *swarm, void *arg), void *arg) {
    assert_true(loopback_turn(&s->loop, condition, s, arg, LOOPBACK_DEADLINE_MS));
}

bool swarm_is_up(void *swarm, void *unused) {
    const struct swarm *s = swarm;
    (void)unused;
    for (size_t i = 0; i < s->count; i++) {
        for (size_t j = 0; j < s->count; j++) {
            if (i != j && s->node[i].links != NULL && s->node[j].links != NULL &&
                !links_peer_stats(s->node[i].links, j).up) {
                return false;
            }
        }
    }
    return true;
}

void swarm_await_up(struct swarm *s) {
    swarm_await(s, swarm_is_up, NULL);
}

struct wanted {
    size_t node;
    uint64_t count;
    uint64_t (*what)(struct links_stats stats);
};

static bool has_messages(void *swarm, void *arg) {
    const struct wanted *w = arg;
    return ((struct swarm *)swarm)->node[w->node].messages >= w->count;
}

void swarm_await_messages(struct swarm *s, size_t i, size_t count) {
    swarm_await(s, has_messages, &(struct wanted){.node = i, .count = count});
}

static bool has_counted(void *swarm, void *arg) {
    const struct wanted *w = arg;
    return w->what(links_stats(((struct swarm *)swarm)->node[0].links)) >= w->count;
}

void swarm_await_count(struct swarm *s, uint64_t (*what)(struct links_stats stats), uint64_t count) {
    swarm_await(s, has_counted, &(struct wanted){.count = count, .what = what});
}

static bool is_cut(void *swarm, void *fd) {
    (void)swarm;
    return loopback_has_ended(*(int *)fd);
}

void swarm_await_cut(struct swarm *s, int fd) {
    swarm_await(s, is_cut, &fd);
    assert_int_equal(close(fd), 0);
}

void swarm_turn(struct swarm *s, uint64_t ms) {
    (void)loopback_turn(&s->loop, loopback_never, NULL, NULL, ms);
}
