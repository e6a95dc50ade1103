/* The image cache: images of releases that devices are offered, fetched by their CID from several nodes at once and
 * kept in a repository (ipfs-lite/repo.h), checked by CID, size and SHA-256.
 *
 * One thread fetches, one image after another, in the order of the wishes; what arrived of an interrupted fetch stays.
 * A failed fetch is tried again after a while that doubles from IMAGES_RETRY_MIN_MS to IMAGES_RETRY_MAX_MS. When the
 * cache is over its limit, images go that were not used for longest and are not wanted now.
 */
#ifndef ASSAY_NODE_GATEWAY_IMAGES_H
#define ASSAY_NODE_GATEWAY_IMAGES_H

#include "base/why.h"
#include "ipfs-lite/repo.h"
#include "node/gateway/image_sources.h"

#define IMAGES_WANTED_MAX 256u
#define IMAGES_RETRY_MIN_MS 500u
#define IMAGES_RETRY_MAX_MS 30000u
#define IMAGES_DEADLINE_MS (60u * 60u * 1000u) /* for one image */

struct images;

struct images_config {
    struct repo *repo;             /* borrowed */
    struct image_sources *sources; /* borrowed */
    uint64_t cache_bytes;
    void (*arrived)(void *ctx, const struct cid *root); /* on the fetching thread */
    void *ctx;
};

struct images_wish {
    struct cid root;
    uint64_t size;
    uint8_t sha256[SHA256_LEN];
};

NODISCARD enum err images_new(const struct images_config *config, struct images **out);
/* Ends the fetch under way, without waiting. */
void images_stop(struct images *images);
/* Waits for it: nothing is fetched and nobody is told of an image any more. The rest goes on. NULL is fine. */
void images_join(struct images *images);
void images_free(struct images *images);

/* Says what is wanted now, all of it; what is not among it may go. At most IMAGES_WANTED_MAX are heeded. */
void images_want(struct images *images, const struct images_wish *wishes, size_t count);
bool images_has(struct images *images, const struct cid *root);
/* Reads a range; fewer bytes at the end. ERR_NOTFOUND, ERR_IO. */
NODISCARD enum err images_read(struct images *images, const struct cid *root, uint64_t offset, uint8_t *out, size_t max,
                               size_t *out_len);

struct images_stats {
    uint64_t images, bytes, limit_bytes;
    uint64_t fetched, failed, evicted, bad_sources;
    bool fetching;
    uint64_t fetching_have, fetching_total;
    struct why last_why; /* of the last failed fetch, none after a good one */
};
void images_stats(struct images *images, struct images_stats *out);

#endif
