/* The gateway's side of the device protocol (device/core/protocol.h) over HTTP: POST /device/v1.
 *
 * A request is answered from what the site knows. When that needs something from the ledger first (who is this? where
 * does it stand? has the ledger heard?), the request waits without a thread, at most DEVICE_API_WAIT_MS, and is
 * answered the moment it can be; then with what there is ("not yet", "queued").
 *
 * A statement is checked against the device's key, made durable in the queue, and only then answered.
 */
#ifndef ASSAY_NODE_GATEWAY_DEVICE_API_H
#define ASSAY_NODE_GATEWAY_DEVICE_API_H

#include "node/gateway/follow.h"
#include "node/gateway/images.h"
#include "node/gateway/light.h"
#include "node/gateway/site.h"
#include "node/gateway/uplink.h"
#include "node/http/server.h"

#define DEVICE_API_WAIT_MS 2500
#define DEVICE_API_WAITING_MAX 1024u   /* more are answered at once */
#define DEVICE_API_LOOK_AGAIN_MS 10000 /* before a refused device's record is looked at again */
#define DEVICE_API_STALE_MS 10000      /* a place in an update proven longer ago is proven again */

struct device_api;

struct device_api_config {
    struct light *light; /* borrowed, as is the rest */
    struct site *site;
    struct images *images;
    struct follow *follow; /* these two by device_api_attach: they tell this module what changes, so they come later */
    struct uplink *uplink;
    struct statement_queue *queue;
    uint32_t device_poll_ms; /* what devices are told */
};

NODISCARD enum err device_api_new(const struct device_api_config *config, struct device_api **out);
/* Before the routes. */
void device_api_attach(struct device_api *api, struct follow *follow, struct uplink *uplink);
/* After the server has stopped and the threads that call the two below have ended. */
void device_api_free(struct device_api *api);
NODISCARD enum err device_api_routes(struct device_api *api, struct http_server *server);

/* Something about one device, or (NULL) about everybody, is new: requests that wait are looked at again. Any thread,
 * without the site's lock. */
void device_api_changed(struct device_api *api, const uint8_t *device_id);
/* A statement was settled: noted with its device, and whoever waits is answered. */
void device_api_settled(struct device_api *api, const struct uplink_result *result);

struct device_api_stats {
    uint64_t requests[5]; /* by enum protocol_operation; 0: malformed */
    uint64_t offers, waiting;
};
void device_api_stats(struct device_api *api, struct device_api_stats *out);

#endif
