#include "node/ledger/gossip_check.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/host/host_crypto.h"
#include "node/ledger/execute.h"
#include "node/ledger/ledger_time.h"
#include "node/ledger/mempool.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 128
#define BUCKETS 4096u

/* Only two hands move it on: the pool's from WAITING to CHECKING and further, the ledger thread's from WAITING to LEFT.
 */
enum progress {
    WAITING,
    CHECKING,
    SIGNED, /* signatures are good; the rest is being looked at, or has been */
    LEFT,   /* to somebody who has it from a block */
};

struct envelope {
    struct envelope *next, *next_in_bucket;
    atomic_int progress;
    uint16_t peer; /* who passed it on */
    bool forged;   /* a signature is false */
    bool good;     /* all of it; read when the batch is done */
    bool is_final; /* executed meanwhile */
    uint8_t id[HASH_LEN];
    size_t len;
    uint8_t bytes[];
};

struct gossip_check {
    struct gossip_check_config config;
    struct envelope *buckets[BUCKETS]; /* queued or with the pool, by id */
    uint64_t secret;                   /* of the buckets: senders choose ids */
    struct envelope *first, **end;
    size_t queued;
    struct envelope *batch; /* with the pool */
    bool working;
    uv_work_t work;
    struct gossip_check_stats stats;
};

enum err gossip_check_new(const struct gossip_check_config *config, struct gossip_check **out) {
    struct gossip_check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        return ERR_NOMEM;
    }
    check->config = *config;
    check->end = &check->first;
    check->work.data = check;
    random_fill(&check->secret, sizeof check->secret);
    *out = check;
    return OK;
}

static struct envelope **bucket_of(struct gossip_check *check, const uint8_t id[HASH_LEN]) {
    uint64_t h = (load_u64(id) ^ check->secret) * 0x9e3779b97f4a7c15u;
    return &check->buckets[h >> 52];
}
_Static_assert(BUCKETS == 1u << 12, "a bucket is the upper 12 bits of a hash");

/* This very envelope: another one with the same body and other signatures says nothing about it. */
static struct envelope *find(struct gossip_check *check, const struct transaction *tx) {
    struct envelope *e = *bucket_of(check, tx->id);
    while (e != NULL && !bytes_equal(bytes_of(e->bytes, e->len), tx->envelope)) {
        e = e->next_in_bucket;
    }
    return e;
}

static void free_list(struct gossip_check *check, struct envelope *list) {
    while (list != NULL) {
        struct envelope *next = list->next;
        struct envelope **slot = bucket_of(check, list->id);
        ASSERT(*slot != NULL);
        while (*slot != list) {
            slot = &(*slot)->next_in_bucket;
        }
        *slot = list->next_in_bucket;
        free(list);
        list = next;
    }
}

void gossip_check_free(struct gossip_check *check) {
    if (check == NULL) {
        return;
    }
    ASSERT(!check->working);
    free_list(check, check->first);
    free(check);
}

bool gossip_check_idle(const struct gossip_check *check) {
    return !check->working;
}

struct gossip_check_stats gossip_check_stats(const struct gossip_check *check) {
    struct gossip_check_stats stats = check->stats;
    stats.queued = check->queued;
    for (const struct envelope *e = check->batch; e != NULL; e = e->next) {
        stats.queued++;
    }
    return stats;
}

bool gossip_check_vouches(void *ctx, const struct transaction *tx) {
    struct gossip_check *check = ctx;
    struct envelope *e = find(check, tx);
    if (e == NULL) {
        return false;
    }
    int waiting = WAITING;
    (void)atomic_compare_exchange_strong(&e->progress, &waiting, LEFT);
    return atomic_load(&e->progress) == SIGNED;
}

static bool is_timely(const struct chain_view *view, uint64_t max_lifetime_ms, const struct transaction *tx) {
    uint64_t now = view->head.header.time_ms;
    return memcmp(tx->chain_id, view->head.header.chain_id, CHAIN_ID_LEN) == 0 && tx->expiry_ms > now &&
           tx->expiry_ms <= ledger_time_now(clock_wall_ms(), now) + max_lifetime_ms;
}

static bool contract_takes(struct chain_view *view, const struct transaction *tx) {
    struct answer answer = {.code = CODE_OK};
    struct call call = {.state = state_of_view(view->kv),
                        .crypto = &host_crypto,
                        .chain_id = tx->chain_id,
                        .signers = tx->signers,
                        .signer_count = tx->signer_count,
                        .height = view->head.header.height,
                        .time_ms = view->head.header.time_ms};
    memcpy(call.tx_id, tx->id, HASH_LEN);
    enum err e = contracts_check(&call, tx->contract, tx->method, tx->args, &answer);
    buffer_free(&answer.result);
    return e == OK && answer.code == CODE_OK;
}

