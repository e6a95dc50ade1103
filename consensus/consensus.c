#include "consensus/consensus.h"

#include "base/assert.h"
#include "consensus/pace.h"
#include "consensus/restart.h"
#include "consensus/rules.h"
#include "consensus/views.h"

#include <stdalign.h>
#include <string.h>

#define SENDS_MAX 128

void consensus_timing_default(struct consensus_timing *out) {
    *out = (struct consensus_timing){
        .leader_timeout_ms = 400,
        .advance_timeout_ms = 800,
        .timeout_cap_ms = 10000,
        .silent_timeout_ms = 10,
        .resend_ms = 1000,
        .recall_wait_ms = 500,
        .heartbeat_ms = 10000,
    };
}

const char *consensus_alarm_text(enum consensus_alarm alarm) {
    switch (alarm) {
    case ALARM_EQUIVOCATION:
        return "a validator signed two things that must not both exist";
    case ALARM_SAFETY:
        return "certificates contradict each other: more than a third of the validators are faulty";
    case ALARM_OLD_JOURNAL:
        return "a peer holds a vote of this validator that its journal lacks, so an old copy was restored; it will not "
               "vote (see assay node recover)";
    case ALARM_WINDOW:
        return "no block became final for so many views that no more can be kept; waiting";
    case ALARM_EFFECTS:
        return "more to send than fits one turn; the rest is resent later";
    }
    return "";
}

