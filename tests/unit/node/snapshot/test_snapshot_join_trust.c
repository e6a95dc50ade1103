/* Snapshots: what the operator vouches for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/joining.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A pinned block that one source's snapshot does not prove is no reason to leave the others. */
static void a_snapshot_that_does_not_fit_the_checkpoint_costs_its_source_alone(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, 20, 8);
    joining_make(&f, 1);
    struct checkpoint_file honest = f.pin;
    honest.pin.height = 1; /* in the first body chunk, which the other leaves out */
    struct chain_view view;
    struct chain_block_info info;
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    assert_int_equal(chain_view_block(&view, 1, &info), OK);
    memcpy(honest.pin.hash, info.hash, HASH_LEN);
    chain_view_close(&view);
    joining_blocks(&f, 3, 8);
    joining_make(&f, 0);
    joining_shorten(&f, 0, 1);
    f.pin = honest;
    joining_serve(&f, 0);
    joining_serve(&f, 1);
    joining_succeeds(&f, 2, &report);
    assert_int_equal(f.refused, 1);
    assert_int_equal(report.height, 20);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

static void an_old_chain_needs_a_checkpoint_and_a_wrong_one_is_refused(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    struct checkpoint_file good;
    joining_open_all(&f, 10, 2);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    good = f.pin;
    f.pin.pin.height = 0; /* none: this chain is from 2023 */
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "--checkpoint"));
    f.pin = good;
    f.pin.pin.hash[3] ^= 1;
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_INVALID);
    struct chain_view view;
    struct chain_block_info info;
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    assert_int_equal(chain_view_block(&view, 4, &info), OK); /* one of the window */
    chain_view_close(&view);
    f.pin.pin.height = 4;
    memcpy(f.pin.pin.hash, info.hash, HASH_LEN);
    f.pin.pin.hash[3] ^= 1;
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_INVALID);
    f.pin.pin.hash[3] ^= 1;
    f.pin.pin.height = 11;
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_DENIED);
    f.pin.pin.height = 4;
    joining_succeeds(&f, 1, &report);
    joining_is_as_good(&f, 10, 1);
    joining_close_all(&f);
}

/* Writes a checkpoint of the ledger's head into the home, under a name that snapshot.checkpoint then has. */
static void pin_head_in_a_file(struct joining *f, bool of_another_chain) {
    static uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint8_t raw[CHECKPOINT_MAX], header[BLOCK_HEADER_LEN];
    char path[128];
    struct chain_view view;
    assert_int_equal(chain_view_open(f->ledger.chain, &view), OK);
    struct checkpoint c = {.header = view.head.header};
    chain_view_close(&view);
    c.header.chain_id[0] ^= of_another_chain;
    c.validators = (struct validator_set){(const uint8_t(*)[KEY_LEN])keys, genesis_validators(&f->home.genesis, keys)};
    block_header_encode(&c.header, header);
    block_header_hash(&host_crypto, header, c.hash);
    (void)snprintf(path, sizeof path, "%s/pinned", f->home_dir);
    joining_write_bytes(path, bytes_of(raw, checkpoint_encode(&c, raw)));
    strcpy(f->home.config.snapshot.checkpoint, "pinned");
    f->pin.pin.height = 0;
}

/* Its block need not be among what the snapshot brings along: the walk goes on from its validators. */
static void a_checkpoint_file_is_where_the_walk_starts(void **state) {
    (void)state;
    const uint64_t hour_ms = 3600000, now_ms = clock_wall_ms();
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    joining_open_all(&f, 3, 1);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    pin_head_in_a_file(&f, false); /* as old as the genesis */
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_DENIED);
    assert_non_null(strstr(why.text, "90 days"));
    f.ledger.time_ms = now_ms - 72 * hour_ms;
    joining_blocks(&f, 2, 1);
    pin_head_in_a_file(&f, true);
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_CONFIG);
    pin_head_in_a_file(&f, false); /* above the snapshot that is offered */
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_DENIED);
    f.ledger.time_ms = now_ms - 48 * hour_ms;
    joining_blocks(&f, 1, 1);
    f.ledger.time_ms = now_ms - hour_ms;
    joining_blocks(&f, 4, 1);
    joining_stop_serving(&f, 0);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    f.pin.pin.height = 0;
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, 10);
    joining_is_as_good(&f, 10, 6);
    strcpy(f.home.config.snapshot.checkpoint, "nothing");
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_CONFIG);
    joining_close_all(&f);
}

static void a_checkpoint_is_read_from_text(void **state) {
    (void)state;
    struct checkpoint_pin pin;
    assert_int_equal(checkpoint_pin_parse("12:00000000000000000000000000000000000000000000000000000000000000ff", &pin),
                     OK);
    assert_int_equal(pin.height, 12);
    assert_int_equal(pin.hash[31], 0xff);
    assert_int_equal(checkpoint_pin_parse("12", &pin), ERR_MALFORMED);
    assert_int_equal(checkpoint_pin_parse("-1:ff", &pin), ERR_MALFORMED);
    assert_int_equal(checkpoint_pin_parse("12:ff", &pin), ERR_MALFORMED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_that_does_not_fit_the_checkpoint_costs_its_source_alone),
        cmocka_unit_test(an_old_chain_needs_a_checkpoint_and_a_wrong_one_is_refused),
        cmocka_unit_test(a_checkpoint_file_is_where_the_walk_starts),
        cmocka_unit_test(a_checkpoint_is_read_from_text),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
