/* The images of a repository in memory, and the way from any block's digest to its place.
 *
 * Images are sorted by root digest. Blocks hang in a hash table keyed by a per-process random seed, so that nobody can
 * prepare digests that fall into one chain. Not locked: the repository does that.
 */
#ifndef ASSAY_IPFS_LITE_REPO_TABLE_H
#define ASSAY_IPFS_LITE_REPO_TABLE_H

#include "ipfs-lite/repo_index.h"

struct repo_table_entry;

struct repo_table {
    struct repo_index **images; /* owned */
    size_t count;
    size_t cap;
    struct repo_table_entry **buckets;
    size_t bucket_count; /* a power of two, or 0 */
    size_t entries;
    uint64_t seed;
};

void repo_table_init(struct repo_table *table);
void repo_table_close(struct repo_table *table);

/* Takes over an image whose root is not there yet; on failure the table is as before and the image the caller's. */
NODISCARD enum err repo_table_add(struct repo_table *table, struct repo_index *image);
/* Gives the image back to the caller; NULL when there is none. */
struct repo_index *repo_table_take(struct repo_table *table, const struct cid *root);

/* Place of the first image whose root digest is not below the given one. */
size_t repo_table_place(const struct repo_table *table, const uint8_t digest[SHA256_LEN]);
struct repo_index *repo_table_image(const struct repo_table *table, const struct cid *root);

/* The image that has the block, and which leaf, or which node when `*out_is_leaf` is false. */
bool repo_table_find(const struct repo_table *table, const struct cid *cid, struct repo_index **out_image,
                     bool *out_is_leaf, size_t *out_number);

#endif
