/* Blocks above the final head: getting bodies, executing, building, and how much waiting work they already hold. */
#include "node/ledger/replica_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define BODY_TRIES_MAX 64
#define ODD_CLOCKS_ALARM 3
#define ODD_CLOCKS_AGAIN_MS 30000 /* what still holds is said again, before the alarm passes */

/* ---- Blocks somebody waits for ----------------------------------------------------------------------------------- */

static struct pending *find_pending(struct replica *r, const uint8_t hash[HASH_LEN]) {
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (r->pending[i].used && memcmp(r->pending[i].hash, hash, HASH_LEN) == 0) {
            return &r->pending[i];
        }
    }
    return NULL;
}

/* NULL when the table is full: the core asks again when it resends. */
static struct pending *add_pending(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t view) {
    struct pending *p = find_pending(r, hash);
    for (size_t i = 0; i < PENDING_MAX && p == NULL; i++) {
        if (!r->pending[i].used) {
            p = &r->pending[i];
            *p = (struct pending){.used = true};
            memcpy(p->hash, hash, HASH_LEN);
            r->pending_count++;
            ASSERT(r->pending_count <= PENDING_MAX);
        }
    }
    if (p != NULL && p->view == 0) {
        p->view = view;
    }
    return p;
}

static void remove_pending(struct replica *r, struct pending *p) {
    if (p != NULL) {
        ASSERT(p->used && r->pending_count > 0);
        p->used = false;
        r->pending_count--;
    }
}

void replica_drop_pending(struct replica *r) {
    struct consensus_status status;
    consensus_status(r->core, &status);
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &r->pending[i];
        bool over = p->view != 0 && p->view <= status.final_view;
        if (p->used && (over || p->tries > BODY_TRIES_MAX)) {
            remove_pending(r, p);
        }
    }
}

/* ---- Verdicts ---------------------------------------------------------------------------------------------------- */

/* With more than f whose clocks differ from ours, one of them is honest: the clock to look at first is our own. */
static void tell_odd_clock(struct replica *r, uint16_t proposer, bool ahead) {
    char text[160];
    unsigned differing = 0;
    for (uint16_t i = 0; i < r->epoch.count; i++) {
        differing += r->odd_clocks[i] > 0;
    }
    if (differing > 1 && differing > validators_faulty(r->epoch.count)) {
        (void)snprintf(text, sizeof text, "the clocks of %u validators differ from ours; check ours first", differing);
    } else {
        (void)snprintf(text, sizeof text, "validator %u keeps proposing times %s our clock; check both clocks",
                       (unsigned)proposer, ahead ? "ahead of" : "behind");
    }
    r->odd_told_ms = r->mono_ms;
    replica_alarm(r, "clock-differs", text);
}

/* Counts how often in a row a validator's clock was far from ours. */
static void note_clock(struct replica *r, uint16_t proposer, bool ahead, bool behind) {
    ASSERT(proposer < r->epoch.count);
    uint32_t *odd = &r->odd_clocks[proposer];
    *odd = ahead || behind ? *odd + 1 : 0;
    bool again = *odd > ODD_CLOCKS_ALARM && r->mono_ms >= r->odd_told_ms + ODD_CLOCKS_AGAIN_MS;
    if (*odd == ODD_CLOCKS_ALARM || again) {
        tell_odd_clock(r, proposer, ahead);
    }
}

/* The clock rule is the voter's: it holds for a proposal of the current view, not for what others already took.
 *
 * The least time there is, parent + 1, is never refused: it can't run away, and a chain whose clocks were once ahead
 * must go on while real time catches up. Nor does it say anything of its proposer's clock, which may be right. */
static bool is_timely(struct replica *r, const struct block_header *h) {
    struct consensus_status status;
    consensus_status(r->core, &status);
    if (h->view != status.view || h->proposer == r->me || h->proposer >= r->epoch.count) {
        return true;
    }
    const struct block_header *parent = chain_header(r->config.chain, h->parent);
    if (parent != NULL && h->time_ms == block_next_time(parent, 0)) {
        return true;
    }
    bool ahead = h->time_ms > r->wall_ms + r->config.timing.max_ahead_ms;
    bool behind = h->time_ms + r->config.timing.max_behind_ms < r->wall_ms;
    note_clock(r, h->proposer, ahead, behind);
    return !ahead && !behind;
}

