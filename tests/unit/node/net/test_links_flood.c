/* Strangers who connect and go faster than the network library gives descriptors back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/descriptors.h"
#include "node/net/links.h"
#include "tests/unit/node/nng_threads.h"

#include <netinet/in.h>
#include <nng/nng.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define STRANGERS 3u       /* processes */
#define CONNECTIONS 30000u /* of each */
#define CEILING 300u
#define BETWEEN_COUNTS 64u /* that come before the next count, and what else the process opens */
#define PATIENCE_MS 60000u

/* Connects and goes, half with FIN and half with RST, as fast as it can. */
static void pester(uint16_t port) {
    const struct linger at_once = {.l_onoff = 1};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0) {
            continue;
        }
        if (i % 2 == 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        (void)connect(fd, (struct sockaddr *)&to, sizeof to);
        (void)close(fd);
    }
}

static pid_t start_stranger(uint16_t port) {
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        pester(port);
        _exit(0);
    }
    assert_true(pid > 0);
    return pid;
}

static void on_message(void *ctx, size_t member, struct bytes message) {
    (void)ctx;
    (void)member;
    (void)message;
}

static void on_change(void *ctx, size_t member) {
    (void)ctx;
    (void)member;
}

static void on_timer(uv_timer_t *timer) {
    (void)timer;
}

static void strangers_take_no_descriptors_beyond_the_ceiling(void **state) {
    static uv_loop_t loop;
    struct links *links;
    uv_timer_t timer;
    pid_t stranger[STRANGERS];
    size_t before, most = 0, left = STRANGERS;
    (void)state;
    struct links_config config = {.self = 0, .listen = "127.0.0.1:0", .max_descriptors = CEILING};
    const struct links_ops ops = {.on_message = on_message, .on_up = on_change, .on_down = on_change};
    memset(config.link_secret, 7, sizeof config.link_secret);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(links_open(&config, &ops, &links), OK);
    assert_int_equal(links_attach(links, &loop), OK);
    (void)uv_timer_init(&loop, &timer);
    (void)uv_timer_start(&timer, on_timer, 1, 1);
    before = descriptors_open();
    for (size_t i = 0; i < STRANGERS; i++) {
        stranger[i] = start_stranger(links_port(links));
    }
    uint64_t begin = clock_mono_ms();
    while (left > 0 || descriptors_open() > before) {
        (void)uv_run(&loop, UV_RUN_ONCE);
        size_t open = descriptors_open();
        most = open > most ? open : most;
        for (size_t i = 0; i < STRANGERS; i++) {
            if (stranger[i] != 0 && waitpid(stranger[i], NULL, WNOHANG) == stranger[i]) {
                stranger[i] = 0;
                left--;
            }
        }
        assert_true(clock_mono_ms() < begin + PATIENCE_MS);
    }
    print_message("%u connections of strangers in %llu ms, at most %zu descriptors of %u\n", STRANGERS * CONNECTIONS,
                  (unsigned long long)(clock_mono_ms() - begin), most, CEILING);
    assert_true(most <= CEILING + BETWEEN_COUNTS);
    assert_int_equal(links_stats(links).connections, 0);
    uv_close((uv_handle_t *)&timer, NULL);
    links_close(links);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strangers_take_no_descriptors_beyond_the_ceiling),
    };
    int failed = crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    nng_fini(); /* waits until the library has let go of what was closed */
    return failed;
}
