/* A node's figures as Prometheus text. docs/operations.md lists them. */
#ifndef ASSAY_NODE_API_METRICS_H
#define ASSAY_NODE_API_METRICS_H

#include "base/buffer.h"
#include "node/api/status.h"
#include "verify/block_header.h"

/* Appends all of them; `head` is the last final block as readers see it. */
void metrics_write(const struct status_facts *facts, const struct block_header *head, struct buffer *out);

#endif
