#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"
#include "verify/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

static struct fixture_set set, other_set;
static struct fixture_state tree;
static const uint8_t chain[CHAIN_ID_LEN] = {0xc4, 0xa1};
static uint8_t root[KEY_LEN], root_secret[ED25519_SECRET_LEN];
static uint8_t set_memory[VALIDATORS_MAX][KEY_LEN];
static const struct bytes the_key = {(const uint8_t *)"latest/x", 8};

/* The checkpoint of the block at height 90 in epoch 3, as fixture_bundle_make has it. */
static size_t make(uint16_t validators, bool is_signed, uint8_t out[CHECKPOINT_MAX]) {
    uint8_t encoded[BLOCK_HEADER_LEN], seed[ED25519_SEED_LEN];
    struct checkpoint c = {.is_signed = is_signed};
    fixture_set_make(&set, 1, validators);
    fixture_set_make(&other_set, 2, validators);
    memset(seed, 0x22, sizeof seed); /* docs/formats.md: the examples' root key */
    ed25519_from_seed(seed, root, root_secret);
    tree.count = 0;
    fixture_put(&tree, "firmware", the_key, bytes_of("run this", 8));
    c.header = fixture_header(chain, 90, 3, &tree, &set, &set);
    c.validators = fixture_validators(&set);
    (void)fixture_put_header(&c.header, encoded, c.hash);
    if (is_signed) {
        memcpy(c.root, root, KEY_LEN);
    }
    size_t len = checkpoint_encode(&c, out);
    if (is_signed) {
        ed25519_sign(root_secret, out, len, out + len);
        len += SIG_LEN;
    }
    return len;
}

static enum verdict decode(const uint8_t *data, size_t len, struct checkpoint *out) {
    return checkpoint_decode(&fixture_crypto, bytes_of(data, len), set_memory, VALIDATORS_MAX, out);
}

static void what_was_written_is_read(void **state) {
    (void)state;
    static const uint16_t sizes[] = {1, 4, 16, VALIDATORS_MAX};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t raw[CHECKPOINT_MAX], back[CHECKPOINT_MAX];
        struct checkpoint c;
        bool is_signed = i % 2 == 1;
        size_t len = make(sizes[i / 2], is_signed, raw);
        assert_true(len >= CHECKPOINT_MIN && len <= CHECKPOINT_MAX);
        assert_int_equal(decode(raw, len, &c), GOOD);
        assert_int_equal(c.header.height, 90);
        assert_int_equal(c.header.epoch, 3);
        assert_int_equal(c.header.time_ms, 1090000);
        assert_memory_equal(c.header.chain_id, chain, CHAIN_ID_LEN);
        assert_int_equal(c.validators.count, sizes[i / 2]);
        assert_memory_equal(c.validators.keys, set.keys, (size_t)sizes[i / 2] * KEY_LEN);
        assert_int_equal(c.is_signed, is_signed);
        assert_int_equal(checkpoint_encode(&c, back), len - (is_signed ? SIG_LEN : 0));
        assert_memory_equal(back, raw, len - (is_signed ? SIG_LEN : 0));
    }
}

static void every_flipped_bit_is_refused(void **state) {
    (void)state;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        uint8_t raw[CHECKPOINT_MAX];
        struct checkpoint c = {.hash = {0x5a}};
        size_t len = make(2, is_signed, raw);
        for (size_t at = 0; at < len * 8; at++) {
            raw[at / 8] ^= (uint8_t)(1u << at % 8);
            if (decode(raw, len, &c) == GOOD) {
                fail_msg("bit %zu of byte %zu is not covered", at % 8, at / 8);
            }
            raw[at / 8] ^= (uint8_t)(1u << at % 8);
        }
        assert_int_equal(c.hash[0], 0x5a); /* outputs are untouched on refusal */
        assert_int_equal(decode(raw, len, &c), GOOD);
    }
}

