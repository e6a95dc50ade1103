#include "consensus/views.h"

#include "base/assert.h"
#include "consensus/restart.h"

#include <string.h>

/* ---- Slots ------------------------------------------------------------------------------------------------------- */

struct slot *views_get(const struct consensus *core, uint64_t view) {
    struct slot *slot = &core->slots[view % CONSENSUS_WINDOW];
    return view != 0 && slot->view == view && view >= core->final_view ? slot : NULL;
}

struct slot *views_make(struct consensus *core, uint64_t view) {
    if (view == 0 || view < core->final_view || view - core->final_view >= CONSENSUS_WINDOW) {
        return NULL;
    }
    struct slot *slot = &core->slots[view % CONSENSUS_WINDOW];
    if (slot->view == view) {
        return slot;
    }
    ASSERT(slot->view < core->final_view || slot->view == 0); /* nothing is lost that finality may still need */
    struct ballot *ballots = slot->ballots;
    uint8_t *bytes[KINDS];
    for (int kind = 0; kind < KINDS; kind++) {
        bytes[kind] = slot->certificates[kind].bytes;
    }
    memset(slot, 0, sizeof *slot);
    memset(ballots, 0, core->n * sizeof *ballots);
    for (int kind = 0; kind < KINDS; kind++) {
        slot->certificates[kind].bytes = bytes[kind];
    }
    slot->ballots = ballots;
    slot->view = view;
    return slot;
}

struct slot_block *views_block(struct slot *slot, const uint8_t hash[HASH_LEN]) {
    for (int i = 0; i < SLOT_BLOCKS; i++) {
        if (slot->blocks[i].used && core_same(slot->blocks[i].hash, hash)) {
            return &slot->blocks[i];
        }
    }
    return NULL;
}

struct slot_block *views_add_block(struct slot *slot, const uint8_t hash[HASH_LEN]) {
    struct slot_block *block = views_block(slot, hash);
    for (int i = 0; i < SLOT_BLOCKS && block == NULL; i++) {
        if (!slot->blocks[i].used) {
            block = &slot->blocks[i];
            *block = (struct slot_block){.used = true};
            memcpy(block->hash, hash, HASH_LEN);
        }
    }
    return block;
}

const uint8_t *views_notarized(const struct slot *slot) {
    if (slot->certificates[VOTE_FINALIZE].len != 0) {
        return slot->certificates[VOTE_FINALIZE].block;
    }
    return slot->certificates[VOTE_NOTARIZE].len != 0 ? slot->certificates[VOTE_NOTARIZE].block : NULL;
}

bool views_nullified(const struct slot *slot) {
    return slot->certificates[VOTE_NULLIFY].len != 0;
}

const struct ballot *views_own(const struct consensus *core, const struct slot *slot) {
    ASSERT(core_is_validator(core)); /* an observer has no ballots: its place lies past their end */
    return &slot->ballots[core->config.me];
}

/* ---- Signatures -------------------------------------------------------------------------------------------------- */

static bool verifies(struct consensus *core, const struct consensus_vote *vote) {
    uint8_t message[VOTE_SIGNED_LEN];
    ASSERT(vote->signer < core->n);
    vote_signed_bytes(core->config.chain_id, &vote->subject, message);
    core->signatures_checked++;
    return core->config.crypto->ed25519_verify(core->config.validators.keys[vote->signer], message, sizeof message,
                                               vote->signature);
}

bool views_signature_good(struct consensus *core, const struct consensus_vote *vote) {
    bool good = verifies(core, vote);
    core->signatures_bad += good ? 0 : 1;
    return good;
}

void views_sign(const struct consensus *core, const struct vote_subject *subject, struct consensus_vote *out) {
    uint8_t message[VOTE_SIGNED_LEN];
    ASSERT(core_is_validator(core) && core->config.may_vote && subject->epoch == core->config.epoch);
    vote_signed_bytes(core->config.chain_id, subject, message);
    *out = (struct consensus_vote){.subject = *subject, .signer = core->config.me};
    core->config.sign(core->config.sign_ctx, message, sizeof message, out->signature);
}

/* Of two votes of one view the one that came last stays: a bad one may have come before it. */
static void raise(struct highest *highest, const struct consensus_vote *vote) {
    if (!highest->any || vote->subject.view >= highest->vote.subject.view) {
        *highest = (struct highest){.any = true, .vote = *vote};
    }
}

