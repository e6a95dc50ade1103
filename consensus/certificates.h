/* Certificates taken apart and put together (verify/certificate.h has the bytes).
 *
 * verify/ judges a certificate as a whole; a validator looks at its votes one by one, so that a signature it has seen
 * already is not checked again.
 */
#ifndef ASSAY_CONSENSUS_CERTIFICATES_H
#define ASSAY_CONSENSUS_CERTIFICATES_H

#include "base/bytes.h"
#include "verify/certificate.h"

struct certificate_parts {
    struct vote_subject subject;
    uint16_t signers;
    const uint8_t *bitmap;
    const uint8_t *signatures; /* one per signer, ascending */
};

/* Structure only: exact length, known kind, no stray bits, n equal, at least a quorum of signers, no block in a
 * nullification. ERR_MALFORMED, ERR_MISMATCH (n differs). */
NODISCARD enum err certificates_parse(struct bytes encoded, uint16_t n, struct certificate_parts *out);

static inline bool certificates_has(const struct certificate_parts *parts, uint16_t signer) {
    return (parts->bitmap[signer / 8] >> (signer % 8) & 1) != 0;
}

static inline size_t certificates_len(uint16_t n, uint16_t signers) {
    return CERTIFICATE_HEAD_LEN + BITMAP_LEN(n) + (size_t)signers * SIG_LEN;
}

/* Writes head and an empty bitmap; signatures are then added in ascending order of signers. */
void certificates_begin(const struct vote_subject *subject, uint16_t n, uint8_t *out, size_t *out_len);
void certificates_add(uint8_t *certificate, size_t *len, uint16_t signer, const uint8_t signature[SIG_LEN]);

#endif
