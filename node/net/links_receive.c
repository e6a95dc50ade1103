#include "node/net/link_internal.h"

#include "base/clock.h"

#include <string.h>

/* What is looked at before other events of the loop get their turn: so many datagrams, shared by the members there are,
 * of each at least a few, and not many bytes. Of a guest, who costs curve arithmetic, one. */
#define TURN_DATAGRAMS 64u
#define TURN_DATAGRAMS_EACH 4u
#define TURN_BYTES_EACH ((size_t)64 * 1024)
#define TURN_DATAGRAMS_GUEST 1u
/* Refused datagrams in a row after which a member's connection is cut. */
#define STRIKES 64u
/* A member's initiations on its session's own wire are looked at this often at most. */
#define GREETING_MS 100u

/* A datagram, and on what it came: a peer's wire, or a guest's. */
struct arrival {
    struct links *links;
    struct wire *wire;
    struct link_peer *peer;    /* whose wire it is; NULL: a guest's */
    struct links_guest *guest; /* NULL: a peer's */
    uint8_t *data;
    size_t len;
    uint64_t now_ms;
};

static struct bytes datagram_of(const struct arrival *a) {
    return bytes_of(a->data, a->len);
}

/* ---- Guests ------------------------------------------------------------------------------------------------------ */

static void drop_guest(struct links *links, struct links_guest *guest) {
    links_drop_wire(links, guest->wire);
    *guest = (struct links_guest){0};
}

/* When there is no place, the oldest makes it for the newest. */
static void welcome(struct links *links, struct wire *wire, uint64_t now_ms) {
    struct links_guest *place = &links->guests[0];
    for (size_t i = 0; i < LINKS_GUESTS_MAX && place->wire != NULL; i++) {
        struct links_guest *guest = &links->guests[i];
        place = guest->wire == NULL || guest->since_ms < place->since_ms ? guest : place;
    }
    if (place->wire != NULL) {
        drop_guest(links, place);
    }
    *place = (struct links_guest){.wire = wire, .since_ms = now_ms};
}

/* As many as there are places: whoever comes next finds those gone that turned out to be nobody. Gives whether more may
 * be waiting. */
static bool take_guests(struct links *links) {
    size_t room = 0;
    struct wire *wire = NULL;
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        room += links->guests[i].wire == NULL;
    }
    for (room = room > 0 ? room : 1; room > 0 && (wire = door_take(links->door)) != NULL; room--) {
        welcome(links, wire, clock_mono_ms());
    }
    return wire != NULL;
}

uint64_t links_tick_guests(struct links *links, uint64_t now_ms) {
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        struct links_guest *guest = &links->guests[i];
        if (guest->wire != NULL && (now_ms >= guest->since_ms + LINKS_GUEST_MS || wire_is_broken(guest->wire))) {
            links->stats.connections_cut++;
            drop_guest(links, guest);
        } else if (guest->wire != NULL && guest->since_ms + LINKS_GUEST_MS < next) {
            next = guest->since_ms + LINKS_GUEST_MS;
        }
    }
    return next;
}

void links_drop_guests(struct links *links) {
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        if (links->guests[i].wire != NULL) {
            drop_guest(links, &links->guests[i]);
        }
    }
}

/* ---- Refusing ---------------------------------------------------------------------------------------------------- */

static void cut(const struct arrival *a) {
    a->links->stats.connections_cut++;
    if (a->guest != NULL) {
        drop_guest(a->links, a->guest);
    } else {
        link_peer_lose(a->peer, a->wire, a->now_ms);
    }
}

/* A stream brings everything in order, so whoever sends what no keys open has none; a member's may have changed. */
static void refuse(const struct arrival *a, uint64_t *counter) {
    ++*counter;
    if (a->guest != NULL || a->wire != a->peer->wire || ++a->peer->strikes >= STRIKES) {
        cut(a);
    }
}

/* ---- Handshakes -------------------------------------------------------------------------------------------------- */

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

/* Is it worth its curve arithmetic? The door has paid for a guest's first. */
static bool is_greeting_allowed(const struct arrival *a) {
    if (a->guest != NULL) {
        return a->guest->initiations++ < LINKS_GUEST_INITIATIONS;
    }
    bool allowed = a->wire == a->peer->wire && a->now_ms >= a->peer->greeted_ms + GREETING_MS;
    a->peer->greeted_ms = allowed ? a->now_ms : a->peer->greeted_ms;
    return allowed;
}

