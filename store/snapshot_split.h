/* Making state chunks: the leaves of a view, which lie there in the order of their keys, brought into the order of
 * their hashed keys with bounded memory.
 *
 * Leaves go into bucket files by their first bits, buckets into smaller ones until each is one chunk, and that one is
 * sorted in memory. The number of bits is the least that makes an average chunk no larger than the target.
 */
#ifndef ASSAY_STORE_SNAPSHOT_SPLIT_H
#define ASSAY_STORE_SNAPSHOT_SPLIT_H

#include "store/kv.h"
#include "store/snapshot.h"

struct snapshot_split_config {
    const struct verify_crypto *crypto;
    struct kv_view *view;    /* used by this thread alone meanwhile */
    const char *dir;         /* an existing folder: chunk k becomes dir/k; buckets stand there meanwhile */
    uint32_t chunk_target;   /* bytes; 0: SNAPSHOT_CHUNK_TARGET, which every node must use */
    bool (*stop)(void *arg); /* asked now and then; true ends the work with ERR_CLOSED. NULL: never */
    void *arg;
};

/* Writes the chunks, synced, and gives `bits` and the list of 2^bits chunks, which is the caller's to free. On failure
 * the folder holds leftovers. ERR_TOOLARGE for a state of which a chunk would be larger than SNAPSHOT_CHUNK_MAX. */
NODISCARD enum err snapshot_split(const struct snapshot_split_config *config, uint8_t *out_bits,
                                  struct snapshot_state_chunk **out_chunks);

#endif
