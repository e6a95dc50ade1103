#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/validator_http.h"
#include "tests/unit/node/chain_fixture.h"

static void loopback_is_told_from_the_network(void **state) {
    (void)state;
    assert_true(validator_http_is_loopback("127.0.0.1:26601"));
    assert_true(validator_http_is_loopback("127.9.9.9:1"));
    assert_true(validator_http_is_loopback("[::1]:26601"));
    assert_false(validator_http_is_loopback("0.0.0.0:26601"));
    assert_false(validator_http_is_loopback("[::]:26601"));
    assert_false(validator_http_is_loopback(":26601"));
    assert_false(validator_http_is_loopback("26601"));
    assert_false(validator_http_is_loopback("192.0.2.1:26601"));
    assert_false(validator_http_is_loopback("[2001:db8::1]:26601"));
    assert_false(validator_http_is_loopback(""));
}

static void the_network_is_not_served_without_tls(void **state) {
    (void)state;
    struct chain_fixture f;
    struct daemon_home *home = calloc(1, sizeof *home);
    struct validator_http http;
    char why[DAEMON_WHY_MAX] = "";
    fixture_open(&f);
    strcpy(home->config.http.listen, "0.0.0.0:0");
    const struct validator_http_parts parts = {.home = home, .chain = f.chain};
    assert_int_equal(validator_http_open(&parts, &http, why), ERR_CONFIG);
    assert_non_null(strstr(why, "http.listen"));
    assert_non_null(strstr(why, "0.0.0.0:0"));
    assert_non_null(strstr(why, "http.tls_cert"));
    validator_http_close(&http);
    validator_http_close(&http); /* closed twice is fine */
    free(home);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_told_from_the_network),
        cmocka_unit_test(the_network_is_not_served_without_tls),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
