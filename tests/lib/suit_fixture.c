#include "tests/lib/suit_fixture.h"

struct bytes text_span(const char *text) {
    return bytes_of((const uint8_t *)text, strlen(text));
}

struct fixture_author fixture_author(uint8_t number) {
    struct fixture_author author = {.key = {.type = AUTHOR_ED25519}};
    uint8_t seed[ED25519_SEED_LEN] = {number, 0xa5};
    ed25519_from_seed(seed, author.key.key, author.secret);
    return author;
}

struct suit_release fixture_release(void) {
    static const uint8_t component[] = {0};
    struct suit_release release = {
        .sequence = 42,
        .component = {component, sizeof component},
        .image_size = 34768,
        .uri = text_span("http://127.0.0.1:26601/ipfs/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"),
        .version = text_span("1.2.0"),
    };
    memset(release.vendor_id, 0x11, sizeof release.vendor_id);
    memset(release.class_id, 0x22, sizeof release.class_id);
    memset(release.image_digest, 0x33, sizeof release.image_digest);
    return release;
}

enum verdict fixture_sign(struct bytes unsigned_envelope, enum cose_algorithm algorithm,
                          const struct fixture_author *authors, size_t count, uint8_t out[FIXTURE_MAX],
                          size_t *out_len) {
    struct suit_new_signature signatures[SUIT_SIGNATURES_MAX + 1];
    struct suit_envelope envelope;
    uint8_t message[COSE_SIGNED_MAX];
    size_t len;
    enum verdict v = suit_envelope_parse(unsigned_envelope, &envelope);
    for (size_t i = 0; v == GOOD && i < count; i++) {
        const struct bytes key_id = {authors[i].key.key, i == 0 ? 0 : KEY_LEN};
        v = suit_signed_bytes(&envelope, algorithm, key_id, message, &len);
        if (v == GOOD) {
            signatures[i].algorithm = algorithm;
            signatures[i].key_id = key_id;
            ed25519_sign(authors[i].secret, message, len, signatures[i].signature);
        }
    }
    return v == GOOD ? suit_attach(&envelope, signatures, count, out, FIXTURE_MAX, out_len) : v;
}

enum verdict fixture_accept(struct bytes in, const struct author_key *author, struct suit_manifest *out) {
    struct suit_envelope envelope;
    enum verdict v = suit_envelope_parse(in, &envelope);
    if (v == GOOD) {
        v = suit_verify_author(&test_crypto, &envelope, author);
    }
    if (v == GOOD) {
        v = suit_manifest_parse(&test_crypto, &envelope, out);
    }
    return v == GOOD ? suit_manifest_installable(out) : v;
}
