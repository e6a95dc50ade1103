/* What a device is answered now, from what the gateway knows: the device protocol, one request at a time.
 *
 * Never waits for the network. Answers that may get better soon say so, and what was missing has been asked for.
 */
#ifndef ASSAY_NODE_GATEWAY_DOOR_DEVICE_ANSWER_H
#define ASSAY_NODE_GATEWAY_DOOR_DEVICE_ANSWER_H

#include "device/core/protocol.h"
#include "node/gateway/door/device_door.h"

struct door_answer {
    struct protocol_answer answer;
    uint8_t *range;   /* heap: the bytes of a get, which `answer` borrows; device_answer_close frees it */
    bool may_improve; /* what is missing is on its way: worth waiting for */
};

/* ERR_IO and the like are local faults; whatever the device does wrong is an answer. */
NODISCARD enum err device_answer_make(const struct device_door_config *with, const struct protocol_request *request,
                                      struct door_answer *out);
void device_answer_close(struct door_answer *answer);

#endif
