/* The repository of images.
 *
 * An image is one file, written once: a temporary file, fsync, rename, fsync of the folder. Its leaves are ranges of
 * that file and its dag-pb nodes lie in the index beside it (ipfs-lite/repo_index.h), so that any block is found by its
 * CID without copying and an image is served at file-server speed.
 *
 *   DIR/images/<root cid>          the image
 *   DIR/images/<root cid>.index    its index, written first: an image without one gets it made again at open
 *   DIR/tmp/                       imports under way, emptied at open
 *   DIR/partial/<root cid>.*       fetches under way (ipfs-lite/repo_partial.h), kept
 *   DIR/quarantine/                what repo_verify or open found damaged: never served
 *   DIR/lock                       one process at a time
 *
 * A crash at any point leaves the whole image or none. All calls but open and close are safe from any thread; imports
 * run side by side, one thread each. Indices are held in memory: about 60 bytes a block, bounded by max_total_bytes.
 */
#ifndef ASSAY_IPFS_LITE_REPO_H
#define ASSAY_IPFS_LITE_REPO_H

#include "ipfs-lite/importer.h"

struct repo;

struct repo_config {
    const char *dir;          /* copied; made when missing */
    uint64_t max_image_bytes; /* 0: 16 GiB */
    uint64_t max_total_bytes; /* images, imports and fetches under way together; 0: 1 TiB */
};

struct repo_image {
    struct cid root;
    uint64_t size;
    uint8_t sha256[SHA256_LEN];
    uint8_t tree_root[SHA256_LEN];
    const struct unixfs_profile *profile;
    uint64_t blocks; /* leaves and nodes */
};

/* ERR_BUSY when another process has it open. Damaged images are put aside and counted, not fatal. */
NODISCARD enum err repo_open(const struct repo_config *config, struct repo **out);
void repo_close(struct repo *repo); /* no import or fetch may be under way; NULL is fine */

struct repo_stats {
    uint64_t images;
    uint64_t bytes;       /* of stored images */
    uint64_t reserved;    /* by imports and fetches under way */
    uint64_t quarantined; /* since open */
};
void repo_stats(struct repo *repo, struct repo_stats *out);
uint64_t repo_max_image_bytes(const struct repo *repo);

/* ---- Reading -------------------------------------------------------------------------------------------------- */

/* One block. The open file stays readable when the image is removed meanwhile. */
struct repo_block {
    int fd;          /* the image's file; the caller's */
    uint64_t offset; /* file bytes under the block: for a leaf the block itself */
    uint64_t size;
    bool is_leaf;
    struct bytes node; /* the dag-pb block, on the heap; empty for a leaf */
};

/* ERR_NOTFOUND when no image here has the block. */
NODISCARD enum err repo_find(struct repo *repo, const struct cid *cid, struct repo_block *out);
void repo_block_close(struct repo_block *block);

/* By root CID. ERR_NOTFOUND. */
NODISCARD enum err repo_stat(struct repo *repo, const struct cid *root, struct repo_image *out);
/* Up to `max` images with roots after `*after` (NULL: from the start), in the order of their digests. The last root is
 * the cursor for the next page; 0 images end the list. */
size_t repo_list(struct repo *repo, const struct cid *after, struct repo_image *out, size_t max);
NODISCARD enum err repo_remove(struct repo *repo, const struct cid *root);

/* Reads and hashes every image; a damaged one goes to quarantine and is named through `damaged` (may be NULL).
 * OK also then: `out_damaged` says how many. Imports and readers go on meanwhile. */
NODISCARD enum err repo_verify(struct repo *repo, void (*damaged)(void *arg, const struct cid *root, enum err why),
                               void *arg, uint64_t *out_damaged);

/* ---- Importing ------------------------------------------------------------------------------------------------ */

struct repo_import; /* one thread */

NODISCARD enum err repo_import_begin(struct repo *repo, const struct unixfs_profile *profile, struct repo_import **out);
/* ERR_TOOLARGE over max_image_bytes, ERR_NOSPACE over max_total_bytes or when the disk is full. After an error only
 * abort is left. */
NODISCARD enum err repo_import_write(struct repo_import *import, const void *data, size_t len);
/* Makes the image durable and visible. An image that is already here is success. Frees the import in any case. */
NODISCARD enum err repo_import_end(struct repo_import *import, struct repo_image *out);
void repo_import_abort(struct repo_import *import); /* NULL is fine */

#endif
