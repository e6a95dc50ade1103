/* Snapshots: a join that is interrupted goes on. */
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

/* Killed while fetching and while building, at several places each; what was fetched once is not fetched again. */
static void a_killed_join_goes_on_where_it_was(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    joining_open_all(&f, 20, 10);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    static const struct {
        enum snapshot_join_part part;
        uint64_t at;
    } places[] = {{JOIN_FETCH, 1}, {JOIN_FETCH, 20000}, {JOIN_FETCH, 40000}, {JOIN_BUILD, 1}, {JOIN_BUILD, 9}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        f.stop_part = places[i].part;
        f.stop_at = places[i].at;
        f.kill = true;
        pid_t child = fork();
        if (child == 0) {
            _exit(joining_join(&f, 1, &report, &why) == OK ? 0 : 1);
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
    }
    f.stop_at = 0;
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.fetched, 0); /* all of it was here */
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

/* Damage on the joiner's own disk meanwhile. */
static void a_chunk_damaged_on_our_disk_is_fetched_again(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[CONFIG_PATH_MAX];
    struct stat st;
    joining_open_all(&f, 20, 10);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    f.stop_part = JOIN_BUILD;
    f.stop_at = 1;
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_CLOSED);
    f.stop_at = 0;
    assert_int_equal(home_path(&f.home, "join/chunks/2", path), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.fetched, st.st_size);
    joining_is_as_good(&f, 20, 1);
    joining_close_all(&f);
}

/* The change of places, interrupted after each of its steps. */
static void an_interrupted_change_of_places_is_completed(void **state) {
    (void)state;
    for (int step = 0; step < 4; step++) {
        struct joining f;
        struct snapshot_join_report report;
        struct why why = WHY_NONE;
        char data[CONFIG_PATH_MAX], from[600], to[600];
        joining_open_all(&f, 10, 3);
        joining_make(&f, 0);
        joining_serve(&f, 0);
        joining_succeeds(&f, 1, &report);
        assert_int_equal(home_path(&f.home, "", data), OK);
        (void)snprintf(from, sizeof from, "%s/join/store", data);
        assert_int_equal(dir_make(from), OK);
        (void)snprintf(from, sizeof from, "%s/join/old", data);
        assert_int_equal(dir_make(from), OK);
        static const char *const names[] = {"blocks", "state"};
        for (int i = 0; i < 2; i++) { /* as if the new store stood beside an old one */
            (void)snprintf(from, sizeof from, "%s/%s", data, names[i]);
            (void)snprintf(to, sizeof to, "%s/join/store/%s", data, names[i]);
            assert_int_equal(rename(from, to), 0);
            assert_int_equal(dir_make(from), OK);
        }
        for (int i = 0; i < step; i++) { /* what had been done */
            (void)snprintf(from, sizeof from, i % 2 == 0 ? "%s/%s" : "%s/join/store/%s", data, names[i / 2]);
            (void)snprintf(to, sizeof to, i % 2 == 0 ? "%s/join/old/%s" : "%s/%s", data, names[i / 2]);
            assert_int_equal(rename(from, to), 0);
        }
        (void)snprintf(to, sizeof to, "%s/join/ready", data);
        joining_write_bytes(to, bytes_str("whole\n"));
        assert_int_equal(home_join_finish(&f.home, &why), OK);
        joining_is_as_good(&f, 10, 1);
        joining_close_all(&f);
    }
}

static void a_snapshot_gone_from_everywhere_gives_way_to_a_newer_one(void **state) {
    (void)state;
    struct joining f;
    struct snapshot_join_report report;
    struct why why = WHY_NONE;
    char path[300];
    joining_open_all(&f, 12, 8);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    f.stop_part = JOIN_FETCH;
    f.stop_at = 1;
    assert_int_equal(joining_join(&f, 1, &report, &why), ERR_CLOSED);
    f.stop_at = 0;
    joining_stop_serving(&f, 0);
    (void)snprintf(path, sizeof path, "%s/12", f.dir[0]);
    assert_int_equal(snapshot_remove_folder(path), OK);
    joining_blocks(&f, 5, 3);
    joining_make(&f, 0);
    joining_serve(&f, 0);
    joining_succeeds(&f, 1, &report);
    assert_int_equal(report.height, 17);
    joining_is_as_good(&f, 17, 1);
    joining_close_all(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_join_goes_on_where_it_was),
        cmocka_unit_test(a_chunk_damaged_on_our_disk_is_fetched_again),
        cmocka_unit_test(an_interrupted_change_of_places_is_completed),
        cmocka_unit_test(a_snapshot_gone_from_everywhere_gives_way_to_a_newer_one),
    };
    if (crypto_start() != OK || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
