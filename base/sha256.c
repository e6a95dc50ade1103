#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/sha256.h"

#include <openssl/sha.h>

/* SHA256_CTX is a plain structure and its block function picks SHA-NI at run time; unlike an EVP context it costs
 * no allocation and no lookup, which is most of the time for the short inputs of a state tree. */
_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "struct sha256 must hold libcrypto's context");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct sha256), "and align it");

static SHA256_CTX *context(struct sha256 *s) {
    return (SHA256_CTX *)(void *)s->opaque;
}

void sha256_init(struct sha256 *s) {
    (void)SHA256_Init(context(s));
}

void sha256_update(struct sha256 *s, const void *data, size_t len) {
    (void)SHA256_Update(context(s), data, len);
}

void sha256_final(struct sha256 *s, uint8_t out[SHA256_LEN]) {
    (void)SHA256_Final(out, context(s));
}

void sha256(const void *data, size_t len, uint8_t out[SHA256_LEN]) {
    struct sha256 s;
    sha256_init(&s);
    sha256_update(&s, data, len);
    sha256_final(&s, out);
}

void sha256_parts(const struct bytes *parts, size_t count, uint8_t out[SHA256_LEN]) {
    struct sha256 s;
    sha256_init(&s);
    for (size_t i = 0; i < count; i++) {
        sha256_update(&s, parts[i].data, parts[i].len);
    }
    sha256_final(&s, out);
}
