/* Starting again, and helping others to: the journal's contents, the recall, resending. */
#ifndef ASSAY_CONSENSUS_RESTART_H
#define ASSAY_CONSENSUS_RESTART_H

#include "consensus/consensus_internal.h"

void restart_begin(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);

/* The recall. Before its first vote a validator asks every peer for the highest votes it holds of it. Enough answers
 * are n - 1, or, once recall_wait_ms have passed, q - 1: with fewer peers no certificate can come about anyway, so
 * waiting for so many costs no progress, and all nodes starting at once answer each other at once. */
void restart_asked(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);
void restart_answered(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);
/* A good vote of ours came from outside: one that the journal lacks means that an old copy was restored. */
void restart_found_own(struct consensus *core, const struct consensus_vote *vote, struct consensus_effects *out);
/* Time passed: ask again, or see that enough have answered. */
void restart_tick(struct consensus *core, struct consensus_effects *out);

/* Rule 8: the highest certificates and our own votes above the last final block. */
void restart_resend(struct consensus *core, struct consensus_effects *out);
/* Rule 6: the certificate that led here, to every validator that has not shown itself in this view. */
void restart_help_behind(struct consensus *core, struct consensus_effects *out);
/* Words from `view` show where their sender is; an old one, that it lacks something: send what brings it here, at most
 * once a second. */
void restart_help(struct consensus *core, uint16_t peer, uint64_t view, struct consensus_effects *out);
void restart_send_certificates(struct consensus *core, uint16_t peer, uint64_t first, uint64_t last,
                               struct consensus_effects *out);

#endif
