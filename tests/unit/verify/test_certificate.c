#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"

static const uint16_t sizes[] = {1, 4, 7, 16, 100};
static struct fixture_set set;
static uint8_t chain[CHAIN_ID_LEN] = {0xc4, 0xa1};
static uint8_t encoded[CERTIFICATE_MAX];

static struct vote_subject sample(enum vote_kind kind) {
    struct vote_subject s = {.epoch = 5, .view = 41, .kind = kind};
    if (kind != VOTE_NULLIFY) {
        memset(s.block, 0xb1, HASH_LEN);
    }
    return s;
}

static enum verdict judge(const uint8_t *bytes, size_t len, size_t *out_left, struct vote_subject *out) {
    struct bytes_input from = {{bytes, len}};
    struct input in = input_of_bytes(&from);
    struct validator_set trusted = fixture_validators(&set);
    enum verdict v = certificate_verify(&fixture_crypto, chain, &trusted, &in, out);
    *out_left = from.rest.len;
    return v;
}

static enum verdict judge_len(size_t len) {
    size_t left;
    struct vote_subject out;
    return judge(encoded, len, &left, &out);
}

static void believes_a_quorum_of_every_size(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint16_t n = sizes[i], q = validators_quorum(n);
        fixture_set_make(&set, 1, n);
        for (uint16_t signers = q; signers <= n; signers = (uint16_t)(signers + 1)) {
            struct vote_subject subject = sample(VOTE_NOTARIZE), out;
            size_t left = 0;
            size_t len = fixture_certificate(&set, signers, chain, &subject, encoded);
            assert_int_equal(len, CERTIFICATE_HEAD_LEN + BITMAP_LEN(n) + (size_t)signers * SIG_LEN);
            assert_int_equal(judge(encoded, len, &left, &out), GOOD);
            assert_int_equal(left, 0);
            assert_int_equal(out.epoch, 5);
            assert_int_equal(out.view, 41);
            assert_int_equal(out.kind, VOTE_NOTARIZE);
            assert_memory_equal(out.block, subject.block, HASH_LEN);
            if (signers > q + 1 && signers < n - 1) {
                signers = (uint16_t)(n - 2);
            }
        }
    }
}

static void counts_quorums_as_n_minus_f(void **state) {
    (void)state;
    static const uint16_t expected[][2] = {{1, 1}, {2, 2},  {3, 3},   {4, 3},   {6, 5},
                                           {7, 5}, {10, 7}, {16, 11}, {100, 67}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(validators_quorum(expected[i][0]), expected[i][1]);
    }
}

static void refuses_fewer_than_a_quorum(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fixture_set_make(&set, 1, sizes[i]);
        struct vote_subject subject = sample(VOTE_FINALIZE);
        uint16_t signers = (uint16_t)(validators_quorum(sizes[i]) - 1);
        assert_int_equal(judge_len(fixture_certificate(&set, signers, chain, &subject, encoded)), BAD_QUORUM);
        assert_int_equal(judge_len(fixture_certificate(&set, 0, chain, &subject, encoded)), BAD_QUORUM);
    }
}

static void refuses_every_flipped_bit(void **state) {
    (void)state;
    static const uint16_t few[] = {1, 4, 7};
    for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
        fixture_set_make(&set, 1, few[i]);
        struct vote_subject subject = sample(VOTE_FINALIZE);
        size_t len = fixture_certificate(&set, validators_quorum(few[i]), chain, &subject, encoded);
        for (size_t bit = 0; bit < len * 8; bit++) {
            encoded[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_not_equal(judge_len(len), GOOD);
            encoded[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        assert_int_equal(judge_len(len), GOOD);
    }
}

static void refuses_every_truncation(void **state) {
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fixture_set_make(&set, 1, sizes[i]);
        struct vote_subject subject = sample(VOTE_FINALIZE);
        size_t len = fixture_certificate(&set, validators_quorum(sizes[i]), chain, &subject, encoded);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(judge_len(cut), BAD_TRUNCATED);
        }
    }
}

static void takes_no_byte_more_than_its_own(void **state) {
    (void)state;
    fixture_set_make(&set, 1, 4);
    struct vote_subject subject = sample(VOTE_FINALIZE), out;
    size_t left, len = fixture_certificate(&set, 3, chain, &subject, encoded);
    assert_int_equal(judge(encoded, len + 9, &left, &out), GOOD);
    assert_int_equal(left, 9);
}

static void refuses_votes_for_another_chain_epoch_view_kind_or_block(void **state) {
    (void)state;
    fixture_set_make(&set, 1, 4);
    struct vote_subject subject = sample(VOTE_FINALIZE);
    uint8_t other[CHAIN_ID_LEN] = {0xc4, 0xa2};
    assert_int_equal(judge_len(fixture_certificate(&set, 3, other, &subject, encoded)), BAD_SIGNATURE);
    size_t len = fixture_certificate(&set, 3, chain, &subject, encoded);
    static const size_t places[] = {1, 9, 17, 18};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t old = encoded[places[i]];
        encoded[places[i]] = places[i] == 1 ? (uint8_t)VOTE_NOTARIZE : (uint8_t)(old ^ 1);
        assert_int_equal(judge_len(len), BAD_SIGNATURE);
        encoded[places[i]] = old;
    }
}

