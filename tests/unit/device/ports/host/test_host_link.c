#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device/core/protocol.h"
#include "device/ports/host/host_link.h"
#include "tests/lib/endless.h"

#define ON_ITS_WAY (16u << 20) /* what sockets hold */

/* A gateway may lie, and must not take the device's memory. */
static void heads_and_trailers_without_end_are_broken_off(void **state) {
    (void)state;
    static const char *const heads[] = {"HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Type: " PROTOCOL_CONTENT_TYPE
                                        "\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct endless gateway;
        struct host_link link;
        uint8_t answer[64];
        size_t len = 0;
        endless_begin(&gateway, heads[i]);
        assert_true(host_link_open(&link, gateway.url));
        assert_false(link.seam.exchange(link.seam.ctx, (const uint8_t *)"x", 1, answer, sizeof answer, &len));
        host_link_close(&link);
        endless_end(&gateway);
        assert_in_range(gateway.sent, 1, ON_ITS_WAY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(heads_and_trailers_without_end_are_broken_off)};
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
