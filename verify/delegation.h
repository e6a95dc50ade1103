/* A vendor's root key vouching for an author's key. Devices hold only the root key; each author registration on the
 * ledger carries one of these.
 *
 *   version 1 (1) | chain id (32) | vendor id (16) | key type (1): 1 Ed25519, 2 P-256 | key (65; Ed25519 in the first
 * 32, rest zero) | last sequence the author may sign (8) | class count (1), 1..16 | class ids (16 each) | signature
 * (64)
 *
 * The root key signs (Ed25519) TAG_DELEGATION || everything before the signature.
 */
#ifndef ASSAY_VERIFY_DELEGATION_H
#define ASSAY_VERIFY_DELEGATION_H

#include "verify/class_record.h"
#include "verify/crypto.h"

enum author_key_type { AUTHOR_ED25519 = 1, AUTHOR_P256 = 2 };

#define DELEGATION_CLASSES_MAX 16
#define DELEGATION_HEAD_LEN (1 + CHAIN_ID_LEN + UUID_BYTES + 1 + P256_KEY_LEN + 8 + 1)
#define DELEGATION_MAX (DELEGATION_HEAD_LEN + DELEGATION_CLASSES_MAX * UUID_BYTES + SIG_LEN)

struct author_key {
    enum author_key_type type;
    uint8_t key[P256_KEY_LEN];
};

struct delegation {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint8_t vendor_id[UUID_BYTES];
    struct author_key author;
    uint64_t last_sequence;
    uint8_t class_count;
    uint8_t classes[DELEGATION_CLASSES_MAX][UUID_BYTES];
};

/* Writes the part that is signed, without its tag; the return value is its length. */
size_t delegation_encode(const struct delegation *d, uint8_t out[DELEGATION_MAX]);
/* Exactly one delegation, signed by `root`: BAD_TRUNCATED, BAD_TRAILING, BAD_VERSION, BAD_ENCODING, BAD_SIGNATURE. */
enum verdict delegation_verify(const struct verify_crypto *crypto, const uint8_t root[KEY_LEN], struct bytes in,
                               struct delegation *out);
/* Does it cover this chain, class and sequence? BAD_CHAIN, BAD_AUTHOR. */
enum verdict delegation_covers(const struct delegation *d, const uint8_t chain_id[CHAIN_ID_LEN],
                               const uint8_t class_id[UUID_BYTES], uint64_t sequence);

#endif
