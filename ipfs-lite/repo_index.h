/* What the repository knows of one image: its digests, its leaves and its dag-pb nodes.
 *
 * Kept beside the image as <root cid>.index. Everything in it follows from the image and the profile, so a lost or
 * damaged one is made again by reading the image. Big-endian:
 *
 *     0  16  "assay.index" and five zero bytes
 *    16   4  version, 1
 *    20   4  profile (struct unixfs_profile's id)
 *    24  36  root CID, binary
 *    60   8  size of the image
 *    68  32  SHA-256 of the image
 *   100  32  image tree root
 *   132   4  leaves L
 *   136   4  nodes N
 *   140   4  bytes of all node blocks B
 *   144      L x SHA-256 of leaf, in file order
 *            N x { SHA-256 of block 32 | file offset 8 | file bytes 8 | block length 4 }, children before parents
 *            B   the node blocks, in the same order
 *        32  SHA-256 of everything before
 */
#ifndef ASSAY_IPFS_LITE_REPO_INDEX_H
#define ASSAY_IPFS_LITE_REPO_INDEX_H

#include "ipfs-lite/importer.h"

#define REPO_INDEX_MAX_BYTES (256u * 1024u * 1024u) /* of one index file: about 4 TiB of image */

struct repo_index_node {
    uint8_t digest[SHA256_LEN];
    uint64_t offset; /* file bytes under the node */
    uint64_t size;
    uint32_t block_at; /* in `blocks` */
    uint32_t block_len;
};

struct repo_index {
    const struct unixfs_profile *profile;
    struct cid root;
    uint64_t size;
    uint8_t sha256[SHA256_LEN];
    uint8_t tree_root[SHA256_LEN];
    struct buffer leaves; /* SHA256_LEN bytes each */
    struct buffer nodes;  /* struct repo_index_node each */
    struct buffer blocks;
};

/* Start from a zeroed struct; free whatever happened. */
void repo_index_free(struct repo_index *index);

/* Gathers blocks from an importer that runs with this sink; call finish with its result. */
struct importer_sink repo_index_sink(struct repo_index *index);
void repo_index_finish(struct repo_index *index, const struct unixfs_profile *profile,
                       const struct importer_result *result);
/* Makes the index of `size` bytes of an open file by reading them. ERR_RANGE when the file is shorter. */
NODISCARD enum err repo_index_of_file(int fd, uint64_t size, const struct unixfs_profile *profile,
                                      struct repo_index *index);

size_t repo_index_leaf_count(const struct repo_index *index);
size_t repo_index_node_count(const struct repo_index *index);
const uint8_t *repo_index_leaf(const struct repo_index *index, size_t i);
const struct repo_index_node *repo_index_node(const struct repo_index *index, size_t i);

/* Appends the file's bytes; check buffer_ok afterwards. */
void repo_index_encode(const struct repo_index *index, struct buffer *out);
/* Trusts nothing: every count, range and node digest is checked besides the checksum. ERR_CORRUPT, ERR_NOMEM;
 * `index` is to be freed either way. */
NODISCARD enum err repo_index_decode(struct bytes from, struct repo_index *index);

#endif
