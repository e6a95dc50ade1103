#include "ipfs-lite/repo_index.h"

#include "base/assert.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define TAG_LEN 16u
#define VERSION 1u
#define READ_BYTES (128u * 1024u)
static const uint8_t tag[TAG_LEN] = "assay.index";

void repo_index_free(struct repo_index *index) {
    buffer_free(&index->leaves);
    buffer_free(&index->nodes);
    buffer_free(&index->blocks);
}

size_t repo_index_leaf_count(const struct repo_index *index) {
    return index->leaves.len / SHA256_LEN;
}

size_t repo_index_node_count(const struct repo_index *index) {
    return index->nodes.len / sizeof(struct repo_index_node);
}

const uint8_t *repo_index_leaf(const struct repo_index *index, size_t i) {
    ASSERT(i < repo_index_leaf_count(index));
    return index->leaves.data + i * SHA256_LEN;
}

/* The buffer's memory comes from realloc and holds nothing but whole entries, so it is aligned for them. */
const struct repo_index_node *repo_index_node(const struct repo_index *index, size_t i) {
    ASSERT(i < repo_index_node_count(index));
    return (const struct repo_index_node *)(const void *)index->nodes.data + i;
}

static enum err take_leaf(void *arg, const uint8_t digest[SHA256_LEN]) {
    struct repo_index *index = arg;
    buffer_put(&index->leaves, digest, SHA256_LEN);
    return buffer_ok(&index->leaves);
}

static enum err take_node(void *arg, const struct cid *cid, struct bytes block, uint64_t offset, uint64_t size) {
    struct repo_index *index = arg;
    if (index->blocks.len + block.len > REPO_INDEX_MAX_BYTES) {
        return ERR_TOOLARGE;
    }
    struct repo_index_node node = {
        .offset = offset, .size = size, .block_at = (uint32_t)index->blocks.len, .block_len = (uint32_t)block.len};
    memcpy(node.digest, cid->digest, SHA256_LEN);
    buffer_put(&index->nodes, &node, sizeof node);
    buffer_put(&index->blocks, block.data, block.len);
    return index->nodes.failed || index->blocks.failed ? ERR_NOMEM : OK;
}

struct importer_sink repo_index_sink(struct repo_index *index) {
    return (struct importer_sink){take_leaf, take_node, index};
}

void repo_index_finish(struct repo_index *index, const struct unixfs_profile *profile,
                       const struct importer_result *result) {
    ASSERT(repo_index_leaf_count(index) == unixfs_leaves(profile, result->size)); /* of one and the same import */
    index->profile = profile;
    index->root = result->root;
    index->size = result->size;
    memcpy(index->sha256, result->sha256, SHA256_LEN);
    memcpy(index->tree_root, result->tree_root, SHA256_LEN);
}

static enum err import_file(int fd, uint64_t size, struct importer *imp) {
    struct buffer chunk = BUFFER_INIT;
    uint8_t *data = buffer_extend(&chunk, READ_BYTES);
    enum err e = buffer_ok(&chunk);
    for (uint64_t at = 0; e == OK && at < size;) {
        size_t want = size - at < READ_BYTES ? (size_t)(size - at) : READ_BYTES;
        ssize_t n = pread(fd, data, want, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            e = n == 0 ? ERR_RANGE : err_from_errno(errno);
            break;
        }
        e = importer_write(imp, data, (size_t)n);
        at += (uint64_t)n;
    }
    buffer_free(&chunk);
    return e;
}

enum err repo_index_of_file(int fd, uint64_t size, const struct unixfs_profile *profile, struct repo_index *index) {
    struct importer *imp;
    enum err e = importer_new(profile, repo_index_sink(index), &imp);
    if (e != OK) {
        return e;
    }
    struct importer_result result;
    e = import_file(fd, size, imp);
    if (e == OK) {
        e = importer_end(imp, &result);
    }
    if (e == OK) {
        repo_index_finish(index, profile, &result);
    }
    importer_free(imp);
    return e;
}

