#include "node/net/inbox.h"

#include "base/clock.h"
#include "node/net/socket_close.h"

#include <nng/protocol/pipeline0/pull.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct connection {
    uint32_t id; /* 0: the slot is free */
    uint64_t address;
    uint64_t since_ms;
    uint64_t refilled_ms;
    uint32_t initiations; /* left to spend */
    uint32_t strikes;
    bool vouched;
    bool cut;
};

struct waiting {
    nng_msg *msg;
    uint32_t pipe;
};

struct inbox {
    nng_socket socket;
    nng_listener listener;
    nng_aio *aio;
    size_t slots;
    void *arg;
    struct socket_closing closing;

    pthread_mutex_t lock;    /* over everything below */
    void (*wake)(void *arg); /* called with the lock held; NULL: closing */
    size_t max_pipes;        /* at most as many as slots */
    size_t max_pipes_per_address;
    struct connection *connections; /* of these so many slots */
    struct waiting queue[INBOX_QUEUE_MESSAGES];
    size_t head, count, bytes;
    bool paused; /* nothing is being received: the queue was full */
    struct inbox_stats stats;
};

/* ---- The door ---------------------------------------------------------------------------------------------------- */

static struct connection *find(struct inbox *inbox, uint32_t id) {
    for (size_t i = 0; i < inbox->slots; i++) {
        if (inbox->connections[i].id == id) {
            return &inbox->connections[i];
        }
    }
    return NULL;
}

/* One number for what counts as one address: IPv4, or the network half of IPv6. */
static uint64_t address_of(nng_pipe pipe) {
    nng_sockaddr sa;
    if (nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &sa) != 0) {
        return 0;
    }
    if (sa.s_family == NNG_AF_INET) {
        return sa.s_in.sa_addr;
    }
    uint64_t network = 0;
    if (sa.s_family == NNG_AF_INET6) {
        memcpy(&network, sa.s_in6.sa_addr, sizeof network);
    }
    return network;
}

static bool admit(struct inbox *inbox, uint32_t id, uint64_t address) {
    size_t same = 0;
    for (size_t i = 0; i < inbox->slots; i++) {
        const struct connection *c = &inbox->connections[i];
        same += c->id != 0 && c->address == address;
    }
    struct connection *slot = find(inbox, 0);
    if (slot == NULL || inbox->stats.pipes >= inbox->max_pipes || same >= inbox->max_pipes_per_address) {
        inbox->stats.refused++;
        return false;
    }
    uint64_t now = clock_mono_ms();
    *slot = (struct connection){
        .id = id, .address = address, .since_ms = now, .refilled_ms = now, .initiations = INBOX_INITIATIONS};
    inbox->stats.pipes++;
    return true;
}

