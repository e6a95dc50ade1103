/* The proof bundle: one state value (or its absence) that a quorum of validators stands behind.
 *
 *   magic "ASPB" (4) | version 1 (1) | epoch steps (2) | epoch steps x [ closing header (259) | its finalization |
 *   next set: version 1 (1), count (2), keys ] | header (259), whose state root is used | links (2) | links x header
 *   (259), each the child of the one before | finalization of the last header | contract name length (1), name | user
 *   key length (2), user key | present (1) | value length (4), value (both 0 where absent) | path (state_proof.h)
 *
 * Epoch steps that lead up to the verifier's trusted epoch are passed over, so that one bundle from the genesis serves
 * everybody. Nothing follows. A header that is final only through a descendant is linked to it; a chain of headers
 * needs one finalization, at its end. The verifier pulls the bundle in order, so it can be streamed.
 */
#ifndef ASSAY_VERIFY_BUNDLE_H
#define ASSAY_VERIFY_BUNDLE_H

#include "verify/block_header.h"
#include "verify/certificate.h"
#include "verify/freshness.h"
#include "verify/state_proof.h"

#define BUNDLE_LINKS_MAX 255 /* what may stand above a final block (LIMIT_UNFINAL_DEPTH), but for the first */
#define BUNDLE_EPOCH_STEPS_MAX 4096
#define BUNDLE_NAME_MAX 32
#define BUNDLE_USER_KEY_MAX 200

/* What the verifier already believes. The set belongs to the caller; `keys` of an epoch step go into `set_memory`. */
struct trust {
    uint8_t chain_id[CHAIN_ID_LEN];
    uint64_t epoch;
    struct validator_set validators; /* of that epoch */
    uint64_t min_height;             /* a header below is refused (BAD_HEIGHT) */
    uint64_t now_ms;                 /* 0: no clock, no freshness check */
    uint64_t max_age_ms;             /* header older than now - max_age is BAD_STALE; 0: no limit */
    uint64_t pin_height;             /* of the block that the operator vouches for: a header of this height with */
    const uint8_t *pin_hash;         /* another hash is BAD_PIN. NULL: none. Borrowed. */
};

/* Working memory the caller gives; nothing else is used but 2 KiB of stack beside the crypto's own. */
struct bundle_work {
    uint8_t (*set_memory)[KEY_LEN]; /* room for the sets of epoch steps, or NULL when steps are refused */
    uint16_t set_capacity;
    uint8_t (*path_memory)[33];
    uint16_t path_capacity; /* steps; 64 is enough for any tree that exists, 256 for any that can */
    uint8_t *value_memory;  /* the value is copied here */
    uint32_t value_capacity;
};

struct bundle_result {
    struct block_header header; /* the one whose state root was used */
    uint8_t header_hash[HASH_LEN];
    uint64_t epoch; /* trusted epoch after the walk; its set is `validators` */
    struct validator_set validators;
    char contract[BUNDLE_NAME_MAX + 1];
    uint8_t user_key[BUNDLE_USER_KEY_MAX];
    uint16_t user_key_len;
    bool pin_met; /* the pinned block is the header itself, one linked to it, or one that closes an epoch */
    bool present;
    uint32_t value_len; /* in value_memory */
};

/* Judges a whole bundle; `out` is written only on GOOD. The caller then checks that contract and key are those it asked
 * about (bundle_is_about). BAD_TRAILING when `in` still has a byte after the path. */
enum verdict bundle_verify(const struct verify_crypto *crypto, const struct trust *trust,
                           const struct bundle_work *work, struct input *in, struct bundle_result *out);

bool bundle_is_about(const struct bundle_result *result, const char *contract, struct bytes user_key);

#endif
