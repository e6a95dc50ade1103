/* The image tree: one Merkle tree over the 4 KiB pieces of an image, beside its CID.
 *
 * Its root stands in the signed release record (verify/class_record.h). The shape is RFC 6962's: the left subtree holds
 * the largest power of two smaller than n pieces. The last piece may be short; an empty image has one empty piece.
 *
 *   leaf  = SHA-256("assay.image\0\0\0\0\0" || 0x00 || piece)
 *   inner = SHA-256("assay.image\0\0\0\0\0" || 0x01 || left || right)
 *
 * Two images of different length have different roots unless SHA-256 is broken: piece lengths are hashed with the
 * pieces.
 */
#ifndef ASSAY_IPFS_LITE_IMAGE_TREE_H
#define ASSAY_IPFS_LITE_IMAGE_TREE_H

#include "base/sha256.h"

#define IMAGE_TREE_PIECE 4096u
#define IMAGE_TREE_DEPTH 52u /* enough for every 64-bit size */

/* Streaming: init, update any number of times, final once. Constant memory, nothing can fail. */
struct image_tree {
    struct sha256 piece;
    uint32_t fill;   /* bytes hashed into the current piece */
    uint64_t pieces; /* finished pieces; bit i set means stack holds a complete subtree of 2^i pieces */
    uint32_t height; /* subtrees on the stack, largest first */
    uint8_t stack[IMAGE_TREE_DEPTH + 1][SHA256_LEN];
};

void image_tree_init(struct image_tree *t);
void image_tree_update(struct image_tree *t, const void *data, size_t len);
void image_tree_final(struct image_tree *t, uint8_t out_root[SHA256_LEN]);

#endif
