/* The seams: tables of functions through which the device client reaches everything that is not itself. A port fills
 * them in. All return false for a fault (dead flash, no answer); none may call back into the client. */
#ifndef ASSAY_DEVICE_CORE_SEAM_H
#define ASSAY_DEVICE_CORE_SEAM_H

#include "verify/crypto.h"

/* Two slots for images and a place for the client's own state. */
enum flash_area { FLASH_SLOT_0 = 0, FLASH_SLOT_1 = 1, FLASH_STATE = 2 };

/* NOR flash: erasing sets every bit of a page, programming clears bits and never sets one. */
struct device_flash {
    uint32_t page_size;  /* what is erased at once; a divisor of both areas, at most DEVICE_PAGE_MAX */
    uint32_t slot_size;  /* of each slot */
    uint32_t state_size; /* of the state area: room for two copies (state.h) */
    bool (*erase)(void *ctx, enum flash_area area, uint32_t page_offset);
    bool (*program)(void *ctx, enum flash_area area, uint32_t offset, const void *data, uint32_t len);
    bool (*read)(void *ctx, enum flash_area area, uint32_t offset, void *out, uint32_t len);
    void *ctx;
};

/* One request to the gateway and its answer; false when there is none (link down, timeout, answer too long). */
struct device_transport {
    bool (*exchange)(void *ctx, const uint8_t *request, size_t len, uint8_t *answer, size_t capacity, size_t *out_len);
    void *ctx;
};

#define SECURE_SLOT_LEN 32
/* Protected slot 0 holds the digest of the confirmed image, for the check at boot. */
#define SECURE_SLOT_RUNNING 0

/* What an attacker with the flash in hand must not change: keys, the anti-rollback floor, protected slots. */
struct device_secure {
    bool (*public_key)(void *ctx, uint8_t out[KEY_LEN]); /* of this device; is its id */
    bool (*sign)(void *ctx, const void *message, size_t len, uint8_t out[SIG_LEN]);
    bool (*root_key)(void *ctx, uint8_t out[KEY_LEN]); /* of the vendor */
    bool (*floor_get)(void *ctx, uint64_t *out);
    bool (*floor_raise)(void *ctx, uint64_t to); /* never lowers it; durable when it returns */
    bool (*slot_read)(void *ctx, uint8_t slot, uint8_t out[SECURE_SLOT_LEN]);
    bool (*slot_write)(void *ctx, uint8_t slot, const uint8_t in[SECURE_SLOT_LEN]);
    bool (*random)(void *ctx, void *out, size_t len);
    void *ctx;
};

struct device_clock {
    uint64_t (*now_ms)(void *ctx); /* since 1970; 0 while it is not set */
    void *ctx;
};

/* Reboots the device when it is started and not stopped in time: it guards the trial of a new image. */
struct device_watchdog {
    void (*start)(void *ctx, uint32_t timeout_ms);
    void (*stop)(void *ctx);
    void *ctx;
};

struct device_reboot {
    void (*reboot)(void *ctx); /* may return; then the port reboots as soon as device_step does */
    void *ctx;
};

#endif
