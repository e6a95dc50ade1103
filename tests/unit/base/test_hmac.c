#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hmac.h"

#include <string.h>

struct octets {
    uint8_t data[160];
    size_t len;
};

static struct octets repeated(uint8_t byte, size_t len) {
    struct octets s = {.len = len};
    memset(s.data, byte, len);
    return s;
}

static struct bytes bytes_in(const struct octets *s) {
    return bytes_of(s->data, s->len);
}

static void expect(struct bytes key, struct bytes message, const char *hex) {
    uint8_t expected[HMAC_LEN], got[HMAC_LEN];
    assert_int_equal(hex_decode(hex, expected, sizeof expected), OK);
    hmac_sha256(key, message, got);
    assert_memory_equal(got, expected, sizeof got);
    /* The same in two pieces. */
    size_t cut = message.len / 2;
    struct bytes parts[] = {bytes_of(message.data, cut), bytes_of(message.data + cut, message.len - cut)};
    hmac_sha256_parts(key, parts, 2, got);
    assert_memory_equal(got, expected, sizeof got);
}

/* RFC 4231, cases 1, 2, 3, 4, 6 and 7 (5 is about a shortened output). */
static void codes_are_the_published_ones(void **state) {
    (void)state;
    struct octets key = repeated(0x0b, 20);
    expect(bytes_in(&key), bytes_str("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    expect(bytes_str("Jefe"), bytes_str("what do ya want for nothing?"),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    key = repeated(0xaa, 20);
    struct octets message = repeated(0xdd, 50);
    expect(bytes_in(&key), bytes_in(&message), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    key.len = 25;
    for (size_t i = 0; i < key.len; i++) {
        key.data[i] = (uint8_t)(i + 1);
    }
    message = repeated(0xcd, 50);
    expect(bytes_in(&key), bytes_in(&message), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    key = repeated(0xaa, 131);
    expect(bytes_in(&key), bytes_str("Test Using Larger Than Block-Size Key - Hash Key First"),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    expect(bytes_in(&key),
           bytes_str("This is a test using a larger than block-size key and a larger than block-size data. The key "
                     "needs to be hashed before being used by the HMAC algorithm."),
           "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void expect_hkdf(struct bytes salt, struct bytes secret, struct bytes info, const char *hex) {
    uint8_t expected[96], got[96];
    size_t len = strlen(hex) / 2;
    assert_int_equal(hex_decode(hex, expected, len), OK);
    hkdf_sha256(salt, secret, info, got, len);
    assert_memory_equal(got, expected, len);
}

/* RFC 5869, appendix A, cases 1, 2 and 3. */
static void derived_keys_are_the_published_ones(void **state) {
    (void)state;
    struct octets secret = repeated(0x0b, 22);
    uint8_t count[256];
    for (size_t i = 0; i < sizeof count; i++) {
        count[i] = (uint8_t)i;
    }
    expect_hkdf(bytes_of(count, 13), bytes_in(&secret), bytes_of(count + 0xf0, 10),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    expect_hkdf(bytes_of(count + 0x60, 80), bytes_of(count, 80), bytes_of(count + 0xb0, 80),
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    expect_hkdf(bytes_of(NULL, 0), bytes_in(&secret), bytes_of(NULL, 0),
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void comparison_sees_every_byte(void **state) {
    (void)state;
    uint8_t a[16] = {0}, b[16] = {0};
    assert_true(hmac_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 1;
        assert_false(hmac_equal(a, b, sizeof a));
        b[i] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_the_published_ones),
        cmocka_unit_test(derived_keys_are_the_published_ones),
        cmocka_unit_test(comparison_sees_every_byte),
    };
    return cmocka_run_group_tests_name("hmac", tests, NULL, NULL);
}
