/* Updating the tree.
 *
 * The changes of a batch go down from the root together, each following its own bits, and part where an inner node
 * parts them; so each ends at the only leaf that could hold its key. There a deletion or a new value meets its leaf,
 * and for a new key the first bit in which it differs from that leaf becomes known: its place is the edge of its path
 * that this bit falls on. On the way back up, changes whose edge has been reached are built into it; the others go
 * further up. Each node of the old version is read once, each of the new one is hashed and written once.
 */
#include "store/tree_node.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct insertion {
    const struct tree_change *change;
    unsigned bit; /* first bit in which it differs from the leaf its path led to; known once it has been there */
};

/* Something that hangs on an edge: an old subtree (`ref` set, `key` any key in it) or a new leaf. */
struct item {
    const uint8_t *key;
    const struct tree_change *change; /* NULL: the old subtree */
    struct tree_ref ref;
};

struct update {
    const struct verify_crypto *crypto;
    struct kv_view *view;
    struct tree_cache *cache;
    struct kv_layer *layer;
    uint64_t height;
    uint64_t next_id;
    struct item *items; /* room for every change and one subtree */
    uint64_t *stale;    /* nodes of the old version that the new one has no use for */
    size_t stale_count, stale_cap;
};

/* What became of a subtree. */
struct outcome {
    struct tree_ref ref;     /* id 0: nothing is left */
    uint8_t key[SHA256_LEN]; /* of a leaf that is or was in it; all such keys share the bits above */
    size_t rising;           /* insertions at the front of its range whose place is further up */
};

/* ---- Writing nodes ---------------------------------------------------------------------------------------------- */

static enum err write_node(struct update *u, const struct tree_node *node, struct tree_ref *out) {
    struct tree_ref ref = {.id = u->next_id};
    ASSERT(ref.id != 0); /* which says that nothing is there */
    if (node->leaf) {
        state_leaf_hash(u->crypto, node->key, node->value_hash, ref.hash);
    } else {
        state_inner_hash(u->crypto, node->bit, node->child[0].hash, node->child[1].hash, ref.hash);
    }
    enum err e = tree_node_put(u->layer, u->cache, ref.id, node);
    if (e == OK) {
        u->next_id++;
        *out = ref;
    }
    return e;
}

