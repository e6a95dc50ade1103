/* What the core asks for: journal, outbox, finality, and the loop that feeds it its answers. */
#include "node/ledger/ledger_time.h"
#include "node/ledger/mempool.h"
#include "node/ledger/replica_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

/* ---- Out --------------------------------------------------------------------------------------------------------- */

enum err replica_post(struct replica *r, enum audience audience, uint16_t peer, const struct peer_message *message) {
    return replica_post_in(r, r->epoch.number, audience, peer, message);
}

enum err replica_post_in(struct replica *r, uint64_t epoch, enum audience audience, uint16_t peer,
                         const struct peer_message *message) {
    if (r->out_count == OUTBOX_MESSAGES_MAX || r->out_bytes.len > OUTBOX_BYTES_MAX) {
        return OK; /* as if the network had lost it */
    }
    ASSERT(audience != TO_PEER || (peer < REPLICA_PEERS_MAX && r->peers[peer].known));
    struct peer_message stamped = *message;
    stamped.epoch = epoch;
    size_t offset = r->out_bytes.len;
    enum err e = peer_encode(&stamped, &r->out_bytes);
    if (e == ERR_TOOLARGE) {
        return OK;
    }
    if (e != OK) {
        return replica_fail(r, e, "queueing a message: %s", err_text(e));
    }
    r->out[r->out_count++] = (struct outgoing){
        .audience = audience, .kind = message->kind, .peer = peer, .offset = offset, .len = r->out_bytes.len - offset};
    return OK;
}

/* To a validator by its index. One that is no peer of ours is as good as one whose link is down. */
static enum err post_to(struct replica *r, uint16_t to, const struct peer_message *message) {
    if (to == CONSENSUS_ALL) {
        return replica_post(r, TO_VALIDATORS, 0, message);
    }
    ASSERT(to < r->epoch.count); /* the core speaks of validators of its own epoch */
    return r->peer_of[to] != NO_PEER ? replica_post(r, TO_PEER, r->peer_of[to], message) : OK;
}

static enum err post_votes(struct replica *r) {
    if (r->vote_count == 0) {
        return OK;
    }
    struct peer_message message = {.kind = PEER_VOTES, .u.votes = {r->votes, r->vote_count}};
    r->vote_count = 0;
    return post_to(r, r->votes_to, &message);
}

static enum err gather_vote(struct replica *r, uint16_t to, const struct consensus_vote *vote) {
    enum err e = OK;
    if (r->vote_count == PEER_VOTES_MAX || (r->vote_count > 0 && r->votes_to != to)) {
        e = post_votes(r);
    }
    r->votes_to = to;
    ASSERT(r->vote_count < PEER_VOTES_MAX);
    r->votes[r->vote_count++] = *vote;
    return e;
}

static enum err post_proposal(struct replica *r, const struct consensus_effect *effect) {
    struct bytes body = chain_body(r->config.chain, effect->u.vote.vote.subject.block);
    if (body.data == NULL) {
        return OK; /* final meanwhile: nobody needs it as a proposal */
    }
    struct peer_message message = {.kind = PEER_PROPOSAL,
                                   .u.proposal = {
                                       .view = effect->view,
                                       .body = body,
                                       .certificates = {effect->u.vote.certificates, effect->u.vote.count},
                                   }};
    memcpy(message.u.proposal.signature, effect->u.vote.vote.signature, SIG_LEN);
    return post_to(r, effect->to, &message);
}

enum err replica_sync_journal(struct replica *r) {
    bool synced = false;
    uint64_t start_us = stage_times_now_us(r->config.times);
    enum err e = r->journal != NULL ? journal_sync(r->journal, &synced) : OK;
    r->journal_syncs += synced ? 1 : 0;
    if (synced) {
        stage_times_since(r->config.times, STAGE_JOURNAL_SYNC, start_us);
    }
    return e == OK ? OK : replica_fail(r, e, "syncing the vote journal: %s", journal_error());
}

/* The epoch's other validators, or everybody else. */
static size_t gather_peers(const struct replica *r, bool validators, uint16_t out[REPLICA_PEERS_MAX]) {
    size_t count = 0;
    for (uint16_t i = 0; i < REPLICA_PEERS_MAX; i++) {
        if (r->peers[i].known && (r->peers[i].index != CONSENSUS_ALL) == validators) {
            out[count++] = i;
        }
    }
    return count;
}

