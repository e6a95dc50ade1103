#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/ledger/operation.h"
#include "tests/lib/memory_state.h"

/* An operation above a state of its own; `model` is what it should see. */
struct bench {
    struct kv *kv;
    struct kv_layer *layer;
    struct kv_view *view;
    struct execution x;
    struct operation *op;
    struct state state;
    struct memory_state model;
    uint64_t random;
};

static const struct operation_budget whole = {LIMIT_OPERATION_WRITES, LIMIT_OPERATION_NOTES, LIMIT_OPERATION_BYTES};

static unsigned pick(struct bench *b, unsigned n) {
    b->random = b->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(b->random >> 33) % n;
}

/* Few and short keys, of which some begin like others. */
static struct bytes any_key(struct bench *b, uint8_t key[4]) {
    size_t len = 1 + pick(b, 4);
    for (size_t i = 0; i < len; i++) {
        key[i] = (uint8_t)(pick(b, 3) * 127);
    }
    return bytes_of(key, len);
}

/* With `records` puts of random keys in the state beneath. */
static void bench_open(struct bench *b, struct operation_budget budget, unsigned records, uint64_t seed) {
    struct kv_backend memory;
    struct kv_layer *beneath;
    memset(b, 0, sizeof *b);
    b->random = seed;
    assert_int_equal(kv_memory_open(&memory), OK);
    assert_int_equal(kv_open(memory, &b->kv), OK);
    assert_int_equal(kv_layer_new(&beneath), OK);
    for (unsigned i = 0; i < records; i++) {
        uint8_t key[4], value = (uint8_t)i;
        struct bytes k = any_key(b, key);
        assert_int_equal(kv_layer_put(beneath, KV_STATE, k, bytes_of(&value, 1)), OK);
        assert_int_equal(memory_put(&b->model, k, bytes_of(&value, 1)), OK);
    }
    assert_int_equal(kv_push(b->kv, beneath), OK);
    kv_layer_unref(beneath);
    assert_int_equal(kv_layer_new(&b->layer), OK);
    assert_int_equal(kv_view_open_above(b->kv, &b->layer, 1, &b->view), OK);
    b->x = (struct execution){.view = b->view, .layer = b->layer, .height = 3, .budget = budget};
    b->op = operation_new(&b->x);
    assert_non_null(b->op);
    operation_begin(b->op, 0, NULL);
    b->state = operation_state(b->op);
}

static void bench_close(struct bench *b) {
    operation_free(b->op);
    kv_view_close(b->view);
    kv_layer_unref(b->layer);
    kv_close(b->kv);
    memory_free(&b->model);
}

static enum err put(struct bench *b, struct bytes key, struct bytes value) {
    return b->state.ops->put(b->state.ctx, key, value);
}

static enum err note(struct bench *b, const char *detail) {
    return b->state.ops->history(b->state.ctx, bytes_str("record"), "noted", bytes_str(detail));
}

/* The n-th of many keys. */
static struct bytes key_of(uint32_t n, uint8_t key[4]) {
    store_u32(key, n);
    return bytes_of(key, 4);
}

/* ---- What it reads ------------------------------------------------------------------------------------------ */

static void assert_same_value(const struct bench *b, const struct state *state, struct bytes key) {
    struct buffer has = BUFFER_INIT, want = BUFFER_INIT;
    bool found = false, wanted = false;
    assert_int_equal(state->ops->get(state->ctx, key, &has, &found), OK);
    assert_int_equal(memory_get((void *)(uintptr_t)&b->model, key, &want, &wanted), OK);
    assert_int_equal(found, wanted);
    assert_true(bytes_equal(buffer_bytes(&has), buffer_bytes(&want)));
    buffer_free(&has);
    buffer_free(&want);
}

