#include "node/gossip_check.h"

#include "base/assert.h"
#include "base/clock.h"
#include "node/host_crypto.h"
#include "node/ledger/execute.h"
#include "node/ledger/mempool.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 128

struct envelope {
    struct envelope *next;
    bool good;
    size_t len;
    uint8_t bytes[];
};

struct gossip_check {
    struct gossip_check_config config;
    struct envelope *first, **end;
    size_t queued;
    struct envelope *batch; /* with the pool */
    bool working;
    uv_work_t work;
    uint64_t dropped;
};

enum err gossip_check_new(const struct gossip_check_config *config, struct gossip_check **out) {
    struct gossip_check *check = calloc(1, sizeof *check);
    if (check == NULL) {
        return ERR_NOMEM;
    }
    check->config = *config;
    check->end = &check->first;
    check->work.data = check;
    *out = check;
    return OK;
}

static void free_list(struct envelope *list) {
    while (list != NULL) {
        struct envelope *next = list->next;
        free(list);
        list = next;
    }
}

void gossip_check_free(struct gossip_check *check) {
    if (check == NULL) {
        return;
    }
    ASSERT(!check->working);
    free_list(check->first);
    free(check);
}

bool gossip_check_idle(const struct gossip_check *check) {
    return !check->working;
}

uint64_t gossip_check_dropped(const struct gossip_check *check) {
    return check->dropped;
}

static uint64_t later_of(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static bool is_good(const struct gossip_check *check, struct chain_view *view, struct bytes envelope) {
    struct transaction tx;
    uint64_t now = view->head.header.time_ms;
    if (transaction_decode(envelope, &tx, NULL) != OK ||
        memcmp(tx.chain_id, view->head.header.chain_id, CHAIN_ID_LEN) != 0 || tx.expiry_ms <= now ||
        tx.expiry_ms > later_of(now, clock_wall_ms()) + check->config.max_lifetime_ms ||
        transaction_check_signatures(&tx) != OK) {
        return false;
    }
    struct answer answer = {.code = CODE_OK};
    struct call call = {.state = state_of_view(view->kv),
                        .crypto = &host_crypto,
                        .chain_id = tx.chain_id,
                        .signers = tx.signers,
                        .signer_count = tx.signer_count,
                        .height = view->head.header.height,
                        .time_ms = now};
    memcpy(call.tx_id, tx.id, HASH_LEN);
    enum err e = contracts_check(&call, tx.contract, tx.method, tx.args, &answer);
    buffer_free(&answer.result);
    return e == OK && answer.code == CODE_OK;
}

/* On a pool thread. */
static void check_batch(uv_work_t *work) {
    struct gossip_check *check = work->data;
    struct chain_view view;
    if (chain_view_open(check->config.chain, &view) != OK) {
        return;
    }
    for (struct envelope *e = check->batch; e != NULL; e = e->next) {
        e->good = is_good(check, &view, bytes_of(e->bytes, e->len));
    }
    chain_view_close(&view);
}

static void start_batch(struct gossip_check *check);

static void batch_done(uv_work_t *work, int status) {
    struct gossip_check *check = work->data;
    struct envelope *done = check->batch;
    check->batch = NULL;
    check->working = false;
    for (struct envelope *e = done; e != NULL && status == 0; e = e->next) {
        struct transaction tx;
        if (e->good && transaction_decode(bytes_of(e->bytes, e->len), &tx, NULL) == OK) {
            check->config.good(check->config.ctx, &tx);
        }
    }
    free_list(done);
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
    check->queued -= count;
    if (uv_queue_work(check->config.loop, &check->work, check_batch, batch_done) == 0) {
        check->working = true;
    } else {
        free_list(check->batch);
        check->batch = NULL;
        check->dropped += count;
    }
}

void gossip_check_put(struct gossip_check *check, struct bytes envelope) {
    struct transaction tx;
    if (transaction_decode(envelope, &tx, NULL) != OK || mempool_vouches(check->config.mempool, &tx)) {
        return;
    }
    struct envelope *e = check->queued < check->config.max_queued ? malloc(sizeof *e + envelope.len) : NULL;
    if (e == NULL) {
        check->dropped++;
        return;
    }
    *e = (struct envelope){.len = envelope.len};
    memcpy(e->bytes, envelope.data, envelope.len);
    *check->end = e;
    check->end = &e->next;
    check->queued++;
    start_batch(check);
}
