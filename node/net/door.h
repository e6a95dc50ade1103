/* The node's door: who connects is a stranger here until its first frame is an initiation with the right code.
 *
 * Strangers never reach the owner's thread: nng's threads count them from their first byte, in all and by address (an
 * IPv6 /64 is one address), read at most one frame of them and hold it against the code, which needs no curve
 * arithmetic. Who fails is cut. When there are too many, one goes for the newest, chosen in this order:
 *   from where no member was seen, before others;
 *   who has not sent a good initiation, before who has;
 *   of the address with the most;
 *   the oldest.
 * The curve arithmetic that an initiation costs has a budget, by address and in all. TCP has shown that an address is
 * its owner's, so a cookie would show nothing more.
 *
 * Guests, whose first frame was good, are taken by the owner's thread, and counted until it says that they have left.
 */
#ifndef ASSAY_NODE_NET_DOOR_H
#define ASSAY_NODE_NET_DOOR_H

#include "node/net/session.h"
#include "node/net/wire.h"

#define DOOR_STRANGER_MS 5000u
/* Initiations of one address, and of one member: so many at once, then one a period. */
#define DOOR_ADDRESS_BURST 8u
#define DOOR_ADDRESS_MS 250u
/* And of all that are not known for members': so many at once, then one a period. */
#define DOOR_ALL_BURST 64u
#define DOOR_ALL_MS 8u

#define DOOR_MEMBERS_MAX 256u

struct door;

struct door_config {
    struct wire_hub *hub;            /* woken when a guest waits */
    const struct session_self *self; /* outlives the door's strangers; only what never changes in it is read */
    const char *listen;              /* host:port; port 0 picks a free one */
    size_t max_connections;
    size_t max_connections_per_address;
    size_t max_descriptors; /* with so many open in the process nobody is accepted; 0: no bound */
};

struct door_stats {
    size_t connections; /* strangers and guests */
    uint64_t refused;   /* over a limit, with nobody left to go for it */
    uint64_t cut;       /* strangers cut: for place, for silence, for what they sent */
    uint64_t garbage;   /* of these: not an initiation, or without the right code */
    uint64_t throttled; /* initiations over the budget */
};

/* Listens, and lets nobody in before door_start. ERR_CONFIG (address), ERR_BUSY (in use), ERR_NETWORK, ERR_NOMEM. */
NODISCARD enum err door_open(const struct door_config *config, struct door **out);
void door_start(struct door *door);
/* Nobody is let in any more, and strangers are cut; guests stay their owner's. Accepts NULL. */
void door_close(struct door *door);
/* New limits, at most those it was opened with. Connections there are stay. */
void door_limit(struct door *door, size_t connections, size_t connections_per_address);
uint16_t door_port(const struct door *door);

/* The next guest, its initiation still unread; NULL when none waits. */
struct wire *door_take(struct door *door);
/* The guest's connection is closed, and counts no more. */
void door_left(struct door *door, const struct wire *guest);
/* This member connects from here, the last place it did; 0: from nowhere. Initiations from there don't count among
 * those of all, and whoever comes from there is the last to go for others. */
void door_favour(struct door *door, size_t member, uint64_t address);
/* Cuts strangers that stay silent. To be called about once a second. */
void door_tick(struct door *door, uint64_t now_ms);
struct door_stats door_stats(struct door *door);

#endif
