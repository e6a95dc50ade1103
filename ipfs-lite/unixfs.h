/* UnixFS files: how an image becomes a tree of blocks, so that its CID is the one IPFS computes too.
 *
 * A file is cut into chunks; each chunk is a raw leaf. One chunk: the leaf is the root. More: a balanced tree of dag-pb
 * nodes, filled from the left, all leaves at one depth, a lone trailing child still under a parent of its own. Hence
 * the whole shape follows from profile and size: the leaf number i is the bytes [i * chunk, (i + 1) * chunk) of the
 * file.
 *
 * Level 0 is the leaves, level k the nodes k steps above them.
 */
#ifndef ASSAY_IPFS_LITE_UNIXFS_H
#define ASSAY_IPFS_LITE_UNIXFS_H

#include "ipfs-lite/dag_pb.h"

struct unixfs_profile {
    uint32_t id; /* what an index file calls it */
    const char *name;
    uint32_t chunk; /* bytes of a leaf */
    uint32_t links; /* children of a node */
};

extern const struct unixfs_profile unixfs_v1_2025; /* IPIP-499: 1 MiB, 1024 links; the default */

/* All profiles, NULL at the end: that one, and "kubo" as of `ipfs add --cid-version=1`, 256 KiB and 174 links. */
extern const struct unixfs_profile *const unixfs_profiles[];
/* NULL when there is no such profile. */
const struct unixfs_profile *unixfs_profile_named(const char *name);
const struct unixfs_profile *unixfs_profile_with_id(uint32_t id);

/* Number of leaves: 1 for an empty file. */
uint64_t unixfs_leaves(const struct unixfs_profile *profile, uint64_t size);
/* Level of the root. */
uint32_t unixfs_root_level(const struct unixfs_profile *profile, uint64_t size);

/* One node of a file: its links, and the file bytes under each. */
struct unixfs_node {
    uint64_t size; /* file bytes under this node */
    size_t count;
    struct dag_pb_link links[DAG_PB_LINKS_MAX];
    uint64_t sizes[DAG_PB_LINKS_MAX];
};

/* Appends the dag-pb block; check buffer_ok afterwards. */
void unixfs_encode(const struct unixfs_node *node, struct buffer *out);
/* Only what unixfs_encode writes: a file node without data of its own whose sizes add up. ERR_MALFORMED,
 * ERR_UNSUPPORTED, ERR_TOOLARGE; `out` is undefined on failure. */
NODISCARD enum err unixfs_decode(struct bytes block, struct unixfs_node *out);
/* ERR_UNSUPPORTED when the node is not the one of `level` over `size` bytes in this profile. */
NODISCARD enum err unixfs_check(const struct unixfs_profile *profile, uint32_t level, uint64_t size,
                                const struct unixfs_node *node);

#endif
