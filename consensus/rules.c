#include "consensus/rules.h"

#include "base/assert.h"
#include "consensus/pace.h"
#include "consensus/views.h"

#include <string.h>

#define JOURNALED_CERTIFICATES_MAX 64 /* with one vote; older ones go with the next */

/* ---- Ancestry ---------------------------------------------------------------------------------------------------- */

enum ancestry {
    ANCESTRY_PROVEN,  /* parent notarized (or final), every view between nullified */
    ANCESTRY_UNKNOWN, /* a certificate is missing here */
    ANCESTRY_REFUSED, /* does not descend from the last final block */
};

/* Rules 2 and 3: may a block of `view` stand on `parent`? */
static enum ancestry ancestry_of(const struct consensus *core, uint64_t view, const uint8_t *parent,
                                 uint64_t *out_parent_view, uint64_t *out_missing) {
    for (uint64_t v = view - 1; v > core->final_view; v--) {
        const struct slot *slot = views_get(core, v);
        const uint8_t *notarized = slot != NULL ? views_notarized(slot) : NULL;
        if (notarized != NULL && core_same(notarized, parent)) {
            *out_parent_view = v;
            return ANCESTRY_PROVEN;
        }
        if (slot == NULL || !views_nullified(slot)) {
            *out_missing = v;
            return ANCESTRY_UNKNOWN;
        }
    }
    *out_parent_view = core->final_view;
    return core_same(core->final_hash, parent) ? ANCESTRY_PROVEN : ANCESTRY_REFUSED;
}

/* Asks the shell for a block unless that is under way. True when the block can be used. */
static bool block_ready(struct slot *slot, struct slot_block *block, struct consensus_effects *out) {
    if (block->state == BLOCK_VALID || block->state == BLOCK_UNTIMELY) {
        return true;
    }
    if (block->state == BLOCK_WANTED && !block->asked) {
        block->asked = true;
        memcpy(core_effect(out, EFFECT_EXECUTE, CONSENSUS_ALL, slot->view)->u.block.hash, block->hash, HASH_LEN);
    }
    return false;
}

/* Rule 5's last condition: the body of the block and of every ancestor above the last final one. An ancestor's own
 * notarization may never have come here; a quorum that took its descendant vouches for it. With `write`, journals what
 * is not on disk yet. */
static bool bodies_at_hand(struct consensus *core, struct slot *slot, const uint8_t *hash, bool write,
                           struct consensus_effects *out) {
    const uint8_t *wanted = hash;
    uint64_t v = slot->view;
    while (v > core->final_view) {
        struct slot *at = views_make(core, v);
        struct slot_block *block = at != NULL ? views_add_block(at, wanted) : NULL;
        if (block == NULL || !block_ready(at, block, out)) {
            return false;
        }
        if (write && !block->journaled) {
            block->journaled = true;
            memcpy(core_effect(out, EFFECT_JOURNAL_BODY, CONSENSUS_ALL, v)->u.block.hash, wanted, HASH_LEN);
        }
        if (block->parent_view >= v) {
            return false;
        }
        wanted = block->parent;
        v = block->parent_view;
    }
    return v == core->final_view && core_same(core->final_hash, wanted);
}

/* ---- Casting ----------------------------------------------------------------------------------------------------- */

static bool may_cast_in(const struct consensus *core, uint64_t view) {
    return core_may_vote(core) && view > core->vote_floor;
}

/* Whoever votes in a view holds what led there: the parent's certificate and the nullifications since. If all nodes
 * lose their memory at once, these must come back from the journals of those who voted, or nobody could propose again.
 * A finalize vote takes its view's own notarization along: who cast it may not nullify that view any more, so nobody
 * could leave it if the notarization went and one of its signers too. */
