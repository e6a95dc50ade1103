#include "node/gateway/source_watch.h"

#include "base/backoff.h"
#include "base/clock.h"
#include "node/fetch/transfers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 250
#define EVENTS_PATH "/v1/events?types=release,revocation,update,device"
#define MARK "event:"

struct stream {
    struct source_watch *watch;
    const char *base; /* the configuration's */
    bool active;
    atomic_bool open; /* bytes have come */
    size_t matched;   /* of MARK, at the start of a line */
    bool line_start;
    uint64_t retry_ms;
    uint32_t backoff_ms;
};

struct source_watch {
    struct source_watch_config config;
    pthread_t thread;
    bool running;
    struct transfers *transfers;
    atomic_bool stopping;
    struct stream streams[CONFIG_SOURCES_MAX];
    bool event_seen;
    uint64_t last_poke_ms;
};

/* Looks for lines that begin with "event:"; what kind it is does not matter. */
static void on_bytes(void *tag, struct bytes piece) {
    struct stream *stream = tag;
    atomic_store(&stream->open, true);
    stream->backoff_ms = 0;
    for (size_t i = 0; i < piece.len; i++) {
        if (stream->line_start && stream->matched < strlen(MARK) && piece.data[i] == (uint8_t)MARK[stream->matched]) {
            stream->matched++;
            stream->watch->event_seen = stream->watch->event_seen || stream->matched == strlen(MARK);
            continue;
        }
        stream->line_start = piece.data[i] == '\n';
        stream->matched = 0;
    }
}

static void start_due(struct source_watch *watch) {
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < watch->config.sources->count; i++) {
        struct stream *stream = &watch->streams[i];
        if (stream->active || now < stream->retry_ms) {
            continue;
        }
        const struct transfer_request request = {
            .base = stream->base, .path = EVENTS_PATH, .piece = on_bytes, .tag = stream};
        stream->line_start = true;
        stream->matched = 0;
        stream->active = transfers_get(watch->transfers, &request) == OK;
        stream->retry_ms = now + SOURCE_WATCH_RETRY_MAX_MS;
    }
}

static enum err on_end(void *arg, const struct transfer_answer *answer) {
    struct stream *stream = answer->tag;
    (void)arg;
    stream->backoff_ms = backoff_next(stream->backoff_ms, SOURCE_WATCH_RETRY_MIN_MS, SOURCE_WATCH_RETRY_MAX_MS);
    stream->active = false;
    atomic_store(&stream->open, false);
    stream->retry_ms = clock_mono_ms() + stream->backoff_ms;
    return OK;
}

/* How long it may wait; a poke that is held back comes soon. */
static int patience_ms(const struct source_watch *watch) {
    return watch->event_seen ? SOURCE_WATCH_POKES_MS : POLL_MS;
}

static void *run(void *arg) {
    struct source_watch *watch = arg;
    while (!atomic_load(&watch->stopping)) {
        start_due(watch);
        (void)!transfers_run(watch->transfers, patience_ms(watch), on_end, NULL);
        uint64_t now = clock_mono_ms();
        if (watch->event_seen && now - watch->last_poke_ms >= SOURCE_WATCH_POKES_MS) {
            watch->event_seen = false;
            watch->last_poke_ms = now;
            watch->config.poke(watch->config.ctx);
        }
    }
    return NULL;
}

enum err source_watch_new(const struct source_watch_config *config, struct source_watch **out) {
    struct source_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return ERR_NOMEM;
    }
    watch->config = *config;
    for (size_t i = 0; i < config->sources->count; i++) {
        watch->streams[i].watch = watch;
        watch->streams[i].base = config->sources->url[i];
    }
    const struct fetch_options options = {0};
    enum err e = transfers_new(&options, CONFIG_SOURCES_MAX, &watch->transfers);
    if (e == OK && pthread_create(&watch->thread, NULL, run, watch) != 0) {
        e = ERR_NOMEM;
    }
    if (e != OK) {
        source_watch_free(watch);
        return e;
    }
    watch->running = true;
    *out = watch;
    return OK;
}

void source_watch_free(struct source_watch *watch) {
    if (watch == NULL) {
        return;
    }
    atomic_store(&watch->stopping, true);
    if (watch->running) {
        transfers_wake(watch->transfers);
        (void)pthread_join(watch->thread, NULL);
    }
    transfers_free(watch->transfers);
    free(watch);
}

size_t source_watch_open(struct source_watch *watch) {
    size_t open = 0;
    for (size_t i = 0; i < watch->config.sources->count; i++) {
        open += atomic_load(&watch->streams[i].open);
    }
    return open;
}
