#include "node/net/socket_close.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define KEPT_MAX 4096

/* Shared by the closer and its thread; the last of the two to let go frees it. */
struct closing {
    nng_socket socket;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;
    bool abandoned;
};

static atomic_bool wedged;
static void *kept[KEPT_MAX];
static atomic_size_t kept_count;

void socket_keep(void *memory) {
    size_t at = atomic_fetch_add(&kept_count, 1);
    if (at < KEPT_MAX) {
        kept[at] = memory;
    }
}

static void release(struct closing *c) {
    (void)pthread_mutex_unlock(&c->lock);
    (void)pthread_cond_destroy(&c->ended);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static void *close_it(void *arg) {
    struct closing *c = arg;
    (void)nng_close(c->socket);
    (void)pthread_mutex_lock(&c->lock);
    c->done = true;
    if (c->abandoned) {
        release(c);
        return NULL;
    }
    (void)pthread_cond_signal(&c->ended);
    (void)pthread_mutex_unlock(&c->lock);
    return NULL;
}

static struct timespec deadline(unsigned ms) {
    struct timespec at = {0};
    (void)clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

bool socket_close(nng_socket socket) {
    struct closing *c = calloc(1, sizeof *c);
    pthread_t thread;
    if (c == NULL) {
        return nng_close(socket) == 0;
    }
    c->socket = socket;
    (void)pthread_mutex_init(&c->lock, NULL);
    (void)pthread_cond_init(&c->ended, NULL);
    if (pthread_create(&thread, NULL, close_it, c) != 0) {
        (void)pthread_mutex_lock(&c->lock);
        release(c);
        return nng_close(socket) == 0;
    }
    (void)pthread_detach(thread);
    const struct timespec at = deadline(atomic_load(&wedged) ? SOCKET_CLOSE_MS / 10 : SOCKET_CLOSE_MS);
    int waited = 0;
    (void)pthread_mutex_lock(&c->lock);
    while (!c->done && waited == 0) {
        waited = pthread_cond_timedwait(&c->ended, &c->lock, &at);
    }
    bool done = c->done;
    if (done) {
        release(c);
    } else {
        c->abandoned = true;
        atomic_store(&wedged, true);
        (void)pthread_mutex_unlock(&c->lock);
    }
    return done;
}
