#include "tests/lib/hand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/net/wire.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOW_KEYS 0x0f /* highest first byte of a node's key */

/* ---- The node ---------------------------------------------------------------------------------------------------- */

static void on_message(void *ctx, size_t member, struct bytes message) {
    struct hand_node *n = ctx;
    n->messages[member]++;
    n->last_len = message.len;
}

static void on_up(void *ctx, size_t member) {
    struct hand_node *n = ctx;
    (void)member;
    n->ups++;
}

static void on_down(void *ctx, size_t member) {
    struct hand_node *n = ctx;
    (void)member;
    n->downs++;
    if (n->on_down != NULL) {
        n->on_down(n);
    }
}

static void make_keys(struct noise_keys *keys, bool low) {
    do {
        x25519_keypair(keys->public_key, keys->secret);
    } while ((keys->public_key[0] <= LOW_KEYS) != low);
}

static void open_links(struct hand_node *n, uv_loop_t *loop, size_t number, const char *listen,
                       size_t max_connections) {
    struct links_config config = {.self = number, .listen = listen, .max_connections = max_connections};
    memcpy(config.link_secret, n->keys.secret, X25519_LEN);
    memcpy(config.psk, n->psk, sizeof config.psk);
    const struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = n};
    assert_int_equal(links_open(&config, &ops, &n->links), OK);
    assert_int_equal(links_attach(n->links, loop), OK);
}

void hand_node_start_with(struct hand_node *n, const char *listen, size_t max_connections) {
    memset(n, 0, sizeof *n);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    random_fill(n->psk, sizeof n->psk);
    make_keys(&n->keys, true);
    open_links(n, &n->loop, HAND_NODE_NUMBER, listen, max_connections);
}

void hand_node_start(struct hand_node *n) {
    hand_node_start_with(n, "0.0.0.0:0", 0);
}

void hand_node_open_beside(struct hand_node *n, struct hand_node *first, size_t number, const char *listen) {
    memset(n, 0, sizeof *n);
    memcpy(n->psk, first->psk, sizeof n->psk);
    make_keys(&n->keys, false);
    open_links(n, &first->loop, number, listen, 0);
}

void hand_node_stop(struct hand_node *n) {
    links_close(n->links);
    (void)uv_run(&n->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->loop), 0);
}

bool hand_await_ms(struct hand_node *n, bool (*condition)(void *node, void *arg), void *arg, uint64_t limit_ms) {
    return loopback_turn(&n->loop, condition, n, arg, limit_ms);
}

void hand_await(struct hand_node *n, bool (*condition)(void *node, void *arg), void *arg) {
    assert_true(hand_await_ms(n, condition, arg, LOOPBACK_DEADLINE_MS));
}

void hand_turn(struct hand_node *n, uint64_t ms) {
    (void)hand_await_ms(n, loopback_never, NULL, ms);
}

void hand_let_threads_run(void) {
    const struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&moment, NULL);
}

/* ---- Hands ------------------------------------------------------------------------------------------------------- */

void hand_make(struct hand_node *n, struct hand *h, size_t number, const char *address) {
    struct noise_keys keys;
    memset(h, 0, sizeof *h);
    h->number = number;
    h->host = 1;
    h->fd = -1;
    make_keys(&keys, false);
    session_self_init(&h->self, keys.secret, n->psk);
    session_init(&h->session, &h->self, 7, n->keys.public_key);
    struct links_member member = {.address = address};
    memcpy(member.key, keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(n->links, number, &member), OK);
}

void hand_connect(struct hand_node *n, struct hand *h) {
    h->fd = loopback_connect(h->host, links_port(n->links));
    h->len = 0;
}

void hand_initiate(struct hand *h) {
    assert_int_equal(session_initiate(&h->session, clock_wall_ms(), h->initiation), OK);
    loopback_send_frame(h->fd, h->initiation, sizeof h->initiation);
}

