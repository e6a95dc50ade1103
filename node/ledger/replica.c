#include "node/ledger/replica_state.h"

#include "base/assert.h"
#include "base/ed25519.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUSEKEEPING_MS 1000

void replica_timing_default(struct replica_timing *out) {
    consensus_timing_default(&out->consensus);
    out->max_ahead_ms = 2000;
    out->max_behind_ms = 30000;
    out->sync_interval_ms = 1000;
    out->fetch_retry_ms = 300;
    out->status_ms = 2000;
}

enum err replica_fail(struct replica *r, enum err e, const char *format, ...) {
    if (r->failed == OK) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(r->error, sizeof r->error, format, args);
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

/* ---- Out ------------------------------------------------------------------------------------------------------------- */

enum err replica_post(struct replica *r, enum audience audience, uint16_t peer, const struct peer_message *message) {
    if (r->out_count == OUTBOX_MESSAGES_MAX || r->out_bytes.len > OUTBOX_BYTES_MAX) {
        return OK; /* as if the network had lost it */
    }
    struct peer_message stamped = *message;
    stamped.epoch = r->config.epoch;
    size_t offset = r->out_bytes.len;
    enum err e = peer_encode(&stamped, &r->out_bytes);
    if (e == ERR_TOOLARGE) {
        return OK;
    }
    if (e != OK) {
        return replica_fail(r, e, "queueing a message: %s", err_text(e));
    }
    r->out[r->out_count++] =
        (struct outgoing){.audience = audience, .peer = peer, .offset = offset, .len = r->out_bytes.len - offset};
    return OK;
}

static enum err post_to(struct replica *r, uint16_t to, const struct peer_message *message) {
    return replica_post(r, to == CONSENSUS_ALL ? TO_VALIDATORS : TO_PEER, to, message);
}

static enum err post_votes(struct replica *r) {
    if (r->vote_count == 0) {
        return OK;
    }
    struct peer_message message = {.kind = PEER_VOTES, .votes = r->votes, .vote_count = r->vote_count};
    r->vote_count = 0;
    return post_to(r, r->votes_to, &message);
}

static enum err gather_vote(struct replica *r, uint16_t to, const struct consensus_vote *vote) {
    enum err e = OK;
    if (r->vote_count == PEER_VOTES_MAX || (r->vote_count > 0 && r->votes_to != to)) {
        e = post_votes(r);
    }
    r->votes_to = to;
    r->votes[r->vote_count++] = *vote;
    return e;
}

static enum err post_proposal(struct replica *r, const struct consensus_effect *effect) {
    struct bytes body = chain_body(r->config.chain, effect->u.vote.vote.subject.block);
    if (body.data == NULL) {
        return OK; /* final meanwhile: nobody needs it as a proposal */
    }
    struct peer_message message = {.kind = PEER_PROPOSAL,
                                   .body = body,
                                   .spans = effect->u.vote.certificates,
                                   .span_count = effect->u.vote.count};
    memcpy(message.signature, effect->u.vote.vote.signature, SIG_LEN);
    return post_to(r, effect->to, &message);
}

static enum err sync_journal(struct replica *r) {
    bool synced = false;
    enum err e = r->journal != NULL ? journal_sync(r->journal, &synced) : OK;
    r->journal_syncs += synced ? 1 : 0;
    return e == OK ? OK : replica_fail(r, e, "syncing the vote journal: %s", journal_error());
}

static void send_all(struct replica *r) {
    for (size_t i = 0; i < r->out_count; i++) {
        const struct outgoing *out = &r->out[i];
        struct bytes bytes = bytes_of(r->out_bytes.data + out->offset, out->len);
        switch (out->audience) {
        case TO_PEER:
            r->config.ops.send(r->config.ctx, out->peer, bytes);
            break;
        case TO_VALIDATORS:
            r->config.ops.broadcast(r->config.ctx, bytes);
            break;
        case TO_OBSERVERS:
            if (r->config.ops.announce != NULL) {
                r->config.ops.announce(r->config.ctx, bytes);
            }
            break;
        }
        r->messages_out++;
        r->bytes_out += out->len;
    }
    r->out_count = 0;
    buffer_reset(&r->out_bytes);
}

/* ---- Finality ---------------------------------------------------------------------------------------------------------- */

static enum err sync_chain(struct replica *r) {
    r->synced_ms = r->mono_ms;
    if (chain_head(r->config.chain)->header.height == chain_synced_height(r->config.chain)) {
        return OK;
    }
    enum err e = chain_sync(r->config.chain);
    if (e != OK) {
        return replica_fail(r, e, "syncing the block log: %s", chain_error(r->config.chain));
    }
    /* What the block log has, the journal need not keep. */
    e = r->journal != NULL ? journal_discard(r->journal, chain_head(r->config.chain)->header.view) : OK;
    return e == OK ? OK : replica_fail(r, e, "shortening the vote journal: %s", journal_error());
}

static void block_is_final(void *arg, const struct block *block) {
    struct replica *r = arg;
    r->final_blocks++;
    if (r->config.ops.on_final != NULL) {
        r->config.ops.on_final(r->config.ctx, block);
    }
}

static enum err finalize_all(struct replica *r) {
    for (size_t i = 0; i < r->final_count; i++) {
        const struct final *final = &r->finals[i];
        if (chain_status(r->config.chain, final->hash) == CHAIN_FINAL) {
            continue;
        }
        enum err e = chain_finalize(r->config.chain, final->hash, bytes_of(final->certificate, final->certificate_len),
                                    block_is_final, r);
        if (e != OK) {
            return replica_fail(r, e, "making a block final: %s", chain_error(r->config.chain));
        }
    }
    bool any = r->final_count > 0;
    r->final_count = 0;
    if (!any) {
        return OK;
    }
    if (chain_head(r->config.chain)->header.height - chain_synced_height(r->config.chain) >= UNSYNCED_MAX) {
        enum err e = sync_chain(r);
        if (e != OK) {
            return e;
        }
    }
    replica_drop_pending(r);
    struct peer_message status = {.kind = PEER_STATUS, .number = chain_head(r->config.chain)->header.height};
    return replica_post(r, TO_OBSERVERS, 0, &status);
}

enum err replica_decide(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t height, struct bytes certificate) {
    if (r->final_count == FINALS_MAX) {
        enum err e = sync_journal(r);
        e = e == OK ? finalize_all(r) : e;
        if (e != OK) {
            return e;
        }
    }
    ASSERT(certificate.len <= CERTIFICATE_MAX);
    struct final *final = &r->finals[r->final_count++];
    memcpy(final->hash, hash, HASH_LEN);
    memcpy(final->certificate, certificate.data, certificate.len);
    final->certificate_len = certificate.len;
    r->decided_height = height;
    return OK;
}

static enum err diverged(struct replica *r, const struct consensus_effect *effect) {
    const struct block_header *h = chain_header(r->config.chain, effect->u.block.hash);
    char hash[2 * HASH_LEN + 1];
    char root[2 * HASH_LEN + 1] = "";
    hex_encode(effect->u.block.hash, HASH_LEN, hash);
    if (h != NULL) {
        hex_encode(h->state_root, HASH_LEN, root);
    }
    return replica_fail(r, ERR_DIVERGED, "block %s is final with state root %s and does not execute to it here (%s)",
                        hash, root, chain_error(r->config.chain));
}

/* ---- Effects --------------------------------------------------------------------------------------------------------------- */

static enum err carry_out_journal(struct replica *r, const struct consensus_effect *effect) {
    enum err e = OK;
    struct bytes body;
    ASSERT(r->journal != NULL);
    switch (effect->kind) {
    case EFFECT_JOURNAL_BODY:
        body = chain_body(r->config.chain, effect->u.block.hash);
        if (body.data != NULL) {
            e = journal_body(r->journal, effect->view, body);
        } else if (chain_status(r->config.chain, effect->u.block.hash) != CHAIN_FINAL) {
            return replica_fail(r, ERR_NOTFOUND, "a block to be voted on is gone");
        }
        break;
    case EFFECT_JOURNAL_CERTIFICATE:
        e = journal_certificate(r->journal, effect->view, effect->u.block.certificate);
        break;
    default:
        e = journal_vote(r->journal, &effect->u.vote.vote);
        break;
    }
    return e == OK ? OK : replica_fail(r, e, "writing the vote journal: %s", journal_error());
}

static enum err carry_out_send(struct replica *r, const struct consensus_effect *effect) {
    struct peer_message message = {.number = effect->u.recall.nonce};
    switch (effect->kind) {
    case EFFECT_SEND_VOTE:
        return gather_vote(r, effect->to, &effect->u.vote.vote);
    case EFFECT_SEND_PROPOSAL:
        return post_proposal(r, effect);
    case EFFECT_SEND_CERTIFICATE:
        message = (struct peer_message){
            .kind = PEER_CERTIFICATES, .spans = &effect->u.block.certificate, .span_count = 1};
        break;
    case EFFECT_SEND_ASK_RECALL:
        message.kind = PEER_RECALL_ASK;
        break;
    case EFFECT_SEND_RECALL:
        message.kind = PEER_RECALL;
        message.votes = effect->u.recall.votes;
        message.vote_count = effect->u.recall.count;
        break;
    default:
        message = (struct peer_message){
            .kind = PEER_CERTIFICATES_ASK, .number = effect->view, .last = effect->u.last};
        break;
    }
    return post_to(r, effect->to, &message);
}

static void carry_out_alarm(struct replica *r, const struct consensus_effect *effect) {
    static const char *const names[] = {
        [ALARM_EQUIVOCATION] = "equivocation", [ALARM_SAFETY] = "safety", [ALARM_OLD_JOURNAL] = "old-journal",
        [ALARM_WINDOW] = "no-finality",        [ALARM_EFFECTS] = "outbox-full",
    };
    char text[256];
    int n = snprintf(text, sizeof text, "view %llu: %s", (unsigned long long)effect->view,
                     consensus_alarm_text(effect->u.alarm));
    if (effect->to != CONSENSUS_ALL && n > 0 && (size_t)n < sizeof text) {
        (void)snprintf(text + n, sizeof text - (size_t)n, " (validator %u)", (unsigned)effect->to);
    }
    replica_alarm(r, names[effect->u.alarm], text);
}

static enum err carry_out(struct replica *r, const struct consensus_effect *effect) {
    const struct block_header *header;
    switch (effect->kind) {
    case EFFECT_JOURNAL_VOTE:
    case EFFECT_JOURNAL_PROPOSAL:
    case EFFECT_JOURNAL_BODY:
    case EFFECT_JOURNAL_CERTIFICATE:
        return carry_out_journal(r, effect);
    case EFFECT_SEND_VOTE:
    case EFFECT_SEND_PROPOSAL:
    case EFFECT_SEND_CERTIFICATE:
    case EFFECT_SEND_ASK_RECALL:
    case EFFECT_SEND_RECALL:
    case EFFECT_SEND_ASK_CERTIFICATES:
        return carry_out_send(r, effect);
    case EFFECT_BUILD:
        r->build_wanted = true;
        r->build_view = effect->view;
        memcpy(r->build_parent, effect->u.block.hash, HASH_LEN);
        return OK;
    case EFFECT_EXECUTE:
        return replica_pursue(r, effect->u.block.hash, effect->view);
    case EFFECT_FINALIZE:
        header = chain_header(r->config.chain, effect->u.block.hash);
        return header != NULL
                   ? replica_decide(r, effect->u.block.hash, header->height, effect->u.block.certificate)
                   : replica_fail(r, ERR_NOTFOUND, "a final block is gone");
    case EFFECT_BEHIND:
        if (effect->to < REPLICA_PEERS_MAX) {
            replica_take_status(r, effect->to, r->decided_height + 1);
        }
        return OK;
    case EFFECT_DIVERGED:
        return diverged(r, effect);
    case EFFECT_ALARM:
        carry_out_alarm(r, effect);
        return OK;
    case EFFECT_SET_TIMER:
        r->core_timer_ms = effect->u.at_ms;
        return OK;
    }
    return OK;
}

static void step(struct replica *r, struct consensus_event *event) {
    event->now_ms = r->mono_ms;
    r->core_timer_ms = UINT64_MAX;
    consensus_step(r->core, event, r->effects);
}

bool replica_describe(const struct replica *r, const uint8_t hash[HASH_LEN], struct consensus_event *out) {
    const struct block_header *header = chain_header(r->config.chain, hash);
    if (header == NULL) {
        return false;
    }
    const struct block_header *parent = chain_header(r->config.chain, header->parent);
    memcpy(out->u.block.hash, hash, HASH_LEN);
    memcpy(out->u.block.parent, header->parent, HASH_LEN);
    out->u.block.view = header->view;
    out->u.block.parent_view = parent != NULL ? parent->view : 0;
    return true;
}

/* Turns the oldest answer that waits into an event; false when its block went meanwhile. */
static bool next_followup(struct replica *r, struct consensus_event *out) {
    struct followup f = r->followups[0];
    r->followup_count--;
    memmove(r->followups, r->followups + 1, r->followup_count * sizeof r->followups[0]);
    *out = (struct consensus_event){.kind = f.kind, .from = CONSENSUS_ALL};
    out->u.block.state = f.state;
    out->u.block.journaled = f.journaled;
    return replica_describe(r, f.hash, out);
}

enum err replica_follow(struct replica *r) {
    for (;;) {
        enum err e = OK;
        for (size_t i = 0; i < r->effects->count && e == OK; i++) {
            e = carry_out(r, &r->effects->items[i]);
        }
        r->effects->count = 0;
        if (e == OK) {
            e = post_votes(r);
        }
        if (e == OK && r->followup_count == 0 && r->pending_count > 0) {
            e = replica_retry_pending(r);
        }
        if (e != OK || r->followup_count == 0) {
            return e;
        }
        struct consensus_event event;
        if (next_followup(r, &event)) {
            step(r, &event);
        }
    }
}

enum err replica_feed(struct replica *r, struct consensus_event *event) {
    step(r, event);
    return replica_follow(r);
}

/* ---- Messages ----------------------------------------------------------------------------------------------------------------- */

static enum err take_certificates(struct replica *r, uint16_t peer, const struct peer_message *m) {
    enum err e = OK;
    for (size_t i = 0; i < m->span_count && e == OK; i++) {
        struct consensus_event event = {.kind = EVENT_CERTIFICATE, .from = peer};
        event.u.certificate = m->spans[i];
        e = replica_feed(r, &event);
    }
    return e;
}

static enum err take_votes(struct replica *r, uint16_t peer, const struct peer_message *m) {
    enum err e = OK;
    for (size_t i = 0; i < m->vote_count && e == OK; i++) {
        struct consensus_event event = {.kind = EVENT_VOTE, .from = peer};
        event.u.vote = m->votes[i];
        e = replica_feed(r, &event);
    }
    return e;
}

static enum err take_proposal(struct replica *r, uint16_t peer, const struct peer_message *m) {
    struct consensus_event event = {.kind = EVENT_PROPOSAL, .from = peer};
    uint8_t hash[HASH_LEN];
    if (block_peek(m->body, &event.u.proposal.header, event.u.proposal.hash) != OK) {
        r->messages_bad++;
        return OK;
    }
    enum err e = take_certificates(r, peer, m);
    if (e != OK) {
        return e;
    }
    memcpy(event.u.proposal.signature, m->signature, SIG_LEN);
    step(r, &event);
    /* The body is kept only when the core has taken the header: a proposal costs its leader's signature. */
    if (consensus_wants_body(r->core, event.u.proposal.header.view, event.u.proposal.hash)) {
        e = chain_add(r->config.chain, m->body, hash);
        if (e == ERR_NOMEM) {
            return replica_fail(r, e, "taking a proposal: %s", err_text(e));
        }
    }
    return replica_follow(r);
}

static enum err take_numbers(struct replica *r, uint16_t peer, const struct peer_message *m) {
    struct consensus_event event = {.from = peer};
    if (m->kind == PEER_CERTIFICATES_ASK) {
        event.kind = EVENT_ASK_CERTIFICATES;
        event.u.views.first = m->number;
        event.u.views.last = m->last;
    } else {
        event.kind = m->kind == PEER_RECALL_ASK ? EVENT_ASK_RECALL : EVENT_RECALL;
        event.u.recall.nonce = m->number;
        event.u.recall.votes = m->votes;
        event.u.recall.count = m->vote_count;
    }
    return replica_feed(r, &event);
}

static enum err take_message(struct replica *r, uint16_t peer, const struct peer_message *m) {
    switch (m->kind) {
    case PEER_PROPOSAL:
        return take_proposal(r, peer, m);
    case PEER_VOTES:
        return take_votes(r, peer, m);
    case PEER_CERTIFICATES:
        return take_certificates(r, peer, m);
    case PEER_RECALL_ASK:
    case PEER_RECALL:
    case PEER_CERTIFICATES_ASK:
        return take_numbers(r, peer, m);
    case PEER_BODY_ASK:
        return replica_serve_body(r, peer, m->hash);
    case PEER_BODY: {
        enum err e = replica_take_body(r, m->body);
        return e == OK ? replica_follow(r) : e;
    }
    case PEER_BLOCKS_ASK:
        return replica_serve_blocks(r, peer, m->number);
    case PEER_BLOCKS:
        return replica_take_blocks(r, peer, m);
    case PEER_STATUS:
        replica_take_status(r, peer, m->number);
        return OK;
    case PEER_TRANSACTION:
        if (r->config.ops.check_transaction != NULL) {
            r->config.ops.check_transaction(r->config.ctx, peer, m->body);
        }
        return OK;
    }
    return OK;
}

enum err replica_message(struct replica *r, uint16_t peer, struct bytes message) {
    if (r->failed != OK) {
        return r->failed;
    }
    r->messages_in++;
    struct peer_message m;
    if (peer >= REPLICA_PEERS_MAX || peer == r->config.me) {
        r->messages_bad++;
        return OK;
    }
    enum err e = peer_decode(message, &m);
    if (e != OK) {
        r->messages_bad++;
        return e == ERR_NOMEM ? replica_fail(r, e, "decoding a message: %s", err_text(e)) : OK;
    }
    /* A message of another epoch means nothing here. */
    e = m.epoch == r->config.epoch ? take_message(r, peer, &m) : OK;
    peer_free(&m);
    return e;
}

/* ---- Transactions --------------------------------------------------------------------------------------------------------------- */

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
        struct peer_message message = {.kind = PEER_TRANSACTION, .body = tx->envelope};
        e = replica_post(r, TO_VALIDATORS, 0, &message);
    }
    if (e == OK) {
        r->barren_until_ms = 0;
    }
    return e;
}

