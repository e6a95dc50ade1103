#include "node/http/waiting.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/http/http_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct http_deferred {
    struct waiting *owner;
    struct http_deferred *prev, *next;
    struct MHD_Connection *connection; /* NULL once the request is over */
    struct http_response *on_timeout;
    struct http_response *answer; /* decided, not yet handed to the library */
    uint64_t deadline_ms;
    bool decided; /* what the client gets is settled: answer, timeout, stop, or it has gone */
    bool suspended;
    bool listed;
    int shares; /* the request's and the caller's */
};

struct http_stream {
    struct waiting *owner;
    struct http_stream *prev, *next;
    struct MHD_Connection *connection;
    struct connection_address address;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct buffer queue;
    size_t sent; /* of the queue */
    uint64_t quiet_since_ms;
    bool suspended;
    bool over;   /* nothing more can be sent */
    bool closed; /* by its owner: ends after what is queued */
    int shares;  /* the response's and the caller's */
};

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct http_deferred *deferred;
    struct http_stream *streams;
    uint32_t deferred_count, stream_count, max_streams, max_of_address;
    uint64_t wakes_ms; /* when whoever sleeps in waiting_sleep looks again by itself */
    bool stopping;
    int shares; /* the server's and one for each handle */
};

enum err waiting_new(uint32_t max_streams, uint32_t max_of_address, struct waiting **out) {
    struct waiting *w = calloc(1, sizeof *w);
    if (w == NULL) {
        return ERR_NOMEM;
    }
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&w->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&w->lock, NULL);
    w->max_streams = max_streams;
    w->max_of_address = max_of_address;
    w->shares = 1;
    *out = w;
    return OK;
}

static void lock(struct waiting *w) {
    (void)pthread_mutex_lock(&w->lock);
}

static void unlock(struct waiting *w) {
    (void)pthread_mutex_unlock(&w->lock);
}

void waiting_limit(struct waiting *w, uint32_t max_streams, uint32_t max_of_address) {
    lock(w);
    w->max_streams = max_streams;
    w->max_of_address = max_of_address;
    unlock(w);
}

/* Gives up the lock and one share. */
static void unlock_release(struct waiting *w) {
    bool last = --w->shares == 0;
    unlock(w);
    if (last) {
        (void)pthread_mutex_destroy(&w->lock);
        (void)pthread_cond_destroy(&w->changed);
        free(w);
    }
}

void waiting_release(struct waiting *w) {
    if (w != NULL) {
        lock(w);
        unlock_release(w);
    }
}

/* ---- Deferred answers ---- */

struct http_deferred *waiting_defer(struct waiting *w, struct MHD_Connection *connection, uint64_t timeout_ms,
                                    struct http_response *on_timeout) {
    struct http_deferred *d = calloc(1, sizeof *d);
    if (d == NULL) {
        http_response_free(on_timeout);
        return NULL;
    }
    d->owner = w;
    d->connection = connection;
    d->on_timeout = on_timeout;
    d->deadline_ms = clock_mono_ms() + timeout_ms;
    d->shares = 2;
    lock(w);
    w->shares++;
    if (w->stopping) {
        d->decided = true;
    } else {
        d->next = w->deferred;
        if (d->next != NULL) {
            d->next->prev = d;
        }
        w->deferred = d;
        d->listed = true;
        w->deferred_count++;
        if (d->deadline_ms < w->wakes_ms) {
            w->wakes_ms = d->deadline_ms;
            (void)pthread_cond_signal(&w->changed);
        }
    }
    unlock(w);
    return d;
}

static void unlist(struct http_deferred *d) {
    if (!d->listed) {
        return;
    }
    *(d->prev != NULL ? &d->prev->next : &d->owner->deferred) = d->next;
    if (d->next != NULL) {
        d->next->prev = d->prev;
    }
    d->listed = false;
    d->owner->deferred_count--;
}

/* Settles what the client gets and wakes the connection. The lock is held. */
static void decide(struct http_deferred *d, struct http_response *answer) {
    d->answer = answer;
    d->decided = true;
    unlist(d);
    if (d->suspended) {
        d->suspended = false;
        MHD_resume_connection(d->connection);
    }
}

/* Gives up the lock and one share of the handle. */
static void unlock_drop(struct http_deferred *d) {
    struct waiting *w = d->owner;
    if (--d->shares > 0) {
        unlock(w);
        return;
    }
    unlist(d);
    http_response_free(d->answer);
    http_response_free(d->on_timeout);
    free(d);
    unlock_release(w);
}

bool http_complete(struct http_deferred *deferred, struct http_response *consumed) {
    if (deferred == NULL) {
        http_response_free(consumed);
        return false;
    }
    lock(deferred->owner);
    bool taken = !deferred->decided;
    if (taken) {
        decide(deferred, consumed);
    }
    unlock_drop(deferred);
    if (!taken) {
        http_response_free(consumed);
    }
    return taken;
}

