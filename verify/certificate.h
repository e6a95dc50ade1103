/* Votes, validator sets and certificates: what a quorum of validators says.
 *
 * Vote (signed with Ed25519), 82 bytes after the tag:
 *   TAG_VOTE | version 1 (1) | chain id (32) | epoch (8) | view (8) | kind (1) | block hash (32; zeros for nullify)
 *
 * Validator set:  version 1 (1) | count (2) | count x signing key (32)
 *   hash = SHA-256(TAG_VALIDATORS || those bytes); 1 <= count <= limit of the profile; keys differ.
 *   n = count, f = floor((n - 1) / 3), quorum q = n - f.
 *
 * Certificate:  version 1 (1) | kind (1) | epoch (8) | view (8) | block hash (32) | n (2) | bitmap (ceil(n / 8)) |
 *               one signature (64) per set bit, ascending
 *   Bit i of the bitmap is (bitmap[i / 8] >> (i % 8)) & 1; bits at and above n must be zero. A notarization, a
 *   nullification and a finalization are the certificates of the kinds notarize, nullify and finalize.
 */
#ifndef ASSAY_VERIFY_CERTIFICATE_H
#define ASSAY_VERIFY_CERTIFICATE_H

#include "verify/crypto.h"

#define VALIDATORS_MAX 100 /* gateways and nodes; a device's profile takes 16 */

enum vote_kind {
    VOTE_PROPOSE = 1,
    VOTE_NOTARIZE = 2,
    VOTE_NULLIFY = 3,
    VOTE_FINALIZE = 4,
};

#define VOTE_SIGNED_LEN (TAG_LEN + 1 + CHAIN_ID_LEN + 8 + 8 + 1 + HASH_LEN)

struct vote_subject {
    uint64_t epoch;
    uint64_t view;
    enum vote_kind kind;
    uint8_t block[HASH_LEN];
};

/* The exact bytes a validator signs. */
void vote_signed_bytes(const uint8_t chain_id[CHAIN_ID_LEN], const struct vote_subject *subject,
                       uint8_t out[VOTE_SIGNED_LEN]);

/* A validator set in memory that the caller owns: `keys` holds `count` keys. */
struct validator_set {
    const uint8_t (*keys)[KEY_LEN];
    uint16_t count;
};

static inline uint16_t validators_faulty(uint16_t count) {
    return (uint16_t)((count - 1) / 3);
}
static inline uint16_t validators_quorum(uint16_t count) {
    return (uint16_t)(count - validators_faulty(count));
}
void validators_hash(const struct verify_crypto *crypto, const struct validator_set *set, uint8_t out[HASH_LEN]);

#define VALIDATOR_SET_HEAD_LEN (1 + 2)
#define VALIDATOR_SET_MAX (VALIDATOR_SET_HEAD_LEN + VALIDATORS_MAX * KEY_LEN)

/* Writes the set as bytes; the return value is their length, VALIDATOR_SET_HEAD_LEN + count * KEY_LEN. */
size_t validators_encode(const struct validator_set *set, uint8_t *out);
/* Pulls one set from `in` into `memory`, which `out` then borrows; `memory` may be overwritten on failure.
 * BAD_TRUNCATED, BAD_VERSION, BAD_ENCODING (empty, or a key twice), BAD_LIMIT (more keys than `capacity`). */
enum verdict validators_read(struct input *in, uint8_t (*memory)[KEY_LEN], uint16_t capacity,
                             struct validator_set *out);

#define CERTIFICATE_HEAD_LEN (1 + 1 + 8 + 8 + HASH_LEN + 2)
#define BITMAP_LEN(n) (((size_t)(n) + 7) / 8)
#define CERTIFICATE_MAX (CERTIFICATE_HEAD_LEN + BITMAP_LEN(VALIDATORS_MAX) + VALIDATORS_MAX * SIG_LEN)

/* Pulls one certificate from `in` and believes nothing of it. BAD_TRUNCATED, BAD_VALIDATORS (n is 0 or over
 * VALIDATORS_MAX). */
enum verdict certificate_skip(struct input *in);

/* Pulls one certificate from `in` and checks it against `set`: well-formed, over n = set->count validators, at least a
 * quorum of valid signatures of that chain. Gives its subject; the caller compares kind, epoch and block with what it
 * wanted. Memory: one signature and the bitmap on the stack, whatever n. BAD_TRUNCATED, BAD_VERSION, BAD_ENCODING
 * (stray bits, unknown kind, a nullification that names a
 * block), BAD_VALIDATORS (n differs), BAD_QUORUM, BAD_SIGNATURE. */
enum verdict certificate_verify(const struct verify_crypto *crypto, const uint8_t chain_id[CHAIN_ID_LEN],
                                const struct validator_set *set, struct input *in, struct vote_subject *out);

#endif
