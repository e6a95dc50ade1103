#include "verify/block_header.h"

#include <string.h>

#define HEADER_VERSION 1

void block_header_encode(const struct block_header *header, uint8_t out[BLOCK_HEADER_LEN]) {
    out[0] = HEADER_VERSION;
    memcpy(out + 1, header->chain_id, CHAIN_ID_LEN);
    store_u64(out + 33, header->height);
    store_u64(out + 41, header->epoch);
    store_u64(out + 49, header->view);
    memcpy(out + 57, header->parent, HASH_LEN);
    store_u64(out + 89, header->time_ms);
    store_u16(out + 97, header->proposer);
    memcpy(out + 99, header->tx_root, HASH_LEN);
    memcpy(out + 131, header->receipts_root, HASH_LEN);
    memcpy(out + 163, header->state_root, HASH_LEN);
    memcpy(out + 195, header->validators_hash, HASH_LEN);
    memcpy(out + 227, header->next_validators_hash, HASH_LEN);
}

enum verdict block_header_decode(const uint8_t in[BLOCK_HEADER_LEN], struct block_header *out) {
    if (in[0] != HEADER_VERSION) {
        return BAD_VERSION;
    }
    memcpy(out->chain_id, in + 1, CHAIN_ID_LEN);
    out->height = load_u64(in + 33);
    out->epoch = load_u64(in + 41);
    out->view = load_u64(in + 49);
    memcpy(out->parent, in + 57, HASH_LEN);
    out->time_ms = load_u64(in + 89);
    out->proposer = load_u16(in + 97);
    memcpy(out->tx_root, in + 99, HASH_LEN);
    memcpy(out->receipts_root, in + 131, HASH_LEN);
    memcpy(out->state_root, in + 163, HASH_LEN);
    memcpy(out->validators_hash, in + 195, HASH_LEN);
    memcpy(out->next_validators_hash, in + 227, HASH_LEN);
    return GOOD;
}

void block_header_hash(const struct verify_crypto *crypto, const uint8_t encoded[BLOCK_HEADER_LEN],
                       uint8_t out[HASH_LEN]) {
    const struct bytes parts[] = {{(const uint8_t *)TAG_HEADER, TAG_LEN}, {encoded, BLOCK_HEADER_LEN}};
    hash_parts(crypto, parts, 2, out);
}

bool block_header_closes(const struct block_header *header) {
    return memcmp(header->validators_hash, header->next_validators_hash, HASH_LEN) != 0;
}
