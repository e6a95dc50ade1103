/* An immutable stack of sealed layers, oldest first, that many views can hold at once. Pushing gives another stack, in
 * which neighbours of like size have been merged, so that n layers become about log2(n).
 *
 * Each layer is more than twice as large as the one above it, except where it is over KV_MERGE_MAX: larger copies would
 * make the writer's thread wait, so the stack of those grows by one per KV_MERGE_MAX / 2 bytes at most.
 */
#ifndef ASSAY_STORE_KV_STACK_H
#define ASSAY_STORE_KV_STACK_H

#include "store/kv_layer.h"

#include <stdatomic.h>

#define KV_MERGE_MAX ((size_t)4 << 20)

struct kv_stack {
    atomic_uint refs;
    size_t count;
    size_t bytes;
    struct kv_layer *layers[];
};

/* Takes references of its own. */
NODISCARD enum err kv_stack_new(struct kv_layer *const *layers, size_t count, struct kv_stack **out);
struct kv_stack *kv_stack_ref(struct kv_stack *stack);
void kv_stack_unref(struct kv_stack *stack); /* NULL is fine */

/* `stack` with a sealed layer on top; its lowest `frozen` layers stay as they are. `drop_deleted` when nothing lies
 * below the stack, here and in kv_stack_flatten. */
NODISCARD enum err kv_stack_push(const struct kv_stack *stack, size_t frozen, bool drop_deleted, struct kv_layer *layer,
                                 struct kv_stack **out);
/* Whether the layer above is grown enough to be merged with the one below it. */
bool kv_stack_should_merge(const struct kv_layer *below, const struct kv_layer *above);
/* `stack` without its lowest `count` layers. */
NODISCARD enum err kv_stack_drop(const struct kv_stack *stack, size_t count, struct kv_stack **out);
/* One layer that says the same as the lowest `count` (at least one), to be walked: it borrows their keys and values. */
NODISCARD enum err kv_stack_flatten(const struct kv_stack *stack, size_t count, bool drop_deleted,
                                    struct kv_layer **out);

enum kv_found kv_stack_find(const struct kv_stack *stack, enum kv_table table, struct bytes key, uint64_t hash,
                            struct bytes *out);

/* The better of two entries for a seek: the nearer key; of equal keys the first given, which is to be the newer. */
static inline const struct kv_entry *kv_nearer(const struct kv_entry *newer, const struct kv_entry *older, bool back) {
    if (newer == NULL || older == NULL) {
        return newer == NULL ? older : newer;
    }
    int order = bytes_compare(kv_entry_key(older), kv_entry_key(newer));
    bool older_is_nearer = back ? order > 0 : order < 0;
    return older_is_nearer ? older : newer;
}
/* Nearest entry at or after `from` (`back`: at or before), deleted ones too; NULL when there is none. */
const struct kv_entry *kv_stack_seek(const struct kv_stack *stack, enum kv_table table, struct bytes from, bool back);

/* A place to seek on from after `key`, in a buffer of KV_KEY_MAX + 1 bytes that may hold `key` itself: the next key in
 * byte order, or (`back`) the last one a store can hold before it. False when there is none. */
bool kv_step_past(struct bytes key, bool back, uint8_t *buffer, struct bytes *out_from);

#endif
