#include "store/kv_stack.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

/* A stack whose references the caller has taken already. */
static enum err stack_of(struct kv_layer *const *layers, size_t count, struct kv_stack **out) {
    struct kv_stack *stack = malloc(sizeof *stack + count * sizeof(struct kv_layer *));
    if (stack == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&stack->refs, 1);
    stack->count = count;
    stack->bytes = 0;
    for (size_t i = 0; i < count; i++) {
        stack->layers[i] = layers[i];
        stack->bytes += kv_layer_bytes(layers[i]);
    }
    *out = stack;
    return OK;
}

enum err kv_stack_new(struct kv_layer *const *layers, size_t count, struct kv_stack **out) {
    struct kv_stack *stack;
    enum err e = stack_of(layers, count, &stack);
    if (e != OK) {
        return e;
    }
    for (size_t i = 0; i < count; i++) {
        (void)kv_layer_ref(stack->layers[i]);
    }
    *out = stack;
    return OK;
}

struct kv_stack *kv_stack_ref(struct kv_stack *stack) {
    unsigned before = atomic_fetch_add_explicit(&stack->refs, 1, memory_order_relaxed);
    ASSERT(before > 0); /* whoever takes another reference has one, or keeps somebody from giving up his */
    return stack;
}

void kv_stack_unref(struct kv_stack *stack) {
    if (stack == NULL || atomic_fetch_sub_explicit(&stack->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < stack->count; i++) {
        kv_layer_unref(stack->layers[i]);
    }
    free(stack);
}

bool kv_stack_should_merge(const struct kv_layer *below, const struct kv_layer *above) {
    size_t low = kv_layer_bytes(below), high = kv_layer_bytes(above);
    return low <= 2 * high && low + high <= KV_MERGE_MAX;
}

enum err kv_stack_push(const struct kv_stack *stack, size_t frozen, bool drop_deleted, struct kv_layer *layer,
                       struct kv_stack **out) {
    ASSERT(frozen <= stack->count);
    struct kv_layer *top = kv_layer_ref(layer);
    size_t kept = stack->count;
    enum err e = OK;
    while (e == OK && kept > frozen && kv_stack_should_merge(stack->layers[kept - 1], top)) {
        struct kv_layer *merged;
        e = kv_layer_merge(stack->layers[kept - 1], top, drop_deleted && kept == 1, &merged);
        if (e == OK) {
            kv_layer_unref(top);
            top = merged;
            kept--;
        }
    }
    struct kv_layer **layers = e == OK ? malloc((kept + 1) * sizeof(struct kv_layer *)) : NULL;
    if (layers == NULL) {
        e = ERR_NOMEM;
        goto drop_top;
    }
    memcpy(layers, stack->layers, kept * sizeof(struct kv_layer *));
    layers[kept] = top;
    e = kv_stack_new(layers, kept + 1, out);
    free(layers);
drop_top:
    kv_layer_unref(top);
    return e;
}

enum err kv_stack_drop(const struct kv_stack *stack, size_t count, struct kv_stack **out) {
    ASSERT(count <= stack->count);
    return kv_stack_new(stack->layers + count, stack->count - count, out);
}

enum err kv_stack_flatten(const struct kv_stack *stack, size_t count, bool drop_deleted, struct kv_layer **out) {
    ASSERT(count > 0 && count <= stack->count);
    return kv_layer_gather(stack->layers, count, drop_deleted, out);
}

enum kv_found kv_stack_find(const struct kv_stack *stack, enum kv_table table, struct bytes key, uint64_t hash,
                            struct bytes *out) {
    enum kv_found found = KV_UNKNOWN;
    for (size_t i = stack->count; i-- > 0 && found == KV_UNKNOWN;) {
        found = kv_layer_find(stack->layers[i], table, key, hash, out);
    }
    return found;
}

const struct kv_entry *kv_stack_seek(const struct kv_stack *stack, enum kv_table table, struct bytes from, bool back) {
    const struct kv_entry *best = NULL;
    for (size_t i = stack->count; i-- > 0;) {
        const struct kv_layer *layer = stack->layers[i];
        best = kv_nearer(best, back ? kv_layer_seek_back(layer, table, from) : kv_layer_seek(layer, table, from), back);
    }
    return best;
}

bool kv_step_past(struct bytes key, bool back, uint8_t *buffer, struct bytes *out_from) {
    ASSERT(key.len > 0 && key.len <= KV_KEY_MAX);
    memmove(buffer, key.data, key.len);
    if (!back) {
        buffer[key.len] = 0;
        *out_from = bytes_of(buffer, key.len + 1);
        return true;
    }
    if (buffer[key.len - 1] == 0) {
        *out_from = bytes_of(buffer, key.len - 1);
        return key.len > 1;
    }
    buffer[key.len - 1]--;
    memset(buffer + key.len, 0xff, KV_KEY_MAX - key.len);
    *out_from = bytes_of(buffer, KV_KEY_MAX);
    return true;
}
