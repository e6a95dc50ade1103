#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "contracts/device/device.h"
#include "tests/lib/chain_fixture.h"

static struct fixture_proof proof;

static enum err prove(struct chain_fixture *f, struct bytes user_key, uint64_t height, struct buffer *out) {
    struct chain_view view;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    buffer_reset(out);
    enum err e = chain_view_prove(&view, bytes_str("device"), user_key, height, 0, out);
    chain_view_close(&view);
    return e;
}

/* User key of the record of a device, without the contract's name in front. */
static struct bytes device_user_key(const struct record_key *key) {
    struct bytes whole = record_key_bytes(key);
    size_t prefix = strlen("device") + 1;
    return bytes_of(whole.data + prefix, whole.len - prefix);
}

/* The vendor vouches for a device: its record changes. */
static void endorse(struct chain_fixture *f, enum person device) {
    struct buffer b = BUFFER_INIT;
    Assay__DeviceEndorse args;
    assay__device_endorse__init(&args);
    args.device_id = world_bytes(f->world.public_key[device], KEY_LEN);
    fixture_envelope(f, "device", "endorse", &args.base, f->time_ms + 60000, PEOPLE_OF(ACME_ADMIN_1, ACME_ADMIN_2), &b);
    fixture_pool(f, buffer_bytes(&b), NULL);
    fixture_block(f, 0);
    buffer_free(&b);
}

static void values_and_absences_are_proven_at_the_head(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer bundle = BUFFER_INIT;
    fixture_open(&f);
    fixture_block(&f, 5);
    struct record_key key = device_key(f.world.public_key[DEVICE_1]);
    assert_int_equal(prove(&f, device_user_key(&key), 0, &bundle), OK);
    assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
    assert_true(proof.result.present);
    assert_int_equal(proof.result.header.height, 1);
    assert_string_equal(proof.result.contract, "device");
    struct device_record device;
    struct chain_view view;
    bool found = false;
    struct bytes value;
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    struct state from = state_of_view(view.kv);
    assert_int_equal(device_get(&from, f.world.public_key[DEVICE_1], &device, &found), OK);
    assert_int_equal(kv_get(view.kv, KV_STATE, record_key_bytes(&key), &value), OK);
    assert_true(found);
    assert_int_equal(proof.result.value_len, value.len);
    assert_memory_equal(proof.value, value.data, value.len);
    chain_view_close(&view);
    struct record_key nobody = device_key(f.world.public_key[STRANGER]);
    assert_int_equal(prove(&f, device_user_key(&nobody), 0, &bundle), OK);
    assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
    assert_false(proof.result.present);
    buffer_free(&bundle);
    fixture_close(&f);
}

static void an_unchanged_value_is_proven_at_an_older_height(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer bundle = BUFFER_INIT;
    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        fixture_block(&f, 3);
    }
    struct record_key key = device_key(f.world.public_key[DEVICE_2]);
    for (uint64_t height = 1; height <= 4; height++) {
        assert_int_equal(prove(&f, device_user_key(&key), height, &bundle), OK);
        assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
        assert_int_equal(proof.result.header.height, height);
        assert_true(proof.result.present);
    }
    buffer_free(&bundle);
    fixture_close(&f);
}

/* What stood there is gone; a proof with today's value would be refused by whoever checks it, so none is given. */
static void a_changed_value_gives_no_proof_at_an_older_height(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer bundle = BUFFER_INIT;
    fixture_open(&f);
    fixture_block(&f, 1);
    fixture_block(&f, 1);
    struct record_key key = device_key(f.world.public_key[DEVICE_1]);
    assert_int_equal(prove(&f, device_user_key(&key), 1, &bundle), OK);
    endorse(&f, DEVICE_1);
    buffer_u8(&bundle, 7);
    size_t before = bundle.len;
    struct chain_view view;
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), device_user_key(&key), 1, 0, &bundle), ERR_EXPIRED);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), device_user_key(&key), 2, 0, &bundle), ERR_EXPIRED);
    chain_view_close(&view);
    assert_int_equal(bundle.len, before); /* nothing is left behind by a failure */
    assert_int_equal(prove(&f, device_user_key(&key), 3, &bundle), OK);
    assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
    /* Absent then, present now: the absence is still a fact about that height. */
    struct record_key stranger = device_key(f.world.public_key[STRANGER]);
    assert_int_equal(prove(&f, device_user_key(&stranger), 1, &bundle), OK);
    assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
    assert_false(proof.result.present);
    buffer_free(&bundle);
    fixture_close(&f);
}

static void a_view_stands_still_while_the_chain_goes_on(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_view view;
    struct chain_block_info info;
    struct buffer bundle = BUFFER_INIT;
    fixture_open(&f);
    fixture_block(&f, 1);
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    struct record_key key = device_key(f.world.public_key[DEVICE_1]);
    endorse(&f, DEVICE_1);
    assert_int_equal(view.head.header.height, 1);
    assert_int_equal(chain_view_block(&view, 2, &info), ERR_NOTFOUND);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), device_user_key(&key), 0, 0, &bundle), OK);
    assert_int_equal(fixture_judge(&f, buffer_bytes(&bundle), &proof), GOOD);
    assert_int_equal(proof.result.header.height, 1);
    chain_view_close(&view);
    buffer_free(&bundle);
    fixture_close(&f);
}

static void every_bit_of_a_bundle_counts(void **state) {
    (void)state;
    struct chain_fixture f;
    struct buffer bundle = BUFFER_INIT;
    fixture_open(&f);
    fixture_block(&f, 2);
    struct record_key key = device_key(f.world.public_key[DEVICE_1]);
    assert_int_equal(prove(&f, device_user_key(&key), 0, &bundle), OK);
    for (size_t i = 0; i < bundle.len; i++) {
        bundle.data[i] ^= 1;
        if (fixture_judge(&f, buffer_bytes(&bundle), &proof) == GOOD) {
            fail_msg("byte %zu does not count", i);
        }
        bundle.data[i] ^= 1;
    }
    buffer_free(&bundle);
    fixture_close(&f);
}

static void names_and_keys_out_of_range_are_refused(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_view view;
    struct buffer bundle = BUFFER_INIT;
    static const uint8_t long_key[BUNDLE_USER_KEY_MAX + 1];
    fixture_open(&f);
    fixture_block(&f, 0);
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    assert_int_equal(chain_view_prove(&view, bytes_str(""), bytes_str("x"), 0, 0, &bundle), ERR_RANGE);
    assert_int_equal(chain_view_prove(&view, bytes_of(long_key, BUNDLE_NAME_MAX + 1), bytes_str("x"), 0, 0, &bundle),
                     ERR_RANGE);
    assert_int_equal(chain_view_prove(&view, bytes_str("device"), bytes_of(long_key, sizeof long_key), 0, 0, &bundle),
                     ERR_RANGE);
    assert_int_equal(chain_view_prove(&view, bytes_of(long_key, BUNDLE_NAME_MAX),
                                      bytes_of(long_key, sizeof long_key - 1), 0, 0, &bundle),
                     OK);
    chain_view_close(&view);
    buffer_free(&bundle);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_absences_are_proven_at_the_head),
        cmocka_unit_test(an_unchanged_value_is_proven_at_an_older_height),
        cmocka_unit_test(a_changed_value_gives_no_proof_at_an_older_height),
        cmocka_unit_test(a_view_stands_still_while_the_chain_goes_on),
        cmocka_unit_test(every_bit_of_a_bundle_counts),
        cmocka_unit_test(names_and_keys_out_of_range_are_refused),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
