#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static struct fixture_set sets[4];
static const struct fixture_set *set_list[4] = {&sets[0], &sets[1], &sets[2], &sets[3]};
static struct fixture_state tree;
static uint8_t chain[CHAIN_ID_LEN] = {0xc4, 0xa1};
static uint8_t bundle[65536];
static uint8_t set_memory[VALIDATORS_MAX][KEY_LEN];
static uint8_t path_memory[64][33];
static uint8_t value_memory[FIXTURE_VALUE_LEN];
static const struct bytes the_key = {(const uint8_t *)"latest/x", 8};

static struct bundle_work work(void) {
    return (struct bundle_work){set_memory, VALIDATORS_MAX, path_memory, 64, value_memory, sizeof value_memory};
}

static struct trust trust(void) {
    return (struct trust){.chain_id = {0xc4, 0xa1}, .epoch = 3, .validators = fixture_validators(&sets[0])};
}

static struct fixture_bundle recipe(uint16_t steps, uint16_t links) {
    return (struct fixture_bundle){.chain = chain,
                                   .epoch = 3,
                                   .sets = set_list,
                                   .steps = steps,
                                   .links = links,
                                   .height = 90,
                                   .state = &tree,
                                   .contract = "firmware",
                                   .user_key = the_key};
}

static void prepare(uint16_t a, uint16_t b, uint16_t c) {
    fixture_set_make(&sets[0], 1, a);
    fixture_set_make(&sets[1], 2, b);
    fixture_set_make(&sets[2], 3, c);
    fixture_set_make(&sets[3], 4, 1);
    tree.count = 0;
    for (uint8_t i = 0; i < 12; i++) {
        fixture_put(&tree, "other", bytes_of(&i, 1), bytes_of(&i, 1));
    }
    fixture_put(&tree, "firmware", the_key, bytes_of("run this", 8));
}

static enum verdict judge_with(const struct trust *t, const struct bundle_work *w, size_t len,
                               struct bundle_result *out) {
    struct bytes_input from = {{bundle, len}};
    struct input in = input_of_bytes(&from);
    return bundle_verify(&fixture_crypto, t, w, &in, out);
}

static enum verdict judge(size_t len) {
    struct bundle_result out;
    struct trust t = trust();
    struct bundle_work w = work();
    return judge_with(&t, &w, len, &out);
}

static void proves_a_value_for_every_size_of_set(void **state) {
    (void)state;
    static const uint16_t sizes[] = {1, 4, 7, 16, 100};
    for (size_t i = 0; i < 5; i++) {
        prepare(sizes[i], sizes[4 - i], 4);
        for (uint16_t steps = 0; steps < 3; steps++) {
            struct fixture_bundle b = recipe(steps, steps);
            struct bundle_result out;
            struct trust t = trust();
            struct bundle_work w = work();
            assert_int_equal(judge_with(&t, &w, fixture_bundle_make(&b, bundle), &out), GOOD);
            assert_int_equal(out.epoch, 3 + steps);
            assert_int_equal(out.validators.count, sets[steps].count);
            assert_memory_equal(out.validators.keys[0], sets[steps].keys[0], KEY_LEN);
            assert_int_equal(out.header.height, 90);
            assert_true(out.present);
            assert_int_equal(out.value_len, 8);
            assert_memory_equal(value_memory, "run this", 8);
            assert_true(bundle_is_about(&out, "firmware", the_key));
            assert_false(bundle_is_about(&out, "firmwar", the_key));
            assert_false(bundle_is_about(&out, "firmware", bytes_of(the_key.data, 7)));
            assert_false(bundle_is_about(&out, "firmware", bytes_of("latest/y", 8)));
        }
    }
}

static void proves_absence(void **state) {
    (void)state;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(0, 0);
    struct bundle_result out;
    struct trust t = trust();
    struct bundle_work w = work();
    b.user_key.len = 7;
    assert_int_equal(judge_with(&t, &w, fixture_bundle_make(&b, bundle), &out), GOOD);
    assert_false(out.present);
    b.user_key.len = 0;
    assert_int_equal(judge_with(&t, &w, fixture_bundle_make(&b, bundle), &out), GOOD);
    assert_int_equal(out.user_key_len, 0);
}

