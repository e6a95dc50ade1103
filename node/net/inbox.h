/* The node's inbox: a pull socket that every peer's outbox dials, and the guard at its door.
 *
 * Anyone can connect. Connections are counted, in all and per address (an IPv6 /64 is one address); one that sends
 * garbage is cut at once, one that keeps sending what no session accepts is cut soon, one that nobody vouches for
 * within INBOX_STRANGER_MS is cut too. Messages wait in a bounded queue for the owner's thread; when it is full nothing
 * more is read and the senders' own queues fill up, where the class of each message is known.
 */
#ifndef ASSAY_NODE_NET_INBOX_H
#define ASSAY_NODE_NET_INBOX_H

#include "base/bytes.h"

#include <nng/nng.h>

#define INBOX_QUEUE_MESSAGES 256u
#define INBOX_QUEUE_BYTES ((size_t)4 * 1024 * 1024)
#define INBOX_STRANGER_MS 30000u
/* Handshake initiations of one connection: so many at once, then one a period. */
#define INBOX_INITIATIONS 8u
#define INBOX_INITIATION_MS 250u
/* Refused datagrams in a row after which a connection is cut. */
#define INBOX_STRIKES 64u

struct inbox;

struct inbox_config {
    const char *listen; /* host:port; port 0 picks a free one */
    size_t max_message;
    size_t max_pipes;
    size_t max_pipes_per_address;
    void (*wake)(void *arg); /* on nng's threads, with a lock held: must not block, nor call this module */
    void *arg;
};

struct inbox_stats {
    size_t pipes;
    uint64_t refused; /* connections over a limit */
    uint64_t cut;     /* connections closed for what they did or didn't do */
};

/* Listens, but reads nothing before inbox_start. ERR_CONFIG (address), ERR_BUSY (in use), ERR_NETWORK, ERR_NOMEM. */
NODISCARD enum err inbox_open(const struct inbox_config *config, struct inbox **out);
void inbox_start(struct inbox *inbox);
/* No wake comes, nor is one running, once this returned; the socket is cut and the memory freed a moment later by other
 * threads (node/net/socket_close.h). Doesn't wait. Accepts NULL. */
void inbox_close(struct inbox *inbox);
/* New limits, at most those it was opened with. Connections there are stay. */
void inbox_limit(struct inbox *inbox, size_t pipes, size_t pipes_per_address);
uint16_t inbox_port(const struct inbox *inbox);

/* The next message, NULL when none waits; the caller frees it. */
nng_msg *inbox_take(struct inbox *inbox, uint32_t *out_pipe);

/* What the owner found out about a connection. */
void inbox_vouch(struct inbox *inbox, uint32_t pipe); /* it carried something authentic */
void inbox_blame(struct inbox *inbox, uint32_t pipe); /* it carried something that no session accepts */
void inbox_cut(struct inbox *inbox, uint32_t pipe);   /* it carried garbage */
/* May it have one more initiation looked at? */
bool inbox_allows_initiation(struct inbox *inbox, uint32_t pipe, uint64_t now_ms);
/* Cuts connections that stayed strangers. To be called every few seconds. */
void inbox_tick(struct inbox *inbox, uint64_t now_ms);
struct inbox_stats inbox_stats(struct inbox *inbox);

#endif
