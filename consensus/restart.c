#include "consensus/restart.h"

#include "base/assert.h"
#include "consensus/pace.h"
#include "consensus/rules.h"
#include "consensus/views.h"

#include <string.h>

/* Views whose votes are said again at once: the newest always, older ones in turn. Each has at most three of ours. */
#define RESENT_NEWEST 16
#define RESENT_VIEWS_MAX 40

/* ---- The journal's contents -------------------------------------------------------------------------------------- */

static void restore_vote(struct consensus *core, const struct consensus_vote *vote, struct consensus_effects *out) {
    uint64_t view = vote->subject.view;
    if (vote->signer != core->config.me || vote->subject.epoch != core->config.epoch) {
        return;
    }
    views_remember(core, vote);
    if (view <= core->final_view) {
        return;
    }
    struct slot *slot = views_make(core, view);
    if (slot == NULL) {
        core->vote_floor = view > core->vote_floor ? view : core->vote_floor;
        return;
    }
    views_record_own(core, slot, vote, out);
    uint64_t reached = vote->subject.kind == VOTE_FINALIZE ? view + 1 : view;
    core->view = reached > core->view ? reached : core->view;
}

static void restore_proposal(struct consensus *core, const struct consensus_vote *proposal) {
    if (proposal->signer != core->config.me || proposal->subject.epoch != core->config.epoch) {
        return;
    }
    views_remember(core, proposal);
    struct slot *slot = proposal->subject.view > core->final_view ? views_make(core, proposal->subject.view) : NULL;
    if (slot != NULL) {
        slot->proposed = true;
        slot->touched = true;
        slot->proposal = *proposal;
        (void)views_add_block(slot, proposal->subject.block);
    }
}

static void ask_recall(struct consensus *core, struct consensus_effects *out) {
    ASSERT(core->recalling && core_is_validator(core));
    core->recall_asked_ms = core->now_ms;
    for (uint16_t i = 0; i < core->n; i++) {
        if (i != core->config.me && !core->peers[i].answered) {
            core_effect(out, EFFECT_SEND_ASK_RECALL, i, 0)->u.recall.nonce = core->recall_nonce;
        }
    }
}

void restart_begin(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    if (core->started) {
        return;
    }
    core->started = true;
    core->final_view = event->u.start.final_view;
    memcpy(core->final_hash, event->u.start.final_hash, HASH_LEN);
    core->view = core->final_view + 1;
    core->top_certified = core->top_notarized = core->top_finalized = core->final_view;
    core->final_ms = core->entered_ms = core->progress_ms = core->resent_ms = core->now_ms;
    core->recall_floor = core->final_view;
    core->recall_nonce = core->now_ms;
    core->recall_since_ms = core->now_ms;
    const struct consensus_restored *restored = event->u.start.restored;
    for (size_t i = 0; restored != NULL && i < restored->vote_count; i++) {
        restore_vote(core, &restored->votes[i], out);
    }
    for (size_t i = 0; restored != NULL && i < restored->proposal_count; i++) {
        restore_proposal(core, &restored->proposals[i]);
    }
    /* From here on a vote of ours that the journal lacks shows an old copy, also in a certificate that it kept: a later
     * one of the same view would be passed over. */
    core->recalling = core_is_validator(core) && core->config.may_vote && core->n > 1;
    for (size_t i = 0; restored != NULL && i < restored->certificate_count; i++) {
        (void)views_take_certificate(core, restored->certificates[i], CONSENSUS_ALL, out);
    }
    ASSERT(core->view > core->final_view); /* whatever the journal said */
    if (core->recalling) {
        ask_recall(core, out);
    }
}

/* ---- The recall -------------------------------------------------------------------------------------------------- */

void restart_asked(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    if (event->from >= core->n || event->from == core->config.me) {
        return;
    }
    size_t count = 0;
    core->peers[event->from].reached = 0; /* it begins anew, and what it lost it may lack */
    for (int kind = VOTE_PROPOSE; kind <= VOTE_FINALIZE; kind++) {
        const struct consensus_vote *highest = views_settle_highest(core, event->from, (enum vote_kind)kind);
        if (highest != NULL) {
            core->answer[count++] = *highest;
        }
    }
    struct consensus_effect *effect = core_effect(out, EFFECT_SEND_RECALL, event->from, 0);
    effect->u.recall.nonce = event->u.recall.nonce;
    effect->u.recall.votes = core->answer;
    effect->u.recall.count = count;
    const struct slot *final = views_get(core, core->final_view);
    if (final != NULL && final->certificates[VOTE_FINALIZE].len != 0) {
        core_send_certificate(out, event->from, final, VOTE_FINALIZE);
    }
}

