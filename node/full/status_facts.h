/* Gathers what the status board shows from those who know it. On the ledger thread, a few times a second. */
#ifndef ASSAY_NODE_FULL_STATUS_FACTS_H
#define ASSAY_NODE_FULL_STATUS_FACTS_H

#include "node/api/status.h"
#include "node/ledger/gossip_check.h"
#include "node/ledger/mempool.h"
#include "node/ledger/replica.h"
#include "node/ledger/submit.h"

/* Less free space than this, or than a twentieth of a small file system, is low: a checkpoint, a segment of each log
 * and an image must still fit. */
#define STATUS_DISK_LOW_BYTES ((uint64_t)512 << 20)

struct status_sources {
    const struct replica *replica;
    struct submit *submit;
    const struct mempool *mempool;
    const struct gossip_check *gossip;
    const struct stage_times *times;
    const char *data_dir;
};

/* Fills in all but the peers, the alarms, the blocks and transactions made final, checkpoints, turns of the loop and how long work
 * has waited, which the caller counts. */
void status_facts_from(const struct status_sources *sources, uint64_t now_ms, struct status_facts *out);

/* The alarms, once everything has been looked at. */
void status_facts_alarms(const struct alarms *alarms, struct status_facts *out);

bool status_disk_is_low(uint64_t free_bytes, uint64_t total_bytes);

#endif
