#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child, since this program's own streams are needed. */
static int child(int (*work)(void)) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(work());
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int opens_after_closing(void) {
    (void)close(0);
    (void)close(2);
    process_open_standard();
    int fd = open("/dev/null", O_RDONLY);
    return fd > 2 && fcntl(0, F_GETFD) >= 0 && fcntl(2, F_GETFD) >= 0 ? 0 : 1;
}

static void what_is_opened_never_takes_a_standard_streams_place(void **state) {
    (void)state;
    assert_int_equal(child(opens_after_closing), 0);
}

static int cores(void) {
    struct rlimit limit;
    process_keep_secrets();
    return getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : 1;
}

static void no_core_is_written(void **state) {
    (void)state;
    assert_int_equal(child(cores), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_opened_never_takes_a_standard_streams_place),
        cmocka_unit_test(no_core_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
