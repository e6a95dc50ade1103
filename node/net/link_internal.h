/* What the files of links share; nobody else includes this. */
#ifndef ASSAY_NODE_NET_LINK_INTERNAL_H
#define ASSAY_NODE_NET_LINK_INTERNAL_H

#include "base/budget.h"
#include "node/net/dial.h"
#include "node/net/door.h"
#include "node/net/links.h"
#include "node/net/sendq.h"

_Static_assert(LINKS_MEMBERS_MAX <= DOOR_MEMBERS_MAX, "the door knows each member's address");

/* Guests of the door that have not shown yet who they are. */
#define LINKS_GUESTS_MAX 128u
#define LINKS_GUEST_MS 10000u
/* Initiations that one guest may have looked at: repeated ones, where answers cross. */
#define LINKS_GUEST_INITIATIONS 4u

struct link_peer {
    struct links *links;
    uint16_t member;
    bool no_name_told; /* that its name has no address */
    bool is_name;      /* the address has to be resolved */
    bool wire_is_ours; /* we dialled it */
    bool up;
    bool dead;         /* replaced or removed; memory goes with the next tick */
    bool must_answer;  /* the peer waits for a sign of life: it confirms new keys */
    char address[256]; /* "": only it dials */
    struct session session;
    struct sendq queue;
    struct frame_sink sink;

    struct wire *wire; /* that the session was made on; NULL: none */
    /* A connection of our own making, until a session is made on it or on another. */
    struct dial *dial;
    struct wire *calling;
    uint64_t called_ms, redial_at_ms;
    uint32_t redial_delay_ms;
    uint64_t there_ms; /* when it was last heard while the link was up; 0: never */
    unsigned dials;

    uint64_t retry_at_ms;
    uint32_t retry_delay_ms;
    unsigned strikes;
    uint64_t greeted_ms;   /* when its last initiation on the session's own wire was looked at */
    struct budget comings; /* connections of its making that a session is made on */
    uint64_t sent_ms, heard_ms;
    struct link_peer *next_dead;
    struct links_peer_stats stats;
};

struct links_guest {
    struct wire *wire; /* NULL: the place is free */
    uint64_t since_ms;
    unsigned initiations;
    bool greeted;      /* its initiation has shown whose it is */
    uint16_t member;   /* then */
    uint64_t begun_at; /* and its timestamp */
};

struct links {
    struct links_ops ops;
    struct session_self self;
    size_t self_number;
    size_t queue_bytes, queue_messages;
    struct wire_hub *hub;
    struct door *door;
    struct link_peer *peers[LINKS_MEMBERS_MAX];
    struct links_guest guests[LINKS_GUESTS_MAX];
    struct link_peer *dead; /* may still be on the stack of a callback */
    struct links_stats stats;

    uv_loop_t *loop; /* NULL before links_attach */
    uv_async_t async;
    uv_timer_t timer;
    uv_timer_t linger;  /* runs while gossip waits for company, since some has just gone */
    uv_timer_t blocked; /* runs while the network takes no more of something */
    uv_prepare_t flush; /* runs while something was queued in this turn */
    uv_idle_t hurry;    /* keeps the loop from sleeping then, wherever in the turn it was queued */
    unsigned open_handles;
    bool flushing;
    bool lingering;
    bool gossip_left;                                        /* in this round of pumping */
    size_t fixed_connections, fixed_connections_per_address; /* limits of the door; 0: they follow the members */
    size_t most_connections;
};

/* ---- One peer (link_peer.c) -------------------------------------------------------------------------------------- */

NODISCARD enum err link_peer_new(struct links *links, uint16_t member, const struct links_member *info,
                                 struct link_peer **out);
/* Cuts and silences a peer whose memory may still be in use. */
void link_peer_bury(struct link_peer *peer);
/* Accepts NULL. */
void link_peer_free(struct link_peer *peer);

/* Is something waiting that should not wait for more? */
bool link_peer_is_due(const struct link_peer *peer);
/* Copies a handshake datagram to a wire, and writes it. */
void link_peer_say(struct link_peer *peer, struct wire *wire, struct bytes datagram);
/* Sends what is due and can be sent now. */
void link_peer_pump(struct link_peer *peer);
/* Has dialing ended? */
/* The longest time between two attempts to connect to a peer that was last there then. */
uint32_t link_redial_most(uint64_t there_ms, bool no_name, uint64_t now_ms);
void link_peer_look_at_dial(struct link_peer *peer, uint64_t now_ms);
/* A session was made on this wire, which the peer owns from now on, whoever dialled it. */
void link_peer_adopt(struct link_peer *peer, struct wire *wire);
/* One of its wires ended, or is to end. */
void link_peer_lose(struct link_peer *peer, struct wire *wire, uint64_t now_ms);
/* Dialing, handshakes, signs of life, and silence; gives when it wants to be called again. */
uint64_t link_peer_tick(struct link_peer *peer, uint64_t now_ms);
/* Something authentic arrived on its wire. */
void link_peer_heard(struct link_peer *peer, uint64_t now_ms);

/* ---- Datagrams (links_receive.c) --------------------------------------------------------------------------------- */

/* Takes what has arrived, of every wire its share; true when more may be waiting. */
bool links_receive(struct links *links);
/* Guests that stayed unknown go; gives when the next will. */
uint64_t links_tick_guests(struct links *links, uint64_t now_ms);
void links_drop_guests(struct links *links);

/* ---- The whole (links.c) ----------------------------------------------------------------------------------------- */

/* Closes a wire; where it came by the door, the door is told. */
void links_drop_wire(struct links *links, struct wire *wire);
/* Writes what was put, as far as the network takes it. A wire that breaks by it is lost with the next tick, which comes
 * at once. */
void links_flush(struct links *links, struct wire *wire);
/* Something has to wait for this wire: looked at again soon. */
void links_blocked(struct links *links, const struct wire *wire);
void links_tick_at_once(struct links *links);

#endif
