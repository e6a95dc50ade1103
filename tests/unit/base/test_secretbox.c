#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ed25519.h"
#include "base/secretbox.h"

static void only_the_passphrase_opens_an_unchanged_box(void **state) {
    (void)state;
    struct buffer box = BUFFER_INIT;
    struct buffer secret = BUFFER_INIT;
    assert_int_equal(secretbox_seal(bytes_str("pass"), bytes_str("secret"), &box), OK);
    assert_int_equal(box.len, SECRETBOX_OVERHEAD + 6);
    assert_int_equal(secretbox_open(bytes_str("Pass"), buffer_bytes(&box), &secret), ERR_DENIED);
    assert_int_equal(secret.len, 0);
    assert_int_equal(secretbox_open(bytes_str("pass"), buffer_bytes(&box), &secret), OK);
    assert_true(bytes_equal(buffer_bytes(&secret), bytes_str("secret")));
    box.data[box.len - 1] ^= 1;
    assert_int_equal(secretbox_open(bytes_str("pass"), buffer_bytes(&box), &secret), ERR_DENIED);
    buffer_free(&box);
    buffer_free(&secret);
}

static void a_box_cannot_ask_for_any_amount_of_work(void **state) {
    (void)state;
    uint8_t box[SECRETBOX_OVERHEAD + 1] = {1};
    struct buffer secret = BUFFER_INIT;
    store_u32(box + 1, SECRETBOX_MAX_PASSES + 1);
    store_u32(box + 5, 1024);
    assert_int_equal(secretbox_open(bytes_str("pass"), bytes_of(box, sizeof box), &secret), ERR_RANGE);
    store_u32(box + 1, 1);
    store_u32(box + 5, SECRETBOX_MAX_KIB + 1);
    assert_int_equal(secretbox_open(bytes_str("pass"), bytes_of(box, sizeof box), &secret), ERR_RANGE);
    store_u32(box + 1, 0);
    assert_int_equal(secretbox_open(bytes_str("pass"), bytes_of(box, sizeof box), &secret), ERR_RANGE);
    box[0] = 2;
    assert_int_equal(secretbox_open(bytes_str("pass"), bytes_of(box, sizeof box), &secret), ERR_MALFORMED);
    assert_int_equal(secretbox_open(bytes_str("pass"), bytes_of(box, 10), &secret), ERR_MALFORMED);
    buffer_free(&secret);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_passphrase_opens_an_unchanged_box),
        cmocka_unit_test(a_box_cannot_ask_for_any_amount_of_work),
    };
    if (crypto_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
