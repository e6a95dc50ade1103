/* A checkpoint: one block of a chain that somebody vouches for, with the validators whose word counts from there on.
 *
 *   tag "assay.checkpoint" (16) | version 1 (1) | header of the block (259) | its hash (32) |
 *   validator set of the block's epoch (certificate.h) | signed (1): 0 or 1 |
 *   where it is 1: root key (32) | signature (64)
 *
 * The header binds chain, height, time, epoch and the set's hash; the hash beside it tells a damaged file from another
 * block's. The root key (Ed25519) signs everything before the signature: a vendor vouches for the block to its devices.
 * A signature says who vouches, not that the block is right: whoever pins a checkpoint has to know its maker.
 *
 * Trust that starts here needs no walk from the genesis: a proof bundle's epoch steps up to the block's epoch are
 * passed over.
 */
#ifndef ASSAY_VERIFY_CHECKPOINT_H
#define ASSAY_VERIFY_CHECKPOINT_H

#include "verify/bundle.h"

#define CHECKPOINT_SET_AT (TAG_LEN + 1 + BLOCK_HEADER_LEN + HASH_LEN)
#define CHECKPOINT_MIN (CHECKPOINT_SET_AT + VALIDATOR_SET_HEAD_LEN + KEY_LEN + 1)
#define CHECKPOINT_MAX (CHECKPOINT_SET_AT + VALIDATOR_SET_MAX + 1 + KEY_LEN + SIG_LEN)

struct checkpoint {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    struct validator_set validators; /* of header.epoch; the keys are in memory the caller gave */
    bool is_signed;
    uint8_t root[KEY_LEN]; /* who signed; zeros where nobody did */
};

/* Writes everything but the signature; the return value is its length. That is what a root key signs, and where nobody
 * does, the whole. */
size_t checkpoint_encode(const struct checkpoint *checkpoint, uint8_t out[CHECKPOINT_MAX]);

/* Exactly one checkpoint. BAD_TRUNCATED, BAD_TRAILING, BAD_VERSION, BAD_ENCODING, BAD_LIMIT (more validators than
 * `set_memory` holds), BAD_DIGEST (the hash is not the header's), BAD_VALIDATORS (the set is not the header's),
 * BAD_SIGNATURE (it is not the root key's that stands beside it). */
enum verdict checkpoint_decode(const struct verify_crypto *crypto, struct bytes in, uint8_t (*set_memory)[KEY_LEN],
                               uint16_t set_capacity, struct checkpoint *out);

/* What is believed with it: its epoch and set, nothing below its height, and at its height its own block alone.
 * Borrows from the checkpoint. */
struct trust checkpoint_trust(const struct checkpoint *checkpoint);

#endif
