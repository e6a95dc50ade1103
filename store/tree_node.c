#include "store/tree_node.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define LEAF_LEN (1 + SHA256_LEN + SHA256_LEN)
#define INNER_LEN (1 + 1 + 2 * (8 + SHA256_LEN))

enum { NODE_LEAF = 0, NODE_INNER = 1 };

struct cache_slot {
    uint64_t id; /* 0: free */
    struct tree_node node;
};

struct tree_cache {
    size_t count;
    struct cache_slot slots[];
};

enum err tree_cache_new(size_t nodes, struct tree_cache **out) {
    size_t count = nodes > 0 ? nodes : 1;
    if (count > SIZE_MAX / 2 / sizeof(struct cache_slot)) {
        return ERR_RANGE;
    }
    struct tree_cache *cache = calloc(1, sizeof *cache + count * sizeof cache->slots[0]);
    if (cache == NULL) {
        return ERR_NOMEM;
    }
    cache->count = count;
    *out = cache;
    return OK;
}

void tree_cache_free(struct tree_cache *cache) {
    free(cache);
}

static void cache_put(struct tree_cache *cache, uint64_t id, const struct tree_node *node) {
    if (cache != NULL) {
        struct cache_slot *slot = &cache->slots[id % cache->count];
        ASSERT(id != 0);
        slot->id = id;
        slot->node = *node;
    }
}

static enum err decode(struct bytes value, struct tree_node *out) {
    struct reader r = reader_of(value);
    uint8_t kind = read_u8(&r);
    struct tree_node node = {.leaf = kind == NODE_LEAF};
    if (node.leaf) {
        read_bytes(&r, node.key, SHA256_LEN);
        read_bytes(&r, node.value_hash, SHA256_LEN);
    } else {
        node.bit = read_u8(&r);
        for (size_t i = 0; i < 2; i++) {
            node.child[i].id = read_u64(&r);
            read_bytes(&r, node.child[i].hash, SHA256_LEN);
        }
    }
    bool whole = reader_done(&r) && kind <= NODE_INNER;
    if (!whole || (!node.leaf && (node.child[0].id == 0 || node.child[1].id == 0))) {
        return ERR_CORRUPT;
    }
    *out = node;
    return OK;
}

enum err tree_node_get(struct kv_view *view, struct tree_cache *cache, uint64_t id, struct tree_node *out) {
    if (cache != NULL && cache->slots[id % cache->count].id == id) {
        *out = cache->slots[id % cache->count].node;
        return OK;
    }
    uint8_t key[8];
    store_u64(key, id);
    struct bytes value;
    enum err e = kv_get(view, KV_NODES, bytes_of(key, sizeof key), &value);
    if (e == OK) {
        e = decode(value, out);
    }
    if (e == OK) {
        cache_put(cache, id, out);
    }
    return e == ERR_NOTFOUND ? ERR_CORRUPT : e;
}

enum err tree_node_put(struct kv_layer *layer, struct tree_cache *cache, uint64_t id, const struct tree_node *node) {
    uint8_t key[8];
    uint8_t value[INNER_LEN];
    ASSERT(id != 0 && (node->leaf || (node->child[0].id != 0 && node->child[1].id != 0))); /* or it reads as damaged */
    store_u64(key, id);
    uint8_t *at = value;
    *at++ = node->leaf ? NODE_LEAF : NODE_INNER;
    if (node->leaf) {
        memcpy(at, node->key, SHA256_LEN);
        memcpy(at + SHA256_LEN, node->value_hash, SHA256_LEN);
    } else {
        *at++ = node->bit;
        for (size_t i = 0; i < 2; i++, at += 8 + SHA256_LEN) {
            store_u64(at, node->child[i].id);
            memcpy(at + 8, node->child[i].hash, SHA256_LEN);
        }
    }
    enum err e =
        kv_layer_put(layer, KV_NODES, bytes_of(key, sizeof key), bytes_of(value, node->leaf ? LEAF_LEN : INNER_LEN));
    if (e == OK) {
        cache_put(cache, id, node);
    }
    return e;
}

unsigned tree_first_difference(const uint8_t a[SHA256_LEN], const uint8_t b[SHA256_LEN]) {
    for (unsigned i = 0; i < SHA256_LEN; i += 8) {
        uint64_t difference = load_u64(a + i) ^ load_u64(b + i);
        if (difference != 0) {
            return i * 8 + (unsigned)__builtin_clzll(difference);
        }
    }
    return TREE_DEPTH_MAX;
}
