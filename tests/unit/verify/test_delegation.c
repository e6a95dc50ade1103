#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"
#include "verify/delegation.h"

static uint8_t root[KEY_LEN], root_secret[ED25519_SECRET_LEN];
static uint8_t encoded[DELEGATION_MAX + 1];

static struct delegation sample(uint8_t classes) {
    struct delegation d = {.author = {.type = AUTHOR_ED25519}, .last_sequence = 1000, .class_count = classes};
    memset(d.chain_id, 0xa1, sizeof d.chain_id);
    memset(d.vendor_id, 0xa2, sizeof d.vendor_id);
    memset(d.author.key, 0xa3, KEY_LEN);
    for (uint8_t i = 0; i < classes; i++) {
        memset(d.classes[i], 0xc0 + i, UUID_BYTES);
    }
    return d;
}

static size_t sign(const struct delegation *d) {
    uint8_t message[TAG_LEN + DELEGATION_MAX];
    size_t len = delegation_encode(d, encoded);
    fixture_key(7, 7, root, root_secret);
    memcpy(message, TAG_DELEGATION, TAG_LEN);
    memcpy(message + TAG_LEN, encoded, len);
    ed25519_sign(root_secret, message, TAG_LEN + len, encoded + len);
    return len + SIG_LEN;
}

static enum verdict judge(size_t len) {
    struct delegation out;
    return delegation_verify(&fixture_crypto, root, bytes_of(encoded, len), &out);
}

static void believes_what_the_root_key_signed(void **state) {
    (void)state;
    for (uint8_t classes = 1; classes <= DELEGATION_CLASSES_MAX; classes++) {
        struct delegation d = sample(classes), back;
        size_t len = sign(&d);
        assert_int_equal(len, DELEGATION_HEAD_LEN + (size_t)classes * UUID_BYTES + SIG_LEN);
        assert_int_equal(delegation_verify(&fixture_crypto, root, bytes_of(encoded, len), &back), GOOD);
        assert_int_equal(back.class_count, classes);
        assert_int_equal(back.last_sequence, 1000);
        assert_memory_equal(back.author.key, d.author.key, P256_KEY_LEN);
        assert_memory_equal(back.classes, d.classes, sizeof d.classes);
    }
    struct delegation d = sample(1);
    d.author.type = AUTHOR_P256;
    d.author.key[0] = 4;
    memset(d.author.key + 1, 0x11, P256_KEY_LEN - 1);
    assert_int_equal(judge(sign(&d)), GOOD);
}

static void refuses_every_flipped_bit_and_truncation(void **state) {
    (void)state;
    struct delegation d = sample(2);
    size_t len = sign(&d);
    for (size_t bit = 0; bit < len * 8; bit++) {
        encoded[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(judge(len), GOOD);
        encoded[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(judge(cut), BAD_TRUNCATED);
    }
    assert_int_equal(judge(len + 1), BAD_TRAILING);
    assert_int_equal(judge(len), GOOD);
}

static void refuses_another_roots_signature(void **state) {
    (void)state;
    struct delegation d = sample(1);
    size_t len = sign(&d);
    fixture_key(7, 8, root, root_secret);
    assert_int_equal(judge(len), BAD_SIGNATURE);
}

static void refuses_fields_outside_their_rules_even_if_signed(void **state) {
    (void)state;
    struct delegation d = sample(1);
    d.author.type = (enum author_key_type)3;
    assert_int_equal(judge(sign(&d)), BAD_ENCODING);
    d = sample(1);
    d.author.type = AUTHOR_P256; /* 0xa3 is no uncompressed point */
    assert_int_equal(judge(sign(&d)), BAD_ENCODING);
    d = sample(1);
    size_t len = sign(&d);
    encoded[50 + KEY_LEN] = 1; /* behind an Ed25519 key */
    assert_int_equal(judge(len), BAD_ENCODING);
    encoded[50 + KEY_LEN] = 0;
    encoded[123] = 0;
    assert_int_equal(judge(len), BAD_ENCODING);
    encoded[123] = DELEGATION_CLASSES_MAX + 1;
    assert_int_equal(judge(len), BAD_ENCODING);
    encoded[123] = 1;
    encoded[0] = 2;
    assert_int_equal(judge(len), BAD_VERSION);
}

static void covers_its_chain_its_classes_and_sequences_up_to_the_last(void **state) {
    (void)state;
    struct delegation d = sample(3);
    uint8_t other_class[UUID_BYTES] = {1}, other_chain[CHAIN_ID_LEN] = {1};
    assert_int_equal(delegation_covers(&d, d.chain_id, d.classes[2], 1000), GOOD);
    assert_int_equal(delegation_covers(&d, d.chain_id, d.classes[0], 0), GOOD);
    assert_int_equal(delegation_covers(&d, d.chain_id, d.classes[0], 1001), BAD_AUTHOR);
    assert_int_equal(delegation_covers(&d, d.chain_id, other_class, 1), BAD_AUTHOR);
    assert_int_equal(delegation_covers(&d, other_chain, d.classes[0], 1), BAD_CHAIN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_what_the_root_key_signed),
        cmocka_unit_test(refuses_every_flipped_bit_and_truncation),
        cmocka_unit_test(refuses_another_roots_signature),
        cmocka_unit_test(refuses_fields_outside_their_rules_even_if_signed),
        cmocka_unit_test(covers_its_chain_its_classes_and_sequences_up_to_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
