#include "node/net/link_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_WAIT_MS 20u /* how often a name asks whether it is its turn to be resolved */

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
    peer->is_name = !name_is_literal(peer->address);
    peer->links = links;
    peer->member = member;
    peer->queue.max_bytes = links->queue_bytes;
    peer->queue.max_messages = links->queue_messages;
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
    peer->redial_delay_ms = LINKS_RETRY_MIN_MS;
    session_init(&peer->session, &links->self, member, info->key);
    *out = peer;
    return OK;
}

/* ---- Dialing ----------------------------------------------------------------------------------------------------- */

static uint64_t with_jitter(uint32_t delay_ms) {
    uint32_t r;
    random_fill(&r, sizeof r);
    return delay_ms - delay_ms / 4 + r % (delay_ms / 2);
}

uint32_t link_redial_most(uint64_t there_ms, bool no_name, uint64_t now_ms) {
    if (no_name) {
        return LINKS_REDIAL_NAME_MAX_MS;
    }
    bool was_there = there_ms != 0 && now_ms - there_ms < LINKS_REDIAL_LOST_MS;
    return was_there ? LINKS_REDIAL_MAX_MS : LINKS_REDIAL_LOST_MAX_MS;
}

/* The next attempt comes later and later, until one leads to a session. Who has not been there for long, or never, and a
 * name that nobody knows, are asked for seldom: whoever comes dials as well. */
static void dial_later(struct link_peer *peer, bool no_name, uint64_t now_ms) {
    uint32_t most = link_redial_most(peer->there_ms, no_name, now_ms);
    uint32_t delay = peer->redial_delay_ms < most ? peer->redial_delay_ms : most;
    peer->redial_at_ms = now_ms + with_jitter(delay);
    peer->redial_delay_ms = delay * 2;
    links_tick_at_once(peer->links);
}

/* Connections of our own making that no session stands on. */
static void hang_up(struct link_peer *peer) {
    dial_free(peer->dial);
    peer->dial = NULL;
    links_drop_wire(peer->links, peer->calling);
    peer->calling = NULL;
}

/* Once, until it has one. */
static void tell_of_name(struct link_peer *peer, bool no_name) {
    if (no_name && !peer->no_name_told) {
        peer->no_name_told = true;
        log_event(LOG_WARN, "peer.no_address", log_text("address", peer->address));
    }
}

void link_peer_look_at_dial(struct link_peer *peer, uint64_t now_ms) {
    nng_stream *stream;
    bool no_name;
    if (!dial_ended(peer->dial, &stream, &no_name)) {
        return;
    }
    dial_free(peer->dial);
    peer->dial = NULL;
    if (stream == NULL || wire_new(peer->links->hub, stream, SESSION_INITIATION_LEN, &peer->calling) != OK) {
        peer->calling = NULL;
        tell_of_name(peer, no_name);
        dial_later(peer, no_name, now_ms);
        return;
    }
    peer->no_name_told = false;
    peer->called_ms = now_ms;
    links_tick_at_once(peer->links);
}

static bool wants_name(const struct link_peer *peer, uint64_t now_ms) {
    return peer != NULL && peer->is_name && peer->address[0] != '\0' && peer->wire == NULL && peer->calling == NULL &&
           peer->dial == NULL && now_ms >= peer->redial_at_ms;
}

/* Few names are resolved at a time: whoever has waited longest is next. */
static bool has_turn(const struct link_peer *peer, uint64_t now_ms) {
    for (size_t i = 0; i < LINKS_MEMBERS_MAX && peer->is_name; i++) {
        const struct link_peer *other = peer->links->peers[i];
        if (wants_name(other, now_ms) && other->redial_at_ms < peer->redial_at_ms) {
            return false;
        }
    }
    return true;
}

static enum err dial(struct link_peer *peer, uint64_t now_ms) {
    if (!has_turn(peer, now_ms)) {
        return ERR_BUSY;
    }
    enum err e = dial_begin(peer->links->hub, peer->address, peer->dials, &peer->dial);
    peer->dial = e == OK ? peer->dial : NULL;
    peer->dials += e == OK;
    return e;
}

