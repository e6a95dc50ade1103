#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/uuid.h"

#include <openssl/sha.h>
#include <string.h>

/* RFC 9562 section 6.6. */
static const uint8_t namespace_dns[UUID_LEN] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                                0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

static void version_5(const uint8_t namespace_id[UUID_LEN], struct bytes name, uint8_t out[UUID_LEN]) {
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA_CTX context;
    (void)SHA1_Init(&context);
    (void)SHA1_Update(&context, namespace_id, UUID_LEN);
    (void)SHA1_Update(&context, name.data, name.len);
    (void)SHA1_Final(digest, &context);
    digest[6] = (uint8_t)((digest[6] & 0x0f) | 0x50);
    digest[8] = (uint8_t)((digest[8] & 0x3f) | 0x80);
    memcpy(out, digest, UUID_LEN);
}

void uuid_vendor(struct bytes domain, uint8_t out[UUID_LEN]) {
    version_5(namespace_dns, domain, out);
}

void uuid_class(const uint8_t vendor_id[UUID_LEN], struct bytes class_name, uint8_t out[UUID_LEN]) {
    version_5(vendor_id, class_name, out);
}
