/* Bytes that the CID vectors are made of (tests/vectors/cid/unixfs.json, "generator"). */
#ifndef ASSAY_TESTS_IPFS_LITE_GENERATOR_H
#define ASSAY_TESTS_IPFS_LITE_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

static inline void generate(uint64_t offset, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(((uint32_t)(offset + i) * UINT32_C(1103515245) + 12345u) >> 16);
    }
}

#endif
