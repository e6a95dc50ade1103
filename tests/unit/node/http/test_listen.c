#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/http/listen.h"

#include <stdio.h>
#include <string.h>

/* Without TLS only this machine may be served. */
static bool may_listen(const char *listen) {
    struct config config;
    struct http_config http;
    struct why why = WHY_NONE;
    config_default(&config);
    (void)snprintf(config.http.listen, sizeof config.http.listen, "%s", listen);
    return listen_settings(&config, &http, &why);
}

static void loopback_is_told_from_the_network(void **state) {
    (void)state;
    assert_true(may_listen("127.0.0.1:26601"));
    assert_true(may_listen("127.9.9.9:1"));
    assert_true(may_listen("[::1]:26601"));
    assert_false(may_listen("0.0.0.0:26601"));
    assert_false(may_listen("[::]:26601"));
    assert_false(may_listen(":26601"));
    assert_false(may_listen("26601"));
    assert_false(may_listen("192.0.2.1:26601"));
    assert_false(may_listen("[2001:db8::1]:26601"));
    assert_false(may_listen(""));
}

static void the_network_is_not_served_without_tls(void **state) {
    (void)state;
    struct config config;
    struct http_config http;
    struct why why = WHY_NONE;
    config_default(&config);
    assert_true(listen_settings(&config, &http, &why));
    strcpy(config.http.listen, "0.0.0.0:0");
    assert_false(listen_settings(&config, &http, &why));
    assert_non_null(strstr(why.text, "http.listen"));
    assert_non_null(strstr(why.text, "0.0.0.0:0"));
    assert_non_null(strstr(why.text, "http.tls_cert"));
    strcpy(config.http.tls_cert, "cert.pem");
    assert_true(listen_settings(&config, &http, &why));
    assert_string_equal(http.tls_cert, "cert.pem");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_told_from_the_network),
        cmocka_unit_test(the_network_is_not_served_without_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