static void every_cut_and_a_trailing_byte_are_refused(void **state) {
    (void)state;
    for (int is_signed = 0; is_signed < 2; is_signed++) {
        uint8_t raw[CHECKPOINT_MAX + 1] = {0};
        struct checkpoint c;
        size_t len = make(VALIDATORS_MAX, is_signed, raw);
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(decode(raw, cut, &c), BAD_TRUNCATED);
        }
        assert_int_equal(decode(raw, len + 1, &c), BAD_TRAILING);
    }
}

static void each_rule_has_its_verdict(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
        enum verdict verdict;
    } cases[] = {
        {0, 'b', BAD_ENCODING},
        {TAG_LEN, 2, BAD_VERSION},
        {TAG_LEN + 1, 2, BAD_VERSION},              /* of the header */
        {TAG_LEN + 1 + 33, 1, BAD_DIGEST},          /* another height */
        {CHECKPOINT_SET_AT - 1, 0, BAD_DIGEST},     /* another hash */
        {CHECKPOINT_SET_AT, 2, BAD_VERSION},        /* of the set */
        {CHECKPOINT_SET_AT + 2, 0, BAD_ENCODING},   /* an empty set */
        {CHECKPOINT_SET_AT + 2, 101, BAD_LIMIT},    /* one too many */
        {CHECKPOINT_SET_AT + 3, 0, BAD_VALIDATORS}, /* another key */
        {CHECKPOINT_SET_AT + 3 + 4 * KEY_LEN, 2, BAD_ENCODING},
        {CHECKPOINT_SET_AT + 3 + 4 * KEY_LEN + 1, 0, BAD_SIGNATURE}, /* another root */
        {CHECKPOINT_SET_AT + 3 + 4 * KEY_LEN + 1 + KEY_LEN, 0, BAD_SIGNATURE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t raw[CHECKPOINT_MAX];
        struct checkpoint c;
        size_t len = make(4, true, raw);
        assert_int_not_equal(raw[cases[i].at], cases[i].value);
        raw[cases[i].at] = cases[i].value;
        assert_string_equal(verdict_name(decode(raw, len, &c)), verdict_name(cases[i].verdict));
    }
}

static void a_reader_with_little_room_refuses_a_large_set(void **state) {
    (void)state;
    uint8_t raw[CHECKPOINT_MAX];
    struct checkpoint c;
    size_t len = make(16, false, raw);
    struct bytes in = {raw, len};
    assert_int_equal(checkpoint_decode(&fixture_crypto, in, set_memory, 16, &c), GOOD);
    assert_int_equal(checkpoint_decode(&fixture_crypto, in, set_memory, 15, &c), BAD_LIMIT);
}

/* Whoever signs vouches for everything before the signature, the root key included. */
static void a_signature_cannot_be_taken_for_another_roots(void **state) {
    (void)state;
    uint8_t raw[CHECKPOINT_MAX], thief[KEY_LEN], secret[ED25519_SECRET_LEN];
    struct checkpoint c;
    size_t len = make(4, true, raw), at = len - SIG_LEN;
    fixture_key(0x66, 0x66, thief, secret);
    memcpy(raw + at - KEY_LEN, thief, KEY_LEN);
    assert_int_equal(decode(raw, len, &c), BAD_SIGNATURE);
    ed25519_sign(secret, raw, at, raw + at);
    assert_int_equal(decode(raw, len, &c), GOOD);
    assert_memory_equal(c.root, thief, KEY_LEN);
}

/* ---- Trust that starts at one ------------------------------------------------------------------------------------ */

