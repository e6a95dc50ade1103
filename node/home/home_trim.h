/* Making a stopped node's store smaller: LMDB copied without its free pages, and old bodies given back. Both hold the
 * home's lock, and a crash at any step leaves the old store or the new one. */
#ifndef ASSAY_NODE_HOME_HOME_TRIM_H
#define ASSAY_NODE_HOME_HOME_TRIM_H

#include "base/why.h"
#include "node/home/home_look.h"

/* Sizes on disk, in bytes. ERR_BUSY when a node runs; what went wrong is explained in `why`. */
NODISCARD enum err home_compact(const struct daemon_home *home, uint64_t *out_before, uint64_t *out_after,
                                struct why *why);

/* Which bodies stay: the last `count` blocks (0: not given), and every block from `since_ms` on (0: not given). */
struct home_prune_wish {
    uint64_t count;
    uint64_t since_ms;
};
struct home_prune_report {
    uint64_t head;
    uint64_t kept_from; /* bodies from this height on are there */
    uint64_t before, after;
    bool limited; /* the wish went into the expiry window, whose bodies stay */
};
NODISCARD enum err home_prune(const struct daemon_home *home, const struct home_prune_wish *wish,
                              struct home_prune_report *out, struct why *why);

#endif