void restart_found_own(struct consensus *core, const struct consensus_vote *vote, struct consensus_effects *out) {
    ASSERT(core_is_validator(core) && vote->signer == core->config.me);
    const struct highest *own = &core->peers[core->config.me].highest[vote->subject.kind];
    if (!core->recalling || core->refused || vote->subject.view <= core->recall_floor) {
        return;
    }
    bool lacking = !own->any || vote->subject.view > own->vote.subject.view;
    bool contradicts = own->any && vote->subject.view == own->vote.subject.view &&
                       !core_same(vote->subject.block, own->vote.subject.block);
    if (lacking || contradicts) {
        core->refused = true;
        core_alarm(out, ALARM_OLD_JOURNAL, core->config.me, vote->subject.view);
    }
}

void restart_answered(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    if (!core->recalling || event->from >= core->n || event->u.recall.nonce != core->recall_nonce) {
        return;
    }
    for (size_t i = 0; i < event->u.recall.count && i < KINDS; i++) {
        const struct consensus_vote *vote = &event->u.recall.votes[i];
        if (vote->signer == core->config.me && vote->subject.epoch == core->config.epoch &&
            vote->subject.kind >= VOTE_PROPOSE && vote->subject.kind <= VOTE_FINALIZE &&
            vote->subject.view > core->recall_floor && views_signature_good(core, vote)) {
            restart_found_own(core, vote, out);
        }
    }
    core->peers[event->from].answered = true;
    restart_tick(core, out);
}

void restart_tick(struct consensus *core, struct consensus_effects *out) {
    if (!core->recalling) {
        return;
    }
    uint16_t answers = 0;
    for (uint16_t i = 0; i < core->n; i++) {
        answers = (uint16_t)(answers + (core->peers[i].answered ? 1 : 0));
    }
    bool waited = core->now_ms >= core->recall_since_ms + core->config.timing.recall_wait_ms;
    if (answers >= core->n - 1 || (waited && answers >= core->quorum - 1)) {
        core->recalling = false;
        return;
    }
    if (core->now_ms >= core->recall_asked_ms + core->config.timing.recall_wait_ms) {
        ask_recall(core, out);
    }
}

/* ---- Resending --------------------------------------------------------------------------------------------------- */

static void resend_votes(struct consensus *core, const struct slot *slot, struct consensus_effects *out) {
    const struct ballot *own = views_own(core, slot);
    for (int kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
        if (views_cast(own, (enum vote_kind)kind)) {
            struct consensus_vote vote = {
                .subject = {.epoch = core->config.epoch, .view = slot->view, .kind = (enum vote_kind)kind},
                .signer = core->config.me};
            memcpy(vote.subject.block, own->blocks[kind], HASH_LEN);
            memcpy(vote.signature, own->signatures[kind], SIG_LEN);
            core_send_vote(out, CONSENSUS_ALL, &vote);
        }
    }
}

/* Says votes again from view `v` down, until so many views had some; gives the view to go on from. */
static uint64_t resend_down(struct consensus *core, uint64_t v, uint64_t most, struct consensus_effects *out) {
    ASSERT(v <= core->view + 1); /* nothing of ours is further ahead */
    for (uint64_t sent = 0; v > core->final_view && sent < most; v--) {
        const struct slot *slot = views_get(core, v);
        if (slot != NULL && views_own(core, slot)->cast != 0) {
            resend_votes(core, slot, out);
            sent++;
        }
    }
    return v;
}

/* In the end every vote is said again: after a long outage it may be a finalize vote of long ago that decides. */
static void resend_own(struct consensus *core, struct consensus_effects *out) {
    uint64_t older = resend_down(core, core->view + 1, RESENT_NEWEST, out);
    bool goes_on = core->resend_from > core->final_view && core->resend_from < older;
    core->resend_from = resend_down(core, goes_on ? core->resend_from : older, RESENT_VIEWS_MAX - RESENT_NEWEST, out);
}

