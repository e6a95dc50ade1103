#include "verify/class_record.h"

#include <string.h>

#define RECORD_VERSION 1
#define FLAG_HAS_RELEASE 1
/* The release's sequence, id and digests, and its image's digest, size, CID and tree root. */
#define RELEASE_AT 34
#define RELEASE_END 214
#define RESERVED_AT 238
#define RESERVED_END 248

void class_record_key(const uint8_t class_id[UUID_BYTES], uint8_t out[CLASS_RECORD_KEY_LEN]) {
    memcpy(out, "latest/", 7);
    memcpy(out + 7, class_id, UUID_BYTES);
}

void class_record_encode(const struct class_record *record, uint8_t out[CLASS_RECORD_LEN]) {
    memset(out, 0, CLASS_RECORD_LEN);
    out[0] = RECORD_VERSION;
    memcpy(out + 2, record->vendor_id, UUID_BYTES);
    memcpy(out + 18, record->class_id, UUID_BYTES);
    if (record->has_release) {
        out[1] = FLAG_HAS_RELEASE;
        store_u64(out + 34, record->sequence);
        memcpy(out + 42, record->release_id, HASH_LEN);
        memcpy(out + 74, record->manifest_digest, HASH_LEN);
        memcpy(out + 106, record->image_digest, HASH_LEN);
        store_u64(out + 138, record->image_size);
        memcpy(out + 146, record->image_cid, CID_BINARY_LEN);
        memcpy(out + 182, record->image_tree_root, HASH_LEN);
    }
    store_u64(out + 214, record->floor);
    store_u64(out + 222, record->highest_released);
    store_u64(out + 230, record->highest_revoked);
    store_u64(out + 248, record->height);
    store_u64(out + 256, record->time_ms);
}

static bool all_zero(const uint8_t *from, const uint8_t *to) {
    while (from < to) {
        if (*from++ != 0) {
            return false;
        }
    }
    return true;
}

enum verdict class_record_decode(struct bytes in, struct class_record *out) {
    if (in.len != CLASS_RECORD_LEN) {
        return in.len < CLASS_RECORD_LEN ? BAD_TRUNCATED : BAD_TRAILING;
    }
    const uint8_t *p = in.data;
    if (p[0] != RECORD_VERSION) {
        return BAD_VERSION;
    }
    if (p[1] > FLAG_HAS_RELEASE || !all_zero(p + RESERVED_AT, p + RESERVED_END) ||
        (p[1] == 0 && !all_zero(p + RELEASE_AT, p + RELEASE_END))) {
        return BAD_ENCODING;
    }
    out->has_release = p[1] == FLAG_HAS_RELEASE;
    memcpy(out->vendor_id, p + 2, UUID_BYTES);
    memcpy(out->class_id, p + 18, UUID_BYTES);
    out->sequence = load_u64(p + 34);
    memcpy(out->release_id, p + 42, HASH_LEN);
    memcpy(out->manifest_digest, p + 74, HASH_LEN);
    memcpy(out->image_digest, p + 106, HASH_LEN);
    out->image_size = load_u64(p + 138);
    memcpy(out->image_cid, p + 146, CID_BINARY_LEN);
    memcpy(out->image_tree_root, p + 182, HASH_LEN);
    out->floor = load_u64(p + 214);
    out->highest_released = load_u64(p + 222);
    out->highest_revoked = load_u64(p + 230);
    out->height = load_u64(p + 248);
    out->time_ms = load_u64(p + 256);
    return GOOD;
}
