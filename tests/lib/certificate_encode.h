#ifndef ASSAY_TESTS_LIB_CERTIFICATE_ENCODE_H
#define ASSAY_TESTS_LIB_CERTIFICATE_ENCODE_H

#include "verify/certificate.h"

/* Writes the certificate of the signers in `bitmap` (BITMAP_LEN(n) bytes); the signature of signer i is
 * sigs_by_index[i], those of others are not read. Returns the length, at most CERTIFICATE_MAX. */
size_t certificate_encode(const struct vote_subject *subject, uint16_t n, const uint8_t *bitmap,
                          const uint8_t (*sigs_by_index)[SIG_LEN], uint8_t *out);

#endif