/* A member has one connection at a time that no session stands on yet, that of its newest initiation, so that it can't
 * fill the door for others. The one there was; NULL: none. */
static struct links_guest *other_guest_of(struct links *links, const struct link_peer *peer,
                                          const struct links_guest *newest) {
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        struct links_guest *guest = &links->guests[i];
        if (guest != newest && guest->wire != NULL && guest->greeted && guest->member == peer->member) {
            return guest;
        }
    }
    return NULL;
}

/* Of a guest that was too early to be accepted, and so to be remembered by the session? */
static bool is_said_again(const struct arrival *a, const struct link_peer *peer, uint64_t timestamp) {
    const struct links_guest *other = a->guest != NULL ? other_guest_of(a->links, peer, a->guest) : NULL;
    return other != NULL && other->begun_at >= timestamp;
}

/* A guest whose initiation was good and is no replay has shown who it is, and takes the place of another of its member.
 */
static void recognize(const struct arrival *a, const struct link_peer *peer, uint64_t timestamp) {
    struct links_guest *other = other_guest_of(a->links, peer, a->guest);
    if (other != NULL) {
        drop_guest(a->links, other);
    }
    a->guest->greeted = true;
    a->guest->member = peer->member;
    a->guest->begun_at = timestamp;
}

/* However many addresses it has: a link that comes and goes costs more than a handshake. A replay spends nothing. */
static bool comes_too_often(const struct arrival *a, struct link_peer *peer, const struct session_hello *hello) {
    return a->guest != NULL && hello->timestamp > peer->session.peer_timestamp &&
           !budget_spend(&peer->comings, DOOR_ADDRESS_BURST, DOOR_ADDRESS_MS, a->now_ms);
}

static void answer(const struct arrival *a, struct link_peer *peer, struct session_hello *hello) {
    uint8_t said[SESSION_ANSWER_LEN];
    if (comes_too_often(a, peer, hello)) {
        refuse(a, &a->links->stats.throttled);
        return;
    }
    enum err e = is_said_again(a, peer, hello->timestamp) ? ERR_DUPLICATE
                                                          : session_accept(&peer->session, hello, a->now_ms, said);
    if (e != OK && e != ERR_BUSY) {
        refuse(a, e == ERR_DUPLICATE ? &a->links->stats.replayed : &a->links->stats.forged);
        return;
    }
    if (a->guest != NULL) {
        recognize(a, peer, hello->timestamp);
    }
    /* Whichever: a guest that has shown who it is may carry the first datagram under new keys. */
    if (wire_widen(a->wire, SESSION_DATAGRAM_MAX) != OK) {
        cut(a);
        return;
    }
    if (e == OK) {
        /* Our own attempt, if there was one, gave way: leave the peer time to confirm. */
        peer->retry_at_ms = a->now_ms + LINKS_RETRY_MIN_MS;
        link_peer_say(peer, a->wire, bytes_of(said, sizeof said));
    }
}

static void on_initiation(const struct arrival *a) {
    struct links *links = a->links;
    struct session_hello hello;
    if (!is_greeting_allowed(a)) {
        refuse(a, &links->stats.throttled);
        return;
    }
    if (session_hello(&links->self, datagram_of(a), &hello) != OK) {
        refuse(a, &links->stats.forged);
        return;
    }
    struct link_peer *peer = peer_of_key(links, hello.noise.remote_static);
    if (peer == NULL || (a->peer != NULL && a->peer != peer)) {
        refuse(a, &links->stats.strangers);
    } else {
        answer(a, peer, &hello);
    }
    noise_wipe(&hello.noise);
}

static void completed(struct link_peer *peer, const struct arrival *a) {
    peer->stats.handshakes++;
    peer->retry_delay_ms = LINKS_RETRY_MIN_MS;
    if (a->guest != NULL) {
        *a->guest = (struct links_guest){0};
    }
    link_peer_adopt(peer, a->wire);
}

static void on_answer(const struct arrival *a) {
    struct link_peer *peer = peer_of_index(a);
    if (peer == NULL || peer != a->peer) {
        refuse(a, &a->links->stats.unknown);
        return;
    }
    enum err e = session_finish(&peer->session, datagram_of(a), a->now_ms);
    if (e == ERR_NOTFOUND && a->wire == peer->calling) {
        return; /* the attempt gave way to one of the peer's */
    }
    if (e != OK) {
        refuse(a, e == ERR_NOTFOUND ? &a->links->stats.unknown : &a->links->stats.forged);
        return;
    }
    peer->stats.bytes_in += WIRE_LENGTH_LEN + a->len;
    completed(peer, a);
    peer->must_answer = true;
    link_peer_heard(peer, a->now_ms);
    link_peer_pump(peer);
}

