#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/kv_internal.h"
#include "store/kv_layer_internal.h"
#include "tests/lib/kv_model.h"
#include "store/kv_layer.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

static struct kv *open_memory(void) {
    struct kv_backend backend;
    struct kv *kv;
    assert_int_equal(kv_memory_open(&backend), OK);
    assert_int_equal(kv_open(backend, &kv), OK);
    return kv;
}

static void a_store_in_memory_does_as_the_model(void **state) {
    (void)state;
    struct model_run *run = calloc(1, sizeof *run);
    run->kv = open_memory();
    run->dice.state = 11;
    run->next_value = 1;
    model_steps(run, 3000);
    model_check_now(run);
    kv_close(run->kv);
    free(run);
}

static enum kv_found look(const struct kv_layer *layer, enum kv_table table, struct bytes key, struct bytes *out) {
    return kv_layer_find(layer, table, key, kv_key_hash(table, key), out);
}

static void a_layer_that_is_being_built_says_what_was_written_last(void **state) {
    (void)state;
    struct kv_layer *layer;
    struct bytes value;
    assert_int_equal(kv_layer_new(&layer), OK);
    for (int sealed = 0; sealed < 2; sealed++) {
        if (sealed == 0) {
            assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("a"), bytes_str("1")), OK);
            assert_int_equal(look(layer, KV_STATE, bytes_str("a"), &value), KV_PRESENT);
            struct bytes first = value;
            assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("a"), bytes_str("2")), OK);
            assert_true(bytes_equal(first, bytes_str("1"))); /* what was borrowed stays */
            assert_int_equal(kv_layer_delete(layer, KV_STATE, bytes_str("b")), OK);
            assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("e"), bytes_of(NULL, 0)), OK);
        } else {
            assert_int_equal(kv_layer_seal(layer), OK);
        }
        assert_int_equal(look(layer, KV_STATE, bytes_str("a"), &value), KV_PRESENT);
        assert_true(bytes_equal(value, bytes_str("2")));
        assert_int_equal(look(layer, KV_STATE, bytes_str("b"), &value), KV_DELETED);
        assert_int_equal(look(layer, KV_STATE, bytes_str("c"), &value), KV_UNKNOWN);
        assert_int_equal(look(layer, KV_TXS, bytes_str("a"), &value), KV_UNKNOWN);
        assert_int_equal(look(layer, KV_STATE, bytes_str("e"), &value), KV_PRESENT);
        assert_int_equal(value.len, 0);
    }
    kv_layer_unref(layer);
}

static void keys_over_the_limit_and_empty_ones_are_refused(void **state) {
    (void)state;
    struct kv_layer *layer;
    uint8_t key[KV_KEY_MAX + 1] = {1};
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, KV_KEY_MAX), bytes_str("x")), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, KV_KEY_MAX + 1), bytes_str("x")), ERR_TOOLARGE);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, 0), bytes_str("x")), ERR_RANGE);
    assert_int_equal(kv_layer_delete(layer, KV_STATE, bytes_of(key, KV_KEY_MAX + 1)), ERR_TOOLARGE);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, 1), bytes_of(key, (size_t)KV_VALUE_MAX + 1)),
                     ERR_TOOLARGE);
    kv_layer_unref(layer);
}

static enum err stop_at_second(void *arg, struct bytes key, struct bytes value) {
    (void)value;
    size_t *count = arg;
    assert_int_equal(key.len, 1);
    return ++*count == 2 ? ERR_FULL : OK;
}

static void walking_a_layer_goes_in_order_and_stops_on_an_error(void **state) {
    (void)state;
    struct kv_layer *layer;
    size_t count = 0;
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_each(layer, KV_STATE, stop_at_second, &count), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("b"), bytes_str("1")), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("a"), bytes_str("1")), OK);
    assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_str("c"), bytes_str("1")), OK);
    assert_int_equal(kv_layer_each(layer, KV_STATE, stop_at_second, &count), ERR_FULL);
    assert_int_equal(count, 2);
    kv_layer_unref(layer);
}

