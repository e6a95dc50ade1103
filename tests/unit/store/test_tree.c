#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/tree.h"
#include "tests/lib/hashing.h"

#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 600

/* A store, a tree in it, and the naive model: the list of what it should hold. */
struct fixture {
    struct kv *kv;
    struct tree_cache *cache;
    struct tree_root root;
    uint64_t next_id;
    uint64_t height;
    struct tree_change model[KEYS_MAX];
    size_t model_count;
};

static int make_fixture(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct kv_backend backend;
    assert_non_null(f);
    assert_int_equal(kv_memory_open(&backend), OK);
    assert_int_equal(kv_open(backend, &f->kv), OK);
    assert_int_equal(tree_cache_new(64, &f->cache), OK);
    f->next_id = 1;
    *state = f;
    return 0;
}

static int free_fixture(void **state) {
    struct fixture *f = *state;
    kv_close(f->kv);
    tree_cache_free(f->cache);
    free(f);
    return 0;
}

static int by_key(const void *a, const void *b) {
    return memcmp(((const struct tree_change *)a)->key, ((const struct tree_change *)b)->key, SHA256_LEN);
}

/* The root as verify/state_proof.h defines it, straight from the sorted list of leaves. */
static void naive_root(const struct tree_change *sorted, size_t count, uint8_t out[SHA256_LEN]) {
    if (count == 0) {
        memset(out, 0, SHA256_LEN);
        return;
    }
    if (count == 1) {
        state_leaf_hash(&hashing, sorted[0].key, sorted[0].value_hash, out);
        return;
    }
    unsigned bit = 0;
    while (state_key_bit(sorted[0].key, (uint8_t)bit) == state_key_bit(sorted[count - 1].key, (uint8_t)bit)) {
        bit++;
    }
    size_t left = 0;
    while (!state_key_bit(sorted[left].key, (uint8_t)bit)) {
        left++;
    }
    uint8_t hashes[2][SHA256_LEN];
    naive_root(sorted, left, hashes[0]);
    naive_root(sorted + left, count - left, hashes[1]);
    state_inner_hash(&hashing, (uint8_t)bit, hashes[0], hashes[1], out);
}

static void model_apply(struct fixture *f, const struct tree_change *change) {
    size_t i = 0;
    while (i < f->model_count && by_key(&f->model[i], change) != 0) {
        i++;
    }
    if (change->deleted) {
        if (i < f->model_count) {
            f->model[i] = f->model[--f->model_count];
        }
        return;
    }
    assert_true(i < KEYS_MAX);
    f->model[i] = *change;
    f->model_count += i == f->model_count;
}

static void apply(struct fixture *f, struct tree_change *changes, size_t count, struct tree_cache *cache) {
    struct kv_layer *layer;
    struct kv_view *view;
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_view_open_above(f->kv, &layer, 1, &view), OK);
    for (size_t i = 0; i < count; i++) {
        model_apply(f, &changes[i]);
    }
    f->height++;
    assert_int_equal(
        tree_update(&hashing, view, cache, f->root, changes, count, f->height, &f->next_id, layer, &f->root), OK);
    kv_view_close(view);
    assert_int_equal(kv_push(f->kv, layer), OK);
    kv_layer_unref(layer);
    uint8_t expected[SHA256_LEN];
    qsort(f->model, f->model_count, sizeof f->model[0], by_key);
    naive_root(f->model, f->model_count, expected);
    assert_memory_equal(f->root.hash, expected, SHA256_LEN);
    assert_true((f->root.id == 0) == (f->model_count == 0));
}

static void checkpoint(struct kv *kv) {
    struct kv_checkpoint *c;
    enum err e = kv_checkpoint_begin(kv, &c);
    if (e == OK) {
        e = kv_checkpoint_end(kv, c, kv_checkpoint_write(c));
    }
    assert_true(e == OK || e == ERR_NOTFOUND);
}

