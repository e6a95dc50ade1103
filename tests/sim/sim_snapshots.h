/* Snapshots in the simulator. The product makes them, decides by which to join, checks, builds and changes places; here
 * are the shelf that they are served from and the sources, some of which lie. */
#ifndef ASSAY_SIM_SNAPSHOTS_H
#define ASSAY_SIM_SNAPSHOTS_H

#include "node/snapshot/snapshot_transport.h"
#include "store/snapshot.h"
#include "tests/sim/sim.h"

#define SIM_SNAPSHOTS_KEPT 2

struct sim_snapshot {
    uint64_t height, time_ms;
    uint8_t content[HASH_LEN];
    struct buffer manifest;
    struct buffer *chunks;
    uint32_t count;
};
void sim_snapshot_free(struct sim_snapshot *snapshot);
/* Fills in what follows from manifest and header. */
NODISCARD enum err sim_snapshot_describe(struct sim_snapshot *snapshot);

struct sim_shelf {
    struct sim_snapshot kept[SIM_SNAPSHOTS_KEPT]; /* newest first */
    size_t count;
    uint64_t last_height; /* of the newest that was made or tried */
};

/* The others, as a node that joins sees them. */
struct sim_sources;
struct sim_sources *sim_sources_new(struct sim_node *joiner);
void sim_sources_free(struct sim_sources *sources);
struct snapshot_transport sim_sources_transport(struct sim_sources *sources);
/* Addresses that the transport understands; as many as there are. */
size_t sim_sources_list(const struct sim_sources *sources, const char *out[SIM_NODES_MAX]);
/* Did the source with that address lie? */
bool sim_sources_lied(const struct sim_sources *sources, const char *address);
/* The joiner asks this one no more. */
void sim_sources_leave(struct sim_sources *sources, const char *address);
/* Is there one whose own manifest showed that its list had lied, and that was not left for it? */
bool sim_sources_believed(const struct sim_sources *sources);

#endif
