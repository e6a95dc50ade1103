#include "verify/delegation.h"

#include <string.h>

#define DELEGATION_VERSION 1
#define CLASSES_AT DELEGATION_HEAD_LEN

size_t delegation_encode(const struct delegation *d, uint8_t out[DELEGATION_MAX]) {
    memset(out, 0, DELEGATION_HEAD_LEN);
    out[0] = DELEGATION_VERSION;
    memcpy(out + 1, d->chain_id, CHAIN_ID_LEN);
    memcpy(out + 33, d->vendor_id, UUID_BYTES);
    out[49] = (uint8_t)d->author.type;
    memcpy(out + 50, d->author.key, d->author.type == AUTHOR_ED25519 ? KEY_LEN : P256_KEY_LEN);
    store_u64(out + 115, d->last_sequence);
    out[123] = d->class_count;
    memcpy(out + CLASSES_AT, d->classes, (size_t)d->class_count * UUID_BYTES);
    return CLASSES_AT + (size_t)d->class_count * UUID_BYTES;
}

static bool key_is_well_formed(uint8_t type, const uint8_t key[P256_KEY_LEN]) {
    if (type == AUTHOR_P256) {
        return key[0] == 0x04;
    }
    if (type != AUTHOR_ED25519) {
        return false;
    }
    for (size_t i = KEY_LEN; i < P256_KEY_LEN; i++) {
        if (key[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Length, version and the fields' rules; gives the length of the signed part. */
static enum verdict check_shape(struct bytes in, size_t *out_signed_len) {
    if (in.len < DELEGATION_HEAD_LEN) {
        return BAD_TRUNCATED;
    }
    const uint8_t *p = in.data;
    if (p[0] != DELEGATION_VERSION) {
        return BAD_VERSION;
    }
    uint8_t classes = p[123];
    if (classes == 0 || classes > DELEGATION_CLASSES_MAX || !key_is_well_formed(p[49], p + 50)) {
        return BAD_ENCODING;
    }
    size_t signed_len = CLASSES_AT + (size_t)classes * UUID_BYTES;
    if (in.len != signed_len + SIG_LEN) {
        return in.len < signed_len + SIG_LEN ? BAD_TRUNCATED : BAD_TRAILING;
    }
    *out_signed_len = signed_len;
    return GOOD;
}

enum verdict delegation_verify(const struct verify_crypto *crypto, const uint8_t root[KEY_LEN], struct bytes in,
                               struct delegation *out) {
    uint8_t message[TAG_LEN + DELEGATION_MAX - SIG_LEN];
    size_t len;
    enum verdict v = check_shape(in, &len);
    if (v != GOOD) {
        return v;
    }
    const uint8_t *p = in.data;
    memcpy(message, TAG_DELEGATION, TAG_LEN);
    memcpy(message + TAG_LEN, p, len);
    if (!crypto->ed25519_verify(root, message, TAG_LEN + len, p + len)) {
        return BAD_SIGNATURE;
    }
    memset(out, 0, sizeof *out);
    memcpy(out->chain_id, p + 1, CHAIN_ID_LEN);
    memcpy(out->vendor_id, p + 33, UUID_BYTES);
    out->author.type = (enum author_key_type)p[49];
    memcpy(out->author.key, p + 50, P256_KEY_LEN);
    out->last_sequence = load_u64(p + 115);
    out->class_count = p[123];
    memcpy(out->classes, p + CLASSES_AT, (size_t)out->class_count * UUID_BYTES);
    return GOOD;
}

enum verdict delegation_covers(const struct delegation *d, const uint8_t chain_id[CHAIN_ID_LEN],
                               const uint8_t class_id[UUID_BYTES], uint64_t sequence) {
    if (memcmp(d->chain_id, chain_id, CHAIN_ID_LEN) != 0) {
        return BAD_CHAIN;
    }
    if (sequence > d->last_sequence) {
        return BAD_AUTHOR;
    }
    for (uint8_t i = 0; i < d->class_count && i < DELEGATION_CLASSES_MAX; i++) {
        if (memcmp(d->classes[i], class_id, UUID_BYTES) == 0) {
            return GOOD;
        }
    }
    return BAD_AUTHOR;
}
