#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ed25519.h"
#include "base/x25519.h"

#include <string.h>

static void bytes32(const char *hex, uint8_t out[X25519_LEN]) {
    assert_int_equal(hex_decode(hex, out, X25519_LEN), OK);
}

/* RFC 7748, section 5.2, both vectors. */
static void scalar_multiplication_gives_the_published_points(void **state) {
    (void)state;
    static const char *const vectors[][3] = {
        {"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
         "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
         "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
        {"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
         "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
         "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
    };
    for (size_t i = 0; i < 2; i++) {
        uint8_t secret[X25519_LEN], point[X25519_LEN], expected[X25519_LEN], got[X25519_LEN];
        bytes32(vectors[i][0], secret);
        bytes32(vectors[i][1], point);
        bytes32(vectors[i][2], expected);
        assert_int_equal(x25519_shared(secret, point, got), OK);
        assert_memory_equal(got, expected, X25519_LEN);
    }
}

/* RFC 7748, section 5.2: the result of one iteration and of a thousand. */
static void iterated_multiplication_gives_the_published_result(void **state) {
    (void)state;
    uint8_t k[X25519_LEN] = {9}, u[X25519_LEN] = {9}, expected[X25519_LEN];
    for (int i = 0; i < 1000; i++) {
        uint8_t r[X25519_LEN];
        assert_int_equal(x25519_shared(k, u, r), OK);
        memcpy(u, k, sizeof u);
        memcpy(k, r, sizeof k);
        if (i == 0) {
            bytes32("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079", expected);
            assert_memory_equal(k, expected, sizeof k);
        }
    }
    bytes32("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51", expected);
    assert_memory_equal(k, expected, sizeof k);
}

/* RFC 7748, section 6.1. */
static void both_sides_of_an_agreement_get_the_published_secret(void **state) {
    (void)state;
    uint8_t a[X25519_LEN], b[X25519_LEN], pa[X25519_LEN], pb[X25519_LEN], expected[X25519_LEN], got[X25519_LEN];
    bytes32("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a", a);
    bytes32("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", b);
    x25519_public_key(b, pb);
    bytes32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", expected);
    assert_memory_equal(pb, expected, X25519_LEN);
    x25519_public_key(a, pa);
    uint8_t ab[X25519_LEN];
    assert_int_equal(x25519_shared(a, pb, ab), OK);
    assert_int_equal(x25519_shared(b, pa, got), OK);
    assert_memory_equal(ab, got, X25519_LEN);
    bytes32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", expected);
    assert_memory_equal(got, expected, X25519_LEN);
}

static void a_key_of_small_order_is_refused_and_nothing_is_written(void **state) {
    (void)state;
    uint8_t secret[X25519_LEN], ignored[X25519_LEN];
    x25519_keypair(ignored, secret);
    uint8_t zero[X25519_LEN] = {0}, one[X25519_LEN] = {1}, out[X25519_LEN], before[X25519_LEN];
    memset(out, 0xaa, sizeof out);
    memcpy(before, out, sizeof out);
    assert_int_equal(x25519_shared(secret, zero, out), ERR_INVALID);
    assert_int_equal(x25519_shared(secret, one, out), ERR_INVALID);
    assert_memory_equal(out, before, sizeof out);
}

static void fresh_pairs_differ_and_agree(void **state) {
    (void)state;
    uint8_t pa[X25519_LEN], a[X25519_LEN], pb[X25519_LEN], b[X25519_LEN], ab[X25519_LEN], ba[X25519_LEN];
    x25519_keypair(pa, a);
    x25519_keypair(pb, b);
    assert_memory_not_equal(pa, pb, X25519_LEN);
    assert_int_equal(x25519_shared(a, pb, ab), OK);
    assert_int_equal(x25519_shared(b, pa, ba), OK);
    assert_memory_equal(ab, ba, X25519_LEN);
}

int main(void) {
    if (crypto_start() != OK) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalar_multiplication_gives_the_published_points),
        cmocka_unit_test(iterated_multiplication_gives_the_published_result),
        cmocka_unit_test(both_sides_of_an_agreement_get_the_published_secret),
        cmocka_unit_test(a_key_of_small_order_is_refused_and_nothing_is_written),
        cmocka_unit_test(fresh_pairs_differ_and_agree),
    };
    return cmocka_run_group_tests_name("x25519", tests, NULL, NULL);
}
