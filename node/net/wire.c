#include "node/net/wire.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Room for several of the largest frames, so that one read takes in what arrived together. */
#define IN_AT_LEAST(frame_max) (2 * ((frame_max) + WIRE_LENGTH_LEN))

/* ---- The hub ----------------------------------------------------------------------------------------------------- */

struct wire_hub {
    atomic_uint refs;
    pthread_mutex_t lock; /* over what follows */
    void (*wake)(void *arg);
    void *arg;
};

struct wire_hub *wire_hub_new(void (*wake)(void *arg), void *arg) {
    struct wire_hub *hub = calloc(1, sizeof *hub);
    if (hub != NULL) {
        atomic_init(&hub->refs, 1);
        (void)pthread_mutex_init(&hub->lock, NULL);
        hub->wake = wake;
        hub->arg = arg;
    }
    return hub;
}

struct wire_hub *wire_hub_ref(struct wire_hub *hub) {
    (void)atomic_fetch_add(&hub->refs, 1);
    return hub;
}

void wire_hub_unref(struct wire_hub *hub) {
    if (atomic_fetch_sub(&hub->refs, 1) == 1) {
        (void)pthread_mutex_destroy(&hub->lock);
        free(hub);
    }
}

void wire_hub_wake(struct wire_hub *hub) {
    (void)pthread_mutex_lock(&hub->lock);
    if (hub->wake != NULL) {
        hub->wake(hub->arg);
    }
    (void)pthread_mutex_unlock(&hub->lock);
}

