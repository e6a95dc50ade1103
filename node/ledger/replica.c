#include "node/ledger/replica_internal.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

_Static_assert(LIMIT_UNFINAL_DEPTH >= CONSENSUS_WINDOW, "the core's window ends before the room for its blocks does");

#define HOUSEKEEPING_MS 1000
#define TELL_BYTES_MAX (1024u * 1024u) /* of transactions, to a validator whose link came up */

void replica_timing_default(struct replica_timing *out) {
    consensus_timing_default(&out->consensus);
    out->max_ahead_ms = 2000;
    out->max_behind_ms = 30000;
    out->sync_interval_ms = 1000;
    out->fetch_retry_ms = 300;
    out->status_ms = 2000;
}

enum err replica_fail(struct replica *r, enum err e, const char *format, ...) {
    ASSERT(e != OK); /* a stop has a reason */
    if (r->failed == OK) {
        va_list args;
        va_start(args, format);
        why_vset(&r->why, format, args);
        va_end(args);
        r->failed = e;
    }
    return e;
}

void replica_alarm(struct replica *r, const char *name, const char *text) {
    if (r->config.ops.on_alarm != NULL) {
        r->config.ops.on_alarm(r->config.ctx, name, text);
    }
}

void replica_foul(struct replica *r, uint16_t peer) {
    if (peer >= REPLICA_PEERS_MAX || !r->peers[peer].known) {
        return;
    }
    struct peer_state *state = &r->peers[peer];
    state->fouls_seen++;
    if (budget_spend(&state->fouls, REPLICA_FOULS, REPLICA_FOUL_MS, r->mono_ms) || r->mono_ms < state->deaf_until_ms) {
        return;
    }
    char text[128], key[2 * KEY_LEN + 1];
    state->deaf_until_ms = r->mono_ms + REPLICA_DEAF_MS;
    hex_encode(state->key, KEY_LEN, key);
    (void)snprintf(text, sizeof text, "node %.16s sends messages or signatures that are false: it is cut off for %u s",
                   key, REPLICA_DEAF_MS / 1000);
    replica_alarm(r, "false-messages", text);
    if (r->config.ops.on_foul != NULL) {
        r->config.ops.on_foul(r->config.ctx, peer, state->key);
    }
}

uint64_t replica_fouls(const struct replica *r, uint16_t peer) {
    return r->peers[peer].fouls_seen;
}

/* A message that can't be read: its sender's fault, and no error. */
static void take_unreadable(struct replica *r, uint16_t peer) {
    r->messages_bad++;
    replica_foul(r, peer);
}

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

static enum err feed_certificates(struct replica *r, uint16_t peer, struct peer_spans certificates) {
    enum err e = OK;
    for (size_t i = 0; i < certificates.count && e == OK; i++) {
        struct consensus_event event = {.kind = EVENT_CERTIFICATE, .from = r->peers[peer].index};
        event.u.certificate = certificates.items[i];
        e = replica_feed(r, &event);
    }
    return e;
}

static enum err take_certificates(struct replica *r, uint16_t peer, struct peer_message *m) {
    return feed_certificates(r, peer, m->u.certificates);
}

static enum err take_votes(struct replica *r, uint16_t peer, struct peer_message *m) {
    enum err e = OK;
    for (size_t i = 0; i < m->u.votes.count && e == OK; i++) {
        struct consensus_event event = {.kind = EVENT_VOTE, .from = r->peers[peer].index};
        event.u.vote = m->u.votes.items[i];
        e = replica_feed(r, &event);
    }
    return e;
}

static enum err take_proposal(struct replica *r, uint16_t peer, struct peer_message *m) {
    const struct peer_proposal *proposal = &m->u.proposal;
    struct consensus_event event = {.kind = EVENT_PROPOSAL, .from = r->peers[peer].index};
    uint8_t hash[HASH_LEN];
    event.u.proposal.view = proposal->view;
    if (block_peek(proposal->body, &event.u.proposal.header, event.u.proposal.hash) != OK) {
        take_unreadable(r, peer);
        return OK;
    }
    enum err e = feed_certificates(r, peer, proposal->certificates);
    if (e != OK) {
        return e;
    }
    memcpy(event.u.proposal.signature, proposal->signature, SIG_LEN);
    e = replica_feed(r, &event);
    /* The body is kept only when the core has taken the header: a proposal costs its leader's signature, and its leader
     * pays for the room. What the header made the core do is done by now: others may go for this block. */
    if (e != OK || !consensus_wants_body(r->core, proposal->view, event.u.proposal.hash)) {
        return e;
    }
    const struct chain_offer offer = {.worth = CHAIN_WORTH_OFFERED,
                                      .payer = consensus_leader(proposal->view, r->epoch.count)};
    e = chain_add(r->config.chain, proposal->body, &offer, hash);
    if (e == ERR_NOMEM) {
        return replica_fail(r, e, "taking a proposal: %s", err_text(e));
    }
    e = replica_retry_pending(r);
    return e == OK ? replica_follow(r) : e;
}

