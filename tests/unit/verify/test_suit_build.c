#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/suit_fixture.h"

#include <stdlib.h>

static uint8_t draft[FIXTURE_MAX], signed_envelope[FIXTURE_MAX];

static struct bytes build(const struct suit_release *release) {
    size_t len;
    assert_int_equal(suit_build_release(&test_crypto, release, draft, sizeof draft, &len), GOOD);
    return bytes_of(draft, len);
}

static struct bytes build_and_sign(const struct suit_release *release, const struct fixture_author *authors,
                                   size_t count) {
    size_t len;
    assert_int_equal(fixture_sign(build(release), COSE_ED25519, authors, count, signed_envelope, &len), GOOD);
    return bytes_of(signed_envelope, len);
}

static void assert_span(struct bytes span, const char *text) {
    assert_int_equal(span.len, strlen(text));
    assert_memory_equal(span.data, text, span.len);
}

static void what_is_built_is_what_is_read(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    static const uint8_t dependencies[2][HASH_LEN] = {{0xd1}, {0xd2}};
    static const uint8_t base[HASH_LEN] = {0xba};
    static const uint8_t component[] = {0}, wraps[] = {0xd8, 0x60, 0x80};
    struct suit_release release = fixture_release();
    release.sequence = UINT64_MAX;
    release.has_slot = true;
    release.slot = 1;
    release.description = text_span("Fixes the thermostat's hysteresis.");
    release.vendor_domain = text_span("acme.example");
    release.reference_uri = text_span("https://acme.example/releases");
    release.format = SUIT_FORMAT_PATCH;
    release.base_digest = base;
    release.encryption_info = bytes_of(wraps, sizeof wraps);
    release.dependencies = dependencies;
    release.dependency_count = 2;
    struct suit_manifest m;
    assert_int_equal(fixture_accept(build_and_sign(&release, &author, 1), &author.key, &m), GOOD);
    assert_true(m.sequence == UINT64_MAX);
    assert_int_equal(m.component_count, 3);
    assert_true(suit_component_is(m.component, bytes_of(component, sizeof component)));
    assert_false(suit_component_is(m.component, bytes_of(dependencies[0], HASH_LEN)));
    assert_memory_equal(m.vendor_id, release.vendor_id, UUID_BYTES);
    assert_memory_equal(m.class_id, release.class_id, UUID_BYTES);
    assert_memory_equal(m.image_digest, release.image_digest, HASH_LEN);
    assert_memory_equal(m.base_digest, base, HASH_LEN);
    assert_true(m.image_size == 34768 && m.slot == 1 && m.format == SUIT_FORMAT_PATCH);
    assert_int_equal(m.uri.len, release.uri.len);
    assert_memory_equal(m.uri.data, release.uri.data, m.uri.len);
    assert_span(m.version, "1.2.0");
    assert_span(m.description, "Fixes the thermostat's hysteresis.");
    assert_span(m.reference_uri, "https://acme.example/releases");
    assert_int_equal(m.encryption_info.len, sizeof wraps);
    assert_int_equal(m.dependency_count, 2);
    assert_memory_equal(m.dependencies, dependencies, sizeof dependencies);
    const unsigned all = SUIT_HAS_VENDOR | SUIT_HAS_CLASS | SUIT_HAS_DIGEST | SUIT_HAS_SIZE | SUIT_HAS_SLOT |
                         SUIT_HAS_URI | SUIT_HAS_FORMAT | SUIT_HAS_BASE_DIGEST | SUIT_HAS_ENCRYPTION |
                         SUIT_HAS_INSTALL | SUIT_HAS_IMAGE_MATCH;
    assert_int_equal(m.has, all);
}

static void a_release_with_the_least_is_installable(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    struct suit_release release = fixture_release();
    release.uri.len = release.version.len = 0;
    struct suit_manifest m;
    assert_int_equal(fixture_accept(build_and_sign(&release, &author, 1), &author.key, &m), GOOD);
    assert_int_equal(m.uri.len + m.version.len + m.description.len + m.dependency_count, 0);
    assert_int_equal(m.format, SUIT_FORMAT_RAW);
}

