#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/disk_files.h"
#include "tests/lib/temp_dir.h"

static char path[128], other[128];

static int make(void **state) {
    int failed = temp_dir_make(state);
    (void)snprintf(path, sizeof path, "%s/a", temp_dir);
    (void)snprintf(other, sizeof other, "%s/b", temp_dir);
    return failed;
}

static void what_is_written_is_read_and_no_more(void **state) {
    (void)state;
    struct disk disk = disk_posix();
    struct disk_file *file;
    char read[8] = "";
    uint64_t size = 0;
    assert_int_equal(disk.ops->open(disk.ctx, path, false, &file), ERR_NOTFOUND);
    assert_int_equal(disk.ops->open(disk.ctx, path, true, &file), OK);
    assert_int_equal(disk.ops->write(file, 3, "abc", 3), OK);
    assert_int_equal(disk.ops->sync(file), OK);
    assert_int_equal(disk.ops->size(file, &size), OK);
    assert_int_equal(size, 6);
    assert_int_equal(disk.ops->read(file, 2, read, 4), OK);
    assert_memory_equal(read, "\0abc", 4);
    assert_int_equal(disk.ops->read(file, 3, read, 4), ERR_RANGE);
    assert_int_equal(disk.ops->read(file, 100, read, 1), ERR_RANGE);
    disk.ops->close(file);
    disk.ops->close(NULL);
    assert_int_equal(disk.ops->open(disk.ctx, path, true, &file), OK); /* is not emptied */
    assert_int_equal(disk.ops->size(file, &size), OK);
    assert_int_equal(size, 6);
    disk.ops->close(file);
}

static void count_name(void *arg, const char *name) {
    int *seen = arg;
    seen[0]++;
    seen[1] += strcmp(name, "b") == 0;
}

static void names_are_listed_renamed_and_removed(void **state) {
    (void)state;
    struct disk disk = disk_posix();
    struct disk_file *file;
    char missing[140];
    int seen[2] = {0};
    assert_int_equal(disk.ops->open(disk.ctx, path, true, &file), OK);
    disk.ops->close(file);
    assert_int_equal(disk.ops->rename(disk.ctx, path, other), OK);
    assert_int_equal(disk.ops->rename(disk.ctx, path, other), ERR_NOTFOUND);
    assert_int_equal(disk.ops->sync_dir(disk.ctx, temp_dir), OK);
    assert_int_equal(disk.ops->list(disk.ctx, temp_dir, count_name, seen), OK);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 1);
    assert_int_equal(disk.ops->remove(disk.ctx, other), OK);
    assert_int_equal(disk.ops->remove(disk.ctx, other), ERR_NOTFOUND);
    (void)snprintf(missing, sizeof missing, "%s/new", temp_dir);
    assert_int_equal(disk.ops->list(disk.ctx, missing, count_name, seen), ERR_NOTFOUND);
}

static char synced[200]; /* folders, below the test's own, in the order they were synced */

static enum err noted_sync_dir(void *ctx, const char *dir) {
    size_t at = strlen(synced);
    (void)snprintf(synced + at, sizeof synced - at, "%s ", dir + strlen(temp_dir));
    return disk_posix().ops->sync_dir(ctx, dir);
}

/* A folder is there after a power cut when the one it stands in was synced: also one that an earlier process made and
 * had no time to sync. */
static void a_folder_is_made_durable_with_its_parents(void **state) {
    (void)state;
    char deep[160], part[160];
    struct disk_ops noting = *disk_posix().ops;
    noting.sync_dir = noted_sync_dir;
    const struct disk disk = {.ops = &noting};
    enum disk_kind kind;
    (void)snprintf(deep, sizeof deep, "%s/p/q/r", temp_dir);
    synced[0] = '\0';
    assert_int_equal(disk_make_folder(&disk, deep), OK);
    assert_string_equal(synced, " /p /p/q ");
    synced[0] = '\0';
    assert_int_equal(disk_make_folder(&disk, deep), OK);
    assert_string_equal(synced, "/p/q ");
    (void)snprintf(part, sizeof part, "%s/p", temp_dir);
    assert_int_equal(disk.ops->kind(disk.ctx, part, &kind), OK);
    assert_int_equal(kind, DISK_FOLDER);
    assert_int_equal(disk.ops->make_dir(disk.ctx, part), ERR_EXISTS);
    assert_int_not_equal(disk.ops->remove(disk.ctx, part), OK); /* something is in it */
    (void)snprintf(part, sizeof part, "%s/x/y", temp_dir);
    assert_int_equal(disk.ops->make_dir(disk.ctx, part), ERR_NOTFOUND);
    (void)snprintf(part, sizeof part, "%s/p", temp_dir);
    assert_int_equal(disk_remove_all(&disk, part), OK);
    assert_int_equal(disk.ops->kind(disk.ctx, part, &kind), OK);
    assert_int_equal(kind, DISK_NOTHING);
    assert_int_equal(disk_remove_all(&disk, part), OK);
}

