/* Where images may be fetched from: what the configuration names, and the full nodes that the ledger has now.
 *
 * Lists that carry no proof say which nodes there may be; each is proven before it is asked, so that a source can't send
 * the gateway to addresses of its own choosing. Until the first are proven the genesis' nodes stand in their place.
 */
#ifndef ASSAY_NODE_GATEWAY_IMAGE_SOURCES_H
#define ASSAY_NODE_GATEWAY_IMAGE_SOURCES_H

#include "node/fetch/blob_fetch.h"
#include "node/gateway/light.h"

#define IMAGE_SOURCES_REFRESH_MS 60000u /* between two looks at the ledger's nodes */
#define IMAGE_SOURCES_GAP_MS 2000u      /* at least, however urgent it is */

struct image_sources;

/* The configuration's and the genesis' addresses are copied. */
NODISCARD enum err image_sources_new(const struct config_sources *configured, const struct genesis *genesis,
                                     struct image_sources **out);
void image_sources_free(struct image_sources *sources);

/* Looks at the ledger's nodes when it is time; `is_urgent`: something could not be fetched. On the thread that asks. */
void image_sources_refresh(struct image_sources *sources, struct light *light, bool is_urgent);

/* Any thread: copies of them, the configured ones first. Gives how many there are. */
size_t image_sources_list(struct image_sources *sources, char out[BLOB_FETCH_SOURCES_MAX][CONFIG_URL_MAX]);

#endif
