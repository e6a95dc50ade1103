/* SUIT manifests (draft-ietf-suit-manifest, RFC 9124): envelope, signatures, and what a single-image manifest says.
 *
 * Order of use, so that nothing unauthenticated is interpreted:
 *   suit_envelope_parse   structure of the envelope and its authentication wrapper; the manifest stays closed
 *   suit_verify_author    digest of the manifest and a signature by a key
 *   suit_manifest_parse   the manifest itself, every element known and in its place
 *   suit_manifest_installable   is it the one image for one component that this product installs?
 *
 * The digest counts the manifest with its byte string head (suit_envelope.manifest_wrapped); what authors sign is that
 * digest in its SUIT_Digest form (digest_block). Everything borrows from the envelope's bytes. The profile, its limits
 * and what is refused: docs/formats.md, "SUIT".
 */
#ifndef ASSAY_VERIFY_SUIT_H
#define ASSAY_VERIFY_SUIT_H

#include "verify/cose.h"

#define SUIT_ENVELOPE_MAX 65535u
#define SUIT_SIGNATURES_MAX 8
#define SUIT_PAYLOADS_MAX 4
#define SUIT_COMPONENTS_MAX 16
#define SUIT_DEPENDENCIES_MAX 8
#define SUIT_URI_MAX 512
#define SUIT_TEXT_MAX 4096

/* Members that may stand in the envelope with only their digest in the manifest. */
enum suit_severable {
    SUIT_SEVERABLE_RESOLUTION,    /* 15 */
    SUIT_SEVERABLE_PAYLOAD_FETCH, /* 16 */
    SUIT_SEVERABLE_CANDIDATE,     /* 18 */
    SUIT_SEVERABLE_INSTALL,       /* 20 */
    SUIT_SEVERABLE_TEXT,          /* 23 */
    SUIT_SEVERABLES,
};

/* An integrated payload: a text key such as "#image" and the bytes themselves. Not covered by the signature: its
 * digest in the manifest is what binds it. */
struct suit_payload {
    struct bytes name;
    struct bytes bytes;
};

struct suit_envelope {
    struct bytes digest_block; /* encoded SUIT_Digest: what each signature signs */
    uint8_t digest[HASH_LEN];  /* the manifest's, as claimed */
    uint8_t signature_count;   /* may be 0: an unsigned draft */
    struct cose_sign1 signatures[SUIT_SIGNATURES_MAX];
    struct bytes manifest;                 /* the CBOR map, closed */
    struct bytes manifest_wrapped;         /* the same with its byte string head: what is hashed */
    struct bytes severed[SUIT_SEVERABLES]; /* with byte string head; empty where the envelope has none */
    uint8_t payload_count;
    struct suit_payload payloads[SUIT_PAYLOADS_MAX];
    struct bytes auth_blocks; /* the encoded signatures, for adding more (suit_build.h) */
    struct bytes members;     /* the encoded pairs from the manifest on */
    uint32_t member_count;
};

/* Exactly one tagged envelope (107). BAD_TRUNCATED, BAD_TRAILING, BAD_ENCODING (tag missing, keys twice or out of
 * order, long forms), BAD_LIMIT, BAD_UNSUPPORTED (unknown envelope element, digest other than SHA-256, COSE other than
 * COSE_Sign1). */
enum verdict suit_envelope_parse(struct bytes in, struct suit_envelope *out);

/* Does the manifest have the digest the wrapper claims? BAD_DIGEST. */
enum verdict suit_check_digest(const struct verify_crypto *crypto, const struct suit_envelope *envelope);

/* GOOD when the digest holds and one of the signatures is this key's. BAD_DIGEST, BAD_SIGNATURE, BAD_UNSUPPORTED (no
 * signature of an algorithm that fits the key). */
enum verdict suit_verify_author(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                const struct author_key *author);

/* Which facts about component 0 a manifest states unconditionally, in `has`. */
enum suit_fact {
    SUIT_HAS_VENDOR = 1 << 0,
    SUIT_HAS_CLASS = 1 << 1,
    SUIT_HAS_DIGEST = 1 << 2,
    SUIT_HAS_SIZE = 1 << 3,
    SUIT_HAS_SLOT = 1 << 4,
    SUIT_HAS_URI = 1 << 5,
    SUIT_HAS_FORMAT = 1 << 6,
    SUIT_HAS_BASE_DIGEST = 1 << 7,
    SUIT_HAS_ENCRYPTION = 1 << 8,
    SUIT_HAS_INSTALL = 1 << 9,       /* an install sequence is at hand, in the manifest or severed */
    SUIT_HAS_CONDITIONAL = 1 << 10,  /* a try-each, or a sequence run as a unit: what they set is not in here */
    SUIT_HAS_SEVERED_AWAY = 1 << 11, /* a sequence is given by digest only and the envelope does not carry it */
    SUIT_HAS_IMAGE_MATCH = 1 << 12,  /* condition-image-match stands somewhere */
};

enum suit_format { SUIT_FORMAT_RAW = 0, SUIT_FORMAT_PATCH = 1 };

struct suit_manifest {
    uint64_t sequence;
    uint8_t component_count; /* dependencies included */
    uint16_t has;            /* enum suit_fact, or-ed */
    struct bytes component;  /* encoded identifier of component 0: an array of byte strings */
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    uint8_t image_digest[HASH_LEN];
    uint64_t image_size;
    uint64_t slot;
    struct bytes uri;
    uint64_t format;               /* enum suit_format; RAW where not stated */
    uint8_t base_digest[HASH_LEN]; /* of the image a patch applies to */
    struct bytes encryption_info;  /* encoded COSE_Encrypt, not looked into */
    struct bytes reference_uri;
    struct bytes version;     /* text: component version of component 0 */
    struct bytes description; /* text: update description, else manifest description */
    uint8_t dependency_count;
    uint8_t dependencies[SUIT_DEPENDENCIES_MAX][HASH_LEN]; /* manifest digests */
};

/* Reads the manifest (call suit_verify_author before) and its severed members, whose digests are checked. Strict:
 * unknown elements, commands and parameters are BAD_UNSUPPORTED, a fact about component 0 set twice to different values
 * BAD_ENCODING; else as suit_envelope_parse. */
enum verdict suit_manifest_parse(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                 struct suit_manifest *out);

/* Is it a plain release: one component beside the dependencies; vendor, class, digest and size stated; nothing
 * conditional; install not severed away; format known? BAD_UNSUPPORTED, BAD_COMPONENT, BAD_SIZE (0). */
enum verdict suit_manifest_installable(const struct suit_manifest *manifest);

/* Are the payloads the envelope carries those the manifest speaks of: named by its uri, of its size and digest (an
 * encrypted one is checked by whoever decrypts it)? BAD_UNSUPPORTED for one that is not named, BAD_SIZE, BAD_DIGEST. */
enum verdict suit_check_payloads(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                 const struct suit_manifest *manifest);

/* Component identifiers: is it the one-segment identifier `segment`? */
bool suit_component_is(struct bytes encoded_id, struct bytes segment);

#endif
