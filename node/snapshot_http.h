/* Many GETs at once, each answer whole in memory and bounded: what fetching a snapshot needs of HTTP.
 *
 * Belongs to one thread. curl_global_init has been called.
 */
#ifndef ASSAY_NODE_SNAPSHOT_HTTP_H
#define ASSAY_NODE_SNAPSHOT_HTTP_H

#include "base/buffer.h"

#define SNAPSHOT_HTTP_TRANSFERS 16
#define SNAPSHOT_HTTP_WHAT_SIZE 96

struct snapshot_http;

/* 0 means the default in brackets. */
struct snapshot_http_options {
    uint32_t connect_timeout_ms; /* [3000] */
    uint32_t min_rate;           /* bytes a second; a transfer below it for stall_ms is ended [4096] */
    uint32_t stall_ms;           /* [10000] */
};

struct snapshot_http_answer {
    enum err e; /* OK: status 200 and the whole body; ERR_NOTFOUND: 404 or 410; ERR_TOOLARGE: longer than the limit;
                   ERR_TIMEOUT, ERR_NETWORK */
    struct bytes body;
    char what[SNAPSHOT_HTTP_WHAT_SIZE]; /* in words when it failed */
};

NODISCARD enum err snapshot_http_new(const struct snapshot_http_options *options, struct snapshot_http **out);
void snapshot_http_free(struct snapshot_http *http); /* ends what is under way; NULL is fine */

/* Begins GET `base``path`; at most `limit` bytes are taken. `tag` comes back with the answer. ERR_FULL when
 * SNAPSHOT_HTTP_TRANSFERS are under way. `timeout_ms` 0: as long as it moves. */
NODISCARD enum err snapshot_http_get(struct snapshot_http *http, const char *base, const char *path, size_t limit,
                                     uint32_t timeout_ms, void *tag);
size_t snapshot_http_active(const struct snapshot_http *http);
/* Waits up to `wait_ms` for something to happen and calls back for each answer; the body is borrowed until the callback
 * returns, which may begin other transfers. An error of the callback ends this call with it. */
NODISCARD enum err snapshot_http_run(struct snapshot_http *http, int wait_ms,
                                     enum err (*done)(void *arg, void *tag, const struct snapshot_http_answer *answer),
                                     void *arg);

#endif
