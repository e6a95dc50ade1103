/* GET /v1/events: what becomes final, as server-sent events.
 *
 * Types: tx (every transaction), then by what it did: release, revocation, floor (raised), proposal (proposed, voted,
 * withdrawn), update, device; last of a block: block, whose id is the height. A client that comes back with Last-Event-ID gets every block after that one, read from the
 * block log, so nothing is lost while it was away. Query types=block,release picks;
 * without block, an id alone ends each block, so that such a client can resume too.
 */
#ifndef ASSAY_NODE_API_EVENTS_H
#define ASSAY_NODE_API_EVENTS_H

#include "node/http/server.h"
#include "node/ledger/chain.h"

struct events;

NODISCARD enum err events_new(struct chain *chain, struct events **out);
/* After the server has stopped. */
void events_free(struct events *events);
NODISCARD enum err events_routes(struct events *events, struct http_server *server);
/* Ledger thread: a block became final and can be read through views. */
void events_block_final(struct events *events, const struct block *block);
/* Any thread: an alarm for operators; type "alarm", without id. */
void events_alarm(struct events *events, const char *name, const char *text);

#endif
