#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipfs-lite/unixfs.h"

#include <stdlib.h>
#include <string.h>

/* Root block of the vector 256KiB+1, profile kubo: two links. */
static struct buffer two_links(void) {
    struct unixfs_node *node = calloc(1, sizeof *node);
    assert_non_null(node);
    node->count = 2;
    node->links[0] = (struct dag_pb_link){cid_of_block(CID_RAW, bytes_str("first")), 262144};
    node->links[1] = (struct dag_pb_link){cid_of_block(CID_RAW, bytes_str("second")), 1};
    node->sizes[0] = 262144;
    node->sizes[1] = 1;
    node->size = 262145;
    struct buffer out = BUFFER_INIT;
    unixfs_encode(node, &out);
    assert_int_equal(buffer_ok(&out), OK);
    free(node);
    return out;
}

static void writes_links_before_data_with_empty_names(void **state) {
    (void)state;
    struct buffer block = two_links();
    static const uint8_t head[] = {0x12, 0x2c, 0x0a, 0x24, 0x01, 0x55, 0x12, 0x20};
    static const uint8_t tail[] = {0x12, 0x00, 0x18, 0x01, 0x0a, 0x0c, 0x08, 0x02, 0x18,
                                   0x81, 0x80, 0x10, 0x20, 0x80, 0x80, 0x10, 0x20, 0x01};
    assert_memory_equal(block.data, head, sizeof head);
    assert_memory_equal(block.data + block.len - sizeof tail, tail, sizeof tail);
    buffer_free(&block);
}

static void reads_what_it_wrote(void **state) {
    (void)state;
    struct buffer block = two_links();
    struct unixfs_node *node = malloc(sizeof *node);
    assert_non_null(node);
    assert_int_equal(unixfs_decode(buffer_bytes(&block), node), OK);
    assert_int_equal(node->count, 2);
    assert_int_equal(node->size, 262145);
    assert_int_equal(node->sizes[1], 1);
    assert_int_equal(node->links[0].tsize, 262144);
    assert_int_equal(unixfs_check(unixfs_profile_named("kubo"), 1, 262145, node), OK);
    assert_int_equal(unixfs_check(&unixfs_v1_2025, 1, 262145, node), ERR_UNSUPPORTED);
    assert_int_equal(unixfs_check(unixfs_profile_named("kubo"), 2, 262145, node), ERR_UNSUPPORTED);
    assert_int_equal(unixfs_check(unixfs_profile_named("kubo"), 1, 262146, node), ERR_UNSUPPORTED);
    free(node);
    buffer_free(&block);
}

static void every_truncation_and_extension_is_refused(void **state) {
    (void)state;
    struct buffer block = two_links();
    struct unixfs_node *node = malloc(sizeof *node);
    assert_non_null(node);
    for (size_t len = 0; len < block.len; len++) {
        assert_int_not_equal(unixfs_decode(bytes_of(block.data, len), node), OK);
    }
    buffer_u8(&block, 0);
    assert_int_not_equal(unixfs_decode(buffer_bytes(&block), node), OK);
    free(node);
    buffer_free(&block);
}

/* A changed bit may give another well-formed block; then writing it again must give the same bytes. */
static void one_form_only_for_each_node(void **state) {
    (void)state;
    struct buffer block = two_links();
    struct unixfs_node *node = malloc(sizeof *node);
    assert_non_null(node);
    for (size_t i = 0; i < block.len * 8; i++) {
        block.data[i / 8] ^= (uint8_t)(1u << (i % 8));
        if (unixfs_decode(buffer_bytes(&block), node) == OK) {
            struct buffer again = BUFFER_INIT;
            unixfs_encode(node, &again);
            assert_true(bytes_equal(buffer_bytes(&again), buffer_bytes(&block)));
            buffer_free(&again);
        }
        block.data[i / 8] ^= (uint8_t)(1u << (i % 8));
    }
    free(node);
    buffer_free(&block);
}

static void refuses_varints_with_a_superfluous_byte(void **state) {
    (void)state;
    static const uint8_t minimal[] = {0x7f};
    static const uint8_t padded[] = {0xff, 0x00};
    static const uint8_t largest[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    static const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    struct reader r = reader_of(bytes_of(minimal, sizeof minimal));
    assert_int_equal(dag_pb_varint(&r), 0x7f);
    assert_false(r.failed);
    r = reader_of(bytes_of(padded, sizeof padded));
    (void)dag_pb_varint(&r);
    assert_true(r.failed);
    r = reader_of(bytes_of(largest, sizeof largest));
    assert_true(dag_pb_varint(&r) == UINT64_MAX);
    assert_true(reader_done(&r));
    r = reader_of(bytes_of(over, sizeof over));
    (void)dag_pb_varint(&r);
    assert_true(r.failed);
}

static void refuses_more_links_than_the_widest_profile_has(void **state) {
    (void)state;
    struct dag_pb_link *links = calloc(DAG_PB_LINKS_MAX + 1, sizeof *links);
    assert_non_null(links);
    for (size_t i = 0; i <= DAG_PB_LINKS_MAX; i++) {
        links[i].cid.codec = CID_RAW;
    }
    struct buffer block = BUFFER_INIT;
    size_t count = 0;
    struct bytes data;
    dag_pb_encode(links, DAG_PB_LINKS_MAX, bytes_of(NULL, 0), &block);
    assert_int_equal(dag_pb_decode(buffer_bytes(&block), links, &count, &data), OK);
    assert_int_equal(count, DAG_PB_LINKS_MAX);
    dag_pb_encode(links, 1, bytes_of(NULL, 0), &block);
    assert_int_equal(dag_pb_decode(buffer_bytes(&block), links, &count, &data), ERR_TOOLARGE);
    buffer_free(&block);
    free(links);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_links_before_data_with_empty_names),
        cmocka_unit_test(reads_what_it_wrote),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(one_form_only_for_each_node),
        cmocka_unit_test(refuses_varints_with_a_superfluous_byte),
        cmocka_unit_test(refuses_more_links_than_the_widest_profile_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
