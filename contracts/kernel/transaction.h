/* Transactions: fixed canonical layout, signed over their raw bytes (docs/formats.md, "Transaction").
 *
 * Body:      version 1 (1) | chain id (32) | signer count (1), 1..16 | signer keys (32 each, all different; the first
 *            pays the quota) | expiry, block time in ms (8) | salt (8) | contract length (1), name | method length (1),
 *            name | arguments length (4), arguments (protobuf of the method)
 * Envelope:  version 1 (1) | body length (4) | body | one Ed25519 signature (64) per listed signer, in that order
 *
 * Each signer signs TAG_TX || body. Id = SHA-256(body). Anything else (a missing, extra, or bad signature, trailing
 * bytes, names that are not lowercase letters, digits and '_') is not a transaction.
 */
#ifndef ASSAY_CONTRACTS_KERNEL_TRANSACTION_H
#define ASSAY_CONTRACTS_KERNEL_TRANSACTION_H

#include "base/buffer.h"
#include "base/ed25519.h"
#include "base/limits.h"
#include "verify/crypto.h"

/* A decoded transaction; every span borrows from the envelope it was decoded from. */
struct transaction {
    uint8_t id[HASH_LEN];
    struct bytes envelope;
    struct bytes body;
    const uint8_t *chain_id;
    const uint8_t (*signers)[ED25519_KEY_LEN];
    const uint8_t (*signatures)[ED25519_SIG_LEN];
    size_t signer_count;
    uint64_t expiry_ms;
    struct bytes contract;
    struct bytes method;
    struct bytes args;
};

/* Structure only. ERR_TOOLARGE, ERR_MALFORMED; `*out_why` (may be NULL) gets a constant text saying what is wrong. */
NODISCARD enum err transaction_decode(struct bytes envelope, struct transaction *out, const char **out_why);
/* ERR_SIGNATURE when any signature is bad. The one costly check: done once per node. */
NODISCARD enum err transaction_check_signatures(const struct transaction *tx);
/* Of signer `i` alone: is its signature there and good? */
bool transaction_is_signed_by(const struct transaction *tx, size_t i);

struct transaction_draft {
    const uint8_t *chain_id;
    uint64_t expiry_ms;
    uint8_t salt[8];
    const char *contract;
    const char *method;
    struct bytes args;
    /* Signers whose keys are elsewhere: listed behind the others, their signatures zeros until transaction_sign. */
    const uint8_t (*cosigners)[ED25519_KEY_LEN];
    size_t cosigner_count;
};

/* Builds and signs an envelope (appended to `out`). Keys are given as libsodium secrets; signer order is theirs. */
NODISCARD enum err transaction_build(const struct transaction_draft *draft,
                                     const uint8_t (*const *secrets)[ED25519_SECRET_LEN], size_t count,
                                     struct buffer *out);
/* Puts the signature of one of its listed signers into an envelope. ERR_NOTFOUND: the key is not one of them; else as
 * transaction_decode. */
NODISCARD enum err transaction_sign(struct buffer *envelope, const uint8_t secret[ED25519_SECRET_LEN]);

#endif
