#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "node/cli/suit_key.h"
#include "node/cli/suit_show.h"
#include "tests/lib/suit_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static uint8_t draft[FIXTURE_MAX], signed_envelope[FIXTURE_MAX];

static struct bytes signed_release(void) {
    const struct fixture_author author = fixture_author(1);
    const struct suit_release release = fixture_release();
    size_t len;
    assert_int_equal(suit_build_release(&test_crypto, &release, draft, sizeof draft, &len), GOOD);
    assert_int_equal(fixture_sign(bytes_of(draft, len), COSE_ED25519, &author, 1, signed_envelope, &len), GOOD);
    return bytes_of(signed_envelope, len);
}

static const json_t *in_path(const json_t *at, const char *const *path) {
    for (; *path != NULL; path++) {
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(*path, NULL, 10)) : json_object_get(at, *path);
        assert_non_null(at);
    }
    return at;
}
#define AT(document, ...) in_path(document, (const char *const[]){__VA_ARGS__, NULL})

static void json_names_things_as_the_specification_does(void **state) {
    (void)state;
    json_t *document = NULL;
    bool holds = false;
    assert_int_equal(suit_show_json(signed_release(), &document, &holds), GOOD);
    assert_non_null(document);
    assert_true(holds);
    assert_int_equal(json_integer_value(AT(document, "manifest", "manifest-sequence-number")), 42);
    const json_t *parameters =
        AT(document, "manifest", "common", "shared-sequence", "0", "directive-override-parameters");
    assert_string_equal(json_string_value(AT(parameters, "vendor-id")), "11111111111111111111111111111111");
    assert_int_equal(json_integer_value(AT(parameters, "image-size")), 34768);
    assert_int_equal(json_integer_value(AT(parameters, "image-digest", "algorithm-id")), -16);
    assert_string_equal(json_string_value(AT(document, "manifest", "common", "components", "0", "0")), "00");
    assert_string_equal(json_string_value(AT(document, "manifest", "text", "en", "[h'00']", "component-version")),
                        "1.2.0");
    assert_true(json_is_false(AT(document, "signatures", "0", "verified")));
    assert_string_equal(json_string_value(AT(document, "signatures", "0", "algorithm")), "Ed25519");
    assert_string_equal(json_string_value(AT(document, "installable")), "GOOD");
    json_decref(document);
}

static void text_shows_that_a_changed_manifest_is_changed(void **state) {
    (void)state;
    struct bytes envelope = signed_release();
    char *text = NULL;
    size_t size = 0;
    bool holds = true;
    signed_envelope[envelope.len - 1] ^= 1; /* the version's last digit */
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(suit_show_text(out, envelope, &holds), GOOD);
    (void)fclose(out);
    assert_false(holds);
    assert_non_null(strstr(text, "DOES NOT HOLD"));
    assert_non_null(strstr(text, "unverified"));
    assert_non_null(strstr(text, "component-version: \"1.2.1\""));
    free(text);
}

static void text_cannot_steer_the_terminal(void **state) {
    (void)state;
    struct suit_release release = fixture_release();
    char *text = NULL;
    size_t len, size = 0;
    bool holds;
    release.version = text_span("1\x1b[2J\n2");
    assert_int_equal(suit_build_release(&test_crypto, &release, draft, sizeof draft, &len), GOOD);
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(suit_show_text(out, bytes_of(draft, len), &holds), GOOD);
    (void)fclose(out);
    assert_null(strchr(text, 0x1b));
    assert_non_null(strstr(text, "component-version: \"1?[2J?2\""));
    free(text);
}

static void nothing_is_shown_of_what_is_malformed(void **state) {
    (void)state;
    struct bytes whole = signed_release();
    json_t *document = NULL;
    bool holds;
    for (size_t len = 0; len < whole.len; len++) {
        assert_int_not_equal(suit_show_json(bytes_of(whole.data, len), &document, &holds), GOOD);
        assert_null(document);
    }
}

static void public_keys_are_read_from_hex(void **state) {
    (void)state;
    struct author_key key;
    struct why why = WHY_NONE;
    char hex[2 * P256_KEY_LEN + 1];
    memset(hex, 'a', sizeof hex);
    hex[64] = '\0';
    assert_int_equal(suit_key_load_public(hex, &key, &why), OK);
    assert_int_equal(key.type, AUTHOR_ED25519);
    assert_int_equal(key.key[31], 0xaa);
    memset(hex, '0', sizeof hex);
    hex[1] = '4';
    hex[130] = '\0';
    assert_int_equal(suit_key_load_public(hex, &key, &why), OK);
    assert_int_equal(key.type, AUTHOR_P256);
    hex[63] = '\0';
    assert_int_equal(suit_key_load_public(hex, &key, &why), ERR_NOTFOUND); /* not a key, so a file's name */
    assert_non_null(strstr(why.text, "cannot read the key"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_names_things_as_the_specification_does),
        cmocka_unit_test(text_shows_that_a_changed_manifest_is_changed),
        cmocka_unit_test(text_cannot_steer_the_terminal),
        cmocka_unit_test(nothing_is_shown_of_what_is_malformed),
        cmocka_unit_test(public_keys_are_read_from_hex),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
