#include "node/gateway/fleet_place.h"

#define EVERY_PROOF                                                                                                    \
    [PROOF_OF_NONE] = PLACE_ABSENT, [PROOF_OF_UNVERIFIED] = PLACE_UNVERIFIED, [PROOF_OF_VERIFIED] = PLACE_VERIFIED,    \
    [PROOF_OF_END] = PLACE_OVER

/* Cells that are not there are 0: no such move. */
static const uint8_t after[PLACES][PLACE_EVENTS] = {
    [PLACE_UNPROVEN] = {EVERY_PROOF},
    [PLACE_ABSENT] = {EVERY_PROOF, [PROOF_OLDER] = PLACE_ABSENT, [PLACE_MAKES_ROOM] = PLACE_UNPROVEN},
    [PLACE_UNVERIFIED] = {EVERY_PROOF, [PROOF_OLDER] = PLACE_UNVERIFIED, [PLACE_MAKES_ROOM] = PLACE_UNPROVEN},
    [PLACE_VERIFIED] = {EVERY_PROOF, [PROOF_OLDER] = PLACE_VERIFIED, [PLACE_MAKES_ROOM] = PLACE_UNPROVEN},
    [PLACE_OVER] = {EVERY_PROOF, [PROOF_OLDER] = PLACE_OVER, [PLACE_MAKES_ROOM] = PLACE_UNPROVEN},
};

enum fleet_place fleet_place_after(enum fleet_place place, enum fleet_place_event event) {
    return (unsigned)place < PLACES && (unsigned)event < PLACE_EVENTS ? (enum fleet_place)after[place][event] : 0;
}

enum fleet_place_event fleet_place_says(const struct status_record *status) {
    if (status == NULL) {
        return PROOF_OF_NONE;
    }
    switch (status->status) {
    case STATUS_UNVERIFIED:
        return PROOF_OF_UNVERIFIED;
    case STATUS_VERIFIED:
        return PROOF_OF_VERIFIED;
    case STATUS_EXPIRED:
    case STATUS_EXHAUSTED:
    case STATUS_INSTALLED:
    case STATUS_FAILED:
    case STATUS_ROLLED_BACK:
        break;
    }
    return PROOF_OF_END;
}

bool fleet_place_is_present(enum fleet_place place) {
    return place >= PLACE_UNVERIFIED;
}
