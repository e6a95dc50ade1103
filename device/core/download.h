/* The image's way into the inactive slot, page by page. */
#ifndef ASSAY_DEVICE_CORE_DOWNLOAD_H
#define ASSAY_DEVICE_CORE_DOWNLOAD_H

#include "device/core/talk.h"

enum download_result {
    DOWNLOAD_MORE,    /* some pages were written; state.pages_done says how far it is */
    DOWNLOAD_DONE,    /* all pages are there */
    DOWNLOAD_OFFLINE, /* the gateway gave nothing usable */
    DOWNLOAD_NOT_YET, /* the gateway does not have the image yet */
    DOWNLOAD_GONE,    /* it is not offered any more: revoked, or a newer one is */
    DOWNLOAD_SIZE,    /* what is offered is not as long as the manifest says */
    DOWNLOAD_FAULT    /* flash failed */
};

/* Fetches up to DEVICE_PROGRESS_PAGES pages from pages_done on, never a byte beyond the signed size. A page that
 * already holds the right bytes is neither erased nor written. */
enum download_result download_some(struct device *device);

/* SHA-256 of what the slot holds, read back from flash. False when the flash failed. */
bool download_digest(struct device *device, uint8_t slot, uint64_t size, uint8_t out[HASH_LEN]);

#endif
