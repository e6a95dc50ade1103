#include "tests/lib/loopback.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "node/net/session.h"
#include "node/net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int loopback_connect(unsigned host, uint16_t port) {
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons(port)};
    from.sin_addr.s_addr = htonl(0x7f000000u + host);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(host > 0 ? bind(fd, (struct sockaddr *)&from, sizeof from) : 0, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

int loopback_listen(uint16_t port, char address[LOOPBACK_ADDRESS_MAX]) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof at;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(address, LOOPBACK_ADDRESS_MAX, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

void loopback_send_frame(int fd, const void *data, size_t len) {
    uint8_t frame[WIRE_LENGTH_LEN + SESSION_DATAGRAM_MAX];
    assert_true(len <= SESSION_DATAGRAM_MAX);
    store_u32(frame, (uint32_t)len);
    memcpy(frame + WIRE_LENGTH_LEN, data, len);
    (void)!send(fd, frame, WIRE_LENGTH_LEN + len, MSG_NOSIGNAL);
}

bool loopback_has_ended(int fd) {
    uint8_t bytes[4096];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static void nothing(uv_timer_t *timer) {
    (void)timer;
}

bool loopback_turn(uv_loop_t *loop, bool (*condition)(void *ctx, void *arg), void *ctx, void *arg, uint64_t limit_ms) {
    uv_timer_t waker;
    (void)uv_timer_init(loop, &waker);
    (void)uv_timer_start(&waker, nothing, 5, 5);
    uint64_t until = clock_mono_ms() + limit_ms;
    while (!condition(ctx, arg) && clock_mono_ms() < until) {
        (void)uv_run(loop, UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&waker, NULL);
    (void)uv_run(loop, UV_RUN_NOWAIT);
    return condition(ctx, arg);
}

bool loopback_never(void *ctx, void *arg) {
    (void)ctx;
    (void)arg;
    return false;
}
