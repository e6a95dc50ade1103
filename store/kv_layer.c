#include "store/kv_layer_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_MIN ((size_t)4096)
#define ARENA_CHUNK_MAX ((size_t)1 << 20)
#define FILTER_BITS_PER_ENTRY ((size_t)10)

static const uint8_t empty_value[1] = {0};

/* ---- Arena ------------------------------------------------------------------------------------------------------ */

static enum err arena_grow(struct kv_layer *layer, size_t cap) {
    struct chunk *chunk = malloc(sizeof *chunk + cap);
    if (chunk == NULL) {
        return ERR_NOMEM;
    }
    *chunk = (struct chunk){.next = layer->arena, .cap = cap};
    layer->arena = chunk;
    return OK;
}

static void *arena_take(struct kv_layer *layer, size_t len) {
    len = (len + 7) & ~(size_t)7;
    struct chunk *top = layer->arena;
    if (top == NULL || top->cap - top->used < len) {
        size_t cap = top == NULL ? ARENA_CHUNK_MIN : top->cap * 2;
        cap = cap > ARENA_CHUNK_MAX ? ARENA_CHUNK_MAX : cap;
        if (arena_grow(layer, cap < len ? len : cap) != OK) {
            return NULL;
        }
        top = layer->arena;
    }
    ASSERT(top->used <= top->cap && len <= top->cap - top->used);
    void *at = top->data + top->used;
    top->used += len;
    layer->bytes += len;
    return at;
}

/* ---- Life ------------------------------------------------------------------------------------------------------- */

enum err kv_layer_new(struct kv_layer **out) {
    struct kv_layer *layer = calloc(1, sizeof *layer);
    if (layer == NULL) {
        return ERR_NOMEM;
    }
    atomic_init(&layer->refs, 1);
    layer->random = 0x9e3779b97f4a7c15u;
    layer->bytes = sizeof *layer;
    *out = layer;
    return OK;
}

struct kv_layer *kv_layer_ref(struct kv_layer *layer) {
    unsigned before = atomic_fetch_add_explicit(&layer->refs, 1, memory_order_relaxed);
    ASSERT(before > 0);
    return layer;
}