static void assert_same_next(const struct bench *b, const struct state *state, struct bytes prefix, struct bytes after,
                             bool inclusive) {
    struct buffer key = BUFFER_INIT, value = BUFFER_INIT, want_key = BUFFER_INIT, want_value = BUFFER_INIT;
    bool found = false, wanted = false;
    assert_int_equal(state->ops->next(state->ctx, prefix, after, inclusive, &key, &value, &found), OK);
    assert_int_equal(
        memory_next((void *)(uintptr_t)&b->model, prefix, after, inclusive, &want_key, &want_value, &wanted), OK);
    assert_int_equal(found, wanted);
    assert_true(bytes_equal(buffer_bytes(&key), buffer_bytes(&want_key)));
    assert_true(bytes_equal(buffer_bytes(&value), buffer_bytes(&want_value)));
    buffer_free(&key);
    buffer_free(&value);
    buffer_free(&want_key);
    buffer_free(&want_value);
}

static void change_anything(struct bench *b) {
    uint8_t key[4], value = (uint8_t)pick(b, 256);
    struct bytes k = any_key(b, key);
    if (pick(b, 3) == 0) {
        assert_int_equal(b->state.ops->remove(b->state.ctx, k), OK);
        assert_int_equal(memory_remove(&b->model, k), OK);
    } else {
        assert_int_equal(put(b, k, bytes_of(&value, 1)), OK);
        assert_int_equal(memory_put(&b->model, k, bytes_of(&value, 1)), OK);
    }
}

static void it_reads_its_own_writes_over_the_blocks(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct bench b;
        bench_open(&b, whole, 30, seed * 0x9e3779b97f4a7c15ull);
        for (unsigned i = 0; i < 150; i++) {
            uint8_t one[4], other[4];
            change_anything(&b);
            assert_same_value(&b, &b.state, any_key(&b, one));
            struct bytes prefix = any_key(&b, one), after = any_key(&b, other);
            prefix.len = pick(&b, (unsigned)prefix.len + 1);
            assert_same_next(&b, &b.state, prefix, after, pick(&b, 2) == 0);
            assert_same_next(&b, &b.state, prefix, prefix, true);
        }
        assert_int_equal(operation_keep(b.op), OK);
        struct state kept = state_of_view(b.view);
        for (unsigned i = 0; i < 60; i++) {
            uint8_t one[4], other[4];
            struct bytes prefix = any_key(&b, one), after = any_key(&b, other);
            assert_same_value(&b, &kept, prefix);
            prefix.len = pick(&b, (unsigned)prefix.len + 1);
            assert_same_next(&b, &kept, prefix, after, pick(&b, 2) == 0);
        }
        bench_close(&b);
    }
}

static void what_is_not_kept_is_forgotten(void **state) {
    (void)state;
    struct bench b;
    bench_open(&b, whole, 5, 1);
    uint8_t key[4];
    struct bytes k = key_of(77, key);
    assert_int_equal(put(&b, k, bytes_str("gone")), OK);
    assert_int_equal(note(&b, "gone"), OK);
    operation_begin(b.op, 0, NULL);
    assert_same_value(&b, &b.state, k);
    assert_int_equal(operation_keep(b.op), OK);
    struct bytes found, value;
    assert_int_equal(kv_seek(b.view, KV_HISTORY, bytes_of("", 0), &found, &value), ERR_NOTFOUND);
    bench_close(&b);
}

/* ---- Its budget --------------------------------------------------------------------------------------------- */

static void as_many_records_as_the_budget_and_not_one_more(void **state) {
    (void)state;
    struct bench b;
    uint8_t key[4];
    bench_open(&b, whole, 0, 1);
    for (uint32_t i = 0; i < LIMIT_OPERATION_WRITES; i++) {
        assert_int_equal(put(&b, key_of(i * 2654435761u, key), bytes_str("v")), OK);
    }
    /* One that it wrote before is no further one. */
    assert_int_equal(put(&b, key_of(0, key), bytes_str("again")), OK);
    assert_int_equal(b.state.ops->remove(b.state.ctx, key_of(2654435761u, key)), OK);
    assert_false(operation_is_over(b.op));
    assert_int_equal(put(&b, key_of(1, key), bytes_str("v")), ERR_FULL);
    assert_true(operation_is_over(b.op));
    /* Whatever the method makes of the error. */
    assert_int_equal(put(&b, key_of(0, key), bytes_str("v")), OK);
    assert_true(operation_is_over(b.op));
    operation_begin(b.op, 1, NULL);
    assert_false(operation_is_over(b.op));
    assert_int_equal(put(&b, key_of(1, key), bytes_str("v")), OK);
    assert_int_equal(operation_keep(b.op), OK);
    bench_close(&b);
}

