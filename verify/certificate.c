#include "verify/certificate.h"

#include <string.h>

#define VOTE_VERSION 1
#define SET_VERSION 1
#define CERTIFICATE_VERSION 1

void vote_signed_bytes(const uint8_t chain_id[CHAIN_ID_LEN], const struct vote_subject *subject,
                       uint8_t out[VOTE_SIGNED_LEN]) {
    memcpy(out, TAG_VOTE, TAG_LEN);
    out += TAG_LEN;
    out[0] = VOTE_VERSION;
    memcpy(out + 1, chain_id, CHAIN_ID_LEN);
    store_u64(out + 33, subject->epoch);
    store_u64(out + 41, subject->view);
    out[49] = (uint8_t)subject->kind;
    memcpy(out + 50, subject->block, HASH_LEN);
}

static void set_head(uint16_t count, uint8_t out[VALIDATOR_SET_HEAD_LEN]) {
    out[0] = SET_VERSION;
    store_u16(out + 1, count);
}

void validators_hash(const struct verify_crypto *crypto, const struct validator_set *set, uint8_t out[HASH_LEN]) {
    uint8_t head[VALIDATOR_SET_HEAD_LEN];
    set_head(set->count, head);
    const struct bytes parts[] = {{(const uint8_t *)TAG_VALIDATORS, TAG_LEN},
                                  {head, sizeof head},
                                  {set->count > 0 ? set->keys[0] : NULL, (size_t)set->count * KEY_LEN}};
    hash_parts(crypto, parts, 3, out);
}

size_t validators_encode(const struct validator_set *set, uint8_t *out) {
    set_head(set->count, out);
    for (uint16_t i = 0; i < set->count; i++) {
        memcpy(out + VALIDATOR_SET_HEAD_LEN + (size_t)i * KEY_LEN, set->keys[i], KEY_LEN);
    }
    return VALIDATOR_SET_HEAD_LEN + (size_t)set->count * KEY_LEN;
}

static bool keys_differ(const uint8_t (*keys)[KEY_LEN], uint16_t count) {
    for (uint16_t i = 1; i < count; i++) {
        for (uint16_t j = 0; j < i; j++) {
            if (memcmp(keys[i], keys[j], KEY_LEN) == 0) {
                return false;
            }
        }
    }
    return true;
}

enum verdict validators_read(struct input *in, uint8_t (*memory)[KEY_LEN], uint16_t capacity,
                             struct validator_set *out) {
    uint8_t head[VALIDATOR_SET_HEAD_LEN];
    if (!in->read(in->ctx, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    if (head[0] != SET_VERSION) {
        return BAD_VERSION;
    }
    uint16_t count = load_u16(head + 1);
    if (count == 0) {
        return BAD_ENCODING;
    }
    if (count > VALIDATORS_MAX || count > capacity || memory == NULL) {
        return BAD_LIMIT;
    }
    if (!in->read(in->ctx, memory[0], (size_t)count * KEY_LEN)) {
        return BAD_TRUNCATED;
    }
    struct validator_set set = {(const uint8_t(*)[KEY_LEN])memory, count};
    if (!keys_differ(set.keys, count)) {
        return BAD_ENCODING;
    }
    *out = set;
    return GOOD;
}

static bool bit_set(const uint8_t *bitmap, size_t i) {
    return (bitmap[i / 8] >> (i % 8) & 1) != 0;
}

/* Takes everything before the bitmap and checks it against the size of the set. */
static enum verdict read_head(struct input *in, uint16_t n, struct vote_subject *out) {
    static const uint8_t zeros[HASH_LEN];
    uint8_t head[CERTIFICATE_HEAD_LEN];
    if (!in->read(in->ctx, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    if (head[0] != CERTIFICATE_VERSION) {
        return BAD_VERSION;
    }
    if (head[1] < VOTE_NOTARIZE || head[1] > VOTE_FINALIZE) {
        return BAD_ENCODING;
    }
    if (head[1] == VOTE_NULLIFY && memcmp(head + 18, zeros, HASH_LEN) != 0) {
        return BAD_ENCODING;
    }
    if (n == 0 || n > VALIDATORS_MAX || load_u16(head + 50) != n) {
        return BAD_VALIDATORS;
    }
    out->kind = (enum vote_kind)head[1];
    out->epoch = load_u64(head + 2);
    out->view = load_u64(head + 10);
    memcpy(out->block, head + 18, HASH_LEN);
    return GOOD;
}

static enum verdict read_bitmap(struct input *in, uint16_t n, uint8_t bitmap[BITMAP_LEN(VALIDATORS_MAX)]) {
    if (!in->read(in->ctx, bitmap, BITMAP_LEN(n))) {
        return BAD_TRUNCATED;
    }
    uint16_t signers = 0;
    for (size_t i = 0; i < BITMAP_LEN(n) * 8; i++) {
        if (bit_set(bitmap, i) && i >= n) {
            return BAD_ENCODING;
        }
        signers = (uint16_t)(signers + (bit_set(bitmap, i) ? 1 : 0));
    }
    return signers >= validators_quorum(n) ? GOOD : BAD_QUORUM;
}

enum verdict certificate_verify(const struct verify_crypto *crypto, const uint8_t chain_id[CHAIN_ID_LEN],
                                const struct validator_set *set, struct input *in, struct vote_subject *out) {
    uint8_t bitmap[BITMAP_LEN(VALIDATORS_MAX)];
    uint8_t message[VOTE_SIGNED_LEN];
    uint8_t sig[SIG_LEN];
    struct vote_subject subject;
    enum verdict v = read_head(in, set->count, &subject);
    if (v == GOOD) {
        v = read_bitmap(in, set->count, bitmap);
    }
    if (v != GOOD) {
        return v;
    }
    vote_signed_bytes(chain_id, &subject, message);
    for (uint16_t i = 0; i < set->count; i++) {
        if (!bit_set(bitmap, i)) {
            continue;
        }
        if (!in->read(in->ctx, sig, sizeof sig)) {
            return BAD_TRUNCATED;
        }
        if (!crypto->ed25519_verify(set->keys[i], message, sizeof message, sig)) {
            return BAD_SIGNATURE;
        }
    }
    *out = subject;
    return GOOD;
}

enum verdict certificate_skip(struct input *in) {
    uint8_t head[CERTIFICATE_HEAD_LEN];
    uint8_t bitmap[BITMAP_LEN(VALIDATORS_MAX)];
    uint8_t sig[SIG_LEN];
    if (!in->read(in->ctx, head, sizeof head)) {
        return BAD_TRUNCATED;
    }
    uint16_t n = load_u16(head + 50);
    if (n == 0 || n > VALIDATORS_MAX) {
        return BAD_VALIDATORS;
    }
    if (!in->read(in->ctx, bitmap, BITMAP_LEN(n))) {
        return BAD_TRUNCATED;
    }
    for (uint16_t i = 0; i < n; i++) {
        if (bit_set(bitmap, i) && !in->read(in->ctx, sig, sizeof sig)) {
            return BAD_TRUNCATED;
        }
    }
    return GOOD;
}
