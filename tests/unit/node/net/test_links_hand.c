/* One node, and members made by hand: what no node of ours would do is done to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/descriptors.h"
#include "node/net/door.h"
#include "node/net/links.h"
#include "node/net/wire.h"
#include "tests/lib/listen_port.h"
#include "tests/unit/node/nng_threads.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define OWN_NUMBER 0
#define DEADLINE_MS 60000 /* for events; a busy machine is slow */
#define TRIES 5           /* where a busy machine may spoil one, and a mistake spoils all */
#define MEMBERS 16

struct node {
    uv_loop_t loop;
    struct links *links;
    uint8_t psk[NOISE_KEY_LEN];
    struct noise_keys keys;
    size_t ups, downs;
    size_t messages[MEMBERS]; /* of each member */
    size_t last_len;
    void (*on_down)(struct node *n);
};

/* A member: its keys, its session with the node, and the connection under it. */
struct hand {
    size_t number;
    struct session_self self;
    struct session session;
    unsigned host; /* it connects from there */
    int fd;
    uint8_t initiation[SESSION_INITIATION_LEN]; /* the last one */
    uint8_t held[128 * 1024];                   /* what has come, frames that are not whole yet */
    size_t len;
};

/* ---- The node ---------------------------------------------------------------------------------------------------- */

static void on_message(void *ctx, size_t member, struct bytes message) {
    struct node *n = ctx;
    n->messages[member]++;
    n->last_len = message.len;
}

static void on_up(void *ctx, size_t member) {
    struct node *n = ctx;
    (void)member;
    n->ups++;
}

static void on_down(void *ctx, size_t member) {
    struct node *n = ctx;
    (void)member;
    n->downs++;
    if (n->on_down != NULL) {
        n->on_down(n);
    }
}

/* It has the lowest key there is for our purposes: where both begin at once, it has precedence. */
static void low_keys(struct noise_keys *keys) {
    do {
        x25519_keypair(keys->public_key, keys->secret);
    } while (keys->public_key[0] > 0x0f);
}

static void high_keys(struct noise_keys *keys) {
    do {
        x25519_keypair(keys->public_key, keys->secret);
    } while (keys->public_key[0] <= 0x0f);
}

static void start_with(struct node *n, const char *listen, size_t max_connections) {
    memset(n, 0, sizeof *n);
    assert_int_equal(uv_loop_init(&n->loop), 0);
    random_fill(n->psk, sizeof n->psk);
    low_keys(&n->keys);
    struct links_config config = {.self = OWN_NUMBER, .listen = listen, .max_connections = max_connections};
    memcpy(config.link_secret, n->keys.secret, X25519_LEN);
    memcpy(config.psk, n->psk, sizeof config.psk);
    struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = n};
    assert_int_equal(links_open(&config, &ops, &n->links), OK);
    assert_int_equal(links_attach(n->links, &n->loop), OK);
}

static void start(struct node *n) {
    start_with(n, "0.0.0.0:0", 0);
}

static void stop(struct node *n) {
    links_close(n->links);
    (void)uv_run(&n->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&n->loop), 0);
}

static void nothing(uv_timer_t *timer) {
    (void)timer;
}