uint16_t consensus_leader(uint64_t view, uint16_t validators) {
    ASSERT(validators > 0);
    return (uint16_t)(view % validators);
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

static size_t aligned(size_t len) {
    size_t unit = alignof(max_align_t);
    return (len + unit - 1) / unit * unit;
}

static size_t certificate_room(uint16_t n) {
    return aligned(certificates_len(n, n));
}

size_t consensus_memory(uint16_t validators) {
    size_t per_slot = aligned(validators * sizeof(struct ballot)) +
                      (VOTE_FINALIZE - VOTE_NOTARIZE + 1) * certificate_room(validators);
    return aligned(sizeof(struct consensus)) + aligned(CONSENSUS_WINDOW * sizeof(struct slot)) +
           aligned(validators * sizeof(struct peer_view)) + CONSENSUS_WINDOW * per_slot;
}

static void *take(uint8_t **at, size_t len) {
    void *place = *at;
    *at += aligned(len);
    return place;
}

enum err consensus_init(void *memory, size_t len, const struct consensus_config *config, struct consensus **out) {
    uint16_t n = config->validators.count;
    if (n == 0 || n > VALIDATORS_MAX || len < consensus_memory(n) ||
        (config->me >= n && config->me != CONSENSUS_OBSERVER)) {
        return ERR_RANGE;
    }
    ASSERT((uintptr_t)memory % alignof(max_align_t) == 0);
    ASSERT(config->me == CONSENSUS_OBSERVER || !config->may_vote || config->sign != NULL);
    memset(memory, 0, consensus_memory(n));
    uint8_t *at = memory;
    struct consensus *core = take(&at, sizeof *core);
    core->config = *config;
    core->n = n;
    core->quorum = validators_quorum(n);
    core->slots = take(&at, CONSENSUS_WINDOW * sizeof *core->slots);
    core->peers = take(&at, n * sizeof *core->peers);
    for (size_t i = 0; i < CONSENSUS_WINDOW; i++) {
        core->slots[i].ballots = take(&at, n * sizeof(struct ballot));
        for (int kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
            core->slots[i].certificates[kind].bytes = take(&at, certificate_room(n));
        }
    }
    ASSERT((size_t)(at - (uint8_t *)memory) == consensus_memory(n)); /* what was asked for is what is used */
    *out = core;
    return OK;
}

/* ---- Effects ----------------------------------------------------------------------------------------------------- */

static bool is_send(enum consensus_effect_kind kind) {
    return kind >= EFFECT_SEND_VOTE && kind <= EFFECT_SEND_ASK_CERTIFICATES;
}

struct consensus_effect *core_effect(struct consensus_effects *out, enum consensus_effect_kind kind, uint16_t to,
                                     uint64_t view) {
    /* Every step fills the last place with whatever does not fit; consensus_step cuts it off again. */
    size_t limit = is_send(kind) ? SENDS_MAX : CONSENSUS_EFFECTS - 1;
    struct consensus_effect *effect = &out->items[CONSENSUS_EFFECTS - 1];
    if (out->count < limit) {
        effect = &out->items[out->count++];
    } else {
        ASSERT(is_send(kind));
        out->overflow = true;
    }
    *effect = (struct consensus_effect){.kind = kind, .to = to, .view = view};
    return effect;
}

void core_alarm(struct consensus_effects *out, enum consensus_alarm alarm, uint16_t validator, uint64_t view) {
    core_effect(out, EFFECT_ALARM, validator, view)->u.alarm = alarm;
}

void core_send_vote(struct consensus_effects *out, uint16_t to, const struct consensus_vote *vote) {
    core_effect(out, EFFECT_SEND_VOTE, to, vote->subject.view)->u.vote.vote = *vote;
}

void core_send_certificate(struct consensus_effects *out, uint16_t to, const struct slot *slot, enum vote_kind kind) {
    const struct held_certificate *held = &slot->certificates[kind];
    ASSERT(held->len != 0);
    core_effect(out, EFFECT_SEND_CERTIFICATE, to, slot->view)->u.block.certificate = bytes_of(held->bytes, held->len);
}

/* ---- Events ------------------------------------------------------------------------------------------------------ */

static void note_block(const struct slot *slot, struct slot_block *block, const struct consensus_event *event) {
    bool again = slot->view != event->u.block.view;
    block->asked = false;
    block->state = event->u.block.state;
    block->closes = event->u.block.closes;
    block->journaled = block->journaled || event->u.block.journaled;
    block->has_parent = true;
    block->parent_view = again ? event->u.block.view : event->u.block.parent_view;
    memcpy(block->parent, again ? event->u.block.hash : event->u.block.parent, HASH_LEN);
}

static void take_block(struct consensus *core, const struct consensus_event *event) {
    uint64_t view = event->u.block.view;
    bool journaled = event->u.block.journaled && view > core->final_view;
    struct slot *slot = journaled ? views_make(core, view) : views_get(core, view);
    struct slot_block *block = NULL;
    if (slot != NULL) {
        block = journaled ? views_add_block(slot, event->u.block.hash) : views_block(slot, event->u.block.hash);
    }
    if (block != NULL) {
        note_block(slot, block, event);
    }
    /* A closing block may stand in later views as well. */
    uint64_t end = event->u.block.closes ? core->final_view + CONSENSUS_WINDOW : 0;
    for (uint64_t v = view + 1; v < end; v++) {
        slot = views_get(core, v);
        block = slot != NULL ? views_block(slot, event->u.block.hash) : NULL;
        if (block != NULL) {
            note_block(slot, block, event);
        }
    }
}

static void take_synced(struct consensus *core, const struct consensus_event *event) {
    uint64_t view = event->u.synced.view;
    if (view <= core->final_view) {
        return;
    }
    rules_final(core, view, event->u.synced.hash);
    views_keep_finalization(core, view, event->u.synced.certificate);
    core->top_notarized = core->top_notarized > view ? core->top_notarized : view;
    core->top_finalized = core->top_finalized > view ? core->top_finalized : view;
    core->closed = event->u.synced.closes;
}

/* News of work takes back a BUILD that was not answered: the rules ask again if it still stands. */
static void take_work(struct consensus *core, bool work) {
    struct slot *slot = views_get(core, core->view);
    core->work = work;
    if (slot != NULL) {
        slot->building = false;
    }
}

/* Who holds a certificate has left its view. */
static uint64_t view_after(struct bytes certificate) {
    uint64_t view = certificate.len >= CERTIFICATE_HEAD_LEN ? load_u64(certificate.data + 10) : UINT64_MAX;
    return view < UINT64_MAX - 1 ? view + 1 : UINT64_MAX - 1;
}

static void take_event(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    switch (event->kind) {
    case EVENT_START:
        restart_begin(core, event, out);
        break;
    case EVENT_TICK:
        break;
    case EVENT_PROPOSAL:
        (void)views_take_proposal(core, event, out);
        break;
    case EVENT_VOTE:
        (void)views_take_vote(core, &event->u.vote, event->from, out);
        if (event->u.vote.subject.epoch == core->config.epoch) {
            restart_help(core, event->from, event->u.vote.subject.view, out);
        }
        break;
    case EVENT_CERTIFICATE:
        (void)views_take_certificate(core, event->u.certificate, event->from, out);
        restart_help(core, event->from, view_after(event->u.certificate), out);
        break;
    case EVENT_BLOCK:
        take_block(core, event);
        break;
    case EVENT_BUILT:
        rules_built(core, event, out);
        break;
    case EVENT_WORK:
        take_work(core, event->u.work);
        break;
    case EVENT_SYNCED:
        take_synced(core, event);
        break;
    case EVENT_ASK_RECALL:
        restart_asked(core, event, out);
        break;
    case EVENT_RECALL:
        restart_answered(core, event, out);
        break;
    case EVENT_ASK_CERTIFICATES:
        restart_send_certificates(core, event->from, event->u.views.first, event->u.views.last, out);
        break;
    }
}

void consensus_step(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    out->count = 0;
    out->overflow = false;
    if (event->now_ms > core->now_ms) {
        core->now_ms = event->now_ms;
    }
    if (core->closed || (!core->started && event->kind != EVENT_START)) {
        return;
    }
    take_event(core, event, out);
    restart_tick(core, out);
    rules_settle(core, out);
    if (pace_wants_resend(core)) {
        restart_resend(core, out);
        rules_settle(core, out);
    } else if (pace_wants_help(core)) {
        restart_help_behind(core, out);
    }
    if (out->overflow && out->count < CONSENSUS_EFFECTS - 1) {
        core_alarm(out, ALARM_EFFECTS, CONSENSUS_ALL, core->view);
    }
    ASSERT(core->view > core->final_view && core->top_certified < core->view); /* nobody votes where it is settled */
    uint64_t deadline = pace_deadline(core);
    if (deadline != 0) {
        core_effect(out, EFFECT_SET_TIMER, CONSENSUS_ALL, core->view)->u.at_ms = deadline;
    }
}

void consensus_set_heartbeat(struct consensus *core, uint32_t heartbeat_ms) {
    core->config.timing.heartbeat_ms = heartbeat_ms;
}

/* ---- Looking in -------------------------------------------------------------------------------------------------- */

void consensus_status(const struct consensus *core, struct consensus_status *out) {
    *out = (struct consensus_status){
        .epoch = core->config.epoch,
        .view = core->view,
        .final_view = core->final_view,
        .leader = core_leader(core, core->view),
        .active = core->active,
        .voting = core_may_vote(core),
        .refused = core->refused || (core_is_validator(core) && !core->config.may_vote),
        .closed = core->closed,
        .backoff = core->backoff,
        .signatures_checked = core->signatures_checked,
        .dropped = core->dropped,
        .timeouts = core->timeouts,
    };
}

uint64_t consensus_signatures_bad(const struct consensus *core) {
    return core->signatures_bad;
}

bool consensus_closed(const struct consensus *core) {
    return core->closed;
}

bool consensus_tip(const struct consensus *core, uint8_t out_hash[HASH_LEN]) {
    const struct slot *slot = core->top_notarized > core->final_view ? views_get(core, core->top_notarized) : NULL;
    const uint8_t *hash = slot != NULL ? views_notarized(slot) : NULL;
    if (hash == NULL) {
        return false;
    }
    memcpy(out_hash, hash, HASH_LEN);
    return true;
}

struct bytes consensus_certificate(const struct consensus *core, uint64_t view, enum vote_kind kind) {
    const struct slot *slot = views_get(core, view);
    if (slot == NULL || kind < VOTE_NOTARIZE || kind > VOTE_FINALIZE) {
        return bytes_of(NULL, 0);
    }
    return bytes_of(slot->certificates[kind].bytes, slot->certificates[kind].len);
}

static bool certifies(const struct slot *slot, enum vote_kind kind, const uint8_t *hash) {
    const struct held_certificate *held = &slot->certificates[kind];
    return held->len != 0 && core_same(held->block, hash);
}

static enum consensus_standing standing_in(const struct consensus *core, const struct slot *slot, const uint8_t *hash) {
    bool promised = false;
    if (core_is_validator(core)) {
        const struct ballot *own = views_own(core, slot);
        promised = views_cast(own, VOTE_FINALIZE) && core_same(own->blocks[VOTE_FINALIZE], hash);
    }
    if (certifies(slot, VOTE_FINALIZE, hash)) {
        return STANDING_FINAL;
    }
    if (promised || certifies(slot, VOTE_NOTARIZE, hash)) {
        return promised || !views_nullified(slot) ? STANDING_NOTARIZED : STANDING_DOUBTFUL;
    }
    if (views_nullified(slot) || slot->certificates[VOTE_FINALIZE].len != 0) {
        return STANDING_OVER;
    }
    bool proposed = slot->proposed && !slot->proposal_bad && core_same(slot->proposal.subject.block, hash);
    return slot->view == core->view && proposed ? STANDING_CURRENT : STANDING_PROPOSED;
}

/* Where it stands in one view, of which nothing may be known: in that of its header (`own_view`) a leader stands for it
 * then, in a later one nobody does unless the view has it. */
static enum consensus_standing standing_at(const struct consensus *core, struct slot *slot, bool own_view,
                                           const uint8_t hash[HASH_LEN]) {
    if (slot != NULL && (own_view || views_block(slot, hash) != NULL)) {
        return standing_in(core, slot, hash);
    }
    return own_view ? STANDING_PROPOSED : STANDING_OVER;
}

enum consensus_standing consensus_standing(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN],
                                           bool closes) {
    if (core_same(core->final_hash, hash)) {
        return STANDING_FINAL;
    }
    uint64_t first = view > core->final_view ? view : core->final_view + 1;
    uint64_t last = closes ? core->final_view + CONSENSUS_WINDOW - 1 : view;
    enum consensus_standing best = STANDING_OVER;
    for (uint64_t v = first; v <= last; v++) {
        enum consensus_standing here = standing_at(core, views_get(core, v), v == view, hash);
        best = here > best ? here : best;
    }
    return best;
}