enum MHD_Result waiting_settle(struct http_deferred *d) {
    struct http_response *answer = NULL;
    lock(d->owner);
    bool wait = !d->decided;
    if (wait) {
        d->suspended = true;
        MHD_suspend_connection(d->connection);
    } else {
        answer = d->answer;
        d->answer = NULL;
    }
    struct MHD_Connection *connection = d->connection;
    unlock(d->owner);
    if (wait) {
        return MHD_YES;
    }
    if (answer == NULL) {
        answer = http_error(503, "UNAVAILABLE", "try another node, or this one a little later",
                            "the node is stopping or out of memory");
    }
    if (answer == NULL) {
        return MHD_NO;
    }
    enum MHD_Result queued = MHD_queue_response(connection, answer->status, answer->mhd);
    http_response_free(answer);
    return queued;
}

void waiting_forget(struct http_deferred *d) {
    if (d == NULL) {
        return;
    }
    lock(d->owner);
    d->connection = NULL;
    d->suspended = false;
    if (!d->decided) {
        decide(d, NULL);
    }
    unlock_drop(d);
}

/* ---- Streams ---- */

static void wake_stream(struct http_stream *s) {
    if (s->suspended) {
        s->suspended = false;
        MHD_resume_connection(s->connection);
    }
}

static ssize_t stream_read(void *ctx, uint64_t at, char *out, size_t max) {
    struct http_stream *s = ctx;
    (void)at;
    lock(s->owner);
    ssize_t given = 0;
    size_t left = s->queue.len - s->sent;
    if (left > 0 && !s->over) {
        size_t n = left < max ? left : max;
        memcpy(out, s->queue.data + s->sent, n);
        s->sent += n;
        given = (ssize_t)n;
    } else if (s->over || s->closed || s->owner->stopping) {
        given = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        s->suspended = true;
        MHD_suspend_connection(s->connection);
    }
    bool drained = s->sent == s->queue.len;
    if (drained) {
        buffer_reset(&s->queue);
        s->sent = 0;
    }
    void (*tell)(void *ctx) = given > 0 && drained ? s->drained : NULL;
    void *tell_ctx = s->drained_ctx;
    unlock(s->owner);
    if (tell != NULL) {
        tell(tell_ctx);
    }
    return given;
}

static void unlock_drop_stream(struct http_stream *s) {
    struct waiting *w = s->owner;
    if (--s->shares > 0) {
        unlock(w);
        return;
    }
    *(s->prev != NULL ? &s->prev->next : &w->streams) = s->next;
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    w->stream_count--;
    buffer_free(&s->queue);
    free(s);
    unlock_release(w);
}

/* The library has let go of the response: the connection is gone or the answer was complete. */
static void stream_gone(void *ctx) {
    struct http_stream *s = ctx;
    lock(s->owner);
    s->over = true;
    s->suspended = false;
    s->connection = NULL;
    void (*tell)(void *ctx) = s->closed ? NULL : s->drained;
    void *tell_ctx = s->drained_ctx;
    unlock_drop_stream(s);
    if (tell != NULL) {
        tell(tell_ctx);
    }
}

static struct http_response *stream_response(struct http_stream *s) {
    struct http_response *response = calloc(1, sizeof *response);
    if (response == NULL) {
        return NULL;
    }
    response->status = 200;
    response->mhd = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, stream_read, s, stream_gone);
    if (response->mhd == NULL) {
        free(response);
        return NULL;
    }
    http_response_header(response, "Content-Type", "text/event-stream");
    http_response_header(response, "Cache-Control", "no-store");
    http_response_header(response, "X-Accel-Buffering", "no");
    return response;
}

/* The lock is held. */
static uint32_t streams_of(const struct waiting *w, const struct connection_address *address) {
    uint32_t count = 0;
    for (const struct http_stream *s = w->streams; s != NULL; s = s->next) {
        count += !s->over && memcmp(&s->address, address, sizeof *address) == 0 ? 1 : 0;
    }
    return count;
}

struct http_stream *waiting_stream(struct waiting *w, const struct waiting_stream_config *config,
                                   struct http_response **out_response) {
    struct http_stream *s = calloc(1, sizeof *s);
    struct http_response *response = s != NULL ? stream_response(s) : NULL;
    if (response == NULL) {
        free(s);
        return NULL;
    }
    s->owner = w;
    s->connection = config->connection;
    s->address = config->address;
    s->quiet_since_ms = clock_mono_ms();
    s->shares = 2;
    lock(w);
    w->shares++;
    w->stream_count++;
    s->next = w->streams;
    if (s->next != NULL) {
        s->next->prev = s;
    }
    w->streams = s;
    bool refused =
        w->stopping || w->stream_count > w->max_streams || streams_of(w, &config->address) > w->max_of_address;
    unlock(w);
    if (refused) {
        http_response_free(response);
        http_stream_close(s);
        return NULL;
    }
    /* The comment makes proxies and clients see the head at once. */
    (void)http_stream_send(s, NULL, NULL, NULL);
    lock(w);
    s->drained = config->drained;
    s->drained_ctx = config->ctx;
    unlock(w);
    *out_response = response;
    return s;
}

