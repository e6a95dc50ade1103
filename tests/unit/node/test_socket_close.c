#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "node/net/socket_close.h"

#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

static atomic_size_t gone_count;

static void gone(void *arg) {
    free(arg);
    atomic_fetch_add(&gone_count, 1);
}

static void begin(nng_socket socket) {
    struct socket_closing *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->socket = socket;
    c->gone = gone;
    c->arg = c;
    socket_close_begin(c);
}

static void all_sockets_are_closed_and_their_owners_freed(void **state) {
    (void)state;
    atomic_store(&gone_count, 0);
    for (size_t i = 0; i < 40; i++) {
        nng_socket socket;
        assert_int_equal(nng_push0_open(&socket), 0);
        begin(socket);
    }
    assert_int_equal(socket_close_wait(5000), 0);
    assert_int_equal(atomic_load(&gone_count), 40);
    assert_int_equal(socket_close_left_behind(), 0);
    assert_int_equal(socket_close_wait(5000), 0);
}

/* A note of the library's that doesn't return holds up its reaper, and with it every close. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static void held_up(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    (void)pipe;
    (void)event;
    (void)arg;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
}

static void a_library_that_hangs_holds_nobody_up_and_is_counted(void **state) {
    (void)state;
    nng_socket pull, push[30];
    atomic_store(&gone_count, 0);
    assert_int_equal(nng_pull0_open(&pull), 0);
    assert_int_equal(nng_pipe_notify(pull, NNG_PIPE_EV_REM_POST, held_up, NULL), 0);
    assert_int_equal(nng_listen(pull, "inproc://held", NULL, 0), 0);
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(nng_push0_open(&push[i]), 0);
        assert_int_equal(nng_dial(push[i], "inproc://held", NULL, 0), 0);
    }
    (void)pthread_mutex_lock(&gate);
    uint64_t begun = clock_mono_ms();
    begin(pull);
    for (size_t i = 0; i < 30; i++) {
        begin(push[i]);
    }
    size_t given_up = socket_close_wait(300);
    assert_true(clock_mono_ms() - begun < 4000);
    assert_true(given_up >= 1);
    assert_true(socket_close_left_behind() >= 1);
    assert_int_equal(socket_close_wait(5000), 0); /* these are not waited for again */
    (void)pthread_mutex_unlock(&gate);
    const struct timespec moment = {.tv_nsec = 5000000};
    while (atomic_load(&gone_count) < 31) {
        (void)nanosleep(&moment, NULL);
    }
    assert_int_equal(socket_close_left_behind(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sockets_are_closed_and_their_owners_freed),
        cmocka_unit_test(a_library_that_hangs_holds_nobody_up_and_is_counted),
    };
    return cmocka_run_group_tests_name("socket_close", tests, NULL, NULL);
}
