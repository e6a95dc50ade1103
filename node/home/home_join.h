/* Joining by snapshot (node/snapshot/snapshot_join.h) in a home folder: its lock, its settings, HTTP, LMDB, the clocks. */
#ifndef ASSAY_NODE_HOME_HOME_JOIN_H
#define ASSAY_NODE_HOME_HOME_JOIN_H

#include "base/why.h"
#include "node/snapshot/snapshot_http.h"
#include "node/snapshot/snapshot_join.h"

struct home_join_config {
    const struct daemon_home *home;
    const char *const
        *sources; /* base URLs; none: snapshot.sources, or those that the home's ledger knows, or genesis */
    size_t source_count;
    const struct checkpoint_file *pin; /* NULL: snapshot.checkpoint, if it is set */
    bool wanted;                       /* this and the following as in struct snapshot_join_config */
    struct fetch_options http;
    bool (*progress)(void *arg, enum snapshot_join_part part, uint64_t done, uint64_t total);
    void (*source_left)(void *arg, const char *url, enum err reason, const char *what);
    void *arg;
};

/* As snapshot_join; ERR_BUSY: the node runs. curl_global_init has been called. */
NODISCARD enum err home_join(const struct home_join_config *config, struct snapshot_join_report *out, struct why *why);

/* As snapshot_place_finish, with the home's lock held. */
NODISCARD enum err home_join_finish(const struct daemon_home *home, struct why *why);

#endif
