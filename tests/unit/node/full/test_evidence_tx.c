#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/full/evidence_tx.h"

#include "contracts/kernel/transaction.h"

#include <string.h>

#define NOW_MS 1700000000000u

/* What the transaction of two contradicting votes says of its end, on a chain with that longest lifetime. */
static uint64_t expiry_under(uint64_t max_lifetime_ms) {
    static const uint8_t chain[CHAIN_ID_LEN] = {1}, seed[ED25519_SEED_LEN] = {2};
    uint8_t key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    struct consensus_vote first = {.subject = {.epoch = 3, .view = 7, .kind = VOTE_NOTARIZE}}, second = first;
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    second.subject.block[0] = 1;
    ed25519_from_seed(seed, key, secret);
    assert_int_equal(evidence_tx_build(chain, (const uint8_t(*)[ED25519_SECRET_LEN]) & secret, key, &first, &second,
                                       NOW_MS, max_lifetime_ms, &envelope),
                     OK);
    assert_int_equal(transaction_decode(buffer_bytes(&envelope), &tx, NULL), OK);
    uint64_t expiry_ms = tx.expiry_ms;
    buffer_free(&envelope);
    return expiry_ms;
}

static void lives_for_the_default_time(void **state) {
    (void)state;
    assert_int_equal(expiry_under(LIMIT_TX_LIFETIME_MS), NOW_MS + LIMIT_TX_DEFAULT_LIFETIME_MS);
}

/* Otherwise no block could take it before most of its time was over. */
static void lives_no_longer_than_the_organisations_allow(void **state) {
    (void)state;
    assert_int_equal(expiry_under(60000), NOW_MS + 60000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives_for_the_default_time),
        cmocka_unit_test(lives_no_longer_than_the_organisations_allow),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
