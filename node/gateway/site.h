/* What a gateway knows of its devices and classes, and the lock around it. The follow thread and the uplink write what
 * was proven; HTTP threads read it and note what devices say. Nobody holds the lock while waiting for the network. */
#ifndef ASSAY_NODE_GATEWAY_SITE_H
#define ASSAY_NODE_GATEWAY_SITE_H

#include "node/gateway/catalog.h"
#include "node/gateway/fleet.h"

#include <pthread.h>

struct site {
    pthread_mutex_t lock;
    struct fleet *fleet;
    struct catalog *catalog;
    bool fleet_changed; /* since the file was written */
};

static inline void site_lock(struct site *site) {
    (void)pthread_mutex_lock(&site->lock);
}
static inline void site_unlock(struct site *site) {
    (void)pthread_mutex_unlock(&site->lock);
}

#endif
