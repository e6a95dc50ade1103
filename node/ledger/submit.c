#include "node/ledger/submit.h"

#include "base/assert.h"
#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WAITER_BUCKETS 1024
#define SWEEP_MS 100

/* One post, from the HTTP thread's hand to its answer. */
struct post {
    struct post *next; /* in the queue, or in a bucket of waiters */
    enum submit_wait wait;
    uint64_t posted_us; /* mono; 0 when nobody times it */
    uint64_t since_ms, deadline_ms;
    submit_done done;
    void *arg;
    uint8_t tx_id[HASH_LEN];
    size_t len;
    uint8_t envelope[];
};

struct submit {
    struct submit_config config;
    uv_async_t wake;
    uv_timer_t sweep;
    int handles_open;
    bool closing;

    pthread_mutex_t lock; /* guards the queue */
    struct post *first, *last;
    size_t queued;

    struct post *waiters[WAITER_BUCKETS]; /* ledger thread only */
    size_t waiting;
    uint64_t accepted, refused, timed_out;
    uint64_t oldest_ms;
    atomic_bool full;
};

static size_t bucket_of(const uint8_t id[HASH_LEN]) {
    return load_u32(id) % WAITER_BUCKETS;
}

static void answer(struct post *post, enum err error, uint64_t height, const struct receipt *receipt) {
    struct submit_outcome outcome = {.error = error, .height = height};
    memcpy(outcome.tx_id, post->tx_id, HASH_LEN);
    if (receipt != NULL) {
        outcome.receipt = *receipt;
    }
    post->done(post->arg, &outcome);
    free(post);
}

/* Looks a transaction up among the final ones; `*view` must be closed by the caller when this says true. */
static bool find_final(struct submit *s, const uint8_t id[HASH_LEN], struct chain_view *view, uint64_t *out_height,
                       struct receipt *out) {
    if (chain_view_open(s->config.chain, view) != OK) {
        return false;
    }
    struct bytes value, receipt;
    uint32_t index;
    if (kv_get(view->kv, KV_TXS, bytes_of(id, HASH_LEN), &value) == OK &&
        tx_entry_decode(value, out_height, &index, &receipt) == OK && receipt_decode(receipt, out) == OK) {
        return true;
    }
    chain_view_close(view);
    return false;
}

/* Waiting clients are answered in the order of blocks: how long the oldest has waited is what a new one may expect. */
static void look_whether_full(struct submit *s) {
    bool slow = s->oldest_ms >= SUBMIT_PATIENCE_MS && s->waiting >= SUBMIT_ALWAYS;
    atomic_store_explicit(&s->full, slow || s->waiting >= s->config.max_waiting, memory_order_relaxed);
}

bool submit_is_full(struct submit *s) {
    return atomic_load_explicit(&s->full, memory_order_relaxed);
}

/* The mempool has the envelope now: who waits keeps only the id. */
static void keep_waiting(struct submit *s, struct post *post) {
    ASSERT(post->wait == SUBMIT_FINALIZED); /* the others have their answer */
    struct post *small = realloc(post, sizeof *post);
    post = small != NULL ? small : post;
    post->len = 0;
    struct post **bucket = &s->waiters[bucket_of(post->tx_id)];
    post->next = *bucket;
    *bucket = post;
    s->waiting++;
    look_whether_full(s);
}

static void admit(struct submit *s, struct post *post) {
    struct transaction tx;
    stage_times_since(s->config.times, STAGE_SUBMIT, post->posted_us);
    enum err e = transaction_decode(bytes_of(post->envelope, post->len), &tx, NULL);
    ASSERT(e == OK); /* decoded once already, by the thread that posted it */
    struct chain_view view;
    uint64_t height;
    struct receipt receipt;
    if (find_final(s, tx.id, &view, &height, &receipt)) {
        s->refused++;
        answer(post, ERR_EXISTS, height, &receipt);
        chain_view_close(&view);
        return;
    }
    if (post->wait == SUBMIT_FINALIZED && submit_is_full(s)) {
        s->refused++;
        answer(post, ERR_FULL, 0, NULL);
        return;
    }
    e = s->config.admit(s->config.ctx, &tx);
    if (e != OK && e != ERR_DUPLICATE) {
        s->refused++;
        answer(post, e, 0, NULL);
        return;
    }
    s->accepted += e == OK;
    if (post->wait == SUBMIT_ACCEPTED) {
        answer(post, OK, 0, NULL);
    } else {
        keep_waiting(s, post);
    }
}

static struct post *take_queue(struct submit *s) {
    (void)pthread_mutex_lock(&s->lock);
    struct post *first = s->first;
    ASSERT((first == NULL) == (s->queued == 0));
    s->first = NULL;
    s->last = NULL;
    s->queued = 0;
    (void)pthread_mutex_unlock(&s->lock);
    return first;
}

static void on_wake(uv_async_t *handle) {
    struct submit *s = handle->data;
    struct post *post = take_queue(s);
    while (post != NULL) {
        struct post *next = post->next;
        admit(s, post);
        post = next;
    }
}

