/* Time: when a view is active, when its leader is late, when to resend. All times come from events. */
#ifndef ASSAY_CONSENSUS_PACE_H
#define ASSAY_CONSENSUS_PACE_H

#include "consensus/consensus_internal.h"

/* Looks whether the current view's timers should run, and starts or stops them. */
void pace_refresh(struct consensus *core);
/* The current view changed. `timed_out`: by a nullification. */
void pace_view_entered(struct consensus *core, bool timed_out);
/* A block became final: time-outs go back to their base. */
void pace_progress(struct consensus *core);

/* So many views without finality that time-outs grow beyond their cap, and silent leaders are waited for too. */
bool pace_is_slow(const struct consensus *core);
bool pace_leader_is_late(const struct consensus *core);
bool pace_view_is_late(const struct consensus *core);
/* A leader without transactions proposes anyway: the view is active, or a heartbeat is due. */
bool pace_wants_filler(const struct consensus *core);
bool pace_wants_resend(const struct consensus *core);
/* The view has been active for so long that who has not shown itself in it seems to lack what led here. */
bool pace_wants_help(const struct consensus *core);
/* The next moment at which something may have to happen; 0: none. */
uint64_t pace_deadline(const struct consensus *core);

#endif
