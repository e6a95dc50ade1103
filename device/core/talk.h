/* The device's side of the protocol: objects as inputs that fetch themselves, and statements. */
#ifndef ASSAY_DEVICE_CORE_TALK_H
#define ASSAY_DEVICE_CORE_TALK_H

#include "device/core/device.h"

/* One object of the gateway, pulled in pieces. `size` is known after talk_open. */
struct talk_object {
    struct device *device;
    enum protocol_what what;
    uint64_t height; /* least height of a proof */
    uint64_t size;
    uint64_t at;
    uint32_t tag;
    const uint8_t *piece; /* in device->answer */
    size_t left;
    bool offline; /* what stopped it was the link or the gateway, not the object */
};

/* How a conversation went; TALK_GONE: what was asked for is no longer to be had; TALK_UNKNOWN: the gateway does not
 * know this device. */
enum talk_result { TALK_OK, TALK_OFFLINE, TALK_NOT_YET, TALK_GONE, TALK_UNKNOWN };

enum talk_result talk_hello(struct device *device, struct protocol_answer *out);
enum talk_result talk_check(struct device *device, struct protocol_answer *out);

/* Asks for the first piece from `offset` on; proofs are asked for at `height` or above. The device's answer buffer
 * belongs to the object until it is done with. */
enum talk_result talk_open(struct talk_object *object, struct device *device, enum protocol_what what, uint64_t offset,
                           uint64_t height);
/* For verify/ too: pulls `len` bytes. */
bool talk_read(void *object, uint8_t *out, size_t len);

/* Signs and sends one statement; `out` is the gateway's answer. TALK_OFFLINE also when the secure element did
 * not sign. */
enum talk_result talk_statement(struct device *device, const struct statement *statement, struct protocol_answer *out);

#endif
