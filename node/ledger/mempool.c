#include "node/ledger/mempool_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

size_t mempool_bucket(const struct mempool *pool, const uint8_t key[32]) {
    uint64_t h = pool->secret;
    for (size_t i = 0; i < 32; i += 8) {
        h = (h ^ load_u64(key + i)) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return (size_t)(h & (pool->buckets - 1));
}

enum err mempool_new(const struct mempool_config *config, struct mempool **out) {
    ASSERT(config->max_count > 0 && config->max_per_sender > 0); /* one that takes nothing is a mistake */
    struct mempool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return ERR_NOMEM;
    }
    pool->config = *config;
    if (config->max_bytes_per_sender == 0 || config->max_bytes_per_sender > config->max_bytes) {
        pool->config.max_bytes_per_sender = config->max_bytes;
    }
    pool->buckets = 64;
    while (pool->buckets < config->max_count) {
        pool->buckets *= 2;
    }
    random_fill(&pool->secret, sizeof pool->secret);
    pool->by_id = calloc(pool->buckets, sizeof(struct mempool_entry *));
    pool->by_sender = calloc(pool->buckets, sizeof(struct mempool_sender *));
    if (pool->by_id == NULL || pool->by_sender == NULL) {
        mempool_free(pool);
        return ERR_NOMEM;
    }
    *out = pool;
    return OK;
}

void mempool_free(struct mempool *pool) {
    if (pool == NULL) {
        return;
    }
    while (pool->oldest != NULL) {
        mempool_remove(pool, pool->oldest->tx.id);
    }
    free(pool->by_id);
    free(pool->by_sender);
    free(pool);
}

static struct mempool_entry *find(const struct mempool *pool, const uint8_t id[HASH_LEN]) {
    struct mempool_entry *e = pool->by_id[mempool_bucket(pool, id)];
    while (e != NULL && memcmp(e->tx.id, id, HASH_LEN) != 0) {
        e = e->next_in_bucket;
    }
    return e;
}

static struct mempool_sender **sender_slot(struct mempool *pool, const uint8_t key[ED25519_KEY_LEN]) {
    struct mempool_sender **slot = &pool->by_sender[mempool_bucket(pool, key)];
    while (*slot != NULL && memcmp((*slot)->key, key, ED25519_KEY_LEN) != 0) {
        slot = &(*slot)->next_in_bucket;
    }
    return slot;
}

/* Has the sender (NULL: nothing of it waits) as much waiting as one may have? */
static bool share_is_used(const struct mempool *pool, const struct mempool_sender *sender, size_t more) {
    size_t count = sender != NULL ? sender->count : 0, bytes = sender != NULL ? sender->bytes : 0;
    return count >= pool->config.max_per_sender || more > pool->config.max_bytes_per_sender - bytes;
}

static enum err sender_count_up(struct mempool *pool, const struct transaction *tx) {
    const uint8_t *key = tx->signers[0];
    struct mempool_sender **slot = sender_slot(pool, key);
    if (share_is_used(pool, *slot, tx->envelope.len)) {
        return ERR_DENIED;
    }
    if (*slot == NULL) {
        struct mempool_sender *fresh = calloc(1, sizeof *fresh);
        if (fresh == NULL) {
            return ERR_NOMEM;
        }
        memcpy(fresh->key, key, ED25519_KEY_LEN);
        *slot = fresh;
    }
    (*slot)->count++;
    (*slot)->bytes += tx->envelope.len;
    return OK;
}

static void sender_count_down(struct mempool *pool, const struct transaction *tx) {
    struct mempool_sender **slot = sender_slot(pool, tx->signers[0]);
    ASSERT(*slot != NULL && (*slot)->count > 0 && (*slot)->bytes >= tx->envelope.len);
    (*slot)->bytes -= tx->envelope.len;
    if (--(*slot)->count == 0) {
        struct mempool_sender *gone = *slot;
        *slot = gone->next_in_bucket;
        free(gone);
    }
}

enum err mempool_add(struct mempool *pool, const struct transaction *tx) {
    ASSERT(pool->bytes <= pool->config.max_bytes); /* or what is left would be without end */
    if (find(pool, tx->id) != NULL) {
        return ERR_DUPLICATE;
    }
    if (pool->count >= pool->config.max_count || tx->envelope.len > pool->config.max_bytes - pool->bytes) {
        return ERR_FULL;
    }
    struct mempool_entry *entry = malloc(sizeof *entry + tx->envelope.len);
    if (entry == NULL) {
        return ERR_NOMEM;
    }
    memcpy(entry->bytes, tx->envelope.data, tx->envelope.len);
    enum err e = transaction_decode(bytes_of(entry->bytes, tx->envelope.len), &entry->tx, NULL);
    ASSERT(e == OK);
    e = sender_count_up(pool, tx);
    if (e != OK) {
        free(entry);
        return e;
    }
    struct mempool_entry **bucket = &pool->by_id[mempool_bucket(pool, entry->tx.id)];
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    entry->since_us = stage_times_now_us(pool->times);
    entry->in_block = false;
    entry->newer = NULL;
    entry->older = pool->newest;
    *(pool->newest != NULL ? &pool->newest->newer : &pool->oldest) = entry;
    pool->newest = entry;
    pool->count++;
    pool->bytes += entry->tx.envelope.len;
    ASSERT(pool->count <= pool->config.max_count && pool->bytes <= pool->config.max_bytes);
    return OK;
}

