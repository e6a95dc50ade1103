/* A copy of a home's ledger, made while the node runs or after it stopped.
 *
 *   DIR/assay.conf, genesis.json    the configuration, with role observer
 *   DIR/data/state, data/blocks     the last checkpoint, and the block log at least up to it
 *   DIR/backup.json                 what it is: format "assay-backup-1", chain id, height, hash and state root of the
 *                                   checkpoint, bodies_from, log_height, made_ms
 *
 * Neither keys nor the vote journal are in it: put back, it is an observer, which can't say anything twice. Nor are
 * images, which any other node has.
 */
#ifndef ASSAY_NODE_HOME_HOME_BACKUP_H
#define ASSAY_NODE_HOME_HOME_BACKUP_H

#include "base/why.h"
#include "node/home/home_look.h"

struct home_backup_report {
    struct chain_store_head head;
    uint64_t log_height;
    uint64_t bodies_from;
    uint64_t bytes; /* of state and block log */
};

/* Makes DIR, which must not exist; until it is whole and has been checked it is DIR.partial. What went wrong is
 * explained in `why`. ERR_EXISTS. */
NODISCARD enum err home_backup(const struct daemon_home *home, const char *dir, struct home_backup_report *out,
                               struct why *why);

#endif
