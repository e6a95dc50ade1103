/* Do the bodies of a snapshot reach back far enough? Who joins learns from them which transaction ids are used up; one
 * that is missing could be executed again. How far is enough stands in the state itself (params_window_start in
 * contracts/governance/governance.h), in a leaf that the snapshot proves.
 */
#ifndef ASSAY_NODE_SNAPSHOT_SNAPSHOT_WINDOW_H
#define ASSAY_NODE_SNAPSHOT_SNAPSHOT_WINDOW_H

#include "store/disk.h"
#include "store/snapshot.h"
#include "verify/block_header.h"

/* The state chunk that has the rule's leaf. */
uint32_t snapshot_window_chunk(const struct snapshot_manifest *manifest);

/* Judges a snapshot whose block has this header by what has arrived in the folder `dir`: every body chunk, checked, so
 * that the first block is an ancestor of the head, and the chunk above. ERR_INVALID: the first body is neither block 1
 * nor older than anything that may be alive, or there is no rule; ERR_CORRUPT: a file is not what was checked; local
 * faults. */
NODISCARD enum err snapshot_window_check(const struct verify_crypto *crypto, const struct snapshot_manifest *manifest,
                                         const struct block_header *header, const struct disk *disk, const char *dir);

#endif