/* Nobody acts in a view before it entered it, and nobody promises to finalize one before it left it. */
static void note_reached(struct consensus *core, const struct consensus_vote *vote) {
    uint64_t *reached = &core->peers[vote->signer].reached;
    uint64_t view = vote->subject.view + (vote->subject.kind == VOTE_FINALIZE ? 1 : 0);
    *reached = view > *reached ? view : *reached;
}

void views_remember(struct consensus *core, const struct consensus_vote *vote) {
    ASSERT(vote->signer < core->n && vote->subject.kind >= VOTE_PROPOSE && vote->subject.kind <= VOTE_FINALIZE);
    raise(&core->peers[vote->signer].highest[vote->subject.kind], vote);
    note_reached(core, vote);
}

const struct consensus_vote *views_settle_highest(struct consensus *core, uint16_t signer, enum vote_kind kind) {
    ASSERT(signer < core->n);
    struct highest *highest = &core->peers[signer].highest[kind];
    struct highest *late = &core->peers[signer].late[kind];
    if (late->any && (!highest->any || late->vote.subject.view > highest->vote.subject.view) &&
        verifies(core, &late->vote)) { /* not the fault of whose message is being handled */
        *highest = *late;
    }
    late->any = false;
    return highest->any ? &highest->vote : NULL;
}

/* ---- Certificates ------------------------------------------------------------------------------------------------ */

/* Two certificates of one view that f faulty validators can't have made. */
static bool contradicts(const struct slot *slot, enum vote_kind kind, const uint8_t *block) {
    const struct held_certificate *held = slot->certificates;
    for (int other = VOTE_NOTARIZE; other <= VOTE_FINALIZE; other++) {
        if (held[other].len == 0) {
            continue;
        }
        bool nullify_and_finalize =
            (kind == VOTE_NULLIFY && other == VOTE_FINALIZE) || (kind == VOTE_FINALIZE && other == VOTE_NULLIFY);
        bool two_blocks = kind != VOTE_NULLIFY && other != VOTE_NULLIFY && !core_same(held[other].block, block);
        if (nullify_and_finalize || two_blocks) {
            return true;
        }
    }
    return false;
}

/* It is told to nobody: its votes went to everybody, and who seems to have missed some is helped (restart.h). */
static void note_certificate(struct consensus *core, struct slot *slot, enum vote_kind kind) {
    ASSERT(slot->certificates[kind].len != 0);
    ASSERT(slot->view - core->final_view < CONSENSUS_WINDOW - 1); /* the view after it has a place of its own */
    slot->touched = true;
    if (slot->view > core->top_certified) {
        core->top_certified = slot->view;
    }
    if (kind != VOTE_NULLIFY && slot->view > core->top_notarized) {
        core->top_notarized = slot->view;
    }
    if (kind == VOTE_FINALIZE && slot->view > core->top_finalized) {
        core->top_finalized = slot->view;
    }
    if (kind != VOTE_NULLIFY) {
        (void)views_add_block(slot, slot->certificates[kind].block);
    }
}

static void alarm_safety(struct slot *slot, struct consensus_effects *out) {
    if (!slot->safety_alarmed) {
        slot->safety_alarmed = true;
        core_alarm(out, ALARM_SAFETY, CONSENSUS_ALL, slot->view);
    }
}

/* The current view must keep a slot of its own, so the last place of the window is entered, not certified. */
static bool in_last_place(const struct consensus *core, uint64_t view) {
    return view - core->final_view >= CONSENSUS_WINDOW - 1;
}

/* Puts a certificate together once a quorum stands behind one block. Unchecked votes are of kinds and blocks whose
 * certificate is there: none is counted into another (views_unchecked_is_late). */
