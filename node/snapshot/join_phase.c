#include "node/snapshot/join_phase.h"

#include <stdint.h>

#define OF_A_ROUND [JOIN_STEP_AGAIN] = JOIN_PHASE_ASK, [JOIN_STEP_FAILED] = JOIN_PHASE_GAVE_UP

/* Cells that are not there are 0: no such move. */
static const uint8_t after[JOIN_PHASES][JOIN_STEPS] = {
    [JOIN_PHASE_BEGIN] = {[JOIN_STEP_DONE] = JOIN_PHASE_ASK,
                          [JOIN_STEP_NEEDLESS] = JOIN_PHASE_NEEDLESS,
                          [JOIN_STEP_FAILED] = JOIN_PHASE_FAILED},
    [JOIN_PHASE_ASK] = {OF_A_ROUND, [JOIN_STEP_DONE] = JOIN_PHASE_PROVE, [JOIN_STEP_NEEDLESS] = JOIN_PHASE_NEEDLESS},
    [JOIN_PHASE_PROVE] = {OF_A_ROUND, [JOIN_STEP_DONE] = JOIN_PHASE_WINDOW},
    [JOIN_PHASE_WINDOW] = {OF_A_ROUND, [JOIN_STEP_DONE] = JOIN_PHASE_FETCH},
    [JOIN_PHASE_FETCH] = {OF_A_ROUND, [JOIN_STEP_DONE] = JOIN_PHASE_BUILD},
    [JOIN_PHASE_BUILD] = {OF_A_ROUND, [JOIN_STEP_DONE] = JOIN_PHASE_JOINED},
};

enum join_phase join_phase_after(enum join_phase phase, enum join_step step) {
    return (unsigned)phase < JOIN_PHASES && (unsigned)step < JOIN_STEPS ? (enum join_phase)after[phase][step] : 0;
}

bool join_phase_is_end(enum join_phase phase) {
    return phase >= JOIN_PHASE_JOINED;
}
