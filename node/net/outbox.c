#include "node/net/outbox.h"

#include "node/net/socket_close.h"

#include <nng/protocol/pipeline0/push.h>
#include <stdio.h>
#include <string.h>

static void sent(void *arg) {
    struct outbox *o = arg;
    if (nng_aio_result(o->aio) != 0) {
        nng_msg_free(nng_aio_get_msg(o->aio));
    }
    atomic_store(&o->busy, false);
    if (atomic_exchange(&o->wanted, false) && !atomic_load(&o->deaf)) {
        o->wake(o->arg);
    }
}

static void connection_changed(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct outbox *o = arg;
    unsigned id = (unsigned)nng_pipe_id(pipe);
    if (event == NNG_PIPE_EV_ADD_POST) {
        atomic_store(&o->pipe, id);
    } else {
        atomic_compare_exchange_strong(&o->pipe, &id, 0);
    }
    o->wake(o->arg);
}

enum err outbox_open(struct outbox *o, const char *address, size_t max_message, void (*wake)(void *arg), void *arg) {
    char url[256];
    int n = snprintf(url, sizeof url, "tcp://%s", address);
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_CONFIG;
    }
    memset(o, 0, sizeof *o);
    o->wake = wake;
    o->arg = arg;
    if (nng_push0_open(&o->socket) != 0) {
        return ERR_NOMEM;
    }
    enum err e = ERR_NOMEM;
    nng_dialer dialer;
    if (nng_aio_alloc(&o->aio, sent, o) != 0 || nng_socket_set_size(o->socket, NNG_OPT_RECVMAXSZ, max_message) != 0 ||
        nng_socket_set_ms(o->socket, NNG_OPT_RECONNMINT, OUTBOX_REDIAL_MIN_MS) != 0 ||
        nng_socket_set_ms(o->socket, NNG_OPT_RECONNMAXT, OUTBOX_REDIAL_MAX_MS) != 0 ||
        nng_pipe_notify(o->socket, NNG_PIPE_EV_ADD_POST, connection_changed, o) != 0 ||
        nng_pipe_notify(o->socket, NNG_PIPE_EV_REM_POST, connection_changed, o) != 0) {
        goto fail;
    }
    int rv = nng_dialer_create(&dialer, o->socket, url);
    if (rv != 0) {
        e = rv == NNG_ENOMEM ? ERR_NOMEM : ERR_CONFIG;
        goto fail;
    }
    if (nng_dialer_start(dialer, NNG_FLAG_NONBLOCK) != 0) {
        e = ERR_NETWORK;
        goto fail;
    }
    o->open = true;
    return OK;

fail:
    (void)nng_close(o->socket);
    nng_aio_free(o->aio);
    return e;
}

bool outbox_close(struct outbox *o) {
    if (!o->open) {
        return !o->left_behind;
    }
    /* A note that is running goes on; the close waits for it, unless it is left behind. */
    (void)nng_pipe_notify(o->socket, NNG_PIPE_EV_ADD_POST, NULL, NULL);
    (void)nng_pipe_notify(o->socket, NNG_PIPE_EV_REM_POST, NULL, NULL);
    atomic_store(&o->deaf, true);
    o->open = false;
    o->left_behind = !socket_close(o->socket);
    if (!o->left_behind) {
        nng_aio_free(o->aio);
    }
    return !o->left_behind;
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
    atomic_store(&o->busy, true);
    nng_aio_set_msg(o->aio, msg);
    nng_send_aio(o->socket, o->aio);
}

void outbox_cancel(struct outbox *o) {
    nng_aio_cancel(o->aio);
}

void outbox_cut(struct outbox *o) {
    unsigned id = atomic_load(&o->pipe);
    if (id != 0) {
        (void)nng_pipe_close((nng_pipe){.id = id});
    }
}