static void several_authors_sign_the_same_manifest(void **state) {
    (void)state;
    struct fixture_author authors[SUIT_SIGNATURES_MAX + 1];
    for (size_t i = 0; i < SUIT_SIGNATURES_MAX + 1; i++) {
        authors[i] = fixture_author((uint8_t)(i + 1));
    }
    const struct suit_release release = fixture_release();
    struct suit_manifest m;
    struct suit_envelope envelope;
    /* Two, and then a third to what the two have signed. */
    struct bytes two = build_and_sign(&release, authors, 2);
    static uint8_t more[FIXTURE_MAX];
    size_t len;
    assert_int_equal(fixture_sign(two, COSE_EDDSA, authors + 2, 1, more, &len), GOOD);
    const struct bytes three = {more, len};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fixture_accept(three, &authors[i].key, &m), GOOD);
    }
    assert_int_equal(fixture_accept(three, &authors[3].key, &m), BAD_SIGNATURE);
    assert_int_equal(suit_envelope_parse(three, &envelope), GOOD);
    assert_int_equal(envelope.signature_count, 3);
    assert_int_equal(envelope.signatures[0].algorithm, COSE_ED25519);
    assert_int_equal(envelope.signatures[2].algorithm, COSE_EDDSA);
    assert_int_equal(envelope.signatures[1].key_id.len, KEY_LEN);
    assert_memory_equal(envelope.signatures[1].key_id.data, authors[1].key.key, KEY_LEN);
    /* As many as there may be, and one too many. */
    assert_int_equal(fixture_sign(build(&release), COSE_ED25519, authors, SUIT_SIGNATURES_MAX, more, &len), GOOD);
    assert_int_equal(fixture_accept(bytes_of(more, len), &authors[SUIT_SIGNATURES_MAX - 1].key, &m), GOOD);
    assert_int_equal(fixture_sign(build(&release), COSE_ED25519, authors, SUIT_SIGNATURES_MAX + 1, more, &len),
                     BAD_LIMIT);
}

static void an_unsigned_draft_is_nobodys(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    struct suit_manifest m;
    assert_int_equal(fixture_accept(build(&release), &author.key, &m), BAD_SIGNATURE);
}

static void another_type_of_key_is_unsupported(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    const struct author_key p256 = {.type = AUTHOR_P256, .key = {4}};
    struct suit_manifest m;
    assert_int_equal(fixture_accept(build_and_sign(&release, &author, 1), &p256, &m), BAD_UNSUPPORTED);
}

static void a_payload_travels_in_the_envelope(void **state) {
    (void)state;
    static const uint8_t image[300] = {0x7f, 'E', 'L', 'F'};
    const struct fixture_author author = fixture_author(1);
    struct suit_release release = fixture_release();
    struct suit_envelope envelope;
    size_t len;
    release.payload = bytes_of(image, sizeof image);
    assert_int_equal(suit_build_release(&test_crypto, &release, draft, sizeof draft, &len), BAD_ENCODING);
    release.uri = text_span("#image");
    assert_int_equal(suit_envelope_parse(build_and_sign(&release, &author, 1), &envelope), GOOD);
    assert_int_equal(envelope.payload_count, 1);
    assert_span(envelope.payloads[0].name, "#image");
    assert_int_equal(envelope.payloads[0].bytes.len, sizeof image);
    assert_memory_equal(envelope.payloads[0].bytes.data, image, sizeof image);
    /* It is not what the manifest says: first its size, then its digest, then its name. */
    struct suit_manifest m;
    assert_int_equal(suit_manifest_parse(&test_crypto, &envelope, &m), GOOD);
    assert_int_equal(suit_check_payloads(&test_crypto, &envelope, &m), BAD_SIZE);
    m.image_size = sizeof image;
    assert_int_equal(suit_check_payloads(&test_crypto, &envelope, &m), BAD_DIGEST);
    sha256(image, sizeof image, m.image_digest);
    assert_int_equal(suit_check_payloads(&test_crypto, &envelope, &m), GOOD);
    m.uri = text_span("#other");
    assert_int_equal(suit_check_payloads(&test_crypto, &envelope, &m), BAD_UNSUPPORTED);
}