static void count_votes(struct consensus *core, struct slot *slot, enum vote_kind kind, const uint8_t *block,
                        struct consensus_effects *out) {
    struct held_certificate *held = &slot->certificates[kind];
    if ((held->len != 0 && core_same(held->block, block)) || in_last_place(core, slot->view)) {
        return;
    }
    uint16_t count = 0;
    for (uint16_t i = 0; i < core->n; i++) {
        const struct ballot *b = &slot->ballots[i];
        count = (uint16_t)(count + (views_cast(b, kind) && core_same(b->blocks[kind], block) ? 1 : 0));
    }
    if (count < core->quorum) {
        return;
    }
    if (contradicts(slot, kind, block)) {
        alarm_safety(slot, out);
    }
    if (held->len != 0) {
        return;
    }
    struct vote_subject subject = {.epoch = core->config.epoch, .view = slot->view, .kind = kind};
    memcpy(subject.block, block, HASH_LEN);
    certificates_begin(&subject, core->n, held->bytes, &held->len);
    for (uint16_t i = 0; i < core->n; i++) {
        const struct ballot *b = &slot->ballots[i];
        if (views_cast(b, kind) && core_same(b->blocks[kind], block)) {
            certificates_add(held->bytes, &held->len, i, b->signatures[kind]);
        }
    }
    ASSERT(held->len == certificates_len(core->n, count)); /* all that were counted, and nobody else */
    memcpy(held->block, block, HASH_LEN);
    note_certificate(core, slot, kind);
}

static void fill_in(struct slot *slot, const struct consensus_vote *vote) {
    enum vote_kind kind = vote->subject.kind;
    struct ballot *ballot = &slot->ballots[vote->signer];
    ballot->cast = (uint8_t)(ballot->cast | 1u << kind);
    memcpy(ballot->blocks[kind], vote->subject.block, HASH_LEN);
    memcpy(ballot->signatures[kind], vote->signature, SIG_LEN);
    slot->touched = true;
}

static void record(struct consensus *core, struct slot *slot, const struct consensus_vote *vote) {
    fill_in(slot, vote);
    views_remember(core, vote);
}

static void record_unchecked(struct consensus *core, struct slot *slot, const struct consensus_vote *vote) {
    struct ballot *ballot = &slot->ballots[vote->signer];
    fill_in(slot, vote);
    ballot->unchecked = (uint8_t)(ballot->unchecked | 1u << vote->subject.kind);
    raise(&core->peers[vote->signer].late[vote->subject.kind], vote);
    note_reached(core, vote);
}

void views_record_own(struct consensus *core, struct slot *slot, const struct consensus_vote *vote,
                      struct consensus_effects *out) {
    record(core, slot, vote);
    count_votes(core, slot, vote->subject.kind, vote->subject.block, out);
}

/* ---- Votes ------------------------------------------------------------------------------------------------------- */

static bool vote_is_wellformed(const struct consensus *core, const struct consensus_vote *vote) {
    const struct vote_subject *s = &vote->subject;
    bool nullify = s->kind == VOTE_NULLIFY;
    return vote->signer < core->n && s->epoch == core->config.epoch && s->kind >= VOTE_NOTARIZE &&
           s->kind <= VOTE_FINALIZE && (!nullify || bytes_is_zero(s->block, HASH_LEN));
}

static void note_equivocation(struct consensus *core, struct slot *slot, const struct consensus_vote *first,
                              const struct consensus_vote *second, struct consensus_effects *out) {
    uint16_t signer = first->signer;
    /* Evidence takes a seat away: it must prove what it says to whoever looks at nothing else. */
    ASSERT(first->subject.view == second->subject.view);
    ASSERT(first->subject.kind != second->subject.kind || !core_same(first->subject.block, second->subject.block));
    slot->ballots[signer].equivocated = true;
    if (signer == core_leader(core, slot->view)) {
        slot->leader_equivocated = true;
    }
    struct consensus_effect *effect = core_effect(out, EFFECT_EVIDENCE, signer, slot->view);
    effect->u.evidence.first = *first;
    effect->u.evidence.second = *second;
    core_alarm(out, ALARM_EQUIVOCATION, signer, slot->view);
}

/* The vote of a kind that stands in a validator's ballot. */
static struct consensus_vote ballot_vote(const struct consensus *core, const struct slot *slot, uint16_t signer,
                                         enum vote_kind kind) {
    const struct ballot *b = &slot->ballots[signer];
    struct consensus_vote vote = {.subject = {.epoch = core->config.epoch, .view = slot->view, .kind = kind},
                                  .signer = signer};
    memcpy(vote.subject.block, b->blocks[kind], HASH_LEN);
    memcpy(vote.signature, b->signatures[kind], SIG_LEN);
    return vote;
}

