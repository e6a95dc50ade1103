/* The rules of Simplex, numbered as in docs/consensus.md. */
#ifndef ASSAY_CONSENSUS_RULES_H
#define ASSAY_CONSENSUS_RULES_H

#include "consensus/consensus_internal.h"

/* Applies every rule until none has anything more to do. */
void rules_settle(struct consensus *core, struct consensus_effects *out);
/* The shell built the block that BUILD asked for. */
void rules_built(struct consensus *core, const struct consensus_event *event, struct consensus_effects *out);
/* Takes a new final block over (also from catch-up). */
void rules_final(struct consensus *core, uint64_t view, const uint8_t hash[HASH_LEN]);
/* The leader's own proposal of a view again, with its certificates. */
void rules_send_proposal(struct consensus *core, const struct slot *slot, uint16_t to, struct consensus_effects *out);

#endif
