/* A store made from a snapshot instead of from blocks: what chain_open then finds as if it had been there all along.
 *
 * It holds the state and its tree at one height, every epoch with the block that closed the one before, the index,
 * receipts and bodies of the blocks from `first` to that height, and the genesis block. Histories, senders and receipts
 * of older blocks are not there.
 *
 * KV_META "index": height (8): the lowest height from which on the index has every block; written here because closing
 * blocks below it stand alone.
 *
 * Begin in a folder of its own; feed state and blocks in any order, blocks among themselves by height; finish. Nothing
 * opens as a chain before that: whoever is interrupted removes the folder and begins anew. Memory is bounded by what
 * the caller feeds between two chain_install_flush.
 */
#ifndef ASSAY_NODE_LEDGER_CHAIN_INSTALL_H
#define ASSAY_NODE_LEDGER_CHAIN_INSTALL_H

#include "node/ledger/chain.h"

#define CHAIN_META_INDEX "index"

struct chain_install;

struct chain_install_config {
    struct disk disk;
    const char *dir; /* state goes to dir/state, blocks to dir/blocks; an existing empty folder */
    const struct genesis *genesis;
    const struct verify_crypto *crypto;
    struct kv_opener state; /* opens dir/state, which exists */
    uint64_t segment_bytes; /* of the block log */
    uint64_t first;         /* the first block that will be fed */
    uint64_t height;        /* of the state */
};

NODISCARD enum err chain_install_begin(const struct chain_install_config *config, struct chain_install **out);
/* One record of state; key and value are copied. */
NODISCARD enum err chain_install_leaf(struct chain_install *install, struct bytes key, struct bytes value,
                                      const uint8_t hashed[HASH_LEN], const uint8_t value_hash[HASH_LEN]);
/* A final block with its receipts; `finalization` may be empty. */
NODISCARD enum err chain_install_block(struct chain_install *install, const struct block *block,
                                       const struct bytes *receipts, struct bytes finalization);
/* The block that closed an epoch, and the set of the epoch `number` that began with it. */
NODISCARD enum err chain_install_epoch(struct chain_install *install, uint64_t number, struct bytes closing,
                                       struct bytes finalization, struct bytes set);
/* Brings the tree up to date with the leaves fed since, and writes out what has gathered when it is much. */
NODISCARD enum err chain_install_flush(struct chain_install *install);
/* Makes it a store and durable. `header` is that of the block at the height, already fed. ERR_MISMATCH: the leaves do
 * not make its state root. The install is used up in any case but must still be freed. */
NODISCARD enum err chain_install_finish(struct chain_install *install, const struct block_header *header);
void chain_install_free(struct chain_install *install); /* NULL is fine */

#endif
