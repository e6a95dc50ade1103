/* One peer's outbox: a push socket that dials the peer's inbox until it has one connection, and sends one message at a
 * time. When the connection ends the outbox is spent: its owner closes it and opens another.
 *
 * A push socket of nng 1.5.2 must not outlive its connection. When a send ends while the connection does, the library
 * puts the freed connection into the socket's list of those ready to send, and the next connection or the next send
 * writes to that memory. So nothing is sent, and nothing dialed, on a socket whose connection's end was told; the
 * library frees it only after it was told.
 *
 * The owner's thread calls; nng's threads tell through `wake` that the connection or the outbox's readiness changed.
 * What couldn't be handed to the connection before it broke is lost: sessions and what stands on them cope with that.
 */
#ifndef ASSAY_NODE_NET_OUTBOX_H
#define ASSAY_NODE_NET_OUTBOX_H

#include "base/bytes.h"

#include <nng/nng.h>

#define OUTBOX_REDIAL_MIN_MS 100
#define OUTBOX_REDIAL_MAX_MS 2000
/* A connection that is not there after so long is dialed anew: behind a cut that healed, TCP would wait much longer. */
#define OUTBOX_DIAL_MS 3000

struct outbox;

/* Starts dialing "host:port" and goes on until connected or closed. `wake` is called on nng's threads, with a lock
 * held: it must not block, nor call this module. ERR_CONFIG (address), ERR_NETWORK, ERR_NOMEM. */
NODISCARD enum err outbox_open(const char *address, size_t max_message, void (*wake)(void *arg), void *arg,
                               struct outbox **out);
/* No wake comes, nor is one running, once this returned; the socket is cut and the memory freed a moment later by other
 * threads (node/net/socket_close.h). Doesn't wait. Accepts NULL. */
void outbox_close(struct outbox *o);

/* Id of the connection, 0 for none; a new one means that it broke in between. */
uint32_t outbox_connection(struct outbox *o);
/* False: wake will be called once it is ready. */
bool outbox_ready(struct outbox *o);
/* Its connection ended. */
bool outbox_spent(struct outbox *o);
/* Only when ready. Takes the message. */
void outbox_send(struct outbox *o, nng_msg *msg);
/* Cuts a connection on which nothing is heard any more, so that the outbox is soon spent. */
void outbox_cut(struct outbox *o);

#endif
