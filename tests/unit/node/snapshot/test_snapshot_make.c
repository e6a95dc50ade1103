/* Snapshots: making them. */
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

/* Soon. */
static bool is_made(struct snapshots *snapshots, uint64_t height) {
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    for (int i = 0; i < 1000; i++) {
        if (snapshots_list(snapshots, entries) > 0 && entries[0].height == height) {
            return true;
        }
        (void)usleep(10000);
    }
    return false;
}

/* Two are kept; a half one that an earlier life left goes; a multiple of the interval makes one. */
static void snapshots_are_made_when_due_and_the_newest_two_stay(void **state) {
    (void)state;
    struct joining f;
    char path[300];
    struct snapshots_entry entries[SNAPSHOTS_KEPT];
    joining_open_all(&f, 3, 1);
    (void)snprintf(path, sizeof path, "%s/7.tmp", f.dir[0]);
    assert_int_equal(dir_make(path), OK);
    const struct snapshots_config config = {.chain = f.ledger.chain, .dir = f.dir[0], .interval_blocks = 4};
    assert_int_equal(snapshots_open(&config, &f.snapshots[0]), OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_false(snapshots_want(f.snapshots[0])); /* so short a chain is not worth one */
    snapshots_tick(f.snapshots[0]);
    for (uint64_t round = 0; round < 3; round++) {
        while (chain_head(f.ledger.chain)->header.height % 4 != 0) {
            joining_blocks(&f, 1, 1);
        }
        uint64_t due = chain_head(f.ledger.chain)->header.height;
        snapshots_tick(f.snapshots[0]);
        joining_blocks(&f, 1, 1); /* the ledger goes on meanwhile */
        assert_true(is_made(f.snapshots[0], due));
    }
    assert_int_equal(snapshots_list(f.snapshots[0], entries), 2);
    assert_int_equal(entries[0].height, 12);
    assert_int_equal(entries[1].height, 8);
    (void)snprintf(path, sizeof path, "%s/4", f.dir[0]);
    assert_int_not_equal(access(path, F_OK), 0);
    joining_blocks(&f, 17 - 13, 1);
    bool made = false; /* the first block behind a multiple will do; while the one before is put away, to no effect */
    for (int i = 0; i < 1000 && !made; i++) {
        snapshots_tick(f.snapshots[0]);
        (void)usleep(10000);
        made = snapshots_list(f.snapshots[0], entries) > 0 && entries[0].height == 17;
    }
    assert_true(made);
    joining_close_all(&f);
}

/* A disk that takes no more bytes leaves nothing of it behind. */
static void a_snapshot_that_cannot_be_written_leaves_nothing(void **state) {
    (void)state;
    struct joining f;
    struct chain_view view;
    struct rlimit before, small;
    char path[300];
    joining_open_all(&f, 9, 4);
    assert_int_equal(chain_view_open(f.ledger.chain, &view), OK);
    const struct snapshot_make_config config = {
        .chain = f.ledger.chain, .view = &view, .dir = f.dir[0], .chunk_target = JOINING_CHUNK_BYTES};
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err e = snapshot_make(&config);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(e, OK);
    (void)snprintf(path, sizeof path, "%s/9.tmp", f.dir[0]);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(snapshot_make(&config), OK);
    chain_view_close(&view);
    joining_close_all(&f);
}

/* Nodes that make one at the same height make the same chunks, whatever they had in memory. */
static void the_same_height_gives_the_same_content(void **state) {
    (void)state;
    struct joining f;
    struct snapshots_entry a[SNAPSHOTS_KEPT], b[SNAPSHOTS_KEPT];
    joining_open_all(&f, 9, 4);
    joining_make(&f, 0);
    assert_int_equal(fixture_reopen(&f.ledger), OK);
    joining_make(&f, 1);
    joining_serve(&f, 0);
    joining_serve(&f, 1);
    assert_int_equal(snapshots_list(f.snapshots[0], a), 1);
    assert_int_equal(snapshots_list(f.snapshots[1], b), 1);
    assert_memory_equal(a[0].content, b[0].content, HASH_LEN);
    joining_close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshots_are_made_when_due_and_the_newest_two_stay),
        cmocka_unit_test(a_snapshot_that_cannot_be_written_leaves_nothing),
        cmocka_unit_test(the_same_height_gives_the_same_content),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
