#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/proof_fixture.h"

static struct fixture_state tree;
static uint8_t path[8192];
static uint8_t work[STATE_PATH_STEPS_MAX][33];

static void grow_to(size_t count) {
    tree.count = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t key[2] = {(uint8_t)i, 7}, value[3] = {(uint8_t)i, 8, 9};
        fixture_put(&tree, "test", bytes_of(key, 2), bytes_of(value, 3));
    }
}

static enum verdict judge(const uint8_t *root, const uint8_t *key, const uint8_t *value_hash, size_t len,
                          uint16_t steps_max, enum state_path_end *out_end) {
    struct bytes_input from = {{path, len}};
    struct input in = input_of_bytes(&from);
    enum verdict v = state_path_verify(&fixture_crypto, root, key, value_hash, &in, work, steps_max, out_end);
    return v == GOOD && from.rest.len > 0 ? BAD_TRAILING : v;
}

static void every_value_and_every_absence_is_provable(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 17, FIXTURE_VALUES_MAX};
    uint8_t root[HASH_LEN];
    enum state_path_end end;
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        grow_to(counts[c]);
        fixture_tree_hash(tree.values, tree.count, root);
        for (size_t i = 0; i < tree.count; i++) {
            size_t len = fixture_path(&tree, tree.values[i].key, path);
            assert_int_equal(judge(root, tree.values[i].key, tree.values[i].value_hash, len, 64, &end), GOOD);
            assert_int_equal(end, PATH_PRESENT);
        }
        for (size_t i = 0; i < 50; i++) {
            uint8_t key[HASH_LEN];
            sha256(&i, sizeof i, key);
            size_t len = fixture_path(&tree, key, path);
            assert_int_equal(judge(root, key, NULL, len, 64, &end), GOOD);
            assert_int_equal(end, counts[c] == 0 ? PATH_EMPTY : PATH_OTHER);
        }
    }
}

static void a_wrong_value_key_or_root_is_not_proven(void **state) {
    (void)state;
    uint8_t root[HASH_LEN], bad[HASH_LEN];
    enum state_path_end end;
    grow_to(20);
    fixture_tree_hash(tree.values, tree.count, root);
    const struct fixture_value *v = &tree.values[11];
    size_t len = fixture_path(&tree, v->key, path);
    memcpy(bad, v->value_hash, HASH_LEN);
    bad[0] ^= 1;
    assert_int_equal(judge(root, v->key, bad, len, 64, &end), BAD_PATH);
    assert_int_equal(judge(root, tree.values[12].key, v->value_hash, len, 64, &end), BAD_PATH);
    assert_int_equal(judge(bad, v->key, v->value_hash, len, 64, &end), BAD_PATH);
    /* A value that no one brought can't be shown as there. */
    assert_int_equal(judge(root, v->key, NULL, len, 64, &end), BAD_ENCODING);
}

static void presence_cannot_be_passed_off_as_absence(void **state) {
    (void)state;
    uint8_t root[HASH_LEN];
    enum state_path_end end;
    grow_to(20);
    fixture_tree_hash(tree.values, tree.count, root);
    const struct fixture_value *v = &tree.values[4], *other = &tree.values[5];
    size_t len = fixture_path(&tree, v->key, path);
    path[len - 1] = PATH_OTHER;
    memcpy(path + len, v->key, HASH_LEN);
    memcpy(path + len + HASH_LEN, v->value_hash, HASH_LEN);
    assert_int_equal(judge(root, v->key, NULL, len + 64, 64, &end), BAD_ENCODING);
    len = fixture_path(&tree, other->key, path);
    path[len - 1] = PATH_OTHER;
    memcpy(path + len, other->key, HASH_LEN);
    memcpy(path + len + HASH_LEN, other->value_hash, HASH_LEN);
    assert_int_not_equal(judge(root, v->key, NULL, len + 64, 64, &end), GOOD);
}

static void every_flipped_byte_and_truncation_is_refused(void **state) {
    (void)state;
    uint8_t root[HASH_LEN], key[HASH_LEN];
    enum state_path_end end = PATH_EMPTY;
    grow_to(30);
    fixture_tree_hash(tree.values, tree.count, root);
    sha256("absent", 6, key);
    for (int absent = 0; absent < 2; absent++) {
        const uint8_t *k = absent ? key : tree.values[9].key;
        const uint8_t *value = absent ? NULL : tree.values[9].value_hash;
        size_t len = fixture_path(&tree, k, path);
        for (size_t bit = 0; bit < len * 8; bit++) {
            path[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_not_equal(judge(root, k, value, len, 64, &end), GOOD);
            path[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
        for (size_t cut = 0; cut < len; cut++) {
            assert_int_equal(judge(root, k, value, cut, 64, &end), BAD_TRUNCATED);
        }
        assert_int_equal(judge(root, k, value, len, 64, &end), GOOD);
    }
}

static void bits_must_rise_and_steps_stay_in_bounds(void **state) {
    (void)state;
    uint8_t root[HASH_LEN];
    enum state_path_end end;
    grow_to(30);
    fixture_tree_hash(tree.values, tree.count, root);
    const struct fixture_value *v = &tree.values[9];
    size_t len = fixture_path(&tree, v->key, path);
    uint16_t steps = load_u16(path + 1);
    assert_int_equal(judge(root, v->key, v->value_hash, len, steps, &end), GOOD);
    assert_int_equal(judge(root, v->key, v->value_hash, len, (uint16_t)(steps - 1), &end), BAD_LIMIT);
    path[3 + 33] = path[3];
    assert_int_equal(judge(root, v->key, v->value_hash, len, 64, &end), BAD_ENCODING);
    store_u16(path + 1, 257);
    assert_int_equal(judge(root, v->key, v->value_hash, len, 300, &end), BAD_LIMIT);
    static const uint8_t zeros[HASH_LEN];
    memcpy(path, "\x01\x00\x00\x00", 4);
    assert_int_equal(judge(zeros, v->key, NULL, 4, 64, &end), GOOD);
    assert_int_equal(judge(root, v->key, NULL, 4, 64, &end), BAD_PATH);
}

/* Root of three keys by an independent Python program with the layout of the header. */
static void agrees_with_the_worked_example(void **state) {
    (void)state;
    uint8_t root[HASH_LEN], expected[HASH_LEN];
    tree.count = 0;
    fixture_put(&tree, "demo", bytes_of("a", 1), bytes_of("1", 1));
    fixture_put(&tree, "demo", bytes_of("b", 1), bytes_of("2", 1));
    fixture_put(&tree, "demo", bytes_of("c", 1), bytes_of("3", 1));
    fixture_tree_hash(tree.values, tree.count, root);
    assert_int_equal(hex_decode("3cc49b45be26cc69dbc3eb02f694529f3fe1214cc8707a0a2ee5206a04f282c3", expected, HASH_LEN),
                     OK);
    assert_memory_equal(root, expected, HASH_LEN);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_and_every_absence_is_provable),
        cmocka_unit_test(a_wrong_value_key_or_root_is_not_proven),
        cmocka_unit_test(presence_cannot_be_passed_off_as_absence),
        cmocka_unit_test(every_flipped_byte_and_truncation_is_refused),
        cmocka_unit_test(bits_must_rise_and_steps_stay_in_bounds),
        cmocka_unit_test(agrees_with_the_worked_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
