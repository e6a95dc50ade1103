/* Giving the bodies of old blocks back to the disk. Headers, finalizations, epochs, receipts and histories stay; only
 * what transactions carried can no longer be read here.
 *
 * It goes in two steps, so that a crash at any moment leaves a store that knows what it has: first a checkpoint holds
 * from where on bodies are kept, then the block log gives back the segments below. Never given back: what the expiry
 * window needs (a node that joins must learn the used ids from somebody), and what is above the checkpoint.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_PRUNE_H
#define ASSAY_NODE_LEDGER_CHAIN_PRUNE_H

#include "node/ledger/chain_store.h"
#include "store/seglog.h"

/* One step towards keeping `keep_ms` of bodies (or the expiry window, where that is longer), on the ledger thread,
 * after each checkpoint: gives back what the checkpoint allows, then announces how far the next one may go. `keep_ms`
 * 0 keeps everything. */
NODISCARD enum err chain_prune_bodies(struct chain *chain, uint64_t keep_ms);

/* The same at once, on a store that nobody else uses: bodies below `below`, or below the limit if that is lower. */
NODISCARD enum err chain_prune_store(const struct verify_crypto *crypto, struct kv *kv, struct seglog *log,
                                     uint64_t below, uint64_t *out_kept_from);

#endif
