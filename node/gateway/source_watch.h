/* Listens to the event streams of all sources (GET /v1/events) with one thread, so that what is new is asked for at
 * once and not only at the next poll. An event is a hint: it says "ask", never what is true. A stream that ends or
 * can't be had is tried again after a pause that doubles up to SOURCE_WATCH_RETRY_MAX_MS.
 */
#ifndef ASSAY_NODE_GATEWAY_SOURCE_WATCH_H
#define ASSAY_NODE_GATEWAY_SOURCE_WATCH_H

#include "node/host/config.h"

#define SOURCE_WATCH_RETRY_MIN_MS 250u
#define SOURCE_WATCH_RETRY_MAX_MS 10000u
#define SOURCE_WATCH_POKES_MS 20 /* pokes are no closer together: a flood of events costs no more */

struct source_watch;

struct source_watch_config {
    const struct config_sources *sources; /* borrowed */
    void (*poke)(void *ctx);              /* on the watch's thread */
    void *ctx;
};

NODISCARD enum err source_watch_new(const struct source_watch_config *config, struct source_watch **out);
/* Ends the streams. NULL is fine. */
void source_watch_free(struct source_watch *watch);
/* Streams that are open now. */
size_t source_watch_open(struct source_watch *watch);

#endif
