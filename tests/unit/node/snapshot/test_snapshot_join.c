/* Snapshots: joining by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/joining.h"
#include "tests/lib/listen_port.h"

#include <curl/curl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void a_new_node_joins_and_goes_on(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, 20, 5);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_blocks(&f, 3, 2);
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, 20);
    assert_int_equal(report.fetched, report.bytes);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

/* A day of blocks comes along, and the one before, which shows that none is missing; older ones don't. */
static void only_the_expiry_window_comes_along(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, 5, 2);
    f.ledger.time_ms += LIMIT_TX_LIFETIME_MS;
    joining_blocks(&f, 10, 2);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_blocks(&f, 2, 1);
    joining_succeeds(&f, 1, &report);
    joining_is_as_good(&f, 15, 5);
    joining_close_all(&f);
}

/* The closing block stands alone below the window, or inside it; either way the node that joined can lead others
 * through it. */
static void epochs_come_along_with_the_blocks_that_closed_them(void **state) {
    (void)state;
    for (int in_window = 0; in_window < 2; in_window++) {
        struct joining f;
        struct snapshot_join_report report;
        struct home_chain store;
        struct chain_epoch epoch;
        struct chain_view view;
        struct why why = WHY_NONE;
        joining_open_all(&f, 3, 2);
        joining_close_first_epoch(&f); /* block 5 */
        joining_blocks_of_second_epoch(&f, 3, 1);
        f.ledger.time_ms += in_window ? 1000 : LIMIT_TX_LIFETIME_MS;
        joining_blocks_of_second_epoch(&f, 9, 3);
        joining_make(&f, 0);
        joining_serve(&f, 0);
        joining_succeeds(&f, 1, &report);
        assert_int_equal(report.height, 17);
        joining_blocks_of_second_epoch(&f, 2, 1);
        joining_is_as_good(&f, 17, in_window ? 1 : 8);
        assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
        assert_int_equal(chain_view_open(store.chain, &view), OK);
        assert_int_equal(chain_view_epoch(&view, 1, &epoch), OK);
        assert_int_equal(epoch.closing_height, 5);
        chain_view_close(&view);
        home_chain_close(&store);
        joining_close_all(&f);
    }
}

/* The state may stand far below the log's end, and what is in the log was final here: the vote journal builds on it. */
static void a_log_that_reaches_further_is_not_given_up_for_a_snapshot(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct home_chain store;
    struct why why = WHY_NONE;
    joining_open_all(&f, 10, 3);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_succeeds(&f, 1, &report);
    joining_blocks(&f, 3, 1);
    joining_make(&f, 1);
    joining_serve(&f, 1);
    f.urls[0] = f.url[1];
    joining_blocks(&f, 4, 1);
    assert_int_equal(home_chain_open(&f.home, NULL, &store, &why), OK);
    joining_follows(&f, store.chain);
    assert_int_equal(chain_head(store.chain)->header.height, 17);
    home_chain_close(&store); /* without a checkpoint */
    assert_int_equal(joining_join(&f, 1, &report, &why), OK);
    assert_false(report.joined);
    joining_is_as_good(&f, 17, 1);
    joining_close_all(&f);
}

/* Its own proof has no set for the blocks that follow. */
static void a_snapshot_of_a_closing_block_knows_who_follows(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, 3, 2);
    joining_close_first_epoch(&f); /* block 5 */
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_blocks_of_second_epoch(&f, 4, 2);
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, 5);
    joining_is_as_good(&f, 5, 1);
    joining_close_all(&f);
}

/* A store that is behind stays in place until the new one is whole; one that is not far behind stays for good. */
static void a_node_far_behind_joins_and_one_close_by_does_not(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    joining_open_all(&f, 10, 2);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_succeeds(&f, 1, &report);
    joining_blocks(&f, 5, 1);
    joining_make(&f, 0);
    joining_stop_serving(&f, 0);
    joining_serve(&f, 0);
    const struct home_join_config config = {
        .home = &f.home, .sources = f.urls, .source_count = 1, .pin = &f.pin, .arg = &f};
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_false(report.joined);
    f.ledger.time_ms += 2 * 3600000;
    joining_blocks(&f, 5, 1);
    joining_make(&f, 0);
    joining_stop_serving(&f, 0);
    joining_serve(&f, 0);
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_true(report.joined);
    assert_int_equal(report.height, 20);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

/* A source that has none begins to make one when it is asked, and the joiner waits for it. */
static void a_snapshot_in_the_making_is_waited_for(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    joining_open_all(&f, SNAPSHOTS_WORTH_BLOCKS, 0);
    f.pin.pin.height = SNAPSHOTS_WORTH_BLOCKS;
    memcpy(f.pin.pin.hash, chain_head(f.ledger.chain)->hash, HASH_LEN);
    joining_serve(&f, 0);
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, SNAPSHOTS_WORTH_BLOCKS);
    joining_close_all(&f);
}

/* Those of other nodes, gateways left out. */
static void without_configured_sources_the_genesis_names_them(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    memset(&f, 0, sizeof f);
    fixture_setup(&f.ledger);
    struct genesis_node *other = &f.ledger.world.genesis.nodes[1];
    (void)snprintf(f.listen[0], sizeof f.listen[0], "127.0.0.1:%u", listen_port());
    (void)snprintf(other->http, sizeof other->http, "http://%s", f.listen[0]);
    genesis_chain_id(&f.ledger.world.genesis, &host_crypto, f.ledger.world.chain_id);
    assert_int_equal(fixture_try_open(&f.ledger), OK);
    for (size_t i = 0; i < JOINING_SOURCES; i++) {
        strcpy(f.dir[i], "/tmp/assay-snaps-XXXXXX");
        assert_non_null(mkdtemp(f.dir[i]));
    }
    joining_blocks(&f, 20, 1);
    joining_open_home(&f);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_succeeds(&f, 0, &report);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

static void without_sources_a_new_node_just_starts(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    joining_open_all(&f, 2, 1);
    f.urls[0] = "http://127.0.0.1:1";
    const struct home_join_config config = {.home = &f.home, .sources = f.urls, .source_count = 1};
    assert_int_equal(home_join(&config, &report, &why), OK);
    assert_false(report.joined);
    joining_close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_node_joins_and_goes_on),
        cmocka_unit_test(only_the_expiry_window_comes_along),
        cmocka_unit_test(epochs_come_along_with_the_blocks_that_closed_them),
        cmocka_unit_test(a_snapshot_of_a_closing_block_knows_who_follows),
        cmocka_unit_test(a_log_that_reaches_further_is_not_given_up_for_a_snapshot),
        cmocka_unit_test(a_node_far_behind_joins_and_one_close_by_does_not),
        cmocka_unit_test(a_snapshot_in_the_making_is_waited_for),
        cmocka_unit_test(without_configured_sources_the_genesis_names_them),
        cmocka_unit_test(without_sources_a_new_node_just_starts),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
