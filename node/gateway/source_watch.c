#include "node/gateway/source_watch.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLL_MS 250
#define CONNECT_TIMEOUT_MS 5000l
#define KEEPALIVE_S 15l
#define EVENTS_PATH "/v1/events?types=release,revocation,update,device"
#define MARK "event:"

struct stream {
    struct source_watch *watch;
    CURL *easy;
    char url[CONFIG_URL_MAX + sizeof EVENTS_PATH];
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
    CURLM *multi;
    atomic_bool stopping;
    struct stream streams[CONFIG_SOURCES_MAX];
    bool event_seen;
    uint64_t last_poke_ms;
};

/* Looks for lines that begin with "event:"; what kind it is does not matter. */
static size_t on_bytes(char *data, size_t size, size_t count, void *arg) {
    struct stream *stream = arg;
    size_t len = size * count;
    atomic_store(&stream->open, true);
    stream->backoff_ms = 0;
    for (size_t i = 0; i < len; i++) {
        if (stream->line_start && stream->matched < strlen(MARK) && data[i] == MARK[stream->matched]) {
            stream->matched++;
            stream->watch->event_seen = stream->watch->event_seen || stream->matched == strlen(MARK);
            continue;
        }
        stream->line_start = data[i] == '\n';
        stream->matched = 0;
    }
    return len;
}

static enum err prepare(struct source_watch *watch, struct stream *stream, const char *base) {
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/') {
        len--;
    }
    stream->watch = watch;
    stream->easy = curl_easy_init();
    if (stream->easy == NULL) {
        return ERR_NOMEM;
    }
    (void)snprintf(stream->url, sizeof stream->url, "%.*s%s", (int)len, base, EVENTS_PATH);
    (void)curl_easy_setopt(stream->easy, CURLOPT_URL, stream->url);
    (void)curl_easy_setopt(stream->easy, CURLOPT_NOSIGNAL, 1l);
    (void)curl_easy_setopt(stream->easy, CURLOPT_FAILONERROR, 1l);
    (void)curl_easy_setopt(stream->easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(stream->easy, CURLOPT_TCP_KEEPALIVE, 1l);
    (void)curl_easy_setopt(stream->easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    (void)curl_easy_setopt(stream->easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    (void)curl_easy_setopt(stream->easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(stream->easy, CURLOPT_WRITEFUNCTION, on_bytes);
    (void)curl_easy_setopt(stream->easy, CURLOPT_WRITEDATA, stream);
    (void)curl_easy_setopt(stream->easy, CURLOPT_PRIVATE, stream);
    return OK;
}

static void start_due(struct source_watch *watch) {
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < watch->config.sources->count; i++) {
        struct stream *stream = &watch->streams[i];
        if (!stream->active && now >= stream->retry_ms) {
            stream->line_start = true;
            stream->matched = 0;
            stream->active = curl_multi_add_handle(watch->multi, stream->easy) == CURLM_OK;
            stream->retry_ms = now + SOURCE_WATCH_RETRY_MAX_MS;
        }
    }
}

static void end_finished(struct source_watch *watch) {
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(watch->multi, &left)) != NULL) {
        struct stream *stream = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &stream);
        (void)curl_multi_remove_handle(watch->multi, stream->easy);
        uint32_t twice = 2 * stream->backoff_ms;
        stream->backoff_ms = twice < SOURCE_WATCH_RETRY_MIN_MS   ? SOURCE_WATCH_RETRY_MIN_MS
                             : twice > SOURCE_WATCH_RETRY_MAX_MS ? SOURCE_WATCH_RETRY_MAX_MS
                                                                 : twice;
        stream->active = false;
        atomic_store(&stream->open, false);
        stream->retry_ms = clock_mono_ms() + stream->backoff_ms;
    }
}

/* How long curl may wait; a poke that is held back comes soon. */
static int patience_ms(const struct source_watch *watch) {
    return watch->event_seen ? SOURCE_WATCH_POKES_MS : POLL_MS;
}

static void *run(void *arg) {
    struct source_watch *watch = arg;
    while (!atomic_load(&watch->stopping)) {
        int running;
        start_due(watch);
        (void)curl_multi_perform(watch->multi, &running);
        end_finished(watch);
        uint64_t now = clock_mono_ms();
        if (watch->event_seen && now - watch->last_poke_ms >= SOURCE_WATCH_POKES_MS) {
            watch->event_seen = false;
            watch->last_poke_ms = now;
            watch->config.poke(watch->config.ctx);
        }
        (void)curl_multi_poll(watch->multi, NULL, 0, patience_ms(watch), NULL);
    }
    return NULL;
}

enum err source_watch_new(const struct source_watch_config *config, struct source_watch **out) {
    struct source_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL) {
        return ERR_NOMEM;
    }
    watch->config = *config;
    watch->multi = curl_multi_init();
    enum err e = watch->multi != NULL ? OK : ERR_NOMEM;
    for (size_t i = 0; i < config->sources->count && e == OK; i++) {
        e = prepare(watch, &watch->streams[i], config->sources->url[i]);
    }
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
        (void)curl_multi_wakeup(watch->multi);
        (void)pthread_join(watch->thread, NULL);
    }
    for (size_t i = 0; i < CONFIG_SOURCES_MAX; i++) {
        struct stream *stream = &watch->streams[i];
        if (stream->active) {
            (void)curl_multi_remove_handle(watch->multi, stream->easy);
        }
        curl_easy_cleanup(stream->easy);
    }
    curl_multi_cleanup(watch->multi);
    free(watch);
}

size_t source_watch_open(struct source_watch *watch) {
    size_t open = 0;
    for (size_t i = 0; i < watch->config.sources->count; i++) {
        open += atomic_load(&watch->streams[i].open);
    }
    return open;
}
