#include "node/net/links_state.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/ed25519.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err link_peer_new(struct links *links, uint16_t member, const struct links_member *info, struct link_peer **out) {
    struct link_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        return ERR_NOMEM;
    }
    int n = snprintf(peer->address, sizeof peer->address, "%s", info->address == NULL ? "" : info->address);
    if (n < 0 || (size_t)n >= sizeof peer->address) {
        free(peer);
        return ERR_CONFIG;
    }
    peer->links = links;
    peer->member = member;
    peer->queue.max_bytes = links->queue_bytes;
    peer->queue.max_messages = links->queue_messages;
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
    peer->redial_delay_ms = OUTBOX_REDIAL_MIN_MS;
    session_init(&peer->session, &links->self, member, info->key);
    *out = peer;
    return OK;
}

enum err link_peer_start(struct link_peer *peer) {
    if (peer->address[0] == '\0') {
        return OK;
    }
    peer->dialed_ms = clock_mono_ms();
    return outbox_open(peer->address, SESSION_DATAGRAM_MAX, links_outbox_changed, peer, &peer->outbox);
}

/* A spent outbox is replaced by a new one after a while, longer and longer until one lasts. */
static void retire_outbox(struct link_peer *peer, uint64_t now_ms) {
    outbox_close(peer->outbox);
    peer->outbox = NULL;
    peer->redial_at_ms = now_ms + peer->redial_delay_ms;
    uint64_t doubled = peer->redial_delay_ms * 2;
    peer->redial_delay_ms = doubled < OUTBOX_REDIAL_MAX_MS ? doubled : OUTBOX_REDIAL_MAX_MS;
}

/* Gives when to call again. */
static uint64_t redial(struct link_peer *peer, uint64_t now_ms) {
    if (peer->dead || peer->address[0] == '\0') {
        return UINT64_MAX;
    }
    if (peer->outbox != NULL) {
        if (now_ms < peer->dialed_ms + OUTBOX_DIAL_MS) {
            return peer->dialed_ms + OUTBOX_DIAL_MS;
        }
        retire_outbox(peer, now_ms);
    }
    if (now_ms < peer->redial_at_ms) {
        return peer->redial_at_ms;
    }
    if (link_peer_start(peer) != OK) {
        peer->redial_at_ms = now_ms + OUTBOX_REDIAL_MAX_MS;
        return peer->redial_at_ms;
    }
    return peer->dialed_ms + OUTBOX_DIAL_MS;
}

void link_peer_bury(struct link_peer *peer) {
    peer->dead = true;
    link_peer_down(peer);
    outbox_close(peer->outbox);
    peer->outbox = NULL;
    peer->connection = 0;
    peer->handshake_len = 0;
}

