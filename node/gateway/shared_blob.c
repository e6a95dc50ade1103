#include "node/gateway/shared_blob.h"

#include "base/sha256.h"

#include <stdlib.h>
#include <string.h>

uint32_t shared_blob_tag_of(const uint8_t *hash) {
    uint32_t tag = load_u32(hash);
    return tag != 0 ? tag : 1;
}

struct shared_blob *shared_blob_new(struct bytes data) {
    uint8_t hash[SHA256_LEN];
    struct shared_blob *blob = malloc(sizeof *blob + data.len);
    if (blob == NULL) {
        return NULL;
    }
    sha256(data.data, data.len, hash);
    blob->references = 1;
    blob->tag = shared_blob_tag_of(hash);
    blob->len = data.len;
    if (data.len > 0) {
        memcpy(blob->data, data.data, data.len);
    }
    return blob;
}

void shared_blob_unref(struct shared_blob *blob) {
    if (blob != NULL && --blob->references == 0) {
        free(blob);
    }
}
