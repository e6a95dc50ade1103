/* What store/ itself knows of a layer (kv.h has what the others do).
 *
 * While it is being built a layer is a skip list per table. Sealed it is one array sorted by table and key, with a
 * Bloom filter in front, so that a read that misses costs one cache line. Keys and values live in the layer's arena and
 * stay where they are until the layer goes, also when a later write of the same key replaces them.
 */
#ifndef ASSAY_STORE_KV_LAYER_H
#define ASSAY_STORE_KV_LAYER_H

#include "store/kv.h"

struct kv_entry {
    const uint8_t *key;
    const uint8_t *value; /* NULL: deleted */
    uint32_t key_len;
    uint32_t value_len;
};

static inline struct bytes kv_entry_key(const struct kv_entry *e) {
    return bytes_of(e->key, e->key_len);
}

/* Immutable from now on; sealing twice is fine. */
NODISCARD enum err kv_layer_seal(struct kv_layer *layer);
/* Bytes the layer holds: keys, values, and what finding them costs. */
size_t kv_layer_bytes(const struct kv_layer *layer);

/* First entry with key >= `from`, last with key <= `from`; deleted ones count. NULL when there is none. */
const struct kv_entry *kv_layer_seek(const struct kv_layer *layer, enum kv_table table, struct bytes from);
const struct kv_entry *kv_layer_seek_back(const struct kv_layer *layer, enum kv_table table, struct bytes from);

/* Who reads many layers hashes the key once. */
uint64_t kv_key_hash(enum kv_table table, struct bytes key);
enum kv_found kv_layer_find(const struct kv_layer *layer, enum kv_table table, struct bytes key, uint64_t hash,
                            struct bytes *out);

/* A sealed copy of two sealed layers: where both have a key, `newer` wins. `drop_deleted` when nothing lies below. */
NODISCARD enum err kv_layer_merge(const struct kv_layer *older, const struct kv_layer *newer, bool drop_deleted,
                                  struct kv_layer **out);

/* What several sealed layers (oldest first, at least one) say together, in order and without copying keys and values:
 * the result holds on to them, and is made for being walked once, not for lookups. */
NODISCARD enum err kv_layer_gather(struct kv_layer *const *layers, size_t count, bool drop_deleted,
                                   struct kv_layer **out);

/* Is a sealed layer sound? `entries`: key by key as well. (kv_layer_check.c) */
NODISCARD bool kv_layer_check(const struct kv_layer *layer, bool entries, struct why *out_why);
/* How many hold it. */
unsigned kv_layer_refs(const struct kv_layer *layer);

#endif
