#include "base/merkle.h"

#include <string.h>

static const uint8_t tag[16] = "assay.item";

void merkle_leaf(struct bytes item, uint8_t out[SHA256_LEN]) {
    const uint8_t kind = 0;
    sha256_parts((const struct bytes[]){bytes_of(tag, sizeof tag), bytes_of(&kind, 1), item}, 3, out);
}

static void merkle_inner(const uint8_t left[SHA256_LEN], const uint8_t right[SHA256_LEN], uint8_t out[SHA256_LEN]) {
    uint8_t input[sizeof tag + 1 + 2 * SHA256_LEN];
    memcpy(input, tag, sizeof tag);
    input[sizeof tag] = 1;
    memcpy(input + sizeof tag + 1, left, SHA256_LEN);
    memcpy(input + sizeof tag + 1 + SHA256_LEN, right, SHA256_LEN);
    sha256(input, sizeof input, out);
}

/* Pairing neighbours level by level and carrying an odd last node up unchanged gives RFC 6962's shape. */
void merkle_root(uint8_t (*leaves)[SHA256_LEN], size_t count, uint8_t out[SHA256_LEN]) {
    if (count == 0) {
        memset(out, 0, SHA256_LEN);
        return;
    }
    while (count > 1) {
        size_t pairs = count / 2;
        for (size_t i = 0; i < pairs; i++) {
            merkle_inner(leaves[2 * i], leaves[2 * i + 1], leaves[i]);
        }
        if (count % 2 == 1) {
            memmove(leaves[pairs], leaves[count - 1], SHA256_LEN);
        }
        count = pairs + count % 2;
    }
    memcpy(out, leaves[0], SHA256_LEN);
}
