/* What the files of a layer share. */
#ifndef ASSAY_STORE_KV_LAYER_INTERNAL_H
#define ASSAY_STORE_KV_LAYER_INTERNAL_H

#include "store/kv_layer.h"

#include <stdatomic.h>

#define TOWER_MAX 16u
#define FILTER_BLOCK_WORDS ((size_t)8) /* one cache line */

struct chunk {
    struct chunk *next;
    size_t used, cap;
    _Alignas(8) uint8_t data[];
};

/* One key of a layer that is being built: a tower of the skip list. */
struct tower {
    struct kv_entry entry;
    struct tower *next[];
};

struct kv_layer {
    atomic_uint refs;
    bool sealed;
    size_t bytes;
    struct chunk *arena;
    /* Being built. */
    struct tower *heads[KV_TABLES][TOWER_MAX];
    struct tower *ends[KV_TABLES][TOWER_MAX]; /* the last tower that reaches a level, NULL: none does */
    size_t levels;                            /* in use, of all tables */
    size_t count;
    uint64_t random;
    /* Sealed: table t has the entries from start[t] to start[t + 1]. */
    struct kv_entry *entries;
    size_t start[KV_TABLES + 1];
    uint64_t *filter; /* NULL in a gathered layer */
    uint64_t filter_blocks;
    /* Gathered: the layers that the entries point into. */
    struct kv_layer **parts;
    size_t part_count;
};

/* False: the layer says nothing of a key with that hash. Of a layer with a filter only. */
bool kv_layer_may_have(const struct kv_layer *layer, uint64_t hash);

#endif
