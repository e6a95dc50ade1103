/* HMAC-SHA256 (RFC 2104) and HKDF (RFC 5869) over base/sha256. Nothing here allocates or can fail. */
#ifndef ASSAY_BASE_HMAC_H
#define ASSAY_BASE_HMAC_H

#include "base/sha256.h"

#define HMAC_LEN SHA256_LEN
#define HKDF_MAX ((size_t)255 * HMAC_LEN)

void hmac_sha256(struct bytes key, struct bytes message, uint8_t out[HMAC_LEN]);
/* Code of `count` spans one after the other. */
void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t out[HMAC_LEN]);
/* Extract and expand; len <= HKDF_MAX. */
void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t len);

/* Comparison of secrets in a time that doesn't depend on where they differ. */
bool hmac_equal(const void *a, const void *b, size_t len);

#endif