void kv_layer_unref(struct kv_layer *layer) {
    if (layer == NULL || atomic_fetch_sub_explicit(&layer->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    while (layer->arena != NULL) {
        struct chunk *next = layer->arena->next;
        free(layer->arena);
        layer->arena = next;
    }
    for (size_t i = 0; i < layer->part_count; i++) {
        kv_layer_unref(layer->parts[i]);
    }
    free(layer->parts);
    free(layer->entries);
    free(layer->filter);
    free(layer);
}

size_t kv_layer_bytes(const struct kv_layer *layer) {
    return layer->bytes;
}

/* ---- Being built ------------------------------------------------------------------------------------------------ */

static struct tower *const *level_next(const struct kv_layer *layer, enum kv_table table, const struct tower *at,
                                       size_t level) {
    return at == NULL ? &layer->heads[table][level] : &at->next[level];
}

/* The last tower whose key is below `key` (or not above it, when `or_equal`); NULL when that is the head. */
static const struct tower *find_before(const struct kv_layer *layer, enum kv_table table, struct bytes key,
                                       bool or_equal) {
    const struct tower *at = NULL;
    for (size_t level = layer->levels; level-- > 0;) {
        for (;;) {
            const struct tower *next = *level_next(layer, table, at, level);
            if (next == NULL) {
                break;
            }
            int order = bytes_compare(kv_entry_key(&next->entry), key);
            if (order > 0 || (order == 0 && !or_equal)) {
                break;
            }
            at = next;
        }
    }
    return at;
}

/* Where a key belongs: on each level, the last tower below it (NULL: the head). Gives the tower that has this very key,
 * or NULL. Nodes and history are written in rising order: what lies beyond the last key needs no search. */
static struct tower *find_place(const struct kv_layer *layer, enum kv_table table, struct bytes key,
                                struct tower *out_before[TOWER_MAX]) {
    struct tower *last = layer->ends[table][0];
    int order = last == NULL ? -1 : bytes_compare(kv_entry_key(&last->entry), key);
    if (order <= 0) {
        memcpy(out_before, layer->ends[table], TOWER_MAX * sizeof out_before[0]);
        return order == 0 ? last : NULL;
    }
    struct tower *at = NULL;
    const struct tower *above = NULL; /* known to lie behind the place */
    for (size_t level = TOWER_MAX; level-- > 0;) {
        struct tower *next = level < layer->levels ? *level_next(layer, table, at, level) : NULL;
        while (next != NULL && next != above && (order = bytes_compare(kv_entry_key(&next->entry), key)) < 0) {
            at = next;
            next = at->next[level];
        }
        if (next != NULL && next != above && order == 0) {
            return next;
        }
        above = next;
        out_before[level] = at;
    }
    return NULL;
}

/* A quarter of the towers of one level reach the next. */
static size_t tower_height(struct kv_layer *layer) {
    uint64_t x = layer->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    layer->random = x;
    size_t height = 1;
    for (; height < TOWER_MAX && (x & 3) == 0; x >>= 2) {
        height++;
    }
    return height;
}

static enum err insert_tower(struct kv_layer *layer, enum kv_table table, struct tower *const before[TOWER_MAX],
                             const struct kv_entry *entry) {
    size_t height = tower_height(layer);
    struct tower *tower = arena_take(layer, sizeof *tower + height * sizeof(struct tower *));
    if (tower == NULL) {
        return ERR_NOMEM;
    }
    tower->entry = *entry;
    for (size_t level = 0; level < height; level++) {
        struct tower **link = before[level] == NULL ? &layer->heads[table][level] : &before[level]->next[level];
        tower->next[level] = *link;
        *link = tower;
        if (tower->next[level] == NULL) {
            layer->ends[table][level] = tower;
        }
    }
    ASSERT(height >= 1 && height <= TOWER_MAX);
    layer->levels = height > layer->levels ? height : layer->levels;
    layer->count++;
    return OK;
}

static struct tower *find_tower(const struct kv_layer *layer, enum kv_table table, struct bytes key) {
    const struct tower *before = find_before(layer, table, key, false);
    struct tower *at = *level_next(layer, table, before, 0);
    return at != NULL && bytes_equal(kv_entry_key(&at->entry), key) ? at : NULL;
}

static enum err layer_write(struct kv_layer *layer, enum kv_table table, struct bytes key, const uint8_t *value,
                            size_t value_len) {
    ASSERT(!layer->sealed && table < KV_TABLES);
    if (key.len == 0) {
        return ERR_RANGE;
    }
    if (key.len > KV_KEY_MAX || value_len > KV_VALUE_MAX) {
        return ERR_TOOLARGE;
    }
    const uint8_t *kept = value_len > 0 ? arena_take(layer, value_len) : value;
    if (value_len > 0) {
        if (kept == NULL) {
            return ERR_NOMEM;
        }
        memcpy((void *)(uintptr_t)kept, value, value_len);
    }
    struct tower *before[TOWER_MAX];
    struct tower *old = find_place(layer, table, key, before);
    if (old != NULL) {
        old->entry.value = kept;
        old->entry.value_len = (uint32_t)value_len;
        return OK;
    }
    uint8_t *own_key = arena_take(layer, key.len);
    if (own_key == NULL) {
        return ERR_NOMEM;
    }
    memcpy(own_key, key.data, key.len);
    const struct kv_entry entry = {own_key, kept, (uint32_t)key.len, (uint32_t)value_len};
    return insert_tower(layer, table, before, &entry);
}

enum err kv_layer_put(struct kv_layer *layer, enum kv_table table, struct bytes key, struct bytes value) {
    return layer_write(layer, table, key, value.len > 0 ? value.data : empty_value, value.len);
}

enum err kv_layer_delete(struct kv_layer *layer, enum kv_table table, struct bytes key) {
    return layer_write(layer, table, key, NULL, 0);
}

/* ---- Sealing ---------------------------------------------------------------------------------------------------- */

uint64_t kv_key_hash(enum kv_table table, struct bytes key) {
    uint64_t h = ((uint64_t)table + 1) * 0x9e3779b97f4a7c15u ^ key.len;
    size_t at = 0;
    for (; key.len - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, key.data + at, sizeof word);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    if (key.len > at) {
        memcpy(&rest, key.data + at, key.len - at);
    }
    h = (h ^ rest) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 29;
}

/* Three bits of one cache line, from bits of the hash that the choice of the line does not use. */
static uint64_t *filter_line(const struct kv_layer *layer, uint64_t hash) {
    uint64_t block = (hash >> 32) * layer->filter_blocks >> 32;
    ASSERT(block < layer->filter_blocks);
    return layer->filter + block * FILTER_BLOCK_WORDS;
}

bool kv_layer_may_have(const struct kv_layer *layer, uint64_t hash) {
    const uint64_t *line = filter_line(layer, hash);
    uint32_t bits = (uint32_t)hash * 0x9e3779b1u;
    for (int i = 0; i < 3; i++, bits >>= 9) {
        if ((line[bits >> 6 & 7] >> (bits & 63) & 1) == 0) {
            return false;
        }
    }
    return true;
}

static enum err build_filter(struct kv_layer *layer) {
    size_t blocks = layer->count * FILTER_BITS_PER_ENTRY / (FILTER_BLOCK_WORDS * 64) + 1;
    size_t size = blocks * FILTER_BLOCK_WORDS * sizeof *layer->filter;
    layer->filter = aligned_alloc(FILTER_BLOCK_WORDS * sizeof *layer->filter, size);
    if (layer->filter == NULL) {
        return ERR_NOMEM;
    }
    memset(layer->filter, 0, size);
    layer->filter_blocks = blocks;
    layer->bytes += size;
    for (size_t table = 0; table < KV_TABLES; table++) {
        for (size_t i = layer->start[table]; i < layer->start[table + 1]; i++) {
            uint64_t hash = kv_key_hash((enum kv_table)table, kv_entry_key(&layer->entries[i]));
            uint64_t *line = filter_line(layer, hash);
            uint32_t bits = (uint32_t)hash * 0x9e3779b1u;
            for (int k = 0; k < 3; k++, bits >>= 9) {
                line[bits >> 6 & 7] |= (uint64_t)1 << (bits & 63);
            }
        }
    }
    return OK;
}

enum err kv_layer_seal(struct kv_layer *layer) {
    if (layer->sealed) {
        return OK;
    }
    layer->entries = malloc((layer->count + 1) * sizeof *layer->entries);
    if (layer->entries == NULL) {
        return ERR_NOMEM;
    }
    size_t n = 0;
    for (size_t table = 0; table < KV_TABLES; table++) {
        layer->start[table] = n;
        for (const struct tower *at = layer->heads[table][0]; at != NULL; at = at->next[0]) {
            layer->entries[n++] = at->entry;
        }
    }
    layer->start[KV_TABLES] = n;
    ASSERT(n == layer->count); /* every tower was met, once */
    enum err e = build_filter(layer);
    if (e != OK) {
        free(layer->entries);
        layer->entries = NULL;
        return e;
    }
    layer->bytes += n * sizeof *layer->entries;
    layer->sealed = true;
    return OK;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* Index of the first entry of the table with key >= `key`. */
static size_t lower_bound(const struct kv_layer *layer, enum kv_table table, struct bytes key) {
    size_t low = layer->start[table], high = layer->start[table + 1];
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bytes_compare(kv_entry_key(&layer->entries[middle]), key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    ASSERT(low >= layer->start[table] && low <= layer->start[table + 1]);
    return low;
}

static const struct kv_entry *find_entry(const struct kv_layer *layer, enum kv_table table, struct bytes key) {
    if (!layer->sealed) {
        const struct tower *tower = find_tower(layer, table, key);
        return tower == NULL ? NULL : &tower->entry;
    }
    size_t at = lower_bound(layer, table, key);
    bool here = at < layer->start[table + 1] && bytes_equal(kv_entry_key(&layer->entries[at]), key);
    return here ? &layer->entries[at] : NULL;
}

enum kv_found kv_layer_find(const struct kv_layer *layer, enum kv_table table, struct bytes key, uint64_t hash,
                            struct bytes *out) {
    ASSERT(table < KV_TABLES);
    if (layer->filter != NULL && !kv_layer_may_have(layer, hash)) {
        return KV_UNKNOWN;
    }
    const struct kv_entry *entry = find_entry(layer, table, key);
    if (entry == NULL) {
        return KV_UNKNOWN;
    }
    if (entry->value == NULL) {
        ASSERT(entry->value_len == 0);
        return KV_DELETED;
    }
    *out = bytes_of(entry->value, entry->value_len);
    return KV_PRESENT;
}

const struct kv_entry *kv_layer_seek(const struct kv_layer *layer, enum kv_table table, struct bytes from) {
    if (!layer->sealed) {
        const struct tower *at = *level_next(layer, table, find_before(layer, table, from, false), 0);
        return at == NULL ? NULL : &at->entry;
    }
    size_t at = lower_bound(layer, table, from);
    return at < layer->start[table + 1] ? &layer->entries[at] : NULL;
}

const struct kv_entry *kv_layer_seek_back(const struct kv_layer *layer, enum kv_table table, struct bytes from) {
    if (!layer->sealed) {
        const struct tower *at = find_before(layer, table, from, true);
        return at == NULL ? NULL : &at->entry;
    }
    size_t at = lower_bound(layer, table, from);
    if (at < layer->start[table + 1] && bytes_equal(kv_entry_key(&layer->entries[at]), from)) {
        return &layer->entries[at];
    }
    return at > layer->start[table] ? &layer->entries[at - 1] : NULL;
}

enum err kv_layer_each(const struct kv_layer *layer, enum kv_table table,
                       enum err (*each)(void *arg, struct bytes key, struct bytes value), void *arg) {
    enum err e = OK;
    ASSERT(table < KV_TABLES);
    if (!layer->sealed) {
        for (const struct tower *at = layer->heads[table][0]; at != NULL && e == OK; at = at->next[0]) {
            e = each(arg, kv_entry_key(&at->entry), bytes_of(at->entry.value, at->entry.value_len));
        }
        return e;
    }
    for (size_t i = layer->start[table]; i < layer->start[table + 1] && e == OK; i++) {
        const struct kv_entry *entry = &layer->entries[i];
        e = each(arg, kv_entry_key(entry), bytes_of(entry->value, entry->value_len));
    }
    return e;
}

/* ---- Merging ---------------------------------------------------------------------------------------------------- */

/* Sorted entries, table after table. */
struct run {
    struct kv_entry *entries;
    size_t start[KV_TABLES + 1];
};

static struct run run_of(const struct kv_layer *layer) {
    struct run run = {.entries = layer->entries};
    memcpy(run.start, layer->start, sizeof run.start);
    return run;
}

/* Which of the two is to be taken next, as bytes_compare says it; one at its end comes after all. */
static inline int heads_compare(const struct kv_entry *a, const struct kv_entry *a_end, const struct kv_entry *b,
                                const struct kv_entry *b_end) {
    if (a == a_end) {
        return 1;
    }
    if (b == b_end) {
        return -1;
    }
    return bytes_compare(kv_entry_key(a), kv_entry_key(b));
}

/* Merges one table's entries by reference into `out`; gives their number. */
static size_t merge_table(const struct run *older, const struct run *newer, size_t table, bool drop_deleted,
                          struct kv_entry *out) {
    const struct kv_entry *a = older->entries + older->start[table], *a_end = older->entries + older->start[table + 1];
    const struct kv_entry *b = newer->entries + newer->start[table], *b_end = newer->entries + newer->start[table + 1];
    size_t n = 0;
    while (a < a_end || b < b_end) {
        int order = heads_compare(a, a_end, b, b_end);
        const struct kv_entry *winner = order < 0 ? a : b;
        a += order <= 0;
        b += order >= 0;
        if (winner->value != NULL || !drop_deleted) {
            out[n++] = *winner;
        }
    }
    return n;
}

static enum err merge_runs(const struct run *older, const struct run *newer, bool drop_deleted, struct run *out) {
    struct run merged = {.entries =
                             malloc((older->start[KV_TABLES] + newer->start[KV_TABLES] + 1) * sizeof *merged.entries)};
    if (merged.entries == NULL) {
        return ERR_NOMEM;
    }
    size_t count = 0;
    for (size_t table = 0; table < KV_TABLES; table++) {
        merged.start[table] = count;
        count += merge_table(older, newer, table, drop_deleted, merged.entries + count);
    }
    merged.start[KV_TABLES] = count;
    ASSERT(count <= older->start[KV_TABLES] + newer->start[KV_TABLES]); /* as much room as there was made */
    *out = merged;
    return OK;
}

static void take_run(struct kv_layer *layer, const struct run *run) {
    layer->entries = run->entries;
    memcpy(layer->start, run->start, sizeof layer->start);
    layer->count = run->start[KV_TABLES];
}

/* Brings what the entries point to into the layer's own memory. */
static enum err own_entries(struct kv_layer *layer) {
    size_t total = 0;
    for (size_t i = 0; i < layer->count; i++) {
        total += layer->entries[i].key_len + layer->entries[i].value_len;
    }
    if (arena_grow(layer, total) != OK) {
        return ERR_NOMEM;
    }
    uint8_t *at = layer->arena->data;
    for (size_t i = 0; i < layer->count; i++) {
        struct kv_entry *entry = &layer->entries[i];
        memcpy(at, entry->key, entry->key_len);
        entry->key = at;
        at += entry->key_len;
        if (entry->value_len > 0) {
            memcpy(at, entry->value, entry->value_len);
            entry->value = at;
            at += entry->value_len;
        }
    }
    ASSERT(at == layer->arena->data + total); /* as much as was asked for */
    layer->arena->used = total;
    layer->bytes += total + layer->count * sizeof *layer->entries;
    return OK;
}

enum err kv_layer_merge(const struct kv_layer *older, const struct kv_layer *newer, bool drop_deleted,
                        struct kv_layer **out) {
    ASSERT(older->sealed && newer->sealed);
    struct kv_layer *layer;
    enum err e = kv_layer_new(&layer);
    if (e != OK) {
        return e;
    }
    struct run merged, a = run_of(older), b = run_of(newer);
    e = merge_runs(&a, &b, drop_deleted, &merged);
    if (e != OK) {
        goto fail;
    }
    take_run(layer, &merged);
    e = own_entries(layer);
    if (e == OK) {
        e = build_filter(layer);
    }
    if (e != OK) {
        goto fail;
    }
    layer->sealed = true;
    *out = layer;
    return OK;
fail:
    kv_layer_unref(layer);
    return e;
}

/* The entries of several layers in one run of its own; halves first, so that an entry is moved log2(count) times. */
static enum err gather_runs(struct kv_layer *const *layers, size_t count, bool drop_deleted, struct run *out) {
    struct run older, newer;
    ASSERT(count > 0);
    if (count == 1) {
        static const struct run nothing;
        older = run_of(layers[0]);
        return merge_runs(&older, &nothing, drop_deleted, out);
    }
    enum err e = gather_runs(layers, count / 2, drop_deleted, &older);
    if (e != OK) {
        return e;
    }
    e = gather_runs(layers + count / 2, count - count / 2, false, &newer);
    if (e == OK) {
        e = merge_runs(&older, &newer, drop_deleted, out);
        free(newer.entries);
    }
    free(older.entries);
    return e;
}

enum err kv_layer_gather(struct kv_layer *const *layers, size_t count, bool drop_deleted, struct kv_layer **out) {
    ASSERT(count > 0);
    struct kv_layer *layer;
    struct run run;
    enum err e = kv_layer_new(&layer);
    if (e != OK) {
        return e;
    }
    layer->parts = malloc(count * sizeof(struct kv_layer *));
    e = layer->parts == NULL ? ERR_NOMEM : gather_runs(layers, count, drop_deleted, &run);
    if (e != OK) {
        kv_layer_unref(layer);
        return e;
    }
    take_run(layer, &run);
    for (size_t i = 0; i < count; i++) {
        ASSERT(layers[i]->sealed);
        layer->parts[layer->part_count++] = kv_layer_ref(layers[i]);
    }
    layer->bytes += layer->count * sizeof *layer->entries;
    layer->sealed = true;
    *out = layer;
    return OK;
}
