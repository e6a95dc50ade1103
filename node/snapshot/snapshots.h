/* The snapshots that a node keeps and serves, and the thread that makes them.
 *
 * One is made at the first final block at or behind every multiple of the interval, and when somebody asks while there
 * is none. The newest SNAPSHOTS_KEPT stay; one that is being downloaded when it goes is gone for the downloader, who
 * begins anew.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOTS_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOTS_H

#include "node/ledger/chain.h"

#define SNAPSHOTS_KEPT 2
/* Below so many blocks nobody is offered a snapshot made for him: the blocks themselves are as quick. */
#define SNAPSHOTS_WORTH_BLOCKS 256u

struct snapshots;

struct snapshots_config {
    struct chain *chain;      /* borrowed, outlives this */
    const char *dir;          /* made if need be; copied */
    uint64_t interval_blocks; /* 0: none is made by itself */
};

/* Takes up what an earlier life left: whole ones stay, halves go. */
NODISCARD enum err snapshots_open(const struct snapshots_config *config, struct snapshots **out);
/* Ends one that is being made. NULL is fine. */
void snapshots_close(struct snapshots *snapshots);

/* The ledger thread, after every call that made blocks final: is one due? Opens a view and hands it over. */
void snapshots_tick(struct snapshots *snapshots);
/* From any thread: makes one now if there is none. True when one is being made. */
bool snapshots_want(struct snapshots *snapshots);

struct snapshots_entry {
    uint64_t height;
    uint64_t time_ms; /* of the block */
    uint8_t block[HASH_LEN];
    uint8_t content[HASH_LEN];
    uint64_t bytes; /* of all chunks */
    uint64_t manifest_bytes;
    uint32_t chunks;
};
/* From any thread: newest first; gives how many there are. */
size_t snapshots_list(struct snapshots *snapshots, struct snapshots_entry out[SNAPSHOTS_KEPT]);
/* From any thread: opens a file of a snapshot, "manifest" or a chunk's number, for reading. ERR_NOTFOUND. */
NODISCARD enum err snapshots_file(struct snapshots *snapshots, uint64_t height, const char *name, int *out_fd,
                                  uint64_t *out_size);

#endif
