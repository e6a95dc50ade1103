/* What is known of each view: ballots, proposals, certificates, blocks. What is signed is checked here, at most once.
 *
 * A vote beyond its quorum is kept and not checked, if the signer itself sent it and nothing it said contradicts it:
 * the certificate stands without it. It is checked when it matters after all, as evidence or when its signer asks what
 * it said before. Whoever lies about its own votes so harms itself alone.
 */
#ifndef ASSAY_CONSENSUS_VIEWS_H
#define ASSAY_CONSENSUS_VIEWS_H

#include "consensus/consensus_internal.h"

/* The slot of a view; NULL when nothing is kept of it. */
struct slot *views_get(const struct consensus *core, uint64_t view);
/* Makes it when it is inside the window; NULL outside. */
struct slot *views_make(struct consensus *core, uint64_t view);

/* A block of the view by hash; `views_add_block` makes room (NULL when two others stand there). */
struct slot_block *views_block(struct slot *slot, const uint8_t hash[HASH_LEN]);
struct slot_block *views_add_block(struct slot *slot, const uint8_t hash[HASH_LEN]);

/* The block a quorum notarized or finalized in that view; NULL when there is none. */
const uint8_t *views_notarized(const struct slot *slot);
bool views_nullified(const struct slot *slot);
/* The kind of that certificate of the view, of those held, which says most: a finalization, a notarization, else a
 * nullification, of which there may be none. */
static inline enum vote_kind views_strongest(const struct slot *slot) {
    if (slot->certificates[VOTE_FINALIZE].len != 0) {
        return VOTE_FINALIZE;
    }
    return slot->certificates[VOTE_NOTARIZE].len != 0 ? VOTE_NOTARIZE : VOTE_NULLIFY;
}
const struct ballot *views_own(const struct consensus *core, const struct slot *slot);
static inline bool views_cast(const struct ballot *ballot, enum vote_kind kind) {
    return (ballot->cast >> kind & 1) != 0;
}

/* What all use of ballots rests on: unchecked votes are for the block of a certificate of their kind that is held. */
bool views_unchecked_is_late(const struct consensus *core, const struct slot *slot, enum vote_kind kind);

/* Messages: checked, recorded, counted. False: dropped, known, or bad. */
bool views_take_vote(struct consensus *core, const struct consensus_vote *vote, uint16_t from,
                     struct consensus_effects *out);
bool views_take_proposal(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);
bool views_take_certificate(struct consensus *core, struct bytes encoded, uint16_t from, struct consensus_effects *out);

/* Own: signs, records, counts. */
void views_sign(const struct consensus *core, const struct vote_subject *subject, struct consensus_vote *out);
void views_record_own(struct consensus *core, struct slot *slot, const struct consensus_vote *vote,
                      struct consensus_effects *out);
/* Keeps a finalization that was checked elsewhere (catch-up). */
void views_keep_finalization(struct consensus *core, uint64_t view, struct bytes certificate);

void views_remember(struct consensus *core, const struct consensus_vote *vote);
/* The highest good vote of that kind that is held of a validator; a late one is checked for it, and forgotten when it
 * is bad. NULL when there is none. */
const struct consensus_vote *views_settle_highest(struct consensus *core, uint16_t signer, enum vote_kind kind);
bool views_signature_good(struct consensus *core, const struct consensus_vote *vote);

#endif
