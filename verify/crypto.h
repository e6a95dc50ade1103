/* The crypto seam: what a program gives verify/ so that it can hash and check signatures, and the shape of its
 * input.
 *
 * verify/ is freestanding C99: no heap, no OS, no library but memcpy and friends. A node fills the table from base/,
 * a device port from its own library or secure element.
 */
#ifndef ASSAY_VERIFY_CRYPTO_H
#define ASSAY_VERIFY_CRYPTO_H

#include "verify/bytes.h"
#include "verify/verdict.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_LEN 32
#define KEY_LEN 32 /* Ed25519 public key */
#define SIG_LEN 64 /* Ed25519, or P-256 r || s */
#define CHAIN_ID_LEN 32
#define NONCE_LEN 16
#define P256_KEY_LEN 65 /* uncompressed point, 0x04 first */

/* Room for any implementation's running SHA-256; copyable with `=`. */
struct hash_state {
    uint64_t opaque[16];
};

struct verify_crypto {
    void (*hash_init)(struct hash_state *state);
    void (*hash_update)(struct hash_state *state, const void *data, size_t len);
    void (*hash_final)(struct hash_state *state, uint8_t out[HASH_LEN]);
    /* RFC 8032, refusing small-order keys and non-canonical signatures. */
    bool (*ed25519_verify)(const uint8_t key[KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]);
    /* ECDSA P-256 over SHA-256 of the message; NULL where the target has none (then such authors are refused). */
    bool (*p256_verify)(const uint8_t key[P256_KEY_LEN], const void *message, size_t len, const uint8_t sig[SIG_LEN]);
};

/* Where a verifier that streams pulls its input from: gives exactly `len` bytes, or false at the end of the input. */
struct input {
    bool (*read)(void *ctx, uint8_t *out, size_t len);
    void *ctx;
};

/* An input over memory: keep the span_input alive as long as the input. */
struct bytes_input {
    struct bytes rest;
};
struct input input_of_bytes(struct bytes_input *from);

/* Every hash and signature of the ledger starts with one of these: 16 bytes, ASCII, padded with zeros. */
#define TAG_LEN 16
#define TAG_GENESIS "assay.genesis\0\0"
#define TAG_HEADER "assay.header\0\0\0"
#define TAG_VOTE "assay.vote\0\0\0\0\0"
#define TAG_VALIDATORS "assay.valset\0\0\0"
#define TAG_TREE "assay.tree\0\0\0\0\0"
#define TAG_TX "assay.tx\0\0\0\0\0\0\0"
#define TAG_STATEMENT "assay.statement"
#define TAG_DELEGATION "assay.delegate\0"
#define TAG_RELEASE "assay.release\0\0"
#define TAG_CHECKPOINT "assay.checkpoint"

/* SHA-256 of `count` spans, one after the other. */
void hash_parts(const struct verify_crypto *crypto, const struct bytes *parts, size_t count, uint8_t out[HASH_LEN]);

#endif
