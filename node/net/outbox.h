/* One peer's outbox: a push socket that dials the peer's inbox, redials when cut, and sends one message at a time.
 *
 * The owner's thread calls; nng's threads tell through `wake` that the connection or the outbox's readiness changed.
 * What couldn't be handed to the connection before it broke is lost: sessions and what stands on them cope with that.
 */
#ifndef ASSAY_NODE_NET_OUTBOX_H
#define ASSAY_NODE_NET_OUTBOX_H

#include "base/bytes.h"

#include <nng/nng.h>
#include <stdatomic.h>

#define OUTBOX_REDIAL_MIN_MS 100
#define OUTBOX_REDIAL_MAX_MS 2000

/* Plain part of its owner; doesn't move between open and close. */
struct outbox {
    bool open;
    bool left_behind; /* nng did not let go of it */
    atomic_bool deaf; /* closing: no more wakes */
    nng_socket socket;
    nng_aio *aio;
    atomic_bool busy;   /* a message is being handed over */
    atomic_bool wanted; /* wake when no longer busy */
    atomic_uint pipe;   /* the connection's id, 0 when there is none */
    void (*wake)(void *arg);
    void *arg;
};

/* Starts dialing "host:port" and goes on until closed. `wake` is called on nng's threads and must not block.
 * ERR_CONFIG (address), ERR_NETWORK, ERR_NOMEM. */
NODISCARD enum err outbox_open(struct outbox *o, const char *address, size_t max_message, void (*wake)(void *arg),
                               void *arg);
/* Cuts and frees; no wake comes after it. Accepts one that isn't open. Takes bounded time: false when nng did not let
 * go of it (node/net/socket_close.h), now or before; then the memory it lies in must be kept. */
bool outbox_close(struct outbox *o);

/* Id of the connection, 0 for none; a new one means that it broke in between. */
uint32_t outbox_connection(struct outbox *o);
/* False: wake will be called once it is ready. */
bool outbox_ready(struct outbox *o);
/* Only when ready. Takes the message. */
void outbox_send(struct outbox *o, nng_msg *msg);
/* Gives up what is being handed over. */
void outbox_cancel(struct outbox *o);
/* Cuts a connection on which nothing is heard any more, so that it is dialed anew. */
void outbox_cut(struct outbox *o);

#endif
