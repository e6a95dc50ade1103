#include "verify/checkpoint.h"

#include <string.h>

#define CHECKPOINT_VERSION 1
#define HEADER_AT (TAG_LEN + 1)
#define HASH_AT (HEADER_AT + BLOCK_HEADER_LEN)

size_t checkpoint_encode(const struct checkpoint *checkpoint, uint8_t out[CHECKPOINT_MAX]) {
    memcpy(out, TAG_CHECKPOINT, TAG_LEN);
    out[TAG_LEN] = CHECKPOINT_VERSION;
    block_header_encode(&checkpoint->header, out + HEADER_AT);
    memcpy(out + HASH_AT, checkpoint->hash, HASH_LEN);
    size_t len = CHECKPOINT_SET_AT + validators_encode(&checkpoint->validators, out + CHECKPOINT_SET_AT);
    out[len++] = checkpoint->is_signed;
    if (checkpoint->is_signed) {
        memcpy(out + len, checkpoint->root, KEY_LEN);
        len += KEY_LEN;
    }
    return len;
}

/* Tag, version, and a header that is the one its hash names. */
static enum verdict read_block(const struct verify_crypto *crypto, struct bytes in, struct checkpoint *out) {
    uint8_t hash[HASH_LEN];
    if (in.len < CHECKPOINT_MIN) {
        return BAD_TRUNCATED;
    }
    if (memcmp(in.data, TAG_CHECKPOINT, TAG_LEN) != 0) {
        return BAD_ENCODING;
    }
    if (in.data[TAG_LEN] != CHECKPOINT_VERSION) {
        return BAD_VERSION;
    }
    enum verdict v = block_header_decode(in.data + HEADER_AT, &out->header);
    if (v != GOOD) {
        return v;
    }
    block_header_hash(crypto, in.data + HEADER_AT, hash);
    memcpy(out->hash, in.data + HASH_AT, HASH_LEN);
    return memcmp(hash, out->hash, HASH_LEN) == 0 ? GOOD : BAD_DIGEST;
}

static enum verdict read_set(const struct verify_crypto *crypto, struct input *in, uint8_t (*set_memory)[KEY_LEN],
                             uint16_t set_capacity, struct checkpoint *out) {
    uint8_t hash[HASH_LEN];
    enum verdict v = validators_read(in, set_memory, set_capacity, &out->validators);
    if (v != GOOD) {
        return v;
    }
    validators_hash(crypto, &out->validators, hash);
    return memcmp(hash, out->header.validators_hash, HASH_LEN) == 0 ? GOOD : BAD_VALIDATORS;
}

static enum verdict read_signature(const struct verify_crypto *crypto, struct bytes in, struct input *rest,
                                   struct bytes_input *from, struct checkpoint *out) {
    uint8_t flag, sig[SIG_LEN];
    if (!rest->read(rest->ctx, &flag, 1)) {
        return BAD_TRUNCATED;
    }
    if (flag > 1) {
        return BAD_ENCODING;
    }
    out->is_signed = flag == 1;
    if (!out->is_signed) {
        return GOOD;
    }
    if (!rest->read(rest->ctx, out->root, KEY_LEN)) {
        return BAD_TRUNCATED;
    }
    size_t signed_len = in.len - from->rest.len;
    if (!rest->read(rest->ctx, sig, SIG_LEN)) {
        return BAD_TRUNCATED;
    }
    return crypto->ed25519_verify(out->root, in.data, signed_len, sig) ? GOOD : BAD_SIGNATURE;
}

enum verdict checkpoint_decode(const struct verify_crypto *crypto, struct bytes in, uint8_t (*set_memory)[KEY_LEN],
                               uint16_t set_capacity, struct checkpoint *out) {
    struct checkpoint c;
    memset(&c, 0, sizeof c);
    enum verdict v = read_block(crypto, in, &c);
    if (v != GOOD) {
        return v;
    }
    struct bytes_input from = {{in.data + CHECKPOINT_SET_AT, in.len - CHECKPOINT_SET_AT}};
    struct input rest = input_of_bytes(&from);
    v = read_set(crypto, &rest, set_memory, set_capacity, &c);
    if (v == GOOD) {
        v = read_signature(crypto, in, &rest, &from, &c);
    }
    if (v == GOOD && from.rest.len > 0) {
        v = BAD_TRAILING;
    }
    if (v == GOOD) {
        *out = c;
    }
    return v;
}

struct trust checkpoint_trust(const struct checkpoint *checkpoint) {
    struct trust trust;
    memset(&trust, 0, sizeof trust);
    memcpy(trust.chain_id, checkpoint->header.chain_id, CHAIN_ID_LEN);
    trust.epoch = checkpoint->header.epoch;
    trust.validators = checkpoint->validators;
    trust.min_height = checkpoint->header.height;
    trust.pin_height = checkpoint->header.height;
    trust.pin_hash = checkpoint->hash;
    return trust;
}
