#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/sha256.h"
#include "contracts/kernel/transaction.h"

#include <stdlib.h>
#include <string.h>

static uint8_t secrets[3][ED25519_SECRET_LEN], publics[3][ED25519_KEY_LEN];
static const uint8_t chain[CHAIN_ID_LEN] = {1, 2, 3};

static int make_keys(void **state) {
    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t seed[ED25519_SEED_LEN] = {i};
        ed25519_from_seed(seed, publics[i], secrets[i]);
    }
    return 0;
}

static struct transaction_draft draft(void) {
    return (struct transaction_draft){.chain_id = chain,
                                      .expiry_ms = 123456,
                                      .salt = {9},
                                      .contract = "update",
                                      .method = "push",
                                      .args = bytes_of("arguments", 9)};
}

static enum err build(const struct transaction_draft *d, size_t signers, struct buffer *out) {
    const uint8_t(*list[16])[ED25519_SECRET_LEN];
    for (size_t i = 0; i < 16; i++) {
        list[i] = (const uint8_t(*)[ED25519_SECRET_LEN])(uintptr_t)secrets[i % 3];
    }
    return transaction_build(d, list, signers, out);
}

static void what_is_built_decodes_and_verifies(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction tx;
    struct transaction_draft d = draft();
    uint8_t id[HASH_LEN];
    assert_int_equal(build(&d, 2, &b), OK);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), OK);
    assert_int_equal(tx.signer_count, 2);
    assert_memory_equal(tx.signers[0], publics[0], ED25519_KEY_LEN);
    assert_memory_equal(tx.signers[1], publics[1], ED25519_KEY_LEN);
    assert_memory_equal(tx.chain_id, chain, CHAIN_ID_LEN);
    assert_int_equal(tx.expiry_ms, 123456);
    assert_true(bytes_equal(tx.contract, bytes_str("update")) && bytes_equal(tx.method, bytes_str("push")));
    assert_true(bytes_equal(tx.args, bytes_str("arguments")));
    assert_int_equal(transaction_check_signatures(&tx), OK);
    /* The layout of transaction.h, by hand. */
    const size_t body_len = 1 + 32 + 1 + 64 + 8 + 8 + 1 + 6 + 1 + 4 + 4 + 9;
    assert_int_equal(b.len, 5 + body_len + 128);
    assert_int_equal(load_u32(b.data + 1), body_len);
    sha256(b.data + 5, body_len, id);
    assert_memory_equal(id, tx.id, HASH_LEN);
    buffer_free(&b);
}

static void every_flipped_bit_is_noticed(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction_draft d = draft();
    assert_int_equal(build(&d, 2, &b), OK);
    for (size_t i = 0; i < b.len * 8; i++) {
        struct transaction tx;
        b.data[i / 8] ^= (uint8_t)(1 << (i % 8));
        assert_true(transaction_decode(buffer_bytes(&b), &tx, NULL) != OK ||
                    transaction_check_signatures(&tx) == ERR_SIGNATURE);
        b.data[i / 8] ^= (uint8_t)(1 << (i % 8));
    }
    buffer_free(&b);
}

static void every_truncation_and_extra_byte_is_refused(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction tx;
    struct transaction_draft d = draft();
    assert_int_equal(build(&d, 1, &b), OK);
    for (size_t len = 0; len < b.len; len++) {
        const char *why = NULL;
        uint8_t *exact = malloc(len + 1); /* so that reading past the end is seen by the sanitizer */
        assert_non_null(exact);
        memcpy(exact, b.data, len);
        assert_int_equal(transaction_decode(bytes_of(exact, len), &tx, &why), ERR_MALFORMED);
        assert_non_null(why);
        free(exact);
    }
    buffer_u8(&b, 0);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), ERR_MALFORMED);
    buffer_free(&b);
}

static void signatures_stand_in_the_order_of_their_signers(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction tx;
    struct transaction_draft d = draft();
    uint8_t first[ED25519_SIG_LEN];
    assert_int_equal(build(&d, 2, &b), OK);
    uint8_t *sigs = b.data + b.len - 2 * ED25519_SIG_LEN;
    memcpy(first, sigs, sizeof first);
    memmove(sigs, sigs + ED25519_SIG_LEN, ED25519_SIG_LEN);
    memcpy(sigs + ED25519_SIG_LEN, first, sizeof first);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), OK);
    assert_int_equal(transaction_check_signatures(&tx), ERR_SIGNATURE);
    /* One missing. */
    assert_int_equal(transaction_decode(bytes_of(b.data, b.len - ED25519_SIG_LEN), &tx, NULL), ERR_MALFORMED);
    buffer_free(&b);
}

