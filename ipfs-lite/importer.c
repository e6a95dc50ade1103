#include "ipfs-lite/importer.h"

#include "base/assert.h"

#include <stdlib.h>

/* 174^8 leaves of 256 KiB are more than 64 bits can count. */
#define LEVELS_MAX 9u

struct importer {
    const struct unixfs_profile *profile;
    struct importer_sink sink;
    struct sha256 leaf;
    struct sha256 whole;
    struct image_tree tree;
    uint32_t leaf_fill;
    uint64_t size;
    /* levels[k] gathers the children of the next node of level k + 1; made when first needed. */
    struct unixfs_node *levels[LEVELS_MAX];
    uint64_t produced[LEVELS_MAX + 1]; /* blocks of each level so far */
    struct dag_pb_link last;           /* the block made last: the root at the end */
    struct buffer block;
};

enum err importer_new(const struct unixfs_profile *profile, struct importer_sink sink, struct importer **out) {
    ASSERT(profile->links > 1 && profile->links <= DAG_PB_LINKS_MAX && profile->chunk > 0);
    struct importer *imp = calloc(1, sizeof *imp);
    if (imp == NULL) {
        return ERR_NOMEM;
    }
    imp->profile = profile;
    imp->sink = sink;
    sha256_init(&imp->leaf);
    image_tree_init(&imp->tree);
    *out = imp;
    return OK;
}

void importer_free(struct importer *imp) {
    if (imp == NULL) {
        return;
    }
    for (size_t i = 0; i < LEVELS_MAX; i++) {
        free(imp->levels[i]);
    }
    buffer_free(&imp->block);
    free(imp);
}

/* Hands a finished block of `level` to the node above it. */
static enum err add_child(struct importer *imp, uint32_t level, const struct dag_pb_link *link, uint64_t size) {
    imp->last = *link;
    imp->produced[level]++;
    if (level >= LEVELS_MAX) {
        return ERR_TOOLARGE;
    }
    if (imp->levels[level] == NULL) {
        imp->levels[level] = calloc(1, sizeof *imp->levels[level]);
        if (imp->levels[level] == NULL) {
            return ERR_NOMEM;
        }
    }
    struct unixfs_node *parent = imp->levels[level];
    ASSERT(parent->count < imp->profile->links); /* a full one was made into a block */
    parent->links[parent->count] = *link;
    parent->sizes[parent->count] = size;
    parent->count++;
    parent->size += size;
    return OK;
}

/* Makes the node of level + 1 out of what was gathered; `end` is the file offset after its last byte. */
static enum err make_node(struct importer *imp, uint32_t level, uint64_t end) {
    struct unixfs_node *node = imp->levels[level];
    ASSERT(node->count > 0 && node->count <= imp->profile->links && node->size <= end);
    buffer_reset(&imp->block);
    unixfs_encode(node, &imp->block);
    enum err e = buffer_ok(&imp->block);
    if (e != OK) {
        return e;
    }
    struct dag_pb_link link = {cid_of_block(CID_DAG_PB, buffer_bytes(&imp->block)), imp->block.len};
    for (size_t i = 0; i < node->count; i++) {
        link.tsize += node->links[i].tsize;
    }
    uint64_t size = node->size;
    node->count = 0;
    node->size = 0;
    if (imp->sink.node != NULL) {
        e = imp->sink.node(imp->sink.arg, &link.cid, buffer_bytes(&imp->block), end - size, size);
        if (e != OK) {
            return e;
        }
    }
    return add_child(imp, level + 1, &link, size);
}

static enum err end_leaf(struct importer *imp) {
    struct dag_pb_link link = {{.codec = CID_RAW}, imp->leaf_fill};
    if (imp->produced[0] == 0) {
        /* Up to here the image and its first leaf are the same bytes: hashed once. */
        imp->whole = imp->leaf;
    }
    sha256_final(&imp->leaf, link.cid.digest);
    uint64_t size = imp->leaf_fill;
    sha256_init(&imp->leaf);
    imp->leaf_fill = 0;
    enum err e = OK;
    if (imp->sink.leaf != NULL) {
        e = imp->sink.leaf(imp->sink.arg, link.cid.digest);
    }
    if (e == OK) {
        e = add_child(imp, 0, &link, size);
    }
    for (uint32_t level = 0; e == OK && imp->levels[level] != NULL && imp->levels[level]->count == imp->profile->links;
         level++) {
        e = make_node(imp, level, imp->size);
    }
    return e;
}

enum err importer_write(struct importer *imp, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        ASSERT(imp->leaf_fill < imp->profile->chunk);
        size_t n = imp->profile->chunk - imp->leaf_fill;
        n = n < len ? n : len;
        if (imp->size > UINT64_MAX - n) {
            return ERR_TOOLARGE;
        }
        sha256_update(&imp->leaf, at, n);
        if (imp->produced[0] > 0) {
            sha256_update(&imp->whole, at, n);
        }
        image_tree_update(&imp->tree, at, n);
        imp->leaf_fill += (uint32_t)n;
        imp->size += n;
        at += n;
        len -= n;
        if (imp->leaf_fill == imp->profile->chunk) {
            enum err e = end_leaf(imp);
            if (e != OK) {
                return e;
            }
        }
    }
    return OK;
}

enum err importer_end(struct importer *imp, struct importer_result *out) {
    enum err e = OK;
    if (imp->leaf_fill > 0 || imp->size == 0) {
        e = end_leaf(imp);
    }
    /* The root is the first level that holds a single block; below it every unfinished node is finished, however few
     * children it has. */
    for (uint32_t level = 0; e == OK && imp->produced[level] > 1; level++) {
        if (imp->levels[level]->count > 0) {
            e = make_node(imp, level, imp->size);
        }
    }
    if (e != OK) {
        return e;
    }
    ASSERT(imp->leaf_fill == 0 && imp->last.tsize >= imp->size); /* all of it is below the root */
    out->root = imp->last.cid;
    out->dag_size = imp->last.tsize;
    out->size = imp->size;
    sha256_final(&imp->whole, out->sha256);
    image_tree_final(&imp->tree, out->tree_root);
    return OK;
}