/* Answers every waiter whose time is up. */
static void sweep_waiters(struct submit *s, uint64_t now_ms, enum err error) {
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < WAITER_BUCKETS && s->waiting > 0; i++) {
        struct post **slot = &s->waiters[i];
        while (*slot != NULL) {
            struct post *post = *slot;
            if (post->deadline_ms > now_ms) {
                oldest = post->since_ms < oldest ? post->since_ms : oldest;
                slot = &post->next;
                continue;
            }
            *slot = post->next;
            ASSERT(s->waiting > 0);
            s->waiting--;
            s->timed_out++;
            answer(post, error, 0, NULL);
        }
    }
    s->oldest_ms = oldest < now_ms ? now_ms - oldest : 0;
    look_whether_full(s);
}

static void on_sweep(uv_timer_t *handle) {
    struct submit *s = handle->data;
    sweep_waiters(s, clock_mono_ms(), ERR_TIMEOUT);
}

enum err submit_new(const struct submit_config *config, struct submit **out) {
    ASSERT(config->admit != NULL && config->max_queued > 0);
    struct submit *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ERR_NOMEM;
    }
    s->config = *config;
    (void)pthread_mutex_init(&s->lock, NULL);
    if (uv_async_init(config->loop, &s->wake, on_wake) != 0) {
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
        return ERR_IO;
    }
    (void)uv_timer_init(config->loop, &s->sweep);
    s->wake.data = s;
    s->sweep.data = s;
    s->handles_open = 2;
    (void)uv_timer_start(&s->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    *out = s;
    return OK;
}

static void on_closed(uv_handle_t *handle) {
    struct submit *s = handle->data;
    if (--s->handles_open == 0) {
        (void)pthread_mutex_destroy(&s->lock);
        free(s);
    }
}

void submit_free(struct submit *s) {
    if (s == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_mutex_unlock(&s->lock);
    struct post *post = take_queue(s);
    while (post != NULL) {
        struct post *next = post->next;
        answer(post, ERR_CLOSED, 0, NULL);
        post = next;
    }
    sweep_waiters(s, UINT64_MAX, ERR_CLOSED);
    ASSERT(s->waiting == 0); /* whoever waited has been told */
    uv_close((uv_handle_t *)&s->wake, on_closed);
    uv_close((uv_handle_t *)&s->sweep, on_closed);
}

enum err submit_post(struct submit *s, struct bytes envelope, enum submit_wait wait, uint64_t timeout_ms,
                     submit_done done, void *arg) {
    struct transaction tx;
    enum err e = transaction_decode(envelope, &tx, NULL);
    if (e != OK) {
        return e;
    }
    struct post *post = malloc(sizeof *post + envelope.len);
    if (post == NULL) {
        return ERR_NOMEM;
    }
    uint64_t now_ms = clock_mono_ms();
    *post = (struct post){.wait = wait,
                          .posted_us = stage_times_now_us(s->config.times),
                          .since_ms = now_ms,
                          .deadline_ms = now_ms + timeout_ms,
                          .done = done,
                          .arg = arg,
                          .len = envelope.len};
    memcpy(post->tx_id, tx.id, HASH_LEN);
    memcpy(post->envelope, envelope.data, envelope.len);
    (void)pthread_mutex_lock(&s->lock);
    bool full = s->closing || s->queued >= s->config.max_queued;
    if (!full) {
        *(s->last != NULL ? &s->last->next : &s->first) = post;
        s->last = post;
        s->queued++;
        (void)uv_async_send(&s->wake);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (full) {
        free(post);
        return ERR_FULL;
    }
    return OK;
}

void submit_block_final(struct submit *s, const struct block *block) {
    for (size_t i = 0; i < block->tx_count && s->waiting > 0; i++) {
        const uint8_t *id = block->txs[i].id;
        struct post **slot = &s->waiters[bucket_of(id)];
        struct chain_view view;
        uint64_t height;
        struct receipt receipt;
        bool looked_up = false;
        while (*slot != NULL) {
            struct post *post = *slot;
            if (memcmp(post->tx_id, id, HASH_LEN) != 0) {
                slot = &post->next;
                continue;
            }
            looked_up = looked_up || find_final(s, id, &view, &height, &receipt);
            if (!looked_up) {
                break;
            }
            *slot = post->next;
            ASSERT(s->waiting > 0);
            s->waiting--;
            answer(post, OK, height, &receipt);
        }
        if (looked_up) {
            chain_view_close(&view);
        }
    }
    look_whether_full(s);
}

void submit_dropped(struct submit *s, const uint8_t tx_id[HASH_LEN], enum err why) {
    struct post **slot = &s->waiters[bucket_of(tx_id)];
    while (*slot != NULL) {
        struct post *post = *slot;
        if (memcmp(post->tx_id, tx_id, HASH_LEN) != 0) {
            slot = &post->next;
            continue;
        }
        *slot = post->next;
        ASSERT(s->waiting > 0);
        s->waiting--;
        s->refused++;
        answer(post, why, 0, NULL);
    }
    look_whether_full(s);
}

struct submit_stats submit_stats(struct submit *s) {
    (void)pthread_mutex_lock(&s->lock);
    size_t queued = s->queued;
    (void)pthread_mutex_unlock(&s->lock);
    return (struct submit_stats){queued, s->waiting, s->accepted, s->refused, s->timed_out, s->oldest_ms};
}