static void many_pushes_leave_few_layers(void **state) {
    (void)state;
    struct kv_stack *stack;
    assert_int_equal(kv_stack_new(NULL, 0, &stack), OK);
    size_t most = 0;
    for (uint64_t i = 0; i < 2000; i++) {
        struct kv_layer *layer;
        struct kv_stack *next;
        uint8_t key[8];
        assert_int_equal(kv_layer_new(&layer), OK);
        for (uint64_t k = 0; k < 8; k++) {
            store_u64(key, i * 8 + k);
            assert_int_equal(kv_layer_put(layer, KV_TXS, bytes_of(key, 8), bytes_of(key, 8)), OK);
        }
        assert_int_equal(kv_layer_seal(layer), OK);
        assert_int_equal(kv_stack_push(stack, 0, false, layer, &next), OK);
        kv_layer_unref(layer);
        kv_stack_unref(stack);
        stack = next;
        most = stack->count > most ? stack->count : most;
    }
    assert_true(most <= 14);
    kv_stack_unref(stack);
}

static void a_store_holds_nothing_pending_after_a_checkpoint(void **state) {
    (void)state;
    struct kv *kv = open_memory();
    struct kv_layer *layer;
    struct kv_checkpoint *checkpoint;
    assert_int_equal(kv_checkpoint_begin(kv, &checkpoint), ERR_NOTFOUND);
    assert_int_equal(kv_layer_new(&layer), OK);
    assert_int_equal(kv_layer_put(layer, KV_META, bytes_str("k"), bytes_str("v")), OK);
    assert_int_equal(kv_push(kv, layer), OK);
    kv_layer_unref(layer);
    assert_true(kv_pending_bytes(kv) > 0);
    assert_int_equal(kv_checkpoint_begin(kv, &checkpoint), OK);
    assert_int_equal(kv_checkpoint_end(kv, checkpoint, kv_checkpoint_write(checkpoint)), OK);
    assert_int_equal(kv_pending_bytes(kv), 0);
    kv_close(kv);
}

static void push_numbers(struct kv *kv, uint64_t from, uint64_t count) {
    struct kv_layer *layer;
    assert_int_equal(kv_layer_new(&layer), OK);
    for (uint64_t k = from; k < from + count; k++) {
        uint8_t key[8];
        store_u64(key, k);
        assert_int_equal(kv_layer_put(layer, KV_TXS, bytes_of(key, 8), bytes_of(key, 8)), OK);
    }
    assert_int_equal(kv_push(kv, layer), OK);
    kv_layer_unref(layer);
}

static void is_said(const struct kv *kv, const char *what) {
    struct why why = WHY_NONE;
    assert_false(kv_check(kv, true, &why));
    if (strstr(why.text, what) == NULL) {
        fail_msg("said \"%s\" and not \"%s\"", why.text, what);
    }
}

