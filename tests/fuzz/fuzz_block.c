/* Any bytes: decoding stays in bounds, and a block that decodes is made of exactly these bytes. */
#include "node/ledger/block.h"

#include "base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct block block;
    struct block_header header;
    uint8_t hash[HASH_LEN];
    enum err e = block_decode(bytes_of(data, size), &block);
    if (e != OK) {
        ASSERT(e == ERR_MALFORMED || e == ERR_TOOLARGE || e == ERR_MISMATCH);
        return 0;
    }
    size_t len = BLOCK_HEADER_LEN + 4;
    for (size_t i = 0; i < block.tx_count; i++) {
        len += 4 + block.txs[i].envelope.len;
    }
    ASSERT(len == size && block.tx_count <= LIMIT_BLOCK_TXS);
    ASSERT(block_peek(bytes_of(data, size), &header, hash) == OK && memcmp(hash, block.hash, HASH_LEN) == 0);
    block_free(&block);
    return 0;
}
