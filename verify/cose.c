#include "verify/cose.h"

#include <string.h>

/* Tags (RFC 9052, section 2) and header parameters (section 3.1). */
enum { TAG_SIGN1 = 18, TAG_MAC0 = 17 };
enum { HEADER_ALGORITHM = 1, HEADER_KEY_ID = 4 };

/* Reads a header map; `algorithm` is NULL where none may stand. */
static enum verdict parse_headers(struct cbor_reader *r, int32_t *algorithm, struct bytes *key_id) {
    uint32_t pairs;
    bool has_algorithm = false;
    int64_t last = INT64_MIN;
    enum verdict v = cbor_map(r, &pairs);
    for (; v == GOOD && pairs > 0; pairs--) {
        int64_t label, number;
        v = cbor_int(r, &label);
        if (v == GOOD && label <= last) {
            v = BAD_ENCODING;
        }
        if (v != GOOD) {
            break;
        }
        last = label;
        if (label == HEADER_ALGORITHM && algorithm != NULL) {
            v = cbor_int(r, &number);
            if (v == GOOD && (number < INT32_MIN || number > INT32_MAX)) {
                v = BAD_UNSUPPORTED;
            }
            if (v == GOOD) {
                *algorithm = (int32_t)number;
                has_algorithm = true;
            }
        } else if (label == HEADER_KEY_ID && key_id->len == 0) {
            v = cbor_bytes(r, key_id);
            if (v == GOOD && (key_id->len == 0 || key_id->len > COSE_KEY_ID_MAX)) {
                v = BAD_LIMIT;
            }
        } else {
            v = BAD_UNSUPPORTED;
        }
    }
    if (v == GOOD && algorithm != NULL && !has_algorithm) {
        v = BAD_ENCODING;
    }
    return v;
}

/* 0 for an algorithm that is not one of ours. */
static int key_type_of(int32_t algorithm) {
    switch (algorithm) {
    case COSE_EDDSA:
    case COSE_ED25519:
        return AUTHOR_ED25519;
    case COSE_ES256:
    case COSE_ESP256:
        return AUTHOR_P256;
    default:
        return 0;
    }
}

static enum verdict parse_protected(struct bytes protected_header, struct cose_sign1 *out) {
    if (protected_header.len > COSE_PROTECTED_MAX) {
        return BAD_LIMIT;
    }
    struct cbor_reader r = cbor_reader_of(protected_header);
    out->protected_header = protected_header;
    enum verdict v = parse_headers(&r, &out->algorithm, &out->key_id);
    return v == GOOD ? cbor_end(&r) : v;
}

enum verdict cose_sign1_parse(struct bytes block, struct cose_sign1 *out) {
    struct cbor_reader r = cbor_reader_of(block);
    struct cose_sign1 sign1;
    memset(&sign1, 0, sizeof sign1);
    uint64_t tag;
    uint32_t items;
    struct bytes protected_header;
    enum verdict v = cbor_tag(&r, &tag);
    if (v == GOOD && tag != TAG_SIGN1) {
        v = tag == TAG_MAC0 ? BAD_UNSUPPORTED : BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_array(&r, &items);
    }
    if (v == GOOD && items != 4) {
        v = BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_bytes(&r, &protected_header);
    }
    if (v == GOOD) {
        v = parse_protected(protected_header, &sign1);
    }
    if (v == GOOD) {
        v = parse_headers(&r, NULL, &sign1.key_id);
    }
    if (v == GOOD) {
        v = cbor_null(&r);
    }
    if (v == GOOD) {
        v = cbor_bytes(&r, &sign1.signature);
    }
    if (v == GOOD && key_type_of(sign1.algorithm) != 0 && sign1.signature.len != SIG_LEN) {
        v = BAD_ENCODING;
    }
    if (v == GOOD) {
        v = cbor_end(&r);
    }
    if (v == GOOD) {
        *out = sign1;
    }
    return v;
}

enum verdict cose_signed_bytes(struct bytes protected_header, struct bytes payload, uint8_t out[COSE_SIGNED_MAX],
                               size_t *out_len) {
    static const uint8_t context[] = {'S', 'i', 'g', 'n', 'a', 't', 'u', 'r', 'e', '1'};
    const struct bytes context_text = {context, sizeof context};
    const struct bytes no_external_data = {NULL, 0};
    if (protected_header.len > COSE_PROTECTED_MAX || payload.len > COSE_PAYLOAD_MAX) {
        return BAD_LIMIT;
    }
    struct cbor_writer w = cbor_writer_of(out, COSE_SIGNED_MAX);
    cbor_put_array(&w, 4);
    cbor_put_text(&w, context_text);
    cbor_put_bytes(&w, protected_header);
    cbor_put_bytes(&w, no_external_data);
    cbor_put_bytes(&w, payload);
    return cbor_writer_end(&w, out_len);
}

enum verdict cose_protected_header(enum cose_algorithm algorithm, struct bytes key_id, uint8_t out[COSE_PROTECTED_MAX],
                                   size_t *out_len) {
    if (key_id.len > COSE_KEY_ID_MAX) {
        return BAD_LIMIT;
    }
    struct cbor_writer w = cbor_writer_of(out, COSE_PROTECTED_MAX);
    cbor_put_map(&w, key_id.len > 0 ? 2 : 1);
    cbor_put_uint(&w, HEADER_ALGORITHM);
    cbor_put_int(&w, algorithm);
    if (key_id.len > 0) {
        cbor_put_uint(&w, HEADER_KEY_ID);
        cbor_put_bytes(&w, key_id);
    }
    return cbor_writer_end(&w, out_len);
}

void cose_sign1_write(struct cbor_writer *w, struct bytes protected_header, const uint8_t signature[SIG_LEN]) {
    const struct bytes signature_bytes = {signature, SIG_LEN};
    cbor_put_tag(w, TAG_SIGN1);
    cbor_put_array(w, 4);
    cbor_put_bytes(w, protected_header);
    cbor_put_map(w, 0);
    cbor_put_null(w);
    cbor_put_bytes(w, signature_bytes);
}

enum verdict cose_sign1_verify(const struct verify_crypto *crypto, const struct cose_sign1 *sign1, struct bytes payload,
                               const struct author_key *key) {
    uint8_t message[COSE_SIGNED_MAX];
    size_t len;
    bool p256 = key->type == AUTHOR_P256;
    if (key_type_of(sign1->algorithm) != (int)key->type || (p256 && crypto->p256_verify == NULL)) {
        return BAD_UNSUPPORTED;
    }
    enum verdict v = cose_signed_bytes(sign1->protected_header, payload, message, &len);
    if (v != GOOD) {
        return v;
    }
    bool valid = p256 ? crypto->p256_verify(key->key, message, len, sign1->signature.data)
                      : crypto->ed25519_verify(key->key, message, len, sign1->signature.data);
    return valid ? GOOD : BAD_SIGNATURE;
}
