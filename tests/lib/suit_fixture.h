/* Releases and keys for the tests of SUIT. */
#ifndef ASSAY_TESTS_LIB_SUIT_FIXTURE_H
#define ASSAY_TESTS_LIB_SUIT_FIXTURE_H

#include "tests/lib/test_crypto.h"
#include "verify/suit_build.h"

#include <string.h>

#define FIXTURE_MAX 4096

struct bytes text_span(const char *text);

struct fixture_author {
    uint8_t secret[ED25519_SECRET_LEN];
    struct author_key key;
};

struct fixture_author fixture_author(uint8_t number);
struct suit_release fixture_release(void);

/* Signs `unsigned_envelope` by one author after the other and gives the signed one. */
enum verdict fixture_sign(struct bytes unsigned_envelope, enum cose_algorithm algorithm,
                          const struct fixture_author *authors, size_t count, uint8_t out[FIXTURE_MAX],
                          size_t *out_len);

/* Would a device that trusts `author` install it? The order is a device's. */
enum verdict fixture_accept(struct bytes in, const struct author_key *author, struct suit_manifest *out);

#endif
