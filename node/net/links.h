/* Links: secured conversations between this node and the other members.
 *
 * One connection a pair of nodes, dialled by either: each dials the members that have an address, and the session that
 * comes about first decides which connection stays (where both begin at once, that of the lower link key's). Members
 * are known by their X25519 link keys, which stand on the ledger; all share a swarm key. A link is up while a session
 * stands and the peer has proven within LINKS_SILENT_MS that it is there; messages are taken only for links that are
 * up. Delivery is not promised: a message is lost when a link breaks with it on its way, or when it had to make place
 * for one of more value.
 *
 * Everything here belongs to the thread of the loop given to links_attach, callbacks included. Life: links_open,
 * links_attach, ..., links_close, and the loop must run until its handles are closed. links_close must
 * not be called from within a callback of links; every other call may.
 *
 * docs/formats.md and docs/operations.md have the datagrams, the limits and the security argument.
 */
#ifndef ASSAY_NODE_NET_LINKS_H
#define ASSAY_NODE_NET_LINKS_H

#include "node/net/frame.h"
#include "node/net/sendq.h"
#include "node/net/session.h"

#include <uv.h>

#define LINKS_MEMBERS_MAX 256u
#define LINKS_KINDS SENDQ_KINDS
/* Connections at the door: two for each member, since a new one may come before the old one is known to be gone, and
 * some more for whom we don't know yet. */
#define LINKS_CONNECTIONS(members) (2 * (size_t)(members) + 64)
#define LINKS_KEEPALIVE_MS 3000u
#define LINKS_SILENT_MS 8000u
#define LINKS_RETRY_MIN_MS 250u
#define LINKS_RETRY_MAX_MS 5000u
/* Between attempts to connect to who was there within the last ten minutes; to others; to a name that has no address. */
#define LINKS_REDIAL_MAX_MS 5000u
#define LINKS_REDIAL_LOST_MS 600000u
#define LINKS_REDIAL_LOST_MAX_MS 120000u
#define LINKS_REDIAL_NAME_MAX_MS 120000u
/* How long gossip waits for more to send with it when some went out just before, unless there are so many bytes or a
 * message of more value. After a quiet time it goes at once. */
#define LINKS_LINGER_MS 3u
#define LINKS_LINGER_BYTES ((size_t)32 * 1024)
#define LINKS_QUEUE_BYTES ((size_t)16 * 1024 * 1024)
#define LINKS_QUEUE_MESSAGES 8192u

_Static_assert(LIMIT_VALIDATORS < LINKS_MEMBERS_MAX, "there must be numbers for every validator and for observers");
_Static_assert(LIMIT_PEER_MESSAGE < LINKS_QUEUE_BYTES, "a queue must hold the largest message");

struct links;

struct links_member {
    uint8_t key[X25519_LEN]; /* zeros: nobody has this number */
    const char *address;     /* host:port of its door; NULL or "": it dials us */
};

struct links_config {
    uint8_t link_secret[X25519_LEN]; /* copied; the caller wipes its own */
    uint8_t psk[NOISE_KEY_LEN];      /* links_psk makes it */
    size_t self;                     /* our number; that member is ignored, and need not be there */
    const struct links_member *members;
    size_t member_count;
    const char *listen;                 /* host:port; port 0 picks a free one */
    size_t queue_bytes;                 /* of one peer; 0: LINKS_QUEUE_BYTES */
    size_t queue_messages;              /* of one peer; 0: LINKS_QUEUE_MESSAGES */
    size_t max_connections;             /* at the door; 0: two for each member there is and 64 more */
    size_t most_connections;            /* then as well: at most; 0: no bound */
    size_t max_connections_per_address; /* 0: two for each member there is and 16 more */
    size_t max_descriptors;             /* as door_config's */
};

