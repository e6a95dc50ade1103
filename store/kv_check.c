/* The store's invariants: how layers, checkpoint and views stand together. */
#include "store/kv_internal.h"

void kv_layers_each(const struct kv *kv, bool (*each)(void *arg, const struct kv_layer *layer, bool frozen),
                    void *arg) {
    for (size_t i = 0; i < kv->stack->count; i++) {
        if (!each(arg, kv->stack->layers[i], i < kv_frozen(kv))) {
            return;
        }
    }
}

static bool check_layers(const struct kv *kv, bool entries, struct why *why) {
    const struct kv_stack *stack = kv->stack;
    size_t bytes = 0;
    struct why what;
    for (size_t i = 0; i < stack->count; i++) {
        if (!kv_layer_check(stack->layers[i], entries, &what)) {
            return why_not(why, "layer %zu of %zu: %s", i, stack->count, what.text);
        }
        /* A read meets few layers because neighbours of like size are merged. */
        if (i > kv->rigid && kv_stack_should_merge(stack->layers[i - 1], stack->layers[i])) {
            return why_not(why, "layer %zu of %zu bytes stands on one of %zu and should be merged with it", i,
                           kv_layer_bytes(stack->layers[i]), kv_layer_bytes(stack->layers[i - 1]));
        }
        bytes += kv_layer_bytes(stack->layers[i]);
    }
    return bytes == stack->bytes || why_not(why, "layers hold %zu bytes and %zu are counted", bytes, stack->bytes);
}

/* What is written now is what stays: its layers are the lowest of the stack, unmerged, whatever was pushed since. */
static bool check_checkpoint(const struct kv *kv, struct why *why) {
    const struct kv_checkpoint *running = kv->running;
    size_t frozen = kv_frozen(kv);
    if (running == NULL) {
        return true;
    }
    if (running->kv != kv || frozen == 0 || frozen > kv->stack->count || frozen > running->stack->count) {
        return why_not(why, "a checkpoint writes %zu layers of %zu, and %zu stand", frozen, running->stack->count,
                       kv->stack->count);
    }
    for (size_t i = 0; i < frozen; i++) {
        const struct kv_layer *layer = running->stack->layers[i];
        unsigned holders = running->stack == kv->stack ? 1 : 2;
        if (layer != kv->stack->layers[i]) {
            return why_not(why, "layer %zu was replaced while a checkpoint writes it", i);
        }
        if (kv_layer_refs(layer) < holders) {
            return why_not(why, "layer %zu is held by %u, and two stacks have it", i, kv_layer_refs(layer));
        }
    }
    return true;
}

/* The stack belongs to the store, to a checkpoint that began on it, and to views. */
static bool check_holders(const struct kv *kv, struct why *why) {
    unsigned refs = atomic_load(&kv->stack->refs), views = atomic_load(&kv->views);
    unsigned known = kv->running != NULL && kv->running->stack == kv->stack ? 2 : 1;
    return (refs >= known && refs - known <= views) ||
           why_not(why, "the stack is held by %u, where %u and the %u open views may hold it", refs, known, views);
}

bool kv_check(const struct kv *kv, bool entries, struct why *out_why) {
    return check_layers(kv, entries, out_why) && check_checkpoint(kv, out_why) && check_holders(kv, out_why);
}