static enum err mark_stale(struct update *u, uint64_t id) {
    if (u->stale_count == u->stale_cap) {
        size_t cap = u->stale_cap == 0 ? 64 : u->stale_cap * 2;
        uint64_t *grown = realloc(u->stale, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        u->stale = grown;
        u->stale_cap = cap;
    }
    u->stale[u->stale_count++] = id;
    return OK;
}

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* In rising order, which is how a layer takes keys without searching. */
static enum err write_stale(struct update *u) {
    if (u->stale_count > 0) {
        qsort(u->stale, u->stale_count, sizeof u->stale[0], compare_ids);
    }
    enum err e = OK;
    for (size_t i = 0; i < u->stale_count && e == OK; i++) {
        uint8_t key[16];
        store_u64(key, u->height);
        store_u64(key + 8, u->stale[i]);
        e = kv_layer_put(u->layer, KV_STALE, bytes_of(key, sizeof key), bytes_of(NULL, 0));
    }
    return e;
}

/* ---- Building an edge ------------------------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b) {
    return memcmp(((const struct item *)a)->key, ((const struct item *)b)->key, SHA256_LEN);
}

/* The subtree over `count` items of different keys in order. Its depth is bounded by the bits of a key, since each
 * inner node's bit lies behind its parent's. */
static enum err build_items(struct update *u, const struct item *items, size_t count, struct tree_ref *out) {
    ASSERT(count > 0);
    if (count == 1) {
        if (items[0].change == NULL) {
            *out = items[0].ref;
            return OK;
        }
        struct tree_node leaf = {.leaf = true};
        memcpy(leaf.key, items[0].change->key, SHA256_LEN);
        memcpy(leaf.value_hash, items[0].change->value_hash, SHA256_LEN);
        return write_node(u, &leaf, out);
    }
    unsigned bit = tree_first_difference(items[0].key, items[count - 1].key);
    if (bit >= TREE_DEPTH_MAX) {
        return ERR_DUPLICATE;
    }
    struct tree_node node = {.bit = (uint8_t)bit};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (state_key_bit(items[middle].key, node.bit)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    ASSERT(low > 0 && low < count); /* the first and the last part at this bit */
    enum err e = build_items(u, items, low, &node.child[0]);
    if (e == OK) {
        e = build_items(u, items + low, count - low, &node.child[1]);
    }
    return e == OK ? write_node(u, &node, out) : e;
}

/* Hangs those of the rising insertions that belong below `upper` (the bit of the inner node above this edge, -1 at the
 * root) beside the subtree, and leaves the others at the front of the range. */
static enum err fill_edge(struct update *u, struct insertion *range, int upper, struct outcome *o) {
    size_t count = 0, rising = 0;
    if (o->ref.id != 0) {
        u->items[count++] = (struct item){.key = o->key, .ref = o->ref};
    }
    size_t old = count;
    for (size_t i = 0; i < o->rising; i++) {
        if ((int)range[i].bit > upper) {
            u->items[count++] = (struct item){.key = range[i].change->key, .change = range[i].change};
        } else {
            range[rising++] = range[i];
        }
    }
    ASSERT(rising == 0 || upper >= 0); /* above the root there is no other edge */
    o->rising = rising;
    if (count == old) {
        return OK;
    }
    qsort(u->items, count, sizeof u->items[0], compare_items);
    return build_items(u, u->items, count, &o->ref);
}

/* ---- Walking down ----------------------------------------------------------------------------------------------- */

/* The changes that end at a leaf: its own is applied here, new keys learn where they part from it. */
static enum err meet_leaf(struct update *u, struct tree_ref old, const struct tree_node *leaf, struct insertion *range,
                          size_t count, struct outcome *out) {
    *out = (struct outcome){.ref = old};
    memcpy(out->key, leaf->key, SHA256_LEN);
    enum err e = OK;
    for (size_t i = 0; i < count && e == OK; i++) {
        const struct tree_change *change = range[i].change;
        unsigned bit = tree_first_difference(change->key, leaf->key);
        if (bit < TREE_DEPTH_MAX) {
            if (!change->deleted) {
                range[out->rising++] = (struct insertion){change, bit};
            }
            continue;
        }
        if (!change->deleted && memcmp(change->value_hash, leaf->value_hash, SHA256_LEN) == 0) {
            continue;
        }
        out->ref = (struct tree_ref){0};
        e = mark_stale(u, old.id);
        if (e == OK && !change->deleted) {
            struct tree_node node = *leaf;
            memcpy(node.value_hash, change->value_hash, SHA256_LEN);
            e = write_node(u, &node, &out->ref);
        }
    }
    return e;
}

/* Moves the changes whose key has bit 0 to the front; gives their number. */
static size_t part(struct insertion *range, size_t count, uint8_t bit) {
    size_t low = 0;
    for (size_t i = 0; i < count; i++) {
        if (!state_key_bit(range[i].change->key, bit)) {
            struct insertion moved = range[i];
            range[i] = range[low];
            range[low++] = moved;
        }
    }
    return low;
}

static enum err apply(struct update *u, struct tree_ref old, int upper, struct insertion *range, size_t count,
                      struct outcome *out);

/* Both children, and what that makes of their parent. */
static enum err meet_inner(struct update *u, struct tree_ref old, const struct tree_node *inner,
                           struct insertion *range, size_t count, struct outcome *out) {
    size_t left = part(range, count, inner->bit);
    ASSERT(count > 0 && left <= count);
    struct outcome side[2] = {{.ref = inner->child[0]}, {.ref = inner->child[1]}};
    enum err e = OK;
    if (left > 0) {
        e = apply(u, inner->child[0], inner->bit, range, left, &side[0]);
    }
    if (e == OK && left < count) {
        e = apply(u, inner->child[1], inner->bit, range + left, count - left, &side[1]);
    }
    if (e != OK) {
        return e;
    }
    *out = (struct outcome){.ref = old, .rising = side[0].rising + side[1].rising};
    memcpy(out->key, left > 0 ? side[0].key : side[1].key, SHA256_LEN);
    memmove(range + side[0].rising, range + left, side[1].rising * sizeof *range);
    if (side[0].ref.id == inner->child[0].id && side[1].ref.id == inner->child[1].id) {
        return OK;
    }
    e = mark_stale(u, old.id);
    if (e != OK) {
        return e;
    }
    if (side[0].ref.id == 0 || side[1].ref.id == 0) {
        out->ref = side[0].ref.id == 0 ? side[1].ref : side[0].ref;
        return OK;
    }
    const struct tree_node node = {.bit = inner->bit, .child = {side[0].ref, side[1].ref}};
    return write_node(u, &node, &out->ref);
}

/* Applies a range of changes, at least one, to the subtree `old` and the edge above it. */
static enum err apply(struct update *u, struct tree_ref old, int upper, struct insertion *range, size_t count,
                      struct outcome *out) {
    ASSERT(count > 0);
    struct tree_node node;
    enum err e = tree_node_get(u->view, u->cache, old.id, &node);
    if (e == OK && !node.leaf && (int)node.bit <= upper) {
        e = ERR_CORRUPT; /* bits rise from the root down: this also bounds the recursion */
    }
    if (e == OK) {
        e = node.leaf ? meet_leaf(u, old, &node, range, count, out) : meet_inner(u, old, &node, range, count, out);
    }
    return e == OK ? fill_edge(u, range, upper, out) : e;
}

/* A tree of nothing but the batch. */
static enum err plant(struct update *u, const struct tree_change *changes, size_t count, struct tree_ref *out) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!changes[i].deleted) {
            u->items[n++] = (struct item){.key = changes[i].key, .change = &changes[i]};
        }
    }
    return n > 0 ? build_items(u, u->items, n, out) : OK;
}

