/* State snapshots, the bytes: the whole state at one height in pieces that can each be checked alone.
 *
 * State chunk k of 2^bits holds every leaf whose hashed key (verify/state_proof.h) begins with the bits of k, in the
 * order of hashed keys:  key length (2) | value length (4) | key | value,  one after the other. A chunk without leaves
 * does not exist. Body chunks hold the blocks of the last expiry window (node/snapshot/snapshot_bodies.h).
 *
 * Manifest:
 *   magic "ASSN" (4) | version 1 (1) | chain id (32) | height (8) | block hash (32) |
 *   bits (1) | 2^bits x [ root of the subtree over the chunk's leaves (32; zeros: none) | bytes (4) ] |
 *   body chunks (4) | so many x [ first height (8) | hash of its last block (32) | bytes (4) ] |
 *   bundle length (4) | proof bundle (verify/bundle.h) whose header is the block
 *
 * Everything before the bundle is the same on every node that has a snapshot of this height, and so are the chunks; its
 * hash, SHA-256(TAG_SNAPSHOT || those bytes), is the snapshot's content id: whoever names the same one has the same
 * chunks. The bundle's signatures may differ.
 *
 * The state root follows from the subtree roots by the tree's own rule: two halves of bit i that both have leaves make
 * an inner node, otherwise the one that has some stands for both. So a manifest is checked before any chunk is asked
 * for, and a chunk when it arrives.
 */
#ifndef ASSAY_STORE_SNAPSHOT_H
#define ASSAY_STORE_SNAPSHOT_H

#include "base/buffer.h"
#include "verify/state_proof.h"

#define TAG_SNAPSHOT "assay.snapshot\0" /* with its terminator 16 bytes */

#define SNAPSHOT_BITS_MAX 16
#define SNAPSHOT_CHUNK_TARGET (1u << 20) /* about so large */
#define SNAPSHOT_CHUNK_MAX (32u << 20)
#define SNAPSHOT_BODY_CHUNKS_MAX 65536u
#define SNAPSHOT_BUNDLE_MAX (48u << 20)
#define SNAPSHOT_MANIFEST_MAX (64u << 20)

/* ---- The root over leaves in order, in constant memory ---------------------------------------------------------- */

struct snapshot_fold {
    const struct verify_crypto *crypto;
    bool any;
    uint8_t key[HASH_LEN];  /* the last one */
    uint8_t hash[HASH_LEN]; /* of the subtree that is still growing to the right */
    size_t depth;
    struct {
        uint8_t bit;
        uint8_t left[HASH_LEN];
    } open[STATE_PATH_STEPS_MAX]; /* inner nodes that wait for their right side; bits rise */
};

void snapshot_fold_init(struct snapshot_fold *fold, const struct verify_crypto *crypto);
/* ERR_INVALID unless the hashed key lies behind the last one. */
NODISCARD enum err snapshot_fold_add(struct snapshot_fold *fold, const uint8_t key[HASH_LEN],
                                     const uint8_t value_hash[HASH_LEN]);
/* Zeros when there was no leaf. The fold is used up. */
void snapshot_fold_end(struct snapshot_fold *fold, uint8_t out[HASH_LEN]);

/* ---- The manifest ----------------------------------------------------------------------------------------------- */

struct snapshot_state_chunk {
    uint8_t root[HASH_LEN];
    uint32_t bytes;
};

struct snapshot_body_chunk {
    uint64_t first;
    uint8_t last_hash[HASH_LEN];
    uint32_t bytes;
};

struct snapshot_manifest {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t height;
    uint8_t block[HASH_LEN];
    uint8_t bits;
    struct snapshot_state_chunk *state; /* 2^bits; owned */
    uint32_t body_count;
    struct snapshot_body_chunk *bodies; /* owned */
    struct bytes bundle;                /* borrowed */
    uint8_t content[HASH_LEN];          /* its id; filled in by decoding and encoding */
};

/* Appends the bytes. ERR_NOMEM, ERR_TOOLARGE. */
NODISCARD enum err snapshot_manifest_encode(const struct verify_crypto *crypto, struct snapshot_manifest *manifest,
                                            struct buffer *out);
/* `out` borrows the bundle from `encoded`. Structure and limits only: whether the block is one to believe is
 * node/snapshot/snapshot_verify.h's business. ERR_MALFORMED, ERR_TOOLARGE, ERR_UNSUPPORTED (version), ERR_NOMEM. */
NODISCARD enum err snapshot_manifest_decode(const struct verify_crypto *crypto, struct bytes encoded,
                                            struct snapshot_manifest *out);
void snapshot_manifest_free(struct snapshot_manifest *manifest);
/* The state root that the subtree roots give. */
void snapshot_state_root(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                         uint8_t out[HASH_LEN]);

/* State chunks come first, body chunks behind them: 2^bits + index. */
static inline uint32_t snapshot_chunk_count(const struct snapshot_manifest *manifest) {
    return (UINT32_C(1) << manifest->bits) + manifest->body_count;
}
static inline bool snapshot_chunk_is_state(const struct snapshot_manifest *manifest, uint32_t chunk) {
    return chunk < UINT32_C(1) << manifest->bits;
}
/* Bytes of chunk `chunk`, 0 for one without leaves. */
uint32_t snapshot_chunk_bytes(const struct snapshot_manifest *manifest, uint32_t chunk);
uint64_t snapshot_bytes(const struct snapshot_manifest *manifest); /* of all chunks */
/* The last height of a body chunk. */
uint64_t snapshot_body_end(const struct snapshot_manifest *manifest, uint32_t index);

/* ---- State chunks ----------------------------------------------------------------------------------------------- */

#define SNAPSHOT_LEAF_HEAD 6u

struct snapshot_leaf {
    uint8_t hashed[HASH_LEN];
    uint8_t value_hash[HASH_LEN];
    struct bytes key, value;
};

/* Which chunk a hashed key belongs to. */
uint32_t snapshot_chunk_of(const uint8_t hashed[HASH_LEN], uint8_t bits);

/* Goes through a state chunk, giving each leaf to `each` (may be NULL; its error ends the walk), and tells at the end
 * whether it is the one that the manifest lists: until then nothing that was given may be believed. ERR_MISMATCH. */
NODISCARD enum err snapshot_chunk_read(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                                       uint32_t chunk, struct bytes bytes,
                                       enum err (*each)(void *arg, const struct snapshot_leaf *leaf), void *arg);

#endif