static void pipe_changed(nng_pipe pipe, nng_pipe_ev event, void *arg) {
    struct inbox *inbox = arg;
    uint32_t id = (uint32_t)nng_pipe_id(pipe);
    bool welcome = true;
    uint64_t address = event == NNG_PIPE_EV_ADD_PRE ? address_of(pipe) : 0;
    (void)pthread_mutex_lock(&inbox->lock);
    if (event == NNG_PIPE_EV_ADD_PRE) {
        welcome = admit(inbox, id, address);
    } else {
        struct connection *c = find(inbox, id);
        if (c != NULL) {
            *c = (struct connection){0};
            inbox->stats.pipes--;
        }
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    if (!welcome) {
        /* Nothing is being read from it yet: here the library's own way is safe (node/net/socket_close.h). */
        (void)nng_pipe_close(pipe);
    }
}

/* Marks under the lock; the caller closes the pipe after it has let go of it. */
static bool mark_cut(struct inbox *inbox, struct connection *c) {
    if (c == NULL || c->cut) {
        return false;
    }
    c->cut = true;
    inbox->stats.cut++;
    return true;
}

void inbox_cut(struct inbox *inbox, uint32_t pipe) {
    (void)pthread_mutex_lock(&inbox->lock);
    bool cut = mark_cut(inbox, find(inbox, pipe));
    (void)pthread_mutex_unlock(&inbox->lock);
    if (cut) {
        socket_cut((nng_pipe){.id = pipe});
    }
}

void inbox_vouch(struct inbox *inbox, uint32_t pipe) {
    (void)pthread_mutex_lock(&inbox->lock);
    struct connection *c = find(inbox, pipe);
    if (c != NULL) {
        c->vouched = true;
        c->strikes = 0;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
}

void inbox_blame(struct inbox *inbox, uint32_t pipe) {
    (void)pthread_mutex_lock(&inbox->lock);
    struct connection *c = find(inbox, pipe);
    bool cut = c != NULL && ++c->strikes >= INBOX_STRIKES && mark_cut(inbox, c);
    (void)pthread_mutex_unlock(&inbox->lock);
    if (cut) {
        socket_cut((nng_pipe){.id = pipe});
    }
}

bool inbox_allows_initiation(struct inbox *inbox, uint32_t pipe, uint64_t now_ms) {
    bool allowed = false;
    (void)pthread_mutex_lock(&inbox->lock);
    struct connection *c = find(inbox, pipe);
    if (c != NULL) {
        if (now_ms - c->refilled_ms >= INBOX_INITIATION_MS) {
            uint64_t earned = (now_ms - c->refilled_ms) / INBOX_INITIATION_MS + c->initiations;
            c->initiations = (uint32_t)(earned < INBOX_INITIATIONS ? earned : INBOX_INITIATIONS);
            c->refilled_ms = now_ms;
        }
        allowed = c->initiations > 0;
        c->initiations -= allowed;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    return allowed;
}

void inbox_tick(struct inbox *inbox, uint64_t now_ms) {
    for (size_t i = 0; i < inbox->slots; i++) {
        (void)pthread_mutex_lock(&inbox->lock);
        struct connection *c = &inbox->connections[i];
        c->strikes /= 2; /* a good connection isn't cut for what adds up over days */
        uint32_t id = c->id;
        bool overdue = id != 0 && !c->vouched && now_ms > c->since_ms && now_ms - c->since_ms >= INBOX_STRANGER_MS;
        bool cut = overdue && mark_cut(inbox, c);
        (void)pthread_mutex_unlock(&inbox->lock);
        if (cut) {
            socket_cut((nng_pipe){.id = id});
        }
    }
}

/* ---- The queue --------------------------------------------------------------------------------------------------- */

static void received(void *arg) {
    struct inbox *inbox = arg;
    int rv = nng_aio_result(inbox->aio);
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
        return;
    }
    bool more = true;
    (void)pthread_mutex_lock(&inbox->lock);
    if (rv == 0) {
        nng_msg *msg = nng_aio_get_msg(inbox->aio);
        size_t at = (inbox->head + inbox->count) % INBOX_QUEUE_MESSAGES;
        inbox->queue[at] = (struct waiting){.msg = msg, .pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(msg))};
        inbox->count++;
        inbox->bytes += nng_msg_len(msg);
        more = inbox->count < INBOX_QUEUE_MESSAGES && inbox->bytes < INBOX_QUEUE_BYTES;
        inbox->paused = !more;
        if (inbox->wake != NULL) {
            inbox->wake(inbox->arg);
        }
    }
    more = more && inbox->wake != NULL;
    (void)pthread_mutex_unlock(&inbox->lock);
    if (more) {
        nng_recv_aio(inbox->socket, inbox->aio);
    }
}

nng_msg *inbox_take(struct inbox *inbox, uint32_t *out_pipe) {
    nng_msg *taken = NULL;
    bool resume = false;
    (void)pthread_mutex_lock(&inbox->lock);
    while (taken == NULL && inbox->count > 0) {
        struct waiting w = inbox->queue[inbox->head];
        inbox->head = (inbox->head + 1) % INBOX_QUEUE_MESSAGES;
        inbox->count--;
        inbox->bytes -= nng_msg_len(w.msg);
        const struct connection *c = find(inbox, w.pipe);
        if (c != NULL && c->cut) {
            nng_msg_free(w.msg);
            continue;
        }
        taken = w.msg;
        *out_pipe = w.pipe;
    }
    if (inbox->paused && inbox->count <= INBOX_QUEUE_MESSAGES / 2 && inbox->bytes <= INBOX_QUEUE_BYTES / 2) {
        inbox->paused = false;
        resume = true;
    }
    (void)pthread_mutex_unlock(&inbox->lock);
    if (resume) {
        nng_recv_aio(inbox->socket, inbox->aio);
    }
    return taken;
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static enum err listen_on(struct inbox *inbox, const char *address, size_t max_message) {
    char url[256];
    int n = snprintf(url, sizeof url, "tcp://%s", address);
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_CONFIG;
    }
    if (nng_socket_set_size(inbox->socket, NNG_OPT_RECVMAXSZ, max_message) != 0 ||
        nng_pipe_notify(inbox->socket, NNG_PIPE_EV_ADD_PRE, pipe_changed, inbox) != 0 ||
        nng_pipe_notify(inbox->socket, NNG_PIPE_EV_REM_POST, pipe_changed, inbox) != 0) {
        return ERR_NOMEM;
    }
    int rv = nng_listen(inbox->socket, url, &inbox->listener, 0);
    switch (rv) {
    case 0:
        return OK;
    case NNG_EADDRINUSE:
        return ERR_BUSY;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
        return ERR_CONFIG;
    default:
        return ERR_NETWORK;
    }
}

enum err inbox_open(const struct inbox_config *config, struct inbox **out) {
    struct inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        return ERR_NOMEM;
    }
    inbox->slots = inbox->max_pipes = config->max_pipes;
    inbox->max_pipes_per_address = config->max_pipes_per_address;
    inbox->wake = config->wake;
    inbox->arg = config->arg;
    (void)pthread_mutex_init(&inbox->lock, NULL);
    inbox->connections = calloc(config->max_pipes, sizeof *inbox->connections);
    if (inbox->connections == NULL || nng_pull0_open(&inbox->socket) != 0) {
        goto no_socket;
    }
    enum err e = nng_aio_alloc(&inbox->aio, received, inbox) != 0 ? ERR_NOMEM : OK;
    if (e == OK) {
        e = listen_on(inbox, config->listen, config->max_message);
    }
    if (e != OK) {
        inbox_close(inbox);
        return e;
    }
    *out = inbox;
    return OK;

no_socket:
    free(inbox->connections);
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox);
    return ERR_NOMEM;
}

