/* The block header: fixed layout, 259 bytes, big-endian (docs/formats.md, "Block header").
 *
 *   off len
 *     0   1  version, 1
 *     1  32  chain id
 *    33   8  height
 *    41   8  epoch
 *    49   8  view in which the block was first proposed
 *    57  32  hash of the parent's header (zeros in the genesis block)
 *    89   8  time, ms since 1970
 *    97   2  proposer, index into the validator set
 *    99  32  transactions root
 *   131  32  receipts root
 *   163  32  state root after executing this block
 *   195  32  validator set hash
 *   227  32  next validator set hash
 *
 * hash = SHA-256(TAG_HEADER || the 259 bytes)
 */
#ifndef ASSAY_VERIFY_BLOCK_HEADER_H
#define ASSAY_VERIFY_BLOCK_HEADER_H

#include "verify/crypto.h"

#define BLOCK_HEADER_LEN 259

struct block_header {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t height;
    uint64_t epoch;
    uint64_t view;
    uint8_t parent[HASH_LEN];
    uint64_t time_ms;
    uint16_t proposer;
    uint8_t tx_root[HASH_LEN];
    uint8_t receipts_root[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    uint8_t validators_hash[HASH_LEN];
    uint8_t next_validators_hash[HASH_LEN];
};

void block_header_encode(const struct block_header *header, uint8_t out[BLOCK_HEADER_LEN]);
/* BAD_VERSION for another version byte; every other bit pattern is a header. */
enum verdict block_header_decode(const uint8_t in[BLOCK_HEADER_LEN], struct block_header *out);
/* Does the block close its epoch? Its children are made by the next validator set. */
bool block_header_closes(const struct block_header *header);
/* Hash of the encoded header, which is the block's hash. */
void block_header_hash(const struct verify_crypto *crypto, const uint8_t encoded[BLOCK_HEADER_LEN],
                       uint8_t out[HASH_LEN]);

#endif
