#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/fault_guard.h"
#include "tests/lib/temp_dir.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static int reached;

static void goes_well(void *arg) {
    *(int *)arg = 7;
}

/* Reads behind the end of a mapped file: SIGBUS. */
static void reads_a_lost_page(void *arg) {
    const volatile char *map = arg;
    reached = map[4096];
}

static void reads_nowhere(void *arg) {
    (void)arg;
    const volatile char *volatile nowhere = (const volatile char *)(uintptr_t)64;
    reached = *nowhere;
}

static void gives_up(void *arg) {
    (void)arg;
    fault_guard_give_up();
    reached = 1;
}

static void goes_on_after_an_inner_fault(void *arg) {
    *(int *)arg = fault_guard_run(gives_up, NULL) ? 1 : 2;
}

static void faults_behind_a_guarded_call(void *arg) {
    assert_int_equal(fault_guard_run(gives_up, NULL), false);
    reads_a_lost_page(arg);
}

static char *map_of_nothing(void) {
    char path[100];
    (void)snprintf(path, sizeof path, "%s/file", temp_dir);
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(map, MAP_FAILED);
    (void)close(fd);
    return map;
}

static void a_fault_ends_the_call_and_not_the_process(void **state) {
    (void)state;
    int value = 0;
    char *map = map_of_nothing();
    reached = 0;
    assert_int_equal(fault_guard_start(), OK);
    assert_int_equal(fault_guard_start(), OK);
    for (int i = 0; i < 3; i++) {
        assert_true(fault_guard_run(goes_well, &value));
        assert_int_equal(value, 7);
        assert_false(fault_guard_run(reads_a_lost_page, map));
        assert_false(fault_guard_run(reads_nowhere, NULL));
        assert_false(fault_guard_run(gives_up, NULL));
    }
    assert_int_equal(reached, 0);
    assert_true(fault_guard_run(goes_on_after_an_inner_fault, &value));
    assert_int_equal(value, 2);
    assert_false(fault_guard_run(faults_behind_a_guarded_call, map));
    fault_guard_give_up(); /* in no guarded call: nothing happens */
    (void)munmap(map, 8192);
}

static void a_fault_elsewhere_goes_where_it_went_before(void **state) {
    (void)state;
    char *map = map_of_nothing();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)signal(SIGBUS, SIG_DFL);
        if (fault_guard_start() != OK) {
            _exit(0);
        }
        reads_a_lost_page(map);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGBUS);
    (void)munmap(map, 8192);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fault_ends_the_call_and_not_the_process, temp_dir_make, temp_dir_remove),
        cmocka_unit_test_setup_teardown(a_fault_elsewhere_goes_where_it_went_before, temp_dir_make, temp_dir_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