static void send_if_held(const struct consensus *core, uint64_t view, enum vote_kind kind, uint16_t to,
                         struct consensus_effects *out) {
    const struct slot *slot = views_get(core, view);
    if (slot != NULL && slot->certificates[kind].len != 0) {
        core_send_certificate(out, to, slot, kind);
    }
}

/* Bodies that were asked for and never came are asked for again. */
static void ask_again(struct consensus *core) {
    for (uint64_t v = core->final_view + 1; v <= core->view; v++) {
        struct slot *slot = views_get(core, v);
        for (int i = 0; slot != NULL && i < SLOT_BLOCKS; i++) {
            slot->blocks[i].asked = false;
        }
    }
}

void restart_resend(struct consensus *core, struct consensus_effects *out) {
    ASSERT(core->started && !core->closed);
    core->resent_ms = core->now_ms;
    core->helped_view = core->view; /* nobody is left out of what follows */
    ask_again(core);
    if (!core_is_validator(core)) {
        return;
    }
    send_if_held(core, core->final_view, VOTE_FINALIZE, CONSENSUS_ALL, out);
    if (core->top_finalized != core->final_view) {
        send_if_held(core, core->top_finalized, VOTE_FINALIZE, CONSENSUS_ALL, out);
    }
    send_if_held(core, core->top_notarized, VOTE_NOTARIZE, CONSENSUS_ALL, out);
    send_if_held(core, core->view - 1, VOTE_NULLIFY, CONSENSUS_ALL, out);
    const struct slot *slot = views_get(core, core->view);
    if (slot != NULL && slot->proposed && slot->proposal.signer == core->config.me && core_may_vote(core)) {
        rules_send_proposal(core, slot, CONSENSUS_ALL, out);
    }
    resend_own(core, out);
}

void restart_help(struct consensus *core, uint16_t peer, uint64_t view, struct consensus_effects *out) {
    if (peer >= core->n || peer == core->config.me || view + 1 > core->view || !core->started) {
        return;
    }
    /* Right after a view ends, late votes of it are on their way from everybody: that is no sign of anything. */
    uint64_t grace = core->config.timing.resend_ms / 2;
    uint64_t *helped = &core->peers[peer].helped_ms;
    if (core->now_ms < core->progress_ms + grace || core->now_ms < *helped + core->config.timing.resend_ms) {
        return;
    }
    *helped = core->now_ms;
    send_if_held(core, core->final_view, VOTE_FINALIZE, peer, out);
    if (view > core->final_view) {
        send_if_held(core, view, VOTE_NOTARIZE, peer, out);
        send_if_held(core, view, VOTE_NULLIFY, peer, out);
    }
    if (core->view - 1 > core->final_view && core->view - 1 != view) {
        send_if_held(core, core->view - 1, VOTE_NOTARIZE, peer, out);
        send_if_held(core, core->view - 1, VOTE_NULLIFY, peer, out);
    }
}

void restart_help_behind(struct consensus *core, struct consensus_effects *out) {
    const struct slot *slot = views_get(core, core->view - 1);
    core->helped_view = core->view;
    if (slot == NULL || !core_is_validator(core) || core->recalling) {
        return;
    }
    enum vote_kind kind = views_strongest(slot);
    for (uint16_t i = 0; i < core->n && slot->certificates[kind].len != 0; i++) {
        if (i != core->config.me && core->peers[i].reached < core->view) {
            core_send_certificate(out, i, slot, kind);
        }
    }
}

void restart_send_certificates(struct consensus *core, uint16_t peer, uint64_t first, uint64_t last,
                               struct consensus_effects *out) {
    if (peer >= core->n || peer == core->config.me || first > last) {
        return;
    }
    uint64_t *served = &core->peers[peer].served_ms;
    if (*served != 0 && core->now_ms < *served + core->config.timing.resend_ms / 4) {
        return;
    }
    *served = core->now_ms;
    last = last < core->view ? last : core->view;
    int sent = 0;
    for (uint64_t v = last; v >= first && v >= core->final_view && v > 0 && sent < CONSENSUS_ATTACHED; v--) {
        for (int kind = VOTE_NOTARIZE; kind <= VOTE_NULLIFY; kind++) {
            const struct slot *slot = views_get(core, v);
            if (slot != NULL && slot->certificates[kind].len != 0) {
                core_send_certificate(out, peer, slot, (enum vote_kind)kind);
                sent++;
            }
        }
    }
}