bool consensus_wants_body(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN]) {
    struct slot *slot = views_get(core, view);
    const struct slot_block *block = slot != NULL ? views_block(slot, hash) : NULL;
    if (block == NULL || block->state != BLOCK_WANTED) {
        return false;
    }
    bool bad = slot->proposed && slot->proposal_bad && core_same(slot->proposal.subject.block, hash);
    return !bad || certifies(slot, VOTE_NOTARIZE, hash) || certifies(slot, VOTE_FINALIZE, hash);
}

uint16_t consensus_holders(const struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN],
                           uint16_t out[VALIDATORS_MAX]) {
    const struct slot *slot = views_get(core, view);
    uint16_t count = 0;
    for (uint16_t i = 0; slot != NULL && i < core->n; i++) {
        const struct ballot *b = &slot->ballots[i];
        bool holds = (views_cast(b, VOTE_NOTARIZE) && core_same(b->blocks[VOTE_NOTARIZE], hash)) ||
                     (views_cast(b, VOTE_FINALIZE) && core_same(b->blocks[VOTE_FINALIZE], hash)) ||
                     (slot->proposed && slot->proposal.signer == i && core_same(slot->proposal.subject.block, hash));
        if (holds && i != core->config.me) {
            out[count++] = i;
        }
    }
    ASSERT(count <= core->n && count <= VALIDATORS_MAX);
    return count;
}

void consensus_check(const struct consensus *core) {
    ASSERT(core->view > core->final_view || !core->started);
    ASSERT(core->top_certified < core->view || !core->started);
    ASSERT(core->view - core->final_view < CONSENSUS_WINDOW);
    for (uint64_t v = core->final_view + 1; core_is_validator(core) && v <= core->view; v++) {
        const struct slot *slot = views_get(core, v);
        if (slot == NULL) {
            continue;
        }
        const struct ballot *own = views_own(core, slot);
        ASSERT(!(views_cast(own, VOTE_NULLIFY) && views_cast(own, VOTE_FINALIZE)));
        ASSERT(!views_cast(own, VOTE_FINALIZE) || v < core->view);
        for (enum vote_kind kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
            ASSERT(slot->certificates[kind].len <= certificates_len(core->n, core->n));
            ASSERT(views_unchecked_is_late(core, slot, kind));
        }
    }
}
