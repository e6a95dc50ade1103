#include "node/host/notify.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum err notify_send(const char *state) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL || path[0] == '\0') {
        return OK;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || len >= sizeof address.sun_path) {
        return ERR_UNSUPPORTED;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract name space */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_from_errno(errno);
    }
    socklen_t address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    ssize_t sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, address_len);
    enum err e = sent < 0 ? err_from_errno(errno) : OK;
    (void)close(fd);
    return e;
}

enum err notify_ready(const char *peer, const char *http, uint64_t height) {
    char line[PIPE_BUF];
    int n = snprintf(line, sizeof line, "%s%s%s%s%s height=%" PRIu64 "\n", NOTIFY_READY_WORD,
                     peer[0] != '\0' ? " peer=" : "", peer, http[0] != '\0' ? " http=" : "", http, height);
    ASSERT(n > 0 && (size_t)n < sizeof line);
    struct pollfd look = {.fd = STDOUT_FILENO, .events = POLLOUT};
    bool told = poll(&look, 1, 0) == 1 && (look.revents & POLLOUT) != 0 && write(STDOUT_FILENO, line, (size_t)n) == n;
    enum err e = notify_send("READY=1\nSTATUS=serving");
    return e == OK && !told ? ERR_IO : e;
}
