#include "ipfs-lite/unixfs.h"

#include "base/assert.h"

#include <string.h>

#define FIELD_TYPE 0x08
#define FIELD_FILESIZE 0x18
#define FIELD_BLOCKSIZE 0x20
#define TYPE_FILE 2

const struct unixfs_profile unixfs_v1_2025 = {1, "unixfs-v1-2025", 1024u * 1024u, 1024};
static const struct unixfs_profile kubo = {2, "kubo", 256u * 1024u, 174};
const struct unixfs_profile *const unixfs_profiles[] = {&unixfs_v1_2025, &kubo, NULL};

const struct unixfs_profile *unixfs_profile_named(const char *name) {
    for (size_t i = 0; unixfs_profiles[i] != NULL; i++) {
        if (strcmp(unixfs_profiles[i]->name, name) == 0) {
            return unixfs_profiles[i];
        }
    }
    return NULL;
}

const struct unixfs_profile *unixfs_profile_with_id(uint32_t id) {
    for (size_t i = 0; unixfs_profiles[i] != NULL; i++) {
        if (unixfs_profiles[i]->id == id) {
            return unixfs_profiles[i];
        }
    }
    return NULL;
}

uint64_t unixfs_leaves(const struct unixfs_profile *profile, uint64_t size) {
    return size == 0 ? 1 : (size - 1) / profile->chunk + 1;
}

/* File bytes under a full node of that level; UINT64_MAX when they are more than that. */
static uint64_t full_span(const struct unixfs_profile *profile, uint32_t level) {
    uint64_t span = profile->chunk;
    for (uint32_t i = 0; i < level; i++) {
        if (span > UINT64_MAX / profile->links) {
            return UINT64_MAX;
        }
        span *= profile->links;
    }
    return span;
}

uint32_t unixfs_root_level(const struct unixfs_profile *profile, uint64_t size) {
    uint32_t level = 0;
    while (full_span(profile, level) < size) {
        level++;
    }
    return level;
}

void unixfs_encode(const struct unixfs_node *node, struct buffer *out) {
    struct buffer data = BUFFER_INIT;
    ASSERT(node->count <= DAG_PB_LINKS_MAX);
    buffer_u8(&data, FIELD_TYPE);
    buffer_u8(&data, TYPE_FILE);
    buffer_u8(&data, FIELD_FILESIZE);
    dag_pb_put_varint(&data, node->size);
    for (size_t i = 0; i < node->count; i++) {
        buffer_u8(&data, FIELD_BLOCKSIZE);
        dag_pb_put_varint(&data, node->sizes[i]);
    }
    dag_pb_encode(node->links, node->count, buffer_bytes(&data), out);
    out->failed = out->failed || data.failed;
    buffer_free(&data);
}

enum err unixfs_decode(struct bytes block, struct unixfs_node *out) {
    struct bytes data;
    enum err e = dag_pb_decode(block, out->links, &out->count, &data);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(data);
    if (read_u8(&r) != FIELD_TYPE || r.failed) {
        return ERR_MALFORMED;
    }
    if (dag_pb_varint(&r) != TYPE_FILE || r.failed || read_u8(&r) != FIELD_FILESIZE || r.failed) {
        return ERR_UNSUPPORTED;
    }
    out->size = dag_pb_varint(&r);
    uint64_t sum = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (read_u8(&r) != FIELD_BLOCKSIZE || r.failed) {
            return ERR_MALFORMED;
        }
        out->sizes[i] = dag_pb_varint(&r);
        if (out->sizes[i] > UINT64_MAX - sum) {
            return ERR_MALFORMED;
        }
        sum += out->sizes[i];
    }
    return reader_done(&r) && sum == out->size ? OK : ERR_MALFORMED;
}

enum err unixfs_check(const struct unixfs_profile *profile, uint32_t level, uint64_t size,
                      const struct unixfs_node *node) {
    if (level == 0 || size == 0 || node->size != size || full_span(profile, level) < size) {
        return ERR_UNSUPPORTED;
    }
    uint64_t span = full_span(profile, level - 1);
    if (node->count != (size - 1) / span + 1) {
        return ERR_UNSUPPORTED;
    }
    for (size_t i = 0; i < node->count; i++) {
        uint64_t expected = i + 1 < node->count ? span : size - span * (node->count - 1);
        if (node->sizes[i] != expected || node->links[i].cid.codec != (level == 1 ? CID_RAW : CID_DAG_PB)) {
            return ERR_UNSUPPORTED;
        }
    }
    return OK;
}