/* Turns the loop until the condition holds or the time is up. */
static bool await_ms(struct node *n, bool (*condition)(struct node *n, void *arg), void *arg, uint64_t limit_ms) {
    uv_timer_t waker;
    (void)uv_timer_init(&n->loop, &waker);
    (void)uv_timer_start(&waker, nothing, 5, 5);
    uint64_t until = clock_mono_ms() + limit_ms;
    while (!condition(n, arg) && clock_mono_ms() < until) {
        (void)uv_run(&n->loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&waker, NULL);
    (void)uv_run(&n->loop, UV_RUN_NOWAIT);
    return condition(n, arg);
}

static void await(struct node *n, bool (*condition)(struct node *n, void *arg), void *arg) {
    assert_true(await_ms(n, condition, arg, DEADLINE_MS));
}

static bool never(struct node *n, void *arg) {
    (void)n;
    (void)arg;
    return false;
}

/* nng's threads do what there is to do; the loop does not turn. */
static void let_threads_run(void) {
    const struct timespec moment = {.tv_nsec = 200 * 1000 * 1000};
    (void)nanosleep(&moment, NULL);
}

static bool is_up(struct node *n, void *hand) {
    return links_peer_stats(n->links, ((struct hand *)hand)->number).up;
}

static bool is_down(struct node *n, void *hand) {
    return !is_up(n, hand);
}

/* ---- The hands --------------------------------------------------------------------------------------------------- */

static void say(const struct hand *h, const uint8_t *datagram, size_t len) {
    uint8_t frame[WIRE_LENGTH_LEN + SESSION_DATAGRAM_MAX];
    store_u32(frame, (uint32_t)len);
    memcpy(frame + WIRE_LENGTH_LEN, datagram, len);
    (void)!send(h->fd, frame, WIRE_LENGTH_LEN + len, MSG_NOSIGNAL);
}

/* A whole frame, if there is one: its length, else 0. */
static size_t hear(struct hand *h, uint8_t *out) {
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

/* From 127.0.0.0 and so much. */
static int connect_from(unsigned host, uint16_t port) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    from.sin_addr.s_addr = htonl(0x7f000000u + host);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* The node hears of it; at this address, NULL: it dials. */
static void make(struct node *n, struct hand *h, size_t number, const char *address) {
    struct noise_keys keys;
    memset(h, 0, sizeof *h);
    h->number = number;
    h->host = 1;
    h->fd = -1;
    high_keys(&keys);
    session_self_init(&h->self, keys.secret, n->psk);
    session_init(&h->session, &h->self, 7, n->keys.public_key);
    struct links_member member = {.address = address};
    memcpy(member.key, keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(n->links, number, &member), OK);
}

static void initiate(struct hand *h) {
    assert_int_equal(session_initiate(&h->session, clock_wall_ms(), h->initiation), OK);
    say(h, h->initiation, sizeof h->initiation);
}

static bool is_answered(struct node *n, void *arg) {
    struct hand *h = arg;
    uint8_t said[SESSION_DATAGRAM_MAX];
    (void)n;
    size_t len = hear(h, said);
    return len == SESSION_ANSWER_LEN && session_finish(&h->session, bytes_of(said, len), clock_mono_ms()) == OK;
}

/* A sign of life, or what stands in `plain`. */
static void say_sealed(struct hand *h, struct bytes plain) {
    uint8_t datagram[SESSION_DATAGRAM_MAX];
    memcpy(datagram + SESSION_HEADER_LEN, plain.data, plain.len);
    assert_int_equal(session_seal(&h->session, clock_mono_ms(), datagram, plain.len), OK);
    say(h, datagram, SESSION_HEADER_LEN + plain.len + AEAD_TAG_LEN);
}

static void say_alive(struct hand *h) {
    say_sealed(h, bytes_of("", 0));
}

/* A message of `len` bytes, alone in its datagram. */
static void say_message(struct hand *h, size_t len) {
    uint8_t frame[SESSION_PLAIN_MAX] = {FRAME_CONSENSUS};
    store_u16(frame + 1, (uint16_t)len);
    say_sealed(h, bytes_of(frame, FRAME_WHOLE_HEADER + len));
}

/* Connects and begins; the node has answered, and nothing is confirmed. */
static void visit(struct node *n, struct hand *h) {
    bool answered = false;
    if (h->fd < 0) {
        h->fd = connect_from(h->host, links_port(n->links));
        h->len = 0;
    }
    initiate(h);
    for (uint64_t until = clock_mono_ms() + DEADLINE_MS; !answered && clock_mono_ms() < until;) {
        (void)uv_run(&n->loop, UV_RUN_NOWAIT);
        answered = is_answered(n, h);
    }
    assert_true(answered);
}

static void meet(struct node *n, struct hand *h) {
    visit(n, h);
    say_alive(h);
    await(n, is_up, h);
}

static void leave(struct hand *h) {
    assert_int_equal(close(h->fd), 0);
    h->fd = -1;
}

/* A listener of a hand's, and the connection that the node made to it. */
static int listen_at(uint16_t port, char address[32]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof at;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(address, 32, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

static struct hand late;

static bool was_dialled(struct node *n, void *listener) {
    (void)n;
    late.fd = late.fd >= 0 ? late.fd : accept(*(int *)listener, NULL, NULL);
    return late.fd >= 0;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

struct deafness {
    struct hand *hand;
    uint64_t said_ms;
    size_t turns;
};

static void count_turn(uv_prepare_t *prepare) {
    ++*(size_t *)prepare->data;
}

static bool gave_up_talking(struct node *n, void *arg) {
    struct deafness *d = arg;
    if (clock_mono_ms() >= d->said_ms + LINKS_KEEPALIVE_MS / 6) {
        say_alive(d->hand);
        d->said_ms = clock_mono_ms();
    }
    return is_down(n, d->hand);
}

static void whoever_talks_and_does_not_read_is_lost_and_costs_little_until_then(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    static uint8_t big[1024 * 1024];
    start(&n);
    make(&n, &h, 1, NULL);
    meet(&n, &h);
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

    assert_true(await_ms(&n, gave_up_talking, &d, DEADLINE_MS));
    assert_true(clock_mono_ms() - begun >= LINKS_SILENT_MS / 2);
    leave(&h);
    stop(&n);
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

/* Writes fail from now on; what is read does not end. */
static void break_writing(const struct hand *h) {
    assert_int_equal(shutdown(node_end_of(h->fd), SHUT_WR), 0);
}

static void a_connection_that_breaks_on_writing_is_lost_at_once(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    bool at_once = false;
    start(&n);
    make(&n, &h, 1, NULL);
    for (int i = 0; i < TRIES && !at_once; i++) {
        meet(&n, &h);
        break_writing(&h);
        assert_int_equal(links_send(n.links, 1, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
        at_once = await_ms(&n, is_down, &h, LINKS_KEEPALIVE_MS / 2);
        await(&n, is_down, &h);
        leave(&h);
    }
    assert_true(at_once);
    stop(&n);
}

/* ---- Guests ------------------------------------------------------------------------------------------------------ */

static bool has_ended(struct node *n, void *arg) {
    const struct hand *h = arg;
    uint8_t bytes[4096];
    (void)n;
    ssize_t got = recv(h->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static void a_member_holds_one_place_without_a_session(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    start(&n);
    make(&n, &h, 1, NULL);
    for (int i = 0; i < 5; i++) {
        int before = h.fd;
        h.fd = -1;
        visit(&n, &h);
        if (before >= 0) {
            struct hand older = {.fd = before};
            await(&n, has_ended, &older);
            leave(&older);
        }
        assert_int_equal(links_stats(n.links).connections, 1);
    }
    say_alive(&h);
    await(&n, is_up, &h);
    assert_int_equal(links_stats(n.links).connections, 1);
    leave(&h);
    stop(&n);
}

/* Whoever has heard a member's initiation says it again: that takes no place from the member. */
static void an_initiation_said_again_does_not_cut_the_guest_who_said_it_first(void **state) {
    (void)state;
    static struct node n;
    static struct hand h, parrot;
    start(&n);
    make(&n, &h, 1, NULL);
    visit(&n, &h);
    parrot.fd = connect_from(1, links_port(n.links));
    say(&parrot, h.initiation, sizeof h.initiation);
    await(&n, has_ended, &parrot);
    assert_int_equal(links_stats(n.links).replayed, 1);
    say_alive(&h);
    await(&n, is_up, &h);
    leave(&h);
    leave(&parrot);
    stop(&n);
}

/* ---- The door ---------------------------------------------------------------------------------------------------- */

#define PLACES 12u

static bool all_were_seen(struct node *n, void *count) {
    struct links_stats stats = links_stats(n->links);
    return stats.connections + stats.connections_cut + stats.connections_refused >= *(size_t *)count;
}

/* Strangers, each from an address of its own or all from one, after what is there already. */
static void crowd(struct node *n, int *fds, size_t count, unsigned host, bool spread) {
    struct links_stats stats = links_stats(n->links);
    size_t seen = stats.connections + stats.connections_cut + stats.connections_refused;
    for (size_t i = 0; i < count; i++) {
        fds[i] = connect_from(host + (spread ? (unsigned)i : 0), links_port(n->links));
        seen++;
        await(n, all_were_seen, &seen);
    }
}

static void go_away(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(close(fds[i]), 0);
    }
}

static bool has_places(struct node *n, void *places) {
    return links_stats(n->links).connections <= *(size_t *)places;
}

/* It has a connection that has said nothing yet. */
static void come(struct node *n, struct hand *h) {
    size_t seen = links_stats(n->links).connections + 1;
    h->fd = connect_from(h->host, links_port(n->links));
    h->len = 0;
    (void)await_ms(n, all_were_seen, &seen, 100);
}

static void strangers_of_many_addresses_do_not_push_out_a_member_seen_before(void **state) {
    (void)state;
    static struct node n;
    static struct hand h, mover;
    int fds[3 * PLACES];
    start_with(&n, "0.0.0.0:0", PLACES);
    make(&n, &h, 1, NULL);
    make(&n, &mover, 2, NULL);
    h.host = 2;
    meet(&n, &h);
    leave(&h);
    await(&n, is_down, &h);
    /* Another member that is seen at many addresses has one place of its own, whatever it does. */
    for (unsigned i = 0; i < DOOR_ADDRESS_BURST; i++) {
        mover.host = 0x20000 + i;
        meet(&n, &mover);
        leave(&mover);
        await(&n, is_down, &mover);
        (void)await_ms(&n, never, NULL, 2 * DOOR_ALL_MS); /* within what strangers may have looked at */
    }
    come(&n, &h);
    crowd(&n, fds, 3 * PLACES, 0x30000, true);
    meet(&n, &h);
    go_away(fds, 3 * PLACES);
    leave(&h);
    stop(&n);
}

static bool is_throttled(struct node *n, void *before) {
    return links_stats(n->links).throttled > *(uint64_t *)before;
}

/* However many addresses it has. */
static void a_member_comes_and_goes_no_more_often_than_it_may(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    start_with(&n, "0.0.0.0:0", PLACES);
    make(&n, &h, 1, NULL);
    for (unsigned i = 0; i < DOOR_ADDRESS_BURST; i++) {
        h.host = 0x40000 + i;
        meet(&n, &h);
        leave(&h);
        await(&n, is_down, &h);
    }
    uint64_t throttled = links_stats(n.links).throttled;
    h.host = 0x50000;
    come(&n, &h);
    initiate(&h);
    await(&n, is_throttled, &throttled);
    assert_false(links_peer_stats(n.links, 1).up);
    leave(&h);
    stop(&n);
}

static void strangers_of_one_address_push_out_each_other(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    int fds[3 * PLACES];
    start_with(&n, "0.0.0.0:0", PLACES);
    make(&n, &h, 1, NULL);
    h.host = 2;
    come(&n, &h);
    crowd(&n, fds, 3 * PLACES, 3, false);
    meet(&n, &h);
    go_away(fds, 3 * PLACES);
    await(&n, has_places, (size_t[]){1});
    leave(&h);
    stop(&n);
}

/* Their first frame was good, and the ledger's thread is busy. */
static void whoever_waits_to_be_looked_at_makes_place_for_others(void **state) {
    (void)state;
    static struct node n;
    static struct hand h, many[PLACES];
    start_with(&n, "0.0.0.0:0", PLACES);
    make(&n, &h, 1, NULL);
    for (unsigned i = 0; i < PLACES; i++) {
        make(&n, &many[i], 2, NULL); /* the last of them alone stays a member */
        many[i].fd = connect_from(3 + i, links_port(n.links));
        initiate(&many[i]);
    }
    let_threads_run();
    assert_int_equal(links_stats(n.links).connections, PLACES);
    h.fd = connect_from(h.host, links_port(n.links));
    let_threads_run();
    visit(&n, &h);
    for (unsigned i = 0; i < PLACES; i++) {
        leave(&many[i]);
    }
    leave(&h);
    stop(&n);
}

/* As many as there are places for guests, and more, come while the ledger's thread is busy. */
static void whoever_waits_to_be_looked_at_pushes_out_no_guest_who_has_shown_who_it_is(void **state) {
    (void)state;
    static struct node n;
    static struct hand h, stranger;
    enum { MANY = 150 };
    int fds[MANY];
    start_with(&n, "0.0.0.0:0", 2 * MANY);
    make(&n, &h, 1, NULL);
    visit(&n, &h);
    make(&n, &stranger, 2, NULL);
    make(&n, &late, 2, NULL); /* whose place is another's now */
    for (unsigned i = 0; i < MANY; i++) {
        const struct timespec moment = {.tv_nsec = 2 * DOOR_ALL_MS * 1000 * 1000}; /* within what may be looked at */
        stranger.fd = fds[i] = connect_from(3 + i, links_port(n.links));
        initiate(&stranger);
        (void)nanosleep(&moment, NULL);
    }
    let_threads_run();
    assert_int_equal(links_stats(n.links).connections, MANY + 1);
    await(&n, has_places, (size_t[]){1});
    say_alive(&h);
    await(&n, is_up, &h);
    go_away(fds, MANY);
    leave(&h);
    stop(&n);
}

static bool are_given_back(struct node *n, void *arg) {
    (void)n;
    return descriptors_open() <= *(size_t *)arg;
}

static void what_is_closed_gives_its_descriptor_back(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    int fds[3 * PLACES];
    start_with(&n, "0.0.0.0:0", PLACES);
    make(&n, &h, 1, NULL);
    meet(&n, &h);
    size_t before = descriptors_open();
    crowd(&n, fds, 3 * PLACES, 3, false);
    assert_true(descriptors_open() > before + 3 * PLACES);
    go_away(fds, 3 * PLACES);
    await(&n, are_given_back, &before);
    assert_int_equal(links_stats(n.links).connections, 1);
    leave(&h);
    stop(&n);
}

/* ---- Turns ------------------------------------------------------------------------------------------------------- */

static bool all_said(struct node *n, void *members) {
    return n->messages[1] >= ((size_t *)members)[0] && n->messages[2] >= ((size_t *)members)[1];
}

/* However much one has sent, the other is read in the same turn. */
static void who_sends_much_does_not_keep_others_waiting(void **state) {
    (void)state;
    static struct node n;
    static struct hand loud, quiet;
    enum { MANY = 300 };
    start(&n);
    make(&n, &loud, 1, NULL);
    make(&n, &quiet, 2, NULL);
    meet(&n, &loud);
    meet(&n, &quiet);
    for (size_t i = 0; i < MANY; i++) {
        say_message(&loud, 1);
    }
    say_message(&quiet, 1);
    while (n.messages[1] == 0 && n.messages[2] == 0) {
        let_threads_run();
        (void)uv_run(&n.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(n.messages[2], 1);
    assert_true(n.messages[1] > 0 && n.messages[1] < MANY);
    await(&n, all_said, (size_t[]){MANY, 1});
    leave(&loud);
    leave(&quiet);
    stop(&n);
}

static const char *late_address;

static void another_comes(struct node *n) {
    make(n, &late, 2, late_address);
}

/* It has been answered, begins again while an attempt of the node's own is out, which has precedence, and then confirms
 * what was answered first: with a datagram as large as they get. */
static void a_guest_may_confirm_its_session_while_its_next_attempt_finds_us_busy(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    uint8_t said[SESSION_DATAGRAM_MAX];
    bool was_busy = false;
    for (int i = 0; i < TRIES && !was_busy; i++) {
        char address[32];
        uint16_t port = listen_port(); /* nobody is there yet */
        (void)snprintf(address, sizeof address, "127.0.0.1:%u", port);
        start(&n);
        make(&n, &h, 1, address);
        visit(&n, &h);
        int listener = listen_at(port, address);
        late.fd = -1;
        await(&n, was_dialled, &listener);
        late.len = 0;
        while (hear(&late, said) != SESSION_INITIATION_LEN) {
            (void)uv_run(&n.loop, UV_RUN_NOWAIT);
        }
        initiate(&h);
        (void)await_ms(&n, never, NULL, 50);
        was_busy = hear(&h, said) == 0;
        if (was_busy) {
            say_message(&h, 60000);
            await(&n, is_up, &h);
            assert_int_equal(n.messages[1], 1);
            assert_int_equal(n.last_len, 60000);
            await(&n, has_ended, &late); /* a pair has one connection */
        }
        leave(&h);
        leave(&late);
        assert_int_equal(close(listener), 0);
        stop(&n);
    }
    assert_true(was_busy);
}

/* Our own attempt, which has precedence, went with the connection it was made on. */
static void whoever_hung_up_on_our_attempt_is_answered_when_it_comes(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    uint8_t said[SESSION_DATAGRAM_MAX];
    char address[32];
    int listener = listen_at(0, address);
    start(&n);
    make(&n, &h, 1, address);
    late.fd = -1;
    await(&n, was_dialled, &listener);
    late.len = 0;
    while (hear(&late, said) != SESSION_INITIATION_LEN) {
        (void)uv_run(&n.loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(close(listener), 0);
    leave(&late);
    (void)await_ms(&n, never, NULL, 50);
    visit(&n, &h); /* answers its first initiation, or never */
    leave(&h);
    stop(&n);
}

/* What a callback asks for from within the timer is not put off by the timer's own end. */
static void a_member_made_when_another_goes_is_dialled_at_once(void **state) {
    (void)state;
    static struct node n;
    static struct hand h;
    bool at_once = false;
    char address[32];
    int listener = listen_at(0, address);
    late_address = address;
    start(&n);
    make(&n, &h, 5, NULL);
    for (int i = 0; i < TRIES && !at_once; i++) {
        n.on_down = another_comes;
        meet(&n, &h);
        break_writing(&h);
        assert_int_equal(links_send(n.links, 5, FRAME_CONSENSUS, 0, bytes_str("vote")), OK);
        await(&n, is_down, &h);
        uint64_t begun = clock_mono_ms();
        while (!was_dialled(&n, &listener)) {
            (void)uv_run(&n.loop, UV_RUN_ONCE);
        }
        at_once = clock_mono_ms() - begun < 400;
        leave(&h);
        leave(&late);
        assert_int_equal(links_set_member(n.links, 2, NULL), OK);
    }
    assert_true(at_once);
    assert_int_equal(close(listener), 0);
    stop(&n);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

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

static bool all_were_asked(struct node *n, void *times) {
    (void)n;
    for (size_t i = 1; i < SLOW_NAMES; i++) {
        if (atomic_load(&slow_asked[i]) < *(unsigned *)times) {
            return false;
        }
    }
    return true;
}

static void names_that_resolve_slowly_hold_up_no_address_and_each_gets_its_turn(void **state) {
    (void)state;
    static struct node n;
    static struct hand named[SLOW_NAMES];
    char address[32];
    int listener = listen_at(0, address);
    start(&n);
    atomic_store(&slow_may_end, false);
    for (unsigned i = 1; i < SLOW_NAMES; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m%u" SLOW_NAME ":26600", i);
        make(&n, &named[i], i, name);
    }
    (void)await_ms(&n, never, NULL, 300);
    assert_true(atomic_load(&slow_now) > 0);
    make(&n, &late, SLOW_NAMES, address);
    await(&n, was_dialled, &listener);
    leave(&late);
    assert_true(atomic_load(&slow_most) < SLOW_NAMES - 1);
    atomic_store(&slow_may_end, true);
    await(&n, all_were_asked, (unsigned[]){2});
    assert_int_equal(close(listener), 0);
    stop(&n);
    while (atomic_load(&slow_now) > 0) {
        let_threads_run();
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

static bool both_up(struct node *n, void *other) {
    return links_peer_stats(n->links, 1).up && links_peer_stats(((struct node *)other)->links, OWN_NUMBER).up;
}

/* Two nodes on one loop, the second of which dials the first at this host. */
static void nodes_meet_at(const char *listen_host, const char *dial_host) {
    static struct node n, m;
    char at[64];
    (void)snprintf(at, sizeof at, "%s:0", listen_host);
    start_with(&n, at, 0);
    memset(&m, 0, sizeof m);
    high_keys(&m.keys);
    struct links_config config = {.self = 1, .listen = at};
    memcpy(config.link_secret, m.keys.secret, X25519_LEN);
    memcpy(config.psk, n.psk, sizeof config.psk);
    const struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = &m};
    assert_int_equal(links_open(&config, &ops, &m.links), OK);
    assert_int_equal(links_attach(m.links, &n.loop), OK);
    struct links_member member = {.address = NULL};
    memcpy(member.key, m.keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(n.links, 1, &member), OK);
    (void)snprintf(at, sizeof at, "%s:%u", dial_host, links_port(n.links));
    member.address = at;
    memcpy(member.key, n.keys.public_key, X25519_LEN);
    assert_int_equal(links_set_member(m.links, OWN_NUMBER, &member), OK);
    await(&n, both_up, &m);
    links_close(m.links);
    stop(&n);
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

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_talks_and_does_not_read_is_lost_and_costs_little_until_then),
        cmocka_unit_test(a_connection_that_breaks_on_writing_is_lost_at_once),
        cmocka_unit_test(a_member_holds_one_place_without_a_session),
        cmocka_unit_test(an_initiation_said_again_does_not_cut_the_guest_who_said_it_first),
        cmocka_unit_test(strangers_of_many_addresses_do_not_push_out_a_member_seen_before),
        cmocka_unit_test(a_member_comes_and_goes_no_more_often_than_it_may),
        cmocka_unit_test(strangers_of_one_address_push_out_each_other),
        cmocka_unit_test(whoever_waits_to_be_looked_at_makes_place_for_others),
        cmocka_unit_test(whoever_waits_to_be_looked_at_pushes_out_no_guest_who_has_shown_who_it_is),
        cmocka_unit_test(what_is_closed_gives_its_descriptor_back),
        cmocka_unit_test(a_guest_may_confirm_its_session_while_its_next_attempt_finds_us_busy),
        cmocka_unit_test(whoever_hung_up_on_our_attempt_is_answered_when_it_comes),
        cmocka_unit_test(names_that_resolve_slowly_hold_up_no_address_and_each_gets_its_turn),
        cmocka_unit_test(an_address_is_the_same_however_its_socket_shows_it),
        cmocka_unit_test(names_and_ipv6_are_addresses_to_listen_at_and_to_dial),
        cmocka_unit_test(an_address_to_listen_at_needs_a_port),
        cmocka_unit_test(who_sends_much_does_not_keep_others_waiting),
        cmocka_unit_test(a_member_made_when_another_goes_is_dialled_at_once),
    };
    int failed = cmocka_run_group_tests_name("links by hand", tests, NULL, NULL);
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
