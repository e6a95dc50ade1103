/* Joining by snapshot as part of a node's start: by the settings of its home, told in the log, on the calling thread.
 */
#ifndef ASSAY_NODE_HOME_HOME_JOIN_START_H
#define ASSAY_NODE_HOME_HOME_JOIN_START_H

#include "base/why.h"
#include "node/home/daemon_home.h"

/* Before the home's ledger is opened. OK also when there was nothing to do or nobody to join from; an error (explained
 * in `why`) keeps the node from starting: what it would start from is not what it should be. */
NODISCARD enum err home_join_start(const struct daemon_home *home, struct why *why);

#endif
