#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"

static struct block_header sample(void) {
    struct block_header h = {.height = 0x0102030405060708, .epoch = 9, .view = 10, .time_ms = 11, .proposer = 12};
    memset(h.chain_id, 0xc1, CHAIN_ID_LEN);
    memset(h.parent, 0xc2, HASH_LEN);
    memset(h.tx_root, 0xc3, HASH_LEN);
    memset(h.receipts_root, 0xc4, HASH_LEN);
    memset(h.state_root, 0xc5, HASH_LEN);
    memset(h.validators_hash, 0xc6, HASH_LEN);
    memset(h.next_validators_hash, 0xc7, HASH_LEN);
    return h;
}

static void reads_back_what_it_wrote(void **state) {
    (void)state;
    struct block_header h = sample(), back;
    uint8_t a[BLOCK_HEADER_LEN], b[BLOCK_HEADER_LEN];
    block_header_encode(&h, a);
    assert_int_equal(block_header_decode(a, &back), GOOD);
    block_header_encode(&back, b);
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(back.height, h.height);
    assert_int_equal(back.proposer, 12);
    assert_memory_equal(back.next_validators_hash, h.next_validators_hash, HASH_LEN);
}

static void stands_where_the_layout_says(void **state) {
    (void)state;
    struct block_header h = sample();
    uint8_t a[BLOCK_HEADER_LEN];
    block_header_encode(&h, a);
    static const struct {
        size_t at;
        uint8_t byte;
    } places[] = {{0, 1},   {1, 0xc1}, {32, 0xc1}, {33, 0x01},  {40, 0x08},  {48, 9},     {56, 10},    {57, 0xc2},
                  {96, 11}, {98, 12},  {99, 0xc3}, {131, 0xc4}, {163, 0xc5}, {195, 0xc6}, {227, 0xc7}, {258, 0xc7}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        assert_int_equal(a[places[i].at], places[i].byte);
    }
}

static void hashes_the_tag_and_all_its_bytes(void **state) {
    (void)state;
    struct block_header h = sample();
    uint8_t tagged[TAG_LEN + BLOCK_HEADER_LEN], expected[HASH_LEN], got[HASH_LEN];
    memcpy(tagged, TAG_HEADER, TAG_LEN);
    block_header_encode(&h, tagged + TAG_LEN);
    sha256(tagged, sizeof tagged, expected);
    block_header_hash(&fixture_crypto, tagged + TAG_LEN, got);
    assert_memory_equal(got, expected, HASH_LEN);
    for (size_t i = 0; i < BLOCK_HEADER_LEN; i++) {
        tagged[TAG_LEN + i] ^= 1;
        block_header_hash(&fixture_crypto, tagged + TAG_LEN, got);
        assert_memory_not_equal(got, expected, HASH_LEN);
        tagged[TAG_LEN + i] ^= 1;
    }
}

static void refuses_another_version_and_leaves_the_output_alone(void **state) {
    (void)state;
    struct block_header h = sample(), out = {.height = 77};
    uint8_t a[BLOCK_HEADER_LEN];
    block_header_encode(&h, a);
    for (unsigned v = 0; v < 256; v++) {
        a[0] = (uint8_t)v;
        if (v != 1) {
            assert_int_equal(block_header_decode(a, &out), BAD_VERSION);
        }
    }
    assert_int_equal(out.height, 77);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_it_wrote),
        cmocka_unit_test(stands_where_the_layout_says),
        cmocka_unit_test(hashes_the_tag_and_all_its_bytes),
        cmocka_unit_test(refuses_another_version_and_leaves_the_output_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
