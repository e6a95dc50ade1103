#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/fetch/client.h"
#include "node/http/server.h"
#include "tests/lib/endless.h"

#include <stdio.h>
#include <string.h>

static struct http_server *server;
static char url[HTTP_LISTEN_MAX + 8];

/* What a call came with. */
static void echo(void *ctx, struct http_request *request) {
    (void)ctx;
    const char *token = http_header(request, "Authorization"), *expect = http_header(request, "Expect");
    http_respond(request, http_json(200, json_pack("{s:s?, s:s?, s:I}", "token", token, "expect", expect, "body",
                                                   (json_int_t)http_body(request).len)));
}

static int start(void **state) {
    (void)state;
    struct http_config config;
    struct why why = WHY_NONE;
    http_config_default(&config);
    config.listen = "127.0.0.1:0";
    config.threads = 1;
    assert_int_equal(http_server_new(&config, &server), OK);
    const struct http_route asked = {.method = HTTP_GET, .path = "/echo", .handler = echo};
    const struct http_route told = {.method = HTTP_POST, .path = "/echo", .handler = echo, .body_max = 1 << 20};
    assert_int_equal(http_server_route(server, &asked), OK);
    assert_int_equal(http_server_route(server, &told), OK);
    assert_int_equal(http_server_start(server, &why), OK);
    (void)snprintf(url, sizeof url, "http://%s", http_server_address(server));
    return 0;
}

static int stop(void **state) {
    (void)state;
    http_server_free(server);
    server = NULL;
    return 0;
}

static struct client *client_of(const struct client_config *config) {
    struct client *client = NULL;
    assert_int_equal(client_new(config, &client), OK);
    return client;
}

static void a_call_carries_the_token_of_its_options(void **state) {
    (void)state;
    const struct client_config with = {.url = url, .http.token = "abc"}, without = {.url = url};
    struct client *client = client_of(&with);
    json_t *answer = NULL;
    assert_int_equal(client_get_json(client, "/echo", &answer), OK);
    assert_string_equal(json_string_value(json_object_get(answer, "token")), "Bearer abc");
    json_decref(answer);
    client_free(client);
    client = client_of(&without);
    assert_int_equal(client_get_json(client, "/echo", &answer), OK);
    assert_true(json_is_null(json_object_get(answer, "token")));
    json_decref(answer);
    client_free(client);
}

static void a_body_from_memory_waits_for_no_consent(void **state) {
    (void)state;
    static uint8_t body[1 << 20]; /* libcurl would ask first */
    const struct client_config config = {.url = url};
    struct client *client = client_of(&config);
    json_t *answer = NULL;
    assert_int_equal(
        client_post_bytes(client, "/echo", "application/octet-stream", bytes_of(body, sizeof body), &answer), OK);
    assert_true(json_is_null(json_object_get(answer, "expect")));
    assert_int_equal(json_integer_value(json_object_get(answer, "body")), sizeof body);
    json_decref(answer);
    client_free(client);
}

static void a_proxy_is_asked_in_the_nodes_place(void **state) {
    (void)state;
    const struct client_config config = {.url = "http://node.invalid:26601", .http.proxy = url};
    struct client *client = client_of(&config);
    json_t *answer = NULL;
    /* It is no proxy, and takes what is asked of another for its own: an answer. */
    assert_int_equal(client_get_json(client, "/echo", &answer), OK);
    json_decref(answer);
    client_free(client);
}

static void what_failed_is_said_in_words(void **state) {
    const struct client_config config = {.url = url};
    struct client *client = client_of(&config);
    json_t *answer = NULL;
    assert_string_equal(client_why(client), "");
    assert_int_equal(client_get_json(client, "/nothing", &answer), ERR_NOTFOUND);
    assert_int_equal(client_status(client), 404);
    assert_string_not_equal(client_error_code(client), "");
    assert_non_null(strstr(client_why(client), client_error_code(client)));
    (void)stop(state);
    assert_int_equal(client_get_json(client, "/echo", &answer), ERR_NETWORK);
    assert_int_equal(client_status(client), 0);
    assert_string_equal(client_error_code(client), "");
    assert_non_null(strstr(client_why(client), url));
    assert_null(answer);
    client_free(client);
}

static void what_is_no_base_address_is_refused(void **state) {
    (void)state;
    struct client *client = NULL;
    const char *const urls[] = {"", "127.0.0.1:26601", "ftp://127.0.0.1", "/v1"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        const struct client_config config = {.url = urls[i]};
        assert_int_equal(client_new(&config, &client), ERR_CONFIG);
    }
    assert_null(client);
}

/* What is kept of one answer is bounded, and so is what is read of it: as much as sockets hold lies on its way. */
#define ON_ITS_WAY (16u << 20)

static void heads_and_trailers_without_end_are_broken_off(void **state) {
    (void)state;
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct endless liar;
        json_t *answer = NULL;
        endless_begin(&liar, heads[i]);
        const struct client_config config = {.url = liar.url, .timeout_ms = 600000};
        struct client *client = client_of(&config);
        assert_int_not_equal(client_get_json(client, "/", &answer), OK);
        client_free(client);
        endless_end(&liar);
        assert_in_range(liar.sent, 1, ON_ITS_WAY);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_call_carries_the_token_of_its_options),
        CASE(a_body_from_memory_waits_for_no_consent),
        CASE(a_proxy_is_asked_in_the_nodes_place),
        CASE(what_failed_is_said_in_words),
        cmocka_unit_test(heads_and_trailers_without_end_are_broken_off),
        cmocka_unit_test(what_is_no_base_address_is_refused),
    };
    return client_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