void replica_send_all(struct replica *r) {
    uint16_t peers[REPLICA_PEERS_MAX];
    for (size_t i = 0; i < r->out_count; i++) {
        const struct outgoing *out = &r->out[i];
        struct bytes bytes = bytes_of(r->out_bytes.data + out->offset, out->len);
        switch (out->audience) {
        case TO_PEER:
            r->config.ops.send(r->config.ctx, out->peer, out->kind, bytes);
            break;
        case TO_VALIDATORS:
        case TO_OBSERVERS:
            r->config.ops.multicast(r->config.ctx, peers, gather_peers(r, out->audience == TO_VALIDATORS, peers),
                                    out->kind, bytes);
            break;
        }
        r->messages_out++;
        r->bytes_out += out->len;
    }
    r->out_count = 0;
    buffer_reset(&r->out_bytes);
}

/* ---- Finality ---------------------------------------------------------------------------------------------------- */

enum err replica_sync_chain(struct replica *r) {
    r->synced_ms = r->mono_ms;
    if (chain_head(r->config.chain)->header.height == chain_synced_height(r->config.chain)) {
        return OK;
    }
    enum err e = chain_sync(r->config.chain);
    if (e != OK) {
        return replica_fail(r, e, "syncing the block log: %s", chain_error(r->config.chain));
    }
    /* What the block log has, the journal need not keep. */
    const struct block_header *head = &chain_head(r->config.chain)->header;
    uint64_t view = block_header_closes(head) ? UINT64_MAX : head->view;
    e = r->journal != NULL ? journal_discard(r->journal, head->epoch, view) : OK;
    return e == OK ? OK : replica_fail(r, e, "shortening the vote journal: %s", journal_error());
}

static void block_is_final(void *arg, const struct block *block) {
    struct replica *r = arg;
    r->final_blocks++;
    stage_times_final(r->config.times, block->hash);
    if (r->config.ops.on_final != NULL) {
        r->config.ops.on_final(r->config.ctx, block);
    }
}

/* Clocks differ, and ours was read when the turn began: what is too far by so little waits a moment. */
#define EXPIRY_GRACE_MS 2000u
/* For so long what was judged by the state before may still come in. */
#define LOOK_FAR_MS 10000u

/* After a vote for a shorter lifetime: what waits and may stand in no block now would only look like work. */
static void drop_too_far(struct replica *r) {
    const struct block_header *head = &chain_head(r->config.chain)->header;
    uint64_t lifetime_ms = chain_params(r->config.chain)->tx_max_lifetime_ms;
    if (lifetime_ms < r->lifetime_ms) {
        r->look_far_until = head->time_ms + LOOK_FAR_MS;
    }
    r->lifetime_ms = lifetime_ms;
    if (head->time_ms < r->look_far_until) {
        uint64_t latest_ms = ledger_time_now(r->wall_ms, head->time_ms) + lifetime_ms + EXPIRY_GRACE_MS;
        (void)mempool_drop_beyond(r->config.mempool, latest_ms, r->config.ops.on_too_far, r->config.ctx);
    }
}

enum err replica_finalize_all(struct replica *r) {
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
    replica_note_room(r, true, "");
    if (chain_head(r->config.chain)->header.height - chain_synced_height(r->config.chain) >= UNSYNCED_MAX) {
        enum err e = replica_sync_chain(r);
        if (e != OK) {
            return e;
        }
    }
    replica_drop_pending(r);
    drop_too_far(r);
    consensus_set_heartbeat(r->core, chain_params(r->config.chain)->heartbeat_ms);
    struct peer_message status = {.kind = PEER_STATUS, .u.status.height = chain_head(r->config.chain)->header.height};
    return replica_post(r, TO_OBSERVERS, 0, &status);
}

