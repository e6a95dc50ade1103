#include "node/gateway/statement_queue.h"

#include "store/seglog.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_SAID 1
#define RECORD_DONE 2
#define DISCARD_EVERY 256u /* records between looks at what can be given back */

struct statement_queue {
    pthread_mutex_t lock;
    struct seglog *log;
    struct statement_item **items; /* by sequence */
    size_t count;
    size_t capacity;
    uint32_t since_discard;
};

static enum err item_of(struct bytes body, uint64_t sequence, struct statement_item **out) {
    struct statement_item *item = calloc(1, sizeof *item);
    if (item == NULL) {
        return ERR_NOMEM;
    }
    if (body.len != STATEMENT_TX_BODY_LEN ||
        statement_decode(bytes_of(body.data, STATEMENT_LEN), &item->statement) != GOOD) {
        free(item);
        return ERR_MALFORMED;
    }
    item->sequence = sequence;
    memcpy(item->body, body.data, body.len);
    sha256(item->body, STATEMENT_LEN, item->hash);
    *out = item;
    return OK;
}

static enum err make_room(struct statement_queue *queue) {
    if (queue->count < queue->capacity) {
        return OK;
    }
    size_t capacity = queue->capacity == 0 ? 64 : 2 * queue->capacity;
    struct statement_item **items = realloc(queue->items, capacity * sizeof(struct statement_item *));
    if (items == NULL) {
        return ERR_NOMEM;
    }
    queue->items = items;
    queue->capacity = capacity;
    return OK;
}

static void forget(struct statement_queue *queue, uint64_t sequence) {
    for (size_t i = 0; i < queue->count; i++) {
        if (queue->items[i]->sequence == sequence) {
            free(queue->items[i]);
            queue->count--;
            memmove(queue->items + i, queue->items + i + 1, (queue->count - i) * sizeof(struct statement_item *));
            return;
        }
    }
}

static enum err replay(void *arg, uint64_t sequence, uint8_t type, struct bytes record) {
    struct statement_queue *queue = arg;
    if (type == RECORD_DONE && record.len == 8) {
        forget(queue, load_u64(record.data));
        return OK;
    }
    struct statement_item *item = NULL;
    enum err e = type == RECORD_SAID ? item_of(record, sequence, &item) : ERR_CORRUPT;
    e = e == ERR_MALFORMED ? ERR_CORRUPT : e;
    if (e == OK) {
        e = make_room(queue);
    }
    if (e != OK) {
        free(item);
        return e;
    }
    queue->items[queue->count++] = item;
    return OK;
}

enum err statement_queue_open(const struct statement_queue_config *config, struct statement_queue **out) {
    struct statement_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) {
        return ERR_NOMEM;
    }
    (void)pthread_mutex_init(&queue->lock, NULL);
    const struct seglog_config log = {
        .disk = config->disk, .dir = config->dir, .stem = "statements", .segment_bytes = config->segment_bytes};
    enum err e = seglog_open(&log, replay, queue, &queue->log);
    if (e != OK) {
        statement_queue_close(queue);
        return e;
    }
    *out = queue;
    return OK;
}

void statement_queue_close(struct statement_queue *queue) {
    if (queue == NULL) {
        return;
    }
    if (queue->log != NULL) {
        seglog_close(queue->log);
    }
    for (size_t i = 0; i < queue->count; i++) {
        free(queue->items[i]);
    }
    free(queue->items);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* ---- In ---------------------------------------------------------------------------------------------------------- */

/* OK: there is room and it doesn't wait yet. */
static enum err judge_new(const struct statement_queue *queue, const struct statement_item *item) {
    size_t of_device = 0;
    for (size_t i = 0; i < queue->count; i++) {
        const struct statement_item *other = queue->items[i];
        if (memcmp(other->statement.device_id, item->statement.device_id, KEY_LEN) == 0) {
            if (memcmp(other->hash, item->hash, HASH_LEN) == 0) {
                return ERR_DUPLICATE;
            }
            of_device++;
        }
    }
    return queue->count >= STATEMENT_QUEUE_MAX || of_device >= STATEMENT_QUEUE_PER_DEVICE ? ERR_FULL : OK;
}

enum err statement_queue_put(struct statement_queue *queue, const uint8_t body[STATEMENT_TX_BODY_LEN]) {
    struct statement_item *item = NULL;
    enum err e = item_of(bytes_of(body, STATEMENT_TX_BODY_LEN), 0, &item);
    if (e != OK) {
        return e;
    }
    (void)pthread_mutex_lock(&queue->lock);
    e = judge_new(queue, item);
    if (e == OK) {
        e = make_room(queue);
    }
    if (e == OK) {
        e = seglog_append(queue->log, RECORD_SAID, bytes_of(item->body, sizeof item->body), &item->sequence);
    }
    if (e == OK) {
        e = seglog_sync(queue->log);
    }
    if (e == OK) {
        queue->items[queue->count++] = item;
        item = NULL;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    free(item);
    return e;
}

size_t statement_queue_count(struct statement_queue *queue) {
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}

/* ---- Out ------------------------------------------------------------------------------------------------- */

size_t statement_queue_head(struct statement_queue *queue, struct statement_item *out, size_t max) {
    size_t taken = 0;
    (void)pthread_mutex_lock(&queue->lock);
    for (size_t i = 0; i < queue->count && taken < max; i++) {
        bool waits = false; /* behind an older one of its device */
        for (size_t k = 0; k < taken && !waits; k++) {
            waits = memcmp(out[k].statement.device_id, queue->items[i]->statement.device_id, KEY_LEN) == 0;
        }
        if (!waits) {
            out[taken++] = *queue->items[i];
        }
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return taken;
}

/* Gives back what lies before the oldest statement that waits. */
static enum err discard(struct statement_queue *queue) {
    if (++queue->since_discard < DISCARD_EVERY) {
        return OK;
    }
    queue->since_discard = 0;
    uint64_t oldest = queue->count > 0 ? queue->items[0]->sequence : seglog_last(queue->log) + 1;
    return seglog_discard_below(queue->log, oldest);
}

enum err statement_queue_done(struct statement_queue *queue, uint64_t sequence) {
    uint8_t record[8];
    uint64_t own;
    store_u64(record, sequence);
    (void)pthread_mutex_lock(&queue->lock);
    forget(queue, sequence);
    enum err e = seglog_append(queue->log, RECORD_DONE, bytes_of(record, sizeof record), &own);
    if (e == OK) {
        e = discard(queue);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return e;
}