static void tell(struct replica *r, const uint8_t hash[HASH_LEN], enum consensus_block_state state) {
    ASSERT(state != BLOCK_WANTED); /* that is a question, and this an answer */
    if (r->followup_count == FOLLOWUPS_MAX) {
        return; /* the core asks again when it resends */
    }
    struct followup *f = &r->followups[r->followup_count++];
    *f = (struct followup){.kind = EVENT_BLOCK, .state = state};
    memcpy(f->hash, hash, HASH_LEN);
}

static enum err execute_held(struct replica *r, const uint8_t hash[HASH_LEN], enum chain_status *out_status) {
    uint64_t start_us = stage_times_now_us(r->config.times);
    enum err e = chain_execute(r->config.chain, hash, out_status);
    stage_times_since(r->config.times, STAGE_EXECUTION, start_us);
    if (e == OK && *out_status == CHAIN_VALID) {
        stage_times_valid(r->config.times, hash);
    }
    return e == OK ? OK : replica_fail(r, e, "executing a block: %s", chain_error(r->config.chain));
}

enum err replica_advance(struct replica *r, const uint8_t hash[HASH_LEN], enum chain_status *out_status,
                         uint8_t out_missing[HASH_LEN]) {
    uint8_t held[LIMIT_UNFINAL_DEPTH][HASH_LEN]; /* from the asked one down */
    size_t n = 0;
    memcpy(out_missing, hash, HASH_LEN);
    *out_status = chain_status(r->config.chain, hash);
    while (*out_status == CHAIN_HELD && n < LIMIT_UNFINAL_DEPTH) {
        memcpy(held[n++], out_missing, HASH_LEN);
        memcpy(out_missing, chain_header(r->config.chain, out_missing)->parent, HASH_LEN);
        *out_status = chain_status(r->config.chain, out_missing);
    }
    bool waits = *out_status == CHAIN_UNKNOWN || *out_status == CHAIN_HELD;
    while (n > 0 && !waits) {
        memcpy(out_missing, held[--n], HASH_LEN);
        enum err e = execute_held(r, out_missing, out_status);
        if (e != OK) {
            return e;
        }
        waits = *out_status == CHAIN_HELD;
    }
    *out_status = n > 0 ? CHAIN_HELD : *out_status;
    return OK;
}

/* What the core is told of a block that was executed. */
static enum consensus_block_state judge(struct replica *r, const uint8_t hash[HASH_LEN], enum chain_status status) {
    if (status != CHAIN_VALID) {
        return status == CHAIN_INVALID ? BLOCK_INVALID : BLOCK_VALID;
    }
    bool timely = is_timely(r, chain_header(r->config.chain, hash)) && !replica_is_crowded(r, hash);
    return timely ? BLOCK_VALID : BLOCK_UNTIMELY;
}

enum err replica_pursue(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t view) {
    enum chain_status status = CHAIN_UNKNOWN;
    uint8_t missing[HASH_LEN];
    enum err e = replica_advance(r, hash, &status, missing);
    if (e != OK) {
        return e;
    }
    if (status == CHAIN_VALID || status == CHAIN_FINAL || status == CHAIN_INVALID) {
        remove_pending(r, find_pending(r, hash));
        tell(r, hash, judge(r, hash, status));
        return OK;
    }
    struct pending *asked = add_pending(r, hash, view);
    struct pending *lacking = add_pending(r, missing, memcmp(missing, hash, HASH_LEN) == 0 ? view : 0);
    bool is_here = chain_status(r->config.chain, missing) != CHAIN_UNKNOWN;
    if (asked != NULL && lacking != NULL && !lacking->want_body && !is_here) {
        lacking->want_body = true;
        lacking->asked_ms = r->mono_ms;
        lacking->tries = 0;
        /* A proposal's body comes with it; a certificate may be faster than the proposal. Ask after a moment. */
    }
    return OK;
}