enum err replica_decide(struct replica *r, const uint8_t hash[HASH_LEN], uint64_t height, struct bytes certificate) {
    if (r->final_count == FINALS_MAX) {
        enum err e = replica_sync_journal(r);
        e = e == OK ? replica_finalize_all(r) : e;
        if (e != OK) {
            return e;
        }
    }
    ASSERT(certificate.len > 0 && certificate.len <= CERTIFICATE_MAX);
    ASSERT(r->final_count < FINALS_MAX);
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

/* ---- Effects ----------------------------------------------------------------------------------------------------- */

static enum err carry_out_journal(struct replica *r, const struct consensus_effect *effect) {
    enum err e = OK;
    struct bytes body;
    ASSERT(r->journal != NULL);
    switch (effect->kind) {
    case EFFECT_JOURNAL_BODY:
        body = chain_body(r->config.chain, effect->u.block.hash);
        if (body.data != NULL) {
            e = journal_body(r->journal, r->epoch.number, effect->view, body);
        } else if (chain_status(r->config.chain, effect->u.block.hash) != CHAIN_FINAL) {
            return replica_fail(r, ERR_NOTFOUND, "a block to be voted on is gone");
        }
        break;
    case EFFECT_JOURNAL_CERTIFICATE:
        e = journal_certificate(r->journal, r->epoch.number, effect->view, effect->u.block.certificate);
        break;
    default:
        e = journal_vote(r->journal, &effect->u.vote.vote);
        break;
    }
    return e == OK ? OK : replica_fail(r, e, "writing the vote journal: %s", journal_error());
}

static enum err carry_out_send(struct replica *r, const struct consensus_effect *effect) {
    struct peer_message message = {0};
    switch (effect->kind) {
    case EFFECT_SEND_VOTE:
        return gather_vote(r, effect->to, &effect->u.vote.vote);
    case EFFECT_SEND_PROPOSAL:
        return post_proposal(r, effect);
    case EFFECT_SEND_CERTIFICATE:
        message.kind = PEER_CERTIFICATES;
        message.u.certificates = (struct peer_spans){&effect->u.block.certificate, 1};
        break;
    case EFFECT_SEND_ASK_RECALL:
        message.kind = PEER_RECALL_ASK;
        message.u.recall_ask.nonce = effect->u.recall.nonce;
        break;
    case EFFECT_SEND_RECALL:
        message.kind = PEER_RECALL;
        message.u.recall.nonce = effect->u.recall.nonce;
        message.u.recall.votes = (struct peer_votes){effect->u.recall.votes, effect->u.recall.count};
        break;
    default:
        message.kind = PEER_CERTIFICATES_ASK;
        message.u.certificates_ask = (struct peer_certificates_ask){effect->view, effect->u.last};
        break;
    }
    return post_to(r, effect->to, &message);
}

static void carry_out_alarm(struct replica *r, const struct consensus_effect *effect) {
    static const char *const names[] = {
        [ALARM_EQUIVOCATION] = "equivocation", [ALARM_SAFETY] = "safety",       [ALARM_OLD_JOURNAL] = "old-journal",
        [ALARM_WINDOW] = "no-finality",        [ALARM_EFFECTS] = "outbox-full",
    };
    char text[256];
    if (effect->u.alarm == ALARM_WINDOW && replica_believed_height(r) > r->decided_height) {
        return; /* the others go on: it is this node that is behind */
    }
    int n = snprintf(text, sizeof text, "view %llu: %s", (unsigned long long)effect->view,
                     consensus_alarm_text(effect->u.alarm));
    if (effect->to != CONSENSUS_ALL && n > 0 && (size_t)n < sizeof text) {
        (void)snprintf(text + n, sizeof text - (size_t)n, " (validator %u)", (unsigned)effect->to);
    }
    replica_alarm(r, names[effect->u.alarm], text);
}

static void carry_out_evidence(struct replica *r, const struct consensus_effect *effect) {
    const struct consensus_vote *first = &effect->u.evidence.first;
    ASSERT(first->signer < r->epoch.count);
    if (r->config.ops.on_evidence != NULL) {
        r->config.ops.on_evidence(r->config.ctx, r->epoch.keys[first->signer], first, &effect->u.evidence.second);
    }
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
        return header != NULL ? replica_decide(r, effect->u.block.hash, header->height, effect->u.block.certificate)
                              : replica_fail(r, ERR_NOTFOUND, "a final block is gone");
    case EFFECT_BEHIND:
        /* At least one more than we have; it may have said more itself. */
        if (effect->to < r->epoch.count && r->peer_of[effect->to] != NO_PEER &&
            r->peers[r->peer_of[effect->to]].height <= r->decided_height) {
            replica_take_status(r, r->peer_of[effect->to], r->decided_height + 1);
        }
        return OK;
    case EFFECT_DIVERGED:
        return diverged(r, effect);
    case EFFECT_EVIDENCE:
        carry_out_evidence(r, effect);
        return OK;
    case EFFECT_ALARM:
        carry_out_alarm(r, effect);
        return OK;
    case EFFECT_SET_TIMER:
        r->core_timer_ms = effect->u.at_ms;
        return OK;
    }
    return OK;
}

/* Only gives the core the event; its effects wait for replica_follow. */
static void give_event(struct replica *r, struct consensus_event *event) {
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
    out->u.block.parent_view = parent != NULL && parent->epoch == header->epoch ? parent->view : 0;
    out->u.block.closes = block_header_closes(header);
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
        struct consensus_event event;
        if (e == OK && buffer_ok(&r->gone) != OK) {
            e = replica_fail(r, ERR_NOMEM, "noting blocks that went: %s", err_text(ERR_NOMEM));
        }
        if (e == OK && replica_next_gone(r, &event)) {
            give_event(r, &event);
            continue;
        }
        if (e == OK && r->followup_count == 0 && r->pending_count > 0) {
            e = replica_retry_pending(r);
        }
        if (e != OK || r->followup_count == 0) {
            return e;
        }
        if (next_followup(r, &event)) {
            give_event(r, &event);
        }
    }
}

enum err replica_feed(struct replica *r, struct consensus_event *event) {
    give_event(r, event);
    return replica_follow(r);
}