/* Does a validator's vote of that kind stand? One that was not checked is checked now, and forgotten when it is bad. */
static bool stands(struct consensus *core, struct slot *slot, uint16_t signer, enum vote_kind kind) {
    struct ballot *b = &slot->ballots[signer];
    uint8_t bit = (uint8_t)(1u << kind);
    if ((b->unchecked & bit) != 0) {
        struct consensus_vote vote = ballot_vote(core, slot, signer, kind);
        b->unchecked = (uint8_t)(b->unchecked & ~bit);
        if (verifies(core, &vote)) { /* as above */
            views_remember(core, &vote);
        } else {
            b->cast = (uint8_t)(b->cast & ~bit);
        }
    }
    return views_cast(b, kind);
}

/* A finalize vote says: I did not nullify this view and notarized no other block in it. */
static bool breaks_promise(const struct ballot *b, enum vote_kind kind, const uint8_t *finalized) {
    return views_cast(b, kind) && (kind == VOTE_NULLIFY || !core_same(b->blocks[kind], finalized));
}

static void check_promise(struct consensus *core, struct slot *slot, uint16_t signer, struct consensus_effects *out) {
    const struct ballot *b = &slot->ballots[signer];
    for (enum vote_kind kind = VOTE_NOTARIZE; kind <= VOTE_NULLIFY; kind++) {
        if (!b->equivocated && views_cast(b, VOTE_FINALIZE) && breaks_promise(b, kind, b->blocks[VOTE_FINALIZE]) &&
            stands(core, slot, signer, VOTE_FINALIZE) && stands(core, slot, signer, kind)) {
            struct consensus_vote first = ballot_vote(core, slot, signer, kind);
            struct consensus_vote second = ballot_vote(core, slot, signer, VOTE_FINALIZE);
            note_equivocation(core, slot, &first, &second, out);
        }
    }
}

/* Would a vote, were it good, contradict what else stands in its signer's ballot? */
static bool would_contradict(const struct ballot *b, enum vote_kind kind, const uint8_t *block) {
    if (kind == VOTE_FINALIZE) {
        return breaks_promise(b, VOTE_NOTARIZE, block) || breaks_promise(b, VOTE_NULLIFY, block);
    }
    return views_cast(b, VOTE_FINALIZE) && (kind == VOTE_NULLIFY || !core_same(b->blocks[VOTE_FINALIZE], block));
}

/* Does nothing depend on this vote any more? Only the signer's own word is believed for that: anybody else could put
 * something false in the place of its late vote. */
static bool is_beyond_need(const struct slot *slot, const struct consensus_vote *vote, uint16_t from) {
    const struct held_certificate *held = &slot->certificates[vote->subject.kind];
    return from == vote->signer && held->len != 0 && core_same(held->block, vote->subject.block) &&
           !would_contradict(&slot->ballots[vote->signer], vote->subject.kind, vote->subject.block);
}

static bool drop(struct consensus *core) {
    core->dropped++;
    return false;
}

/* Is it the vote that stands there already, or one that can add nothing to it? Only a vote that stands counts. */
static bool stands_already(struct consensus *core, struct slot *slot, const struct consensus_vote *vote) {
    const struct ballot *b = &slot->ballots[vote->signer];
    enum vote_kind kind = vote->subject.kind;
    bool cast = views_cast(b, kind);
    bool repeated = cast && core_same(b->blocks[kind], vote->subject.block) &&
                    bytes_equal(bytes_of(b->signatures[kind], SIG_LEN), bytes_of(vote->signature, SIG_LEN));
    if (repeated || (cast && b->equivocated)) {
        return true;
    }
    return stands(core, slot, vote->signer, kind) && core_same(b->blocks[kind], vote->subject.block);
}

bool views_unchecked_is_late(const struct consensus *core, const struct slot *slot, enum vote_kind kind) {
    const struct held_certificate *held = &slot->certificates[kind];
    for (uint16_t i = 0; i < core->n; i++) {
        const struct ballot *b = &slot->ballots[i];
        bool late =
            i != core->config.me && views_cast(b, kind) && held->len != 0 && core_same(held->block, b->blocks[kind]);
        if ((b->unchecked >> kind & 1) != 0 && !late) {
            return false;
        }
    }
    return true;
}

