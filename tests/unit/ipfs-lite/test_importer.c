#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/lib/image_generator.h"
#include "ipfs-lite/importer.h"

#include <jansson.h>
#include <string.h>
#include <sys/resource.h>

#define VECTORS "tests/vectors/cid/unixfs.json"

struct last_node {
    struct buffer block;
    uint64_t blocks;
};

static enum err keep_last(void *arg, const struct cid *cid, struct bytes block, uint64_t offset, uint64_t size) {
    (void)offset;
    (void)size;
    struct last_node *last = arg;
    assert_true(cid_matches(cid, block));
    buffer_reset(&last->block);
    buffer_put(&last->block, block.data, block.len);
    last->blocks++;
    return OK;
}

/* Feeds `size` bytes in uneven pieces. */
static void import_generated(const struct unixfs_profile *profile, const char *content, uint64_t size, size_t step,
                             struct last_node *last, struct importer_result *out) {
    static uint8_t piece[300000];
    struct importer *imp;
    struct importer_sink sink = {NULL, keep_last, last};
    assert_int_equal(importer_new(profile, sink, &imp), OK);
    if (strcmp(content, "ascii \"hello world\"") == 0) {
        assert_int_equal(importer_write(imp, "hello world", 11), OK);
        size = 0;
    }
    bool zeros = strcmp(content, "all zero bytes") == 0;
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < step ? (size_t)(size - at) : step;
        if (zeros) {
            memset(piece, 0, n);
        } else {
            generate(at, piece, n);
        }
        assert_int_equal(importer_write(imp, piece, n), OK);
        at += n;
    }
    assert_int_equal(importer_end(imp, out), OK);
    importer_free(imp);
}

static void check_vector(const json_t *vector, const struct unixfs_profile *profile, const char *key) {
    const json_t *wanted = json_object_get(json_object_get(vector, "cids"), key);
    const char *content = json_string_value(json_object_get(vector, "content"));
    uint64_t size = (uint64_t)json_integer_value(json_object_get(vector, "size"));
    assert_non_null(wanted);
    assert_non_null(content);
    struct last_node last = {BUFFER_INIT, 0};
    struct importer_result result;
    import_generated(profile, content, size, 299993, &last, &result);
    char text[CID_TEXT_SIZE];
    char digest[2 * SHA256_LEN + 1];
    cid_format(&result.root, text);
    hex_encode(result.sha256, SHA256_LEN, digest);
    assert_string_equal(text, json_string_value(json_object_get(wanted, "cid")));
    assert_string_equal(digest, json_string_value(json_object_get(vector, "sha256")));
    assert_int_equal(result.size, size);
    assert_int_equal(result.dag_size, json_integer_value(json_object_get(wanted, "cumulativeSize")));
    const char *root = json_string_value(json_object_get(wanted, "rootBlockHex"));
    if (root != NULL) {
        char *hex = test_malloc(2 * last.block.len + 1);
        hex_encode(last.block.data, last.block.len, hex);
        assert_string_equal(hex, root);
        test_free(hex);
    }
    buffer_free(&last.block);
}

static void gives_the_cids_of_another_implementation_for_every_vector(void **state) {
    (void)state;
    json_error_t error;
    json_t *file = json_load_file(VECTORS, 0, &error);
    if (file == NULL) {
        print_message("%s: %s\n", VECTORS, error.text);
    }
    assert_non_null(file);
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(file, "vectors"), i, vector) {
        check_vector(vector, &unixfs_v1_2025, "unixfs-v1-2025");
        check_vector(vector, unixfs_profile_named("kubo"), "kubo-cidv1-256k-174");
    }
    assert_true(i >= 15);
    json_decref(file);
}

static void the_way_bytes_are_cut_changes_nothing(void **state) {
    (void)state;
    static const size_t steps[] = {1, 4096, 262143, 262145};
    struct importer_result first = {0};
    for (size_t i = 0; i < 4; i++) {
        struct last_node last = {BUFFER_INIT, 0};
        struct importer_result result;
        import_generated(unixfs_profile_named("kubo"), "generator", 600000, steps[i], &last, &result);
        if (i == 0) {
            first = result;
        }
        assert_true(cid_equal(&first.root, &result.root));
        assert_memory_equal(first.tree_root, result.tree_root, SHA256_LEN);
        buffer_free(&last.block);
    }
}

static enum err refuse_leaf(void *arg, const uint8_t digest[SHA256_LEN]) {
    (void)arg;
    (void)digest;
    return ERR_NOSPACE;
}

static void an_error_of_the_sink_stops_the_import(void **state) {
    (void)state;
    static const uint8_t zeros[262144];
    struct importer *imp;
    struct importer_sink sink = {refuse_leaf, NULL, NULL};
    assert_int_equal(importer_new(unixfs_profile_named("kubo"), sink, &imp), OK);
    assert_int_equal(importer_write(imp, zeros, sizeof zeros), ERR_NOSPACE);
    importer_free(imp);
}

static void memory_does_not_grow_with_the_image(void **state) {
    (void)state;
    struct last_node last = {BUFFER_INIT, 0};
    struct importer_result result;
    struct rusage before;
    struct rusage after;
    import_generated(unixfs_profile_named("kubo"), "all zero bytes", 1000000, 65536, &last, &result);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    import_generated(unixfs_profile_named("kubo"), "all zero bytes", UINT64_C(64) << 20, 65536, &last, &result);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 2048);
    buffer_free(&last.block);
}

static void root_level_follows_from_the_size(void **state) {
    (void)state;
    const uint64_t chunk = 262144;
    assert_int_equal(unixfs_root_level(unixfs_profile_named("kubo"), 0), 0);
    assert_int_equal(unixfs_root_level(unixfs_profile_named("kubo"), chunk), 0);
    assert_int_equal(unixfs_root_level(unixfs_profile_named("kubo"), chunk + 1), 1);
    assert_int_equal(unixfs_root_level(unixfs_profile_named("kubo"), chunk * 174), 1);
    assert_int_equal(unixfs_root_level(unixfs_profile_named("kubo"), chunk * 174 + 1), 2);
    assert_true(unixfs_root_level(unixfs_profile_named("kubo"), UINT64_MAX) < 9);
    assert_int_equal(unixfs_leaves(unixfs_profile_named("kubo"), 0), 1);
    assert_int_equal(unixfs_leaves(unixfs_profile_named("kubo"), chunk + 1), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_cids_of_another_implementation_for_every_vector),
        cmocka_unit_test(the_way_bytes_are_cut_changes_nothing),
        cmocka_unit_test(an_error_of_the_sink_stops_the_import),
        cmocka_unit_test(memory_does_not_grow_with_the_image),
        cmocka_unit_test(root_level_follows_from_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
