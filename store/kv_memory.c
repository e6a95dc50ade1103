/* The lower floor in memory, for the simulator: the same stack of layers, with nothing below it. */
#include "store/kv_stack.h"

#include "base/assert.h"

#include <pthread.h>
#include <stdlib.h>

struct memory {
    pthread_mutex_t lock; /* guards the pointer */
    struct kv_stack *stack;
};

static enum err memory_snapshot(void *ctx, void **out) {
    struct memory *m = ctx;
    (void)pthread_mutex_lock(&m->lock);
    *out = kv_stack_ref(m->stack);
    (void)pthread_mutex_unlock(&m->lock);
    return OK;
}

static void memory_release(void *ctx, void *snapshot) {
    (void)ctx;
    ASSERT(snapshot != NULL);
    kv_stack_unref(snapshot);
}

static enum err memory_get(void *ctx, void *snapshot, enum kv_table table, struct bytes key, struct bytes *out) {
    (void)ctx;
    return kv_stack_find(snapshot, table, key, kv_key_hash(table, key), out) == KV_PRESENT ? OK : ERR_NOTFOUND;
}

static enum err live_entry(const struct kv_stack *stack, enum kv_table table, struct bytes from, bool back,
                           struct bytes *out_key, struct bytes *out_value) {
    uint8_t place[KV_KEY_MAX + 1];
    for (;;) {
        const struct kv_entry *entry = kv_stack_seek(stack, table, from, back);
        if (entry == NULL) {
            return ERR_NOTFOUND;
        }
        if (entry->value != NULL) {
            *out_key = kv_entry_key(entry);
            *out_value = bytes_of(entry->value, entry->value_len);
            return OK;
        }
        if (!kv_step_past(kv_entry_key(entry), back, place, &from)) {
            return ERR_NOTFOUND;
        }
    }
}

static enum err memory_seek(void *ctx, void *snapshot, enum kv_table table, struct bytes from, struct bytes *out_key,
                            struct bytes *out_value) {
    (void)ctx;
    return live_entry(snapshot, table, from, false, out_key, out_value);
}

static enum err memory_seek_back(void *ctx, void *snapshot, enum kv_table table, struct bytes from,
                                 struct bytes *out_key, struct bytes *out_value) {
    (void)ctx;
    return live_entry(snapshot, table, from, true, out_key, out_value);
}

static enum err memory_commit(void *ctx, const struct kv_layer *merged) {
    struct memory *m = ctx;
    struct kv_stack *next;
    /* Only the count of references changes in what is const here. */
    enum err e = kv_stack_push(m->stack, 0, true, (struct kv_layer *)(uintptr_t)merged, &next);
    if (e != OK) {
        return e;
    }
    (void)pthread_mutex_lock(&m->lock);
    struct kv_stack *old = m->stack;
    m->stack = next;
    (void)pthread_mutex_unlock(&m->lock);
    kv_stack_unref(old);
    return OK;
}

static void memory_close(void *ctx) {
    struct memory *m = ctx;
    kv_stack_unref(m->stack);
    (void)pthread_mutex_destroy(&m->lock);
    free(m);
}

static const struct kv_backend_ops memory_ops = {
    .snapshot = memory_snapshot,
    .release = memory_release,
    .get = memory_get,
    .seek = memory_seek,
    .seek_back = memory_seek_back,
    .commit = memory_commit,
    .close = memory_close,
};

/* Takes over the reference to the stack. */
static enum err open_on(struct kv_stack *stack, struct kv_backend *out) {
    struct memory *m = calloc(1, sizeof *m);
    if (m == NULL || pthread_mutex_init(&m->lock, NULL) != 0) {
        kv_stack_unref(stack);
        free(m);
        return ERR_NOMEM;
    }
    m->stack = stack;
    *out = (struct kv_backend){.ops = &memory_ops, .ctx = m};
    return OK;
}

enum err kv_memory_open(struct kv_backend *out) {
    struct kv_stack *stack;
    enum err e = kv_stack_new(NULL, 0, &stack);
    return e == OK ? open_on(stack, out) : e;
}

enum err kv_memory_copy(const struct kv_backend *backend, struct kv_backend *out) {
    void *stack;
    if (backend->ops != &memory_ops) {
        return ERR_UNSUPPORTED;
    }
    enum err e = memory_snapshot(backend->ctx, &stack);
    return e == OK ? open_on(stack, out) : e;
}
