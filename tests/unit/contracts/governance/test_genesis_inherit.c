#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "contracts/contracts.h"
#include "contracts/firmware/firmware.h"
#include "tests/lib/world.h"

#include "base/why.h"
#include "contracts/device/device.h"
#include "contracts/firmware/release.h"
#include "contracts/governance/genesis_inherit.h"
#include "contracts/governance/governance.h"
#include "contracts/kernel/due_queue.h"
#include "tests/lib/next_due.h"

/* Everything a world's state holds, as the file a successor takes over. */
static void export_world(const struct world *w, struct genesis_predecessor *from, struct buffer *out) {
    *from = (struct genesis_predecessor){.named = true, .height = 77};
    memcpy(from->chain_id, w->chain_id, CHAIN_ID_LEN);
    memset(from->block_hash, 0xb1, HASH_LEN);
    memset(from->state_root, 0x57, HASH_LEN);
    buffer_reset(out);
    genesis_inherit_begin(from, w->memory.count, out);
    for (size_t i = 0; i < w->memory.count; i++) {
        const struct memory_record *r = &w->memory.records[i];
        genesis_inherit_put(memory_key(r), bytes_of(r->value, r->value_len), out);
    }
    assert_int_equal(buffer_ok(out), OK);
    sha256(out->data, out->len, from->records_hash);
}

/* A genesis of nodes and organisations only, that takes over the rest. */
static void succeed(struct world *w, const struct genesis_predecessor *from, const struct buffer *file) {
    struct genesis *g = &w->genesis;
    memory_free(&w->memory);
    w->memory = (struct memory_state){0};
    g->class_count = g->author_count = g->device_count = 0;
    g->salt[0] = 0x5a;
    g->predecessor = *from;
    buffer_reset(&g->inherited);
    buffer_put(&g->inherited, file->data, file->len);
    genesis_chain_id(g, &w->crypto, w->chain_id);
}

static void a_successor_has_every_record_but_those_of_governance(void **state) {
    (void)state;
    struct world w;
    struct genesis_predecessor from;
    struct buffer file = BUFFER_INIT;
    uint8_t release[HASH_LEN];
    struct why why = WHY_NONE;
    world_open(&w, 1);
    world_release(&w, 5, release);
    struct call call = world_call(&w, NULL, 0);
    const uint8_t subject[HASH_LEN] = {1};
    assert_int_equal(due_queue_add(&call, w.now_ms + 9, DUE_PROPOSAL, bytes_of(subject, sizeof subject)), OK);
    assert_int_equal(due_queue_add(&call, w.now_ms + 10, DUE_PENDING_RELEASE, bytes_of(subject, sizeof subject)), OK);
    export_world(&w, &from, &file);
    assert_int_equal(genesis_inherit_check(&from, buffer_bytes(&file)), OK);
    succeed(&w, &from, &file);
    w.genesis.node_count = 2; /* gateway 2 is not of the new chain */
    if (contracts_genesis_check(&w.genesis, &w.crypto, &why) != OK) {
        fail_msg("%s", why.text);
    }
    assert_int_equal(contracts_genesis(&w.genesis, &w.crypto, &w.state), OK);
    struct release_record kept;
    struct node_record node;
    uint64_t due_ms = 0;
    bool found = false;
    assert_int_equal(release_get(&w.state, release, &kept, &found), OK);
    assert_true(found);
    assert_int_equal(node_get(&w.state, w.public_key[GATEWAY_1], &node, &found), OK);
    assert_true(found);
    assert_int_equal(node_get(&w.state, w.public_key[GATEWAY_2], &node, &found), OK);
    assert_false(found);
    assert_int_equal(next_due(&w.state, &due_ms), OK);
    assert_int_equal(due_ms, call.time_ms + 10);
    struct record_key key = record_key("governance", "predecessor", bytes_of(NULL, 0));
    struct buffer value = BUFFER_INIT;
    assert_int_equal(state_get(&w.state, &key, &value, &found), OK);
    assert_true(found);
    assert_int_equal(value.len, CHAIN_ID_LEN + 8 + HASH_LEN + HASH_LEN + SHA256_LEN);
    assert_memory_equal(value.data, from.chain_id, CHAIN_ID_LEN);
    assert_int_equal(load_u64(value.data + CHAIN_ID_LEN), 77);
    buffer_free(&value);
    buffer_free(&file);
    world_close(&w);
}

