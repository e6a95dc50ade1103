/* SHA-256 (FIPS 180-4) through libcrypto, so that SHA-NI is used.
 *
 * The calls have the shapes of struct verify_crypto (verify/crypto.h), so that the node fills that seam with them.
 * Nothing here allocates or can fail.
 */
#ifndef ASSAY_BASE_SHA256_H
#define ASSAY_BASE_SHA256_H

#include "base/bytes.h"

#define SHA256_LEN 32

/* Running hash: init, update any number of times, final once. Copyable with `=`. */
struct sha256 {
    uint64_t opaque[16];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);
void sha256_final(struct sha256 *s, uint8_t out[SHA256_LEN]);

/* Hash of one span. */
void sha256(const void *data, size_t len, uint8_t out[SHA256_LEN]);
/* Hash of `count` spans one after the other. */
void sha256_parts(const struct bytes *parts, size_t count, uint8_t out[SHA256_LEN]);

#endif
