/* A sealed layer's invariants: what a search by halves, the filter and the accounts of memory rely on. */
#include "store/kv_layer_internal.h"

#include <string.h>

unsigned kv_layer_refs(const struct kv_layer *layer) {
    return atomic_load_explicit(&layer->refs, memory_order_relaxed);
}

/* Does the memory that the layer itself holds have these bytes? */
static bool holds(const struct kv_layer *layer, const uint8_t *data, size_t len) {
    for (const struct chunk *chunk = layer->arena; chunk != NULL; chunk = chunk->next) {
        uintptr_t at = (uintptr_t)data, begin = (uintptr_t)chunk->data;
        if (at >= begin && at - begin <= chunk->used && len <= chunk->used - (at - begin)) {
            return true;
        }
    }
    return false;
}

/* Or that of the layers it was gathered from, on which it holds. */
static bool reaches(const struct kv_layer *layer, const uint8_t *data, size_t len) {
    bool found = holds(layer, data, len);
    for (size_t i = 0; i < layer->part_count && !found; i++) {
        found = reaches(layer->parts[i], data, len);
    }
    return found;
}

static bool check_entry(const struct kv_layer *layer, enum kv_table table, size_t i, struct why *why) {
    const struct kv_entry *entry = &layer->entries[i], *before = i > layer->start[table] ? entry - 1 : NULL;
    struct bytes key = kv_entry_key(entry);
    if (key.len == 0 || key.len > KV_KEY_MAX || entry->value_len > KV_VALUE_MAX) {
        return why_not(why, "entry %zu of table %d has a key of %zu bytes and a value of %u", i, table, key.len,
                       entry->value_len);
    }
    if (before != NULL && bytes_compare(kv_entry_key(before), key) >= 0) {
        return why_not(why, "entry %zu of table %d is not above the one before it", i, table);
    }
    if (!reaches(layer, entry->key, entry->key_len) ||
        (entry->value_len > 0 && !reaches(layer, entry->value, entry->value_len))) {
        return why_not(why, "entry %zu of table %d points to what the layer does not hold", i, table);
    }
    if (layer->filter != NULL && !kv_layer_may_have(layer, kv_key_hash(table, key))) {
        return why_not(why, "the filter hides entry %zu of table %d", i, table);
    }
    return true;
}

static bool check_entries(const struct kv_layer *layer, struct why *why) {
    for (size_t table = 0; table < KV_TABLES; table++) {
        for (size_t i = layer->start[table]; i < layer->start[table + 1]; i++) {
            if (!check_entry(layer, (enum kv_table)table, i, why)) {
                return false;
            }
        }
    }
    return true;
}

static size_t counted_bytes(const struct kv_layer *layer) {
    size_t bytes = sizeof *layer + layer->count * sizeof *layer->entries +
                   layer->filter_blocks * FILTER_BLOCK_WORDS * sizeof *layer->filter;
    for (const struct chunk *chunk = layer->arena; chunk != NULL; chunk = chunk->next) {
        bytes += chunk->used;
    }
    return bytes;
}

bool kv_layer_check(const struct kv_layer *layer, bool entries, struct why *out_why) {
    if (kv_layer_refs(layer) == 0) {
        return why_not(out_why, "it is in use and nobody holds it");
    }
    if (!layer->sealed) {
        return why_not(out_why, "it is in use and can still be written to");
    }
    for (size_t table = 0; table < KV_TABLES; table++) {
        if (layer->start[table] > layer->start[table + 1]) {
            return why_not(out_why, "table %zu begins at %zu and ends at %zu", table, layer->start[table],
                           layer->start[table + 1]);
        }
    }
    if (layer->start[0] != 0 || layer->start[KV_TABLES] != layer->count) {
        return why_not(out_why, "its tables hold the entries from %zu to %zu, of %zu", layer->start[0],
                       layer->start[KV_TABLES], layer->count);
    }
    if (layer->bytes != counted_bytes(layer)) {
        return why_not(out_why, "it holds %zu bytes and says %zu", counted_bytes(layer), layer->bytes);
    }
    return !entries || check_entries(layer, out_why);
}
