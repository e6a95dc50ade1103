/* Where a daemon stands between its start and its end, whatever its role.
 *
 *              opened              serves           told to stop            ended
 *   OPENING ──────────> STARTING ─────────> READY ───────────────> STOPPING ──────> STOPPED
 *      │                 │ ^  │               │                       │
 *      │           joins │ │  │               │                       │
 *      │                 v │ joined           │                       │
 *      │               JOINING                │                       │
 *      │ fault            └────────┬──────────┴───────────────────────┘ fault
 *      v                           v               ended
 *   REFUSED                     FAILING ────────────────────> FAILED
 *
 * While it ends, for whichever reason, it may be told to stop once more, and more may go wrong: the first fault is the
 * one that is told. Belongs to the process's main thread, which for a full node is the ledger thread.
 */
#ifndef ASSAY_NODE_HOST_LIFECYCLE_H
#define ASSAY_NODE_HOST_LIFECYCLE_H

#include "node/host/exit_status.h"

enum lifecycle_state {
    LIFECYCLE_OPENING = 1, /* reading the home: settings, genesis, keys */
    LIFECYCLE_STARTING,    /* its role opens what it stored, and what it serves by */
    LIFECYCLE_JOINING,     /* it gets a ledger of today by snapshot first */
    LIFECYCLE_READY,       /* it serves */
    LIFECYCLE_STOPPING,    /* it was told to; what is final is made durable */
    LIFECYCLE_FAILING,     /* the same, because something failed */
    LIFECYCLE_STOPPED,
    LIFECYCLE_FAILED,
    LIFECYCLE_REFUSED, /* the home can't be opened */
};
#define LIFECYCLE_STATES (LIFECYCLE_REFUSED + 1)

enum lifecycle_event {
    LIFECYCLE_OPENED = 1, /* the home is */
    LIFECYCLE_JOINS,
    LIFECYCLE_JOINED, /* or had no need to */
    LIFECYCLE_SERVES,
    LIFECYCLE_TOLD_TO_STOP,
    LIFECYCLE_FAULT,
    LIFECYCLE_ENDED, /* everything is closed */
};
#define LIFECYCLE_EVENTS (LIFECYCLE_ENDED + 1)

struct lifecycle {
    enum lifecycle_state state;
};
#define LIFECYCLE_INIT ((struct lifecycle){LIFECYCLE_OPENING})

/* Where the event leads; 0 when the table has no such move. */
enum lifecycle_state lifecycle_after(enum lifecycle_state state, enum lifecycle_event event);
/* A move that the table does not have is a programmer's error. */
void lifecycle_move(struct lifecycle *life, enum lifecycle_event event);

/* Does it take work: messages, transactions? Not once it ends. */
bool lifecycle_takes_work(const struct lifecycle *life);
/* Is there nothing left to close? */
bool lifecycle_is_over(const struct lifecycle *life);
/* What an error was about, by where it led. */
enum exit_status_part lifecycle_part(const struct lifecycle *life);

#endif
