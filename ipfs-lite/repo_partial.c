#include "ipfs-lite/repo_partial.h"

#include "base/assert.h"
#include "base/file.h"
#include "ipfs-lite/repo_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODES_MAX_BYTES (256u * 1024u * 1024u)

enum block_state { BLOCK_UNKNOWN, BLOCK_MISSING, BLOCK_ASKED, BLOCK_HAVE };

struct partial_node {
    struct repo_want want;
    enum block_state state;
};

struct partial_leaf {
    uint8_t digest[SHA256_LEN];
    uint8_t state; /* enum block_state */
};

struct repo_partial {
    struct repo *repo;
    struct cid root;
    uint64_t max_size;
    const struct unixfs_profile *profile; /* NULL until the root is here */
    uint64_t size;
    uint64_t reserved;
    int data_fd;
    int nodes_fd;
    uint64_t nodes_len;
    struct buffer nodes; /* struct partial_node each */
    size_t nodes_had;
    struct partial_leaf *leaves;
    size_t leaf_count;
    size_t leaves_had;
    size_t next_leaf; /* none below is missing */
    struct unixfs_node *scratch;
    uint8_t *leaf_buffer; /* one chunk */
    struct repo_partial_progress progress;
    char data_path[PATH_MAX];
    char nodes_path[PATH_MAX];
};

static struct partial_node *node_at(const struct repo_partial *p, size_t i) {
    ASSERT(i < p->nodes.len / sizeof(struct partial_node)); /* a want is given back as it was handed out */
    return (struct partial_node *)(void *)p->nodes.data + i;
}

static size_t node_count(const struct repo_partial *p) {
    return p->nodes.len / sizeof(struct partial_node);
}

static uint64_t leaf_size(const struct repo_partial *p, size_t leaf) {
    ASSERT(p->profile != NULL && leaf < p->leaf_count);
    uint64_t offset = (uint64_t)leaf * p->profile->chunk;
    uint64_t left = p->size - offset;
    return left < p->profile->chunk ? left : p->profile->chunk;
}

static enum err add_node(struct repo_partial *p, const struct cid *cid, uint32_t level, uint64_t offset,
                         uint64_t size) {
    struct partial_node node = {.state = BLOCK_MISSING};
    node.want = (struct repo_want){*cid, level, offset, size, DAG_PB_BLOCK_MAX, node_count(p)};
    buffer_put(&p->nodes, &node, sizeof node);
    return buffer_ok(&p->nodes);
}

/* Once the root is known so is the shape of everything below it. */
static enum err set_shape(struct repo_partial *p, const struct unixfs_profile *profile, uint64_t size) {
    if (size > p->max_size) {
        return ERR_TOOLARGE;
    }
    uint64_t count = unixfs_leaves(profile, size);
    enum err e = repo_reserve(p->repo, size);
    if (e != OK) {
        return e;
    }
    struct partial_leaf *leaves = calloc((size_t)count, sizeof *leaves);
    uint8_t *leaf_buffer = malloc(profile->chunk);
    if (leaves == NULL || leaf_buffer == NULL) {
        free(leaves);
        free(leaf_buffer);
        repo_release(p->repo, size);
        return ERR_NOMEM;
    }
    p->profile = profile;
    p->size = size;
    p->reserved = size;
    p->leaves = leaves;
    p->leaf_buffer = leaf_buffer;
    p->leaf_count = (size_t)count;
    p->progress.total = size;
    return OK;
}

static enum err shape_from_root(struct repo_partial *p, const struct unixfs_node *root, uint32_t *out_level) {
    for (size_t i = 0; unixfs_profiles[i] != NULL; i++) {
        uint32_t level = unixfs_root_level(unixfs_profiles[i], root->size);
        if (unixfs_check(unixfs_profiles[i], level, root->size, root) == OK) {
            *out_level = level;
            return set_shape(p, unixfs_profiles[i], root->size);
        }
    }
    return ERR_UNSUPPORTED;
}

