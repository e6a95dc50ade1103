#include "node/http/ratelimit.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct bucket {
    uint8_t key[RATELIMIT_KEY_MAX];
    uint64_t touched_ms; /* 0: never used */
    uint64_t millitokens;
};

struct ratelimit {
    pthread_mutex_t lock;
    uint64_t per_second;
    uint64_t seed; /* so that a stranger can't choose addresses that share slots */
    struct bucket buckets[RATELIMIT_SLOTS];
};

enum err ratelimit_new(uint32_t per_second, struct ratelimit **out) {
    struct ratelimit *limit = calloc(1, sizeof *limit);
    if (limit == NULL) {
        return ERR_NOMEM;
    }
    (void)pthread_mutex_init(&limit->lock, NULL);
    limit->per_second = per_second;
    random_fill(&limit->seed, sizeof limit->seed);
    *out = limit;
    return OK;
}

void ratelimit_free(struct ratelimit *limit) {
    if (limit != NULL) {
        (void)pthread_mutex_destroy(&limit->lock);
        free(limit);
    }
}

/* FNV-1a with a secret start. */
static size_t first_slot(const struct ratelimit *limit, const uint8_t key[RATELIMIT_KEY_MAX]) {
    uint64_t h = limit->seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < RATELIMIT_KEY_MAX; i++) {
        h = (h ^ key[i]) * 0x100000001b3u;
    }
    return (size_t)((h >> 32) % (RATELIMIT_SLOTS / RATELIMIT_WAYS)) * RATELIMIT_WAYS;
}

static struct bucket *find_bucket(struct ratelimit *limit, const uint8_t key[RATELIMIT_KEY_MAX], uint64_t now_ms) {
    struct bucket *set = limit->buckets + first_slot(limit, key);
    struct bucket *oldest = set;
    for (size_t i = 0; i < RATELIMIT_WAYS; i++) {
        if (set[i].touched_ms != 0 && memcmp(set[i].key, key, RATELIMIT_KEY_MAX) == 0) {
            return &set[i];
        }
        if (set[i].touched_ms < oldest->touched_ms) {
            oldest = &set[i];
        }
    }
    memcpy(oldest->key, key, RATELIMIT_KEY_MAX);
    oldest->touched_ms = now_ms;
    oldest->millitokens = limit->per_second * 2000;
    return oldest;
}

bool ratelimit_take(struct ratelimit *limit, const void *key, size_t len, uint64_t now_ms) {
    uint8_t padded[RATELIMIT_KEY_MAX] = {0};
    ASSERT(len <= sizeof padded);
    memcpy(padded, key, len);
    now_ms = now_ms == 0 ? 1 : now_ms;
    (void)pthread_mutex_lock(&limit->lock);
    struct bucket *b = find_bucket(limit, padded, now_ms);
    uint64_t elapsed_ms = now_ms > b->touched_ms ? now_ms - b->touched_ms : 0;
    uint64_t most = limit->per_second * 2000;
    uint64_t flowed = elapsed_ms > 2000 ? most : elapsed_ms * limit->per_second;
    b->millitokens = b->millitokens + flowed < most ? b->millitokens + flowed : most;
    b->touched_ms = now_ms;
    bool given = b->millitokens >= 1000;
    b->millitokens -= given ? 1000 : 0;
    (void)pthread_mutex_unlock(&limit->lock);
    return given;
}
