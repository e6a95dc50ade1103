/* What joining by snapshot goes through (snapshot_join.h).
 *
 *     BEGIN ──> ASK ──> PROVE ──> WINDOW ──> FETCH ──> BUILD ──> JOINED
 *       │ │      │ ^      │         │          │         │
 *       │ │      │ └──────┴─────────┴──────────┴─────────┘ again
 *       │ │      │                                         (ASK itself, too)
 *       │ └──────┴──> NEEDLESS
 *       v                                 ASK to BUILD
 *     FAILED                              ──────────────> GAVE_UP
 *                                             failed
 *
 * A round is what begins with ASK. One that comes to nothing may be followed by another: whoever lied is asked no more,
 * so others get their turn. Only a round can give up; what fails before anybody was asked is a fault of this node.
 */
#ifndef ASSAY_NODE_SNAPSHOT_JOIN_PHASE_H
#define ASSAY_NODE_SNAPSHOT_JOIN_PHASE_H

#include <stdbool.h>

enum join_phase {
    JOIN_PHASE_BEGIN =
        1,             /* what an earlier join left is completed; where this node stands, and whether to join at all */
    JOIN_PHASE_ASK,    /* who has what, perhaps one that is made for us first; is it worth it? */
    JOIN_PHASE_PROVE,  /* the manifest: does it verify, and lead on from what this node trusts? */
    JOIN_PHASE_WINDOW, /* bodies of the newest blocks: do they reach back far enough? */
    JOIN_PHASE_FETCH,  /* everything else */
    JOIN_PHASE_BUILD,  /* a store from it, which takes the old one's place */
    JOIN_PHASE_JOINED,
    JOIN_PHASE_NEEDLESS, /* the store stays as it is */
    JOIN_PHASE_GAVE_UP,  /* nobody has one that can be used, or a round failed for good */
    JOIN_PHASE_FAILED,
};
#define JOIN_PHASES (JOIN_PHASE_FAILED + 1)

/* What a phase came to. */
enum join_step {
    JOIN_STEP_DONE = 1,
    JOIN_STEP_NEEDLESS,
    JOIN_STEP_AGAIN, /* another round may do better */
    JOIN_STEP_FAILED,
};
#define JOIN_STEPS (JOIN_STEP_FAILED + 1)

/* Where the step leads; 0 when the table has no such move, which is a programmer's error. */
enum join_phase join_phase_after(enum join_phase phase, enum join_step step);
/* Does nothing follow? */
bool join_phase_is_end(enum join_phase phase);

#endif
