/* Telling the service manager and a waiting parent how the node is doing: sd_notify's protocol, one datagram to
 * $NOTIFY_SOCKET, and the "ready" line on stdout. */
#ifndef ASSAY_NODE_HOST_NOTIFY_H
#define ASSAY_NODE_HOST_NOTIFY_H

#include "base/error.h"

#include <stdint.h>

/* Sends e.g. "READY=1\nSTATUS=serving"; OK and nothing sent when there is no service manager. */
NODISCARD enum err notify_send(const char *state);
/* "ready peer=127.0.0.1:26600 http=http://127.0.0.1:26601 height=12" on stdout, flushed, then READY=1. Either address
 * may be "" and is left out. */
NODISCARD enum err notify_ready(const char *peer, const char *http, uint64_t height);

#define NOTIFY_READY_WORD "ready"

#endif