/* Gives when to call again. */
static uint64_t call(struct link_peer *peer, uint64_t now_ms) {
    if (peer->address[0] == '\0' || peer->dial != NULL) {
        return UINT64_MAX; /* whoever dials, or nng, will be heard of */
    }
    if (peer->calling != NULL) {
        if (now_ms < peer->called_ms + LINKS_SILENT_MS && !wire_is_broken(peer->calling)) {
            return peer->called_ms + LINKS_SILENT_MS;
        }
        link_peer_lose(peer, peer->calling, now_ms);
    }
    if (now_ms >= peer->redial_at_ms) {
        enum err e = dial(peer, now_ms);
        if (e == ERR_BUSY) {
            return now_ms + NAME_WAIT_MS;
        }
        if (e != OK) {
            dial_later(peer, false, now_ms);
        }
    }
    return peer->dial != NULL ? UINT64_MAX : peer->redial_at_ms;
}

static void be_down(struct link_peer *peer) {
    sendq_clear(&peer->queue);
    frame_sink_reset(&peer->sink);
    peer->must_answer = false;
    if (peer->up) {
        peer->up = false;
        peer->links->ops.on_down(peer->links->ops.ctx, peer->member);
    }
}

void link_peer_adopt(struct link_peer *peer, struct wire *wire) {
    struct wire *before = peer->wire;
    if (wire == before) {
        return;
    }
    peer->wire = wire;
    peer->strikes = 0;
    peer->wire_is_ours = peer->calling == wire;
    peer->calling = peer->wire_is_ours ? NULL : peer->calling;
    hang_up(peer);
    door_favour(peer->links->door, peer->member, wire_address(wire));
    if (before != NULL) {
        be_down(peer); /* what was under way on it is lost */
        links_drop_wire(peer->links, before);
    }
    /* What we dialled took small frames so far; a guest's wire is as wide as it gets. */
    if (peer->dead || wire_widen(wire, SESSION_DATAGRAM_MAX) != OK) {
        links_drop_wire(peer->links, wire); /* dead by what the other's end led to */
        peer->wire = NULL;
    }
}

