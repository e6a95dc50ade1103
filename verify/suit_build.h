/* Builds release envelopes and adds signatures to envelopes, in the caller's memory.
 *
 *   suit_build_release -> unsigned envelope; suit_signed_bytes -> sign those with each author's key;
 *   suit_attach -> the envelope with the signatures added. What is built passes suit_manifest_installable.
 */
#ifndef ASSAY_VERIFY_SUIT_BUILD_H
#define ASSAY_VERIFY_SUIT_BUILD_H

#include "verify/suit.h"

/* Spans that are empty are left out of the manifest. */
struct suit_release {
    uint64_t sequence;
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    struct bytes component; /* one segment naming where the image goes, e.g. the byte 00; required */
    bool has_slot;
    uint64_t slot;
    uint8_t image_digest[HASH_LEN];
    uint64_t image_size;
    struct bytes uri;           /* where the image can be had; "#name" for an integrated payload */
    struct bytes payload;       /* the image itself, integrated under the key `uri` */
    struct bytes version;       /* text: component version */
    struct bytes description;   /* text: update description */
    struct bytes vendor_domain; /* text: vendor domain of the component */
    struct bytes reference_uri;
    uint64_t format;                         /* enum suit_format */
    const uint8_t *base_digest;              /* of the image a patch applies to, or NULL */
    struct bytes encryption_info;            /* encoded COSE_Encrypt */
    const uint8_t (*dependencies)[HASH_LEN]; /* manifest digests */
    uint8_t dependency_count;
};

/* Writes the unsigned envelope. BAD_LIMIT when it does not fit or a field is over its limit, BAD_SIZE for an empty
 * image, BAD_COMPONENT without a component, BAD_ENCODING for text that is not UTF-8. */
enum verdict suit_build_release(const struct verify_crypto *crypto, const struct suit_release *release, uint8_t *out,
                                size_t capacity, size_t *out_len);

/* The bytes an author signs for this manifest with this algorithm and key id (may be empty). */
enum verdict suit_signed_bytes(const struct suit_envelope *envelope, enum cose_algorithm algorithm, struct bytes key_id,
                               uint8_t out[COSE_SIGNED_MAX], size_t *out_len);

struct suit_new_signature {
    enum cose_algorithm algorithm;
    struct bytes key_id; /* as given to suit_signed_bytes */
    uint8_t signature[SIG_LEN];
};

/* Writes `envelope` with the signatures added after those it has; `out` must not overlap it. BAD_LIMIT when it does not
 * fit, there would be more than SUIT_SIGNATURES_MAX, or a key id is too long. */
enum verdict suit_attach(const struct suit_envelope *envelope, const struct suit_new_signature *signatures,
                         size_t count, uint8_t *out, size_t capacity, size_t *out_len);

#endif
