#include "ipfs-lite/cid.h"

#include "base/assert.h"

#include <string.h>

#define CID_V0_TEXT_LEN 46
#define MULTIHASH_LEN 34

static const char base32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char base58_digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

struct cid cid_of_block(enum cid_codec codec, struct bytes block) {
    struct cid cid = {.codec = (uint8_t)codec};
    sha256(block.data, block.len, cid.digest);
    return cid;
}

bool cid_equal(const struct cid *a, const struct cid *b) {
    return a->codec == b->codec && memcmp(a->digest, b->digest, SHA256_LEN) == 0;
}

bool cid_matches(const struct cid *cid, struct bytes block) {
    uint8_t digest[SHA256_LEN];
    sha256(block.data, block.len, digest);
    return memcmp(digest, cid->digest, SHA256_LEN) == 0;
}

void cid_encode(const struct cid *cid, uint8_t out[CID_LEN]) {
    ASSERT(cid->codec == CID_RAW || cid->codec == CID_DAG_PB); /* what decoding lets in, and no more */
    out[0] = 0x01;
    out[1] = cid->codec;
    out[2] = 0x12;
    out[3] = SHA256_LEN;
    memcpy(out + 4, cid->digest, SHA256_LEN);
}

enum err cid_decode(struct bytes from, struct cid *out) {
    if (from.len != CID_LEN) {
        return ERR_MALFORMED;
    }
    if (from.data[0] != 0x01 || (from.data[1] != CID_RAW && from.data[1] != CID_DAG_PB) || from.data[2] != 0x12 ||
        from.data[3] != SHA256_LEN) {
        return ERR_UNSUPPORTED;
    }
    out->codec = from.data[1];
    memcpy(out->digest, from.data + 4, SHA256_LEN);
    return OK;
}

void cid_format(const struct cid *cid, char out[CID_TEXT_SIZE]) {
    uint8_t binary[CID_LEN];
    cid_encode(cid, binary);
    size_t at = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    out[at++] = 'b';
    for (size_t i = 0; i < CID_LEN; i++) {
        bits = (bits << 8 | binary[i]) & 0xffffu;
        held += 8;
        while (held >= 5) {
            held -= 5;
            out[at++] = base32_digits[(bits >> held) & 31u];
        }
    }
    if (held > 0) {
        out[at++] = base32_digits[(bits << (5 - held)) & 31u];
    }
    ASSERT(at == CID_TEXT_LEN);
    out[at] = '\0';
}

static int digit_of(const char *digits, char c) {
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

static enum err parse_v1(const char *text, struct cid *out) {
    uint8_t binary[CID_LEN];
    size_t at = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 1; i < CID_TEXT_LEN; i++) {
        int digit = digit_of(base32_digits, text[i]);
        if (digit < 0) {
            return ERR_MALFORMED;
        }
        bits = (bits << 5 | (uint32_t)digit) & 0xffffu;
        held += 5;
        if (held >= 8) {
            held -= 8;
            binary[at++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1u)) != 0) {
        return ERR_MALFORMED;
    }
    ASSERT(at == CID_LEN); /* so many digits hold so many bytes */
    return cid_decode(bytes_of(binary, at), out);
}

static enum err parse_v0(const char *text, struct cid *out) {
    uint8_t binary[MULTIHASH_LEN] = {0};
    for (size_t i = 0; i < CID_V0_TEXT_LEN; i++) {
        int digit = digit_of(base58_digits, text[i]);
        if (digit < 0) {
            return ERR_MALFORMED;
        }
        uint32_t carry = (uint32_t)digit;
        for (size_t k = MULTIHASH_LEN; k-- > 0;) {
            carry += 58u * binary[k];
            binary[k] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry != 0) {
            return ERR_MALFORMED;
        }
    }
    if (binary[0] != 0x12 || binary[1] != SHA256_LEN) {
        return ERR_UNSUPPORTED;
    }
    out->codec = CID_DAG_PB;
    memcpy(out->digest, binary + 2, SHA256_LEN);
    return OK;
}

enum err cid_parse(const char *text, struct cid *out) {
    size_t len = strnlen(text, CID_TEXT_SIZE);
    if (len == CID_TEXT_LEN && text[0] == 'b') {
        return parse_v1(text, out);
    }
    if (len == CID_V0_TEXT_LEN && text[0] == 'Q' && text[1] == 'm') {
        return parse_v0(text, out);
    }
    return ERR_MALFORMED;
}
