/* Walking whole trees: checking one against its root hash, and pruning what no kept version reaches. */
#include "store/tree_node.h"

#include <string.h>

struct check {
    const struct verify_crypto *crypto;
    struct kv_view *view;
    enum err (*each_leaf)(void *arg, const uint8_t key[SHA256_LEN], const uint8_t value_hash[SHA256_LEN]);
    void *arg;
    uint64_t bad_id;
};

static enum err bad(struct check *c, uint64_t id) {
    c->bad_id = id;
    return ERR_CORRUPT;
}

static enum err check_leaf(struct check *c, struct tree_ref ref, const struct tree_node *leaf,
                           uint8_t out_key[SHA256_LEN]) {
    uint8_t hash[SHA256_LEN];
    state_leaf_hash(c->crypto, leaf->key, leaf->value_hash, hash);
    if (memcmp(hash, ref.hash, SHA256_LEN) != 0) {
        return bad(c, ref.id);
    }
    memcpy(out_key, leaf->key, SHA256_LEN);
    return c->each_leaf == NULL ? OK : c->each_leaf(c->arg, leaf->key, leaf->value_hash);
}

/* Gives some key of the subtree, so that the parent can tell that its two sides part at its bit and nowhere before. The
 * recursion is as deep as bits rise, so at most TREE_DEPTH_MAX. */
static enum err check_subtree(struct check *c, struct tree_ref ref, int upper, uint8_t out_key[SHA256_LEN]) {
    struct tree_node node;
    enum err e = tree_node_get(c->view, NULL, ref.id, &node);
    if (e != OK) {
        return e == ERR_CORRUPT ? bad(c, ref.id) : e;
    }
    if (node.leaf) {
        return check_leaf(c, ref, &node, out_key);
    }
    if ((int)node.bit <= upper) {
        return bad(c, ref.id);
    }
    uint8_t hash[SHA256_LEN], right[SHA256_LEN];
    state_inner_hash(c->crypto, node.bit, node.child[0].hash, node.child[1].hash, hash);
    if (memcmp(hash, ref.hash, SHA256_LEN) != 0) {
        return bad(c, ref.id);
    }
    e = check_subtree(c, node.child[0], node.bit, out_key);
    if (e == OK) {
        e = check_subtree(c, node.child[1], node.bit, right);
    }
    if (e == OK && (tree_first_difference(out_key, right) != node.bit || state_key_bit(out_key, node.bit))) {
        e = bad(c, ref.id);
    }
    return e;
}

enum err tree_check(const struct verify_crypto *crypto, struct kv_view *view, struct tree_root root,
                    enum err (*each_leaf)(void *arg, const uint8_t key[SHA256_LEN],
                                          const uint8_t value_hash[SHA256_LEN]),
                    void *arg, uint64_t *out_bad_id) {
    if (root.id == 0) {
        if (bytes_is_zero(root.hash, SHA256_LEN)) {
            return OK;
        }
        *out_bad_id = 0;
        return ERR_CORRUPT;
    }
    struct check c = {.crypto = crypto, .view = view, .each_leaf = each_leaf, .arg = arg};
    struct tree_ref ref = {.id = root.id};
    memcpy(ref.hash, root.hash, SHA256_LEN);
    uint8_t key[SHA256_LEN];
    enum err e = check_subtree(&c, ref, -1, key);
    if (e == ERR_CORRUPT) {
        *out_bad_id = c.bad_id;
    }
    return e;
}

/* ---- Pruning ---------------------------------------------------------------------------------------------------- */

#define STALE_KEY_LEN 16
/* KV_META: the last mark that pruning took. Without it each run would wade through the deletions of those before. */
#define PRUNED_UP_TO "tree.pruned"

static enum err prune_from(struct kv_view *view, uint8_t out[STALE_KEY_LEN + 1], struct bytes *out_from) {
    struct bytes last;
    enum err e = kv_get(view, KV_META, bytes_str(PRUNED_UP_TO), &last);
    if (e == ERR_NOTFOUND) {
        *out_from = bytes_of(out, 0);
        return OK;
    }
    if (e != OK || last.len != STALE_KEY_LEN) {
        return e != OK ? e : ERR_CORRUPT;
    }
    memcpy(out, last.data, STALE_KEY_LEN);
    out[STALE_KEY_LEN] = 0;
    *out_from = bytes_of(out, STALE_KEY_LEN + 1);
    return OK;
}

enum err tree_prune(struct kv_view *view, uint64_t height, size_t limit, struct kv_layer *layer, size_t *out_pruned) {
    uint8_t place[STALE_KEY_LEN + 1];
    struct bytes from, mark, nothing;
    size_t pruned = 0;
    enum err e = prune_from(view, place, &from);
    while (e == OK && pruned < limit) {
        e = kv_seek(view, KV_STALE, from, &mark, &nothing);
        if (e == OK && mark.len != STALE_KEY_LEN) {
            e = ERR_CORRUPT;
        }
        if (e != OK || load_u64(mark.data) > height) {
            break;
        }
        memcpy(place, mark.data, STALE_KEY_LEN);
        place[STALE_KEY_LEN] = 0;
        from = bytes_of(place, sizeof place);
        e = kv_layer_delete(layer, KV_NODES, bytes_of(place + 8, 8));
        if (e == OK) {
            e = kv_layer_delete(layer, KV_STALE, bytes_of(place, STALE_KEY_LEN));
        }
        pruned++;
    }
    if (e == ERR_NOTFOUND) {
        e = OK;
    }
    if (e == OK && pruned > 0) {
        e = kv_layer_put(layer, KV_META, bytes_str(PRUNED_UP_TO), bytes_of(place, STALE_KEY_LEN));
    }
    if (e == OK) {
        *out_pruned = pruned;
    }
    return e;
}
