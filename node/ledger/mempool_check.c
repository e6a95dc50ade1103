/* The mempool's invariants. What it says of itself (counts, bytes, shares) is counted anew from the list of entries, and
 * the tables hold what the list does: no entry twice, none that has gone. */
#include "node/ledger/mempool_internal.h"

#include <string.h>

/* ---- The list ---------------------------------------------------------------------------------------------------- */

static bool check_entry(const struct mempool *pool, const struct mempool_entry *entry, size_t place, struct why *why) {
    if (entry->tx.envelope.data != entry->bytes) {
        return why_not(why, "entry %zu's transaction does not lie in its own bytes", place);
    }
    if (entry->tx.signer_count == 0) {
        return why_not(why, "entry %zu has no signer whose share it could count to", place);
    }
    size_t here = 0;
    for (const struct mempool_entry *e = pool->by_id[mempool_bucket(pool, entry->tx.id)]; e != NULL;
         e = e->next_in_bucket) {
        here += memcmp(e->tx.id, entry->tx.id, HASH_LEN) == 0;
    }
    if (here != 1) {
        return why_not(why, "the id of entry %zu is %zu times in the table of ids", place, here);
    }
    return true;
}

/* In order of arrival, linked both ways, within the limits, and as many as the pool says. */
static bool check_list(const struct mempool *pool, struct why *why) {
    size_t count = 0, bytes = 0;
    const struct mempool_entry *older = NULL;
    for (const struct mempool_entry *entry = pool->oldest; entry != NULL; older = entry, entry = entry->newer) {
        if (count == pool->count) {
            return why_not(why, "the list goes on behind its %zu entries", count);
        }
        if (entry->older != older) {
            return why_not(why, "entry %zu is not linked to the one before it", count);
        }
        if (older != NULL && entry->since_us < older->since_us) {
            return why_not(why, "entry %zu arrived %llu us before the one that is older", count,
                           (unsigned long long)(older->since_us - entry->since_us));
        }
        if (!check_entry(pool, entry, count, why)) {
            return false;
        }
        count++;
        bytes += entry->tx.envelope.len;
    }
    if (pool->newest != older) {
        return why_not(why, "the list of %zu entries does not end with the newest", count);
    }
    if (count != pool->count || count > pool->config.max_count) {
        return why_not(why, "%zu entries are listed, %zu counted, %zu allowed", count, pool->count,
                       pool->config.max_count);
    }
    if (bytes != pool->bytes || bytes > pool->config.max_bytes) {
        return why_not(why, "%zu bytes are held, %zu counted, %zu allowed", bytes, pool->bytes, pool->config.max_bytes);
    }
    return true;
}

/* ---- The tables -------------------------------------------------------------------------------------------------- */

/* Every entry of the list is in the table once (check_entry): as many in the table are the same ones. */
static bool check_ids(const struct mempool *pool, struct why *why) {
    size_t count = 0;
    for (size_t bucket = 0; bucket < pool->buckets; bucket++) {
        for (const struct mempool_entry *e = pool->by_id[bucket]; e != NULL && count <= pool->count;
             e = e->next_in_bucket) {
            count++;
        }
    }
    return count == pool->count ||
           why_not(why, "the table of ids holds %zu entries and the list %zu", count, pool->count);
}

static size_t waiting_of(const struct mempool *pool, const uint8_t key[ED25519_KEY_LEN], size_t *out_bytes) {
    size_t count = 0;
    *out_bytes = 0;
    for (const struct mempool_entry *entry = pool->oldest; entry != NULL; entry = entry->newer) {
        bool is_of_key = memcmp(entry->tx.signers[0], key, ED25519_KEY_LEN) == 0;
        count += is_of_key ? 1 : 0;
        *out_bytes += is_of_key ? entry->tx.envelope.len : 0;
    }
    return count;
}

static bool check_senders(const struct mempool *pool, struct why *why) {
    size_t sum = 0;
    for (size_t bucket = 0; bucket < pool->buckets; bucket++) {
        for (const struct mempool_sender *s = pool->by_sender[bucket]; s != NULL; s = s->next_in_bucket) {
            size_t bytes, waiting = waiting_of(pool, s->key, &bytes);
            if (mempool_bucket(pool, s->key) != bucket) {
                return why_not(why, "a sender stands in bucket %zu, where nobody looks for it", bucket);
            }
            if (s->count == 0) {
                return why_not(why, "a sender of whom nothing waits keeps its place in bucket %zu", bucket);
            }
            if (s->count != waiting || s->count > pool->config.max_per_sender) {
                return why_not(why, "of a sender %zu transactions wait, %zu are counted, %zu allowed", waiting,
                               s->count, pool->config.max_per_sender);
            }
            if (s->bytes != bytes || bytes > pool->config.max_bytes_per_sender) {
                return why_not(why, "of a sender %zu bytes wait, %zu are counted, %zu allowed", bytes, s->bytes,
                               pool->config.max_bytes_per_sender);
            }
            sum += waiting;
        }
    }
    return sum == pool->count || why_not(why, "senders' shares make %zu, and %zu wait", sum, pool->count);
}

bool mempool_check(const struct mempool *pool, struct why *out_why) {
    return check_list(pool, out_why) && check_ids(pool, out_why) && check_senders(pool, out_why);
}
