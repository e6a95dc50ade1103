#include "store/kv_internal.h"

#include "base/assert.h"

#include <stdlib.h>

enum err kv_open(struct kv_backend backend, struct kv **out) {
    struct kv *kv = calloc(1, sizeof *kv);
    enum err e = kv == NULL ? ERR_NOMEM : kv_stack_new(NULL, 0, &kv->stack);
    if (e != OK) {
        goto fail;
    }
    if (pthread_mutex_init(&kv->lock, NULL) != 0) {
        e = ERR_NOMEM;
        goto fail;
    }
    kv->backend = backend;
    atomic_init(&kv->views, 0);
    *out = kv;
    return OK;
fail:
    if (kv != NULL) {
        kv_stack_unref(kv->stack);
    }
    free(kv);
    backend.ops->close(backend.ctx);
    return e;
}

void kv_close(struct kv *kv) {
    if (kv == NULL) {
        return;
    }
    ASSERT(atomic_load(&kv->views) == 0 && kv->running == NULL);
    kv_stack_unref(kv->stack);
    kv->backend.ops->close(kv->backend.ctx);
    (void)pthread_mutex_destroy(&kv->lock);
    free(kv);
}

static void replace_stack(struct kv *kv, struct kv_stack *stack) {
    ASSERT(stack != kv->stack); /* views hold the old one, which never changes */
    (void)pthread_mutex_lock(&kv->lock);
    struct kv_stack *old = kv->stack;
    kv->stack = stack;
    (void)pthread_mutex_unlock(&kv->lock);
    kv_stack_unref(old);
}

enum err kv_push(struct kv *kv, struct kv_layer *layer) {
    size_t frozen = kv_frozen(kv);
    enum err e = kv_layer_seal(layer);
    struct kv_stack *stack;
    if (e == OK) {
        e = kv_stack_push(kv->stack, frozen, false, layer, &stack);
    }
    if (e == OK) {
        ASSERT(stack->count > frozen && stack->count <= kv->stack->count + 1);
        replace_stack(kv, stack);
        kv->rigid = kv->rigid < stack->count ? kv->rigid : stack->count - 1;
    }
    return e;
}

size_t kv_pending_bytes(const struct kv *kv) {
    return kv->stack->bytes;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

enum err kv_checkpoint_begin(struct kv *kv, struct kv_checkpoint **out) {
    if (kv->running != NULL) {
        return ERR_BUSY;
    }
    if (kv->stack->count == 0) {
        return ERR_NOTFOUND;
    }
    struct kv_checkpoint *checkpoint = malloc(sizeof *checkpoint);
    if (checkpoint == NULL) {
        return ERR_NOMEM;
    }
    *checkpoint = (struct kv_checkpoint){kv, kv_stack_ref(kv->stack), kv->stack->count};
    kv->running = checkpoint;
    kv->rigid = checkpoint->count;
    ASSERT(kv_frozen(kv) == kv->stack->count); /* all of it, and what is pushed from now on stands above */
    *out = checkpoint;
    return OK;
}

enum err kv_checkpoint_write(struct kv_checkpoint *checkpoint) {
    struct kv_layer *merged;
    ASSERT(checkpoint->count > 0 && checkpoint->count == checkpoint->stack->count);
    enum err e = kv_stack_flatten(checkpoint->stack, checkpoint->count, false, &merged);
    if (e == OK) {
        const struct kv_backend *backend = &checkpoint->kv->backend;
        e = backend->ops->commit(backend->ctx, merged);
        kv_layer_unref(merged);
    }
    return e;
}

enum err kv_checkpoint_end(struct kv *kv, struct kv_checkpoint *checkpoint, enum err written) {
    ASSERT(checkpoint->kv == kv && kv->running == checkpoint);
    enum err e = written;
    struct kv_stack *rest;
    if (e == OK) {
        e = kv_stack_drop(kv->stack, checkpoint->count, &rest);
    }
    if (e == OK) {
        /* What goes is what was written, and not something that came to stand in its place. */
        ASSERT(kv->stack->layers[checkpoint->count - 1] == checkpoint->stack->layers[checkpoint->count - 1]);
        replace_stack(kv, rest);
        kv->rigid = 0;
    }
    kv->running = NULL;
    kv_stack_unref(checkpoint->stack);
    free(checkpoint);
    return e;
}