/* The block is the right one by its hash: what does it tell? */
static enum err take_node(struct repo_partial *p, size_t slot, struct bytes block) {
    struct repo_want want = node_at(p, slot)->want;
    struct unixfs_node *node = p->scratch;
    enum err e = unixfs_decode(block, node);
    if (e != OK) {
        return e;
    }
    if (p->profile == NULL) {
        e = shape_from_root(p, node, &want.level);
    } else {
        e = unixfs_check(p->profile, want.level, want.size, node);
    }
    uint64_t offset = want.offset;
    for (size_t i = 0; e == OK && i < node->count; i++) {
        if (want.level > 1) {
            e = add_node(p, &node->links[i].cid, want.level - 1, offset, node->sizes[i]);
        } else {
            size_t leaf = (size_t)(offset / p->profile->chunk);
            ASSERT(leaf < p->leaf_count); /* unixfs_check: the sizes are those of the root's shape */
            memcpy(p->leaves[leaf].digest, node->links[i].cid.digest, SHA256_LEN);
            p->leaves[leaf].state = BLOCK_MISSING;
            p->next_leaf = leaf < p->next_leaf ? leaf : p->next_leaf;
        }
        offset += node->sizes[i];
    }
    if (e == OK) {
        node_at(p, slot)->state = BLOCK_HAVE;
        p->nodes_had++;
    }
    return e;
}

static void have_leaf(struct repo_partial *p, size_t leaf) {
    ASSERT(p->leaves[leaf].state != BLOCK_HAVE); /* none counts twice */
    p->leaves[leaf].state = BLOCK_HAVE;
    p->leaves_had++;
    p->progress.have += leaf_size(p, leaf);
    ASSERT(p->progress.have <= p->progress.total && p->leaves_had <= p->leaf_count);
}

/* ---- Opening: what of it is already on the disk? -------------------------------------------------------------- */