void repo_index_encode(const struct repo_index *index, struct buffer *out) {
    size_t start = out->len;
    ASSERT(index->profile != NULL && index->blocks.len <= REPO_INDEX_MAX_BYTES); /* who reads it takes no more */
    uint8_t root[CID_LEN];
    cid_encode(&index->root, root);
    buffer_put(out, tag, TAG_LEN);
    buffer_u32(out, VERSION);
    buffer_u32(out, index->profile->id);
    buffer_put(out, root, CID_LEN);
    buffer_u64(out, index->size);
    buffer_put(out, index->sha256, SHA256_LEN);
    buffer_put(out, index->tree_root, SHA256_LEN);
    buffer_u32(out, (uint32_t)repo_index_leaf_count(index));
    buffer_u32(out, (uint32_t)repo_index_node_count(index));
    buffer_u32(out, (uint32_t)index->blocks.len);
    buffer_put(out, index->leaves.data, index->leaves.len);
    for (size_t i = 0; i < repo_index_node_count(index); i++) {
        const struct repo_index_node *node = repo_index_node(index, i);
        buffer_put(out, node->digest, SHA256_LEN);
        buffer_u64(out, node->offset);
        buffer_u64(out, node->size);
        buffer_u32(out, node->block_len);
    }
    buffer_put(out, index->blocks.data, index->blocks.len);
    if (!out->failed) {
        uint8_t sum[SHA256_LEN];
        sha256(out->data + start, out->len - start, sum);
        buffer_put(out, sum, SHA256_LEN);
    }
}

static enum err decode_header(struct reader *r, struct repo_index *index, uint32_t *leaves, uint32_t *nodes,
                              uint32_t *blocks) {
    struct bytes start = read_span(r, TAG_LEN);
    uint32_t version = read_u32(r);
    index->profile = unixfs_profile_with_id(read_u32(r));
    struct bytes root = read_span(r, CID_LEN);
    index->size = read_u64(r);
    read_bytes(r, index->sha256, SHA256_LEN);
    read_bytes(r, index->tree_root, SHA256_LEN);
    *leaves = read_u32(r);
    *nodes = read_u32(r);
    *blocks = read_u32(r);
    if (r->failed || memcmp(start.data, tag, TAG_LEN) != 0 || version != VERSION || index->profile == NULL ||
        cid_decode(root, &index->root) != OK || *leaves != unixfs_leaves(index->profile, index->size)) {
        return ERR_CORRUPT;
    }
    return OK;
}

static enum err decode_nodes(struct reader *r, uint32_t count, struct bytes blocks, struct repo_index *index) {
    uint32_t block_at = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct repo_index_node node;
        read_bytes(r, node.digest, SHA256_LEN);
        node.offset = read_u64(r);
        node.size = read_u64(r);
        node.block_len = read_u32(r);
        node.block_at = block_at;
        if (r->failed || node.offset > index->size || node.size > index->size - node.offset ||
            node.block_len > blocks.len - block_at) {
            return ERR_CORRUPT;
        }
        struct cid cid = cid_of_block(CID_DAG_PB, bytes_of(blocks.data + block_at, node.block_len));
        if (memcmp(cid.digest, node.digest, SHA256_LEN) != 0) {
            return ERR_CORRUPT;
        }
        block_at += node.block_len;
        buffer_put(&index->nodes, &node, sizeof node);
    }
    return block_at == blocks.len ? buffer_ok(&index->nodes) : ERR_CORRUPT;
}

enum err repo_index_decode(struct bytes from, struct repo_index *index) {
    if (from.len < SHA256_LEN || from.len > REPO_INDEX_MAX_BYTES) {
        return ERR_CORRUPT;
    }
    size_t body = from.len - SHA256_LEN;
    uint8_t sum[SHA256_LEN];
    sha256(from.data, body, sum);
    if (memcmp(sum, from.data + body, SHA256_LEN) != 0) {
        return ERR_CORRUPT;
    }
    struct reader r = reader_of(bytes_of(from.data, body));
    uint32_t leaves;
    uint32_t nodes;
    uint32_t block_bytes;
    enum err e = decode_header(&r, index, &leaves, &nodes, &block_bytes);
    if (e != OK) {
        return e;
    }
    struct bytes digests = read_span(&r, (size_t)leaves * SHA256_LEN);
    if (r.failed || block_bytes > r.left) {
        return ERR_CORRUPT;
    }
    struct bytes blocks = bytes_of(from.data + (body - block_bytes), block_bytes);
    r.left -= block_bytes;
    e = decode_nodes(&r, nodes, blocks, index);
    if (e == OK && !reader_done(&r)) {
        e = ERR_CORRUPT;
    }
    if (e != OK) {
        return e;
    }
    buffer_put(&index->leaves, digests.data, digests.len);
    buffer_put(&index->blocks, blocks.data, blocks.len);
    if (index->leaves.failed || index->blocks.failed) {
        return ERR_NOMEM;
    }
    struct cid root = {.codec = nodes == 0 ? CID_RAW : CID_DAG_PB};
    memcpy(root.digest, nodes == 0 ? digests.data : repo_index_node(index, nodes - 1)->digest, SHA256_LEN);
    bool single = leaves == 1;
    return cid_equal(&root, &index->root) && single == (nodes == 0) ? OK : ERR_CORRUPT;
}