static void journal_certificates(struct consensus *core, uint64_t from, struct consensus_effects *out) {
    int written = 0;
    for (uint64_t v = from; v >= core->final_view && v > 0 && written < JOURNALED_CERTIFICATES_MAX; v--) {
        struct slot *slot = views_get(core, v);
        for (int kind = VOTE_NOTARIZE; slot != NULL && kind <= VOTE_FINALIZE; kind++) {
            struct held_certificate *held = &slot->certificates[kind];
            if (held->len != 0 && !held->journaled) {
                held->journaled = true;
                written++;
                core_effect(out, EFFECT_JOURNAL_CERTIFICATE, CONSENSUS_ALL, v)->u.block.certificate =
                    bytes_of(held->bytes, held->len);
            }
        }
    }
}

static void cast(struct consensus *core, struct slot *slot, enum vote_kind kind, const uint8_t *block,
                 struct consensus_effects *out) {
    const struct ballot *own = views_own(core, slot);
    ASSERT(may_cast_in(core, slot->view));
    ASSERT((block == NULL) == (kind == VOTE_NULLIFY));
    ASSERT(!views_cast(own, kind));
    ASSERT(kind != VOTE_NULLIFY || !views_cast(own, VOTE_FINALIZE));
    ASSERT(kind == VOTE_NULLIFY || !views_cast(own, VOTE_NULLIFY));
    struct vote_subject subject = {.epoch = core->config.epoch, .view = slot->view, .kind = kind};
    if (block != NULL) {
        memcpy(subject.block, block, HASH_LEN);
    }
    struct consensus_vote vote;
    views_sign(core, &subject, &vote);
    journal_certificates(core, kind == VOTE_FINALIZE ? slot->view : slot->view - 1, out);
    core_effect(out, EFFECT_JOURNAL_VOTE, CONSENSUS_ALL, slot->view)->u.vote.vote = vote;
    core_send_vote(out, CONSENSUS_ALL, &vote);
    views_record_own(core, slot, &vote, out);
}

/* Before a notarize leaves, its body goes to the journal with it. */
static void journal_body_of(struct slot *slot, struct slot_block *block, struct consensus_effects *out) {
    if (!block->journaled) {
        block->journaled = true;
        memcpy(core_effect(out, EFFECT_JOURNAL_BODY, CONSENSUS_ALL, slot->view)->u.block.hash, block->hash, HASH_LEN);
    }
}

/* ---- Rule 1: entering views -------------------------------------------------------------------------------------- */

static bool enter(struct consensus *core) {
    if (core->top_certified < core->view) {
        return false;
    }
    const struct slot *slot = views_get(core, core->top_certified);
    const struct peer_view *leader = &core->peers[core_leader(core, core->view)];
    /* A view that got its notarization after I gave it up will not become final by my vote: it was too short as well.
     */
    bool given_up = slot != NULL && (views_notarized(slot) == NULL ||
                                     (core_is_validator(core) && views_cast(views_own(core, slot), VOTE_NULLIFY)));
    bool timed_out = given_up && (!leader->silent || pace_is_slow(core));
    core->view = core->top_certified + 1;
    ASSERT(core->view > core->final_view && core->view - core->final_view < CONSENSUS_WINDOW); /* it has a slot */
    pace_view_entered(core, timed_out);
    pace_refresh(core);
    return true;
}

/* ---- Rule 2: proposing ------------------------------------------------------------------------------------------- */

/* Asks for certificates up to that of view `missing`, at most once in a while. */
static void ask_certificates(struct consensus *core, struct slot *slot, uint64_t missing,
                             struct consensus_effects *out) {
    if (slot->asked_ms != 0 && core->now_ms < slot->asked_ms + core->config.timing.resend_ms) {
        return;
    }
    ASSERT(missing > core->final_view); /* what is final needs no certificate more */
    slot->asked_ms = core->now_ms;
    uint64_t low =
        missing > core->final_view + CONSENSUS_ATTACHED ? missing - CONSENSUS_ATTACHED + 1 : core->final_view + 1;
    /* The leader proved its choice, so it has them; a leader that lacks some asks everybody. */
    uint16_t leader = core_leader(core, slot->view);
    uint16_t whom = leader == core->config.me ? CONSENSUS_ALL : leader;
    struct consensus_effect *effect = core_effect(out, EFFECT_SEND_ASK_CERTIFICATES, whom, low);
    effect->u.last = missing;
}