static int compare_changes(const void *a, const void *b) {
    return memcmp(((const struct tree_change *)a)->key, ((const struct tree_change *)b)->key, SHA256_LEN);
}

static bool has_duplicates(const struct tree_change *changes, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (compare_changes(&changes[i - 1], &changes[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum err tree_update(const struct verify_crypto *crypto, struct kv_view *view, struct tree_cache *cache,
                     struct tree_root from, struct tree_change *changes, size_t count, uint64_t height,
                     uint64_t *next_id, struct kv_layer *layer, struct tree_root *out) {
    if (count == 0) {
        *out = from;
        return OK;
    }
    qsort(changes, count, sizeof *changes, compare_changes);
    if (has_duplicates(changes, count)) {
        return ERR_DUPLICATE;
    }
    struct update u = {
        .crypto = crypto, .view = view, .cache = cache, .layer = layer, .height = height, .next_id = *next_id};
    struct item *items = calloc(count + 1, sizeof *items);
    u.items = items;
    struct insertion *range = calloc(count, sizeof *range);
    struct outcome result = {0};
    enum err e = OK;
    if (items == NULL || range == NULL) {
        e = ERR_NOMEM;
        goto done;
    }
    if (from.id == 0) {
        e = plant(&u, changes, count, &result.ref);
        goto done;
    }
    for (size_t i = 0; i < count; i++) {
        range[i] = (struct insertion){.change = &changes[i]};
    }
    struct tree_ref root = {.id = from.id};
    memcpy(root.hash, from.hash, SHA256_LEN);
    e = apply(&u, root, -1, range, count, &result);
    if (e == OK) {
        e = write_stale(&u);
    }
done:
    free(u.stale);
    free(items);
    free(range);
    if (e == OK) {
        ASSERT(result.rising == 0); /* every change has its place */
        *next_id = u.next_id;
        out->id = result.ref.id;
        memcpy(out->hash, result.ref.hash, SHA256_LEN);
    }
    return e;
}
