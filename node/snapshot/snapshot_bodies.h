/* Body chunks of a state snapshot: the blocks of the last expiry window with their receipts, so that whoever joins
 * knows every transaction id that is used up, and can hand those blocks on.
 *
 * Chunk: for each block from the manifest's first height on:
 *   block length (4) | block (node/ledger/block.h) | for each transaction: receipt length (4) | receipt
 *
 * A chunk hangs on the hash of its last block: every block in it follows from that by parent hashes, its envelopes and
 * receipts by the header's roots. The parent of its first block must be the last of the chunk before.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_BODIES_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_BODIES_H

#include "node/ledger/block.h"
#include "store/snapshot.h"

/* Appends one block; `receipts` are as many as it has transactions. */
void snapshot_bodies_put(struct buffer *out, const struct block *block, const struct bytes *receipts);

/* Goes through body chunk `index`, giving each block and its receipts to `each` (may be NULL; its error ends the walk):
 * nothing of it may be believed before the end. ERR_MISMATCH: not what the manifest lists; ERR_INVALID: the chunk is
 * the only one that the manifest's hash allows and yet does not fit the chunk before it, so that the manifest itself is
 * wrong. */
NODISCARD enum err
snapshot_bodies_read(const struct snapshot_manifest *manifest, uint32_t index, struct bytes bytes,
                     enum err (*each)(void *arg, const struct block *block, const struct bytes *receipts), void *arg);

#endif