/* The highest notarized block that a proposal of the current view can stand on: NULL when a certificate or a body is
 * missing. `*out_block` is the block as it stands in view `*out_view`, NULL when it is the last final one. */
static const uint8_t *choose_parent(struct consensus *core, struct slot *current, const struct slot_block **out_block,
                                    uint64_t *out_view, struct consensus_effects *out) {
    *out_block = NULL;
    for (uint64_t v = core->view - 1; v > core->final_view; v--) {
        struct slot *slot = views_get(core, v);
        const uint8_t *notarized = slot != NULL ? views_notarized(slot) : NULL;
        if (notarized == NULL && (slot == NULL || !views_nullified(slot))) {
            ask_certificates(core, current, v, out);
            return NULL;
        }
        struct slot_block *block = notarized != NULL ? views_add_block(slot, notarized) : NULL;
        if (block != NULL && block_ready(slot, block, out)) {
            *out_block = block;
            *out_view = v;
            return block->hash;
        }
        if (!views_nullified(slot)) {
            return NULL;
        }
    }
    return core->final_hash;
}

void rules_send_proposal(struct consensus *core, const struct slot *slot, uint16_t to, struct consensus_effects *out) {
    size_t count = 0;
    ASSERT(slot->proposed && slot->proposal.signer == core->config.me);
    for (uint64_t v = slot->view - 1; v >= core->final_view && v > 0 && count < CONSENSUS_ATTACHED; v--) {
        const struct slot *at = views_get(core, v);
        if (at == NULL) {
            break;
        }
        bool nullified = views_nullified(at);
        const struct held_certificate *held = &at->certificates[views_strongest(at)];
        if (held->len != 0) {
            core->attached[count++] = bytes_of(held->bytes, held->len);
        }
        if (!nullified) {
            break; /* the parent, or one above it: nothing below is needed */
        }
        if (held != &at->certificates[VOTE_NULLIFY] && count < CONSENSUS_ATTACHED) {
            held = &at->certificates[VOTE_NULLIFY];
            core->attached[count++] = bytes_of(held->bytes, held->len);
        }
    }
    struct consensus_effect *effect = core_effect(out, EFFECT_SEND_PROPOSAL, to, slot->view);
    effect->u.vote.vote = slot->proposal;
    effect->u.vote.certificates = core->attached;
    effect->u.vote.count = count;
}

/* Signs, journals and sends what the slot's leader, this validator, stands for, and votes for it. */
static void put_forward(struct consensus *core, struct slot *slot, struct slot_block *block,
                        struct consensus_effects *out) {
    struct vote_subject subject = {.epoch = core->config.epoch, .view = slot->view, .kind = VOTE_PROPOSE};
    ASSERT(core_leader(core, slot->view) == core->config.me && !slot->proposed);
    ASSERT(block->state == BLOCK_VALID || block->state == BLOCK_UNTIMELY); /* executed: its leader votes for it */
    memcpy(subject.block, block->hash, HASH_LEN);
    views_sign(core, &subject, &slot->proposal);
    views_remember(core, &slot->proposal);
    slot->proposed = true;
    slot->touched = true;
    journal_body_of(slot, block, out);
    core_effect(out, EFFECT_JOURNAL_PROPOSAL, CONSENSUS_ALL, slot->view)->u.vote.vote = slot->proposal;
    rules_send_proposal(core, slot, CONSENSUS_ALL, out);
    cast(core, slot, VOTE_NOTARIZE, block->hash, out);
}

/* Nothing may stand on a closing block in its own epoch. Its finalize votes are on their way; when they do not come,
 * the block itself is proposed once more. */
static bool propose_again(struct consensus *core, struct slot *slot, const struct slot_block *closing, uint64_t view,
                          struct consensus_effects *out) {
    struct slot_block *block = pace_wants_filler(core) ? views_add_block(slot, closing->hash) : NULL;
    if (block == NULL) {
        return false;
    }
    ASSERT(closing->closes && view < slot->view);
    *block = *closing;
    block->parent_view = view;
    memcpy(block->parent, closing->hash, HASH_LEN);
    put_forward(core, slot, block, out);
    return true;
}