bool mempool_vouches(const struct mempool *pool, const struct transaction *tx) {
    const struct mempool_entry *entry = find(pool, tx->id);
    return entry != NULL && bytes_equal(entry->tx.envelope, tx->envelope);
}

static void first_seen_in_block(struct mempool *pool, struct mempool_entry *entry) {
    if (!entry->in_block) {
        entry->in_block = true;
        stage_times_since(pool->times, STAGE_WAITING, entry->since_us);
    }
}

bool mempool_proves(struct mempool *pool, const struct transaction *tx) {
    struct mempool_entry *entry = find(pool, tx->id);
    if (entry != NULL && bytes_equal(entry->tx.envelope, tx->envelope)) {
        first_seen_in_block(pool, entry);
        pool->stats.vouched++;
        return true;
    }
    if (pool->also != NULL && pool->also(pool->also_ctx, tx)) {
        pool->stats.vouched++;
        return true;
    }
    pool->stats.checked++;
    if (transaction_check_signatures(tx) != OK) {
        return false;
    }
    enum err e = entry == NULL ? mempool_add(pool, tx) : OK;
    (void)e; /* no room for it: then it may be checked once more */
    return true;
}

void mempool_ask_also(struct mempool *pool, bool (*vouches)(void *ctx, const struct transaction *tx), void *ctx) {
    pool->also = vouches;
    pool->also_ctx = ctx;
}

void mempool_time(struct mempool *pool, struct stage_times *times) {
    ASSERT(pool->oldest == NULL); /* an arrival without a time would have waited since the machine's start */
    pool->times = times;
}

struct mempool_stats mempool_stats(const struct mempool *pool) {
    return pool->stats;
}

void mempool_remove(struct mempool *pool, const uint8_t id[HASH_LEN]) {
    struct mempool_entry **slot = &pool->by_id[mempool_bucket(pool, id)];
    while (*slot != NULL && memcmp((*slot)->tx.id, id, HASH_LEN) != 0) {
        slot = &(*slot)->next_in_bucket;
    }
    struct mempool_entry *gone = *slot;
    if (gone == NULL) {
        return;
    }
    *slot = gone->next_in_bucket;
    *(gone->older != NULL ? &gone->older->newer : &pool->oldest) = gone->newer;
    *(gone->newer != NULL ? &gone->newer->older : &pool->newest) = gone->older;
    ASSERT(pool->count > 0 && gone->tx.envelope.len <= pool->bytes);
    sender_count_down(pool, &gone->tx);
    pool->count--;
    pool->bytes -= gone->tx.envelope.len;
    free(gone);
}

size_t mempool_expire(struct mempool *pool, uint64_t time_ms) {
    size_t dropped = 0;
    for (struct mempool_entry *entry = pool->oldest; entry != NULL;) {
        struct mempool_entry *newer = entry->newer;
        if (entry->tx.expiry_ms <= time_ms) {
            mempool_remove(pool, entry->tx.id);
            dropped++;
        }
        entry = newer;
    }
    return dropped;
}

size_t mempool_drop_beyond(struct mempool *pool, uint64_t latest_ms,
                           void (*gone)(void *ctx, const uint8_t id[HASH_LEN]), void *ctx) {
    size_t dropped = 0;
    for (struct mempool_entry *entry = pool->oldest; entry != NULL;) {
        struct mempool_entry *newer = entry->newer;
        if (entry->tx.expiry_ms > latest_ms) {
            uint8_t id[HASH_LEN];
            memcpy(id, entry->tx.id, HASH_LEN);
            mempool_remove(pool, id);
            if (gone != NULL) {
                gone(ctx, id);
            }
            dropped++;
        }
        entry = newer;
    }
    return dropped;
}

size_t mempool_count(const struct mempool *pool) {
    return pool->count;
}

size_t mempool_bytes(const struct mempool *pool) {
    return pool->bytes;
}

void mempool_each(const struct mempool *pool, bool (*each)(void *arg, const struct transaction *tx), void *arg) {
    for (const struct mempool_entry *entry = pool->oldest; entry != NULL; entry = entry->newer) {
        if (!each(arg, &entry->tx)) {
            return;
        }
    }
}
