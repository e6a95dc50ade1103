/* Streaming import: bytes in, blocks and digests out.
 *
 * Bytes may come in pieces of any length. Each is hashed into its leaf, into the digest of the whole image and into the
 * image tree as it passes; none is kept, so that memory is the same for every size (the links of the unfinished nodes,
 * under 150 KiB). Leaves and nodes are reported in file order, a node right after the last block below it, the
 * root last.
 */
#ifndef ASSAY_IPFS_LITE_IMPORTER_H
#define ASSAY_IPFS_LITE_IMPORTER_H

#include "ipfs-lite/image_tree.h"
#include "ipfs-lite/unixfs.h"

struct importer; /* heap; one thread */

/* Who wants to know the blocks; either may be NULL. An error stops the import with that error. */
struct importer_sink {
    enum err (*leaf)(void *arg, const uint8_t digest[SHA256_LEN]);
    /* A dag-pb block over the file bytes [offset, offset + size). */
    enum err (*node)(void *arg, const struct cid *cid, struct bytes block, uint64_t offset, uint64_t size);
    void *arg;
};

struct importer_result {
    struct cid root;
    uint64_t size;
    uint64_t dag_size; /* all blocks together: what Kubo calls the cumulative size */
    uint8_t sha256[SHA256_LEN];
    uint8_t tree_root[SHA256_LEN];
};

NODISCARD enum err importer_new(const struct unixfs_profile *profile, struct importer_sink sink, struct importer **out);
NODISCARD enum err importer_write(struct importer *imp, const void *data, size_t len);
/* Call once, after which only importer_free is left to do. */
NODISCARD enum err importer_end(struct importer *imp, struct importer_result *out);
void importer_free(struct importer *imp); /* NULL is fine */

#endif
