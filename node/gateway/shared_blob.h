/* Bytes that devices fetch in ranges: an envelope, a delegation, a proof. Shared by reference count, never changed.
 *
 * Its tag names this very content (the first bytes of its SHA-256), so that ranges of two versions never get mixed,
 * also across a restart. Counts are guarded by the owner's lock.
 */
#ifndef ASSAY_NODE_GATEWAY_SHARED_BLOB_H
#define ASSAY_NODE_GATEWAY_SHARED_BLOB_H

#include "base/bytes.h"

struct shared_blob {
    uint32_t references;
    uint32_t tag; /* never 0 */
    size_t len;
    uint8_t data[];
};

/* A copy with one reference; NULL when memory is out. */
struct shared_blob *shared_blob_new(struct bytes data);
/* NULL is fine. */
void shared_blob_unref(struct shared_blob *blob);
uint32_t shared_blob_tag_of(const uint8_t *hash);

#endif
