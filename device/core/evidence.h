/* What makes an update believable: the vendor's signature over a manifest that suits this device, and the ledger's
 * proofs. Nothing here writes to flash; what was learned goes into the state in memory. */
#ifndef ASSAY_DEVICE_CORE_EVIDENCE_H
#define ASSAY_DEVICE_CORE_EVIDENCE_H

#include "device/core/talk.h"

/* A verdict, or that the evidence could not be had now. */
struct finding {
    enum talk_result talk; /* TALK_OK: `verdict` holds */
    enum verdict verdict;
};

/* Fetches delegation and envelope, judges them, and fills in the candidate's manifest digest and image. */
struct finding evidence_manifest(struct device *device);

/* Fetches the class record at `least_height` or above and checks that the candidate is what it says to run (or, with
 * `may_be_older`, that it is not revoked and not barred). Moves the trusted epoch and height on. */
struct finding evidence_class(struct device *device, uint64_t least_height, bool may_be_older);

/* Fetches this device's own status record and checks that it answers the verify that is on its way. */
struct finding evidence_status(struct device *device, struct status_record *out, uint64_t *out_height);

#endif
