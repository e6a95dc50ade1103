#include "store/kv_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct kv_view {
    struct kv *kv;
    struct kv_stack *stack;
    void *snapshot;
    size_t above_count;
    struct kv_layer *above[]; /* borrowed; newest last */
};

/* Takes the stack along unless only the floor is wanted. */
static enum err open_view(struct kv *kv, struct kv_layer *const *layers, size_t count, bool only_floor,
                          struct kv_view **out) {
    ASSERT(count == 0 || !only_floor); /* what stands above the floor alone would hide it by halves */
    struct kv_view *view = malloc(sizeof *view + count * sizeof(struct kv_layer *));
    if (view == NULL) {
        return ERR_NOMEM;
    }
    view->kv = kv;
    view->stack = NULL;
    view->above_count = count;
    if (count > 0) {
        memcpy(view->above, layers, count * sizeof(struct kv_layer *));
    }
    enum err e = only_floor ? kv_stack_new(NULL, 0, &view->stack) : OK;
    if (e != OK) {
        free(view);
        return e;
    }
    (void)pthread_mutex_lock(&kv->lock);
    e = kv->backend.ops->snapshot(kv->backend.ctx, &view->snapshot);
    if (e == OK && !only_floor) {
        view->stack = kv_stack_ref(kv->stack);
    }
    (void)pthread_mutex_unlock(&kv->lock);
    if (e != OK) {
        kv_stack_unref(view->stack);
        free(view);
        return e;
    }
    (void)atomic_fetch_add(&kv->views, 1);
    *out = view;
    return OK;
}

enum err kv_view_open_above(struct kv *kv, struct kv_layer *const *layers, size_t count, struct kv_view **out) {
    return open_view(kv, layers, count, false, out);
}

enum err kv_view_open(struct kv *kv, struct kv_view **out) {
    return open_view(kv, NULL, 0, false, out);
}

enum err kv_view_open_floor(struct kv *kv, struct kv_view **out) {
    return open_view(kv, NULL, 0, true, out);
}

void kv_view_close(struct kv_view *view) {
    if (view == NULL) {
        return;
    }
    struct kv *kv = view->kv;
    ASSERT(atomic_load(&kv->views) > 0); /* closed once */
    kv->backend.ops->release(kv->backend.ctx, view->snapshot);
    kv_stack_unref(view->stack);
    free(view);
    (void)atomic_fetch_sub(&kv->views, 1);
}

enum err kv_get(struct kv_view *view, enum kv_table table, struct bytes key, struct bytes *out) {
    ASSERT(table < KV_TABLES);
    uint64_t hash = kv_key_hash(table, key);
    enum kv_found found = KV_UNKNOWN;
    for (size_t i = view->above_count; i-- > 0 && found == KV_UNKNOWN;) {
        found = kv_layer_find(view->above[i], table, key, hash, out);
    }
    if (found == KV_UNKNOWN) {
        found = kv_stack_find(view->stack, table, key, hash, out);
    }
    if (found != KV_UNKNOWN) {
        return found == KV_PRESENT ? OK : ERR_NOTFOUND;
    }
    const struct kv_backend *backend = &view->kv->backend;
    return backend->ops->get(backend->ctx, view->snapshot, table, key, out);
}

/* ---- Seeking ---------------------------------------------------------------------------------------------------- */

/* Nearest entry of all layers, deleted ones too; NULL when there is none. */
static const struct kv_entry *seek_layers(const struct kv_view *view, enum kv_table table, struct bytes from,
                                          bool back) {
    const struct kv_entry *best = NULL;
    for (size_t i = view->above_count; i-- > 0;) {
        const struct kv_layer *layer = view->above[i];
        best = kv_nearer(best, back ? kv_layer_seek_back(layer, table, from) : kv_layer_seek(layer, table, from), back);
    }
    return kv_nearer(best, kv_stack_seek(view->stack, table, from, back), back);
}

static enum err seek_floor(const struct kv_view *view, enum kv_table table, struct bytes from, bool back,
                           struct kv_entry *out) {
    const struct kv_backend *backend = &view->kv->backend;
    struct bytes key, value;
    enum err e = back ? backend->ops->seek_back(backend->ctx, view->snapshot, table, from, &key, &value)
                      : backend->ops->seek(backend->ctx, view->snapshot, table, from, &key, &value);
    if (e == OK) {
        *out = (struct kv_entry){key.data, value.data, (uint32_t)key.len, (uint32_t)value.len};
    }
    return e;
}

static enum err seek(const struct kv_view *view, enum kv_table table, struct bytes from, bool back,
                     struct bytes *out_key, struct bytes *out_value) {
    ASSERT(table < KV_TABLES && from.len <= KV_KEY_MAX + 1);
    uint8_t place[KV_KEY_MAX + 1];
    struct kv_entry low;
    enum err floor = seek_floor(view, table, from, back, &low);
    for (;;) {
        if (floor != OK && floor != ERR_NOTFOUND) {
            return floor;
        }
        const struct kv_entry *high = seek_layers(view, table, from, back);
        const struct kv_entry *best = kv_nearer(high, floor == OK ? &low : NULL, back);
        if (best == NULL) {
            return ERR_NOTFOUND;
        }
        if (best->value != NULL) {
            *out_key = kv_entry_key(best);
            *out_value = bytes_of(best->value, best->value_len);
            return OK;
        }
        /* Deleted above: go on behind it. The floor's candidate stays good unless it was this very key. */
        bool hides_floor = floor == OK && bytes_equal(kv_entry_key(best), kv_entry_key(&low));
        if (!kv_step_past(kv_entry_key(best), back, place, &from)) {
            return ERR_NOTFOUND;
        }
        if (hides_floor) {
            floor = seek_floor(view, table, from, back, &low);
        }
    }
}

enum err kv_seek(struct kv_view *view, enum kv_table table, struct bytes from, struct bytes *out_key,
                 struct bytes *out_value) {
    return seek(view, table, from, false, out_key, out_value);
}

enum err kv_seek_back(struct kv_view *view, enum kv_table table, struct bytes from, struct bytes *out_key,
                      struct bytes *out_value) {
    return seek(view, table, from, true, out_key, out_value);
}
