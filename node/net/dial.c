#include "node/net/dial.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dial {
    struct wire_hub *hub;
    nng_stream_dialer *dialer;
    nng_aio *aio;
    nng_stream *stream;
    atomic_bool ended;
};

static void on_end(void *arg) {
    struct dial *d = arg;
    d->stream = nng_aio_result(d->aio) == 0 ? nng_aio_get_output(d->aio, 0) : NULL;
    atomic_store(&d->ended, true);
    wire_hub_wake(d->hub);
}

enum err dial_begin(struct wire_hub *hub, const char *address, struct dial **out) {
    char url[300];
    int n = snprintf(url, sizeof url, "tcp://%s", address);
    struct dial *d = n > 0 && (size_t)n < sizeof url ? calloc(1, sizeof *d) : NULL;
    if (d == NULL) {
        return n > 0 && (size_t)n < sizeof url ? ERR_NOMEM : ERR_CONFIG;
    }
    int rv = nng_stream_dialer_alloc(&d->dialer, url);
    if (rv != 0) {
        free(d);
        return rv == NNG_ENOMEM ? ERR_NOMEM : ERR_CONFIG;
    }
    if (nng_aio_alloc(&d->aio, on_end, d) != 0) {
        nng_stream_dialer_free(d->dialer);
        free(d);
        return ERR_NOMEM;
    }
    d->hub = wire_hub_ref(hub);
    nng_aio_set_timeout(d->aio, DIAL_MS);
    nng_stream_dialer_dial(d->dialer, d->aio);
    *out = d;
    return OK;
}

bool dial_ended(struct dial *d, nng_stream **out, bool *out_no_name) {
    if (!atomic_load(&d->ended)) {
        return false;
    }
    *out = d->stream;
    *out_no_name = nng_aio_result(d->aio) == NNG_EADDRINVAL;
    d->stream = NULL;
    return true;
}

void dial_free(struct dial *d) {
    if (d == NULL) {
        return;
    }
    nng_stream_dialer_close(d->dialer);
    nng_aio_stop(d->aio); /* until on_end has returned: nng has threads for that, and none of them waits here */
    nng_stream_dialer_free(d->dialer);
    if (d->stream != NULL) {
        nng_stream_free(d->stream);
    }
    nng_aio_free(d->aio);
    wire_hub_unref(d->hub);
    free(d);
}
