#include "node/net/name.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAX 256u
#define PORT_MAX 32u

struct name {
    atomic_uint refs; /* the owner's and the thread's */
    struct wire_hub *hub;
    char host[HOST_MAX], port[PORT_MAX];
    char found[NAME_FOUND_MAX][NAME_ADDRESS_MAX];
    size_t found_count;
    atomic_bool ended;
};

static atomic_uint under_way; /* threads */

/* "host:port", the host of IPv6 in brackets, which are left out. */
static bool split(const char *address, char host[HOST_MAX], char port[PORT_MAX]) {
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address) {
        return false;
    }
    size_t len = (size_t)(colon - address);
    bool brackets = len > 2 && address[0] == '[' && address[len - 1] == ']';
    int n = brackets ? snprintf(host, HOST_MAX, "%.*s", (int)len - 2, address + 1)
                     : snprintf(host, HOST_MAX, "%.*s", (int)len, address);
    int p = snprintf(port, PORT_MAX, "%s", colon + 1);
    return n > 0 && (size_t)n < HOST_MAX && p > 0 && (size_t)p < PORT_MAX && strspn(port, "0123456789") == (size_t)p &&
           (brackets || memchr(host, ':', (size_t)n) == NULL);
}

bool name_is_whole(const char *address) {
    char host[HOST_MAX], port[PORT_MAX];
    return split(address, host, port);
}

bool name_is_literal(const char *address) {
    char host[HOST_MAX], port[PORT_MAX];
    uint8_t ignored[16];
    return split(address, host, port) &&
           (inet_pton(AF_INET, host, ignored) == 1 || inet_pton(AF_INET6, host, ignored) == 1);
}

void name_free(struct name *name) {
    if (name != NULL && atomic_fetch_sub(&name->refs, 1) == 1) {
        wire_hub_unref(name->hub);
        free(name);
    }
}

static void take_down(struct name *name, const struct addrinfo *at) {
    char host[NAME_ADDRESS_MAX - 16], port[8];
    bool v6 = at->ai_family == AF_INET6;
    if ((at->ai_family == AF_INET || v6) && name->found_count < NAME_FOUND_MAX &&
        getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(name->found[name->found_count++], NAME_ADDRESS_MAX, v6 ? "[%s]:%s" : "%s:%s", host, port);
    }
}

static void *resolve(void *arg) {
    struct name *name = arg;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *all = NULL;
    if (getaddrinfo(name->host, name->port, &hints, &all) == 0) {
        for (const struct addrinfo *at = all; at != NULL; at = at->ai_next) {
            take_down(name, at);
        }
        freeaddrinfo(all);
    }
    (void)atomic_fetch_sub(&under_way, 1);
    atomic_store(&name->ended, true);
    wire_hub_wake(name->hub);
    name_free(name);
    return NULL;
}

static bool start_thread(struct name *name) {
    pthread_attr_t detached;
    pthread_t thread;
    if (pthread_attr_init(&detached) != 0) {
        return false;
    }
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    bool started = pthread_create(&thread, &detached, resolve, name) == 0;
    (void)pthread_attr_destroy(&detached);
    return started;
}

enum err name_begin(struct wire_hub *hub, const char *address, struct name **out) {
    char host[HOST_MAX], port[PORT_MAX];
    if (!split(address, host, port)) {
        return ERR_CONFIG;
    }
    if (atomic_fetch_add(&under_way, 1) >= NAME_AT_ONCE) {
        (void)atomic_fetch_sub(&under_way, 1);
        return ERR_BUSY;
    }
    struct name *name = calloc(1, sizeof *name);
    if (name != NULL) {
        atomic_init(&name->refs, 2);
        name->hub = wire_hub_ref(hub);
        memcpy(name->host, host, sizeof host);
        memcpy(name->port, port, sizeof port);
        if (start_thread(name)) {
            *out = name;
            return OK;
        }
        wire_hub_unref(hub);
        free(name);
    }
    (void)atomic_fetch_sub(&under_way, 1);
    return ERR_NOMEM;
}

bool name_ended(const struct name *name) {
    return atomic_load(&name->ended);
}

const char *name_address(const struct name *name, unsigned number) {
    return name->found_count == 0 ? NULL : name->found[number % name->found_count];
}
