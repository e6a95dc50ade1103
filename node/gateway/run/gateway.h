/* A gateway: follows the ledger as a light node, keeps images, feeds its devices and carries their statements. */
#ifndef ASSAY_NODE_GATEWAY_RUN_GATEWAY_H
#define ASSAY_NODE_GATEWAY_RUN_GATEWAY_H

#include "node/home/daemon_home.h"
#include "node/host/lifecycle.h"

/* Until SIGTERM or SIGINT. OK after a clean stop; else `why` says what failed. `life` is LIFECYCLE_STARTING, and
 * LIFECYCLE_STOPPING after a clean stop. */
NODISCARD enum err gateway_run(struct daemon_home *home, struct lifecycle *life, struct why *why);

#endif
