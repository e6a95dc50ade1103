#include "consensus/certificates.h"

#include "base/assert.h"

#include <string.h>

#define CERTIFICATE_VERSION 1

enum err certificates_parse(struct bytes encoded, uint16_t n, struct certificate_parts *out) {
    if (encoded.len < CERTIFICATE_HEAD_LEN || encoded.data[0] != CERTIFICATE_VERSION) {
        return ERR_MALFORMED;
    }
    const uint8_t *p = encoded.data;
    struct certificate_parts parts = {.subject = {.epoch = load_u64(p + 2), .view = load_u64(p + 10)}};
    if (p[1] < VOTE_NOTARIZE || p[1] > VOTE_FINALIZE) {
        return ERR_MALFORMED;
    }
    parts.subject.kind = (enum vote_kind)p[1];
    memcpy(parts.subject.block, p + 18, HASH_LEN);
    if (load_u16(p + 18 + HASH_LEN) != n) {
        return ERR_MISMATCH;
    }
    if (encoded.len < CERTIFICATE_HEAD_LEN + BITMAP_LEN(n)) {
        return ERR_MALFORMED;
    }
    parts.bitmap = p + CERTIFICATE_HEAD_LEN;
    parts.signatures = parts.bitmap + BITMAP_LEN(n);
    for (size_t bit = 0; bit < BITMAP_LEN(n) * 8; bit++) {
        bool set = (parts.bitmap[bit / 8] >> (bit % 8) & 1) != 0;
        if (set && bit >= n) {
            return ERR_MALFORMED;
        }
        parts.signers = (uint16_t)(parts.signers + (set ? 1 : 0));
    }
    if (parts.signers < validators_quorum(n) || encoded.len != certificates_len(n, parts.signers)) {
        return ERR_MALFORMED;
    }
    if (parts.subject.kind == VOTE_NULLIFY && !bytes_is_zero(parts.subject.block, HASH_LEN)) {
        return ERR_MALFORMED;
    }
    *out = parts;
    return OK;
}

void certificates_begin(const struct vote_subject *subject, uint16_t n, uint8_t *out, size_t *out_len) {
    ASSERT(n > 0 && n <= VALIDATORS_MAX);
    out[0] = CERTIFICATE_VERSION;
    out[1] = (uint8_t)subject->kind;
    store_u64(out + 2, subject->epoch);
    store_u64(out + 10, subject->view);
    memcpy(out + 18, subject->block, HASH_LEN);
    store_u16(out + 18 + HASH_LEN, n);
    memset(out + CERTIFICATE_HEAD_LEN, 0, BITMAP_LEN(n));
    *out_len = CERTIFICATE_HEAD_LEN + BITMAP_LEN(n);
}

void certificates_add(uint8_t *certificate, size_t *len, uint16_t signer, const uint8_t signature[SIG_LEN]) {
    uint8_t *byte = certificate + CERTIFICATE_HEAD_LEN + signer / 8;
    ASSERT(*byte >> (signer % 8) == 0); /* signatures stand in the order of their signers, one of each */
    *byte = (uint8_t)(*byte | 1u << (signer % 8));
    memcpy(certificate + *len, signature, SIG_LEN);
    *len += SIG_LEN;
}
