/* Content identifiers (CIDs) as IPFS computes them, of the one hash this product uses.
 *
 * Binary CIDv1, 36 bytes: 0x01 | codec (0x55 raw, 0x70 dag-pb) | 0x12 0x20 | SHA-256 of the block.
 * Text: "b" and the lowercase unpadded base32 (RFC 4648) of these bytes, 59 characters. The older CIDv0 ("Qm...",
 * base58btc of 0x12 0x20 | SHA-256) is read and means the same block as the dag-pb CIDv1 of its digest; it is never
 * written, so equal blocks have equal text here.
 */
#ifndef ASSAY_IPFS_LITE_CID_H
#define ASSAY_IPFS_LITE_CID_H

#include "base/sha256.h"

#define CID_LEN 36
#define CID_TEXT_LEN 59
/* That text as a regular expression: base32, raw or dag-pb, SHA-256; its head, and what the last digest byte's bits leave for the
 * end. */
#define CID_PATTERN "baf(ybei|krei)[a-h][a-z2-7]{50}[aeimquy4]"
#define CID_TEXT_SIZE (CID_TEXT_LEN + 1) /* with terminator */

enum cid_codec { CID_RAW = 0x55, CID_DAG_PB = 0x70 };

struct cid {
    uint8_t codec; /* enum cid_codec */
    uint8_t digest[SHA256_LEN];
};

/* The CID of a block's bytes. */
struct cid cid_of_block(enum cid_codec codec, struct bytes block);
bool cid_equal(const struct cid *a, const struct cid *b);
/* Does the block hash to the CID? */
bool cid_matches(const struct cid *cid, struct bytes block);

void cid_encode(const struct cid *cid, uint8_t out[CID_LEN]);
/* Exactly CID_LEN bytes. ERR_MALFORMED, or ERR_UNSUPPORTED for another version, codec or hash. */
NODISCARD enum err cid_decode(struct bytes from, struct cid *out);

void cid_format(const struct cid *cid, char out[CID_TEXT_SIZE]);
/* CIDv1 in lowercase base32 or CIDv0. One text for one CID: other bases, upper case, padding and set padding bits are
 * ERR_MALFORMED. */
NODISCARD enum err cid_parse(const char *text, struct cid *out);

#endif