void inbox_start(struct inbox *inbox) {
    nng_recv_aio(inbox->socket, inbox->aio);
}

static void release(void *arg) {
    struct inbox *inbox = arg;
    while (inbox->count > 0) {
        nng_msg_free(inbox->queue[inbox->head].msg);
        inbox->head = (inbox->head + 1) % INBOX_QUEUE_MESSAGES;
        inbox->count--;
    }
    (void)pthread_mutex_destroy(&inbox->lock);
    free(inbox->connections);
    free(inbox);
}

void inbox_close(struct inbox *inbox) {
    if (inbox == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->wake = NULL;
    (void)pthread_mutex_unlock(&inbox->lock);
    if (inbox->aio != NULL) {
        nng_aio_cancel(inbox->aio);
    }
    inbox->closing.socket = inbox->socket;
    inbox->closing.aio = inbox->aio;
    inbox->closing.gone = release;
    inbox->closing.arg = inbox;
    socket_close_begin(&inbox->closing);
}

void inbox_limit(struct inbox *inbox, size_t pipes, size_t pipes_per_address) {
    (void)pthread_mutex_lock(&inbox->lock);
    inbox->max_pipes = pipes < inbox->slots ? pipes : inbox->slots;
    inbox->max_pipes_per_address = pipes_per_address;
    (void)pthread_mutex_unlock(&inbox->lock);
}

uint16_t inbox_port(const struct inbox *inbox) {
    int port = 0;
    (void)nng_listener_get_int(inbox->listener, NNG_OPT_TCP_BOUND_PORT, &port);
    return (uint16_t)port;
}

struct inbox_stats inbox_stats(struct inbox *inbox) {
    (void)pthread_mutex_lock(&inbox->lock);
    struct inbox_stats stats = inbox->stats;
    (void)pthread_mutex_unlock(&inbox->lock);
    return stats;
}
