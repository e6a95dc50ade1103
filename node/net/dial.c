#include "node/net/dial.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dial {
    struct wire_hub *hub;
    struct name *name; /* being resolved; NULL: done with */
    unsigned number;
    nng_stream_dialer *dialer; /* NULL until there is an address */
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

/* To an IP address and a port. */
static enum err connect_to(struct dial *d, const char *address) {
    char url[300];
    int n = snprintf(url, sizeof url, "tcp://%s", address);
    if (n < 0 || (size_t)n >= sizeof url) {
        return ERR_CONFIG;
    }
    int rv = nng_stream_dialer_alloc(&d->dialer, url);
    if (rv != 0) {
        d->dialer = NULL;
        return rv == NNG_ENOMEM ? ERR_NOMEM : ERR_CONFIG;
    }
    nng_aio_set_timeout(d->aio, DIAL_MS);
    nng_stream_dialer_dial(d->dialer, d->aio);
    return OK;
}

enum err dial_begin(struct wire_hub *hub, const char *address, unsigned number, struct dial **out) {
    struct dial *d = calloc(1, sizeof *d);
    if (d == NULL) {
        return ERR_NOMEM;
    }
    d->hub = wire_hub_ref(hub);
    d->number = number;
    enum err e = nng_aio_alloc(&d->aio, on_end, d) == 0 ? OK : ERR_NOMEM;
    if (e == OK) {
        e = name_is_literal(address) ? connect_to(d, address) : name_begin(hub, address, &d->name);
    }
    if (e != OK) {
        dial_free(d);
        return e;
    }
    *out = d;
    return OK;
}

bool dial_ended(struct dial *d, nng_stream **out, bool *out_no_name) {
    *out = NULL;
    if (d->name != NULL) {
        if (!name_ended(d->name)) {
            return false;
        }
        const char *address = name_address(d->name, d->number);
        *out_no_name = address == NULL;
        bool begun = address != NULL && connect_to(d, address) == OK;
        name_free(d->name);
        d->name = NULL;
        return !begun;
    }
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
    name_free(d->name);
    if (d->dialer != NULL) {
        nng_stream_dialer_close(d->dialer);
    }
    nng_aio_stop(d->aio); /* until on_end has returned: nng has threads for that, and none of them waits here */
    nng_stream_dialer_free(d->dialer);
    if (d->stream != NULL) {
        nng_stream_free(d->stream);
    }
    nng_aio_free(d->aio);
    wire_hub_unref(d->hub);
    free(d);
}
