#include "base/hmac.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <sodium.h>
#include <string.h>

#define BLOCK_LEN 64

void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t out[HMAC_LEN]) {
    uint8_t pad[BLOCK_LEN] = {0};
    if (key.len > BLOCK_LEN) {
        sha256(key.data, key.len, pad);
    } else if (key.len != 0) {
        memcpy(pad, key.data, key.len);
    }
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        pad[i] ^= 0x36;
    }
    struct sha256 s;
    sha256_init(&s);
    sha256_update(&s, pad, BLOCK_LEN);
    for (size_t i = 0; i < count; i++) {
        sha256_update(&s, parts[i].data, parts[i].len);
    }
    uint8_t inner[HMAC_LEN];
    sha256_final(&s, inner);
    /* From the inner pad to the outer one. */
    for (size_t i = 0; i < BLOCK_LEN; i++) {
        pad[i] ^= 0x36 ^ 0x5c;
    }
    sha256_init(&s);
    sha256_update(&s, pad, BLOCK_LEN);
    sha256_update(&s, inner, sizeof inner);
    sha256_final(&s, out);
    secure_wipe(pad, sizeof pad);
    secure_wipe(inner, sizeof inner);
    secure_wipe(&s, sizeof s);
}

void hmac_sha256(struct bytes key, struct bytes message, uint8_t out[HMAC_LEN]) {
    hmac_sha256_parts(key, &message, 1, out);
}

void hkdf_sha256(struct bytes salt, struct bytes secret, struct bytes info, uint8_t *out, size_t len) {
    ASSERT(len <= HKDF_MAX);
    uint8_t extracted[HMAC_LEN];
    uint8_t block[HMAC_LEN];
    hmac_sha256(salt, secret, extracted);
    size_t previous = 0;
    for (uint8_t i = 1; len > 0; i++) {
        struct bytes parts[] = {bytes_of(block, previous), info, bytes_of(&i, 1)};
        hmac_sha256_parts(bytes_of(extracted, sizeof extracted), parts, 3, block);
        previous = sizeof block;
        size_t n = len < sizeof block ? len : sizeof block;
        memcpy(out, block, n);
        out += n;
        len -= n;
    }
    secure_wipe(extracted, sizeof extracted);
    secure_wipe(block, sizeof block);
}

bool hmac_equal(const void *a, const void *b, size_t len) {
    return sodium_memcmp(a, b, len) == 0;
}
