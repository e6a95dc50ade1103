/* What an operator must look at, by name: which alarms are on, why, and how often each was raised.
 *
 * Some say that the node itself is no longer what it should be and stay until it is started again; the others pass when
 * they have not been raised again for a while. Mild ones leave the node healthy: it makes progress. Belongs to the
 * ledger thread; readers get copies. All zeros is a table without alarms.
 */
#ifndef ASSAY_NODE_API_ALARMS_H
#define ASSAY_NODE_API_ALARMS_H

#include "base/bytes.h"

#define ALARMS_MAX 32u        /* different names; further ones share the last place */
#define ALARMS_KEPT_MS 60000u /* shown this long after it was last raised */
#define ALARMS_NAME_MAX 24u   /* with terminator; longer names and texts are cut */
#define ALARMS_TEXT_MAX 168u

enum alarm_weight { ALARM_MILD, ALARM_PASSES, ALARM_STAYS };

struct alarm {
    char name[ALARMS_NAME_MAX];
    char text[ALARMS_TEXT_MAX];
    uint64_t raised;    /* times */
    uint64_t raised_ms; /* mono, the last time */
    bool on;
    enum alarm_weight weight;
};

struct alarms {
    struct alarm items[ALARMS_MAX];
    size_t count;
};

/* True when it was not on before. */
bool alarms_raise(struct alarms *alarms, const char *name, const char *text, uint64_t now_ms);
/* Ends an alarm whose cause has been seen to be gone; true when it was on. */
bool alarms_end(struct alarms *alarms, const char *name);
/* Ends one alarm that has gone over; gives its name, or NULL when there is none. Call until it says NULL. */
const char *alarms_pass(struct alarms *alarms, uint64_t now_ms);
/* The one to look at first: of most weight, of those the newest; NULL: all is quiet. */
const struct alarm *alarms_first(const struct alarms *alarms);

#endif