static void a_signer_is_listed_once_and_there_are_1_to_16(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction_draft d = draft();
    assert_int_equal(build(&d, 0, &b), ERR_RANGE);
    assert_int_equal(build(&d, 17, &b), ERR_RANGE);
    assert_int_equal(build(&d, 4, &b), ERR_MALFORMED); /* the fourth is the first again */
    assert_int_equal(b.len, 0);
    assert_int_equal(build(&d, 3, &b), OK);
    buffer_free(&b);
}

static void names_are_clean_and_short(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    const char *bad[] = {"", "Update", "up date", "up-date", "a234567890123456789012345678901234"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct transaction_draft d = draft();
        d.contract = bad[i];
        assert_int_equal(build(&d, 1, &b), ERR_MALFORMED);
        d = draft();
        d.method = bad[i];
        assert_int_equal(build(&d, 1, &b), ERR_MALFORMED);
    }
    struct transaction_draft d = draft();
    d.method = "a2345678901234567890123456789_32";
    assert_int_equal(build(&d, 1, &b), OK);
    buffer_free(&b);
}

static void a_transaction_is_at_most_64_kib(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct transaction tx;
    struct transaction_draft d = draft();
    const size_t rest = 5 + 1 + 32 + 1 + 32 + 8 + 8 + 1 + 6 + 1 + 4 + 4 + 64;
    uint8_t *args = calloc(1, LIMIT_TX_BYTES + 1);
    assert_non_null(args);
    d.args = bytes_of(args, LIMIT_TX_BYTES - rest);
    assert_int_equal(build(&d, 1, &b), OK);
    assert_int_equal(b.len, LIMIT_TX_BYTES);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), OK);
    assert_int_equal(transaction_check_signatures(&tx), OK);
    buffer_u8(&b, 0);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), ERR_TOOLARGE);
    buffer_reset(&b);
    d.args.len++;
    assert_int_equal(build(&d, 1, &b), ERR_TOOLARGE);
    d.args.len = LIMIT_TX_BYTES + 1;
    assert_int_equal(build(&d, 1, &b), ERR_TOOLARGE);
    assert_int_equal(b.len, 0);
    free(args);
    buffer_free(&b);
}

static void who_is_elsewhere_signs_later(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT, whole = BUFFER_INIT;
    struct transaction tx;
    struct transaction_draft d = draft();
    assert_int_equal(build(&d, 3, &whole), OK);
    d.cosigners = (const uint8_t(*)[ED25519_KEY_LEN])(uintptr_t)publics[1];
    d.cosigner_count = 2;
    assert_int_equal(build(&d, 1, &b), OK);
    assert_int_equal(transaction_decode(buffer_bytes(&b), &tx, NULL), OK);
    assert_int_equal(tx.signer_count, 3);
    assert_true(transaction_is_signed_by(&tx, 0));
    assert_false(transaction_is_signed_by(&tx, 1) || transaction_is_signed_by(&tx, 2));
    assert_int_equal(transaction_check_signatures(&tx), ERR_SIGNATURE);

    /* In any order, and twice is once. */
    assert_int_equal(transaction_sign(&b, secrets[2]), OK);
    assert_int_equal(transaction_sign(&b, secrets[2]), OK);
    assert_true(transaction_is_signed_by(&tx, 2));
    assert_int_equal(transaction_check_signatures(&tx), ERR_SIGNATURE);
    assert_int_equal(transaction_sign(&b, secrets[1]), OK);
    assert_int_equal(transaction_check_signatures(&tx), OK);
    assert_true(bytes_equal(buffer_bytes(&b), buffer_bytes(&whole))); /* as if all had sat at one machine */

    uint8_t stranger_seed[ED25519_SEED_LEN] = {77}, stranger[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    ed25519_from_seed(stranger_seed, stranger, secret);
    assert_int_equal(transaction_sign(&b, secret), ERR_NOTFOUND);
    b.len--;
    assert_int_equal(transaction_sign(&b, secrets[1]), ERR_MALFORMED);

    buffer_reset(&b);
    d.cosigner_count = LIMIT_TX_SIGNERS; /* one too many */
    assert_int_equal(build(&d, 1, &b), ERR_RANGE);
    d.cosigners = (const uint8_t(*)[ED25519_KEY_LEN])(uintptr_t)publics[0];
    d.cosigner_count = 1; /* the same key again */
    assert_int_equal(build(&d, 1, &b), ERR_MALFORMED);
    assert_int_equal(b.len, 0);
    buffer_free(&whole);
    buffer_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_built_decodes_and_verifies),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_truncation_and_extra_byte_is_refused),
        cmocka_unit_test(signatures_stand_in_the_order_of_their_signers),
        cmocka_unit_test(a_signer_is_listed_once_and_there_are_1_to_16),
        cmocka_unit_test(names_are_clean_and_short),
        cmocka_unit_test(a_transaction_is_at_most_64_kib),
        cmocka_unit_test(who_is_elsewhere_signs_later),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
