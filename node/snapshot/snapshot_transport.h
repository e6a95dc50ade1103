/* What fetching a snapshot needs of a network and a clock: many GETs at once, each answer whole in memory and bounded.
 * HTTP is one (snapshot_http.h); the simulator's own is another.
 *
 * Belongs to one thread.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_TRANSPORT_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_TRANSPORT_H

#include "base/buffer.h"
#include "base/why.h"

#define SNAPSHOT_TRANSFERS 16 /* at once */

struct snapshot_answer {
    enum err e; /* OK: the whole body; ERR_NOTFOUND: there is no such thing; ERR_TOOLARGE: longer than the limit;
                   ERR_TIMEOUT, ERR_NETWORK */
    struct bytes body;
    struct why why; /* when it failed */
};

struct snapshot_transport_ops {
    /* Begins a GET of `path` at the source with the address `base`; at most `limit` bytes are taken. `tag` comes back
     * with the answer. ERR_FULL when SNAPSHOT_TRANSFERS are under way. `timeout_ms` 0: as long as it moves. */
    enum err (*get)(void *ctx, const char *base, const char *path, size_t limit, uint32_t timeout_ms, void *tag);
    size_t (*active)(void *ctx);
    /* Waits up to `wait_ms` for something to happen and calls back for each answer; the body is borrowed until the
     * callback returns, which may begin other transfers. An error of the callback ends this call with it. */
    enum err (*run)(void *ctx, int wait_ms,
                    enum err (*done)(void *arg, void *tag, const struct snapshot_answer *answer), void *arg);
    /* What is under way ends without an answer. */
    void (*drop)(void *ctx);
    uint64_t (*now_ms)(void *ctx); /* a clock that only goes forward */
    void (*pause)(void *ctx, uint32_t ms);
};

struct snapshot_transport {
    const struct snapshot_transport_ops *ops;
    void *ctx;
};

#endif
