/* A gateway: follows the ledger as a light node, keeps images, feeds its devices and carries their statements. */
#ifndef ASSAY_NODE_GATEWAY_RUN_GATEWAY_H
#define ASSAY_NODE_GATEWAY_RUN_GATEWAY_H

#include "node/home/daemon_home.h"

/* Until SIGTERM or SIGINT. OK after a clean stop; else `why` says what failed. */
NODISCARD enum err gateway_run(struct daemon_home *home, struct why *why);

#endif