struct links_ops {
    /* A message of an authenticated member; the span is valid during the call. */
    void (*on_message)(void *ctx, size_t member, struct bytes message);
    void (*on_up)(void *ctx, size_t member);
    void (*on_down)(void *ctx, size_t member);
    void *ctx;
};

/* The key that members share: SHA-256("assay.linkpsk" padded to 16 with zeros | chain id | swarm key). The swarm key,
 * the contents of an optional file, may be empty; then only the chain id separates swarms and that is no secret. */
void links_psk(const uint8_t chain_id[SHA256_LEN], struct bytes swarm_key, uint8_t out_psk[NOISE_KEY_LEN]);

/* Listens. ERR_CONFIG (address), ERR_RANGE (number of members), ERR_BUSY (port in use), ERR_NETWORK, ERR_NOMEM. */
NODISCARD enum err links_open(const struct links_config *config, const struct links_ops *ops, struct links **out);
uint16_t links_port(const struct links *links);
/* Begins to receive and to dial. ERR_NOMEM, ERR_CONFIG (a member's address); close links then as well. */
NODISCARD enum err links_attach(struct links *links, uv_loop_t *loop);
/* Cuts everything without waiting for anybody, and frees the port; memory goes when
 * the loop has closed the handles. Accepts NULL. */
void links_close(struct links *links);

/* A member came, went (NULL, or a key of zeros) or changed its key or address; a link to the old one goes down.
 * Doesn't wait; what is as told before changes nothing. Members with another's key are refused: ERR_EXISTS. ERR_RANGE,
 * ERR_NOMEM, ERR_CONFIG. */
NODISCARD enum err links_set_member(struct links *links, size_t member, const struct links_member *info);

/* Copies the message and sends it with this turn of the loop, gossip that follows on gossip a little later. Its bytes
 * are counted under `kind`, the caller's own, below LINKS_KINDS. ERR_CLOSED (link is down), ERR_FULL (nothing of less
 * value could be dropped for it), ERR_RANGE (no such member), ERR_TOOLARGE (empty, or over LIMIT_PEER_MESSAGE),
 * ERR_NOMEM. */
NODISCARD enum err links_send(struct links *links, size_t member, enum frame_class class, unsigned kind,
                              struct bytes message);
/* The same to those of these members whose links are up, one copy for all; gives how many queues took it. Nobody is
 * named twice. */
size_t links_multicast(struct links *links, const uint16_t *members, size_t count, enum frame_class class,
                       unsigned kind, struct bytes message);

struct links_peer_stats {
    bool known; /* has a key */
    bool up;
    uint64_t bytes_in, bytes_out; /* datagrams, without TCP */
    uint64_t messages_in, messages_out;
    uint64_t dropped[FRAME_CLASSES];
    uint64_t lost;       /* begun by the peer and never completed */
    uint64_t handshakes; /* completed */
    uint64_t rejected;   /* transport datagrams that no keys open, replays included */
    uint64_t heard_ms;   /* clock_mono_ms of the last authentic datagram; 0: never */
    size_t queued_bytes;
};
struct links_peer_stats links_peer_stats(const struct links *links, size_t member);

struct links_stats {
    size_t connections;           /* at the door */
    size_t dialled;               /* of our own making */
    uint64_t connections_refused; /* over a limit */
    uint64_t connections_cut;     /* for garbage, for too many refused datagrams, for staying a stranger, for others */
    uint64_t garbage;             /* not a datagram, or a handshake without the right code */
    uint64_t forged;              /* initiations and answers whose cryptography fails */
    uint64_t strangers;           /* initiations proven to come from nobody we know */
    uint64_t replayed;            /* initiations seen before or too old */
    uint64_t throttled;           /* initiations over a budget */
    uint64_t unknown;             /* datagrams for an index of no member */
    uint64_t sent[LINKS_KINDS];   /* bytes of messages and their frames, by kind */
    uint64_t sent_own;            /* and what links add: handshakes, signs of life, lengths, headers */
};
struct links_stats links_stats(struct links *links);

#endif
