#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/sha256.h"
#include "store/kv.h"
#include "store/snapshot.h"
#include "store/snapshot_split.h"
#include "store/tree.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hash_init(struct hash_state *s) {
    sha256_init((struct sha256 *)s);
}
static void hash_update(struct hash_state *s, const void *data, size_t len) {
    sha256_update((struct sha256 *)s, data, len);
}
static void hash_final(struct hash_state *s, uint8_t out[HASH_LEN]) {
    sha256_final((struct sha256 *)s, out);
}
static const struct verify_crypto crypto = {
    .hash_init = hash_init, .hash_update = hash_update, .hash_final = hash_final};

/* ---- A state, the tree over it, and its chunks ---- */

struct fixture {
    struct kv *kv;
    struct tree_root root;
    char dir[64];
    struct snapshot_manifest manifest;
    struct buffer chunk; /* the last one read */
};

/* `count` records of about `size` bytes; the tree over them is made by store/tree.c, which knows nothing of chunks. */
static void open_state(struct fixture *f, size_t count, size_t size) {
    memset(f, 0, sizeof *f);
    struct kv_backend memory;
    struct kv_layer *layer;
    struct kv_view *view;
    struct tree_change *changes = calloc(count + 1, sizeof *changes);
    uint64_t next_id = 1;
    uint8_t *value = calloc(1, size + 8);
    assert_int_equal(kv_memory_open(&memory), OK);
    assert_int_equal(kv_open(memory, &f->kv), OK);
    assert_int_equal(kv_layer_new(&layer), OK);
    for (size_t i = 0; i < count; i++) {
        char key[64];
        int n = snprintf(key, sizeof key, "test%crecord-%zu", 0, i);
        store_u64(value, i);
        assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, (size_t)n), bytes_of(value, size + i % 3)), OK);
        sha256(key, (size_t)n, changes[i].key);
        sha256(value, size + i % 3, changes[i].value_hash);
    }
    assert_int_equal(kv_view_open(f->kv, &view), OK);
    assert_int_equal(tree_update(&crypto, view, NULL, TREE_EMPTY, changes, count, 1, &next_id, layer, &f->root), OK);
    kv_view_close(view);
    assert_int_equal(kv_push(f->kv, layer), OK);
    kv_layer_unref(layer);
    free(changes);
    free(value);
    strcpy(f->dir, "/tmp/assay-snapshot-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

static void close_state(struct fixture *f) {
    DIR *d = opendir(f->dir);
    assert_non_null(d);
    for (const struct dirent *entry = readdir(d); entry != NULL; entry = readdir(d)) {
        char path[400];
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(d);
    assert_int_equal(rmdir(f->dir), 0);
    snapshot_manifest_free(&f->manifest);
    buffer_free(&f->chunk);
    kv_close(f->kv);
}

static enum err split(struct fixture *f, uint32_t target, bool (*stop)(void *arg)) {
    struct kv_view *view;
    assert_int_equal(kv_view_open(f->kv, &view), OK);
    const struct snapshot_split_config config = {
        .crypto = &crypto, .view = view, .dir = f->dir, .chunk_target = target, .stop = stop};
    enum err e = snapshot_split(&config, &f->manifest.bits, &f->manifest.state);
    kv_view_close(view);
    return e;
}

static struct bytes chunk_bytes(struct fixture *f, uint32_t chunk) {
    char path[400];
    (void)snprintf(path, sizeof path, "%s/%u", f->dir, chunk);
    buffer_reset(&f->chunk);
    if (f->manifest.state[chunk].bytes > 0) {
        assert_int_equal(file_read(path, SNAPSHOT_CHUNK_MAX, &f->chunk), OK);
    } else {
        assert_int_not_equal(access(path, F_OK), 0);
    }
    return buffer_bytes(&f->chunk);
}

static enum err count_leaf(void *arg, const struct snapshot_leaf *leaf) {
    (void)leaf;
    (*(size_t *)arg)++;
    return OK;
}

static enum err check(const struct fixture *f, uint32_t chunk, struct bytes bytes) {
    return snapshot_chunk_read(&crypto, &f->manifest, chunk, bytes, NULL, NULL);
}

/* Adds one body chunk, so that the manifest can be encoded. */
static void add_body(struct fixture *f) {
    f->manifest.height = 7;
    memset(f->manifest.block, 5, HASH_LEN);
    f->manifest.bodies = calloc(1, sizeof *f->manifest.bodies);
    f->manifest.body_count = 1;
    f->manifest.bodies[0] = (struct snapshot_body_chunk){.first = 3, .bytes = 100};
    memset(f->manifest.bodies[0].last_hash, 5, HASH_LEN);
    f->manifest.bundle = bytes_str("bundle");
}

/* ---- Cases ---- */

static void chunks_make_the_root_that_the_tree_has(void **state) {
    (void)state;
    static const struct {
        size_t count, size;
        uint32_t target;
    } cases[] = {{1, 10, 100}, {2, 10, 10}, {3, 0, 1}, {500, 20, 400}, {500, 20, 1 << 20}, {3000, 40, 16}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        uint8_t root[HASH_LEN];
        size_t leaves = 0, empty = 0;
        open_state(&f, cases[i].count, cases[i].size);
        assert_int_equal(split(&f, cases[i].target, NULL), OK);
        snapshot_state_root(&crypto, &f.manifest, root);
        assert_memory_equal(root, f.root.hash, HASH_LEN);
        for (uint32_t k = 0; k < UINT32_C(1) << f.manifest.bits; k++) {
            struct bytes bytes = chunk_bytes(&f, k);
            assert_int_equal(snapshot_chunk_read(&crypto, &f.manifest, k, bytes, count_leaf, &leaves), OK);
            empty += bytes.len == 0;
        }
        assert_int_equal(leaves, cases[i].count);
        assert_true(cases[i].count > 3 || cases[i].target > 1 || empty > 0);
        close_state(&f);
    }
}

static void an_empty_state_has_one_chunk_that_is_not_there(void **state) {
    (void)state;
    struct fixture f;
    uint8_t root[HASH_LEN];
    open_state(&f, 0, 0);
    assert_int_equal(split(&f, 0, NULL), OK);
    assert_int_equal(f.manifest.bits, 0);
    snapshot_state_root(&crypto, &f.manifest, root);
    assert_true(bytes_is_zero(root, HASH_LEN));
    assert_int_equal(check(&f, 0, chunk_bytes(&f, 0)), OK);
    close_state(&f);
}

static bool always(void *arg) {
    (void)arg;
    return true;
}

static void the_work_ends_when_told(void **state) {
    (void)state;
    struct fixture f;
    open_state(&f, 10, 10);
    assert_int_equal(split(&f, 0, always), ERR_CLOSED);
    close_state(&f);
}

static void every_flipped_byte_of_a_chunk_is_refused(void **state) {
    (void)state;
    struct fixture f;
    open_state(&f, 60, 10);
    assert_int_equal(split(&f, 400, NULL), OK);
    assert_true(f.manifest.bits >= 2);
    for (uint32_t k = 0; k < UINT32_C(1) << f.manifest.bits; k++) {
        struct bytes bytes = chunk_bytes(&f, k);
        uint8_t *copy = malloc(bytes.len + 1);
        memcpy(copy, bytes.data, bytes.len);
        for (size_t i = 0; i < bytes.len; i++) {
            copy[i] ^= (uint8_t)(1u << i % 8);
            assert_int_equal(check(&f, k, bytes_of(copy, bytes.len)), ERR_MISMATCH);
            copy[i] = bytes.data[i];
        }
        copy[bytes.len] = 0;
        assert_int_equal(check(&f, k, bytes_of(copy, bytes.len)), OK);
        assert_int_equal(check(&f, k, bytes_of(copy, bytes.len - 1)), ERR_MISMATCH);
        assert_int_equal(check(&f, k, bytes_of(copy, bytes.len + 1)), ERR_MISMATCH);
        free(copy);
    }
    close_state(&f);
}

/* Length of the first leaf of a chunk. */
static size_t leaf_len(const uint8_t *at) {
    return SNAPSHOT_LEAF_HEAD + load_u16(at) + load_u32(at + 2);
}

/* The lengths are made to fit, so that it is the leaves themselves that are judged. */
static void a_missing_an_extra_and_a_misplaced_leaf_are_refused(void **state) {
    (void)state;
    struct fixture f;
    open_state(&f, 40, 8);
    assert_int_equal(split(&f, 1 << 20, NULL), OK);
    struct bytes bytes = chunk_bytes(&f, 0);
    size_t first = leaf_len(bytes.data), second = leaf_len(bytes.data + first);
    uint8_t *other = malloc(2 * bytes.len);
    memcpy(other, bytes.data + first, bytes.len - first);
    f.manifest.state[0].bytes = (uint32_t)(bytes.len - first);
    assert_int_equal(check(&f, 0, bytes_of(other, bytes.len - first)), ERR_MISMATCH);
    memcpy(other, bytes.data, bytes.len);
    memcpy(other + bytes.len, bytes.data, first);
    f.manifest.state[0].bytes = (uint32_t)(bytes.len + first);
    assert_int_equal(check(&f, 0, bytes_of(other, bytes.len + first)), ERR_MISMATCH); /* behind its place */
    memcpy(other, bytes.data, first);
    memcpy(other + first, bytes.data, bytes.len);
    assert_int_equal(check(&f, 0, bytes_of(other, bytes.len + first)), ERR_MISMATCH); /* twice */
    memcpy(other, bytes.data + first, second);
    memcpy(other + second, bytes.data, first);
    memcpy(other + first + second, bytes.data + first + second, bytes.len - first - second);
    f.manifest.state[0].bytes = (uint32_t)bytes.len;
    assert_int_equal(check(&f, 0, bytes_of(other, bytes.len)), ERR_MISMATCH); /* wrong order */
    assert_int_equal(check(&f, 0, bytes), OK);
    free(other);
    close_state(&f);
}

static void a_leaf_of_another_chunk_is_refused(void **state) {
    (void)state;
    struct fixture f;
    open_state(&f, 60, 10);
    assert_int_equal(split(&f, 400, NULL), OK);
    struct bytes bytes = chunk_bytes(&f, 1);
    f.manifest.state[0] = f.manifest.state[1]; /* a manifest that says so does not make it so */
    assert_int_equal(check(&f, 0, bytes), ERR_MISMATCH);
    assert_int_equal(check(&f, 1, bytes), OK);
    close_state(&f);
}

static void a_manifest_comes_back_as_it_went(void **state) {
    (void)state;
    struct fixture f;
    struct snapshot_manifest back;
    struct buffer encoded = BUFFER_INIT;
    open_state(&f, 60, 10);
    assert_int_equal(split(&f, 400, NULL), OK);
    add_body(&f);
    assert_int_equal(snapshot_manifest_encode(&crypto, &f.manifest, &encoded), OK);
    assert_int_equal(snapshot_manifest_decode(&crypto, buffer_bytes(&encoded), &back), OK);
    assert_int_equal(back.height, 7);
    assert_int_equal(back.bits, f.manifest.bits);
    assert_memory_equal(back.content, f.manifest.content, HASH_LEN);
    assert_true(bytes_equal(back.bundle, bytes_str("bundle")));
    assert_int_equal(snapshot_bytes(&back), snapshot_bytes(&f.manifest));
    assert_int_equal(snapshot_body_end(&back, 0), 7);
    assert_memory_equal(back.state, f.manifest.state, sizeof *back.state << back.bits);
    snapshot_manifest_free(&back);
    buffer_free(&encoded);
    close_state(&f);
}

/* Whatever is changed: it is no manifest, another snapshot's, or its state root is another; only the bundle may differ,
 * and that is for the proof's verifier. */
static void every_flipped_byte_of_a_manifest_is_noticed(void **state) {
    (void)state;
    struct fixture f;
    struct buffer encoded = BUFFER_INIT;
    open_state(&f, 20, 10);
    assert_int_equal(split(&f, 200, NULL), OK);
    add_body(&f);
    assert_int_equal(snapshot_manifest_encode(&crypto, &f.manifest, &encoded), OK);
    for (size_t i = 0; i < encoded.len; i++) {
        struct snapshot_manifest back;
        encoded.data[i] ^= (uint8_t)(1u << i % 8);
        enum err e = snapshot_manifest_decode(&crypto, buffer_bytes(&encoded), &back);
        if (e == OK) {
            bool same = memcmp(back.content, f.manifest.content, HASH_LEN) == 0;
            assert_true(!same || i >= encoded.len - strlen("bundle"));
            snapshot_manifest_free(&back);
        }
        encoded.data[i] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t len = 0; len < encoded.len; len++) {
        struct snapshot_manifest back;
        assert_int_not_equal(snapshot_manifest_decode(&crypto, bytes_of(encoded.data, len), &back), OK);
    }
    buffer_free(&encoded);
    close_state(&f);
}

static void bytes_are_those_of_the_documented_example(void **state) {
    (void)state;
    struct snapshot_state_chunk one = {.bytes = 10};
    struct snapshot_body_chunk body = {.first = 1, .bytes = 100};
    struct snapshot_manifest m = {.height = 2, .state = &one, .body_count = 1, .bodies = &body};
    struct buffer encoded = BUFFER_INIT;
    uint8_t chunk[10];
    char hex[2 * HASH_LEN + 1];
    memset(m.chain_id, 0x11, CHAIN_ID_LEN);
    memset(m.block, 0x22, HASH_LEN);
    memset(body.last_hash, 0x22, HASH_LEN);
    assert_int_equal(hex_decode("00030000000161006263", chunk, sizeof chunk), OK);
    assert_int_equal(hex_decode("b06934abbc627a6652cdfbef2c6b4b7c0540c555602ff23f166474b78a55e01d", one.root, HASH_LEN),
                     OK);
    assert_int_equal(snapshot_chunk_read(&crypto, &m, 0, bytes_of(chunk, sizeof chunk), NULL, NULL), OK);
    assert_int_equal(snapshot_manifest_encode(&crypto, &m, &encoded), OK);
    assert_int_equal(encoded.len, 166);
    hex_encode(m.content, HASH_LEN, hex);
    assert_string_equal(hex, "802c253991d005cb594647a62993f7afe2b0ce9e4554558aa12befcfe706d0b0");
    buffer_free(&encoded);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_documented_example),
        cmocka_unit_test(chunks_make_the_root_that_the_tree_has),
        cmocka_unit_test(an_empty_state_has_one_chunk_that_is_not_there),
        cmocka_unit_test(the_work_ends_when_told),
        cmocka_unit_test(every_flipped_byte_of_a_chunk_is_refused),
        cmocka_unit_test(a_missing_an_extra_and_a_misplaced_leaf_are_refused),
        cmocka_unit_test(a_leaf_of_another_chunk_is_refused),
        cmocka_unit_test(a_manifest_comes_back_as_it_went),
        cmocka_unit_test(every_flipped_byte_of_a_manifest_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
