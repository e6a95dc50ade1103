/* A full node, validator or observer: keeps the ledger, links with the others, serves the API. */
#ifndef ASSAY_NODE_FULL_VALIDATOR_H
#define ASSAY_NODE_FULL_VALIDATOR_H

#include "node/home/daemon_home.h"
#include "node/host/lifecycle.h"

/* Until SIGTERM or SIGINT. OK after a clean stop; else `why` says what failed. `life` is LIFECYCLE_STARTING, and
 * LIFECYCLE_STOPPING after a clean stop. */
NODISCARD enum err validator_run(struct daemon_home *home, struct lifecycle *life, struct why *why);

#endif
