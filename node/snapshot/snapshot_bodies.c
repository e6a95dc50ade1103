#include "node/snapshot/snapshot_bodies.h"

#include "base/limits.h"
#include "base/merkle.h"
#include "node/ledger/execute.h"

#include <stdlib.h>
#include <string.h>

void snapshot_bodies_put(struct buffer *out, const struct block *block, const struct bytes *receipts) {
    buffer_u32(out, (uint32_t)block->encoded.len);
    buffer_put(out, block->encoded.data, block->encoded.len);
    for (size_t i = 0; i < block->tx_count; i++) {
        buffer_u32(out, (uint32_t)receipts[i].len);
        buffer_put(out, receipts[i].data, receipts[i].len);
    }
}

/* What a walk through a chunk remembers. */
struct bodies_walk {
    const struct snapshot_manifest *manifest;
    struct reader reader;
    uint64_t height; /* of the next block */
    bool any;
    uint8_t first_parent[HASH_LEN];
    uint8_t last[HASH_LEN];
    struct bytes receipts[LIMIT_BLOCK_TXS];
    uint8_t leaves[LIMIT_BLOCK_TXS][SHA256_LEN];
};

/* The receipts of a block, held against its header. */
static enum err read_receipts(struct bodies_walk *w, const struct block *block) {
    uint8_t root[SHA256_LEN];
    for (size_t i = 0; i < block->tx_count; i++) {
        struct receipt receipt;
        w->receipts[i] = read_span(&w->reader, read_u32(&w->reader));
        if (w->reader.failed || receipt_decode(w->receipts[i], &receipt) != OK ||
            memcmp(receipt.tx_id, block->txs[i].id, HASH_LEN) != 0) {
            return ERR_MISMATCH;
        }
        merkle_leaf(w->receipts[i], w->leaves[i]);
    }
    merkle_root(w->leaves, block->tx_count, root);
    return memcmp(root, block->header.receipts_root, sizeof root) == 0 ? OK : ERR_MISMATCH;
}

static enum err check_place(struct bodies_walk *w, const struct block *block) {
    const struct block_header *h = &block->header;
    if (memcmp(h->chain_id, w->manifest->chain_id, CHAIN_ID_LEN) != 0 || h->height != w->height ||
        (w->any && memcmp(h->parent, w->last, HASH_LEN) != 0)) {
        return ERR_MISMATCH;
    }
    if (!w->any) {
        memcpy(w->first_parent, h->parent, HASH_LEN);
    }
    w->any = true;
    w->height++;
    memcpy(w->last, block->hash, HASH_LEN);
    return OK;
}

static enum err read_one(struct bodies_walk *w,
                         enum err (*each)(void *arg, const struct block *block, const struct bytes *receipts),
                         void *arg) {
    struct block block;
    struct bytes encoded = read_span(&w->reader, read_u32(&w->reader));
    enum err e = w->reader.failed ? ERR_MISMATCH : block_decode(encoded, &block);
    if (e != OK) {
        return e == ERR_NOMEM ? e : ERR_MISMATCH;
    }
    e = check_place(w, &block);
    if (e == OK) {
        e = read_receipts(w, &block);
    }
    if (e == OK && each != NULL) {
        e = each(arg, &block, w->receipts);
    }
    block_free(&block);
    return e;
}

enum err snapshot_bodies_read(const struct snapshot_manifest *manifest, uint32_t index, struct bytes bytes,
                              enum err (*each)(void *arg, const struct block *block, const struct bytes *receipts),
                              void *arg) {
    const struct snapshot_body_chunk *chunk = &manifest->bodies[index];
    struct bodies_walk *w = malloc(sizeof *w);
    if (w == NULL) {
        return ERR_NOMEM;
    }
    w->manifest = manifest;
    w->reader = reader_of(bytes);
    w->height = chunk->first;
    w->any = false;
    enum err e = bytes.len == chunk->bytes ? OK : ERR_MISMATCH;
    while (e == OK && w->reader.left > 0) {
        e = read_one(w, each, arg);
    }
    if (e == OK && (!w->any || w->height != snapshot_body_end(manifest, index) + 1 ||
                    memcmp(w->last, chunk->last_hash, HASH_LEN) != 0)) {
        e = ERR_MISMATCH;
    }
    if (e == OK && index > 0 && memcmp(w->first_parent, manifest->bodies[index - 1].last_hash, HASH_LEN) != 0) {
        e = ERR_INVALID;
    }
    free(w);
    return e;
}
