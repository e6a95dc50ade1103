/* The record a device checks: one leaf that answers "what should a device of this class run?".
 *
 * contract "firmware", user key = "latest/" || class id (16). Layout, 264 bytes:
 *
 *   off len
 *     0   1  version, 1
 *     1   1  flags: bit 0 = there is a latest release (else all release fields are zero)
 *     2  16  vendor id
 *    18  16  class id
 *    34   8  sequence of the latest release
 *    42  32  release id
 *    74  32  manifest digest: SHA-256 over the SUIT manifest as the authentication block's digest counts it
 *   106  32  image digest, SHA-256
 *   138   8  image size
 *   146  36  image CID, binary CIDv1
 *   182  32  image tree root (4 KiB pieces)
 *   214   8  floor: releases with a lower sequence may not be installed
 *   222   8  highest sequence ever released (revoked ones too)
 *   230   8  highest sequence ever revoked, 0 if none
 *   238  10  reserved, zero
 *   248   8  height of the last change
 *   256   8  block time of the last change, ms
 *
 * Latest is the highest released sequence that is not revoked and not below the floor.
 */
#ifndef ASSAY_VERIFY_CLASS_RECORD_H
#define ASSAY_VERIFY_CLASS_RECORD_H

#include "verify/crypto.h"

#define CLASS_RECORD_LEN 264
#define CLASS_RECORD_KEY_LEN (7 + 16)
#define CID_BINARY_LEN 36
#define UUID_BYTES 16

struct class_record {
    bool has_release;
    uint8_t vendor_id[UUID_BYTES];
    uint8_t class_id[UUID_BYTES];
    uint64_t sequence;
    uint8_t release_id[HASH_LEN];
    uint8_t manifest_digest[HASH_LEN];
    uint8_t image_digest[HASH_LEN];
    uint64_t image_size;
    uint8_t image_cid[CID_BINARY_LEN];
    uint8_t image_tree_root[HASH_LEN];
    uint64_t floor;
    uint64_t highest_released;
    uint64_t highest_revoked;
    uint64_t height;
    uint64_t time_ms;
};

void class_record_key(const uint8_t class_id[UUID_BYTES], uint8_t out[CLASS_RECORD_KEY_LEN]);
void class_record_encode(const struct class_record *record, uint8_t out[CLASS_RECORD_LEN]);
enum verdict class_record_decode(struct bytes in, struct class_record *out);

#endif
