/* Is a snapshot's manifest one to believe, and a chunk one that it lists? A manifest's bundle must lead from the genesis' validators through every closing
 * block to a finalization of the very block it names, and its subtree roots to that block's state root.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_VERIFY_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_VERIFY_H

#include "base/why.h"
#include "contracts/genesis/genesis.h"
#include "node/genesis/checkpoint_file.h"
#include "store/snapshot.h"
#include "verify/bundle.h"

/* What the bundle of every snapshot is about: a record that no contract has. Only its header counts. */
#define SNAPSHOT_BUNDLE_CONTRACT "snapshot"

/* ERR_INVALID with words in `out_why`; ERR_NOMEM. `out_header` is that of the snapshot's block. */
NODISCARD enum err snapshot_verify(const struct verify_crypto *crypto, const struct genesis *genesis,
                                   const struct snapshot_manifest *manifest, struct block_header *out_header,
                                   struct why *out_why);

/* One step of the epoch walk; spans borrow from the bundle. */
struct snapshot_epoch {
    uint64_t number;           /* of the epoch that begins */
    struct bytes closing;      /* encoded header of the block that closed the one before */
    struct bytes finalization; /* of that block */
    struct bytes set;          /* encoded validator set of the epoch that begins */
};
/* Takes apart the bundle of a manifest without judging it: calls back for every epoch after the first, then gives the
 * snapshot's block's header and finalization, the latter empty when it is final only through a descendant.
 * ERR_MALFORMED, and what `each` gives. */
NODISCARD enum err snapshot_epochs(const struct snapshot_manifest *manifest,
                                   enum err (*each)(void *arg, const struct snapshot_epoch *epoch), void *arg,
                                   struct block_header *out_header, struct bytes *out_finalization);

/* Is this chunk what the manifest lists? ERR_MISMATCH, ERR_INVALID (node/snapshot/snapshot_bodies.h). */
NODISCARD enum err snapshot_chunk_check(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                                        uint32_t chunk, struct bytes bytes);

#endif