bool views_take_vote(struct consensus *core, const struct consensus_vote *vote, uint16_t from,
                     struct consensus_effects *out) {
    if (!vote_is_wellformed(core, vote) || vote->subject.view > core->view + CONSENSUS_AHEAD) {
        return drop(core);
    }
    struct slot *slot = views_make(core, vote->subject.view);
    if (slot == NULL) {
        return drop(core);
    }
    enum vote_kind kind = vote->subject.kind;
    bool own = vote->signer == core->config.me;
    if (stands_already(core, slot, vote) || (own && !core->recalling)) {
        return drop(core);
    }
    bool second = views_cast(&slot->ballots[vote->signer], kind);
    if (!own && !second && is_beyond_need(slot, vote, from)) {
        core->peers[vote->signer].silent = false;
        record_unchecked(core, slot, vote);
        return true;
    }
    if (!views_signature_good(core, vote)) {
        return drop(core);
    }
    if (own) {
        restart_found_own(core, vote, out);
        return false;
    }
    core->peers[vote->signer].silent = false;
    if (second) {
        struct consensus_vote first = ballot_vote(core, slot, vote->signer, kind);
        note_equivocation(core, slot, &first, vote, out);
        return false;
    }
    record(core, slot, vote);
    check_promise(core, slot, vote->signer, out);
    count_votes(core, slot, kind, vote->subject.block, out);
    return true;
}

/* ---- Proposals --------------------------------------------------------------------------------------------------- */

bool views_take_proposal(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out) {
    const struct block_header *header = &event->u.proposal.header;
    uint64_t view = event->u.proposal.view;
    bool again = view > header->view;
    if (header->view > view || header->epoch != core->config.epoch || view <= core->final_view ||
        core_leader(core, view) == core->config.me || view > core->view + CONSENSUS_AHEAD ||
        bytes_compare(bytes_of(header->chain_id, CHAIN_ID_LEN), bytes_of(core->config.chain_id, CHAIN_ID_LEN)) != 0) {
        return drop(core);
    }
    struct slot *slot = views_make(core, view);
    if (slot == NULL) {
        return drop(core);
    }
    bool second = slot->proposed;
    if (second && (slot->leader_equivocated || core_same(slot->proposal.subject.block, event->u.proposal.hash))) {
        return drop(core);
    }
    struct consensus_vote vote = {.subject = {.epoch = header->epoch, .view = view, .kind = VOTE_PROPOSE},
                                  .signer = core_leader(core, view)};
    memcpy(vote.subject.block, event->u.proposal.hash, HASH_LEN);
    memcpy(vote.signature, event->u.proposal.signature, SIG_LEN);
    if (!views_signature_good(core, &vote)) {
        return drop(core);
    }
    core->peers[vote.signer].silent = false;
    if (second) {
        note_equivocation(core, slot, &slot->proposal, &vote, out);
        return false;
    }
    slot->proposed = true;
    slot->touched = true;
    slot->proposal = vote;
    slot->proposal_bad = again ? !block_header_closes(header) : header->proposer != vote.signer;
    views_remember(core, &vote);
    struct slot_block *block = views_add_block(slot, vote.subject.block);
    if (block != NULL && !block->has_parent) {
        block->has_parent = true;
        memcpy(block->parent, again ? vote.subject.block : header->parent, HASH_LEN);
    }
    return true;
}

/* ---- Certificates that arrive ------------------------------------------------------------------------------------ */

/* The vote inside of that signer, whose signature is the next one. False: it has none inside. */
static bool take_vote(const struct certificate_parts *parts, uint16_t signer, const uint8_t **signature,
                      struct consensus_vote *out) {
    if (!certificates_has(parts, signer)) {
        return false;
    }
    *out = (struct consensus_vote){.subject = parts->subject, .signer = signer};
    memcpy(out->signature, *signature, SIG_LEN);
    *signature += SIG_LEN;
    return true;
}

/* Checks the signatures that are not known yet. */
static bool signatures_good(struct consensus *core, const struct slot *slot, const struct certificate_parts *parts) {
    const uint8_t *signature = parts->signatures;
    for (uint16_t i = 0; i < core->n; i++) {
        struct consensus_vote vote;
        if (!take_vote(parts, i, &signature, &vote)) {
            continue;
        }
        const struct ballot *b = slot != NULL ? &slot->ballots[i] : NULL;
        enum vote_kind kind = parts->subject.kind;
        bool known = b != NULL && views_cast(b, kind) && core_same(b->blocks[kind], parts->subject.block) &&
                     bytes_equal(bytes_of(b->signatures[kind], SIG_LEN), bytes_of(vote.signature, SIG_LEN));
        if (!known && !views_signature_good(core, &vote)) {
            return false;
        }
    }
    return true;
}