static void refuses_every_flipped_bit(void **state) {
    (void)state;
    prepare(1, 1, 1);
    struct fixture_bundle b = recipe(1, 1);
    size_t len = fixture_bundle_make(&b, bundle);
    assert_int_equal(judge(len), GOOD);
    /* The view in a finalization and in a header is signed or hashed too, so no bit is free. */
    for (size_t i = 0; i < len; i++) {
        uint8_t bit = (uint8_t)(1u << (i * 5 % 8));
        bundle[i] ^= bit;
        if (judge(len) == GOOD) {
            fail_msg("byte %zu is not covered", i);
        }
        bundle[i] ^= bit;
    }
    assert_int_equal(judge(len), GOOD);
}

static void refuses_every_truncation_and_trailing_bytes(void **state) {
    (void)state;
    prepare(1, 1, 1);
    struct fixture_bundle b = recipe(1, 1);
    size_t len = fixture_bundle_make(&b, bundle);
    for (size_t cut = 0; cut < len; cut++) {
        assert_int_equal(judge(cut), BAD_TRUNCATED);
    }
    bundle[len] = 0;
    assert_int_equal(judge(len + 1), BAD_TRAILING);
}

static void refuses_another_chain_epoch_or_set(void **state) {
    (void)state;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(0, 0);
    struct bundle_result out;
    struct trust t = trust();
    struct bundle_work w = work();
    size_t len = fixture_bundle_make(&b, bundle);
    t.chain_id[31] = 1;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_CHAIN);
    t = trust();
    t.epoch = 2;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_EPOCH);
    t = trust();
    t.validators = fixture_validators(&sets[1]);
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_VALIDATORS);
    b.epoch = 4;
    assert_int_equal(judge(fixture_bundle_make(&b, bundle)), BAD_EPOCH);
}

/* Writes a bundle without steps and links whose certificate is of the caller's making. */
static size_t with_certificate(const struct vote_subject *wanted, uint16_t signers, const uint8_t *signed_chain,
                               bool right_block) {
    uint8_t hash[HASH_LEN];
    struct vote_subject subject = *wanted;
    struct block_header h = fixture_header(chain, 90, 3, &tree, &sets[0], &sets[0]);
    size_t len = 7;
    memcpy(bundle, "ASPB\x01\x00\x00", 7);
    len += fixture_put_header(&h, bundle + len, hash);
    store_u16(bundle + len, 0);
    len += 2;
    if (right_block) {
        memcpy(subject.block, hash, HASH_LEN);
    }
    len += fixture_certificate(&sets[0], signers, signed_chain, &subject, bundle + len);
    return len + fixture_put_state(&tree, "firmware", the_key, bundle + len);
}

static void steps_up_to_the_trusted_epoch_are_passed_over(void **state) {
    (void)state;
    prepare(4, 7, 5);
    struct fixture_bundle b = recipe(2, 1);
    size_t len = fixture_bundle_make(&b, bundle);
    for (uint64_t epoch = 3; epoch <= 5; epoch++) {
        struct trust t = trust();
        struct bundle_work w = work();
        struct bundle_result out;
        t.epoch = epoch;
        t.validators = fixture_validators(&sets[epoch - 3]);
        assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
        assert_int_equal(out.epoch, 5);
        t.validators = fixture_validators(&sets[(epoch - 2) % 3]);
        assert_int_not_equal(judge_with(&t, &w, len, &out), GOOD);
    }
    struct trust t = trust();
    struct bundle_work w = work();
    struct bundle_result out;
    t.epoch = 6; /* a verifier further than the bundle */
    t.validators = fixture_validators(&sets[3]);
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_EPOCH);
}

static void only_a_finalization_of_that_block_by_a_quorum_counts(void **state) {
    (void)state;
    prepare(4, 4, 4);
    uint8_t other[CHAIN_ID_LEN] = {9};
    struct vote_subject subject = {.epoch = 3, .view = 8, .kind = VOTE_FINALIZE};
    assert_int_equal(judge(with_certificate(&subject, 3, chain, true)), GOOD);
    assert_int_equal(judge(with_certificate(&subject, 2, chain, true)), BAD_QUORUM);
    assert_int_equal(judge(with_certificate(&subject, 3, other, true)), BAD_SIGNATURE);
    assert_int_equal(judge(with_certificate(&subject, 3, chain, false)), BAD_LINK);
    subject.kind = VOTE_NOTARIZE;
    assert_int_equal(judge(with_certificate(&subject, 3, chain, true)), BAD_KIND);
    subject.kind = VOTE_NULLIFY;
    assert_int_equal(judge(with_certificate(&subject, 3, chain, false)), BAD_KIND);
    subject = (struct vote_subject){.epoch = 4, .view = 8, .kind = VOTE_FINALIZE};
    assert_int_equal(judge(with_certificate(&subject, 3, chain, true)), BAD_EPOCH);
}