void link_peer_free(struct link_peer *peer) {
    if (peer == NULL) {
        return;
    }
    outbox_close(peer->outbox);
    sendq_clear(&peer->queue);
    frame_sink_reset(&peer->sink);
    session_close(&peer->session);
    secure_wipe(peer, sizeof *peer);
    free(peer);
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

static void hand_over(struct link_peer *peer, nng_msg *msg) {
    peer->stats.bytes_out += nng_msg_len(msg);
    outbox_send(peer->outbox, msg);
}

static void send_handshake(struct link_peer *peer) {
    nng_msg *msg;
    if (nng_msg_alloc(&msg, peer->handshake_len) != 0) {
        return; /* the retry timer makes another one */
    }
    memcpy(nng_msg_body(msg), peer->handshake, peer->handshake_len);
    peer->handshake_len = 0;
    hand_over(peer, msg);
}

/* One datagram with as many frames as are waiting and fit; without any it is a sign of life. */
static void send_transport(struct link_peer *peer, uint64_t now_ms) {
    size_t need = sendq_need(&peer->queue);
    size_t room = need < SENDQ_ROOM_MIN ? SENDQ_ROOM_MIN : need;
    room = room < SESSION_PLAIN_MAX ? room : SESSION_PLAIN_MAX;
    nng_msg *msg;
    if (nng_msg_alloc(&msg, SESSION_HEADER_LEN + room + AEAD_TAG_LEN) != 0) {
        return; /* the queue is as it was; the next turn tries again */
    }
    uint8_t *datagram = nng_msg_body(msg);
    bool gossip = peer->queue.list[FRAME_GOSSIP].first != NULL;
    size_t n = sendq_fill(&peer->queue, datagram + SESSION_HEADER_LEN, room, &peer->stats.messages_out);
    (void)nng_msg_chop(msg, room - n);
    if (session_seal(&peer->session, now_ms, datagram, n) != OK) {
        nng_msg_free(msg);
        return;
    }
    peer->must_answer = false;
    peer->sent_ms = now_ms;
    peer->links->gossip_left |= gossip;
    hand_over(peer, msg);
}

/* Gossip alone, when some went out just before, waits a little for company: a datagram costs the same whether it
 * carries one transaction or twenty. */
bool link_peer_is_due(const struct link_peer *peer) {
    if (peer->links->lingering && sendq_only(&peer->queue, FRAME_GOSSIP)) {
        return peer->queue.bytes >= LINKS_LINGER_BYTES;
    }
    return peer->queue.messages > 0;
}

void link_peer_pump(struct link_peer *peer) {
    uint64_t now = clock_mono_ms();
    for (;;) {
        bool handshake = peer->handshake_len > 0;
        bool transport = peer->must_answer || (peer->up && link_peer_is_due(peer));
        if (peer->connection == 0 || !(handshake || (transport && session_can_send(&peer->session, now)))) {
            return;
        }
        if (!outbox_ready(peer->outbox)) {
            return;
        }
        if (handshake) {
            send_handshake(peer);
            if (peer->handshake_len > 0) {
                return;
            }
        } else {
            uint64_t counter = peer->session.current.send_counter;
            send_transport(peer, now);
            if (peer->session.current.send_counter == counter) {
                return;
            }
        }
    }
}

/* ---- Up and down ------------------------------------------------------------------------------------------------- */

void link_peer_heard(struct link_peer *peer, uint32_t pipe, uint64_t now_ms) {
    peer->heard_ms = now_ms;
    if (peer->inbound_pipe != pipe) {
        inbox_vouch(peer->links->inbox, pipe);
        peer->inbound_pipe = pipe;
    }
    if (!peer->dead && !peer->up && peer->connection != 0 && session_can_send(&peer->session, now_ms)) {
        peer->up = true;
        peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
        peer->redial_delay_ms = OUTBOX_REDIAL_MIN_MS;
        peer->links->ops.on_up(peer->links->ops.ctx, peer->member);
    }
}

void link_peer_down(struct link_peer *peer) {
    sendq_clear(&peer->queue);
    frame_sink_reset(&peer->sink);
    peer->must_answer = false;
    if (peer->up) {
        peer->up = false;
        peer->links->ops.on_down(peer->links->ops.ctx, peer->member);
    }
}

void link_peer_connection(struct link_peer *peer, uint64_t now_ms) {
    uint32_t connection = outbox_connection(peer->outbox);
    if (outbox_spent(peer->outbox)) {
        connection = 0;
        retire_outbox(peer, now_ms);
        links_tick_at_once(peer->links);
    }
    if (connection == peer->connection) {
        return;
    }
    peer->connection = connection;
    link_peer_down(peer);
    if (peer->dead) {
        return; /* by what its end led to */
    }
    if (connection == 0) {
        return;
    }
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
    peer->retry_at_ms = now_ms;
    peer->heard_ms = now_ms; /* silence is counted from here */
}

static uint64_t with_jitter(uint32_t delay_ms) {
    uint32_t r;
    random_fill(&r, sizeof r);
    return delay_ms - delay_ms / 4 + r % (delay_ms / 2);
}

/* A new initiation when one is needed and the last had its time. */
static void initiate(struct link_peer *peer, uint64_t now_ms) {
    if (session_initiate(&peer->session, clock_wall_ms(), peer->handshake) == OK) {
        peer->handshake_len = SESSION_INITIATION_LEN;
    }
    peer->retry_at_ms = now_ms + with_jitter(peer->retry_delay_ms);
    uint32_t doubled = peer->retry_delay_ms * 2;
    peer->retry_delay_ms = doubled < LINKS_RETRY_MAX_MS ? doubled : LINKS_RETRY_MAX_MS;
}

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t link_peer_tick(struct link_peer *peer, uint64_t now_ms) {
    if (peer->connection == 0) {
        return redial(peer, now_ms);
    }
    if (peer->up && (now_ms - peer->heard_ms >= LINKS_SILENT_MS || !session_can_send(&peer->session, now_ms))) {
        link_peer_down(peer);
        if (!peer->dead) {
            /* Perhaps the other end is gone and TCP hasn't noticed: a new connection finds out. */
            outbox_cut(peer->outbox);
        }
        return UINT64_MAX;
    }
    bool needed = !peer->up || session_wants_rekey(&peer->session, now_ms);
    if (needed && now_ms >= peer->retry_at_ms) {
        initiate(peer, now_ms);
    }
    uint64_t next = needed ? peer->retry_at_ms : UINT64_MAX;
    if (peer->up) {
        if (now_ms - peer->sent_ms >= LINKS_KEEPALIVE_MS) {
            peer->must_answer = true;
        } else {
            next = sooner(next, peer->sent_ms + LINKS_KEEPALIVE_MS);
        }
        next = sooner(next, peer->heard_ms + LINKS_SILENT_MS);
    }
    link_peer_pump(peer);
    return next;
}