/* Keys that share long prefixes now and then, so that edges get long and are split. */
static struct tree_change random_change(struct dice *dice, uint64_t pool, unsigned deletes_of_8) {
    struct tree_change change = {.deleted = dice_below(dice, 8) < deletes_of_8};
    uint64_t n = dice_below(dice, pool);
    if (n % 3 == 0) {
        memset(change.key, n % 2 == 0 ? 0xff : 0, SHA256_LEN);
        change.key[n / 3 % SHA256_LEN] ^= (uint8_t)(1 + n % 255);
    } else {
        sha256(&n, sizeof n, change.key);
    }
    if (!change.deleted) {
        uint64_t v = dice_below(dice, 4);
        sha256(&v, sizeof v, change.value_hash);
    }
    return change;
}

static size_t random_batch(struct dice *dice, struct tree_change *out, size_t max, uint64_t pool, unsigned deletes) {
    size_t want = 1 + dice_below(dice, max), count = 0;
    for (size_t i = 0; i < want; i++) {
        struct tree_change change = random_change(dice, pool, deletes);
        bool known = false;
        for (size_t k = 0; k < count; k++) {
            known = known || by_key(&out[k], &change) == 0;
        }
        if (!known) {
            out[count++] = change;
        }
    }
    return count;
}

static void any_batches_give_the_root_of_the_set(void **state) {
    struct fixture *f = *state;
    struct dice dice = {1};
    struct tree_change batch[40];
    for (int step = 0; step < 3000; step++) {
        unsigned deletes = step / 200 % 2 == 0 ? 1 : 6; /* it grows and shrinks, now and then to nothing */
        size_t count = random_batch(&dice, batch, step % 5 == 0 ? 40 : 4, 400, deletes);
        apply(f, batch, count, step % 2 == 0 ? f->cache : NULL);
        if (step % 97 == 0) {
            checkpoint(f->kv);
        }
    }
    for (size_t n = f->model_count; n > 0; n--) {
        struct tree_change change = f->model[n / 2];
        change.deleted = true;
        apply(f, &change, 1, f->cache);
    }
    assert_int_equal(f->root.id, 0);
}

static void a_tree_of_two_is_the_documented_example(void **state) {
    struct fixture *f = *state;
    struct tree_change batch[2] = {{.deleted = false}};
    char hex[2 * SHA256_LEN + 1];
    const struct bytes contract = {(const uint8_t *)"demo", 4};
    for (size_t i = 0; i < 2; i++) {
        const struct bytes user_key = {(const uint8_t *)&"ab"[i], 1};
        state_key(&hashing, contract, user_key, batch[i].key);
        sha256(&"12"[i], 1, batch[i].value_hash);
    }
    apply(f, batch, 2, NULL);
    hex_encode(f->root.hash, SHA256_LEN, hex);
    assert_string_equal(hex, "3c25f061f819a7378f1af33046c80a9766deadef9051f814b6578d0f0a58179d");
}

static void the_same_set_by_another_way_has_the_same_root(void **state) {
    struct fixture *f = *state;
    struct dice dice = {2};
    struct tree_change batch[300];
    uint8_t first[SHA256_LEN];
    size_t count;
    for (count = 0; count < 300; count++) {
        sha256(&count, sizeof count, batch[count].key);
        sha256(&count, 4, batch[count].value_hash);
        batch[count].deleted = false;
    }
    apply(f, batch, count, f->cache);
    memcpy(first, f->root.hash, SHA256_LEN);
    f->root = TREE_EMPTY;
    f->model_count = 0;
    for (size_t i = count; i-- > 0;) { /* one by one, with a detour */
        struct tree_change detour = {.value_hash = {1}};
        uint64_t other = 1000 + dice_below(&dice, 1000);
        sha256(&other, sizeof other, detour.key);
        apply(f, &detour, 1, f->cache);
        apply(f, &batch[i], 1, f->cache);
        detour.deleted = true;
        apply(f, &detour, 1, f->cache);
    }
    assert_memory_equal(f->root.hash, first, SHA256_LEN);
}

static size_t nodes_in(struct kv_view *view) {
    uint8_t from[9] = {0};
    struct bytes at = bytes_of(from, 0), key, value;
    size_t count = 0;
    while (kv_seek(view, KV_NODES, at, &key, &value) == OK) {
        memcpy(from, key.data, 8);
        at = bytes_of(from, 9);
        count++;
    }
    return count;
}