static void put_line(struct buffer *out, const char *name, const char *value, size_t len) {
    buffer_put(out, name, strlen(name));
    buffer_put(out, value, len);
    buffer_u8(out, '\n');
}

static void put_event(struct buffer *out, const char *id, const char *type, const char *data) {
    if (id != NULL) {
        put_line(out, "id: ", id, strcspn(id, "\r\n"));
    }
    if (type != NULL) {
        put_line(out, "event: ", type, strcspn(type, "\r\n"));
    }
    while (data != NULL) {
        size_t len = strcspn(data, "\n");
        put_line(out, "data: ", data, len);
        data = data[len] == '\n' ? data + len + 1 : NULL;
    }
    if (id == NULL && type == NULL && out->len == 0) {
        buffer_u8(out, ':');
        buffer_u8(out, '\n');
    }
    buffer_u8(out, '\n');
}

/* The lock is held. */
static bool enqueue(struct http_stream *s, struct bytes text) {
    if (s->over || s->closed || s->owner->stopping) {
        return false;
    }
    if (s->queue.len - s->sent + text.len > WAITING_STREAM_BYTES) {
        return false;
    }
    if (s->sent > WAITING_STREAM_BYTES) {
        memmove(s->queue.data, s->queue.data + s->sent, s->queue.len - s->sent);
        s->queue.len -= s->sent;
        s->sent = 0;
    }
    buffer_put(&s->queue, text.data, text.len);
    s->over = buffer_ok(&s->queue) != OK;
    s->quiet_since_ms = clock_mono_ms();
    wake_stream(s);
    return !s->over;
}

bool http_stream_send(struct http_stream *stream, const char *id, const char *type, const char *data) {
    struct buffer text = BUFFER_INIT;
    put_event(&text, id, type, data);
    bool sent = false;
    if (buffer_ok(&text) == OK) {
        lock(stream->owner);
        sent = enqueue(stream, buffer_bytes(&text));
        unlock(stream->owner);
    }
    buffer_free(&text);
    return sent;
}

bool http_stream_has_room(struct http_stream *stream) {
    lock(stream->owner);
    bool has_room = stream->queue.len - stream->sent < HTTP_STREAM_LOW;
    unlock(stream->owner);
    return has_room;
}

bool http_stream_over(struct http_stream *stream) {
    lock(stream->owner);
    bool over = stream->over || stream->owner->stopping;
    unlock(stream->owner);
    return over;
}

void http_stream_close(struct http_stream *stream) {
    if (stream == NULL) {
        return;
    }
    lock(stream->owner);
    stream->closed = true;
    wake_stream(stream);
    unlock_drop_stream(stream);
}

/* ---- The whole ---- */

uint64_t waiting_tick(struct waiting *w, uint64_t now_ms) {
    uint64_t next = now_ms + 1000;
    lock(w);
    for (struct http_deferred *d = w->deferred, *after; d != NULL; d = after) {
        after = d->next;
        if (d->deadline_ms <= now_ms) {
            struct http_response *answer = d->on_timeout;
            d->on_timeout = NULL;
            decide(d, answer);
        } else if (d->deadline_ms < next) {
            next = d->deadline_ms;
        }
    }
    for (struct http_stream *s = w->streams; s != NULL; s = s->next) {
        if (now_ms - s->quiet_since_ms >= WAITING_HEARTBEAT_MS) {
            (void)enqueue(s, bytes_str(":\n\n"));
        }
    }
    w->wakes_ms = next;
    unlock(w);
    return next;
}

bool waiting_sleep(struct waiting *w, uint64_t until_ms) {
    lock(w);
    /* Something with an earlier deadline may have come in since the last tick. */
    uint64_t wake_ms = w->wakes_ms < until_ms ? w->wakes_ms : until_ms;
    struct timespec until = {.tv_sec = (time_t)(wake_ms / 1000), .tv_nsec = (long)(wake_ms % 1000) * 1000000};
    w->wakes_ms = wake_ms;
    if (!w->stopping) {
        (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
    }
    bool go_on = !w->stopping;
    unlock(w);
    return go_on;
}

void waiting_stop(struct waiting *w) {
    lock(w);
    w->stopping = true;
    while (w->deferred != NULL) {
        decide(w->deferred, NULL);
    }
    for (struct http_stream *s = w->streams; s != NULL; s = s->next) {
        wake_stream(s);
    }
    (void)pthread_cond_broadcast(&w->changed);
    unlock(w);
}

void waiting_stats(struct waiting *w, uint32_t *out_streams, uint32_t *out_deferred) {
    lock(w);
    *out_streams = w->stream_count;
    *out_deferred = w->deferred_count;
    unlock(w);
}
