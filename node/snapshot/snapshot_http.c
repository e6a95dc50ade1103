#include "node/snapshot/snapshot_http.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define URL_SIZE 1024

struct transfer {
    CURL *easy; /* kept for its connection */
    bool active;
    bool too_long;
    size_t limit;
    struct buffer body;
    void *tag;
};

struct snapshot_http {
    struct snapshot_http_options options;
    CURLM *multi;
    struct transfer transfers[SNAPSHOT_TRANSFERS];
    size_t active;
};

enum err snapshot_http_new(const struct snapshot_http_options *options, struct snapshot_http **out) {
    struct snapshot_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return ERR_NOMEM;
    }
    http->options = *options;
    http->multi = curl_multi_init();
    if (http->multi == NULL) {
        free(http);
        return ERR_NOMEM;
    }
    *out = http;
    return OK;
}

static void end_transfer(struct snapshot_http *http, struct transfer *t) {
    (void)curl_multi_remove_handle(http->multi, t->easy);
    t->active = false;
    http->active--;
}

static void http_drop(void *ctx) {
    struct snapshot_http *http = ctx;
    for (size_t i = 0; i < SNAPSHOT_TRANSFERS; i++) {
        if (http->transfers[i].active) {
            end_transfer(http, &http->transfers[i]);
        }
    }
}

void snapshot_http_free(struct snapshot_http *http) {
    if (http == NULL) {
        return;
    }
    http_drop(http);
    for (size_t i = 0; i < SNAPSHOT_TRANSFERS; i++) {
        curl_easy_cleanup(http->transfers[i].easy);
        buffer_free(&http->transfers[i].body);
    }
    (void)curl_multi_cleanup(http->multi);
    free(http);
}

static size_t http_active(void *ctx) {
    return ((const struct snapshot_http *)ctx)->active;
}

static size_t take_body(char *data, size_t size, size_t count, void *arg) {
    struct transfer *t = arg;
    size_t len = size * count;
    if (len > t->limit - t->body.len) {
        t->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buffer_put(&t->body, data, len);
    return t->body.failed ? CURL_WRITEFUNC_ERROR : len;
}

static bool set_options(const struct snapshot_http *http, struct transfer *t, const char *url, uint32_t timeout_ms) {
    const struct snapshot_http_options *o = &http->options;
    uint32_t stall_ms = o->stall_ms == 0 ? 10000 : o->stall_ms;
    curl_easy_reset(t->easy);
    return curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                            o->connect_timeout_ms == 0 ? 3000L : (long)o->connect_timeout_ms) == CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, o->min_rate == 0 ? 4096L : (long)o->min_rate) ==
               CURLE_OK &&
           curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)((stall_ms + 999) / 1000)) == CURLE_OK;
}

static enum err http_get(void *ctx, const char *base, const char *path, size_t limit, uint32_t timeout_ms, void *tag) {
    struct snapshot_http *http = ctx;
    char url[URL_SIZE];
    struct transfer *t = NULL;
    for (size_t i = 0; i < SNAPSHOT_TRANSFERS && t == NULL; i++) {
        t = http->transfers[i].active ? NULL : &http->transfers[i];
    }
    size_t len = strlen(base);
    len -= len > 0 && base[len - 1] == '/' ? 1 : 0;
    int n = snprintf(url, sizeof url, "%.*s%s", (int)len, base, path);
    if (t == NULL) {
        return ERR_FULL;
    }
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_TOOLARGE;
    }
    if (t->easy == NULL) {
        t->easy = curl_easy_init();
    }
    if (t->easy == NULL || !set_options(http, t, url, timeout_ms)) {
        return ERR_NOMEM;
    }
    t->limit = limit;
    t->too_long = false;
    t->tag = tag;
    buffer_free(&t->body); /* what was large once need not stay so */
    if (curl_multi_add_handle(http->multi, t->easy) != CURLM_OK) {
        return ERR_NOMEM;
    }
    t->active = true;
    http->active++;
    return OK;
}

static struct snapshot_answer answer_of(const struct transfer *t, CURLcode code) {
    struct snapshot_answer answer = {.e = ERR_NETWORK, .body = buffer_bytes(&t->body)};
    long status = 0;
    (void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200) {
        answer.e = OK;
    } else if (t->too_long) {
        answer.e = status == 200 ? ERR_TOOLARGE : ERR_NETWORK;
        (void)snprintf(answer.what, sizeof answer.what, "sent more bytes than that can have");
    } else if (code == CURLE_OK) {
        answer.e = status == 404 || status == 410 ? ERR_NOTFOUND : ERR_NETWORK;
        (void)snprintf(answer.what, sizeof answer.what, "answered with status %ld", status);
    } else {
        answer.e = code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_NETWORK;
        (void)snprintf(answer.what, sizeof answer.what, "%s",
                       code == CURLE_OPERATION_TIMEDOUT ? "too slow" : curl_easy_strerror(code));
    }
    return answer;
}

/* The transfer is free for another before its answer is told, but its body stays until then. */
static enum err tell(struct snapshot_http *http, struct transfer *t, CURLcode code,
                     enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer), void *arg) {
    struct snapshot_answer answer = answer_of(t, code);
    struct buffer body = t->body;
    t->body = BUFFER_INIT;
    end_transfer(http, t);
    enum err e = body.failed ? ERR_NOMEM : done(arg, t->tag, &answer);
    buffer_free(&body);
    return e;
}

static enum err http_run(void *ctx, int wait_ms,
                         enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer), void *arg) {
    struct snapshot_http *http = ctx;
    int running = 0, left = 0;
    bool any = false;
    const CURLMsg *message;
    if (curl_multi_perform(http->multi, &running) != CURLM_OK) {
        return ERR_NETWORK;
    }
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct transfer *t = NULL;
        CURLcode code = message->data.result;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t) != CURLE_OK) {
            continue;
        }
        any = true;
        enum err e = tell(http, t, code, done, arg);
        if (e != OK) {
            return e;
        }
    }
    /* Waiting is right only when there is nothing to begin in place of what has just ended. */
    return any || curl_multi_poll(http->multi, NULL, 0, wait_ms, NULL) == CURLM_OK ? OK : ERR_NETWORK;
}

static uint64_t http_now_ms(void *ctx) {
    (void)ctx;
    return clock_mono_ms();
}

static void http_pause(void *ctx, uint32_t ms) {
    const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
    (void)ctx;
    (void)nanosleep(&pause, NULL);
}

static const struct snapshot_transport_ops http_ops = {
    .get = http_get,
    .active = http_active,
    .run = http_run,
    .drop = http_drop,
    .now_ms = http_now_ms,
    .pause = http_pause,
};

struct snapshot_transport snapshot_http_transport(struct snapshot_http *http) {
    return (struct snapshot_transport){.ops = &http_ops, .ctx = http};
}