static void writing_what_is_there_writes_nothing(void **state) {
    struct fixture *f = *state;
    struct dice dice = {3};
    struct tree_change batch[40];
    size_t count = random_batch(&dice, batch, 40, 400, 0);
    apply(f, batch, count, f->cache);
    struct tree_root before = f->root;
    uint64_t next_id = f->next_id;
    batch[0].deleted = false;
    apply(f, batch, count, f->cache);
    struct tree_change absent = {.deleted = true};
    apply(f, &absent, 1, f->cache);
    assert_int_equal(f->next_id, next_id);
    assert_memory_equal(&f->root, &before, sizeof before);
}

static void the_same_key_twice_in_a_batch_is_refused(void **state) {
    struct fixture *f = *state;
    struct tree_change batch[2] = {{.key = {1}}, {.key = {1}}};
    struct kv_layer *layer;
    struct kv_view *view;
    struct tree_root out = {.id = 7};
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_view_open_above(f->kv, &layer, 1, &view), OK);
    assert_int_equal(tree_update(&hashing, view, NULL, TREE_EMPTY, batch, 2, 1, &f->next_id, layer, &out),
                     ERR_DUPLICATE);
    assert_int_equal(out.id, 7);
    assert_int_equal(f->next_id, 1);
    kv_view_close(view);
    kv_layer_unref(layer);
}

/* ---- Proofs ----------------------------------------------------------------------------------------------------- */

static enum verdict check_proof(struct tree_root root, const struct tree_change *asked, const struct buffer *path,
                                enum state_path_end *out_end) {
    static uint8_t work[STATE_PATH_STEPS_MAX][33];
    struct bytes_input from = {{path->data, path->len}};
    struct input in = input_of_bytes(&from);
    enum verdict v =
        state_path_verify(&hashing, root.hash, asked->key, asked->value_hash, &in, work, STATE_PATH_STEPS_MAX, out_end);
    assert_true(v != GOOD || from.rest.len == 0);
    return v;
}

static void prove_all(struct fixture *f, struct tree_root root, const struct tree_change *model, size_t count,
                      struct dice *dice) {
    struct kv_view *view;
    assert_int_equal(kv_view_open(f->kv, &view), OK);
    for (size_t i = 0; i < count + 20; i++) {
        struct tree_change asked = i < count ? model[i] : random_change(dice, 100000, 0);
        struct buffer path = BUFFER_INIT;
        bool present;
        enum state_path_end end;
        bool expected = bsearch(&asked, model, count, sizeof asked, by_key) != NULL;
        assert_int_equal(tree_prove(view, root, asked.key, &path, &present), OK);
        assert_int_equal(present, expected);
        if (i >= count && expected) {
            buffer_free(&path);
            continue;
        }
        assert_int_equal(check_proof(root, &asked, &path, &end), GOOD);
        enum state_path_end absent = count == 0 ? PATH_EMPTY : PATH_OTHER;
        assert_int_equal(end, expected ? PATH_PRESENT : absent);
        /* A proof is of this root, this value and these bytes. */
        struct tree_root other = root;
        other.hash[5] ^= 1;
        assert_int_not_equal(check_proof(other, &asked, &path, &end), GOOD);
        if (expected) {
            asked.value_hash[0] ^= 1;
            assert_int_not_equal(check_proof(root, &asked, &path, &end), GOOD);
        }
        buffer_free(&path);
    }
    kv_view_close(view);
}

static void presence_and_absence_are_proven(void **state) {
    struct fixture *f = *state;
    struct dice dice = {4};
    struct tree_change batch[40];
    prove_all(f, f->root, f->model, 0, &dice);
    for (int step = 0; step < 12; step++) {
        size_t count = random_batch(&dice, batch, 40, 600, 1);
        apply(f, batch, count, f->cache);
        prove_all(f, f->root, f->model, f->model_count, &dice);
    }
}

/* ---- Versions ---------------------------------------------------------------------------------------------------- */

struct version {
    struct tree_root root;
    struct tree_change *model;
    size_t count;
};

static size_t count_leaves;
static enum err count_leaf(void *arg, const uint8_t key[SHA256_LEN], const uint8_t value_hash[SHA256_LEN]) {
    (void)arg;
    (void)key;
    (void)value_hash;
    count_leaves++;
    return OK;
}

