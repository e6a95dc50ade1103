/* How assayd ends, for whoever supervises it: what another start can mend, and what waits for a person.
 *
 * The unit (assayd.service.in) starts a node again after any end but a clean one, and not after those that `stays_down`
 * marks here: a node that has diverged would only write the same words every two seconds, over the evidence in its log.
 */
#ifndef ASSAY_NODE_HOST_EXIT_STATUS_H
#define ASSAY_NODE_HOST_EXIT_STATUS_H

#include "base/error.h"

#include <stdbool.h>

/* Name, status, stays down, what it says. The statuses are the command line's where it has them. */
#define EXIT_STATUS_LIST(X)                                                                                            \
    X(EXIT_STATUS_CLEAN, 0, false, "stopped as it was told to")                                                        \
    X(EXIT_STATUS_FAILED, 1, false, "another start may go better")                                                     \
    X(EXIT_STATUS_WRONG, 2, true, "what it was given is wrong: options, assay.conf, genesis.json, keys, certificates") \
    X(EXIT_STATUS_LOOK, 3, true, "what it has can't be gone on with: an operator must look")

enum exit_status {
#define EXIT_STATUS_ENUM(name, status, stays_down, text) name = (status),
    EXIT_STATUS_LIST(EXIT_STATUS_ENUM)
#undef EXIT_STATUS_ENUM
};

/* Where it came from: reading what people wrote, or opening and running on what the node itself stored. */
enum exit_status_part { EXIT_STATUS_HOME, EXIT_STATUS_NODE };

enum exit_status exit_status_of(enum err e, enum exit_status_part part);
const char *exit_status_text(enum exit_status status);

#endif
