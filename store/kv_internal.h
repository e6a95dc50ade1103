/* What the files of the store share. */
#ifndef ASSAY_STORE_KV_INTERNAL_H
#define ASSAY_STORE_KV_INTERNAL_H

#include "store/kv_stack.h"

#include <pthread.h>

struct kv {
    struct kv_backend backend;
    /* Guards `stack` against readers: whoever opens a view takes the stack and a snapshot of the lower floor together,
     * so that neither lacks what the other has given away. Only the writer's thread replaces the stack. */
    pthread_mutex_t lock;
    struct kv_stack *stack;
    struct kv_checkpoint *running; /* NULL: none runs */
    size_t rigid;                  /* lowest layers, in which a checkpoint that failed may have kept like sizes */
    atomic_uint views;             /* open ones */
};

struct kv_checkpoint {
    struct kv *kv;
    struct kv_stack *stack; /* its lowest `count` layers are written */
    size_t count;
};

/* Lowest layers that a running checkpoint writes: they stay as they are. */
static inline size_t kv_frozen(const struct kv *kv) {
    return kv->running != NULL ? kv->running->count : 0;
}

#endif
