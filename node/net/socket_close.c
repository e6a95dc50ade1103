#include "node/net/socket_close.h"

#include "base/clock.h"

#include <dirent.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Threads at the same time: where nng does not let go of some sockets, others are closed nevertheless. */
#define WORKERS_MAX 8

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over everything below */
static pthread_cond_t changed;                           /* by the monotonic clock */
static struct socket_closing *first, *last;              /* begun and not yet closed, in order */
static size_t workers;
static size_t awaited; /* begun, not gone, and no wait gave up on them */

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

static void set_up(void) {
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static void wait_until(uint64_t mono_ms) {
    const struct timespec at = {.tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * 1000000};
    (void)pthread_cond_timedwait(&changed, &lock, &at);
}

static struct socket_closing *first_waiting(void) {
    struct socket_closing *c = first;
    while (c != NULL && c->taken) {
        c = c->after;
    }
    return c;
}

static void unlink_from_list(struct socket_closing *c) {
    *(c->before == NULL ? &first : &c->before->after) = c->after;
    *(c->after == NULL ? &last : &c->after->before) = c->before;
}

/* Under the lock, which it lets go of in between. */
static void close_one(struct socket_closing *c) {
    c->taken = true;
    (void)pthread_mutex_unlock(&lock);
    (void)nng_close(c->socket);
    nng_aio_free(c->aio);
    (void)pthread_mutex_lock(&lock);
    unlink_from_list(c);
    bool was_awaited = !c->left_behind;
    (void)pthread_mutex_unlock(&lock);
    c->gone(c->arg);
    (void)pthread_mutex_lock(&lock);
    awaited -= was_awaited;
    (void)pthread_cond_broadcast(&changed);
}

static void *work(void *arg) {
    struct socket_closing *c;
    (void)pthread_mutex_lock(&lock);
    while ((c = first_waiting()) != NULL) {
        uint64_t due = c->begun_ms + SOCKET_QUIET_MS;
        if (clock_mono_ms() < due) {
            wait_until(due);
        } else {
            close_one(c);
        }
    }
    workers--;
    (void)pthread_mutex_unlock(&lock);
    return arg;
}

/* Under the lock. Where no thread can be had, a later call of this module tries again. */
static void hire(void) {
    pthread_t thread;
    if (workers < WORKERS_MAX && first_waiting() != NULL && pthread_create(&thread, NULL, work, NULL) == 0) {
        (void)pthread_detach(thread);
        workers++;
    }
}

/* ---- Sockets ----------------------------------------------------------------------------------------------------- */

void socket_close_begin(struct socket_closing *c) {
    (void)pthread_once(&once, set_up);
    (void)pthread_mutex_lock(&lock);
    c->begun_ms = clock_mono_ms();
    c->taken = c->left_behind = false;
    c->before = last;
    c->after = NULL;
    *(last == NULL ? &first : &last->after) = c;
    last = c;
    awaited++;
    hire();
    (void)pthread_mutex_unlock(&lock);
}

size_t socket_close_wait(uint32_t limit_ms) {
    (void)pthread_once(&once, set_up);
    uint64_t until = clock_mono_ms() + limit_ms;
    (void)pthread_mutex_lock(&lock);
    hire();
    while (awaited > 0 && clock_mono_ms() < until) {
        wait_until(until);
    }
    size_t given_up = 0;
    for (struct socket_closing *c = first; c != NULL; c = c->after) {
        given_up += !c->left_behind;
        c->left_behind = true;
    }
    awaited -= given_up;
    (void)pthread_mutex_unlock(&lock);
    return given_up;
}

size_t socket_close_left_behind(void) {
    size_t n = 0;
    uint64_t now = clock_mono_ms();
    (void)pthread_mutex_lock(&lock);
    hire();
    for (const struct socket_closing *c = first; c != NULL; c = c->after) {
        n += c->left_behind || now - c->begun_ms > SOCKET_CLOSE_MS;
    }
    (void)pthread_mutex_unlock(&lock);
    return n;
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

static bool same_end(const struct sockaddr_storage *a, const nng_sockaddr *b) {
    const struct sockaddr_in *v4 = (const void *)a;
    const struct sockaddr_in6 *v6 = (const void *)a;
    if (a->ss_family == AF_INET && b->s_family == NNG_AF_INET) {
        return v4->sin_port == b->s_in.sa_port && v4->sin_addr.s_addr == b->s_in.sa_addr;
    }
    return a->ss_family == AF_INET6 && b->s_family == NNG_AF_INET6 && v6->sin6_port == b->s_in6.sa_port &&
           memcmp(&v6->sin6_addr, b->s_in6.sa_addr, sizeof b->s_in6.sa_addr) == 0;
}

static bool joins(int fd, const nng_sockaddr *local, const nng_sockaddr *remote) {
    struct sockaddr_storage end = {0};
    socklen_t len = sizeof end;
    if (getpeername(fd, (struct sockaddr *)&end, &len) != 0 || !same_end(&end, remote)) {
        return false;
    }
    len = sizeof end;
    return getsockname(fd, (struct sockaddr *)&end, &len) == 0 && same_end(&end, local);
}

/* The library doesn't tell a connection's descriptor; both its ends name it. */
static bool shut_down(const nng_sockaddr *local, const nng_sockaddr *remote) {
    DIR *dir = opendir("/proc/self/fd");
    bool found = false;
    if (dir == NULL) {
        return false;
    }
    for (const struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        found = *end == '\0' && joins((int)fd, local, remote) && shutdown((int)fd, SHUT_RDWR) == 0;
    }
    (void)closedir(dir);
    return found;
}

void socket_cut(nng_pipe pipe) {
    nng_sockaddr local, remote;
    if (nng_pipe_get_addr(pipe, NNG_OPT_LOCADDR, &local) == 0 &&
        nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &remote) == 0 && shut_down(&local, &remote)) {
        return;
    }
    (void)nng_pipe_close(pipe);
}
