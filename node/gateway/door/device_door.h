/* The gateway's side of the device protocol (device/core/protocol.h), whatever the messages come over (device_link.h).
 *
 * A request is answered from what the site knows. When that needs something from the ledger first (who is this? where
 * does it stand? has the ledger heard?), the request waits without a thread, at most as long as its link lets it, and is
 * answered the moment it can be; then with what there is ("not yet", "queued").
 *
 * A statement is checked against the device's key, made durable in the queue, and only then answered.
 */
#ifndef ASSAY_NODE_GATEWAY_DOOR_DEVICE_DOOR_H
#define ASSAY_NODE_GATEWAY_DOOR_DEVICE_DOOR_H

#include "node/gateway/door/device_link.h"
#include "node/gateway/follow.h"
#include "node/gateway/images.h"
#include "node/gateway/light.h"
#include "node/gateway/site.h"
#include "node/gateway/uplink.h"

#define DEVICE_DOOR_WAITING_MAX 1024u   /* more are answered at once */
#define DEVICE_DOOR_LOOK_AGAIN_MS 10000 /* before a refused device's record is looked at again */
#define DEVICE_DOOR_STALE_MS 10000      /* a place in an update proven longer ago is proven again */

struct device_door;

struct device_door_config {
    struct light *light; /* borrowed, as is the rest */
    struct site *site;
    struct images *images;
    struct follow *follow; /* these two by device_door_attach: they tell this module what changes, so they come later */
    struct uplink *uplink;
    struct statement_queue *queue;
    uint32_t device_poll_ms; /* what devices are told */
};

NODISCARD enum err device_door_new(const struct device_door_config *config, struct device_door **out);
/* Before any link hands over a message. */
void device_door_attach(struct device_door *door, struct follow *follow, struct uplink *uplink);
/* After the links have stopped and the threads that call the two below have ended. */
void device_door_free(struct device_door *door);

/* A message came over a link; it is answered by the link's functions. Any thread. */
void device_door_take(struct device_door *door, const struct device_call *call);

/* Something about one device, or (NULL) about everybody, is new: requests that wait are looked at again. Any thread,
 * without the site's lock. */
void device_door_changed(struct device_door *door, const uint8_t *device_id);
/* A statement was settled: noted with its device, and whoever waits is answered. */
void device_door_settled(struct device_door *door, const struct uplink_result *result);

struct device_door_stats {
    uint64_t requests[5]; /* by enum protocol_operation; 0: malformed */
    uint64_t offers, waiting;
};
void device_door_stats(struct device_door *door, struct device_door_stats *out);

#endif
