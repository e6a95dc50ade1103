#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/chain_prune.h"
#include "node/ledger/chain_verify.h"
#include "tests/lib/chain_fixture.h"

#define BLOCKS 400u

/* A log of small segments, so that there is something to give back; a block a minute. */
static void fill(struct chain_fixture *f, uint64_t lifetime_ms) {
    fixture_setup(f);
    f->world.genesis.params.tx_max_lifetime_ms = lifetime_ms;
    assert_int_equal(fixture_try_open(f), OK);
    for (unsigned i = 0; i < BLOCKS; i++) {
        f->time_ms += 60000;
        fixture_block(f, 3);
    }
}

static void checkpoint(struct chain_fixture *f) {
    struct kv_checkpoint *c;
    assert_int_equal(chain_checkpoint_begin(f->chain, &c), OK);
    assert_int_equal(chain_checkpoint_end(f->chain, c, kv_checkpoint_write(c)), OK);
}

static uint64_t log_bytes(struct chain_fixture *f) {
    uint64_t bytes;
    size_t segments;
    assert_int_equal(seglog_size(f->chain->log, &bytes, &segments), OK);
    return bytes;
}

static void verifies(struct chain_fixture *f, struct chain_verify_report *report) {
    struct chain_view view;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    const struct chain_verify_input input = {
        .crypto = &host_crypto, .genesis = &f->world.genesis, .view = view.kv, .log = f->chain->log};
    enum err e = chain_verify(&input, report);
    assert_string_equal(report->wrong.text, "");
    assert_int_equal(e, OK);
    chain_view_close(&view);
}

static uint64_t since(struct chain_fixture *f, uint64_t time_ms) {
    struct chain_view view;
    uint64_t height;
    assert_int_equal(chain_view_open(f->chain, &view), OK);
    assert_int_equal(chain_store_since(view.kv, 1, chain_head(f->chain)->header.height, time_ms, &height), OK);
    chain_view_close(&view);
    return height;
}

static void heights_are_found_by_time(void **state) {
    (void)state;
    struct chain_fixture f;
    fixture_open(&f);
    for (unsigned i = 0; i < 20; i++) {
        f.time_ms += 1000;
        fixture_block(&f, 1);
    }
    uint64_t last = chain_head(f.chain)->header.time_ms;
    assert_int_equal(since(&f, 0), 1);
    assert_int_equal(since(&f, last), 20);
    assert_int_equal(since(&f, last + 1), 21);
    struct chain_view view;
    struct chain_block_info info;
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    for (uint64_t h = 1; h <= 20; h++) {
        assert_int_equal(chain_view_block(&view, h, &info), OK);
        assert_int_equal(since(&f, info.header.time_ms), h);
        assert_int_equal(since(&f, info.header.time_ms - 1), h);
    }
    chain_view_close(&view);
    fixture_close(&f);
}

static void a_node_gives_old_bodies_back_and_opens_again(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_verify_report report;
    struct buffer body = BUFFER_INIT;
    fill(&f, 60 * 60000);
    uint64_t before = log_bytes(&f);
    assert_int_equal(chain_prune_bodies(f.chain, 0), OK); /* everything is kept */
    checkpoint(&f);
    assert_int_equal(chain_prune_bodies(f.chain, 1), OK); /* announces */
    assert_int_equal(seglog_first(f.chain->log), 1);      /* no checkpoint says so yet */
    assert_int_equal(chain_prune_bodies(f.chain, 1), OK);
    assert_int_equal(seglog_first(f.chain->log), 1);
    checkpoint(&f);
    assert_int_equal(chain_prune_bodies(f.chain, 1), OK);
    uint64_t first = seglog_first(f.chain->log);
    assert_true(first > 1);
    assert_true(first <= BLOCKS - 60); /* the expiry window stays, whatever was asked for */
    assert_true(log_bytes(&f) < before);
    assert_int_equal(chain_read(f.chain, first - 1, &body, NULL), ERR_NOTFOUND);
    assert_int_equal(chain_read(f.chain, first, &body, NULL), OK);
    verifies(&f, &report);
    assert_int_equal(report.blocks, BLOCKS);
    assert_int_equal(report.bodies_from, first);
    assert_int_equal(report.bodies, BLOCKS + 1 - first);
    assert_int_equal(fixture_reopen(&f), OK);
    fixture_block(&f, 2);
    verifies(&f, &report);
    assert_int_equal(report.height, BLOCKS + 1);
    buffer_free(&body);
    fixture_close(&f);
}

static void a_stopped_store_is_pruned_at_once_and_never_into_the_window(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_verify_report report;
    uint64_t kept_from = 0;
    const uint64_t window = 100 * 60000;
    fill(&f, window);
    checkpoint(&f);
    assert_int_equal(chain_prune_store(&host_crypto, f.chain->kv, f.chain->log, 50, &kept_from), OK);
    assert_int_equal(kept_from, 50);
    assert_true(seglog_first(f.chain->log) <= 50);
    assert_int_equal(chain_prune_store(&host_crypto, f.chain->kv, f.chain->log, 10, &kept_from), OK);
    assert_int_equal(kept_from, 50); /* what was given back does not return */
    assert_int_equal(chain_prune_store(&host_crypto, f.chain->kv, f.chain->log, UINT64_MAX, &kept_from), OK);
    /* The last block that is too old stays, and shows that none is missing. */
    assert_int_equal(kept_from, since(&f, chain_head(f.chain)->header.time_ms - window + 1) - 1);
    assert_true(kept_from < BLOCKS - 90 && kept_from > BLOCKS - 110);
    verifies(&f, &report);
    fixture_close(&f);
}

static void a_crash_between_announcing_and_giving_back_is_made_good(void **state) {
    (void)state;
    struct chain_fixture f;
    fill(&f, 60000);
    checkpoint(&f);
    assert_int_equal(chain_prune_bodies(f.chain, 60000), OK);
    checkpoint(&f);
    assert_int_equal(fixture_reopen(&f), OK); /* without giving back */
    assert_int_equal(seglog_first(f.chain->log), 1);
    assert_int_equal(chain_prune_bodies(f.chain, 60000), OK);
    assert_true(seglog_first(f.chain->log) > 1);
    fixture_close(&f);
}

/* Somebody deleted the first file of the block log. */
static void bodies_that_are_missing_but_were_not_pruned_are_named(void **state) {
    (void)state;
    struct chain_fixture f;
    struct chain_verify_report report;
    struct chain_view view;
    fill(&f, LIMIT_TX_LIFETIME_MS);
    assert_int_equal(seglog_discard_below(f.chain->log, BLOCKS), OK);
    assert_int_equal(chain_view_open(f.chain, &view), OK);
    const struct chain_verify_input input = {
        .crypto = &host_crypto, .genesis = &f.world.genesis, .view = view.kv, .log = f.chain->log};
    assert_int_equal(chain_verify(&input, &report), ERR_CORRUPT);
    assert_non_null(strstr(report.wrong.text, "are missing and were not pruned"));
    chain_view_close(&view);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heights_are_found_by_time),
        cmocka_unit_test(a_node_gives_old_bodies_back_and_opens_again),
        cmocka_unit_test(a_stopped_store_is_pruned_at_once_and_never_into_the_window),
        cmocka_unit_test(a_crash_between_announcing_and_giving_back_is_made_good),
        cmocka_unit_test(bodies_that_are_missing_but_were_not_pruned_are_named),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
