/* Merkle root over an ordered list, the shape of RFC 6962: the left subtree holds the largest power of two
 * smaller than n leaves. Used for the transactions root and the receipts root of a block.
 *
 *   leaf  = SHA-256("assay.item\0\0\0\0\0\0" || 0x00 || item bytes)
 *   inner = SHA-256("assay.item\0\0\0\0\0\0" || 0x01 || left || right)
 *   empty list = 32 zero bytes
 */
#ifndef ASSAY_BASE_MERKLE_H
#define ASSAY_BASE_MERKLE_H

#include "base/sha256.h"

void merkle_leaf(struct bytes item, uint8_t out[SHA256_LEN]);
/* Root of `count` leaf hashes; the array is used as working space and its contents are lost. */
void merkle_root(uint8_t (*leaves)[SHA256_LEN], size_t count, uint8_t out[SHA256_LEN]);

#endif
