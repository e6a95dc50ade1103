/* What a ledger's store says of itself, read without a chain: for whoever looks at a home from outside, and for upkeep.
 *
 * KV_META "bodies": height (8): the lowest height whose body is kept in the block log. Without the record it is the
 * first block of the index.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_STORE_H
#define ASSAY_NODE_LEDGER_CHAIN_STORE_H

#include "node/ledger/chain.h"

#define CHAIN_META_BODIES "bodies"

struct chain_store_head {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    struct tree_root root;
};

/* The head of the store, its hash recomputed. ERR_NOTFOUND: nothing is stored yet; ERR_CORRUPT. */
NODISCARD enum err chain_store_head(const struct verify_crypto *crypto, struct kv_view *view,
                                    struct chain_store_head *out);

/* KV_BLOCKS value. */
struct block_entry {
    struct block_header header;
    uint32_t tx_count;
    struct bytes finalization; /* empty when the block is final only through a descendant */
};
NODISCARD enum err block_entry_get(struct kv_view *view, uint64_t height, struct block_entry *out,
                                   struct bytes *out_encoded_header);
/* The epoch with this number. ERR_NOTFOUND, ERR_CORRUPT. */
NODISCARD enum err chain_epoch_get(const struct verify_crypto *crypto, struct kv_view *view, uint64_t number,
                                   struct chain_epoch *out);

/* Lowest height from which on the index has every block: 1, or where a snapshot began (chain_install.h). */
NODISCARD enum err chain_store_first(struct kv_view *view, uint64_t *out_height);
/* Lowest height whose body should be in the block log. */
NODISCARD enum err chain_store_bodies(struct kv_view *view, uint64_t *out_height);
NODISCARD enum err chain_store_put_bodies(struct kv_layer *layer, uint64_t height);

/* The lowest height from `first` to `last` (both in the index) whose block's time is at or after `time_ms`; `last` + 1
 * when there is none. Times rise with heights. */
NODISCARD enum err chain_store_since(struct kv_view *view, uint64_t first, uint64_t last, uint64_t time_ms,
                                     uint64_t *out_height);

/* The lowest height whose body whoever takes up at `head` needs, to know every id that may still be used again
 * (params_window_start in contracts/governance/governance.h): that of the last block that is too old to matter, so that it shows
 * that none is missing, or 1. When the index itself begins later, its first. */
NODISCARD enum err chain_store_window(struct kv_view *view, const struct block_header *head, uint64_t *out_first);

#endif