static void as_many_notes_as_the_budget_and_not_one_more(void **state) {
    (void)state;
    struct bench b;
    bench_open(&b, whole, 0, 1);
    for (uint32_t i = 0; i < LIMIT_OPERATION_NOTES; i++) {
        assert_int_equal(note(&b, ""), OK);
    }
    assert_false(operation_is_over(b.op));
    assert_int_equal(note(&b, ""), ERR_FULL);
    assert_true(operation_is_over(b.op));
    bench_close(&b);
}

static void as_many_bytes_as_the_budget_and_not_one_more(void **state) {
    (void)state;
    static const uint8_t zeros[LIMIT_STATE_VALUE + 1];
    struct operation_budget small = whole;
    struct bench b;
    small.bytes = 20;
    bench_open(&b, small, 0, 1);
    assert_int_equal(put(&b, bytes_str("0123"), bytes_str("45678901")), OK);
    assert_int_equal(put(&b, bytes_str("0123"), bytes_str("4567")), OK); /* the older value still takes its room */
    assert_int_equal(put(&b, bytes_str("k"), bytes_str("123")), OK);
    assert_false(operation_is_over(b.op));
    assert_int_equal(put(&b, bytes_str("k"), bytes_str("v")), ERR_FULL);
    assert_true(operation_is_over(b.op));
    bench_close(&b);
    bench_open(&b, whole, 0, 1);
    assert_int_equal(put(&b, bytes_str("k"), bytes_of(zeros, LIMIT_STATE_VALUE)), OK);
    assert_false(operation_is_over(b.op));
    assert_int_equal(put(&b, bytes_str("k"), bytes_of(zeros, LIMIT_STATE_VALUE + 1)), ERR_FULL);
    assert_true(operation_is_over(b.op));
    bench_close(&b);
}

static void notes_of_one_index_are_numbered_through_and_run_out_in_time(void **state) {
    (void)state;
    struct bench b;
    unsigned operations = 0;
    bench_open(&b, whole, 0, 1);
    while (operation_has_room(b.op)) {
        operation_begin(b.op, 0, NULL);
        for (uint32_t i = 0; i < LIMIT_OPERATION_NOTES; i++) {
            assert_int_equal(note(&b, ""), OK);
        }
        assert_int_equal(operation_keep(b.op), OK);
        operations++;
    }
    assert_int_equal(operations, UINT16_MAX / LIMIT_OPERATION_NOTES);
    struct bytes key, value, from = bytes_of("", 0);
    uint8_t at[64];
    size_t count = 0;
    for (; kv_seek(b.view, KV_HISTORY, from, &key, &value) == OK; count++) {
        memcpy(at, key.data, key.len);
        at[key.len] = 0;
        from = bytes_of(at, key.len + 1);
    }
    assert_int_equal(count, operations * LIMIT_OPERATION_NOTES);
    operation_begin(b.op, 1, NULL);
    assert_true(operation_has_room(b.op));
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_reads_its_own_writes_over_the_blocks),
        cmocka_unit_test(what_is_not_kept_is_forgotten),
        cmocka_unit_test(as_many_records_as_the_budget_and_not_one_more),
        cmocka_unit_test(as_many_notes_as_the_budget_and_not_one_more),
        cmocka_unit_test(as_many_bytes_as_the_budget_and_not_one_more),
        cmocka_unit_test(notes_of_one_index_are_numbered_through_and_run_out_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