static void refuses_old_heights_and_stale_headers(void **state) {
    (void)state;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(0, 0);
    struct bundle_result out;
    struct bundle_work w = work();
    struct trust t = trust();
    size_t len = fixture_bundle_make(&b, bundle);
    t.min_height = 90;
    assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
    t.min_height = 91;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_HEIGHT);
    t = trust();
    t.now_ms = 1000000 + 90 * 1000 + 5000;
    t.max_age_ms = 5000;
    assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
    t.max_age_ms = 4999;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_STALE);
    t.now_ms = 0;
    assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
    t.now_ms = 5; /* a clock that is behind the chain doesn't make its head stale */
    assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
}

/* The pinned block may be the header itself, one linked to it, or one that closes an epoch. */
static void a_pinned_block_is_met_or_contradicted_wherever_it_stands(void **state) {
    (void)state;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(1, 2);
    size_t len = fixture_bundle_make(&b, bundle);
    size_t step =
        BLOCK_HEADER_LEN + CERTIFICATE_HEAD_LEN + BITMAP_LEN(4) + 3 * SIG_LEN + VALIDATOR_SET_HEAD_LEN + 4 * KEY_LEN;
    const struct {
        uint64_t height;
        size_t at;
    } places[] = {
        {45, 7}, {90, 7 + step}, {91, 7 + step + BLOCK_HEADER_LEN + 2}, {92, 7 + step + 2 * BLOCK_HEADER_LEN + 2}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t hash[HASH_LEN];
        struct bundle_work w = work();
        struct bundle_result out;
        struct trust t = trust();
        block_header_hash(&fixture_crypto, bundle + places[i].at, hash);
        t.pin_height = places[i].height;
        t.pin_hash = hash;
        assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
        assert_true(out.pin_met);
        t.pin_height = 60; /* a height that the bundle has no header of */
        assert_int_equal(judge_with(&t, &w, len, &out), GOOD);
        assert_false(out.pin_met);
        t.pin_height = places[i].height;
        hash[31] ^= 1;
        assert_int_equal(judge_with(&t, &w, len, &out), BAD_PIN);
    }
}

static void refuses_broken_links(void **state) {
    (void)state;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(0, 3);
    size_t len = fixture_bundle_make(&b, bundle);
    assert_int_equal(judge(len), GOOD);
    size_t second = 7 + BLOCK_HEADER_LEN + 2 + BLOCK_HEADER_LEN;
    bundle[second + 57] ^= 1;
    assert_int_equal(judge(len), BAD_LINK);
    bundle[second + 57] ^= 1;
    bundle[second + 40] ^= 1;
    assert_int_equal(judge(len), BAD_LINK);
    bundle[second + 40] ^= 1;
    store_u16(bundle + 7 + BLOCK_HEADER_LEN, BUNDLE_LINKS_MAX + 1);
    assert_int_equal(judge(len), BAD_LIMIT);
}

static void an_epoch_step_needs_a_closing_header_and_the_set_it_names(void **state) {
    (void)state;
    prepare(4, 7, 4);
    struct fixture_bundle b = recipe(1, 0);
    size_t len = fixture_bundle_make(&b, bundle);
    size_t set_at = 7 + BLOCK_HEADER_LEN + CERTIFICATE_HEAD_LEN + 1 + 3 * SIG_LEN;
    assert_int_equal(judge(len), GOOD);
    fixture_key(9, 9, bundle + set_at + VALIDATOR_SET_HEAD_LEN, (uint8_t[ED25519_SECRET_LEN]){0});
    assert_int_equal(judge(len), BAD_VALIDATORS);
    /* A header that keeps its set closes nothing, however well it is signed. */
    set_list[1] = &sets[0];
    assert_int_equal(judge(fixture_bundle_make(&b, bundle)), BAD_EPOCH);
    set_list[1] = &sets[1];
}

/* A long-offline verifier is shown the true end of its epoch and then a set of the attacker's making, which signs all
 * that follows. */