/* ---- Transport --------------------------------------------------------------------------------------------------- */

static void deliver(void *arg, enum frame_class class, struct bytes message) {
    struct link_peer *peer = arg;
    (void)class;
    if (peer->dead) {
        return; /* by what an earlier message of the same datagram led to */
    }
    peer->stats.messages_in++;
    peer->links->ops.on_message(peer->links->ops.ctx, peer->member, message);
}

/* A session belongs to the wire it was made on: elsewhere only the first datagram under new keys counts. */
static bool is_in_place(const struct arrival *a, const struct link_peer *peer) {
    uint32_t index = load_u32(a->data + 1);
    bool confirms = peer->session.next.live && index == peer->session.next.local_index;
    return a->wire == peer->wire || (a->guest != NULL && confirms);
}

static void on_transport(const struct arrival *a) {
    struct link_peer *peer = peer_of_index(a);
    if (peer == NULL) {
        refuse(a, &a->links->stats.unknown);
        return;
    }
    uint32_t keys_before = peer->session.current.local_index;
    struct bytes plain;
    if (!is_in_place(a, peer) || session_open(&peer->session, a->now_ms, a->data, a->len, &plain) != OK) {
        refuse(a, &peer->stats.rejected);
        return;
    }
    peer->strikes = 0;
    peer->stats.bytes_in += WIRE_LENGTH_LEN + a->len;
    if (peer->session.current.local_index != keys_before) {
        completed(peer, a);
    }
    link_peer_heard(peer, a->now_ms);
    if (frame_read(&peer->sink, plain, deliver, peer) != OK) {
        peer->stats.rejected++;
        frame_sink_reset(&peer->sink);
    }
}

static void on_datagram(const struct arrival *a) {
    if (session_check(&a->links->self, datagram_of(a)) != OK) {
        a->links->stats.garbage++;
        cut(a);
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

/* ---- Wires ------------------------------------------------------------------------------------------------------- */

/* A guest's wire may become a peer's by what is read from it; then `guest` is free again. */
static bool is_still(const struct arrival *a) {
    return !wire_is_closed(a->wire) && (a->guest == NULL || a->guest->wire == a->wire);
}

/* Gives whether more may be waiting than its share. */
static bool read_wire(struct links *links, struct wire *wire, struct link_peer *peer, struct links_guest *guest,
                      size_t share) {
    struct arrival a = {.links = links, .wire = wire, .peer = peer, .guest = guest, .now_ms = clock_mono_ms()};
    size_t datagrams = 0, bytes = 0;
    bool goes_on = true;
    wire_hold(wire);
    while (goes_on && datagrams < share && bytes < TURN_BYTES_EACH) {
        enum err e = wire_next(wire, &a.data, &a.len);
        if (e == OK) {
            datagrams++;
            bytes += a.len;
            on_datagram(&a);
        } else if (e != ERR_NOTFOUND) {
            links->stats.garbage += e == ERR_MALFORMED;
            cut(&a);
        }
        goes_on = e == OK && is_still(&a);
    }
    wire_let_go(wire);
    return goes_on;
}

static bool read_peer(struct links *links, size_t member, size_t share) {
    struct link_peer *peer = links->peers[member];
    bool more = false;
    if (peer->dial != NULL) {
        link_peer_look_at_dial(peer, clock_mono_ms());
    }
    if (peer->calling != NULL) {
        more |= read_wire(links, peer->calling, peer, NULL, share);
    }
    if (links->peers[member] == peer && peer->wire != NULL) {
        more |= read_wire(links, peer->wire, peer, NULL, share);
    }
    return more;
}

static size_t share_of_each(const struct links *links) {
    size_t wires = 1;
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        wires += links->peers[i] != NULL && links->peers[i]->wire != NULL;
    }
    return TURN_DATAGRAMS / wires > TURN_DATAGRAMS_EACH ? TURN_DATAGRAMS / wires : TURN_DATAGRAMS_EACH;
}

bool links_receive(struct links *links) {
    size_t share = share_of_each(links);
    bool more = take_guests(links);
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        if (links->guests[i].wire != NULL) {
            more |= read_wire(links, links->guests[i].wire, NULL, &links->guests[i], TURN_DATAGRAMS_GUEST);
        }
    }
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        if (links->peers[i] != NULL) {
            more |= read_peer(links, i, share);
        }
    }
    return more;
}
