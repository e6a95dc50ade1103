#include "node/ledger/block.h"

#include "base/merkle.h"
#include "node/host/host_crypto.h"

#include <stdlib.h>
#include <string.h>

enum err block_peek(struct bytes encoded, struct block_header *out_header, uint8_t out_hash[HASH_LEN]) {
    struct block_header header;
    if (encoded.len < BLOCK_HEADER_LEN || block_header_decode(encoded.data, &header) != GOOD) {
        return ERR_MALFORMED;
    }
    block_header_hash(&host_crypto, encoded.data, out_hash);
    *out_header = header;
    return OK;
}

static enum err decode_txs(struct reader *r, struct block *block) {
    uint8_t(*leaves)[SHA256_LEN] = malloc(block->tx_count * sizeof *leaves + 1);
    if (leaves == NULL) {
        return ERR_NOMEM;
    }
    enum err e = OK;
    for (size_t i = 0; i < block->tx_count && e == OK; i++) {
        struct bytes envelope = read_span(r, read_u32(r));
        e = r->failed ? ERR_MALFORMED : transaction_decode(envelope, &block->txs[i], NULL);
        if (e == OK) {
            merkle_leaf(envelope, leaves[i]);
        }
    }
    if (e == OK && !reader_done(r)) {
        e = ERR_MALFORMED;
    }
    if (e == OK) {
        uint8_t root[SHA256_LEN];
        merkle_root(leaves, block->tx_count, root);
        e = memcmp(root, block->header.tx_root, sizeof root) == 0 ? OK : ERR_MISMATCH;
    }
    free(leaves);
    return e;
}

enum err block_decode(struct bytes encoded, struct block *out) {
    struct block block = {.encoded = encoded};
    if (encoded.len > LIMIT_BLOCK_BYTES) {
        return ERR_TOOLARGE;
    }
    enum err e = block_peek(encoded, &block.header, block.hash);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(bytes_of(encoded.data + BLOCK_HEADER_LEN, encoded.len - BLOCK_HEADER_LEN));
    block.tx_count = read_u32(&r);
    if (r.failed) {
        return ERR_MALFORMED;
    }
    if (block.tx_count > LIMIT_BLOCK_TXS) {
        return ERR_TOOLARGE;
    }
    block.txs = calloc(block.tx_count + 1, sizeof *block.txs);
    if (block.txs == NULL) {
        return ERR_NOMEM;
    }
    e = decode_txs(&r, &block);
    if (e != OK) {
        free(block.txs);
        return e;
    }
    *out = block;
    return OK;
}

enum err block_decode_part(struct bytes encoded, uint32_t from, uint32_t count, struct block *out,
                           uint32_t *out_total) {
    struct block block = {.encoded = encoded};
    enum err e = block_peek(encoded, &block.header, block.hash);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(bytes_of(encoded.data + BLOCK_HEADER_LEN, encoded.len - BLOCK_HEADER_LEN));
    uint32_t total = read_u32(&r);
    if (r.failed || total > LIMIT_BLOCK_TXS) {
        return ERR_MALFORMED;
    }
    uint32_t wanted = from < total ? total - from : 0;
    wanted = wanted < count ? wanted : count;
    block.txs = calloc((size_t)wanted + 1, sizeof *block.txs);
    if (block.txs == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < from + wanted && e == OK; i++) {
        struct bytes envelope = read_span(&r, read_u32(&r));
        e = r.failed ? ERR_MALFORMED : OK;
        if (e == OK && i >= from) {
            e = transaction_decode(envelope, &block.txs[block.tx_count++], NULL);
        }
    }
    if (e != OK) {
        free(block.txs);
        return e;
    }
    *out = block;
    *out_total = total;
    return OK;
}

void block_free(struct block *block) {
    if (block != NULL) {
        free(block->txs);
        block->txs = NULL;
        block->tx_count = 0;
    }
}

uint64_t block_next_time(const struct block_header *parent, uint64_t wall_ms) {
    return wall_ms > parent->time_ms ? wall_ms : parent->time_ms + 1;
}

bool block_calls(const struct block *block, const char *contract) {
    for (size_t i = 0; i < block->tx_count; i++) {
        if (bytes_equal(block->txs[i].contract, bytes_str(contract))) {
            return true;
        }
    }
    return false;
}
