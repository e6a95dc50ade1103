#include "tests/lib/endless.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *answer(void *arg) {
    struct endless *server = arg;
    char request[65536], line[1024];
    int fd = accept(server->listener, NULL, NULL);
    if (fd < 0) {
        return NULL;
    }
    (void)!recv(fd, request, sizeof request, 0);
    memset(line, 'x', sizeof line);
    memcpy(line, "X-More: ", 8);
    memcpy(line + sizeof line - 2, "\r\n", 2);
    ssize_t n = send(fd, server->head, strlen(server->head), MSG_NOSIGNAL);
    while (n > 0) {
        server->sent += (uint64_t)n;
        n = send(fd, line, sizeof line, MSG_NOSIGNAL);
    }
    (void)close(fd);
    return NULL;
}

void endless_begin(struct endless *server, const char *head) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    *server = (struct endless){.head = head, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    if (bind(server->listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(server->listener, 1) != 0 ||
        getsockname(server->listener, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&server->thread, NULL, answer, server) != 0) {
        abort();
    }
    (void)snprintf(server->url, sizeof server->url, "http://127.0.0.1:%u", ntohs(at.sin_port));
}

void endless_end(struct endless *server) {
    (void)shutdown(server->listener, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
}