/* Books the votes inside, so that they are not checked again and late ones are recognised. */
static void book_votes(struct consensus *core, struct slot *slot, const struct certificate_parts *parts,
                       struct consensus_effects *out) {
    const uint8_t *signature = parts->signatures;
    enum vote_kind kind = parts->subject.kind;
    for (uint16_t i = 0; i < core->n; i++) {
        struct consensus_vote vote;
        if (!take_vote(parts, i, &signature, &vote)) {
            continue;
        }
        struct ballot *b = &slot->ballots[i];
        core->peers[i].silent = false;
        if (!stands(core, slot, i, kind)) {
            /* A vote of ours that our ballots lack is not taken over: only the journal says what we voted. */
            if (i != core->config.me) {
                record(core, slot, &vote);
                check_promise(core, slot, i, out);
            } else {
                restart_found_own(core, &vote, out);
            }
        } else if (!core_same(b->blocks[kind], parts->subject.block) && !b->equivocated) {
            struct consensus_vote first = ballot_vote(core, slot, i, kind);
            note_equivocation(core, slot, &first, &vote, out);
        }
    }
}

/* A certificate that adds nothing may still have a vote of ours in it that the one held has not, and that our journal
 * lacks: an old copy must see it. */
static void look_for_own(struct consensus *core, const struct slot *slot, const struct certificate_parts *parts,
                         struct consensus_effects *out) {
    uint16_t me = core->config.me;
    if (!core->recalling || !certificates_has(parts, me) || views_cast(views_own(core, slot), parts->subject.kind)) {
        return;
    }
    struct consensus_vote vote = {.subject = parts->subject, .signer = me};
    size_t place = 0;
    for (uint16_t i = 0; i < me; i++) {
        place += certificates_has(parts, i) ? 1 : 0;
    }
    memcpy(vote.signature, parts->signatures + place * SIG_LEN, SIG_LEN);
    if (views_signature_good(core, &vote)) {
        restart_found_own(core, &vote, out);
    }
}

bool views_take_certificate(struct consensus *core, struct bytes encoded, uint16_t from,
                            struct consensus_effects *out) {
    struct certificate_parts parts;
    if (certificates_parse(encoded, core->n, &parts) != OK || parts.subject.epoch != core->config.epoch ||
        parts.subject.view <= core->final_view) {
        return drop(core);
    }
    enum vote_kind kind = parts.subject.kind;
    if (in_last_place(core, parts.subject.view)) {
        if (kind == VOTE_FINALIZE && signatures_good(core, NULL, &parts)) {
            (void)core_effect(out, EFFECT_BEHIND, from, parts.subject.view);
        }
        return drop(core);
    }
    struct slot *slot = views_make(core, parts.subject.view);
    struct held_certificate *held = &slot->certificates[kind];
    bool second = held->len != 0;
    if (second && (slot->safety_alarmed || core_same(held->block, parts.subject.block))) {
        look_for_own(core, slot, &parts, out);
        return drop(core);
    }
    if (!signatures_good(core, slot, &parts)) {
        return drop(core);
    }
    if (contradicts(slot, kind, parts.subject.block)) {
        alarm_safety(slot, out);
    }
    book_votes(core, slot, &parts, out);
    if (!second) {
        ASSERT(encoded.len <= certificates_len(core->n, core->n)); /* a certificate's room: parsing saw to that */
        memcpy(held->bytes, encoded.data, encoded.len);
        held->len = encoded.len;
        memcpy(held->block, parts.subject.block, HASH_LEN);
        note_certificate(core, slot, kind);
    }
    return !second;
}

void views_keep_finalization(struct consensus *core, uint64_t view, struct bytes certificate) {
    struct certificate_parts parts;
    struct slot *slot = views_make(core, view);
    if (slot == NULL || certificates_parse(certificate, core->n, &parts) != OK || parts.subject.kind != VOTE_FINALIZE ||
        parts.subject.view != view) {
        return;
    }
    struct held_certificate *held = &slot->certificates[VOTE_FINALIZE];
    if (held->len == 0) {
        ASSERT(certificate.len <= certificates_len(core->n, core->n));
        memcpy(held->bytes, certificate.data, certificate.len);
        held->len = certificate.len;
        memcpy(held->block, parts.subject.block, HASH_LEN);
    }
}
