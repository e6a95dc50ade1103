#include "ipfs-lite/image_tree.h"

#include "base/assert.h"

#include <string.h>

#define TAG_LEN 16u
static const uint8_t tag[TAG_LEN] = "assay.image";

static void piece_begin(struct sha256 *s) {
    static const uint8_t leaf = 0x00;
    sha256_init(s);
    sha256_update(s, tag, TAG_LEN);
    sha256_update(s, &leaf, 1);
}

static void inner_hash(const uint8_t left[SHA256_LEN], const uint8_t right[SHA256_LEN], uint8_t out[SHA256_LEN]) {
    uint8_t message[TAG_LEN + 1 + 2 * SHA256_LEN];
    memcpy(message, tag, TAG_LEN);
    message[TAG_LEN] = 0x01;
    memcpy(message + TAG_LEN + 1, left, SHA256_LEN);
    memcpy(message + TAG_LEN + 1 + SHA256_LEN, right, SHA256_LEN);
    sha256(message, sizeof message, out);
}

void image_tree_init(struct image_tree *t) {
    t->fill = 0;
    t->pieces = 0;
    t->height = 0;
    piece_begin(&t->piece);
}

/* Like adding one to a binary counter: every carry joins two complete subtrees of equal size. */
static void piece_end(struct image_tree *t) {
    ASSERT(t->height == (uint32_t)__builtin_popcountll(t->pieces)); /* a subtree for each bit of the count */
    sha256_final(&t->piece, t->stack[t->height++]);
    for (uint64_t carry = t->pieces; (carry & 1) != 0; carry >>= 1) {
        t->height--;
        inner_hash(t->stack[t->height - 1], t->stack[t->height], t->stack[t->height - 1]);
    }
    t->pieces++;
    t->fill = 0;
    piece_begin(&t->piece);
}

void image_tree_update(struct image_tree *t, const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        ASSERT(t->fill < IMAGE_TREE_PIECE); /* or a piece of no bytes would never end */
        size_t n = IMAGE_TREE_PIECE - t->fill;
        n = n < len ? n : len;
        sha256_update(&t->piece, at, n);
        t->fill += (uint32_t)n;
        at += n;
        len -= n;
        if (t->fill == IMAGE_TREE_PIECE) {
            piece_end(t);
        }
    }
}

void image_tree_final(struct image_tree *t, uint8_t out_root[SHA256_LEN]) {
    if (t->fill > 0 || t->pieces == 0) {
        piece_end(t);
    }
    while (t->height > 1) {
        t->height--;
        inner_hash(t->stack[t->height - 1], t->stack[t->height], t->stack[t->height - 1]);
    }
    ASSERT(t->height == 1);
    memcpy(out_root, t->stack[0], SHA256_LEN);
}
