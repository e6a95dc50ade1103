/* COSE_Sign1 (RFC 9052) with a detached payload, as SUIT authentication blocks use it.
 *
 *   18([ protected: bstr of { 1: algorithm, ? 4: key id }, unprotected: { ? 4: key id }, payload: null,
 *        signature: bstr (64) ])
 *
 * What is signed is the Sig_structure [ "Signature1", protected, h'' , payload ].
 */
#ifndef ASSAY_VERIFY_COSE_H
#define ASSAY_VERIFY_COSE_H

#include "verify/cbor.h"
#include "verify/delegation.h"

enum cose_algorithm {
    COSE_ES256 = -7,
    COSE_EDDSA = -8,
    COSE_ESP256 = -9,
    COSE_ED25519 = -19,
};

#define COSE_SHA256 (-16)
#define COSE_KEY_ID_MAX 64
#define COSE_PROTECTED_MAX 80
#define COSE_PAYLOAD_MAX 64
/* Array head, "Signature1", protected header, no external data, payload: each with its head. */
#define COSE_SIGNED_MAX (1 + 11 + (2 + COSE_PROTECTED_MAX) + 1 + (2 + COSE_PAYLOAD_MAX))

/* Borrows from the block it was parsed from. */
struct cose_sign1 {
    int32_t algorithm; /* one of enum cose_algorithm, or another this verifier cannot check */
    struct bytes protected_header;
    struct bytes key_id;    /* empty where there is none */
    struct bytes signature; /* SIG_LEN bytes */
};

/* One tagged block and nothing after it. BAD_UNSUPPORTED for header parameters not named above and for a COSE_Mac0. */
enum verdict cose_sign1_parse(struct bytes block, struct cose_sign1 *out);

/* The exact bytes signed. BAD_LIMIT when header or payload is longer than the limits above. */
enum verdict cose_signed_bytes(struct bytes protected_header, struct bytes payload, uint8_t out[COSE_SIGNED_MAX],
                               size_t *out_len);
/* The protected header this implementation writes: { 1: algorithm, ? 4: key id }. The key id stands there and not in
 * the unprotected header so that it is signed too. BAD_LIMIT when it is longer than COSE_KEY_ID_MAX. */
enum verdict cose_protected_header(enum cose_algorithm algorithm, struct bytes key_id, uint8_t out[COSE_PROTECTED_MAX],
                                   size_t *out_len);

/* Writes a whole tagged block with that protected header. */
void cose_sign1_write(struct cbor_writer *w, struct bytes protected_header, const uint8_t signature[SIG_LEN]);

/* Is it a signature of this key over the payload? BAD_UNSUPPORTED when algorithm and key type do not belong together or
 * the target lacks the algorithm, BAD_SIGNATURE. */
enum verdict cose_sign1_verify(const struct verify_crypto *crypto, const struct cose_sign1 *sign1, struct bytes payload,
                               const struct author_key *key);

#endif