static enum err take_recall_ask(struct replica *r, uint16_t peer, struct peer_message *m) {
    struct consensus_event event = {.kind = EVENT_ASK_RECALL, .from = r->peers[peer].index};
    event.u.recall.nonce = m->u.recall_ask.nonce;
    return replica_feed(r, &event);
}

static enum err take_recall(struct replica *r, uint16_t peer, struct peer_message *m) {
    struct consensus_event event = {.kind = EVENT_RECALL, .from = r->peers[peer].index};
    event.u.recall.nonce = m->u.recall.nonce;
    event.u.recall.votes = m->u.recall.votes.items;
    event.u.recall.count = m->u.recall.votes.count;
    return replica_feed(r, &event);
}

static enum err take_certificates_ask(struct replica *r, uint16_t peer, struct peer_message *m) {
    struct consensus_event event = {.kind = EVENT_ASK_CERTIFICATES, .from = r->peers[peer].index};
    event.u.views.first = m->u.certificates_ask.first_view;
    event.u.views.last = m->u.certificates_ask.last_view;
    return replica_feed(r, &event);
}

static enum err take_body(struct replica *r, uint16_t peer, struct peer_message *m) {
    enum err e = replica_take_body(r, m->u.body.body);
    (void)peer;
    return e == OK ? replica_follow(r) : e;
}

static enum err take_status(struct replica *r, uint16_t peer, struct peer_message *m) {
    replica_take_status(r, peer, m->u.status.height);
    return OK;
}

static enum err take_transaction(struct replica *r, uint16_t peer, struct peer_message *m) {
    if (r->config.ops.check_transaction != NULL) {
        r->config.ops.check_transaction(r->config.ctx, peer, m->u.transaction.envelope);
    }
    return OK;
}

/* What each kind leads to. The message is lent, but a handler may take over what it holds and leave it empty. */
static enum err (*const handlers[PEER_KINDS])(struct replica *r, uint16_t peer, struct peer_message *m) = {
    [PEER_PROPOSAL] = take_proposal,      [PEER_VOTES] = take_votes,   [PEER_CERTIFICATES] = take_certificates,
    [PEER_RECALL_ASK] = take_recall_ask,  [PEER_RECALL] = take_recall, [PEER_CERTIFICATES_ASK] = take_certificates_ask,
    [PEER_BODY_ASK] = replica_serve_body, [PEER_BODY] = take_body,     [PEER_BLOCKS_ASK] = replica_serve_blocks,
    [PEER_BLOCKS] = replica_take_blocks,  [PEER_STATUS] = take_status, [PEER_TRANSACTION] = take_transaction,
};

/* One of us two is behind. Whoever is still in an epoch that is over hears how far the chain is and catches up by
 * height. Of an epoch that we have not reached we hold no votes, and may say so to its validators, who wait for that
 * answer before they vote. */
static enum err take_other_epoch(struct replica *r, uint16_t peer, const struct peer_message *m) {
    struct peer_state *state = &r->peers[peer];
    ASSERT(m->epoch != r->epoch.number && state->known);
    if (m->epoch < r->epoch.number) {
        if (r->mono_ms < state->told_ms + r->config.timing.fetch_retry_ms) {
            return OK;
        }
        state->told_ms = r->mono_ms;
        struct peer_message status = {.kind = PEER_STATUS, .u.status.height = r->decided_height};
        return replica_post(r, TO_PEER, peer, &status);
    }
    if (state->height <= r->decided_height) {
        replica_take_status(r, peer, r->decided_height + 1);
    }
    if (m->kind != PEER_RECALL_ASK) {
        return OK;
    }
    struct peer_message answer = {.kind = PEER_RECALL, .u.recall.nonce = m->u.recall_ask.nonce};
    return replica_post_in(r, m->epoch, TO_PEER, peer, &answer);
}

static enum err take_message(struct replica *r, uint16_t peer, struct peer_message *m) {
    const struct peer_traits *traits = peer_traits(m->kind);
    if (traits->per_second != 0 && r->peers[peer].taken[m->kind]++ >= traits->per_second) {
        return OK;
    }
    bool elsewhere = traits->of_epoch && m->epoch != r->epoch.number;
    return elsewhere ? take_other_epoch(r, peer, m) : handlers[m->kind](r, peer, m);
}