/* A chain of version 0.1.0 kept its due items in one queue. */
static void due_items_of_an_old_chain_are_in_todays_queues(void **state) {
    (void)state;
    struct world w;
    struct genesis_predecessor from = {.named = true};
    struct buffer file = BUFFER_INIT;
    uint64_t due_ms = 0;
    world_open(&w, 1);
    genesis_inherit_begin(&from, 2, &file);
    genesis_inherit_put(bytes_of("due\0\0\0\1\x8b\xcf\xe5\x68\0\3proposal", 21), bytes_of("\1", 1), &file);
    genesis_inherit_put(bytes_of("due\0\0\0\1\x8b\xcf\xe5\x68\7\2release", 20), bytes_of("\1", 1), &file);
    succeed(&w, &from, &file);
    assert_int_equal(contracts_genesis(&w.genesis, &w.crypto, &w.state), OK);
    assert_int_equal(next_due(&w.state, &due_ms), OK);
    assert_int_equal(due_ms, 1700000000007); /* the proposal was the old chain's */
    buffer_free(&file);
    world_close(&w);
}

static void a_successor_without_its_file_is_refused(void **state) {
    (void)state;
    struct world w;
    struct genesis_predecessor from;
    struct buffer file = BUFFER_INIT;
    world_open(&w, 1);
    export_world(&w, &from, &file);
    succeed(&w, &from, &file);
    buffer_reset(&w.genesis.inherited);
    assert_int_equal(contracts_genesis(&w.genesis, &w.crypto, &w.state), ERR_NOTFOUND);
    buffer_free(&file);
    world_close(&w);
}

static enum err check_changed(struct genesis_predecessor *from, const struct buffer *file, size_t len) {
    sha256(file->data, len, from->records_hash); /* as if somebody had named the changed file */
    return genesis_inherit_check(from, bytes_of(file->data, len));
}

static void a_record_without_a_value_is_refused(void **state) {
    (void)state;
    struct genesis_predecessor from = {.named = true};
    struct buffer file = BUFFER_INIT;
    for (size_t value_len = 0; value_len < 2; value_len++) {
        buffer_reset(&file);
        genesis_inherit_begin(&from, 1, &file);
        genesis_inherit_put(bytes_str("update"), bytes_of("v", value_len), &file);
        assert_int_equal(check_changed(&from, &file, file.len), value_len == 0 ? ERR_MALFORMED : OK);
    }
    buffer_free(&file);
}

static void a_changed_file_is_refused(void **state) {
    (void)state;
    struct world w;
    struct genesis_predecessor from;
    struct buffer file = BUFFER_INIT;
    world_open(&w, 1);
    export_world(&w, &from, &file);
    for (size_t i = 0; i < file.len; i += 41) {
        file.data[i] ^= 1;
        assert_int_equal(genesis_inherit_check(&from, buffer_bytes(&file)), ERR_MISMATCH);
        file.data[i] ^= 1;
    }
    static const size_t head[] = {0, 11, 12, 51, 52, 84, 123}; /* magic, version, chain, height, block, root, count */
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++) {
        file.data[head[i]] ^= 1;
        assert_int_equal(check_changed(&from, &file, file.len), ERR_MALFORMED);
        file.data[head[i]] ^= 1;
    }
    for (size_t len = 0; len < file.len; len += 17) {
        assert_int_equal(check_changed(&from, &file, len), ERR_MALFORMED);
    }
    size_t whole = file.len;
    assert_int_equal(check_changed(&from, &file, whole), OK);
    buffer_u8(&file, 0);
    assert_int_equal(check_changed(&from, &file, whole + 1), ERR_MALFORMED);
    file.len = whole;
    file.data[124 + 1] += 1; /* the first record's key grows into its value */
    assert_int_equal(check_changed(&from, &file, whole), ERR_MALFORMED);
    buffer_free(&file);
    world_close(&w);
}

static void records_out_of_order_are_refused(void **state) {
    (void)state;
    struct genesis_predecessor from = {.named = true};
    struct buffer file = BUFFER_INIT;
    genesis_inherit_begin(&from, 2, &file);
    genesis_inherit_put(bytes_str("b"), bytes_str("1"), &file);
    genesis_inherit_put(bytes_str("a"), bytes_str("2"), &file);
    assert_int_equal(check_changed(&from, &file, file.len), ERR_MALFORMED);
    buffer_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_successor_has_every_record_but_those_of_governance),
        cmocka_unit_test(due_items_of_an_old_chain_are_in_todays_queues),
        cmocka_unit_test(a_successor_without_its_file_is_refused),
        cmocka_unit_test(a_record_without_a_value_is_refused),
        cmocka_unit_test(a_changed_file_is_refused),
        cmocka_unit_test(records_out_of_order_are_refused),
    };
    return crypto_start() == OK ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
