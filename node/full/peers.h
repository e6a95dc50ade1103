/* Our peers: the ledger's validators and observers, each in a place of its own, and the links to them.
 *
 * A node keeps its place (a small number) for as long as it is on the ledger, whatever role it has meanwhile; the
 * replica learns from set_peer which signing key sits where. Place 0 is this node's own. Everything here belongs to
 * the ledger thread. Life: peers_open, peers_attach, ..., peers_close; the loop must run until its handles are closed.
 */
#ifndef ASSAY_NODE_FULL_PEERS_H
#define ASSAY_NODE_FULL_PEERS_H

#include "base/why.h"
#include "node/home/daemon_home.h"
#include "node/ledger/chain.h"
#include "node/ledger/replica.h"
#include "node/net/links.h"

#define PEERS_MAX REPLICA_PEERS_MAX

_Static_assert(PEERS_MAX <= LINKS_MEMBERS_MAX, "every peer has a link");

struct peers;

struct peers_ops {
    /* A message of an authenticated peer; the span is valid during the call. */
    void (*on_message)(void *ctx, uint16_t peer, struct bytes message);
    void (*on_up)(void *ctx, uint16_t peer);
    /* From now on this place is the node with that signing key, or nobody's (NULL). */
    enum err (*set_peer)(void *ctx, uint16_t peer, const uint8_t key[KEY_LEN]);
    void *ctx;
};

/* Reads the nodes of the chain's head and listens. `why` explains a failure. */
NODISCARD enum err peers_open(const struct daemon_home *home, struct chain *chain, const struct peers_ops *ops,
                              struct peers **out, struct why *why);
/* Tells set_peer of everybody and begins to receive and to dial. */
NODISCARD enum err peers_attach(struct peers *peers, uv_loop_t *loop);
/* Cuts the links. Accepts NULL. */
void peers_close(struct peers *peers);

/* Looks at the ledger's nodes again: peers come, go or move. ERR_NOMEM, ERR_CORRUPT. */
NODISCARD enum err peers_refresh(struct peers *peers);

/* No link to this peer until then (monotonic): it sends what no honest node sends. */
void peers_shun(struct peers *peers, uint16_t peer, uint64_t until_ms);
/* Those whose time is over may come back; called a few times a second. */
void peers_tick(struct peers *peers, uint64_t now_ms);

/* Delivery is not promised; false: not even tried. */
bool peers_send(struct peers *peers, uint16_t peer, enum frame_class class, unsigned kind, struct bytes message);
/* The same to several; how many links took it. */
size_t peers_multicast(struct peers *peers, const uint16_t *to, size_t count, enum frame_class class, unsigned kind,
                       struct bytes message);

struct peer_facts {
    uint8_t key[KEY_LEN];
    const char *address; /* borrowed until the next call that may change peers */
    enum node_role role;
    struct links_peer_stats link;
};
struct links_stats peers_links(const struct peers *peers);
/* The peer at this place; false when there is none. */
bool peers_get(const struct peers *peers, uint16_t peer, struct peer_facts *out);

#endif