void link_peer_lose(struct link_peer *peer, struct wire *wire, uint64_t now_ms) {
    links_drop_wire(peer->links, wire);
    session_give_up(&peer->session); /* or the peer's own initiations would find it busy for ever */
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
    peer->retry_at_ms = now_ms; /* on the next connection at once */
    if (wire == peer->calling) {
        peer->calling = NULL;
        dial_later(peer, false, now_ms);
    } else if (wire == peer->wire) {
        peer->wire = NULL;
        be_down(peer);
        if (!peer->dead) {
            dial_later(peer, false, now_ms);
        }
    }
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

void link_peer_bury(struct link_peer *peer) {
    peer->dead = true;
    door_favour(peer->links->door, peer->member, 0);
    be_down(peer);
    hang_up(peer);
    links_drop_wire(peer->links, peer->wire);
    peer->wire = NULL;
}

void link_peer_free(struct link_peer *peer) {
    if (peer == NULL) {
        return;
    }
    hang_up(peer);
    links_drop_wire(peer->links, peer->wire);
    sendq_clear(&peer->queue);
    frame_sink_reset(&peer->sink);
    session_close(&peer->session);
    secure_wipe(peer, sizeof *peer);
    free(peer);
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

/* What went out to it, and what was added to that. */
static void account(struct link_peer *peer, const struct sendq_sent *sent, size_t own) {
    struct links_stats *all = &peer->links->stats;
    peer->stats.messages_out += sent->messages;
    peer->stats.bytes_out += own;
    all->sent_own += own;
    for (size_t kind = 0; kind < SENDQ_KINDS; kind++) {
        peer->stats.bytes_out += sent->bytes[kind];
        all->sent[kind] += sent->bytes[kind];
    }
}

void link_peer_say(struct link_peer *peer, struct wire *wire, struct bytes datagram) {
    static const struct sendq_sent none;
    uint8_t *room = wire_room(wire, datagram.len);
    if (room == NULL) {
        return; /* the retry timer makes another one */
    }
    memcpy(room, datagram.data, datagram.len);
    wire_put(wire, datagram.len);
    account(peer, &none, WIRE_LENGTH_LEN + datagram.len);
    links_flush(peer->links, wire);
}

/* One datagram with as many frames as are waiting and fit; without any it is a sign of life. False: not now. */
static bool send_transport(struct link_peer *peer, uint64_t now_ms) {
    size_t need = sendq_need(&peer->queue);
    size_t room = need < SENDQ_ROOM_MIN ? SENDQ_ROOM_MIN : need;
    room = room < SESSION_PLAIN_MAX ? room : SESSION_PLAIN_MAX;
    uint8_t *datagram = wire_room(peer->wire, SESSION_HEADER_LEN + room + AEAD_TAG_LEN);
    if (datagram == NULL) {
        links_blocked(peer->links, peer->wire); /* the queue is as it was */
        return false;
    }
    bool gossip = peer->queue.list[FRAME_GOSSIP].first != NULL;
    struct sendq_sent sent = {0};
    size_t n = sendq_fill(&peer->queue, datagram + SESSION_HEADER_LEN, room, &sent);
    if (session_seal(&peer->session, now_ms, datagram, n) != OK) {
        return false;
    }
    wire_put(peer->wire, SESSION_HEADER_LEN + n + AEAD_TAG_LEN);
    account(peer, &sent, WIRE_LENGTH_LEN + SESSION_HEADER_LEN + AEAD_TAG_LEN);
    peer->must_answer = false;
    peer->sent_ms = now_ms;
    peer->links->gossip_left |= gossip;
    return true;
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
    bool goes_on = peer->wire != NULL;
    while (goes_on) {
        bool due = peer->must_answer || (peer->up && link_peer_is_due(peer));
        goes_on = due && session_can_send(&peer->session, now) && send_transport(peer, now);
    }
    if (peer->wire != NULL) {
        links_flush(peer->links, peer->wire);
    }
}

/* ---- Up and down ------------------------------------------------------------------------------------------------- */

void link_peer_heard(struct link_peer *peer, uint64_t now_ms) {
    peer->heard_ms = now_ms;
    if (!peer->dead && !peer->up && peer->wire != NULL && session_can_send(&peer->session, now_ms)) {
        peer->up = true;
        peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
        peer->redial_delay_ms = LINKS_RETRY_MIN_MS;
        peer->links->ops.on_up(peer->links->ops.ctx, peer->member);
    }
    peer->there_ms = peer->up ? now_ms : peer->there_ms;
}

/* A new initiation when one is needed and the last had its time: on the session's own wire, or on the one we dialled.
 */
static void initiate(struct link_peer *peer, struct wire *wire, uint64_t now_ms) {
    uint8_t said[SESSION_INITIATION_LEN];
    if (session_initiate(&peer->session, clock_wall_ms(), said) == OK) {
        link_peer_say(peer, wire, bytes_of(said, sizeof said));
    }
    peer->retry_at_ms = now_ms + with_jitter(peer->retry_delay_ms);
    uint32_t doubled = peer->retry_delay_ms * 2;
    peer->retry_delay_ms = doubled < LINKS_RETRY_MAX_MS ? doubled : LINKS_RETRY_MAX_MS;
}

static uint64_t sooner(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Perhaps the other end is gone and TCP hasn't noticed: a new connection finds out. One that talks and doesn't read is
 * no better. */
static bool is_over(const struct link_peer *peer, uint64_t now_ms) {
    bool unread = wire_is_broken(peer->wire) || wire_stuck_ms(peer->wire, now_ms) >= LINKS_SILENT_MS;
    bool silent = now_ms - peer->heard_ms >= LINKS_SILENT_MS || !session_can_send(&peer->session, now_ms);
    return unread || (peer->up && silent);
}

uint64_t link_peer_tick(struct link_peer *peer, uint64_t now_ms) {
    if (peer->wire != NULL && is_over(peer, now_ms)) {
        link_peer_lose(peer, peer->wire, now_ms);
    }
    if (peer->dead) {
        return UINT64_MAX; /* by what its going down led to */
    }
    uint64_t next = peer->wire == NULL ? call(peer, now_ms) : UINT64_MAX;
    struct wire *wire = peer->wire != NULL ? peer->wire : peer->calling;
    bool needed = wire != NULL && (!peer->up || session_wants_rekey(&peer->session, now_ms));
    if (needed && now_ms >= peer->retry_at_ms) {
        initiate(peer, wire, now_ms);
    }
    next = needed ? sooner(next, peer->retry_at_ms) : next;
    if (peer->up && now_ms - peer->sent_ms >= LINKS_KEEPALIVE_MS) {
        peer->must_answer = true;
        link_peer_pump(peer);
    }
    if (peer->up) {
        /* One that the network doesn't take leaves once it does. */
        next = peer->must_answer ? next : sooner(next, peer->sent_ms + LINKS_KEEPALIVE_MS);
        next = sooner(next, peer->heard_ms + LINKS_SILENT_MS);
    }
    return next;
}
