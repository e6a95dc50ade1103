/* A block as it travels and as it is stored: header (259 bytes) | transaction count (4) | count x [ length (4) |
 * envelope ]. Its hash is the header's; the header's transactions root covers the envelopes.
 */
#ifndef ASSAY_NODE_LEDGER_BLOCK_H
#define ASSAY_NODE_LEDGER_BLOCK_H

#include "contracts/kernel/transaction.h"
#include "verify/block_header.h"

/* A decoded block; spans borrow from the encoded bytes. */
struct block {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    struct bytes encoded;
    size_t tx_count;
    struct transaction *txs; /* on the heap, owned */
};

/* Structure, limits and the transactions root; signatures are not looked at. ERR_MALFORMED, ERR_TOOLARGE,
 * ERR_MISMATCH (transactions root). */
NODISCARD enum err block_decode(struct bytes encoded, struct block *out);
void block_free(struct block *block);
/* Of a block that was decoded once and found good: its header, and of its transactions `count` from number `from` on,
 * fewer where it ends; `*out_total` is how many it has. Nothing is hashed but the header, and only what is asked for is
 * decoded. */
NODISCARD enum err block_decode_part(struct bytes encoded, uint32_t from, uint32_t count, struct block *out,
                                     uint32_t *out_total);

/* The time of a block on `parent` that is made when the clock says `wall_ms`. A clock behind the parent gives the least
 * time there is, parent + 1. */
uint64_t block_next_time(const struct block_header *parent, uint64_t wall_ms);

/* Is one of its transactions for that contract? */
bool block_calls(const struct block *block, const char *contract);

/* The header at the front of an encoded block and its hash, without looking at the rest. */
NODISCARD enum err block_peek(struct bytes encoded, struct block_header *out_header, uint8_t out_hash[HASH_LEN]);

#endif
