#include "ipfs-lite/image_tree.h"

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
    memcpy(out_root, t->stack[0], SHA256_LEN);
}

uint64_t image_tree_pieces(uint64_t size) {
    return size == 0 ? 1 : (size - 1) / IMAGE_TREE_PIECE + 1;
}

static uint64_t left_size(uint64_t count) {
    uint64_t k = 1;
    while (k < count - k) {
        k *= 2;
    }
    return k;
}

/* A sibling covers a run of pieces whose tree, taken alone, has the same shape. */
static enum err subtree_root(image_tree_read *read, void *arg, uint64_t size, uint64_t first, uint64_t count,
                             uint8_t out[SHA256_LEN]) {
    struct image_tree t;
    image_tree_init(&t);
    uint64_t at = first * IMAGE_TREE_PIECE;
    uint64_t end = count > (size - at) / IMAGE_TREE_PIECE ? size : at + count * IMAGE_TREE_PIECE;
    while (at < end) {
        uint8_t piece[IMAGE_TREE_PIECE];
        size_t n = end - at < sizeof piece ? (size_t)(end - at) : sizeof piece;
        enum err e = read(arg, at, piece, n);
        if (e != OK) {
            return e;
        }
        image_tree_update(&t, piece, n);
        at += n;
    }
    image_tree_final(&t, out);
    return OK;
}

enum err image_tree_prove(image_tree_read *read, void *arg, uint64_t size, uint64_t piece,
                          struct image_tree_proof *out) {
    uint64_t first = 0;
    uint64_t count = image_tree_pieces(size);
    if (piece >= count) {
        return ERR_RANGE;
    }
    struct image_tree_proof down = {.count = 0};
    while (count > 1) {
        uint64_t left = left_size(count);
        bool in_left = piece - first < left;
        uint64_t sibling = in_left ? first + left : first;
        uint64_t sibling_count = in_left ? count - left : left;
        enum err e = subtree_root(read, arg, size, sibling, sibling_count, down.siblings[down.count++]);
        if (e != OK) {
            return e;
        }
        first = in_left ? first : first + left;
        count = in_left ? left : count - left;
    }
    out->count = down.count;
    for (uint32_t i = 0; i < down.count; i++) {
        memcpy(out->siblings[i], down.siblings[down.count - 1 - i], SHA256_LEN);
    }
    return OK;
}

bool image_tree_check(const uint8_t root[SHA256_LEN], uint64_t size, uint64_t piece, struct bytes data,
                      const struct image_tree_proof *proof) {
    uint64_t count = image_tree_pieces(size);
    if (piece >= count || proof->count > IMAGE_TREE_DEPTH) {
        return false;
    }
    uint64_t expected = piece + 1 < count ? IMAGE_TREE_PIECE : size - piece * IMAGE_TREE_PIECE;
    if (data.len != expected) {
        return false;
    }
    uint8_t hash[SHA256_LEN];
    struct sha256 s;
    piece_begin(&s);
    sha256_update(&s, data.data, data.len);
    sha256_final(&s, hash);
    uint64_t last = count - 1;
    uint32_t used = 0;
    /* Going up, a node without a right neighbour is carried along until it is some node's right child. */
    for (; last > 0; piece >>= 1, last >>= 1) {
        if ((piece & 1) == 0 && piece == last) {
            continue;
        }
        if (used == proof->count) {
            return false;
        }
        const uint8_t *sibling = proof->siblings[used++];
        if ((piece & 1) != 0) {
            inner_hash(sibling, hash, hash);
        } else {
            inner_hash(hash, sibling, hash);
        }
    }
    return used == proof->count && memcmp(hash, root, SHA256_LEN) == 0;
}
