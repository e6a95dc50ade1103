/* An image that arrives block by block, in any order, and survives a restart.
 *
 *   DIR/partial/<root>.data    the image's bytes, each verified leaf at its own offset, holes between
 *   DIR/partial/<root>.nodes   verified dag-pb blocks, each length (4, big-endian) then bytes, appended
 *
 * There is no bitmap that could say more than the disk holds: opening hashes what lies there and keeps what matches its
 * CID. So nothing need be synced on the way, and a torn or lost write costs that one block.
 *
 * A root says what its children must be, so that only blocks of a tree that a known profile makes are ever asked for,
 * and no more bytes than the root announces. Leaves that another image here holds are copied instead of being asked
 * for.
 */
#ifndef ASSAY_IPFS_LITE_REPO_PARTIAL_H
#define ASSAY_IPFS_LITE_REPO_PARTIAL_H

#include "ipfs-lite/repo.h"

struct repo_partial; /* one thread; several may be open for different roots */

/* A block to be fetched. */
struct repo_want {
    struct cid cid;
    uint32_t level;     /* 0: a leaf */
    uint64_t offset;    /* file bytes under it */
    uint64_t size;      /* 0 for the root of an image whose size isn't known yet */
    uint32_t max_block; /* no block of this CID is longer */
    size_t slot;        /* the partial's own */
};

/* ERR_EXISTS when the image is here already, ERR_BUSY when somebody else fetches it. `max_size` (0: the repository's
 * limit) bounds the image. */
NODISCARD enum err repo_partial_open(struct repo *repo, const struct cid *root, uint64_t max_size,
                                     struct repo_partial **out);
/* Keeps what arrived for the next open. NULL is fine. */
void repo_partial_close(struct repo_partial *partial);
/* Forgets what arrived. */
void repo_partial_discard(struct repo_partial *partial);

/* The next block to ask somebody for, nodes before leaves; false when all are had or asked for. */
bool repo_partial_next(struct repo_partial *partial, struct repo_want *out);
/* Nobody is asked for it any more. */
void repo_partial_give_back(struct repo_partial *partial, const struct repo_want *want);
/* Keeps the answer. ERR_MISMATCH: not the block, whoever sent it lies; ERR_UNSUPPORTED, ERR_MALFORMED, ERR_TOOLARGE:
 * the image itself cannot be fetched, whoever sends it; ERR_IO, ERR_NOSPACE, ERR_NOMEM: ours. The block stays asked for
 * after an error. Getting it twice is fine. */
NODISCARD enum err repo_partial_put(struct repo_partial *partial, const struct repo_want *want, struct bytes block);

struct repo_partial_progress {
    uint64_t have;    /* verified bytes of the image */
    uint64_t total;   /* 0 until the root is here */
    uint64_t resumed; /* of `have`: were here when it was opened */
    uint64_t copied;  /* of `have`: came from other images here */
};
void repo_partial_progress(const struct repo_partial *partial, struct repo_partial_progress *out);
bool repo_partial_is_whole(const struct repo_partial *partial);

/* Checks the whole image (and its digest, when `sha256` is not NULL: ERR_MISMATCH discards it) and makes it visible.
 * Frees the partial in any case; after ERR_IO and the like what arrived is kept. */
NODISCARD enum err repo_partial_finish(struct repo_partial *partial, const uint8_t *sha256, struct repo_image *out);

#endif
