/* The descriptors that the process may have: who gets how many, and whether closed connections give theirs back.
 *
 * Storage comes first: a node that accepts connections until no file can be opened stops. So what connections may take
 * is settled at the start, and the rest is kept for it.
 */
#ifndef ASSAY_NODE_HOST_DESCRIPTORS_H
#define ASSAY_NODE_HOST_DESCRIPTORS_H

#include "base/bytes.h"

#define DESCRIPTORS_MOST 65536u /* the limit is not raised beyond */
/* Kept for storage and libraries; for connections that are closed and not given back yet, of HTTP and of peers; and,
 * where there are peers, for the connections that we make to them. */
#define DESCRIPTORS_STORAGE 128u
#define DESCRIPTORS_CLOSING 128u
#define DESCRIPTORS_DIALS 256u
/* With less than this a node does not run. */
#define DESCRIPTORS_HTTP_LEAST 16u
#define DESCRIPTORS_DOOR_LEAST 96u
/* Beyond what others may use: more than that are of no use at the peers' door. */
#define DESCRIPTORS_PEERS_MOST 4096u
/* So many that nothing explains, for so long, are a leak. */
#define DESCRIPTORS_LEAK 64u
#define DESCRIPTORS_LEAK_MS 30000u

/* The limit, raised as far as it may be. */
uint64_t descriptors_limit(void);

struct descriptors_share {
    bool has_peers;
    uint64_t http, door; /* connections: wanted, then what fits; door is 0 without peers */
};
/* The door gives way first, as what it wants is for the most members there can be; neither to less than its least.
 * ERR_FULL: not even that fits; unchanged. */
NODISCARD enum err descriptors_fit(uint64_t limit, struct descriptors_share *share);
/* The least limit with which a node runs, and one that such a share fits into. */
uint64_t descriptors_needed(const struct descriptors_share *share);
uint64_t descriptors_least(bool has_peers);

/* How many the process has open. Reads a folder of the kernel's: some microseconds for each hundred. */
uint64_t descriptors_open(void);
/* With how many open, of whatever kind, no more connections of peers are accepted: closed ones give theirs back a
 * little later, and whoever connects faster than that must not take those of storage and HTTP. */
uint64_t descriptors_ceiling(uint64_t limit, uint64_t http);

/* Is it a leak? So many are open, and for so many there is a reason. `since_ms` begins as 0 and is kept for the next
 * call. */
bool descriptors_leak(uint64_t *since_ms, uint64_t open, uint64_t known, uint64_t now_ms);

#endif