static void assert_version_whole(struct fixture *f, const struct version *v) {
    struct kv_view *view;
    uint64_t bad = 0;
    count_leaves = 0;
    assert_int_equal(kv_view_open(f->kv, &view), OK);
    assert_int_equal(tree_check(&hashing, view, v->root, count_leaf, NULL, &bad), OK);
    assert_int_equal(count_leaves, v->count);
    kv_view_close(view);
}

/* Marks every node id that a root reaches, straight from the bytes. */
static void mark_reachable(struct kv_view *view, uint64_t id, uint8_t *marks) {
    uint8_t key[8];
    struct bytes value;
    store_u64(key, id);
    marks[id] = 1;
    assert_int_equal(kv_get(view, KV_NODES, bytes_of(key, 8), &value), OK);
    if (value.data[0] == 1) {
        mark_reachable(view, load_u64(value.data + 2), marks);
        mark_reachable(view, load_u64(value.data + 2 + 40), marks);
    }
}

static void prune(struct fixture *f, uint64_t height, size_t limit) {
    size_t pruned = limit;
    while (pruned == limit) {
        struct kv_layer *layer;
        struct kv_view *view;
        assert_int_equal(kv_layer_new(&layer), OK);
        assert_int_equal(kv_view_open(f->kv, &view), OK);
        assert_int_equal(tree_prune(view, height, limit, layer, &pruned), OK);
        assert_true(pruned <= limit);
        kv_view_close(view);
        assert_int_equal(kv_push(f->kv, layer), OK);
        kv_layer_unref(layer);
    }
}

static void old_versions_are_whole_until_pruned_and_then_gone_exactly(void **state) {
    struct fixture *f = *state;
    enum { VERSIONS = 60 };
    static struct version versions[VERSIONS + 1];
    struct dice dice = {5};
    struct tree_change batch[40];
    for (size_t h = 1; h <= VERSIONS; h++) {
        size_t count = random_batch(&dice, batch, 40, 300, h > 30 ? 5 : 1);
        apply(f, batch, count, f->cache);
        struct version *v = &versions[h];
        *v = (struct version){f->root, malloc((f->model_count + 1) * sizeof *v->model), f->model_count};
        memcpy(v->model, f->model, f->model_count * sizeof *v->model);
        if (h % 7 == 0) {
            checkpoint(f->kv);
        }
    }
    for (size_t h = 1; h <= VERSIONS; h++) {
        assert_version_whole(f, &versions[h]);
    }
    prove_all(f, versions[9].root, versions[9].model, versions[9].count, &dice);
    uint8_t *marks = malloc(f->next_id);
    for (size_t upto = 10; upto <= VERSIONS; upto += 25) {
        /* What height h made superfluous is of no use to the versions from h on. */
        prune(f, upto, 13);
        struct kv_view *view;
        size_t reachable = 0;
        memset(marks, 0, f->next_id);
        assert_int_equal(kv_view_open(f->kv, &view), OK);
        for (size_t h = upto; h <= VERSIONS; h++) {
            assert_version_whole(f, &versions[h]);
            mark_reachable(view, versions[h].root.id, marks);
        }
        for (size_t i = 0; i < f->next_id; i++) {
            reachable += marks[i];
        }
        assert_int_equal(nodes_in(view), reachable);
        kv_view_close(view);
        checkpoint(f->kv);
    }
    free(marks);
    for (size_t h = 1; h <= VERSIONS; h++) {
        free(versions[h].model);
    }
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static void any_changed_bit_of_a_node_is_found_and_named(void **state) {
    struct fixture *f = *state;
    struct dice dice = {6};
    struct tree_change batch[40];
    size_t count = random_batch(&dice, batch, 40, 400, 0);
    apply(f, batch, count, NULL);
    for (int i = 0; i < 400; i++) {
        struct kv_layer *layer;
        struct kv_view *view;
        uint8_t key[8], node[82];
        struct bytes value;
        store_u64(key, 1 + dice_below(&dice, f->next_id - 1));
        assert_int_equal(kv_layer_new(&layer), OK);
        assert_int_equal(kv_view_open_above(f->kv, &layer, 1, &view), OK);
        assert_int_equal(kv_get(view, KV_NODES, bytes_of(key, 8), &value), OK);
        memcpy(node, value.data, value.len);
        size_t len = value.len - (i % 10 == 0);
        node[dice_below(&dice, value.len)] ^= (uint8_t)(1u << dice_below(&dice, 8));
        assert_int_equal(kv_layer_put(layer, KV_NODES, bytes_of(key, 8), bytes_of(node, len)), OK);
        uint64_t bad = 0;
        assert_int_equal(tree_check(&hashing, view, f->root, NULL, NULL, &bad), ERR_CORRUPT);
        assert_int_not_equal(bad, 0);
        kv_view_close(view);
        kv_layer_unref(layer);
    }
}

/* Leaves `zero` (key 00...) and `one` (key 80...) under an inner node of this bit, every hash right. */
static enum err check_pair(struct fixture *f, uint8_t bit, bool swapped) {
    struct kv_layer *layer;
    struct kv_view *view;
    uint8_t inner[82] = {1, bit}, leaf[65] = {0}, id[8];
    struct tree_root root = {.id = 103};
    uint64_t bad = 0;
    assert_int_equal(kv_layer_new(&layer), OK);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *child = inner + 2 + i * 40;
        leaf[1] = (i == 1) != swapped ? 0x80 : 0;
        store_u64(id, 101 + i);
        memcpy(child, id, 8);
        state_leaf_hash(&hashing, leaf + 1, leaf + 33, child + 8);
        assert_int_equal(kv_layer_put(layer, KV_NODES, bytes_of(id, 8), bytes_of(leaf, sizeof leaf)), OK);
    }
    state_inner_hash(&hashing, bit, inner + 10, inner + 50, root.hash);
    store_u64(id, root.id);
    assert_int_equal(kv_layer_put(layer, KV_NODES, bytes_of(id, 8), bytes_of(inner, sizeof inner)), OK);
    assert_int_equal(kv_view_open_above(f->kv, &layer, 1, &view), OK);
    enum err e = tree_check(&hashing, view, root, NULL, NULL, &bad);
    assert_int_equal(bad, e == OK ? 0 : 103);
    kv_view_close(view);
    kv_layer_unref(layer);
    return e;
}