enum err replica_message(struct replica *r, uint16_t peer, struct bytes message) {
    if (r->failed != OK) {
        return r->failed;
    }
    r->messages_in++;
    struct peer_message m;
    if (peer >= REPLICA_PEERS_MAX || !r->peers[peer].known) {
        r->messages_bad++;
        return OK;
    }
    if (r->mono_ms < r->peers[peer].deaf_until_ms) {
        return OK;
    }
    enum err e = peer_decode(message, &m);
    if (e == ERR_NOMEM) {
        return replica_fail(r, e, "decoding a message: %s", err_text(e));
    }
    if (e != OK) {
        take_unreadable(r, peer);
        return OK;
    }
    uint64_t bad_before = consensus_signatures_bad(r->core);
    e = take_message(r, peer, &m);
    if (consensus_signatures_bad(r->core) != bad_before) {
        replica_foul(r, peer);
    }
    peer_free(&m);
    return e;
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static enum err was_executed(struct replica *r, const struct transaction *tx, bool *out) {
    struct chain_view view;
    enum err e = chain_view_open(r->config.chain, &view);
    if (e != OK) {
        return e;
    }
    struct bytes value;
    e = kv_get(view.kv, KV_TXS, bytes_of(tx->id, HASH_LEN), &value);
    *out = e == OK;
    chain_view_close(&view);
    return e == ERR_NOTFOUND ? OK : e;
}

enum err replica_transaction(struct replica *r, const struct transaction *tx, bool gossip) {
    if (r->failed != OK) {
        return r->failed;
    }
    if (tx->expiry_ms <= chain_head(r->config.chain)->header.time_ms) {
        return ERR_EXPIRED;
    }
    /* One that was executed would wait here until it expires, and look like work all that time. */
    bool executed;
    enum err e = was_executed(r, tx, &executed);
    if (e != OK) {
        return replica_fail(r, e, "looking a transaction up: %s", err_text(e));
    }
    if (executed) {
        return ERR_EXISTS;
    }
    e = mempool_add(r->config.mempool, tx);
    if (e == ERR_NOMEM) {
        return replica_fail(r, e, "taking a transaction: %s", err_text(e));
    }
    if (e == OK && gossip) {
        struct peer_message message = {.kind = PEER_TRANSACTION, .u.transaction.envelope = tx->envelope};
        e = replica_post(r, TO_VALIDATORS, 0, &message);
    }
    if (e == OK) {
        r->barren_until_ms = 0;
    }
    return e;
}

struct telling {
    struct replica *replica;
    enum audience audience;
    uint16_t peer;
    size_t bytes;
    enum err e;
};

static bool tell_waiting(void *arg, const struct transaction *tx) {
    struct telling *t = arg;
    struct peer_message message = {.kind = PEER_TRANSACTION, .u.transaction.envelope = tx->envelope};
    t->bytes += tx->envelope.len;
    t->e = replica_post(t->replica, t->audience, t->peer, &message);
    return t->e == OK && t->bytes < TELL_BYTES_MAX;
}

enum err replica_tell_waiting(struct replica *r, enum audience audience, uint16_t peer) {
    struct telling t = {.replica = r, .audience = audience, .peer = peer, .e = r->failed};
    if (t.e == OK) {
        mempool_each(r->config.mempool, tell_waiting, &t);
    }
    return t.e;
}

enum err replica_peer_up(struct replica *r, uint16_t peer) {
    bool is_validator = peer < REPLICA_PEERS_MAX && r->peers[peer].index != CONSENSUS_ALL;
    return is_validator ? replica_tell_waiting(r, TO_PEER, peer) : r->failed;
}

/* ---- Turns ------------------------------------------------------------------------------------------------------- */

static enum err housekeeping(struct replica *r) {
    if (r->mono_ms >= r->taken_reset_ms + HOUSEKEEPING_MS) {
        r->taken_reset_ms = r->mono_ms;
        for (size_t i = 0; i < REPLICA_PEERS_MAX; i++) {
            memset(r->peers[i].taken, 0, sizeof r->peers[i].taken);
        }
    }
    if (r->mono_ms >= r->synced_ms + r->config.timing.sync_interval_ms) {
        enum err e = replica_sync_chain(r);
        if (e != OK) {
            return e;
        }
    }
    uint32_t every = r->config.timing.status_ms;
    if (every != 0 && r->mono_ms >= r->status_sent_ms + every) {
        r->status_sent_ms = r->mono_ms;
        struct peer_message status = {.kind = PEER_STATUS, .u.status.height = r->decided_height};
        enum err e = replica_post(r, TO_VALIDATORS, 0, &status);
        return e == OK ? replica_post(r, TO_OBSERVERS, 0, &status) : e;
    }
    return OK;
}

enum err replica_tick(struct replica *r, uint64_t wall_ms, uint64_t mono_ms) {
    if (r->failed != OK) {
        return r->failed;
    }
    r->wall_ms = wall_ms;
    r->mono_ms = mono_ms > r->mono_ms ? mono_ms : r->mono_ms;
    enum err e = housekeeping(r);
    if (e == OK && r->mono_ms >= r->core_timer_ms) {
        struct consensus_event event = {.kind = EVENT_TICK, .from = CONSENSUS_ALL};
        e = replica_feed(r, &event);
    }
    return e;
}

/* What waits for a block is known only once what this turn made final has left the mempool: until then nothing is
 * built, and the turn takes another round. */
static enum err look_for_work(struct replica *r) {
    bool changed;
    if (r->final_count > 0) {
        return OK;
    }
    enum err e = replica_refresh_work(r, &changed);
    if (e == OK && changed) {
        struct consensus_event event = {.kind = EVENT_WORK, .from = CONSENSUS_ALL};
        event.u.work = r->work;
        r->build_wanted = false; /* the core decides anew */
        e = replica_feed(r, &event);
    }
    if (e == OK && r->build_wanted && r->final_count == 0) {
        e = replica_build(r);
        e = e == OK ? replica_follow(r) : e;
    }
    return e;
}

/* A closing block became final: the next epoch's first words go out with this very turn. */
static enum err follow_epoch(struct replica *r, bool *out_more) {
    if (chain_epoch(r->config.chain)->number == r->epoch.number) {
        return OK;
    }
    *out_more = true;
    return replica_begin_epoch(r);
}

static enum err flush_once(struct replica *r, bool *out_more) {
    enum err e = look_for_work(r);
    if (e == OK) {
        e = replica_catch_up(r);
    }
    if (e == OK) {
        e = replica_ask_bodies(r);
    }
    if (e == OK) {
        e = replica_sync_journal(r);
    }
    if (e == OK) {
        *out_more = r->final_count > 0;
        replica_send_all(r);
        e = replica_finalize_all(r);
    }
    return e == OK ? follow_epoch(r, out_more) : e;
}

static uint64_t next_deadline(const struct replica *r) {
    uint64_t housekeeping_ms = r->synced_ms + r->config.timing.sync_interval_ms;
    uint64_t candidates[] = {
        r->core_timer_ms,
        replica_bodies_deadline(r),
        replica_catchup_deadline(r),
        r->taken_reset_ms + HOUSEKEEPING_MS,
        housekeeping_ms,
        r->config.timing.status_ms != 0 ? r->status_sent_ms + r->config.timing.status_ms : UINT64_MAX,
    };
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        first = candidates[i] < first ? candidates[i] : first;
    }
    return first > r->mono_ms ? first : r->mono_ms + 1;
}