static enum verdict judge(const struct checkpoint *from, uint16_t steps, uint16_t links, uint64_t height,
                          const struct fixture_set *first, struct bundle_result *out) {
    static uint8_t bundle[65536], sets[VALIDATORS_MAX][KEY_LEN], path[64][33], value[FIXTURE_VALUE_LEN];
    const struct fixture_set *list[] = {first, &other_set};
    const struct fixture_bundle b = {.chain = chain,
                                     .epoch = 3,
                                     .sets = list,
                                     .steps = steps,
                                     .links = links,
                                     .height = height,
                                     .state = &tree,
                                     .contract = "firmware",
                                     .user_key = the_key};
    const struct bundle_work work = {sets, VALIDATORS_MAX, path, 64, value, sizeof value};
    const struct trust trust = checkpoint_trust(from);
    struct bytes_input span = {{bundle, fixture_bundle_make(&b, bundle)}};
    struct input in = input_of_bytes(&span);
    return bundle_verify(&fixture_crypto, &trust, &work, &in, out);
}

static void proofs_are_walked_from_the_checkpoint_on(void **state) {
    (void)state;
    uint8_t raw[CHECKPOINT_MAX];
    struct checkpoint c;
    struct bundle_result out;
    assert_int_equal(decode(raw, make(4, false, raw), &c), GOOD);
    assert_int_equal(judge(&c, 0, 0, 90, &set, &out), GOOD);
    assert_true(out.pin_met);
    assert_int_equal(judge(&c, 0, 2, 91, &set, &out), GOOD);
    assert_false(out.pin_met);
    assert_int_equal(judge(&c, 1, 0, 200, &set, &out), GOOD); /* into the next epoch */
    assert_int_equal(out.epoch, 4);
    assert_int_equal(judge(&c, 0, 0, 89, &set, &out), BAD_HEIGHT);
    assert_int_equal(judge(&c, 0, 0, 91, &other_set, &out), BAD_VALIDATORS);
}

static void another_block_at_the_pinned_height_is_refused_wherever_it_stands(void **state) {
    (void)state;
    uint8_t raw[CHECKPOINT_MAX];
    struct checkpoint c;
    struct bundle_result out;
    assert_int_equal(decode(raw, make(4, false, raw), &c), GOOD);
    fixture_put(&tree, "firmware", the_key, bytes_of("run that", 8));
    assert_int_equal(judge(&c, 0, 0, 90, &set, &out), BAD_PIN);
    c.header.height = 80; /* as what is accepted at least; the pin is met among the linked and the closing headers */
    struct trust trust = checkpoint_trust(&c);
    assert_int_equal(trust.min_height, 80);
    assert_int_equal(judge(&c, 0, 3, 79, &set, &out), BAD_HEIGHT);
    assert_int_equal(judge(&c, 1, 0, 160, &set, &out), BAD_PIN); /* closed at 80 */
}

/* docs/formats.md, Checkpoint. ASSAY_SHOW_EXAMPLES=1 prints it. */
static void the_worked_example(void **state) {
    (void)state;
    static const char want[] = "08a7e163a5dd21b5777a227ec822e340fccd77a9b574d70d636269bd26fbf306";
    uint8_t raw[CHECKPOINT_MAX], digest[HASH_LEN];
    char hex[2 * HASH_LEN + 1];
    size_t len = make(1, true, raw);
    sha256(raw, len, digest);
    hex_encode(digest, sizeof digest, hex);
    if (getenv("ASSAY_SHOW_EXAMPLES") != NULL) {
        char whole[2 * CHECKPOINT_MAX + 1];
        hex_encode(raw, len, whole);
        printf("%zu bytes\n%s\n%s\n", len, whole, hex);
    }
    assert_string_equal(hex, want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_cut_and_a_trailing_byte_are_refused),
        cmocka_unit_test(each_rule_has_its_verdict),
        cmocka_unit_test(a_reader_with_little_room_refuses_a_large_set),
        cmocka_unit_test(a_signature_cannot_be_taken_for_another_roots),
        cmocka_unit_test(proofs_are_walked_from_the_checkpoint_on),
        cmocka_unit_test(another_block_at_the_pinned_height_is_refused_wherever_it_stands),
        cmocka_unit_test(the_worked_example),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