void wire_hub_silence(struct wire_hub *hub) {
    (void)pthread_mutex_lock(&hub->lock);
    hub->wake = NULL;
    (void)pthread_mutex_unlock(&hub->lock);
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

struct wire {
    struct wire_hub *hub;
    nng_stream *stream;
    nng_aio *read, *write;
    atomic_uint refs; /* the owner's, and one for a read that is under way */
    atomic_bool closed;
    void (*ended)(struct wire *w, void *arg);
    void (*drop)(void *arg);
    void *arg;

    atomic_bool read_ended;
    bool reading;
    size_t frame_max;
    uint8_t *in;
    size_t in_cap, in_from, in_len; /* bytes at hand begin at in_from and end at in_len */

    bool broken;                   /* a write failed: nothing goes out any more */
    struct buffer gathered, going; /* to be written, and being written */
    size_t gone;                   /* bytes of `going` that are written */
    uint64_t stuck_since_ms;       /* the network takes nothing; 0: it does */
};

static void release(struct wire *w) {
    if (atomic_fetch_sub(&w->refs, 1) != 1) {
        return;
    }
    nng_stream_free(w->stream);
    nng_aio_reap(w->read);
    nng_aio_reap(w->write);
    if (w->drop != NULL) {
        w->drop(w->arg);
    }
    wire_hub_unref(w->hub);
    buffer_free(&w->gathered);
    buffer_free(&w->going);
    free(w->in);
    free(w);
}

static void on_read(void *arg) {
    struct wire *w = arg;
    atomic_store(&w->read_ended, true);
    if (!atomic_load(&w->closed)) {
        if (w->ended != NULL) {
            w->ended(w, w->arg);
        } else {
            wire_hub_wake(w->hub);
        }
    }
    release(w);
}

enum err wire_new(struct wire_hub *hub, nng_stream *stream, size_t frame_max, struct wire **out) {
    struct wire *w = calloc(1, sizeof *w);
    if (w == NULL || nng_aio_alloc(&w->read, on_read, w) != 0) {
        goto no_memory;
    }
    /* Without a callback its end costs no change of threads. */
    if (nng_aio_alloc(&w->write, NULL, NULL) != 0 || wire_widen(w, frame_max) != OK) {
        goto no_memory;
    }
    atomic_init(&w->refs, 1);
    (void)nng_stream_set_bool(stream, NNG_OPT_TCP_NODELAY, true); /* what is ready goes in one write as it is */
    w->stream = stream;
    w->hub = wire_hub_ref(hub);
    *out = w;
    return OK;

no_memory:
    nng_stream_free(stream);
    if (w != NULL) {
        nng_aio_free(w->read);
        nng_aio_free(w->write);
        free(w->in);
        free(w);
    }
    return ERR_NOMEM;
}

void wire_attend(struct wire *w, void (*ended)(struct wire *w, void *arg), void (*drop)(void *arg), void *arg) {
    w->ended = ended;
    w->drop = drop;
    w->arg = arg;
}

void wire_own(struct wire *w) {
    ASSERT(!w->reading);
    w->ended = NULL;
}

void wire_close(struct wire *w) {
    if (w != NULL && !atomic_exchange(&w->closed, true)) {
        nng_stream_close(w->stream); /* ends what is under way; afterwards nng looks at no buffer of ours */
        release(w);
    }
}

bool wire_is_closed(const struct wire *w) {
    return atomic_load(&w->closed);
}

void wire_hold(struct wire *w) {
    (void)atomic_fetch_add(&w->refs, 1);
}

void wire_let_go(struct wire *w) {
    release(w);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

enum err wire_widen(struct wire *w, size_t frame_max) {
    size_t cap = IN_AT_LEAST(frame_max);
    uint8_t *in = cap > w->in_cap ? realloc(w->in, cap) : w->in;
    ASSERT(!w->reading);
    if (in == NULL) {
        return ERR_NOMEM;
    }
    w->in = in;
    w->in_cap = cap > w->in_cap ? cap : w->in_cap;
    w->frame_max = frame_max;
    return OK;
}

/* Takes in what the last read brought. False: it is still under way. */
static bool absorb(struct wire *w, enum err *out) {
    *out = OK;
    if (!w->reading) {
        return true;
    }
    if (!atomic_load(&w->read_ended)) {
        return false;
    }
    w->reading = false;
    if (nng_aio_result(w->read) != 0) {
        *out = ERR_CLOSED;
    } else {
        w->in_len += nng_aio_count(w->read);
    }
    return true;
}

static void begin_read(struct wire *w) {
    memmove(w->in, w->in + w->in_from, w->in_len - w->in_from);
    w->in_len -= w->in_from;
    w->in_from = 0;
    nng_iov iov = {.iov_buf = w->in + w->in_len, .iov_len = w->in_cap - w->in_len};
    (void)nng_aio_set_iov(w->read, 1, &iov);
    w->reading = true;
    atomic_store(&w->read_ended, false);
    (void)atomic_fetch_add(&w->refs, 1);
    nng_stream_recv(w->stream, w->read);
}

void wire_return(struct wire *w, size_t len) {
    ASSERT(w->in_from >= WIRE_LENGTH_LEN + len);
    w->in_from -= WIRE_LENGTH_LEN + len;
}

enum err wire_next(struct wire *w, uint8_t **out_data, size_t *out_len) {
    enum err e;
    if (wire_is_closed(w)) {
        return ERR_CLOSED;
    }
    if (!absorb(w, &e)) {
        return ERR_NOTFOUND;
    }
    size_t have = w->in_len - w->in_from;
    if (have >= WIRE_LENGTH_LEN) {
        size_t len = load_u32(w->in + w->in_from);
        if (len == 0 || len > w->frame_max) {
            return ERR_MALFORMED;
        }
        if (have >= WIRE_LENGTH_LEN + len) {
            *out_data = w->in + w->in_from + WIRE_LENGTH_LEN;
            *out_len = len;
            w->in_from += WIRE_LENGTH_LEN + len;
            return OK;
        }
    }
    if (e != OK || w->broken) {
        return ERR_CLOSED;
    }
    begin_read(w);
    return ERR_NOTFOUND;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

uint8_t *wire_room(struct wire *w, size_t len) {
    size_t before = w->gathered.len;
    if (w->broken || before + w->going.len - w->gone >= WIRE_OUT_MAX) {
        return NULL;
    }
    uint8_t *room = buffer_extend(&w->gathered, WIRE_LENGTH_LEN + len);
    if (room == NULL) {
        w->gathered.failed = false;
        return NULL;
    }
    w->gathered.len = before; /* counted when it is put */
    return room + WIRE_LENGTH_LEN;
}

void wire_put(struct wire *w, size_t len) {
    ASSERT(w->gathered.len + WIRE_LENGTH_LEN + len <= w->gathered.cap);
    store_u32(w->gathered.data + w->gathered.len, (uint32_t)len);
    w->gathered.len += WIRE_LENGTH_LEN + len;
}

/* Writes what the network takes at once. nng would keep the rest and write it later, but how far it is may be looked at
 * only after its end: so what did not go is taken back, and nothing is ever under way when this returns. */
static int write_now(struct wire *w, size_t *out_count) {
    nng_iov iov = {.iov_buf = w->going.data + w->gone, .iov_len = w->going.len - w->gone};
    (void)nng_aio_set_iov(w->write, 1, &iov);
    nng_stream_send(w->stream, w->write);
    nng_aio_cancel(w->write);
    nng_aio_wait(w->write); /* where nng's thread is just writing it: no more than a moment */
    *out_count = nng_aio_count(w->write);
    return nng_aio_result(w->write);
}

static void break_off(struct wire *w) {
    w->broken = true;
    w->stuck_since_ms = 0;
    buffer_reset(&w->gathered);
    buffer_reset(&w->going);
    w->gone = 0;
}

bool wire_flush(struct wire *w) {
    while (w->going.len > 0 || w->gathered.len > 0) {
        if (w->going.len == 0) {
            const struct buffer emptied = w->going;
            w->going = w->gathered;
            w->gathered = emptied;
        }
        size_t count;
        int rv = write_now(w, &count);
        if (rv == NNG_ECANCELED) {
            w->stuck_since_ms = w->stuck_since_ms != 0 ? w->stuck_since_ms : clock_mono_ms();
            return false;
        }
        if (rv != 0) {
            break_off(w);
            return true;
        }
        w->stuck_since_ms = 0;
        w->gone += count;
        if (w->gone == w->going.len) {
            buffer_reset(&w->going);
            w->gone = 0;
        }
    }
    return true;
}

uint64_t wire_stuck_ms(const struct wire *w, uint64_t now_ms) {
    return w->stuck_since_ms != 0 && now_ms > w->stuck_since_ms ? now_ms - w->stuck_since_ms : 0;
}

bool wire_is_broken(const struct wire *w) {
    return w->broken;
}

/* What an IPv6 network is set apart by from IPv4 addresses, and ::1 from one that is not known. */
#define IPV6_MARK 0x9e3779b97f4a7c15u

/* ---- Whose ------------------------------------------------------------------------------------------------------- */

uint64_t wire_address(const struct wire *w) {
    nng_sockaddr sa;
    uint64_t address = 0;
    if (nng_stream_get_addr(w->stream, NNG_OPT_REMADDR, &sa) != 0) {
        return 0;
    }
    if (sa.s_family == NNG_AF_INET) {
        address = sa.s_in.sa_addr;
    } else if (sa.s_family == NNG_AF_INET6) {
        static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}; /* an IPv4 address on a socket for both */
        uint32_t v4;
        memcpy(&v4, sa.s_in6.sa_addr + sizeof mapped, sizeof v4);
        memcpy(&address, sa.s_in6.sa_addr, sizeof address);
        address = memcmp(sa.s_in6.sa_addr, mapped, sizeof mapped) == 0 ? v4 : address ^ IPV6_MARK;
    }
    return address;
}
