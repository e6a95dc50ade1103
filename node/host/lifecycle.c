#include "node/host/lifecycle.h"

#include "base/assert.h"

#include <stdint.h>

/* Cells that are not there are 0: no such move. */
static const uint8_t after[LIFECYCLE_STATES][LIFECYCLE_EVENTS] = {
    [LIFECYCLE_OPENING] = {[LIFECYCLE_OPENED] = LIFECYCLE_STARTING, [LIFECYCLE_FAULT] = LIFECYCLE_REFUSED},
    [LIFECYCLE_STARTING] = {[LIFECYCLE_JOINS] = LIFECYCLE_JOINING,
                            [LIFECYCLE_SERVES] = LIFECYCLE_READY,
                            [LIFECYCLE_FAULT] = LIFECYCLE_FAILING},
    [LIFECYCLE_JOINING] = {[LIFECYCLE_JOINED] = LIFECYCLE_STARTING, [LIFECYCLE_FAULT] = LIFECYCLE_FAILING},
    [LIFECYCLE_READY] = {[LIFECYCLE_TOLD_TO_STOP] = LIFECYCLE_STOPPING, [LIFECYCLE_FAULT] = LIFECYCLE_FAILING},
    [LIFECYCLE_STOPPING] = {[LIFECYCLE_TOLD_TO_STOP] = LIFECYCLE_STOPPING,
                            [LIFECYCLE_FAULT] = LIFECYCLE_FAILING,
                            [LIFECYCLE_ENDED] = LIFECYCLE_STOPPED},
    [LIFECYCLE_FAILING] = {[LIFECYCLE_TOLD_TO_STOP] = LIFECYCLE_FAILING,
                           [LIFECYCLE_FAULT] = LIFECYCLE_FAILING,
                           [LIFECYCLE_ENDED] = LIFECYCLE_FAILED},
};

enum lifecycle_state lifecycle_after(enum lifecycle_state state, enum lifecycle_event event) {
    bool known = (unsigned)state < LIFECYCLE_STATES && (unsigned)event < LIFECYCLE_EVENTS;
    return known ? (enum lifecycle_state)after[state][event] : 0;
}

void lifecycle_move(struct lifecycle *life, enum lifecycle_event event) {
    enum lifecycle_state next = lifecycle_after(life->state, event);
    ASSERT(next != 0);
    life->state = next;
}

bool lifecycle_takes_work(const struct lifecycle *life) {
    return life->state <= LIFECYCLE_READY;
}

bool lifecycle_is_over(const struct lifecycle *life) {
    return life->state >= LIFECYCLE_STOPPED;
}

enum exit_status_part lifecycle_part(const struct lifecycle *life) {
    return life->state == LIFECYCLE_OPENING || life->state == LIFECYCLE_REFUSED ? EXIT_STATUS_HOME : EXIT_STATUS_NODE;
}