static bool propose(struct consensus *core, struct consensus_effects *out) {
    if (core_leader(core, core->view) != core->config.me || !may_cast_in(core, core->view)) {
        return false;
    }
    struct slot *slot = views_make(core, core->view);
    if (slot == NULL || slot->proposed || slot->building || views_own(core, slot)->cast != 0 ||
        (!core->work && !pace_wants_filler(core))) {
        return false;
    }
    const struct slot_block *block;
    uint64_t parent_view;
    const uint8_t *parent = choose_parent(core, slot, &block, &parent_view, out);
    if (parent == NULL) {
        return false;
    }
    if (block != NULL && block->closes) {
        return propose_again(core, slot, block, parent_view, out);
    }
    slot->building = true;
    memcpy(core_effect(out, EFFECT_BUILD, CONSENSUS_ALL, core->view)->u.block.hash, parent, HASH_LEN);
    return false;
}

void rules_built(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    uint64_t view = event->u.block.view;
    struct slot *slot = views_get(core, view);
    uint64_t parent_view, missing;
    /* The world may have moved on since BUILD went out. */
    if (view != core->view || slot == NULL || slot->proposed || !may_cast_in(core, view) ||
        views_own(core, slot)->cast != 0 ||
        ancestry_of(core, view, event->u.block.parent, &parent_view, &missing) != ANCESTRY_PROVEN) {
        return;
    }
    struct slot_block *block = views_add_block(slot, event->u.block.hash);
    if (block == NULL) {
        return;
    }
    block->has_parent = true;
    block->state = BLOCK_VALID;
    block->closes = event->u.block.closes;
    block->parent_view = parent_view;
    memcpy(block->parent, event->u.block.parent, HASH_LEN);
    put_forward(core, slot, block, out);
}

/* ---- Rule 3: notarize -------------------------------------------------------------------------------------------- */

static bool notarize(struct consensus *core, struct consensus_effects *out) {
    struct slot *slot = views_get(core, core->view);
    if (slot == NULL || !slot->proposed || slot->proposal_bad || !may_cast_in(core, core->view)) {
        return false;
    }
    const struct ballot *own = views_own(core, slot);
    struct slot_block *block = views_block(slot, slot->proposal.subject.block);
    if (views_cast(own, VOTE_NOTARIZE) || views_cast(own, VOTE_NULLIFY) || block == NULL || !block->has_parent) {
        return false;
    }
    uint64_t parent_view, missing;
    switch (ancestry_of(core, core->view, block->parent, &parent_view, &missing)) {
    case ANCESTRY_UNKNOWN:
        ask_certificates(core, slot, missing, out);
        return false;
    case ANCESTRY_REFUSED:
        slot->proposal_bad = true;
        return true;
    case ANCESTRY_PROVEN:
        break;
    }
    if (block->state == BLOCK_INVALID) {
        slot->proposal_bad = true;
        return true;
    }
    if (!block_ready(slot, block, out) || block->state != BLOCK_VALID) {
        return false;
    }
    journal_body_of(slot, block, out);
    cast(core, slot, VOTE_NOTARIZE, block->hash, out);
    return true;
}

/* ---- Rule 4: nullify --------------------------------------------------------------------------------------------- */

static bool nullify(struct consensus *core, struct consensus_effects *out) {
    /* The last views of the window stay open: past them there is no place for what a block would need to be final. */
    if (!may_cast_in(core, core->view) || core->view - core->final_view >= CONSENSUS_WINDOW - 2) {
        return false;
    }
    struct slot *slot = views_make(core, core->view);
    if (slot == NULL) {
        return false;
    }
    const struct ballot *own = views_own(core, slot);
    if (views_cast(own, VOTE_NULLIFY) || views_cast(own, VOTE_FINALIZE)) {
        return false;
    }
    bool leader_late = pace_leader_is_late(core);
    if (!slot->proposal_bad && !leader_late && !pace_view_is_late(core)) {
        return false;
    }
    if (leader_late) {
        core->peers[core_leader(core, core->view)].silent = core_leader(core, core->view) != core->config.me;
    }
    core->timeouts++;
    cast(core, slot, VOTE_NULLIFY, NULL, out);
    return true;
}

