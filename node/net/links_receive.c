#include "node/net/links_state.h"

#include "base/clock.h"

#include <string.h>

/* Datagrams looked at before other events of the loop get their turn. */
#define BATCH 64

struct arrival {
    struct links *links;
    uint32_t pipe;
    uint8_t *data;
    size_t len;
    uint64_t now_ms;
};

static struct bytes datagram_of(const struct arrival *a) {
    return bytes_of(a->data, a->len);
}

static void refuse(const struct arrival *a, uint64_t *counter) {
    ++*counter;
    inbox_blame(a->links->inbox, a->pipe);
}

static struct link_peer *peer_of_key(struct links *links, const uint8_t key[X25519_LEN]) {
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        struct link_peer *peer = links->peers[i];
        if (peer != NULL && memcmp(peer->session.peer_key, key, X25519_LEN) == 0) {
            return peer;
        }
    }
    return NULL;
}

static struct link_peer *peer_of_index(const struct arrival *a) {
    uint16_t member = session_datagram_member(datagram_of(a));
    return member < LINKS_MEMBERS_MAX ? a->links->peers[member] : NULL;
}

static void on_initiation(const struct arrival *a) {
    struct links *links = a->links;
    if (!inbox_allows_initiation(links->inbox, a->pipe, a->now_ms)) {
        links->stats.throttled++;
        return;
    }
    struct session_hello hello;
    if (session_hello(&links->self, datagram_of(a), &hello) != OK) {
        refuse(a, &links->stats.forged);
        return;
    }
    struct link_peer *peer = peer_of_key(links, hello.noise.remote_static);
    if (peer == NULL || peer->address[0] == '\0') {
        refuse(a, &links->stats.strangers);
    } else {
        uint8_t answer[SESSION_ANSWER_LEN];
        enum err e = session_accept(&peer->session, &hello, a->now_ms, answer);
        if (e == OK) {
            memcpy(peer->handshake, answer, sizeof answer);
            peer->handshake_len = sizeof answer;
            /* Our own attempt, if there was one, gave way: leave the peer time to confirm. */
            peer->retry_at_ms = a->now_ms + LINKS_RETRY_MIN_MS;
            inbox_vouch(links->inbox, a->pipe);
            link_peer_pump(peer);
        } else if (e == ERR_DUPLICATE) {
            refuse(a, &links->stats.replayed);
        } else if (e != ERR_BUSY) {
            refuse(a, &links->stats.forged);
        }
    }
    noise_wipe(&hello.noise);
}

static void completed(struct link_peer *peer) {
    peer->stats.handshakes++;
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
}

static void on_answer(const struct arrival *a) {
    struct link_peer *peer = peer_of_index(a);
    if (peer == NULL) {
        refuse(a, &a->links->stats.unknown);
        return;
    }
    enum err e = session_finish(&peer->session, datagram_of(a), a->now_ms);
    if (e != OK) {
        refuse(a, e == ERR_NOTFOUND ? &a->links->stats.unknown : &a->links->stats.forged);
        return;
    }
    completed(peer);
    peer->stats.bytes_in += a->len;
    peer->must_answer = true;
    link_peer_heard(peer, a->pipe, a->now_ms);
    link_peer_pump(peer);
}

static void deliver(void *arg, enum frame_class class, struct bytes message) {
    struct link_peer *peer = arg;
    (void)class;
    if (peer->dead) {
        return; /* by what an earlier message of the same datagram led to */
    }
    peer->stats.messages_in++;
    peer->links->ops.on_message(peer->links->ops.ctx, peer->member, message);
}

static void on_transport(const struct arrival *a) {
    struct link_peer *peer = peer_of_index(a);
    if (peer == NULL) {
        refuse(a, &a->links->stats.unknown);
        return;
    }
    uint32_t keys_before = peer->session.current.local_index;
    struct bytes plain;
    if (session_open(&peer->session, a->now_ms, a->data, a->len, &plain) != OK) {
        refuse(a, &peer->stats.rejected);
        return;
    }
    if (peer->session.current.local_index != keys_before) {
        completed(peer);
    }
    peer->stats.bytes_in += a->len;
    link_peer_heard(peer, a->pipe, a->now_ms);
    if (frame_read(&peer->sink, plain, deliver, peer) != OK) {
        peer->stats.rejected++;
        frame_sink_reset(&peer->sink);
    }
}

static void on_datagram(const struct arrival *a) {
    if (session_check(&a->links->self, datagram_of(a)) != OK) {
        a->links->stats.garbage++;
        inbox_cut(a->links->inbox, a->pipe);
        return;
    }
    switch (a->data[0]) {
    case SESSION_INITIATION:
        on_initiation(a);
        break;
    case SESSION_ANSWER:
        on_answer(a);
        break;
    default:
        on_transport(a);
        break;
    }
}

bool links_receive(struct links *links) {
    for (size_t i = 0; i < BATCH; i++) {
        uint32_t pipe;
        nng_msg *msg = inbox_take(links->inbox, &pipe);
        if (msg == NULL) {
            return false;
        }
        struct arrival a = {.links = links,
                            .pipe = pipe,
                            .data = nng_msg_body(msg),
                            .len = nng_msg_len(msg),
                            .now_ms = clock_mono_ms()};
        on_datagram(&a);
        nng_msg_free(msg);
    }
    return true;
}