static bool read_exactly(int fd, void *out, size_t len, uint64_t offset) {
    uint8_t *at = out;
    while (len > 0) {
        ssize_t n = pread(fd, at, len, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        at += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return true;
}

/* A span of the nodes file's next whole record; false at its end or at a torn tail. */
static bool next_record(struct reader *r, struct bytes *out) {
    uint32_t len = read_u32(r);
    if (r->failed || len > r->left) {
        return false;
    }
    *out = read_span(r, len);
    return true;
}

/* Nodes were appended parents first, so one pass over the file finds all that can be placed. */
static enum err resume_nodes(struct repo_partial *p) {
    struct buffer file = BUFFER_INIT;
    enum err e = file_read(p->nodes_path, NODES_MAX_BYTES, &file);
    struct reader r = reader_of(buffer_bytes(&file));
    struct bytes block;
    while (e == OK && next_record(&r, &block)) {
        struct cid cid = cid_of_block(CID_DAG_PB, block);
        for (size_t i = 0; e == OK && i < node_count(p); i++) {
            if (node_at(p, i)->state == BLOCK_MISSING && cid_equal(&cid, &node_at(p, i)->want.cid)) {
                e = take_node(p, i, block);
            }
        }
        p->nodes_len = file.len - r.left;
    }
    buffer_free(&file);
    if (e == OK && ftruncate(p->nodes_fd, (off_t)p->nodes_len) != 0) {
        e = err_from_errno(errno);
    }
    return e;
}

static void resume_leaves(struct repo_partial *p) {
    for (size_t i = 0; i < p->leaf_count; i++) {
        uint64_t size = leaf_size(p, i);
        uint8_t digest[SHA256_LEN];
        if (p->leaves[i].state != BLOCK_MISSING ||
            !read_exactly(p->data_fd, p->leaf_buffer, (size_t)size, (uint64_t)i * p->profile->chunk)) {
            continue;
        }
        sha256(p->leaf_buffer, (size_t)size, digest);
        if (memcmp(digest, p->leaves[i].digest, SHA256_LEN) == 0) {
            have_leaf(p, i);
        }
    }
    p->progress.resumed = p->progress.have;
}

/* A lone leaf's size is not known beforehand: the file is whole or it isn't. */
static enum err resume_single(struct repo_partial *p) {
    struct stat st;
    if (fstat(p->data_fd, &st) != 0) {
        return err_from_errno(errno);
    }
    uint64_t size = (uint64_t)st.st_size;
    if (size > unixfs_v1_2025.chunk || size > p->max_size) {
        return OK;
    }
    uint8_t *data = malloc((size_t)size + 1);
    if (data == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    if (read_exactly(p->data_fd, data, (size_t)size, 0) && cid_matches(&p->root, bytes_of(data, (size_t)size))) {
        e = set_shape(p, &unixfs_v1_2025, size);
        if (e == OK) {
            have_leaf(p, 0);
            node_at(p, 0)->state = BLOCK_HAVE;
            p->nodes_had++;
            p->progress.resumed = size;
        }
    }
    free(data);
    return e;
}

static enum err open_files(struct repo_partial *p) {
    enum err e = repo_cid_path(p->repo, "partial", &p->root, ".data", p->data_path);
    if (e == OK) {
        e = repo_cid_path(p->repo, "partial", &p->root, ".nodes", p->nodes_path);
    }
    if (e != OK) {
        return e;
    }
    p->data_fd = open(p->data_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    p->nodes_fd = open(p->nodes_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (p->data_fd < 0 || p->nodes_fd < 0) {
        return err_from_errno(errno);
    }
    return flock(p->nodes_fd, LOCK_EX | LOCK_NB) == 0 ? OK : ERR_BUSY;
}

enum err repo_partial_open(struct repo *repo, const struct cid *root, uint64_t max_size, struct repo_partial **out) {
    struct repo_image here;
    if (repo_stat(repo, root, &here) == OK) {
        return ERR_EXISTS;
    }
    struct repo_partial *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->repo = repo;
    p->root = *root;
    p->max_size = max_size == 0 || max_size > repo->max_image_bytes ? repo->max_image_bytes : max_size;
    p->data_fd = -1;
    p->nodes_fd = -1;
    p->scratch = malloc(sizeof *p->scratch);
    enum err e = p->scratch == NULL ? ERR_NOMEM : add_node(p, root, 0, 0, 0);
    if (e == OK) {
        node_at(p, 0)->want.max_block = root->codec == CID_RAW ? unixfs_v1_2025.chunk : DAG_PB_BLOCK_MAX;
        e = open_files(p);
    }
    if (e == OK) {
        e = root->codec == CID_RAW ? resume_single(p) : resume_nodes(p);
    }
    if (e == OK && root->codec == CID_DAG_PB) {
        resume_leaves(p);
    }
    if (e != OK) {
        repo_partial_close(p);
        return e;
    }
    *out = p;
    return OK;
}

void repo_partial_close(struct repo_partial *p) {
    if (p == NULL) {
        return;
    }
    if (p->data_fd >= 0) {
        (void)close(p->data_fd);
    }
    if (p->nodes_fd >= 0) {
        (void)close(p->nodes_fd);
    }
    repo_release(p->repo, p->reserved);
    buffer_free(&p->nodes);
    free(p->leaves);
    free(p->leaf_buffer);
    free(p->scratch);
    free(p);
}

void repo_partial_discard(struct repo_partial *p) {
    (void)unlink(p->data_path);
    (void)unlink(p->nodes_path);
    repo_partial_close(p);
}

/* ---- Asking and keeping --------------------------------------------------------------------------------------- */

static enum err keep_leaf(struct repo_partial *p, size_t leaf, const void *data) {
    enum err e = repo_write_all(p->data_fd, data, (size_t)leaf_size(p, leaf), (uint64_t)leaf * p->profile->chunk);
    if (e == OK) {
        have_leaf(p, leaf);
    }
    return e;
}

/* True when another image here had the leaf. Failing to copy is no error: it is asked for like any other. */
static bool copy_local(struct repo_partial *p, size_t leaf) {
    struct cid cid = {.codec = CID_RAW};
    struct repo_block block;
    memcpy(cid.digest, p->leaves[leaf].digest, SHA256_LEN);
    if (repo_find(p->repo, &cid, &block) != OK) {
        return false;
    }
    bool copied =
        block.size == leaf_size(p, leaf) && read_exactly(block.fd, p->leaf_buffer, (size_t)block.size, block.offset) &&
        cid_matches(&cid, bytes_of(p->leaf_buffer, (size_t)block.size)) && keep_leaf(p, leaf, p->leaf_buffer) == OK;
    if (copied) {
        p->progress.copied += block.size;
    }
    repo_block_close(&block);
    return copied;
}

bool repo_partial_next(struct repo_partial *p, struct repo_want *out) {
    for (size_t i = 0; i < node_count(p); i++) {
        struct partial_node *node = node_at(p, i);
        if (node->state == BLOCK_MISSING) {
            node->state = BLOCK_ASKED;
            *out = node->want;
            return true;
        }
    }
    for (size_t i = p->next_leaf; i < p->leaf_count; i++) {
        if (p->leaves[i].state != BLOCK_MISSING || copy_local(p, i)) {
            continue;
        }
        p->leaves[i].state = BLOCK_ASKED;
        p->next_leaf = i + 1;
        uint64_t size = leaf_size(p, i);
        *out = (struct repo_want){{.codec = CID_RAW}, 0, (uint64_t)i * p->profile->chunk, size, (uint32_t)size, i};
        memcpy(out->cid.digest, p->leaves[i].digest, SHA256_LEN);
        return true;
    }
    p->next_leaf = p->leaf_count;
    return false;
}

static bool is_node_want(const struct repo_partial *p, const struct repo_want *want) {
    return want->level > 0 || (want->slot == 0 && cid_equal(&want->cid, &p->root));
}

void repo_partial_give_back(struct repo_partial *p, const struct repo_want *want) {
    if (is_node_want(p, want)) {
        struct partial_node *node = node_at(p, want->slot);
        node->state = node->state == BLOCK_ASKED ? BLOCK_MISSING : node->state;
        return;
    }
    ASSERT(want->slot < p->leaf_count);
    struct partial_leaf *leaf = &p->leaves[want->slot];
    if (leaf->state == BLOCK_ASKED) {
        leaf->state = BLOCK_MISSING;
        p->next_leaf = want->slot < p->next_leaf ? want->slot : p->next_leaf;
    }
}

static enum err put_node(struct repo_partial *p, size_t slot, struct bytes block) {
    uint8_t length[4];
    store_u32(length, (uint32_t)block.len);
    enum err e = take_node(p, slot, block);
    if (e == OK) {
        e = repo_write_all(p->nodes_fd, length, sizeof length, p->nodes_len);
    }
    if (e == OK) {
        e = repo_write_all(p->nodes_fd, block.data, block.len, p->nodes_len + sizeof length);
    }
    if (e == OK) {
        p->nodes_len += sizeof length + block.len;
    }
    return e;
}

static enum err put_single(struct repo_partial *p, struct bytes block) {
    enum err e = set_shape(p, &unixfs_v1_2025, block.len);
    if (e == OK) {
        e = keep_leaf(p, 0, block.data);
    }
    if (e == OK) {
        node_at(p, 0)->state = BLOCK_HAVE;
        p->nodes_had++;
    }
    return e;
}

enum err repo_partial_put(struct repo_partial *p, const struct repo_want *want, struct bytes block) {
    if (block.len > want->max_block || !cid_matches(&want->cid, block)) {
        return ERR_MISMATCH;
    }
    if (is_node_want(p, want)) {
        if (node_at(p, want->slot)->state == BLOCK_HAVE) {
            return OK;
        }
        return p->root.codec == CID_RAW ? put_single(p, block) : put_node(p, want->slot, block);
    }
    ASSERT(want->slot < p->leaf_count);
    if (p->leaves[want->slot].state == BLOCK_HAVE) {
        return OK;
    }
    /* The right hash with another length: the tree itself contradicts its sizes. */
    return block.len == want->size ? keep_leaf(p, want->slot, block.data) : ERR_UNSUPPORTED;
}

void repo_partial_progress(const struct repo_partial *p, struct repo_partial_progress *out) {
    *out = p->progress;
}

bool repo_partial_is_whole(const struct repo_partial *p) {
    return p->profile != NULL && p->nodes_had == node_count(p) && p->leaves_had == p->leaf_count;
}

enum err repo_partial_finish(struct repo_partial *p, const uint8_t *sha256_expected, struct repo_image *out) {
    ASSERT(repo_partial_is_whole(p));
    struct repo_index index = {0};
    struct repo_image image;
    enum err e = OK;
    if (ftruncate(p->data_fd, (off_t)p->size) != 0 || fsync(p->data_fd) != 0) {
        e = err_from_errno(errno);
    }
    if (e == OK) {
        e = repo_index_of_file(p->data_fd, p->size, p->profile, &index);
    }
    if (e != OK) {
        goto out;
    }
    repo_describe(&index, &image);
    if (!cid_equal(&image.root, &p->root)) {
        e = ERR_CORRUPT;
    } else if (sha256_expected != NULL && memcmp(image.sha256, sha256_expected, SHA256_LEN) != 0) {
        e = ERR_MISMATCH;
    } else {
        e = repo_publish(p->repo, p->data_path, &index);
    }
    if (e == OK) {
        *out = image;
    }
out:
    repo_index_free(&index);
    if (e == OK || e == ERR_MISMATCH || e == ERR_CORRUPT) {
        repo_partial_discard(p);
    } else {
        repo_partial_close(p);
    }
    return e;
}