static void check_one(struct chain_view *view, uint64_t max_lifetime_ms, struct envelope *e) {
    struct transaction tx;
    struct bytes value;
    int waiting = WAITING;
    if (transaction_decode(bytes_of(e->bytes, e->len), &tx, NULL) != OK || !is_timely(view, max_lifetime_ms, &tx)) {
        return;
    }
    e->is_final = kv_get(view->kv, KV_TXS, bytes_of(tx.id, HASH_LEN), &value) == OK;
    if (e->is_final || !atomic_compare_exchange_strong(&e->progress, &waiting, CHECKING)) {
        return;
    }
    e->forged = transaction_check_signatures(&tx) != OK;
    if (e->forged) {
        return;
    }
    atomic_store(&e->progress, SIGNED);
    e->good = contract_takes(view, &tx);
}

/* On a pool thread. */
static void check_batch(uv_work_t *work) {
    struct gossip_check *check = work->data;
    struct chain_view view;
    struct genesis_params params;
    if (chain_view_open(check->config.chain, &view) != OK) {
        return;
    }
    bool good = chain_view_params(&view, &params) == OK;
    for (struct envelope *e = check->batch; good && e != NULL; e = e->next) {
        check_one(&view, params.tx_max_lifetime_ms, e);
    }
    chain_view_close(&view);
}

static void start_batch(struct gossip_check *check);

static void blame(struct gossip_check *check, uint16_t peer) {
    if (check->config.bad != NULL) {
        check->config.bad(check->config.ctx, peer);
    }
}

static void hand_back(struct gossip_check *check, const struct envelope *e) {
    struct transaction tx;
    if (e->is_final || atomic_load(&e->progress) == LEFT) {
        check->stats.overtaken++;
    } else if (e->good && transaction_decode(bytes_of(e->bytes, e->len), &tx, NULL) == OK) {
        check->stats.good++;
        check->config.good(check->config.ctx, &tx);
    } else {
        check->stats.refused++;
        if (e->forged) {
            blame(check, e->peer);
        }
    }
}

static void batch_done(uv_work_t *work, int status) {
    struct gossip_check *check = work->data;
    struct envelope *done = check->batch;
    ASSERT(check->working && done != NULL);
    check->batch = NULL;
    check->working = false;
    for (struct envelope *e = done; e != NULL && status == 0; e = e->next) {
        hand_back(check, e);
    }
    free_list(check, done);
    start_batch(check);
}

static void start_batch(struct gossip_check *check) {
    if (check->working || check->first == NULL) {
        return;
    }
    struct envelope *last = check->first;
    size_t count = 1;
    while (count < BATCH_MAX && last->next != NULL) {
        last = last->next;
        count++;
    }
    check->batch = check->first;
    check->first = last->next;
    last->next = NULL;
    if (check->first == NULL) {
        check->end = &check->first;
    }
    ASSERT(check->batch != NULL && count <= check->queued && count <= BATCH_MAX);
    check->queued -= count;
    if (uv_queue_work(check->config.loop, &check->work, check_batch, batch_done) == 0) {
        check->working = true;
    } else {
        free_list(check, check->batch);
        check->batch = NULL;
        check->stats.dropped += count;
    }
}

void gossip_check_put(struct gossip_check *check, uint16_t peer, struct bytes envelope) {
    struct transaction tx;
    if (transaction_decode(envelope, &tx, NULL) != OK) {
        check->stats.refused++;
        blame(check, peer);
        return;
    }
    if (mempool_vouches(check->config.mempool, &tx) || find(check, &tx) != NULL) {
        check->stats.known++;
        return;
    }
    struct envelope *e = check->queued < check->config.max_queued ? malloc(sizeof *e + envelope.len) : NULL;
    if (e == NULL) {
        check->stats.dropped++;
        return;
    }
    *e = (struct envelope){.peer = peer, .len = envelope.len};
    atomic_init(&e->progress, WAITING);
    memcpy(e->id, tx.id, HASH_LEN);
    memcpy(e->bytes, envelope.data, envelope.len);
    struct envelope **bucket = bucket_of(check, e->id);
    e->next_in_bucket = *bucket;
    *bucket = e;
    *check->end = e;
    check->end = &e->next;
    check->queued++;
    check->stats.taken++;
    start_batch(check);
}