static void refuses_kinds_that_no_certificate_has(void **state) {
    (void)state;
    fixture_set_make(&set, 1, 4);
    struct vote_subject subject = sample(VOTE_FINALIZE);
    size_t len = fixture_certificate(&set, 3, chain, &subject, encoded);
    static const uint8_t kinds[] = {0, VOTE_PROPOSE, 5, 255};
    for (size_t i = 0; i < sizeof kinds; i++) {
        encoded[1] = kinds[i];
        assert_int_equal(judge_len(len), BAD_ENCODING);
    }
    subject = sample(VOTE_NULLIFY);
    len = fixture_certificate(&set, 3, chain, &subject, encoded);
    assert_int_equal(judge_len(len), GOOD);
    subject.block[31] = 1;
    len = fixture_certificate(&set, 3, chain, &subject, encoded);
    assert_int_equal(judge_len(len), BAD_ENCODING);
}

static void refuses_stray_bits_at_and_above_n(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint16_t n = sizes[i];
        fixture_set_make(&set, 1, n);
        struct vote_subject subject = sample(VOTE_FINALIZE);
        size_t len = fixture_certificate(&set, n, chain, &subject, encoded);
        for (uint16_t bit = n; bit < BITMAP_LEN(n) * 8; bit++) {
            encoded[CERTIFICATE_HEAD_LEN + bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_equal(judge_len(len), BAD_ENCODING);
            encoded[CERTIFICATE_HEAD_LEN + bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

static void refuses_another_count_of_validators(void **state) {
    (void)state;
    fixture_set_make(&set, 1, 7);
    struct vote_subject subject = sample(VOTE_FINALIZE);
    size_t len = fixture_certificate(&set, 5, chain, &subject, encoded);
    set.count = 4;
    assert_int_equal(judge_len(len), BAD_VALIDATORS);
    set.count = 0;
    assert_int_equal(judge_len(len), BAD_VALIDATORS);
}

static void refuses_a_signature_in_the_wrong_place(void **state) {
    (void)state;
    fixture_set_make(&set, 1, 4);
    struct vote_subject subject = sample(VOTE_FINALIZE);
    size_t len = fixture_certificate(&set, 3, chain, &subject, encoded);
    encoded[CERTIFICATE_HEAD_LEN] = 0x0e; /* signers 1, 2, 3 instead of 0, 1, 2 */
    assert_int_equal(judge_len(len), BAD_SIGNATURE);
}

static enum verdict read_set(const uint8_t *bytes, size_t len, uint16_t capacity, struct validator_set *out) {
    static uint8_t memory[VALIDATORS_MAX][KEY_LEN];
    struct bytes_input from = {{bytes, len}};
    struct input in = input_of_bytes(&from);
    return validators_read(&in, memory, capacity, out);
}

static void validator_sets_read_back(void **state) {
    (void)state;
    uint8_t bytes[VALIDATOR_SET_MAX], a[HASH_LEN], b[HASH_LEN], tagged[TAG_LEN + VALIDATOR_SET_MAX], c[HASH_LEN];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fixture_set_make(&set, 1, sizes[i]);
        struct validator_set own = fixture_validators(&set), back;
        size_t len = validators_encode(&own, bytes);
        assert_int_equal(read_set(bytes, len, VALIDATORS_MAX, &back), GOOD);
        validators_hash(&fixture_crypto, &own, a);
        validators_hash(&fixture_crypto, &back, b);
        assert_memory_equal(a, b, HASH_LEN);
        memcpy(tagged, TAG_VALIDATORS, TAG_LEN);
        memcpy(tagged + TAG_LEN, bytes, len);
        sha256(tagged, TAG_LEN + len, c);
        assert_memory_equal(a, c, HASH_LEN);
        for (size_t cut = 0; cut < len; cut += 1 + len / 40) {
            assert_int_equal(read_set(bytes, cut, VALIDATORS_MAX, &back), BAD_TRUNCATED);
        }
    }
}

static void validator_sets_are_refused_with_their_reason(void **state) {
    (void)state;
    uint8_t bytes[VALIDATOR_SET_MAX];
    fixture_set_make(&set, 1, 7);
    struct validator_set own = fixture_validators(&set), back;
    size_t len = validators_encode(&own, bytes);
    assert_int_equal(read_set(bytes, len, 6, &back), BAD_LIMIT);
    memcpy(bytes + VALIDATOR_SET_HEAD_LEN + 6 * KEY_LEN, set.keys[2], KEY_LEN);
    assert_int_equal(read_set(bytes, len, 7, &back), BAD_ENCODING);
    bytes[0] = 2;
    assert_int_equal(read_set(bytes, len, 7, &back), BAD_VERSION);
    bytes[0] = 1;
    bytes[2] = 0;
    assert_int_equal(read_set(bytes, len, 7, &back), BAD_ENCODING);
    bytes[1] = 0xff;
    assert_int_equal(read_set(bytes, len, 7, &back), BAD_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(believes_a_quorum_of_every_size),
        cmocka_unit_test(counts_quorums_as_n_minus_f),
        cmocka_unit_test(refuses_fewer_than_a_quorum),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(refuses_every_truncation),
        cmocka_unit_test(takes_no_byte_more_than_its_own),
        cmocka_unit_test(refuses_votes_for_another_chain_epoch_view_kind_or_block),
        cmocka_unit_test(refuses_kinds_that_no_certificate_has),
        cmocka_unit_test(refuses_stray_bits_at_and_above_n),
        cmocka_unit_test(refuses_another_count_of_validators),
        cmocka_unit_test(refuses_a_signature_in_the_wrong_place),
        cmocka_unit_test(validator_sets_read_back),
        cmocka_unit_test(validator_sets_are_refused_with_their_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
