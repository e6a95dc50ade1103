#include "verify/suit.h"

#include "verify/suit_labels.h"

#include <string.h>

enum { TAG_ENVELOPE = 107 };
enum { ENVELOPE_AUTHENTICATION = 2, ENVELOPE_MANIFEST = 3 };

/* Takes a byte string and gives it both open and with its head. */
static enum verdict take_wrapped(struct cbor_reader *r, struct bytes *out_wrapped, struct bytes *out_content) {
    const uint8_t *start = r->rest.data;
    enum verdict v = cbor_bytes(r, out_content);
    if (v == GOOD) {
        out_wrapped->data = start;
        out_wrapped->len = (size_t)(r->rest.data - start);
    }
    return v;
}

static enum verdict parse_digest_block(struct cbor_reader *r, struct suit_envelope *out) {
    struct bytes digest;
    enum verdict v = cbor_bytes(r, &out->digest_block);
    if (v != GOOD) {
        return v;
    }
    struct cbor_reader block = cbor_reader_of(out->digest_block);
    v = suit_take_digest(&block, &digest);
    if (v == GOOD) {
        v = cbor_end(&block);
    }
    if (v == GOOD) {
        memcpy(out->digest, digest.data, HASH_LEN);
    }
    return v;
}

/* [ bstr of SUIT_Digest, * bstr of COSE_Sign1 ] */
static enum verdict parse_authentication(struct bytes wrapper, struct suit_envelope *out) {
    struct cbor_reader r = cbor_reader_of(wrapper);
    uint32_t items;
    enum verdict v = cbor_array(&r, &items);
    if (v != GOOD) {
        return v;
    }
    if (items == 0) {
        return BAD_ENCODING;
    }
    if (items - 1 > SUIT_SIGNATURES_MAX) {
        return BAD_LIMIT;
    }
    v = parse_digest_block(&r, out);
    out->auth_blocks = r.rest;
    for (uint32_t i = 0; v == GOOD && i < items - 1; i++) {
        struct bytes block;
        v = cbor_bytes(&r, &block);
        if (v == GOOD) {
            v = cose_sign1_parse(block, &out->signatures[i]);
        }
    }
    out->signature_count = (uint8_t)(items - 1);
    return v == GOOD ? cbor_end(&r) : v;
}

static enum verdict parse_payload(struct cbor_reader *r, struct suit_envelope *out) {
    struct suit_payload payload;
    if (out->payload_count == SUIT_PAYLOADS_MAX) {
        return BAD_LIMIT;
    }
    enum verdict v = cbor_text(r, &payload.name);
    if (v == GOOD && payload.name.len > SUIT_URI_MAX) {
        v = BAD_LIMIT;
    }
    if (v == GOOD) {
        v = cbor_bytes(r, &payload.bytes);
    }
    if (v == GOOD) {
        out->payloads[out->payload_count++] = payload;
    }
    return v;
}

static enum verdict parse_severed(struct cbor_reader *r, int64_t label, struct suit_envelope *out) {
    struct bytes content;
    for (size_t i = 0; i < SUIT_SEVERABLES; i++) {
        if (suit_severable_labels[i] == label) {
            return take_wrapped(r, &out->severed[i], &content);
        }
    }
    return BAD_UNSUPPORTED;
}

/* One pair after the authentication wrapper; keys ascend, so the manifest comes first. */
static enum verdict parse_member(struct cbor_reader *r, struct bytes *last_key, struct suit_envelope *out) {
    enum cbor_major major;
    struct cbor_reader after = *r;
    struct bytes key;
    int64_t label;
    enum verdict v = cbor_item(&after, &key);
    if (v == GOOD) {
        v = cbor_key_ascends(last_key, key);
    }
    if (v == GOOD) {
        v = cbor_peek(r, &major);
    }
    if (v != GOOD) {
        return v;
    }
    if (major == CBOR_TEXT) {
        return parse_payload(r, out);
    }
    v = cbor_int(r, &label);
    if (v != GOOD) {
        return v;
    }
    return label == ENVELOPE_MANIFEST ? take_wrapped(r, &out->manifest_wrapped, &out->manifest)
                                      : parse_severed(r, label, out);
}

enum verdict suit_envelope_parse(struct bytes in, struct suit_envelope *out) {
    struct cbor_reader r = cbor_reader_of(in);
    struct suit_envelope envelope;
    struct bytes wrapper, last_key = {NULL, 0};
    uint64_t tag;
    uint32_t pairs;
    int64_t label;
    memset(&envelope, 0, sizeof envelope);
    if (in.len > SUIT_ENVELOPE_MAX) {
        return BAD_LIMIT;
    }
    enum verdict v = cbor_tag(&r, &tag);
    if (v == GOOD && tag != TAG_ENVELOPE) {
        v = BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_map(&r, &pairs);
    }
    if (v == GOOD) {
        v = pairs < 2 ? BAD_ENCODING : cbor_int(&r, &label);
    }
    if (v == GOOD && label != ENVELOPE_AUTHENTICATION) {
        v = label >= 0 && label < ENVELOPE_AUTHENTICATION ? BAD_UNSUPPORTED : BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_bytes(&r, &wrapper);
    }
    if (v == GOOD) {
        v = parse_authentication(wrapper, &envelope);
    }
    envelope.members = r.rest;
    for (uint32_t i = 1; v == GOOD && i < pairs; i++) {
        v = parse_member(&r, &last_key, &envelope);
        if (v == GOOD && envelope.manifest_wrapped.len == 0) {
            v = BAD_ENCODING; /* the pair after the wrapper is not the manifest */
        }
    }
    if (v == GOOD) {
        v = cbor_end(&r);
    }
    if (v == GOOD) {
        envelope.member_count = pairs - 1;
        *out = envelope;
    }
    return v;
}

enum verdict suit_check_digest(const struct verify_crypto *crypto, const struct suit_envelope *envelope) {
    uint8_t digest[HASH_LEN];
    hash_parts(crypto, &envelope->manifest_wrapped, 1, digest);
    return memcmp(digest, envelope->digest, HASH_LEN) == 0 ? GOOD : BAD_DIGEST;
}

enum verdict suit_verify_author(const struct verify_crypto *crypto, const struct suit_envelope *envelope,
                                const struct author_key *author) {
    enum verdict v = suit_check_digest(crypto, envelope);
    if (v != GOOD) {
        return v;
    }
    enum verdict worst = envelope->signature_count == 0 ? BAD_SIGNATURE : BAD_UNSUPPORTED;
    for (uint8_t i = 0; i < envelope->signature_count; i++) {
        v = cose_sign1_verify(crypto, &envelope->signatures[i], envelope->digest_block, author);
        if (v == GOOD) {
            return GOOD;
        }
        if (v == BAD_SIGNATURE) {
            worst = BAD_SIGNATURE;
        }
    }
    return worst;
}
