#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/home_lock.h"
#include "tests/lib/temp_dir.h"

#include <signal.h>
#include <sys/wait.h>

static void one_holder_at_a_time(void **state) {
    (void)state;
    struct home_lock *first, *second = NULL;
    long pid = 0;
    assert_int_equal(home_lock_holder(temp_dir, &pid), ERR_NOTFOUND);
    assert_int_equal(home_lock_take(temp_dir, &first), OK);
    assert_int_equal(home_lock_take(temp_dir, &second), ERR_BUSY);
    assert_null(second);
    assert_int_equal(home_lock_holder(temp_dir, &pid), OK);
    assert_int_equal(pid, getpid());
    home_lock_release(first);
    assert_int_equal(home_lock_holder(temp_dir, &pid), ERR_NOTFOUND);
    assert_int_equal(home_lock_take(temp_dir, &first), OK);
    home_lock_release(first);
    home_lock_release(NULL);
    assert_int_equal(home_lock_take("/nonexistent", &first), ERR_NOTFOUND);
}

static void a_killed_holder_gives_way(void **state) {
    (void)state;
    struct home_lock *lock;
    int ready[2];
    char byte;
    long pid = 0;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool good = home_lock_take(temp_dir, &lock) == OK && write(ready[1], "x", 1) == 1;
        if (good) {
            (void)pause();
        }
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(home_lock_take(temp_dir, &lock), ERR_BUSY);
    assert_int_equal(home_lock_holder(temp_dir, &pid), OK);
    assert_int_equal(pid, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(home_lock_take(temp_dir, &lock), OK);
    home_lock_release(lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_holder_at_a_time, temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_killed_holder_gives_way, temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