/* ---- Rule 5: finalize -------------------------------------------------------------------------------------------- */

static bool finalize(struct consensus *core, struct consensus_effects *out) {
    bool moved = false;
    for (uint64_t v = core->final_view + 1; v <= core->top_notarized; v++) {
        struct slot *slot = views_get(core, v);
        const uint8_t *hash = slot != NULL ? views_notarized(slot) : NULL;
        if (hash == NULL || slot->leader_equivocated || !may_cast_in(core, v)) {
            continue;
        }
        const struct ballot *own = views_own(core, slot);
        bool other = views_cast(own, VOTE_NOTARIZE) && !core_same(own->blocks[VOTE_NOTARIZE], hash);
        bool too_early = v >= core->view; /* rule 4 ends with the view: first leave it, then promise */
        if (other || too_early || views_cast(own, VOTE_NULLIFY) || views_cast(own, VOTE_FINALIZE) ||
            !bodies_at_hand(core, slot, hash, false, out)) {
            continue;
        }
        (void)bodies_at_hand(core, slot, hash, true, out);
        cast(core, slot, VOTE_FINALIZE, hash, out);
        moved = true;
    }
    return moved;
}

/* ---- Rule 7: finality -------------------------------------------------------------------------------------------- */

void rules_final(struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN]) {
    ASSERT(view > core->final_view);
    ASSERT(!core->closed); /* nothing is final in an epoch behind its closing block */
    core->final_view = view;
    memcpy(core->final_hash, hash, HASH_LEN);
    if (core->top_certified < view) {
        core->top_certified = view;
    }
    pace_progress(core);
}

static bool commit(struct consensus *core, struct consensus_effects *out) {
    for (uint64_t v = core->top_finalized; v > core->final_view; v--) {
        struct slot *slot = views_get(core, v);
        struct held_certificate *held = slot != NULL ? &slot->certificates[VOTE_FINALIZE] : NULL;
        if (held == NULL || held->len == 0) {
            continue;
        }
        struct slot_block *block = views_add_block(slot, held->block);
        if (block == NULL) {
            continue;
        }
        if (block->state == BLOCK_INVALID && !core->diverged) {
            core->diverged = true;
            memcpy(core_effect(out, EFFECT_DIVERGED, CONSENSUS_ALL, v)->u.block.hash, block->hash, HASH_LEN);
        }
        if (!block_ready(slot, block, out)) {
            continue;
        }
        struct bytes certificate = bytes_of(held->bytes, held->len);
        if (core_is_validator(core) && core->config.may_vote && !held->journaled) {
            held->journaled = true;
            core_effect(out, EFFECT_JOURNAL_CERTIFICATE, CONSENSUS_ALL, v)->u.block.certificate = certificate;
        }
        struct consensus_effect *effect = core_effect(out, EFFECT_FINALIZE, CONSENSUS_ALL, v);
        memcpy(effect->u.block.hash, block->hash, HASH_LEN);
        effect->u.block.certificate = certificate;
        rules_final(core, v, block->hash);
        core->closed = block->closes;
        return true;
    }
    return false;
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

static void watch_window(struct consensus *core, struct consensus_effects *out) {
    bool at_end = core->view - core->final_view >= CONSENSUS_WINDOW - 1;
    if (at_end && !core->window_alarmed) {
        core_alarm(out, ALARM_WINDOW, CONSENSUS_ALL, core->view);
    }
    core->window_alarmed = at_end;
}

void rules_settle(struct consensus *core, struct consensus_effects *out) {
    bool moved = true;
    while (moved) {
        moved = enter(core);
        if (core->closed) {
            return;
        }
        moved = commit(core, out) || moved;
        pace_refresh(core);
        moved = notarize(core, out) || moved;
        moved = propose(core, out) || moved;
        moved = finalize(core, out) || moved;
        moved = nullify(core, out) || moved;
    }
    watch_window(core, out);
}