/* ---- Turns ------------------------------------------------------------------------------------------------------------------------ */

static enum err housekeeping(struct replica *r) {
    if (r->mono_ms >= r->served_reset_ms + HOUSEKEEPING_MS) {
        r->served_reset_ms = r->mono_ms;
        for (size_t i = 0; i < REPLICA_PEERS_MAX; i++) {
            r->peers[i].served = 0;
        }
    }
    if (r->mono_ms >= r->synced_ms + r->config.timing.sync_interval_ms) {
        enum err e = sync_chain(r);
        if (e != OK) {
            return e;
        }
    }
    uint32_t every = r->config.timing.status_ms;
    if (every != 0 && r->mono_ms >= r->status_sent_ms + every) {
        r->status_sent_ms = r->mono_ms;
        struct peer_message status = {.kind = PEER_STATUS, .number = r->decided_height};
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

static enum err flush_once(struct replica *r, bool *out_more) {
    bool changed;
    enum err e = replica_refresh_work(r, &changed);
    if (e == OK && changed) {
        struct consensus_event event = {.kind = EVENT_WORK, .from = CONSENSUS_ALL};
        event.u.work = r->work;
        r->build_wanted = false; /* the core decides anew */
        e = replica_feed(r, &event);
    }
    if (e == OK && r->build_wanted) {
        e = replica_build(r);
        e = e == OK ? replica_follow(r) : e;
    }
    if (e == OK) {
        e = replica_catch_up(r);
    }
    if (e == OK) {
        e = replica_ask_bodies(r);
    }
    if (e == OK) {
        e = sync_journal(r);
    }
    if (e == OK) {
        *out_more = r->final_count > 0;
        send_all(r);
        e = finalize_all(r);
    }
    return e;
}

static uint64_t next_deadline(const struct replica *r) {
    uint64_t housekeeping_ms = r->synced_ms + r->config.timing.sync_interval_ms;
    uint64_t candidates[] = {
        r->core_timer_ms,
        replica_bodies_deadline(r),
        replica_catchup_deadline(r),
        r->served_reset_ms + HOUSEKEEPING_MS,
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
    bool more = true;
    enum err e = r->failed;
    while (e == OK && more) {
        e = flush_once(r, &more);
    }
    if (e == OK) {
        send_all(r); /* what the last finalization had to announce */
        r->config.ops.set_timer(r->config.ctx, next_deadline(r));
    }
    return e;
}

enum err replica_sync(struct replica *r) {
    enum err e = replica_flush(r);
    return e == OK ? sync_chain(r) : e;
}

/* ---- Looking in --------------------------------------------------------------------------------------------------------------------- */

bool replica_failed(const struct replica *r) {
    return r->failed != OK;
}

const char *replica_error(const struct replica *r) {
    return r->error;
}

void replica_check(const struct replica *r) {
    consensus_check(r->core);
    ASSERT(r->followup_count == 0);
    ASSERT(r->final_count == 0 && r->out_count == 0); /* a turn was flushed */
    ASSERT(r->pending_count <= PENDING_MAX);
    ASSERT(r->failed != OK || r->decided_height == chain_head(r->config.chain)->header.height);
}

void replica_stats(const struct replica *r, struct replica_stats *out) {
    *out = (struct replica_stats){
        .height = chain_head(r->config.chain)->header.height,
        .catching_up = r->blocks_wanted,
        .messages_in = r->messages_in,
        .messages_bad = r->messages_bad,
        .messages_out = r->messages_out,
        .bytes_out = r->bytes_out,
        .journal_syncs = r->journal_syncs,
        .final_blocks = r->final_blocks,
        .wanted_bodies = r->pending_count,
        .outbox = r->out_count,
    };
    consensus_status(r->core, &out->consensus);
    for (size_t i = 0; i < REPLICA_PEERS_MAX; i++) {
        out->best_height = r->peers[i].height > out->best_height ? r->peers[i].height : out->best_height;
    }
}
