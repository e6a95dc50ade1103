#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contracts/device/device.h"
#include "tests/lib/chain_fixture.h"

static void receipt_of(struct chain_fixture *f, const uint8_t id[HASH_LEN], struct chain_view *view,
                       struct receipt *out) {
    struct bytes value, encoded;
    uint64_t height;
    uint32_t index;
    assert_int_equal(chain_view_open(f->chain, view), OK);
    assert_int_equal(kv_get(view->kv, KV_TXS, bytes_of(id, HASH_LEN), &value), OK);
    assert_int_equal(tx_entry_decode(value, &height, &index, &encoded), OK);
    assert_int_equal(receipt_decode(encoded, out), OK);
    assert_memory_equal(out->tx_id, id, HASH_LEN);
}

static void a_refused_transaction_leaves_a_receipt_and_nothing_else(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer b = BUFFER_INIT;
    struct chain_view view;
    struct receipt receipt;
    uint8_t id[HASH_LEN], root[HASH_LEN];
    fixture_open(&f);
    Assay__DeviceEndorse args;
    assay__device_endorse__init(&args);
    args.device_id = world_bytes(f.world.public_key[STRANGER], KEY_LEN);
    fixture_envelope(&f, "device", "endorse", &args.base, f.time_ms + 60000, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2), &b);
    fixture_pool(&f, buffer_bytes(&b), id);
    memcpy(root, chain_head(f.chain)->header.state_root, HASH_LEN);
    fixture_block(&f, 0);
    assert_memory_equal(chain_head(f.chain)->header.state_root, root, HASH_LEN);
    receipt_of(&f, id, &view, &receipt);
    assert_int_equal(receipt.code, CODE_DEVICE_UNKNOWN);
    assert_true(receipt.detail.len > 0);
    assert_int_equal(receipt.result.len, 0);
    chain_view_close(&view);
    buffer_free(&b);
    fixture_close(&f);
}

static void transactions_see_what_the_ones_before_them_wrote(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    struct chain_view view;
    struct receipt receipt;
    uint8_t one[HASH_LEN], two[HASH_LEN];
    fixture_open(&f);
    fixture_register(&f, f.time_ms + 60000, &first);
    f.tx_number--;
    fixture_register(&f, f.time_ms + 59999, &second); /* the same device in another transaction */
    fixture_pool(&f, buffer_bytes(&first), one);
    fixture_pool(&f, buffer_bytes(&second), two);
    fixture_block(&f, 0);
    receipt_of(&f, one, &view, &receipt);
    assert_int_equal(receipt.code, CODE_OK);
    assert_true(receipt.result.len > 0);
    chain_view_close(&view);
    receipt_of(&f, two, &view, &receipt);
    assert_int_not_equal(receipt.code, CODE_OK);
    chain_view_close(&view);
    buffer_free(&first);
    buffer_free(&second);
    fixture_close(&f);
}

/* Two nodes, one with a checkpoint in between and another after a restart, come to the same roots. */
static void execution_is_the_same_everywhere(void **state) {
    (void)state;
    struct chain_fixture a, b;
    struct kv_checkpoint *checkpoint;
    fixture_open(&a);
    fixture_open(&b);
    for (int i = 0; i < 6; i++) {
        fixture_block(&a, 3);
        uint8_t hash[HASH_LEN];
        struct buffer body = BUFFER_INIT;
        enum chain_status status;
        assert_int_equal(chain_read(a.chain, (uint64_t)i + 1, &body, NULL), OK);
        assert_int_equal(chain_add(b.chain, buffer_bytes(&body), NULL, hash), OK);
        assert_int_equal(chain_execute(b.chain, hash, &status), OK);
        assert_int_equal(status, CHAIN_VALID);
        assert_int_equal(fixture_finalize(&b, hash), OK);
        if (i == 2) {
            assert_int_equal(chain_checkpoint_begin(b.chain, &checkpoint), OK);
            assert_int_equal(chain_checkpoint_end(b.chain, checkpoint, kv_checkpoint_write(checkpoint)), OK);
        }
        if (i == 4) {
            assert_int_equal(fixture_reopen(&b), OK);
        }
        buffer_free(&body);
    }
    assert_memory_equal(a.chain->root.hash, b.chain->root.hash, HASH_LEN);
    fixture_close(&a);
    fixture_close(&b);
}

static void receipts_cut_anywhere_or_with_more_behind_are_malformed(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct receipt receipt;
    uint8_t id[HASH_LEN] = {1};
    buffer_u8(&b, 1);
    buffer_put(&b, id, sizeof id);
    buffer_u32(&b, 7);
    buffer_u16(&b, 3);
    buffer_put(&b, "why", 3);
    buffer_u32(&b, 2);
    buffer_put(&b, "ok", 2);
    assert_int_equal(receipt_decode(buffer_bytes(&b), &receipt), OK);
    assert_int_equal(receipt.code, 7);
    assert_true(bytes_equal(receipt.detail, bytes_str("why")) && bytes_equal(receipt.result, bytes_str("ok")));
    for (size_t len = 0; len < b.len; len++) {
        assert_int_equal(receipt_decode(bytes_of(b.data, len), &receipt), ERR_MALFORMED);
    }
    buffer_u8(&b, 0);
    assert_int_equal(receipt_decode(buffer_bytes(&b), &receipt), ERR_MALFORMED);
    b.len--;
    b.data[0] = 2;
    assert_int_equal(receipt_decode(buffer_bytes(&b), &receipt), ERR_MALFORMED);
    buffer_free(&b);
}

static void history_tells_who_and_when(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_view view;
    struct bytes key, value;
    struct history_entry entry;
    fixture_open(&f);
    uint64_t time_ms = f.time_ms;
    fixture_block(&f, 1);
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    assert_int_equal(kv_seek(view.kv, KV_HISTORY, bytes_of("", 0), &key, &value), OK);
    assert_int_equal(history_decode(key, value, &entry), OK);
    assert_int_equal(entry.height, 1);
    assert_int_equal(entry.index, 1);
    assert_int_equal(entry.time_ms, time_ms);
    assert_memory_equal(entry.signer, f.world.public_key[GATEWAY_1], ED25519_KEY_LEN);
    assert_int_equal(history_decode(bytes_of(key.data, HISTORY_KEY_SUFFIX - 1), value, &entry), ERR_MALFORMED);
    assert_int_equal(history_decode(key, bytes_of(value.data, 10), &entry), ERR_MALFORMED);
    chain_view_close(&view);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_transaction_leaves_a_receipt_and_nothing_else),
        cmocka_unit_test(transactions_see_what_the_ones_before_them_wrote),
        cmocka_unit_test(execution_is_the_same_everywhere),
        cmocka_unit_test(receipts_cut_anywhere_or_with_more_behind_are_malformed),
        cmocka_unit_test(history_tells_who_and_when),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
