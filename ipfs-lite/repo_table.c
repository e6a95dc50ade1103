#include "ipfs-lite/repo_table.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <stdlib.h>
#include <string.h>

struct repo_table_entry {
    struct repo_table_entry *next;
    struct repo_index *image;
    uint32_t number; /* leaves first, then nodes */
};

void repo_table_init(struct repo_table *table) {
    *table = (struct repo_table){0};
    random_fill(&table->seed, sizeof table->seed);
    table->seed |= 1;
}

static void free_image(struct repo_index *image) {
    repo_index_free(image);
    free(image);
}

void repo_table_close(struct repo_table *table) {
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct repo_table_entry *entry = table->buckets[i];
        while (entry != NULL) {
            struct repo_table_entry *next = entry->next;
            free(entry);
            entry = next;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        free_image(table->images[i]);
    }
    free(table->buckets);
    free(table->images);
}

static const uint8_t *digest_of(const struct repo_index *image, size_t number) {
    size_t leaves = repo_index_leaf_count(image);
    return number < leaves ? repo_index_leaf(image, number) : repo_index_node(image, number - leaves)->digest;
}

static size_t bucket_of(const struct repo_table *table, const uint8_t *digest) {
    ASSERT((table->bucket_count & (table->bucket_count - 1)) == 0 &&
           table->bucket_count > 0); /* the mask is all ones */
    uint64_t h = (load_u64(digest) ^ table->seed) * (load_u64(digest + 8) | 1);
    h = (h ^ h >> 29) * table->seed;
    return (size_t)(h >> 32) & (table->bucket_count - 1);
}

static enum err grow(struct repo_table *table, size_t wanted) {
    size_t count = table->bucket_count == 0 ? 256 : table->bucket_count;
    while (count < wanted) {
        count *= 2;
    }
    if (count == table->bucket_count) {
        return OK;
    }
    struct repo_table_entry **fresh = calloc(count, sizeof(struct repo_table_entry *));
    if (fresh == NULL) {
        return ERR_NOMEM;
    }
    struct repo_table_entry **old = table->buckets;
    size_t old_count = table->bucket_count;
    table->buckets = fresh;
    table->bucket_count = count;
    for (size_t i = 0; i < old_count; i++) {
        struct repo_table_entry *entry = old[i];
        while (entry != NULL) {
            struct repo_table_entry *next = entry->next;
            struct repo_table_entry **bucket = &fresh[bucket_of(table, digest_of(entry->image, entry->number))];
            entry->next = *bucket;
            *bucket = entry;
            entry = next;
        }
    }
    free(old);
    return OK;
}

size_t repo_table_place(const struct repo_table *table, const uint8_t digest[SHA256_LEN]) {
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(table->images[middle]->root.digest, digest, SHA256_LEN) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct repo_index *repo_table_image(const struct repo_table *table, const struct cid *root) {
    size_t at = repo_table_place(table, root->digest);
    return at < table->count && cid_equal(&table->images[at]->root, root) ? table->images[at] : NULL;
}

static void drop_blocks(struct repo_table *table, const struct repo_index *image) {
    size_t total = repo_index_leaf_count(image) + repo_index_node_count(image);
    for (size_t i = 0; i < total && table->bucket_count > 0; i++) {
        struct repo_table_entry **link = &table->buckets[bucket_of(table, digest_of(image, i))];
        while (*link != NULL) {
            struct repo_table_entry *entry = *link;
            if (entry->image == image && entry->number == i) {
                *link = entry->next;
                free(entry);
                ASSERT(table->entries > 0);
                table->entries--;
                break;
            }
            link = &entry->next;
        }
    }
}

/* One entry is enough for the equal blocks of one image: a firmware's padding would make long chains otherwise. */
static enum err add_block(struct repo_table *table, struct repo_index *image, size_t number) {
    const uint8_t *digest = digest_of(image, number);
    struct repo_table_entry **bucket = &table->buckets[bucket_of(table, digest)];
    for (const struct repo_table_entry *e = *bucket; e != NULL; e = e->next) {
        if (e->image == image && memcmp(digest_of(image, e->number), digest, SHA256_LEN) == 0) {
            return OK;
        }
    }
    struct repo_table_entry *entry = malloc(sizeof *entry);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    *entry = (struct repo_table_entry){*bucket, image, (uint32_t)number};
    *bucket = entry;
    table->entries++;
    return OK;
}

enum err repo_table_add(struct repo_table *table, struct repo_index *image) {
    size_t total = repo_index_leaf_count(image) + repo_index_node_count(image);
    enum err e = grow(table, table->entries + total);
    if (e != OK) {
        return e;
    }
    if (table->count == table->cap) {
        size_t cap = table->cap == 0 ? 64 : table->cap * 2;
        struct repo_index **grown = realloc(table->images, cap * sizeof(struct repo_index *));
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        table->images = grown;
        table->cap = cap;
    }
    for (size_t i = 0; e == OK && i < total; i++) {
        e = add_block(table, image, i);
    }
    if (e != OK) {
        drop_blocks(table, image);
        return e;
    }
    size_t at = repo_table_place(table, image->root.digest);
    ASSERT(repo_table_image(table, &image->root) == NULL && table->count < table->cap);
    memmove(&table->images[at + 1], &table->images[at], (table->count - at) * sizeof(struct repo_index *));
    table->images[at] = image;
    table->count++;
    return OK;
}

struct repo_index *repo_table_take(struct repo_table *table, const struct cid *root) {
    struct repo_index *image = repo_table_image(table, root);
    if (image == NULL) {
        return NULL;
    }
    drop_blocks(table, image);
    size_t at = repo_table_place(table, root->digest);
    table->count--;
    memmove(&table->images[at], &table->images[at + 1], (table->count - at) * sizeof(struct repo_index *));
    return image;
}

bool repo_table_find(const struct repo_table *table, const struct cid *cid, struct repo_index **out_image,
                     bool *out_is_leaf, size_t *out_number) {
    if (table->bucket_count == 0) {
        return false;
    }
    for (const struct repo_table_entry *e = table->buckets[bucket_of(table, cid->digest)]; e != NULL; e = e->next) {
        size_t leaves = repo_index_leaf_count(e->image);
        bool is_leaf = e->number < leaves;
        if (is_leaf == (cid->codec == CID_RAW) &&
            memcmp(digest_of(e->image, e->number), cid->digest, SHA256_LEN) == 0) {
            *out_image = e->image;
            *out_is_leaf = is_leaf;
            *out_number = is_leaf ? e->number : e->number - leaves;
            return true;
        }
    }
    return false;
}
