#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static int make_dir(void **state) {
    (void)state;
    strcpy(dir, "/tmp/assay-file-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/f", dir);
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    (void)unlink(path);
    return rmdir(dir);
}

static void a_file_is_replaced_whole_and_leaves_no_temporary(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_write_atomic(path, bytes_str("first"), 0600), OK);
    assert_int_equal(file_write_atomic(path, bytes_str("second"), 0600), OK);
    assert_int_equal(file_read(path, 100, &b), OK);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "second", 6);
    buffer_free(&b); /* remove_dir fails when a temporary file is left */
}

static void a_limit_is_a_limit(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_write_atomic(path, bytes_str("12345"), 0600), OK);
    assert_int_equal(file_read(path, 5, &b), OK);
    assert_int_equal(file_read(path, 4, &b), ERR_TOOLARGE);
    assert_int_equal(b.len, 5);
    buffer_free(&b);
}

static void a_secret_that_others_may_read_is_refused(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_write_atomic(path, bytes_str("secret"), 0600), OK);
    assert_int_equal(file_read_secret(path, 100, &b), OK);
    const mode_t wide[] = {0640, 0604, 0660, 0644, 0610};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        assert_int_equal(chmod(path, wide[i]), 0);
        assert_int_equal(file_read_secret(path, 100, &b), ERR_MODE);
    }
    assert_int_equal(b.len, 6);
    buffer_free(&b);
}

/* A shell's command about the path. */
static void shell(const char *before, const char *behind) {
    char command[512];
    (void)snprintf(command, sizeof command, "%s%s%s", before, path, behind);
    assert_int_equal(system(command), 0);
}

static void a_link_stays_and_its_target_is_written(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct stat st;
    shell("ln -s target ", "");
    assert_int_equal(file_write(path, bytes_str("new"), 0600), OK); /* the target is not there yet */
    assert_int_equal(file_write(path, bytes_str("newer"), 0600), OK);
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(file_read(path, 100, &b), OK);
    assert_memory_equal(b.data, "newer", 5);
    shell("rm $(dirname ", ")/target");
    buffer_free(&b);
}

static void a_pipe_is_written_into_and_read_from(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    struct stat st;
    shell("mkfifo ", "");
    assert_int_equal(file_write(path, bytes_str("x"), 0600), ERR_NOFILE); /* nobody reads: no waiting */
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    assert_true(reader >= 0);
    assert_int_equal(file_write(path, bytes_str("hello"), 0600), OK);
    char text[8];
    assert_int_equal(read(reader, text, sizeof text), 5);
    (void)close(reader);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    shell("echo from a pipe >", " &");
    assert_int_equal(file_read(path, 100, &b), OK);
    assert_memory_equal(b.data, "from a pipe\n", 12);
    buffer_free(&b);
}

static void what_is_no_file_is_refused_and_never_waited_for(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_read(dir, 100, &b), ERR_NOFILE);
    assert_int_equal(file_write(dir, bytes_str("x"), 0600), ERR_NOFILE);
    assert_int_equal(file_read("/dev/zero", 1000, &b), ERR_TOOLARGE);
    assert_int_equal(b.len, 0);
    assert_int_equal(file_write("/dev/null", bytes_str("x"), 0600), OK);
    buffer_free(&b);
}

static void what_is_missing_is_not_found(void **state) {
    (void)state;
    struct buffer b = BUFFER_INIT;
    assert_int_equal(file_read("/nonexistent/file", 100, &b), ERR_NOTFOUND);
    assert_int_equal(file_write_atomic("/nonexistent/file", bytes_str("x"), 0600), ERR_NOTFOUND);
}

static void folders_are_made_with_their_parents_and_closed_to_others(void **state) {
    (void)state;
    char deep[160];
    struct stat st;
    (void)snprintf(deep, sizeof deep, "%s/a/b", dir);
    assert_int_equal(dir_make(deep), OK);
    assert_int_equal(dir_make(deep), OK);
    assert_int_equal(stat(deep, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(rmdir(deep), 0);
    *strrchr(deep, '/') = '\0';
    assert_int_equal(rmdir(deep), 0);
}

/* ---- Durable entries ------------------------------------------------------------------------------------------------ */

static ino_t synced[64];
static size_t synced_count;

/* Takes the place of the C library's, and remembers which folders were synced. */
int fsync(int fd) {
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && synced_count < sizeof synced / sizeof synced[0]) {
        synced[synced_count++] = st.st_ino;
    }
    return (int)syscall(SYS_fsync, fd);
}

static bool was_synced(const char *folder) {
    struct stat st;
    assert_int_equal(stat(folder, &st), 0);
    for (size_t i = 0; i < synced_count; i++) {
        if (synced[i] == st.st_ino) {
            return true;
        }
    }
    return false;
}

static void a_new_folders_entry_is_durable_and_so_is_one_of_an_earlier_life(void **state) {
    (void)state;
    char a[160], b[192];
    (void)snprintf(a, sizeof a, "%s/a", dir);
    (void)snprintf(b, sizeof b, "%s/a/b", dir);
    synced_count = 0;
    assert_int_equal(dir_make(b), OK);
    assert_true(was_synced(dir) && was_synced(a));
    synced_count = 0;
    assert_int_equal(dir_make(b), OK); /* made by a life that was killed before it could sync */
    assert_true(was_synced(dir) && was_synced(a));
    assert_int_equal(rmdir(b), 0);
    synced_count = 0;
    assert_int_equal(dir_make_new(b), OK);
    assert_true(was_synced(a));
    assert_int_equal(dir_make_new(b), ERR_EXISTS);
    assert_int_equal(rmdir(b), 0);
    assert_int_equal(rmdir(a), 0);
    assert_int_equal(dir_make_new(b), ERR_NOTFOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_folders_entry_is_durable_and_so_is_one_of_an_earlier_life, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_file_is_replaced_whole_and_leaves_no_temporary, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_limit_is_a_limit, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_secret_that_others_may_read_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_link_stays_and_its_target_is_written, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_pipe_is_written_into_and_read_from, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(what_is_no_file_is_refused_and_never_waited_for, make_dir, remove_dir),
        cmocka_unit_test(what_is_missing_is_not_found),
        cmocka_unit_test_setup_teardown(folders_are_made_with_their_parents_and_closed_to_others, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
