/* ECDSA over P-256 with SHA-256 (ES256, RFC 9053) through libcrypto: for author keys that sign SUIT envelopes
 * elsewhere. */
#ifndef ASSAY_BASE_P256_H
#define ASSAY_BASE_P256_H

#include "base/bytes.h"

#define P256_POINT_LEN 65 /* uncompressed, 0x04 first */
#define P256_SIG_LEN 64   /* r || s */

bool p256_verify(const uint8_t point[P256_POINT_LEN], const void *message, size_t len,
                 const uint8_t signature[P256_SIG_LEN]);

#endif
