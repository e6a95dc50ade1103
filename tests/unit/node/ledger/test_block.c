#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/chain_fixture.h"

/* A good block of `count` transactions. */
static void make_block(struct chain_fixture *f, size_t count, struct buffer *out) {
    struct buffer b = BUFFER_INIT;
    size_t ends[8], at = 0;
    struct bytes envelopes[8];
    for (size_t i = 0; i < count; i++) {
        fixture_register(f, f->time_ms + 60000, &b);
        ends[i] = b.len;
    }
    for (size_t i = 0; i < count; i++) {
        envelopes[i] = bytes_of(b.data + at, ends[i] - at);
        at = ends[i];
    }
    fixture_craft(f, envelopes, count, NULL, out);
    buffer_free(&b);
}

static void a_block_decodes_into_what_it_was_made_of(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block block;
    struct block_header peeked;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    for (size_t count = 0; count <= 3; count++) {
        make_block(&f, count, &body);
        assert_int_equal(block_decode(buffer_bytes(&body), &block), OK);
        assert_int_equal(block.tx_count, count);
        assert_int_equal(block.header.height, 1);
        assert_true(block.encoded.data == body.data && block.encoded.len == body.len);
        assert_int_equal(block_peek(buffer_bytes(&body), &peeked, hash), OK);
        assert_memory_equal(hash, block.hash, HASH_LEN);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(transaction_check_signatures(&block.txs[i]), OK);
        }
        block_free(&block);
        block_free(&block); /* closed twice is fine */
    }
    block_free(NULL);
    buffer_free(&body);
    fixture_close(&f);
}

static void a_block_cut_anywhere_or_with_more_behind_is_malformed(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block block = {.tx_count = 77};
    fixture_open(&f);
    make_block(&f, 2, &body);
    for (size_t len = 0; len < body.len; len++) {
        uint8_t *exact = malloc(len + 1); /* so that the sanitizer sees a read behind the end */
        memcpy(exact, body.data, len);
        assert_int_equal(block_decode(bytes_of(exact, len), &block), ERR_MALFORMED);
        free(exact);
    }
    buffer_u8(&body, 0);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_MALFORMED);
    assert_int_equal(block.tx_count, 77); /* untouched on failure */
    buffer_free(&body);
    fixture_close(&f);
}

static void every_byte_of_a_body_is_bound_by_the_hash(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block block, changed;
    fixture_open(&f);
    make_block(&f, 1, &body);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), OK);
    for (size_t i = 0; i < body.len; i++) {
        body.data[i] ^= 0x40;
        if (block_decode(buffer_bytes(&body), &changed) == OK) {
            assert_true(i < BLOCK_HEADER_LEN);
            assert_memory_not_equal(changed.hash, block.hash, HASH_LEN);
            block_free(&changed);
        }
        body.data[i] ^= 0x40;
    }
    block_free(&block);
    buffer_free(&body);
    fixture_close(&f);
}

static void limits_are_checked_before_memory_is_taken(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block block;
    fixture_open(&f);
    make_block(&f, 0, &body);
    store_u32(body.data + BLOCK_HEADER_LEN, LIMIT_BLOCK_TXS + 1);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_TOOLARGE);
    store_u32(body.data + BLOCK_HEADER_LEN, UINT32_MAX);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_TOOLARGE);
    store_u32(body.data + BLOCK_HEADER_LEN, LIMIT_BLOCK_TXS);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_MALFORMED);
    (void)buffer_extend(&body, LIMIT_BLOCK_BYTES);
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_TOOLARGE);
    buffer_free(&body);
    fixture_close(&f);
}

static void a_wrong_transactions_root_and_another_version_are_told_apart(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer body = BUFFER_INIT;
    struct block block;
    struct block_header h;
    uint8_t hash[HASH_LEN];
    fixture_open(&f);
    make_block(&f, 2, &body);
    body.data[99] ^= 1;
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_MISMATCH);
    body.data[99] ^= 1;
    body.data[0] = 2;
    assert_int_equal(block_decode(buffer_bytes(&body), &block), ERR_MALFORMED);
    assert_int_equal(block_peek(buffer_bytes(&body), &h, hash), ERR_MALFORMED);
    buffer_free(&body);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_decodes_into_what_it_was_made_of),
        cmocka_unit_test(a_block_cut_anywhere_or_with_more_behind_is_malformed),
        cmocka_unit_test(every_byte_of_a_body_is_bound_by_the_hash),
        cmocka_unit_test(limits_are_checked_before_memory_is_taken),
        cmocka_unit_test(a_wrong_transactions_root_and_another_version_are_told_apart),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
