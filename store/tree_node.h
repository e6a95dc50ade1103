/* Nodes of the state tree as they lie in KV_NODES; only the files of the tree include this. */
#ifndef ASSAY_STORE_TREE_NODE_H
#define ASSAY_STORE_TREE_NODE_H

#include "store/tree.h"

#define TREE_DEPTH_MAX 256u

/* A subtree: what a parent knows of its child. */
struct tree_ref {
    uint64_t id; /* 0: nothing there */
    uint8_t hash[SHA256_LEN];
};

struct tree_node {
    bool leaf;
    uint8_t bit;                    /* inner */
    struct tree_ref child[2];       /* inner */
    uint8_t key[SHA256_LEN];        /* leaf */
    uint8_t value_hash[SHA256_LEN]; /* leaf */
};

/* ERR_CORRUPT when there is no such node or it is not well-formed. */
NODISCARD enum err tree_node_get(struct kv_view *view, struct tree_cache *cache, uint64_t id, struct tree_node *out);
NODISCARD enum err tree_node_put(struct kv_layer *layer, struct tree_cache *cache, uint64_t id,
                                 const struct tree_node *node);

/* Index of the first bit in which two keys differ, TREE_DEPTH_MAX when they are equal. */
unsigned tree_first_difference(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]);

#endif