static void a_whole_file_is_written_over_the_one_before(void **state) {
    (void)state;
    const struct disk disk = disk_posix();
    struct buffer read = BUFFER_INIT;
    enum disk_kind kind;
    assert_int_equal(disk_read_file(&disk, path, 100, &read), ERR_NOTFOUND);
    assert_int_equal(disk_write_file(&disk, path, bytes_str("the longer one")), OK);
    assert_int_equal(disk_write_file(&disk, path, bytes_str("short")), OK);
    assert_int_equal(disk_read_file(&disk, path, 4, &read), ERR_TOOLARGE);
    assert_int_equal(disk_read_file(&disk, path, 5, &read), OK);
    assert_int_equal(read.len, 5);
    assert_memory_equal(read.data, "short", 5);
    assert_int_equal(disk.ops->kind(disk.ctx, path, &kind), OK);
    assert_int_equal(kind, DISK_FILE);
    assert_int_equal(disk_remove_all(&disk, path), OK);
    assert_int_equal(disk_read_file(&disk, path, 5, &read), ERR_NOTFOUND);
    buffer_free(&read);
}

static void a_full_device_is_no_space(void **state) {
    (void)state;
    struct disk disk = disk_posix();
    struct disk_file *file;
    if (access("/dev/full", W_OK) != 0) {
        print_message("skipped: there is no /dev/full here\n");
        skip();
    }
    assert_int_equal(disk.ops->open(disk.ctx, "/dev/full", false, &file), OK);
    assert_int_equal(disk.ops->write(file, 0, "x", 1), ERR_NOSPACE);
    disk.ops->close(file);
}

static void who_only_looks_changes_nothing(void **state) {
    (void)state;
    struct disk disk = disk_posix(), look = disk_posix_look();
    struct disk_file *file;
    char read[3] = "", missing[140];
    int seen[2] = {0};
    assert_int_equal(disk.ops->open(disk.ctx, path, true, &file), OK);
    assert_int_equal(disk.ops->write(file, 0, "abc", 3), OK);
    disk.ops->close(file);
    assert_int_equal(look.ops->open(look.ctx, other, true, &file), ERR_DENIED);
    assert_int_equal(look.ops->open(look.ctx, other, false, &file), ERR_NOTFOUND);
    assert_int_equal(look.ops->open(look.ctx, path, false, &file), OK);
    assert_int_equal(look.ops->write(file, 0, "xyz", 3), OK);
    assert_int_equal(look.ops->sync(file), OK);
    assert_int_equal(look.ops->read(file, 0, read, 3), OK);
    assert_memory_equal(read, "abc", 3);
    look.ops->close(file);
    assert_int_equal(look.ops->rename(look.ctx, path, other), OK);
    assert_int_equal(look.ops->remove(look.ctx, path), OK);
    assert_int_equal(look.ops->sync_dir(look.ctx, temp_dir), OK);
    assert_int_equal(look.ops->list(look.ctx, temp_dir, count_name, seen), OK);
    assert_int_equal(seen[0], 1);
    assert_int_equal(seen[1], 0);
    (void)snprintf(missing, sizeof missing, "%s/missing", temp_dir);
    assert_int_equal(look.ops->list(look.ctx, missing, count_name, seen), ERR_NOTFOUND);
    assert_int_not_equal(access(missing, F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_and_no_more, make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(names_are_listed_renamed_and_removed, make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_folder_is_made_durable_with_its_parents, make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_whole_file_is_written_over_the_one_before, make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(who_only_looks_changes_nothing, make, temp_dir_remove),
        cmocka_unit_test(a_full_device_is_no_space),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
