/* Many HTTP GETs at once on one thread, each answer whole in memory and bounded, or handed on piece by piece. Redirects
 * are not followed: a source is who it says.
 *
 * Belongs to one thread, transfers_wake apart. curl_global_init has been called (client_start).
 */
#ifndef ASSAY_NODE_FETCH_TRANSFERS_H
#define ASSAY_NODE_FETCH_TRANSFERS_H

#include "base/buffer.h"
#include "base/why.h"
#include "node/fetch/fetch_options.h"

#define TRANSFERS_MAX 64      /* at once */
#define TRANSFER_URL_MAX 1024 /* bytes of a whole URL */

struct transfer_request {
    const char *base, *path; /* the URL is the base without a trailing '/', and the path */
    const char *accept;      /* NULL: anything */
    size_t limit;            /* bytes of the body that are taken */
    uint32_t timeout_ms;     /* for all of it; 0: as long as it moves */
    /* Not NULL: a stream, which may be silent for long and has no limit. Gets what arrives, on transfers_run's thread;
     * the answer's body is empty. */
    void (*piece)(void *tag, struct bytes piece);
    void *tag; /* comes back with the answer, and names the transfer to transfers_drop */
};

struct transfer_answer {
    /* OK: the whole body of a status 200; ERR_NOTFOUND: 404, 410 or 451; ERR_TOOLARGE: a body over the limit;
     * ERR_TIMEOUT: timeout_ms or too slow; ERR_NETWORK. */
    enum err e;
    void *tag;
    struct bytes body; /* borrowed until the callback returns */
    struct why why;    /* when it failed */
};

struct transfers;

/* At most `max` (<= TRANSFERS_MAX) are under way at once. */
NODISCARD enum err transfers_new(const struct fetch_options *options, size_t max, struct transfers **out);
/* Ends what is under way. NULL is fine. */
void transfers_free(struct transfers *transfers);

/* Begins one. ERR_FULL, ERR_TOOLARGE (the URL), ERR_NOMEM. */
NODISCARD enum err transfers_get(struct transfers *transfers, const struct transfer_request *request);
size_t transfers_active(const struct transfers *transfers);
/* Waits up to `wait_ms` for something to happen and calls back for each answer. The callback may begin and drop others;
 * its error ends this call with it. ERR_NETWORK: libcurl failed. */
NODISCARD enum err transfers_run(struct transfers *transfers, int wait_ms,
                                 enum err (*done)(void *arg, const struct transfer_answer *answer), void *arg);
/* Ends the one with this tag, all for NULL, without an answer. */
void transfers_drop(struct transfers *transfers, const void *tag);
/* Ends the wait of transfers_run. For any thread. */
void transfers_wake(struct transfers *transfers);

#endif
