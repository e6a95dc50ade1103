/* The authenticated state tree (verify/state_proof.h has its hashing): versions kept as immutable nodes in KV_NODES.
 *
 * A root is a node id and its hash. An update takes a root and a sorted batch and writes the new nodes into a layer,
 * each inner node hashed once; nodes of the old version that the new one does not share are listed as stale under the
 * height that made them so. Ids come from a counter that only grows, local to this node and part of no hash.
 *
 * A node:
 *   leaf  = 0x00 | key (32) | SHA-256 of the value (32)
 *   inner = 0x01 | bit (1) | left id (8) | left hash (32) | right id (8) | right hash (32)
 */
#ifndef ASSAY_STORE_TREE_H
#define ASSAY_STORE_TREE_H

#include "base/sha256.h"
#include "store/kv.h"
#include "verify/state_proof.h"

struct tree_root {
    uint64_t id; /* 0: the empty tree */
    uint8_t hash[SHA256_LEN];
};

#define TREE_EMPTY ((struct tree_root){0})

struct tree_change {
    uint8_t key[SHA256_LEN];        /* hashed key */
    uint8_t value_hash[SHA256_LEN]; /* SHA-256 of the new value */
    bool deleted;
};

/* A small direct-mapped cache of nodes, owned by the writer; NULL is allowed wherever one is taken. */
struct tree_cache;
NODISCARD enum err tree_cache_new(size_t nodes, struct tree_cache **out);
void tree_cache_free(struct tree_cache *cache);

/* Applies `count` changes, sorted by key here, of different keys; reads old nodes through `view`, writes new nodes and
 * stale marks of `height` into `layer`, takes ids from `*next_id`. ERR_CORRUPT when a node that must exist does not. */
NODISCARD enum err tree_update(const struct verify_crypto *crypto, struct kv_view *view, struct tree_cache *cache,
                               struct tree_root from, struct tree_change *changes, size_t count, uint64_t height,
                               uint64_t *next_id, struct kv_layer *layer, struct tree_root *out);

/* Appends the path for `key` (verify/state_proof.h layout) and tells whether the key is present. */
NODISCARD enum err tree_prove(struct kv_view *view, struct tree_root root, const uint8_t key[SHA256_LEN],
                              struct buffer *out, bool *out_present);

/* Recomputes every hash from the leaves up and compares; names the first node that is wrong through `out_bad_id`.
 * `each_leaf` (may be NULL) sees key and value hash of every leaf. */
NODISCARD enum err tree_check(const struct verify_crypto *crypto, struct kv_view *view, struct tree_root root,
                              enum err (*each_leaf)(void *arg, const uint8_t key[SHA256_LEN],
                                                    const uint8_t value_hash[SHA256_LEN]),
                              void *arg, uint64_t *out_bad_id);

/* Deletes into `layer` at most `limit` nodes (and marks) that heights <= `height` made stale, oldest first, and notes
 * in KV_META how far it came. All that these heights mark must be in `view`. Afterwards, when fewer than `limit` went,
 * the versions from `height` on are whole and nothing else is left. */
NODISCARD enum err tree_prune(struct kv_view *view, uint64_t height, size_t limit, struct kv_layer *layer,
                              size_t *out_pruned);

#endif