static void right_hashes_over_leaves_in_the_wrong_place_are_no_tree(void **state) {
    assert_int_equal(check_pair(*state, 0, false), OK);
    assert_int_equal(check_pair(*state, 0, true), ERR_CORRUPT);
    assert_int_equal(check_pair(*state, 3, false), ERR_CORRUPT);
}

static void a_missing_node_is_corruption(void **state) {
    struct fixture *f = *state;
    struct tree_change batch[3] = {{.key = {0x00}}, {.key = {0x40}}, {.key = {0x80}}};
    apply(f, batch, 3, NULL);
    struct kv_layer *layer;
    struct kv_view *view;
    uint8_t key[8];
    bool present;
    struct buffer path = BUFFER_INIT;
    struct tree_root out = TREE_EMPTY;
    store_u64(key, f->root.id);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_delete(layer, KV_NODES, bytes_of(key, 8)), OK);
    assert_int_equal(kv_view_open_above(f->kv, &layer, 1, &view), OK);
    assert_int_equal(tree_prove(view, f->root, batch[0].key, &path, &present), ERR_CORRUPT);
    assert_int_equal(path.len, 0);
    assert_int_equal(tree_update(&hashing, view, NULL, f->root, batch, 1, 9, &f->next_id, layer, &out), ERR_CORRUPT);
    kv_view_close(view);
    kv_layer_unref(layer);
    buffer_free(&path);
}

int main(void) {
#define CASE(f) cmocka_unit_test_setup_teardown(f, make_fixture, free_fixture)
    const struct CMUnitTest tests[] = {
        CASE(any_batches_give_the_root_of_the_set),
        CASE(a_tree_of_two_is_the_documented_example),
        CASE(the_same_set_by_another_way_has_the_same_root),
        CASE(writing_what_is_there_writes_nothing),
        CASE(the_same_key_twice_in_a_batch_is_refused),
        CASE(presence_and_absence_are_proven),
        CASE(old_versions_are_whole_until_pruned_and_then_gone_exactly),
        CASE(any_changed_bit_of_a_node_is_found_and_named),
        CASE(right_hashes_over_leaves_in_the_wrong_place_are_no_tree),
        CASE(a_missing_node_is_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
