/* What kv.c and kv_view.c share; nobody else includes this. */
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
    size_t frozen;     /* lowest layers that a running checkpoint writes; 0: none runs */
    atomic_uint views; /* open ones */
};

#endif