static void releases_a_device_would_refuse_are_not_built(void **state) {
    (void)state;
    static uint8_t dependencies[SUIT_DEPENDENCIES_MAX + 1][HASH_LEN];
    static char long_text[SUIT_TEXT_MAX + 2];
    size_t len = 77;
    struct suit_release r = fixture_release();
    r.image_size = 0;
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_SIZE);
    r = fixture_release();
    r.component.len = 0;
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_COMPONENT);
    r = fixture_release();
    r.version = text_span("1.2.\xff");
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_ENCODING);
    r = fixture_release();
    memset(long_text, 'x', sizeof long_text - 1);
    r.description = text_span(long_text);
    static uint8_t large[2 * SUIT_TEXT_MAX];
    assert_int_equal(suit_build_release(&test_crypto, &r, large, sizeof large, &len), BAD_LIMIT);
    r = fixture_release();
    r.dependencies = (const uint8_t(*)[HASH_LEN])dependencies;
    r.dependency_count = SUIT_DEPENDENCIES_MAX + 1;
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_LIMIT);
    r = fixture_release();
    r.format = SUIT_FORMAT_PATCH; /* without the base it applies to */
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_UNSUPPORTED);
    r.format = 7;
    assert_int_equal(suit_build_release(&test_crypto, &r, draft, sizeof draft, &len), BAD_UNSUPPORTED);
    assert_int_equal(len, 77);
}

static void too_little_room_is_a_verdict_at_every_size(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    size_t whole = build(&release).len, len;
    for (size_t capacity = 0; capacity < whole; capacity++) {
        uint8_t *out = malloc(capacity > 0 ? capacity : 1);
        assert_non_null(out);
        assert_int_equal(suit_build_release(&test_crypto, &release, out, capacity, &len), BAD_LIMIT);
        free(out);
    }
    assert_int_equal(suit_build_release(&test_crypto, &release, draft, whole, &len), GOOD);
    struct suit_envelope envelope;
    const struct suit_new_signature signature = {.algorithm = COSE_ED25519};
    assert_int_equal(suit_envelope_parse(bytes_of(draft, whole), &envelope), GOOD);
    struct bytes final = build_and_sign(&release, &author, 1);
    for (size_t capacity = 0; capacity < final.len; capacity++) {
        uint8_t *out = malloc(capacity > 0 ? capacity : 1);
        assert_non_null(out);
        assert_int_equal(suit_attach(&envelope, &signature, 1, out, capacity, &len), BAD_LIMIT);
        free(out);
    }
}

/* Whatever single bit is changed, in the envelope or the signature: no longer accepted. */
static void every_flipped_bit_is_noticed(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    struct bytes whole = build_and_sign(&release, &author, 1);
    struct suit_manifest m;
    for (size_t i = 0; i < whole.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            signed_envelope[i] ^= (uint8_t)(1u << bit);
            assert_int_not_equal(fixture_accept(whole, &author.key, &m), GOOD);
            signed_envelope[i] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(fixture_accept(whole, &author.key, &m), GOOD);
}

static void every_truncation_and_any_trailing_byte_is_refused(void **state) {
    (void)state;
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    struct bytes whole = build_and_sign(&release, &author, 1);
    struct suit_envelope envelope;
    for (size_t len = 0; len < whole.len; len++) {
        uint8_t *cut = malloc(len > 0 ? len : 1);
        assert_non_null(cut);
        memcpy(cut, whole.data, len);
        assert_int_not_equal(suit_envelope_parse(bytes_of(cut, len), &envelope), GOOD);
        free(cut);
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        signed_envelope[whole.len] = (uint8_t)byte;
        assert_int_equal(suit_envelope_parse(bytes_of(whole.data, whole.len + 1), &envelope), BAD_TRAILING);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_is_what_is_read),
        cmocka_unit_test(a_release_with_the_least_is_installable),
        cmocka_unit_test(several_authors_sign_the_same_manifest),
        cmocka_unit_test(an_unsigned_draft_is_nobodys),
        cmocka_unit_test(another_type_of_key_is_unsupported),
        cmocka_unit_test(a_payload_travels_in_the_envelope),
        cmocka_unit_test(releases_a_device_would_refuse_are_not_built),
        cmocka_unit_test(too_little_room_is_a_verdict_at_every_size),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_and_any_trailing_byte_is_refused),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
