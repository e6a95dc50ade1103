#include "tests/lib/listen_port.h"

unsigned listen_port_highest(void) {
    unsigned first = 0;
    FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    int n = f == NULL ? 0 : fscanf(f, "%u", &first);
    if (f != NULL) {
        (void)fclose(f);
    }
    return n == 1 ? first : 0;
}

/* The reserving socket, which stays open as long as the test program runs; -1: somebody has the port. */
static int listen_port_take(unsigned port) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "assay-ports-%u", port);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int mark = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
    bool taken =
        bind(mark, (struct sockaddr *)&name, name_len) == 0 && bind(probe, (struct sockaddr *)&at, sizeof at) == 0;
    (void)close(probe);
    if (!taken) {
        (void)close(mark);
    }
    return taken ? mark : -1;
}

uint16_t listen_port(void) {
    unsigned places = (listen_port_highest() - LISTEN_PORT_LOWEST) / LISTEN_PORT_STEP;
    for (unsigned i = 0; i < places && listen_port_highest() > LISTEN_PORT_LOWEST; i++) {
        unsigned port = LISTEN_PORT_LOWEST + LISTEN_PORT_STEP * (((unsigned)getpid() * 7u + i) % places);
        if (listen_port_take(port) >= 0) {
            return (uint16_t)port;
        }
    }
    return 0;
}
