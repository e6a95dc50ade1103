/* What the files of links share; nobody else includes this. */
#ifndef ASSAY_NODE_NET_LINKS_STATE_H
#define ASSAY_NODE_NET_LINKS_STATE_H

#include "node/net/inbox.h"
#include "node/net/links.h"
#include "node/net/outbox.h"
#include "node/net/sendq.h"

#include <stdatomic.h>

#define LINKS_HANDSHAKE_MAX SESSION_INITIATION_LEN

struct link_peer {
    struct links *links;
    uint16_t member;
    char address[256];
    struct session session;
    struct outbox *outbox; /* NULL: not dialing */
    uint64_t redial_at_ms; /* when the next outbox is opened, where the last was spent */
    uint64_t redial_delay_ms;
    uint64_t dialed_ms; /* when the outbox was opened */
    struct sendq queue;
    struct frame_sink sink;

    uint32_t connection;   /* of the outbox, as last seen; 0: none */
    uint32_t inbound_pipe; /* that last carried something authentic */
    bool up;
    bool dead; /* replaced or removed; memory goes with the next tick */
    struct link_peer *next_dead;
    bool must_answer;                       /* the peer waits for a sign of life: it confirms new keys */
    uint8_t handshake[LINKS_HANDSHAKE_MAX]; /* to be sent before anything else */
    size_t handshake_len;                   /* 0: none */
    uint64_t retry_at_ms;
    uint32_t retry_delay_ms;
    uint64_t sent_ms, heard_ms;
    struct links_peer_stats stats;
};

struct links {
    struct links_ops ops;
    struct session_self self;
    size_t self_number;
    size_t queue_bytes, queue_messages;
    struct inbox *inbox;
    struct link_peer *peers[LINKS_MEMBERS_MAX];
    struct link_peer *dead; /* may still be on the stack of a callback */
    struct links_stats stats;

    uv_loop_t *loop; /* NULL before links_attach */
    uv_async_t async;
    uv_timer_t timer;
    uv_timer_t linger;  /* runs while gossip waits for company, since some has just gone */
    uv_prepare_t flush; /* runs while something was queued in this turn */
    uv_idle_t hurry;    /* keeps the loop from sleeping then, wherever in the turn it was queued */
    unsigned open_handles;
    bool flushing;
    bool lingering;
    bool gossip_left;                            /* in this round of pumping */
    size_t fixed_pipes, fixed_pipes_per_address; /* limits of the inbox; 0: they follow the number of members */
    size_t left_behind;                          /* sockets, as last told */
    atomic_bool outboxes_changed;
};

/* ---- One peer (link_peer.c) -------------------------------------------------------------------------------------- */

NODISCARD enum err link_peer_new(struct links *links, uint16_t member, const struct links_member *info,
                                 struct link_peer **out);
/* Cuts and silences a peer whose memory may still be in use. */
void link_peer_bury(struct link_peer *peer);
/* Starts dialing. */
NODISCARD enum err link_peer_start(struct link_peer *peer);
/* Accepts NULL. */
void link_peer_free(struct link_peer *peer);

/* Is something waiting that should not wait for more? */
bool link_peer_is_due(const struct link_peer *peer);
/* Sends what is due and can be sent now. */
void link_peer_pump(struct link_peer *peer);
/* Looks at the outbox: a connection came, broke, or was replaced. */
void link_peer_connection(struct link_peer *peer, uint64_t now_ms);
/* Handshakes, signs of life, and silence; gives when it wants to be called again. */
uint64_t link_peer_tick(struct link_peer *peer, uint64_t now_ms);
/* Something authentic arrived through this connection of the inbox. */
void link_peer_heard(struct link_peer *peer, uint32_t pipe, uint64_t now_ms);
void link_peer_down(struct link_peer *peer);

/* ---- Datagrams (links_receive.c) --------------------------------------------------------------------------------- */

/* Takes what waits in the inbox, a bounded number; true when more may be waiting. */
bool links_receive(struct links *links);

/* ---- The whole (links.c) ----------------------------------------------------------------------------------------- */

void links_wake(void *arg);           /* of the inbox, with the links; any thread */
void links_outbox_changed(void *arg); /* of an outbox, with its peer; any thread */
void links_tick_at_once(struct links *links);

#endif
