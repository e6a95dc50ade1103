#include "node/snapshot/snapshot_http.h"

#include "base/clock.h"
#include "node/fetch/transfers.h"

#include <stdlib.h>
#include <time.h>

#define CONNECT_TIMEOUT_MS 3000
#define MIN_RATE 4096

struct snapshot_http {
    struct transfers *transfers;
    /* of the call of http_run */
    enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer);
    void *arg;
};

enum err snapshot_http_new(const struct fetch_options *options, struct snapshot_http **out) {
    struct fetch_options sharper = *options;
    sharper.connect_timeout_ms = options->connect_timeout_ms == 0 ? CONNECT_TIMEOUT_MS : options->connect_timeout_ms;
    sharper.min_rate = options->min_rate == 0 ? MIN_RATE : options->min_rate;
    struct snapshot_http *http = calloc(1, sizeof *http);
    enum err e = http != NULL ? transfers_new(&sharper, SNAPSHOT_TRANSFERS, &http->transfers) : ERR_NOMEM;
    if (e != OK) {
        free(http);
        return e;
    }
    *out = http;
    return OK;
}

void snapshot_http_free(struct snapshot_http *http) {
    if (http != NULL) {
        transfers_free(http->transfers);
        free(http);
    }
}

static enum err http_get(void *ctx, const char *base, const char *path, size_t limit, uint32_t timeout_ms, void *tag) {
    struct snapshot_http *http = ctx;
    const struct transfer_request request = {
        .base = base, .path = path, .limit = limit, .timeout_ms = timeout_ms, .tag = tag};
    return transfers_get(http->transfers, &request);
}

static size_t http_active(void *ctx) {
    return transfers_active(((const struct snapshot_http *)ctx)->transfers);
}

static enum err hand_on(void *arg, const struct transfer_answer *from) {
    const struct snapshot_http *http = arg;
    const struct snapshot_answer answer = {.e = from->e, .body = from->body, .why = from->why};
    return http->done(http->arg, from->tag, &answer);
}

static enum err http_run(void *ctx, int wait_ms,
                         enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer), void *arg) {
    struct snapshot_http *http = ctx;
    http->done = done;
    http->arg = arg;
    return transfers_run(http->transfers, wait_ms, hand_on, http);
}

static void http_drop(void *ctx) {
    transfers_drop(((const struct snapshot_http *)ctx)->transfers, NULL);
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
