/* "host:port" on its way to addresses: getaddrinfo, which can't be told to stop, on a thread of its own.
 *
 * There are NAME_AT_ONCE such threads at most in the process, those that nobody waits for any more included, so names
 * that resolve slowly hold up nobody but other names.
 */
#ifndef ASSAY_NODE_NET_NAME_H
#define ASSAY_NODE_NET_NAME_H

#include "node/net/wire.h"

#define NAME_AT_ONCE 4u
#define NAME_ADDRESS_MAX 80u /* "[v6]:port", with terminator */
#define NAME_FOUND_MAX 8u    /* further addresses of a name are not looked at */

struct name;

/* Has it a host and a port? */
bool name_is_whole(const char *address);
/* An IP address and a port, with nothing to resolve? */
bool name_is_literal(const char *address);

/* The hub is woken when it has ended. ERR_CONFIG (not host:port), ERR_BUSY (enough are under way), ERR_NOMEM. */
NODISCARD enum err name_begin(struct wire_hub *hub, const char *address, struct name **out);
bool name_ended(const struct name *name);
/* When it has ended: one of its addresses, another for the next number; NULL: it has none. */
const char *name_address(const struct name *name, unsigned number);
/* Waits for nobody. Accepts NULL. */
void name_free(struct name *name);

#endif
