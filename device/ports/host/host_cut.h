/* The power-cut test: one update, done again and again from the same beginning with the power failing at another write
 * each time. */
#ifndef ASSAY_DEVICE_HOST_CUT_H
#define ASSAY_DEVICE_HOST_CUT_H

#include "base/why.h"
#include "device/ports/host/host_run.h"

struct host_cut_report {
    unsigned long writes;    /* of the update without a cut */
    unsigned long cuts;      /* tried */
    unsigned long old_after; /* first boot after the cut ran the old image */
    unsigned long new_after; /* ... the new one */
    uint64_t from, to;       /* sequences */
};

/* Needs a gateway that offers an update whose window is long enough for all the runs. At most `samples` writes are cut,
 * spread evenly. On success the device in `home` has the update and its report is waiting. False: `why` says it.
 */
bool host_cut_test(struct host_home *home, const struct host_run *like, unsigned long samples,
                   struct host_cut_report *out, struct why *why);

#endif