enum err replica_retry_pending(struct replica *r) {
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &r->pending[i];
        if (!p->used || chain_status(r->config.chain, p->hash) == CHAIN_UNKNOWN) {
            continue;
        }
        uint8_t hash[HASH_LEN];
        memcpy(hash, p->hash, HASH_LEN);
        p->want_body = false;
        enum err e = replica_pursue(r, hash, p->view);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* ---- Fetching ---------------------------------------------------------------------------------------------------- */

/* Those who signed for the block, one after the other; without any, every validator in turn. NO_PEER: not this time. */
static uint16_t whom_to_ask(const struct replica *r, const struct pending *p) {
    uint16_t holders[VALIDATORS_MAX];
    uint16_t count = p->view != 0 ? consensus_holders(r->core, p->view, p->hash, holders) : 0;
    uint32_t turn = p->tries + r->me, n = r->epoch.count;
    ASSERT(p->used && p->want_body && n > 0);
    uint32_t index = count != 0 ? holders[turn % count] : (turn + 1) % n;
    if (index == r->me) {
        index = (index + 1) % n;
    }
    return index != r->me ? r->peer_of[index] : NO_PEER;
}

enum err replica_ask_bodies(struct replica *r) {
    if (replica_far_behind(r)) {
        return OK; /* there would be no place for them, and asking takes the way from what is needed */
    }
    for (size_t i = 0; i < PENDING_MAX; i++) {
        struct pending *p = &r->pending[i];
        uint64_t wait = p->tries == 0 ? r->config.timing.fetch_retry_ms / 8 : r->config.timing.fetch_retry_ms;
        if (!p->used || !p->want_body || r->mono_ms < p->asked_ms + wait) {
            continue;
        }
        uint16_t peer = whom_to_ask(r, p);
        p->asked_ms = r->mono_ms;
        p->tries++;
        struct peer_message ask = {.kind = PEER_BODY_ASK};
        memcpy(ask.u.body_ask.hash, p->hash, HASH_LEN);
        enum err e = peer != NO_PEER ? replica_post(r, TO_PEER, peer, &ask) : OK;
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

uint64_t replica_bodies_deadline(const struct replica *r) {
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < PENDING_MAX && r->pending_count > 0 && !replica_far_behind(r); i++) {
        const struct pending *p = &r->pending[i];
        uint64_t wait = p->tries == 0 ? r->config.timing.fetch_retry_ms / 8 : r->config.timing.fetch_retry_ms;
        if (p->used && p->want_body && p->asked_ms + wait < deadline) {
            deadline = p->asked_ms + wait;
        }
    }
    return deadline;
}

enum err replica_take_body(struct replica *r, struct bytes body) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    if (block_peek(body, &header, hash) != OK) {
        r->messages_bad++;
        return OK;
    }
    struct pending *p = find_pending(r, hash);
    if (p == NULL || !p->want_body) {
        return OK; /* nobody asked */
    }
    if (p->view == 0) {
        p->view = header.view;
    }
    /* It stands in a certificate, or whoever made what stands on it pays for it too. */
    struct chain_offer offer = {.worth = CHAIN_WORTH_OFFERED, .payer = header.proposer};
    (void)chain_payer_of(r->config.chain, hash, &offer.payer);
    enum err e = chain_add(r->config.chain, body, &offer, hash);
    if (e == ERR_NOMEM) {
        return replica_fail(r, e, "taking a block: %s", err_text(e));
    }
    return e == OK || e == ERR_DUPLICATE ? replica_retry_pending(r) : OK;
}

enum err replica_serve_body(struct replica *r, uint16_t peer, struct peer_message *ask) {
    const uint8_t *hash = ask->u.body_ask.hash;
    struct bytes body = chain_body(r->config.chain, hash);
    ASSERT(peer < REPLICA_PEERS_MAX && r->peers[peer].known); /* of strangers no message gets here */
    if (body.data != NULL) {
        struct peer_message answer = {.kind = PEER_BODY, .u.body.body = body};
        return replica_post(r, TO_PEER, peer, &answer);
    }
    const struct chain_head *head = chain_head(r->config.chain);
    if (head->header.height == 0 || memcmp(head->hash, hash, HASH_LEN) != 0) {
        return OK; /* long final: the asker catches up by height */
    }
    struct buffer final = BUFFER_INIT;
    enum err e = chain_read(r->config.chain, head->header.height, &final, NULL);
    if (e == OK) {
        struct peer_message answer = {.kind = PEER_BODY, .u.body.body = buffer_bytes(&final)};
        e = replica_post(r, TO_PEER, peer, &answer);
    } else {
        e = e == ERR_NOTFOUND ? OK : replica_fail(r, e, "reading a block: %s", chain_error(r->config.chain));
    }
    buffer_free(&final);
    return e;
}

/* ---- Building ---------------------------------------------------------------------------------------------------- */

static size_t tx_count_of(struct bytes body) {
    return body.len >= BLOCK_HEADER_LEN + 4 ? load_u32(body.data + BLOCK_HEADER_LEN) : 0;
}

enum err replica_build(struct replica *r) {
    uint8_t hash[HASH_LEN];
    if (!r->build_wanted) {
        return OK;
    }
    ASSERT(r->me < r->epoch.count && r->final_count == 0); /* a leader's, on a head that this turn moves no more */
    r->build_wanted = false;
    enum err e = chain_build(r->config.chain, r->build_parent, r->build_view, r->me, r->wall_ms, hash);
    if (e == ERR_NOTFOUND) {
        return OK; /* the parent went meanwhile: the view is nullified, or the core asks again */
    }
    replica_note_room(r, e != ERR_FULL, "this node leads a view and can't propose a block");
    if (e == ERR_FULL) {
        return OK;
    }
    if (e != OK) {
        return replica_fail(r, e, "building a block: %s", chain_error(r->config.chain));
    }
    stage_times_valid(r->config.times, hash);
    if (r->work && tx_count_of(chain_body(r->config.chain, hash)) == 0) {
        r->barren_until_ms = r->mono_ms + 1000;
    }
    if (r->followup_count < FOLLOWUPS_MAX) {
        struct followup *f = &r->followups[r->followup_count++];
        *f = (struct followup){.kind = EVENT_BUILT, .state = BLOCK_VALID};
        memcpy(f->hash, hash, HASH_LEN);
    }
    return OK;
}

/* ---- Work -------------------------------------------------------------------------------------------------------- */

static enum err load_of(struct replica *r, const uint8_t hash[HASH_LEN], size_t *out) {
    for (size_t i = 0; i < LOADS_MAX; i++) {
        if (memcmp(r->loads[i].hash, hash, HASH_LEN) == 0) {
            *out = r->loads[i].count;
            return OK;
        }
    }
    struct bytes body = chain_body(r->config.chain, hash);
    size_t count = 0;
    struct block block;
    if (tx_count_of(body) > 0) {
        enum err e = block_decode(body, &block);
        if (e != OK) {
            return e;
        }
        for (size_t i = 0; i < block.tx_count; i++) {
            count += mempool_vouches(r->config.mempool, &block.txs[i]) ? 1 : 0;
        }
        block_free(&block);
    }
    struct load *load = &r->loads[r->load_next++ % LOADS_MAX];
    load->count = count;
    memcpy(load->hash, hash, HASH_LEN);
    *out = count;
    return OK;
}

struct timely {
    const struct genesis_params *params;
    uint64_t time_ms;
    bool any;
};

static bool look_for_timely(void *arg, const struct transaction *tx) {
    struct timely *t = arg;
    t->any = chain_tx_is_timely(t->params, tx, t->time_ms);
    return !t->any;
}

/* Is there one that the next block could take? After a vote for a shorter lifetime what waits may have to wait on. */
static bool any_timely(const struct replica *r) {
    struct timely t = {.params = chain_params(r->config.chain),
                       .time_ms = block_next_time(&chain_head(r->config.chain)->header, r->wall_ms)};
    mempool_each(r->config.mempool, look_for_timely, &t);
    return t.any;
}

/* Waiting transactions that stand in no notarized block yet, or a due item. */
static enum err has_work(struct replica *r, bool *out) {
    size_t waiting = mempool_count(r->config.mempool);
    *out = chain_has_due(r->config.chain, r->wall_ms);
    if (waiting == 0 || *out || r->mono_ms < r->barren_until_ms) {
        return OK;
    }
    size_t taken = 0;
    uint8_t at[HASH_LEN];
    bool more = consensus_tip(r->core, at);
    for (unsigned depth = 0; more && depth < LIMIT_UNFINAL_DEPTH; depth++) {
        const struct block_header *h = chain_header(r->config.chain, at);
        if (h == NULL || chain_status(r->config.chain, at) == CHAIN_FINAL) {
            break;
        }
        size_t load;
        enum err e = load_of(r, at, &load);
        if (e != OK) {
            return e;
        }
        taken += load;
        memcpy(at, h->parent, HASH_LEN);
    }
    *out = waiting > taken && any_timely(r);
    return OK;
}

enum err replica_refresh_work(struct replica *r, bool *out_changed) {
    bool work;
    enum err e = has_work(r, &work);
    if (e != OK) {
        return replica_fail(r, e, "looking for work: %s", err_text(e));
    }
    *out_changed = work != r->work;
    r->work = work;
    return OK;
}
