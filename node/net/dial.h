/* One attempt to connect to "host:port". A name is resolved anew for each attempt (name.h), and each goes to another of
 * its addresses; nng, whose threads for names are few, is given addresses alone. */
#ifndef ASSAY_NODE_NET_DIAL_H
#define ASSAY_NODE_NET_DIAL_H

#include "node/net/name.h"

/* A connection that is not there after so long is given up: behind a cut that healed, TCP would wait much longer. A
 * name has as long as the system takes to resolve it. */
#define DIAL_MS 3000

struct dial;

/* The hub is woken when there is something to look at. `number` counts the attempts. ERR_CONFIG (address), ERR_BUSY (a
 * name, and enough are being resolved), ERR_NOMEM. */
NODISCARD enum err dial_begin(struct wire_hub *hub, const char *address, unsigned number, struct dial **out);
/* Goes on, where there is something to look at. Has it ended? Then `*out` is the stream, which the caller owns from now
 * on, or NULL when it failed; `*out_no_name` tells whether for want of an address of that name. */
bool dial_ended(struct dial *d, nng_stream **out, bool *out_no_name);
/* Gives it up, or forgets one that has ended. Not to be called on nng's threads, one of which it waits for, a moment.
 * Accepts NULL. */
void dial_free(struct dial *d);

#endif
