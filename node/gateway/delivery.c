#include "node/gateway/delivery.h"

#include <stdint.h>

/* Cells that are not there are 0: no such move. */
static const uint8_t after[DELIVERIES][DELIVERY_EVENTS] = {
    [DELIVERY_QUEUED] = {[DELIVERY_TAKEN] = DELIVERY_SENDING},
    [DELIVERY_SENDING] = {[DELIVERY_PROVEN] = DELIVERY_ACCEPTED,
                          [DELIVERY_DENIED] = DELIVERY_REFUSED,
                          [DELIVERY_CAME_TO_NOTHING] = DELIVERY_RETRY},
    [DELIVERY_ACCEPTED] = {[DELIVERY_NOTED] = DELIVERY_QUEUED},
    [DELIVERY_REFUSED] = {[DELIVERY_NOTED] = DELIVERY_QUEUED},
    [DELIVERY_RETRY] = {[DELIVERY_PAUSE_OVER] = DELIVERY_QUEUED},
};

enum delivery delivery_after(enum delivery state, enum delivery_event event) {
    return (unsigned)state < DELIVERIES && (unsigned)event < DELIVERY_EVENTS ? (enum delivery)after[state][event] : 0;
}

bool delivery_is_settled(enum delivery state) {
    return state == DELIVERY_ACCEPTED || state == DELIVERY_REFUSED;
}

bool delivery_is_under_way(enum delivery state) {
    return state == DELIVERY_SENDING || delivery_is_settled(state);
}
