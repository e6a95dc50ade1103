/* What a device's place in one update goes through, as far as this gateway has had it proven.
 *
 *                  none                      a record
 *   UNPROVEN ───────────────> ABSENT <─────────────────> UNVERIFIED, VERIFIED, OVER
 *      │  ^                     │        none                   ^ │
 *      │  └──── makes room ─────┴───────────────────────────────┼─┘
 *      └──────────────────────── a record ──────────────────────┘
 *
 * A proof says how things stood at its height, and the gateway sees some heights and not others: so a newer proof leads
 * from any place to any other, and the contract (docs/contracts.md) decides what may follow what. An older one changes
 * nothing. A place that makes room for another is unproven again. What was never proven can neither be older than a
 * proof nor make room.
 */
#ifndef ASSAY_NODE_GATEWAY_FLEET_PLACE_H
#define ASSAY_NODE_GATEWAY_FLEET_PLACE_H

#include "verify/statement.h"

enum fleet_place {
    PLACE_UNPROVEN = 1, /* nothing was proven: there is no such entry */
    PLACE_ABSENT,       /* proven: the ledger has no record of the device in this update */
    PLACE_UNVERIFIED,   /* it may verify, within its window */
    PLACE_VERIFIED,     /* it may install, and report */
    PLACE_OVER,         /* expired, exhausted, installed, failed or rolled back */
};
#define PLACES (PLACE_OVER + 1)

enum fleet_place_event {
    PROOF_OF_NONE = 1, /* a proof, newer than what is known: there is no record */
    PROOF_OF_UNVERIFIED,
    PROOF_OF_VERIFIED,
    PROOF_OF_END,
    PROOF_OLDER,     /* a proof of a lower height than what is known */
    PLACE_MAKES_ROOM /* for another update of the device */
};
#define PLACE_EVENTS (PLACE_MAKES_ROOM + 1)

/* Where the event leads; 0 when the table has no such move, which is a programmer's error. */
enum fleet_place fleet_place_after(enum fleet_place place, enum fleet_place_event event);
/* What a proof says that is newer than what is known; `status` NULL: that there is no record. */
enum fleet_place_event fleet_place_says(const struct status_record *status);
/* Has the ledger a record? */
bool fleet_place_is_present(enum fleet_place place);

#endif
