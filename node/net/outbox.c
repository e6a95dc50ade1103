#include "node/net/outbox.h"

#include "node/net/socket_close.h"

#include <nng/protocol/pipeline0/push.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct outbox {
    pthread_mutex_t
        lock; /* over wake, which is called with it held, so that the owner can take it away, and over spent */
    void (*wake)(void *arg);
    void *arg;
    bool spent; /* its connection ended */
    nng_socket socket;
    nng_dialer dialer;
    nng_aio *aio;
    atomic_bool busy;   /* a message is being handed over */
    atomic_bool wanted; /* wake when no longer busy */
    atomic_uint pipe;   /* the connection's id, 0 when there is none */
    struct socket_closing closing;
};

static void wake_owner(struct outbox *o) {
    (void)pthread_mutex_lock(&o->lock);
    if (o->wake != NULL) {
        o->wake(o->arg);
    }
    (void)pthread_mutex_unlock(&o->lock);
}

static void sent(void *arg) {
    struct outbox *o = arg;
    if (nng_aio_result(o->aio) != 0) {
        nng_msg_free(nng_aio_get_msg(o->aio));
    }
    atomic_store(&o->busy, false);
    if (atomic_exchange(&o->wanted, false)) {
        wake_owner(o);
    }
}

static void connection_changed(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct outbox *o = arg;
    bool ended = event == NNG_PIPE_EV_REM_POST;
    (void)pthread_mutex_lock(&o->lock);
    o->spent = o->spent || ended;
    /* The end may be told before the beginning. */
    atomic_store(&o->pipe, o->spent ? 0 : (unsigned)nng_pipe_id(pipe));
    (void)pthread_mutex_unlock(&o->lock);
    if (ended) {
        (void)nng_dialer_close(o->dialer);
    }
    wake_owner(o);
}

static enum err dial(struct outbox *o, const char *url, size_t max_message) {
    if (nng_aio_alloc(&o->aio, sent, o) != 0 || nng_socket_set_size(o->socket, NNG_OPT_RECVMAXSZ, max_message) != 0 ||
        nng_socket_set_ms(o->socket, NNG_OPT_RECONNMINT, OUTBOX_REDIAL_MIN_MS) != 0 ||
        nng_socket_set_ms(o->socket, NNG_OPT_RECONNMAXT, OUTBOX_REDIAL_MAX_MS) != 0 ||
        nng_pipe_notify(o->socket, NNG_PIPE_EV_ADD_POST, connection_changed, o) != 0 ||
        nng_pipe_notify(o->socket, NNG_PIPE_EV_REM_POST, connection_changed, o) != 0) {
        return ERR_NOMEM;
    }
    int rv = nng_dialer_create(&o->dialer, o->socket, url);
    if (rv != 0) {
        return rv == NNG_ENOMEM ? ERR_NOMEM : ERR_CONFIG;
    }
    return nng_dialer_start(o->dialer, NNG_FLAG_NONBLOCK) == 0 ? OK : ERR_NETWORK;
}

static void release(void *arg) {
    struct outbox *o = arg;
    (void)pthread_mutex_destroy(&o->lock);
    free(o);
}

enum err outbox_open(const char *address, size_t max_message, void (*wake)(void *arg), void *arg, struct outbox **out) {
    char url[256];
    int n = snprintf(url, sizeof url, "tcp://%s", address);
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_CONFIG;
    }
    struct outbox *o = calloc(1, sizeof *o);
    if (o == NULL) {
        return ERR_NOMEM;
    }
    (void)pthread_mutex_init(&o->lock, NULL);
    o->wake = wake;
    o->arg = arg;
    if (nng_push0_open(&o->socket) != 0) {
        release(o);
        return ERR_NOMEM;
    }
    enum err e = dial(o, url, max_message);
    if (e != OK) {
        outbox_close(o);
        return e;
    }
    *out = o;
    return OK;
}

void outbox_close(struct outbox *o) {
    if (o == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&o->lock);
    o->wake = NULL;
    (void)pthread_mutex_unlock(&o->lock);
    o->closing.socket = o->socket;
    o->closing.aio = o->aio;
    o->closing.gone = release;
    o->closing.arg = o;
    socket_close_begin(&o->closing);
}

uint32_t outbox_connection(struct outbox *o) {
    return atomic_load(&o->pipe);
}

bool outbox_ready(struct outbox *o) {
    if (!atomic_load(&o->busy)) {
        return true;
    }
    /* Ask to be woken, then look again: the hand-over may have ended between the two. */
    atomic_store(&o->wanted, true);
    return !atomic_load(&o->busy);
}

void outbox_send(struct outbox *o, nng_msg *msg) {
    (void)pthread_mutex_lock(&o->lock);
    if (o->spent) {
        nng_msg_free(msg);
    } else {
        atomic_store(&o->busy, true);
        nng_aio_set_msg(o->aio, msg);
        nng_send_aio(o->socket, o->aio);
    }
    (void)pthread_mutex_unlock(&o->lock);
}

bool outbox_spent(struct outbox *o) {
    (void)pthread_mutex_lock(&o->lock);
    bool spent = o->spent;
    (void)pthread_mutex_unlock(&o->lock);
    return spent;
}

void outbox_cut(struct outbox *o) {
    unsigned id = atomic_load(&o->pipe);
    if (id != 0) {
        socket_cut((nng_pipe){.id = id});
    }
}