static void what_is_not_sound_is_said(void **state) {
    (void)state;
    struct kv *kv = open_memory();
    struct kv_checkpoint *checkpoint;
    struct kv_view *view;
    struct why why = WHY_NONE;
    push_numbers(kv, 0, 100);
    push_numbers(kv, 100, 8);
    assert_int_equal(kv_checkpoint_begin(kv, &checkpoint), OK);
    push_numbers(kv, 108, 8); /* as large as the one below it, which a checkpoint writes */
    assert_true(kv_check(kv, true, &why));
    assert_int_equal(kv->stack->count, 3);
    kv->stack->bytes++;
    is_said(kv, "are counted");
    kv->stack->bytes--;
    struct kv_layer *top = kv->stack->layers[2];
    struct kv_entry first = top->entries[0];
    top->entries[0] = top->entries[1];
    is_said(kv, "layer 2 of 3: entry 1 of table 7 is not above the one before it");
    top->entries[0] = first;
    uint64_t line[FILTER_BLOCK_WORDS];
    assert_int_equal(top->filter_blocks, 1);
    memcpy(line, top->filter, sizeof line);
    memset(top->filter, 0, sizeof line);
    is_said(kv, "the filter hides entry");
    memcpy(top->filter, line, sizeof line);
    assert_int_equal(kv_checkpoint_end(kv, checkpoint, ERR_IO), ERR_IO);
    assert_int_equal(kv->rigid, 2);
    kv->rigid = 1;
    is_said(kv, "should be merged");
    kv->rigid = 2;
    assert_int_equal(kv_view_open(kv, &view), OK);
    atomic_fetch_sub(&kv->views, 1);
    is_said(kv, "the stack is held by 2");
    atomic_fetch_add(&kv->views, 1);
    kv_view_close(view);
    kv_close(kv);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

/* Every block writes its number under each key; so a view that shows two numbers is torn. */
#define SHARED_KEYS 50u

struct shared {
    struct kv *kv;
    atomic_bool stop;
    atomic_uint views;
    atomic_uint torn;
};

static void *read_shared(void *arg) {
    struct shared *s = arg;
    while (!atomic_load(&s->stop)) {
        struct kv_view *view;
        if (kv_view_open(s->kv, &view) != OK) {
            (void)atomic_fetch_add(&s->torn, 1);
            break;
        }
        uint64_t first = 0;
        for (uint8_t k = 0; k < SHARED_KEYS; k++) {
            const uint8_t from[2] = {k, 1};
            struct bytes key, value;
            enum err e = k % 2 == 0 ? kv_get(view, KV_STATE, bytes_of(from, 2), &value)
                                    : kv_seek(view, KV_STATE, bytes_of(from, 1), &key, &value);
            uint64_t number = e == OK ? load_u64(value.data) : 0;
            first = k == 0 ? number : first;
            if (e != OK || number != first) {
                (void)atomic_fetch_add(&s->torn, 1);
            }
        }
        kv_view_close(view);
        (void)atomic_fetch_add(&s->views, 1);
    }
    return NULL;
}

static void *write_checkpoint(void *arg) {
    return kv_checkpoint_write(arg) == OK ? arg : NULL;
}

static void push_number(struct kv *kv, uint64_t number) {
    struct kv_layer *layer;
    uint8_t value[8];
    store_u64(value, number);
    assert_int_equal(kv_layer_new(&layer), OK);
    for (uint8_t k = 0; k < SHARED_KEYS; k++) {
        const uint8_t key[2] = {k, 1};
        assert_int_equal(kv_layer_put(layer, KV_STATE, bytes_of(key, 2), bytes_of(value, 8)), OK);
    }
    assert_int_equal(kv_push(kv, layer), OK);
    kv_layer_unref(layer);
}

static void readers_on_other_threads_see_whole_blocks(void **state) {
    (void)state;
    struct shared s = {.kv = open_memory()};
    pthread_t readers[3], writer;
    struct kv_checkpoint *checkpoint = NULL;
    push_number(s.kv, 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_shared, &s), 0);
    }
    for (uint64_t n = 2; n < 1500 || atomic_load(&s.views) < 100; n++) {
        push_number(s.kv, n);
        if (n % 10 == 0) {
            assert_int_equal(kv_checkpoint_begin(s.kv, &checkpoint), OK);
            assert_int_equal(pthread_create(&writer, NULL, write_checkpoint, checkpoint), 0);
        } else if (n % 10 == 5 && checkpoint != NULL) {
            void *written;
            assert_int_equal(pthread_join(writer, &written), 0);
            assert_int_equal(kv_checkpoint_end(s.kv, checkpoint, written != NULL ? OK : ERR_IO), OK);
            checkpoint = NULL;
        }
        if (n % 100 == 0) {
            (void)sched_yield();
        }
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    if (checkpoint != NULL) {
        void *written;
        assert_int_equal(pthread_join(writer, &written), 0);
        assert_int_equal(kv_checkpoint_end(s.kv, checkpoint, OK), OK);
    }
    assert_int_equal(atomic_load(&s.torn), 0);
    kv_close(s.kv);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_in_memory_does_as_the_model),
        cmocka_unit_test(a_layer_that_is_being_built_says_what_was_written_last),
        cmocka_unit_test(keys_over_the_limit_and_empty_ones_are_refused),
        cmocka_unit_test(walking_a_layer_goes_in_order_and_stops_on_an_error),
        cmocka_unit_test(what_is_not_sound_is_said),
        cmocka_unit_test(many_pushes_leave_few_layers),
        cmocka_unit_test(a_store_holds_nothing_pending_after_a_checkpoint),
        cmocka_unit_test(readers_on_other_threads_see_whole_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
