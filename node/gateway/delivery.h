/* What becomes of a statement on its way to the ledger, as the lane that carries it sees it (uplink.h).
 *
 *                   taken               proven
 *   ┌─> QUEUED ─────────────> SENDING ──────────> ACCEPTED ──┐
 *   │      ^                     │ │    denied               │
 *   │      │ pause over          │ └───────────> REFUSED ────┤
 *   │      │        came to      │                           │
 *   │    RETRY <─── nothing ─────┘                           │
 *   └──────────────────────── noted <────────────────────────┘
 *
 * In QUEUED and RETRY the lane holds no statement: what there is stands in the queue on disk, and any lane may take it;
 * only this one pauses. ACCEPTED and REFUSED end when the statement's device knows and the queue has let go of it.
 */
#ifndef ASSAY_NODE_GATEWAY_DELIVERY_H
#define ASSAY_NODE_GATEWAY_DELIVERY_H

#include <stdbool.h>

enum delivery {
    DELIVERY_QUEUED = 1, /* statements wait in the queue, if there are any */
    DELIVERY_SENDING,    /* one is put to one source after the other */
    DELIVERY_ACCEPTED,   /* the ledger provably has it */
    DELIVERY_REFUSED,    /* as many sources as it takes have refused it by a contract's code */
    DELIVERY_RETRY,      /* neither: it is back in the queue, and the lane pauses */
};
#define DELIVERIES (DELIVERY_RETRY + 1)

enum delivery_event {
    DELIVERY_TAKEN = 1, /* from the queue */
    DELIVERY_PROVEN,
    DELIVERY_DENIED,
    DELIVERY_CAME_TO_NOTHING, /* all sources were asked, or the uplink stops */
    DELIVERY_NOTED,
    DELIVERY_PAUSE_OVER,
};
#define DELIVERY_EVENTS (DELIVERY_PAUSE_OVER + 1)

/* Where the event leads; 0 when the table has no such move, which is a programmer's error. */
enum delivery delivery_after(enum delivery state, enum delivery_event event);
/* Does the lane hold a statement? */
bool delivery_is_under_way(enum delivery state);
/* Has the ledger answered? */
bool delivery_is_settled(enum delivery state);

#endif