enum err replica_flush(struct replica *r) {
    uint8_t tip[HASH_LEN];
    if (r->config.times != NULL && r->failed == OK && consensus_tip(r->core, tip)) {
        stage_times_notarized(r->config.times, tip);
    }
    bool more = true;
    enum err e = r->failed;
    while (e == OK && more) {
        e = flush_once(r, &more);
    }
    ASSERT(e != OK || r->final_count == 0); /* what was decided in a turn is final at its end */
    if (e == OK) {
        replica_send_all(r); /* what the last finalization had to announce */
        r->config.ops.set_timer(r->config.ctx, next_deadline(r));
    }
    return e;
}

enum err replica_sync(struct replica *r) {
    enum err e = replica_flush(r);
    return e == OK ? replica_sync_chain(r) : e;
}

/* ---- Looking in -------------------------------------------------------------------------------------------------- */

bool replica_failed(const struct replica *r) {
    return r->failed != OK;
}

const char *replica_error(const struct replica *r) {
    return r->why.text;
}

void replica_check(const struct replica *r) {
    consensus_check(r->core);
    ASSERT(r->followup_count == 0);
    ASSERT(r->final_count == 0 && r->out_count == 0); /* a turn was flushed */
    ASSERT(r->pending_count <= PENDING_MAX);
    ASSERT(r->failed != OK || r->decided_height == chain_head(r->config.chain)->header.height);
}

struct bytes replica_certificate(const struct replica *r, uint64_t view, enum vote_kind kind) {
    return consensus_certificate(r->core, view, kind);
}

void replica_stats(const struct replica *r, struct replica_stats *out) {
    *out = (struct replica_stats){
        .height = chain_head(r->config.chain)->header.height,
        .catching_up = replica_catching_up(r),
        .messages_in = r->messages_in,
        .messages_bad = r->messages_bad,
        .messages_out = r->messages_out,
        .bytes_out = r->bytes_out,
        .journal_syncs = r->journal_syncs,
        .final_blocks = r->final_blocks,
        .wanted_bodies = r->pending_count,
        .outbox = r->out_count,
    };
    out->me = r->me;
    out->best_height = replica_believed_height(r);
    consensus_status(r->core, &out->consensus);
}
