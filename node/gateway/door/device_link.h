/* How devices' requests come in: what a transport gives the door (device_door.h), and what it gets from it.
 *
 * A link knows its transport and nothing of what the bytes mean; the door knows the device protocol and no transport. A
 * link hands every message over as a struct device_call (device_door_take). The door answers it exactly once: with
 * `reply`, before device_door_take returns, or with `defer` then and `wake` later.
 *
 * A link is constant and outlives the door. It stops taking messages before the door is freed; what still waits then is
 * woken with DEVICE_REPLY_CLOSED, so handles stay good after a link has stopped.
 */
#ifndef ASSAY_NODE_GATEWAY_DOOR_DEVICE_LINK_H
#define ASSAY_NODE_GATEWAY_DOOR_DEVICE_LINK_H

#include "base/bytes.h"
#include "device/core/protocol.h"

#define DEVICE_LINK_PEER_MAX 64

enum device_reply_kind {
    DEVICE_REPLY_ANSWER = 1, /* an encoded answer of the device protocol */
    DEVICE_REPLY_MALFORMED,  /* what came is no request of the device protocol */
    DEVICE_REPLY_FAULT,      /* a local fault, which is in the log */
    DEVICE_REPLY_CLOSED,     /* the gateway stops */
};

struct device_reply {
    enum device_reply_kind kind;
    struct bytes answer; /* of DEVICE_REPLY_ANSWER, else empty; borrowed until the link's function returns */
};

struct device_link;

/* One message from a device. Borrowed, all of it, until device_door_take returns. */
struct device_call {
    const struct device_link *link;
    void *tag; /* the link's own: which message this is */
    struct bytes request;
    const char *peer; /* who sent it as far as the link can tell, for the log; cut to DEVICE_LINK_PEER_MAX */
};

struct device_link {
    const char *name;   /* "http": for the log */
    uint32_t range_max; /* bytes of an object in one answer, 1 to PROTOCOL_RANGE_MAX; PROTOCOL_ANSWER_HEAD_MAX around */
    uint32_t wait_ms;   /* a request may wait so long for its answer; 0: each is answered at once */

    /* The answer, now. */
    void (*reply)(const struct device_call *call, const struct device_reply *reply);
    /* The request waits. `so_far` is what it gets when nobody has woken it after wait_ms, or when the link must end it
     * earlier. Gives a handle that is the door's until `wake`. Never fails: a link that can't let it wait answers now,
     * and gives a handle (NULL is one) that `wake` accepts. */
    void *(*defer)(const struct device_call *call, const struct device_reply *so_far);
    /* The answer of one that waits, unless it has had one: once per handle, which is gone then. Any thread. */
    void (*wake)(void *handle, const struct device_reply *reply);
};

#endif
