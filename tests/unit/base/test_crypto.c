#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/ed25519.h"
#include "base/p256.h"
#include "base/sha256.h"
#include "base/uuid.h"

#include <string.h>

static void unhex(const char *text, uint8_t *out, size_t len) {
    assert_int_equal(hex_decode(text, out, len), OK);
}

/* FIPS 180-4's examples. */
static void sha256_matches_the_standard(void **state) {
    (void)state;
    uint8_t digest[SHA256_LEN], want[SHA256_LEN];
    sha256("abc", 3, digest);
    unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want, sizeof want);
    assert_memory_equal(digest, want, sizeof want);
    const char *two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    unhex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", want, sizeof want);
    const struct bytes parts[] = {bytes_of(two, 5), bytes_of(NULL, 0), bytes_str(two + 5)};
    sha256_parts(parts, 3, digest);
    assert_memory_equal(digest, want, sizeof want);
    struct sha256 s, copy;
    sha256_init(&s);
    sha256_update(&s, two, 11);
    copy = s;
    sha256_update(&copy, two + 11, strlen(two) - 11);
    sha256_final(&copy, digest);
    assert_memory_equal(digest, want, sizeof want);
}

/* RFC 8032 section 7.1, test 2. */
static void ed25519_matches_rfc_8032(void **state) {
    (void)state;
    uint8_t seed[ED25519_SEED_LEN], want_key[ED25519_KEY_LEN], want_sig[ED25519_SIG_LEN];
    uint8_t key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN], sig[ED25519_SIG_LEN];
    unhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", seed, sizeof seed);
    unhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", want_key, sizeof want_key);
    unhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
          want_sig, sizeof want_sig);
    ed25519_from_seed(seed, key, secret);
    assert_memory_equal(key, want_key, sizeof key);
    ed25519_sign(secret, "\x72", 1, sig);
    assert_memory_equal(sig, want_sig, sizeof sig);
    assert_true(ed25519_verify(key, "\x72", 1, sig));
    assert_false(ed25519_verify(key, "\x73", 1, sig));
    for (size_t i = 0; i < sizeof sig; i++) {
        sig[i] ^= 1;
        assert_false(ed25519_verify(key, "\x72", 1, sig));
        sig[i] ^= 1;
    }
}

static void ed25519_refuses_a_small_order_key(void **state) {
    (void)state;
    uint8_t key[ED25519_KEY_LEN] = {1}; /* the neutral element */
    uint8_t sig[ED25519_SIG_LEN] = {1};
    assert_false(ed25519_verify(key, "x", 1, sig));
}

/* RFC 6979 section A.2.5, P-256 with SHA-256, message "sample". */
static void p256_matches_rfc_6979(void **state) {
    (void)state;
    uint8_t point[P256_POINT_LEN], sig[P256_SIG_LEN];
    unhex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
          "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
          point, sizeof point);
    unhex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
          "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
          sig, sizeof sig);
    assert_true(p256_verify(point, "sample", 6, sig));
    assert_false(p256_verify(point, "Sample", 6, sig));
    sig[40] ^= 1;
    assert_false(p256_verify(point, "sample", 6, sig));
    sig[40] ^= 1;
    point[1] ^= 1; /* no longer on the curve */
    assert_false(p256_verify(point, "sample", 6, sig));
    memset(sig, 0, sizeof sig);
    assert_false(p256_verify(point, "sample", 6, sig));
}

/* RFC 9562 appendix A.4, and vendor and class ids as Python's uuid module computes them. */
static void uuid_v5_matches_rfc_9562(void **state) {
    (void)state;
    uint8_t id[UUID_LEN], want[UUID_LEN], class_id[UUID_LEN];
    uuid_vendor(bytes_str("www.example.com"), id);
    unhex("2ed6657de927568b95e12665a8aea6a2", want, sizeof want);
    assert_memory_equal(id, want, sizeof id);
    uuid_vendor(bytes_str("acme.example"), id);
    unhex("0637e301e05d505b8267486f5677de9b", want, sizeof want);
    assert_memory_equal(id, want, sizeof id);
    uuid_class(id, bytes_str("thermostat"), class_id);
    unhex("22b26a04ecb550ba9086100cf171669f", want, sizeof want);
    assert_memory_equal(class_id, want, sizeof class_id);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_matches_the_standard),       cmocka_unit_test(ed25519_matches_rfc_8032),
        cmocka_unit_test(ed25519_refuses_a_small_order_key), cmocka_unit_test(p256_matches_rfc_6979),
        cmocka_unit_test(uuid_v5_matches_rfc_9562),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