static void a_forged_set_behind_a_true_closing_header_is_refused(void **state) {
    (void)state;
    static uint8_t truth[sizeof bundle];
    size_t set_at = 7 + BLOCK_HEADER_LEN + CERTIFICATE_HEAD_LEN + 1 + 3 * SIG_LEN;
    prepare(4, 4, 4);
    struct fixture_bundle b = recipe(1, 0);
    (void)fixture_bundle_make(&b, truth);
    set_list[1] = &sets[2];
    size_t len = fixture_bundle_make(&b, bundle);
    set_list[1] = &sets[1];
    memcpy(bundle, truth, set_at);
    assert_int_equal(judge(len), BAD_VALIDATORS);
}

static void the_callers_memory_is_the_limit(void **state) {
    (void)state;
    prepare(4, 7, 4);
    struct fixture_bundle b = recipe(1, 0);
    struct bundle_result out = {.epoch = 77};
    struct trust t = trust();
    struct bundle_work w = work();
    size_t len = fixture_bundle_make(&b, bundle);
    w.set_capacity = 6;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_LIMIT);
    w = work();
    w.set_memory = NULL;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_LIMIT);
    w = work();
    w.value_capacity = 7;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_LIMIT);
    w = work();
    w.path_capacity = 1;
    assert_int_equal(judge_with(&t, &w, len, &out), BAD_LIMIT);
    assert_int_equal(out.epoch, 77);
}

static void names_are_checked(void **state) {
    (void)state;
    prepare(1, 1, 1);
    struct fixture_bundle b = recipe(0, 0);
    size_t len = fixture_bundle_make(&b, bundle);
    size_t name_at = 7 + BLOCK_HEADER_LEN + 2 + CERTIFICATE_HEAD_LEN + 1 + SIG_LEN;
    assert_int_equal(bundle[name_at], 8);
    bundle[name_at] = 0;
    assert_int_equal(judge(len), BAD_LIMIT);
    bundle[name_at] = 33;
    assert_int_equal(judge(len), BAD_LIMIT);
    bundle[name_at] = 8;
    bundle[name_at + 3] = 0;
    assert_int_equal(judge(len), BAD_ENCODING);
    bundle[name_at + 3] = 'r';
    store_u16(bundle + name_at + 9, BUNDLE_USER_KEY_MAX + 1);
    assert_int_equal(judge(len), BAD_LIMIT);
}

/* The bundle that docs/formats.md shows; its digest comes from an independent Python program. ASSAY_SHOW_EXAMPLES=1
 * prints it. */
static void the_worked_example_holds(void **state) {
    (void)state;
    prepare(1, 1, 1);
    tree.count = 0;
    fixture_put(&tree, "firmware", the_key, bytes_of("run this", 8));
    struct fixture_bundle b = recipe(0, 0);
    size_t len = fixture_bundle_make(&b, bundle);
    uint8_t digest[HASH_LEN], expected[HASH_LEN];
    assert_int_equal(judge(len), GOOD);
    sha256(bundle, len, digest);
    if (getenv("ASSAY_SHOW_EXAMPLES") != NULL) {
        static char hex[2 * sizeof bundle + 1];
        hex_encode(bundle, len, hex);
        printf("bundle: %zu bytes\n%s\n", len, hex);
        hex_encode(digest, sizeof digest, hex);
        printf("sha256 %s\n", hex);
    }
    assert_int_equal(
        hex_decode("f9b96bfaf1f2f77f15da3f4034188e7385d7be22da10f02bd6630c311ad3be7b", expected, sizeof expected), OK);
    assert_memory_equal(digest, expected, sizeof digest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proves_a_value_for_every_size_of_set),
        cmocka_unit_test(proves_absence),
        cmocka_unit_test(refuses_every_flipped_bit),
        cmocka_unit_test(refuses_every_truncation_and_trailing_bytes),
        cmocka_unit_test(refuses_another_chain_epoch_or_set),
        cmocka_unit_test(steps_up_to_the_trusted_epoch_are_passed_over),
        cmocka_unit_test(only_a_finalization_of_that_block_by_a_quorum_counts),
        cmocka_unit_test(refuses_old_heights_and_stale_headers),
        cmocka_unit_test(a_pinned_block_is_met_or_contradicted_wherever_it_stands),
        cmocka_unit_test(refuses_broken_links),
        cmocka_unit_test(an_epoch_step_needs_a_closing_header_and_the_set_it_names),
        cmocka_unit_test(a_forged_set_behind_a_true_closing_header_is_refused),
        cmocka_unit_test(the_callers_memory_is_the_limit),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(the_worked_example_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
