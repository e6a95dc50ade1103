#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/aead.h"

#include <string.h>

/* RFC 8439, section 2.8.2. */
static const char plain[] =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";
#define PLAIN_LEN (sizeof plain - 1)
#define SEALED_LEN (PLAIN_LEN + AEAD_TAG_LEN)
static const char sealed_hex[] = "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                                 "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                                 "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                                 "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";

struct vector {
    uint8_t key[AEAD_KEY_LEN];
    uint8_t nonce[AEAD_NONCE_LEN];
    uint8_t associated[12];
    uint8_t sealed[SEALED_LEN];
};

static struct vector vector(void) {
    struct vector v;
    for (size_t i = 0; i < sizeof v.key; i++) {
        v.key[i] = (uint8_t)(0x80 + i);
    }
    assert_int_equal(hex_decode("070000004041424344454647", v.nonce, sizeof v.nonce), OK);
    assert_int_equal(hex_decode("50515253c0c1c2c3c4c5c6c7", v.associated, sizeof v.associated), OK);
    assert_int_equal(hex_decode(sealed_hex, v.sealed, sizeof v.sealed), OK);
    return v;
}

static void sealing_gives_the_published_bytes(void **state) {
    (void)state;
    struct vector v = vector();
    uint8_t out[SEALED_LEN];
    aead_seal(v.key, v.nonce, bytes_of(v.associated, sizeof v.associated), bytes_of(plain, PLAIN_LEN), out);
    assert_memory_equal(out, v.sealed, SEALED_LEN);
}

static void sealing_and_opening_work_in_place(void **state) {
    (void)state;
    struct vector v = vector();
    struct bytes associated = bytes_of(v.associated, sizeof v.associated);
    uint8_t buffer[SEALED_LEN];
    memcpy(buffer, plain, PLAIN_LEN);
    aead_seal(v.key, v.nonce, associated, bytes_of(buffer, PLAIN_LEN), buffer);
    assert_memory_equal(buffer, v.sealed, SEALED_LEN);
    assert_int_equal(aead_open(v.key, v.nonce, associated, bytes_of(buffer, SEALED_LEN), buffer), OK);
    assert_memory_equal(buffer, plain, PLAIN_LEN);
}

static void a_changed_bit_anywhere_is_refused(void **state) {
    (void)state;
    struct vector v = vector();
    struct bytes associated = bytes_of(v.associated, sizeof v.associated);
    uint8_t out[SEALED_LEN];
    for (size_t i = 0; i < SEALED_LEN; i++) {
        v.sealed[i] ^= 1;
        assert_int_equal(aead_open(v.key, v.nonce, associated, bytes_of(v.sealed, SEALED_LEN), out), ERR_SIGNATURE);
        v.sealed[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof v.associated; i++) {
        v.associated[i] ^= 0x80;
        assert_int_equal(aead_open(v.key, v.nonce, associated, bytes_of(v.sealed, SEALED_LEN), out), ERR_SIGNATURE);
        v.associated[i] ^= 0x80;
    }
    assert_int_equal(aead_open(v.key, v.nonce, associated, bytes_of(v.sealed, SEALED_LEN), out), OK);
}

static void what_is_shorter_than_a_tag_is_refused(void **state) {
    (void)state;
    struct vector v = vector();
    uint8_t out[SEALED_LEN];
    for (size_t len = 0; len < AEAD_TAG_LEN; len++) {
        assert_int_equal(aead_open(v.key, v.nonce, bytes_of(NULL, 0), bytes_of(v.sealed, len), out), ERR_SIGNATURE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_gives_the_published_bytes),
        cmocka_unit_test(sealing_and_opening_work_in_place),
        cmocka_unit_test(a_changed_bit_anywhere_is_refused),
        cmocka_unit_test(what_is_shorter_than_a_tag_is_refused),
    };
    return cmocka_run_group_tests_name("aead", tests, NULL, NULL);
}