size_t hand_hear(struct hand *h, uint8_t *out) {
    ssize_t n = recv(h->fd, h->held + h->len, sizeof h->held - h->len, MSG_DONTWAIT);
    h->len += n > 0 ? (size_t)n : 0;
    size_t len = h->len >= WIRE_LENGTH_LEN ? load_u32(h->held) : 0;
    if (len == 0 || h->len < WIRE_LENGTH_LEN + len) {
        return 0;
    }
    memcpy(out, h->held + WIRE_LENGTH_LEN, len);
    h->len -= WIRE_LENGTH_LEN + len;
    memmove(h->held, h->held + WIRE_LENGTH_LEN + len, h->len);
    return len;
}

static bool is_answered(struct hand *h) {
    uint8_t said[SESSION_DATAGRAM_MAX];
    size_t len = hand_hear(h, said);
    return len == SESSION_ANSWER_LEN && session_finish(&h->session, bytes_of(said, len), clock_mono_ms()) == OK;
}

static void say_sealed(struct hand *h, struct bytes plain) {
    uint8_t datagram[SESSION_DATAGRAM_MAX];
    memcpy(datagram + SESSION_HEADER_LEN, plain.data, plain.len);
    assert_int_equal(session_seal(&h->session, clock_mono_ms(), datagram, plain.len), OK);
    loopback_send_frame(h->fd, datagram, SESSION_HEADER_LEN + plain.len + AEAD_TAG_LEN);
}

void hand_say_alive(struct hand *h) {
    say_sealed(h, bytes_of("", 0));
}

void hand_say_message(struct hand *h, size_t len) {
    uint8_t frame[SESSION_PLAIN_MAX] = {FRAME_CONSENSUS};
    store_u16(frame + 1, (uint16_t)len);
    say_sealed(h, bytes_of(frame, FRAME_WHOLE_HEADER + len));
}

void hand_visit(struct hand_node *n, struct hand *h) {
    bool answered = false;
    if (h->fd < 0) {
        hand_connect(n, h);
    }
    hand_initiate(h);
    for (uint64_t until = clock_mono_ms() + LOOPBACK_DEADLINE_MS; !answered && clock_mono_ms() < until;) {
        (void)uv_run(&n->loop, UV_RUN_NOWAIT);
        answered = is_answered(h);
    }
    assert_true(answered);
}

void hand_meet(struct hand_node *n, struct hand *h) {
    hand_visit(n, h);
    hand_say_alive(h);
    hand_await(n, hand_is_up, h);
}

void hand_leave(struct hand *h) {
    assert_int_equal(close(h->fd), 0);
    h->fd = -1;
}

bool hand_is_up(void *node, void *hand) {
    return links_peer_stats(((struct hand_node *)node)->links, ((struct hand *)hand)->number).up;
}

bool hand_is_down(void *node, void *hand) {
    return !hand_is_up(node, hand);
}

bool hand_has_ended(void *node, void *hand) {
    (void)node;
    return loopback_has_ended(((struct hand *)hand)->fd);
}

void hand_listen(struct hand_listener *l, uint16_t port, struct hand *h) {
    l->fd = loopback_listen(port, l->address);
    l->hand = h;
    h->fd = -1;
}

bool hand_was_dialled(void *node, void *listener) {
    const struct hand_listener *l = listener;
    (void)node;
    l->hand->fd = l->hand->fd >= 0 ? l->hand->fd : accept(l->fd, NULL, NULL);
    return l->hand->fd >= 0;
}

void hand_await_attempt(struct hand_node *n, struct hand_listener *l) {
    uint8_t said[SESSION_DATAGRAM_MAX];
    hand_await(n, hand_was_dialled, l);
    l->hand->len = 0;
    while (hand_hear(l->hand, said) != SESSION_INITIATION_LEN) {
        (void)uv_run(&n->loop, UV_RUN_NOWAIT);
    }
}

/* The descriptor under the node's end of a connection. */
static int node_end_of(int fd) {
    struct sockaddr_in ours, theirs;
    socklen_t len = sizeof ours;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&ours, &len), 0);
    for (int i = 0; i < 1024; i++) {
        len = sizeof theirs;
        if (i != fd && getpeername(i, (struct sockaddr *)&theirs, &len) == 0 && theirs.sin_family == AF_INET &&
            theirs.sin_port == ours.sin_port) {
            return i;
        }
    }
    fail_msg("no such connection");
    return -1;
}

void hand_break_writing(const struct hand *h) {
    assert_int_equal(shutdown(node_end_of(h->fd), SHUT_WR), 0);
}
