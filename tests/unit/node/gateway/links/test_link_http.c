/* Devices that speak HTTP: what the door says, as statuses, headers and bodies. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/ed25519.h"
#include "node/fetch/client.h"
#include "node/gateway/links/link_http.h"
#include "tests/lib/door_fixture.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct home {
    struct door_fixture f;
    struct http_server *server;
    uint16_t port;
    char answer[8192]; /* the last, from its first line to its end */
    size_t answer_len;
};

static int setup(void **out) {
    struct home *home = calloc(1, sizeof *home);
    struct http_config config;
    struct why why = WHY_NONE;
    assert_non_null(home);
    door_fixture_open(&home->f);
    http_config_default(&config);
    config.listen = "127.0.0.1:0";
    assert_int_equal(http_server_new(&config, &home->server), OK);
    assert_int_equal(link_http_routes(home->f.door, home->server), OK);
    assert_int_equal(http_server_start(home->server, &why), OK);
    home->port = (uint16_t)atoi(strrchr(http_server_address(home->server), ':') + 1);
    *out = home;
    return 0;
}

static int teardown(void **state) {
    struct home *home = *state;
    http_server_stop(home->server);
    door_fixture_close(&home->f);
    http_server_free(home->server);
    free(home);
    return 0;
}

/* ---- A device ---------------------------------------------------------------------------------------------------- */

/* Its connection, on which the request was said. */
static int post(const struct home *home, struct bytes body) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(home->port)};
    const struct timeval limit = {.tv_sec = 60};
    char head[256];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    (void)snprintf(head, sizeof head,
                   "POST /device/v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/cbor\r\n"
                   "Content-Length: %zu\r\n\r\n",
                   body.len);
    assert_int_equal(send(fd, head, strlen(head), MSG_NOSIGNAL), (ssize_t)strlen(head));
    assert_int_equal(send(fd, body.data, body.len, MSG_NOSIGNAL), (ssize_t)body.len);
    return fd;
}

static int post_hello(const struct home *home) {
    uint8_t raw[PROTOCOL_REQUEST_MAX];
    const struct protocol_request hello = door_fixture_request(&home->f, PROTOCOL_HELLO);
    return post(home, bytes_of(raw, door_fixture_encode(&hello, raw)));
}

/* Hears to the end of the connection; gives the status. */
static int hear(struct home *home, int fd) {
    ssize_t n;
    home->answer_len = 0;
    while ((n = recv(fd, home->answer + home->answer_len, sizeof home->answer - 1 - home->answer_len, 0)) > 0) {
        home->answer_len += (size_t)n;
    }
    home->answer[home->answer_len] = '\0';
    (void)close(fd);
    return home->answer_len > 12 ? atoi(home->answer + 9) : 0;
}

static struct protocol_answer decoded(const struct home *home) {
    struct protocol_answer answer;
    const char *body = strstr(home->answer, "\r\n\r\n");
    assert_non_null(body);
    body += 4;
    const struct bytes bytes = {(const uint8_t *)body, home->answer_len - (size_t)(body - home->answer)};
    assert_int_equal(protocol_answer_decode(bytes, &answer), GOOD);
    return answer;
}

static void wait_until_one_waits(const struct home *home) {
    struct device_door_stats stats;
    do {
        (void)usleep(1000);
        device_door_stats(home->f.door, &stats);
    } while (stats.waiting == 0);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static void an_answer_is_cbor_that_nobody_keeps(void **state) {
    struct home *home = *state;
    door_fixture_accept(&home->f);
    assert_int_equal(hear(home, post_hello(home)), 200);
    assert_non_null(strstr(home->answer, "Content-Type: application/cbor\r\n"));
    assert_non_null(strstr(home->answer, "Cache-Control: no-store\r\n"));
    assert_int_equal(decoded(home).code, PROTOCOL_OK);
}

static void what_is_no_request_gets_400_and_what_is_too_long_413(void **state) {
    struct home *home = *state;
    static const uint8_t much[PROTOCOL_REQUEST_MAX + 1] = {0};
    assert_int_equal(hear(home, post(home, bytes_str("hello?"))), 400);
    assert_non_null(strstr(home->answer, "REQUEST_MALFORMED"));
    assert_int_equal(hear(home, post(home, bytes_of(much, sizeof much))), 413);
}

static void what_waits_is_answered_when_it_is_woken(void **state) {
    struct home *home = *state;
    int fd = post_hello(home);
    wait_until_one_waits(home);
    door_fixture_accept(&home->f);
    device_door_changed(home->f.door, home->f.device);
    assert_int_equal(hear(home, fd), 200);
    assert_int_equal(decoded(home).code, PROTOCOL_OK);
}

/* The device gets what there is, and the door may wake the request all the same. */
static void what_nobody_wakes_is_answered_in_time(void **state) {
    struct home *home = *state;
    assert_int_equal(hear(home, post_hello(home)), 200);
    assert_int_equal(decoded(home).code, PROTOCOL_NOT_YET);
    door_fixture_accept(&home->f);
    device_door_changed(home->f.door, NULL);
}

static void what_waits_when_the_gateway_stops_gets_503(void **state) {
    struct home *home = *state;
    int fd = post_hello(home);
    wait_until_one_waits(home);
    http_server_stop(home->server);
    door_fixture_end_threads(&home->f);
    device_door_free(home->f.door);
    home->f.door = NULL;
    assert_int_equal(hear(home, fd), 503);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_answer_is_cbor_that_nobody_keeps, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_request_gets_400_and_what_is_too_long_413, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_is_answered_when_it_is_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(what_nobody_wakes_is_answered_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waits_when_the_gateway_stops_gets_503, setup, teardown),
    };
    if (crypto_start() != OK || client_start() != OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
