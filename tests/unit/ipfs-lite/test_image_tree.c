#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/image_generator.h"
#include "ipfs-lite/image_tree.h"

#include <stdlib.h>
#include <string.h>

/* The definition, word for word, to compare with. */
static void hash_of(uint8_t kind, struct bytes a, struct bytes b, uint8_t out[SHA256_LEN]) {
    const struct bytes parts[] = {bytes_of("assay.image\0\0\0\0\0", 16), bytes_of(&kind, 1), a, b};
    sha256_parts(parts, 4, out);
}

static void root_by_definition(const uint8_t *data, size_t size, uint8_t out[SHA256_LEN]) {
    if (size <= IMAGE_TREE_PIECE) {
        hash_of(0x00, bytes_of(data, size), bytes_of(NULL, 0), out);
        return;
    }
    size_t pieces = (size + IMAGE_TREE_PIECE - 1) / IMAGE_TREE_PIECE;
    size_t left = 1;
    while (left * 2 < pieces) {
        left *= 2;
    }
    uint8_t halves[2][SHA256_LEN];
    root_by_definition(data, left * IMAGE_TREE_PIECE, halves[0]);
    root_by_definition(data + left * IMAGE_TREE_PIECE, size - left * IMAGE_TREE_PIECE, halves[1]);
    hash_of(0x01, bytes_of(halves[0], SHA256_LEN), bytes_of(halves[1], SHA256_LEN), out);
}

static void root_of(const uint8_t *data, size_t size, size_t step, uint8_t out[SHA256_LEN]) {
    struct image_tree tree;
    image_tree_init(&tree);
    for (size_t at = 0; at < size; at += step) {
        image_tree_update(&tree, data + at, size - at < step ? size - at : step);
    }
    image_tree_final(&tree, out);
}

static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 12288, 12289, 20480, 65536, 70001, 28672};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void streaming_gives_the_root_of_the_definition(void **state) {
    (void)state;
    uint8_t *data = calloc(1, 70002);
    assert_non_null(data);
    generate(0, data, 70001);
    for (size_t i = 0; i < SIZES; i++) {
        static const size_t steps[] = {1, 1000, 4096, 70001};
        uint8_t expected[SHA256_LEN];
        root_by_definition(data, sizes[i], expected);
        for (size_t k = 0; k < 4; k++) {
            uint8_t root[SHA256_LEN];
            root_of(data, sizes[i], steps[k], root);
            assert_memory_equal(root, expected, SHA256_LEN);
        }
    }
    free(data);
}

/* ---- What the shape is for: a piece is proven by the hashes of its siblings, from the piece up ---- */

struct piece_proof {
    uint32_t count;
    uint8_t siblings[IMAGE_TREE_DEPTH][SHA256_LEN]; /* from the piece up */
};

/* Reads the whole image but the piece itself once, through `read`, in order within each sibling. ERR_RANGE when there
 * is no such piece; errors of `read` are passed on. */
typedef enum err piece_read(void *arg, uint64_t offset, void *out, size_t len);
/* Number of pieces of an image; 1 for an empty one. */
static uint64_t pieces_of(uint64_t size) {
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
static enum err subtree_root(piece_read *read, void *arg, uint64_t size, uint64_t first, uint64_t count,
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

static enum err piece_prove(piece_read *read, void *arg, uint64_t size, uint64_t piece, struct piece_proof *out) {
    uint64_t first = 0;
    uint64_t count = pieces_of(size);
    if (piece >= count) {
        return ERR_RANGE;
    }
    struct piece_proof down = {.count = 0};
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

/* Is `data` piece number `piece` of the image of `size` bytes with that root? */
static bool piece_check(const uint8_t root[SHA256_LEN], uint64_t size, uint64_t piece, struct bytes data,
                        const struct piece_proof *proof) {
    uint64_t count = pieces_of(size);
    if (piece >= count || proof->count > IMAGE_TREE_DEPTH) {
        return false;
    }
    uint64_t expected = piece + 1 < count ? IMAGE_TREE_PIECE : size - piece * IMAGE_TREE_PIECE;
    if (data.len != expected) {
        return false;
    }
    uint8_t hash[SHA256_LEN];
    hash_of(0x00, data, bytes_of(NULL, 0), hash);
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
            hash_of(0x01, bytes_of(sibling, SHA256_LEN), bytes_of(hash, SHA256_LEN), hash);
        } else {
            hash_of(0x01, bytes_of(hash, SHA256_LEN), bytes_of(sibling, SHA256_LEN), hash);
        }
    }
    return used == proof->count && memcmp(hash, root, SHA256_LEN) == 0;
}

static void empty_image_has_the_hash_of_an_empty_piece(void **state) {
    (void)state;
    uint8_t expected[SHA256_LEN];
    uint8_t root[SHA256_LEN];
    hash_of(0x00, bytes_of(NULL, 0), bytes_of(NULL, 0), expected);
    root_of(NULL, 0, 1, root);
    assert_memory_equal(root, expected, SHA256_LEN);
    assert_int_equal(pieces_of(0), 1);
}

static enum err read_memory(void *arg, uint64_t offset, void *out, size_t len) {
    memcpy(out, (const uint8_t *)arg + offset, len);
    return OK;
}

static void every_piece_can_be_proven_and_no_other_passes(void **state) {
    (void)state;
    uint8_t *data = calloc(1, 70002);
    assert_non_null(data);
    generate(0, data, 70001);
    for (size_t i = 0; i < SIZES; i++) {
        uint8_t root[SHA256_LEN];
        uint64_t pieces = pieces_of(sizes[i]);
        root_of(data, sizes[i], 4096, root);
        for (uint64_t piece = 0; piece < pieces; piece++) {
            struct piece_proof proof;
            size_t at = (size_t)piece * IMAGE_TREE_PIECE;
            size_t len = sizes[i] - at < IMAGE_TREE_PIECE ? sizes[i] - at : IMAGE_TREE_PIECE;
            assert_int_equal(piece_prove(read_memory, data, sizes[i], piece, &proof), OK);
            assert_true(piece_check(root, sizes[i], piece, bytes_of(data + at, len), &proof));
            assert_false(piece_check(root, sizes[i], piece + 1, bytes_of(data + at, len), &proof));
            assert_false(piece_check(root, sizes[i], piece, bytes_of(data + at + 1, len), &proof) && len > 0);
            if (proof.count > 0) {
                proof.siblings[0][3] ^= 1;
                assert_false(piece_check(root, sizes[i], piece, bytes_of(data + at, len), &proof));
                proof.siblings[0][3] ^= 1;
                proof.count--;
                assert_false(piece_check(root, sizes[i], piece, bytes_of(data + at, len), &proof));
            }
        }
        struct piece_proof proof;
        assert_int_equal(piece_prove(read_memory, data, sizes[i], pieces, &proof), ERR_RANGE);
    }
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streaming_gives_the_root_of_the_definition),
        cmocka_unit_test(empty_image_has_the_hash_of_an_empty_piece),
        cmocka_unit_test(every_piece_can_be_proven_and_no_other_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
