/* Which transport datagrams of a key were seen: none counts twice, and one that comes too late is as one seen. */
#ifndef ASSAY_NODE_NET_REPLAY_WINDOW_H
#define ASSAY_NODE_NET_REPLAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_WINDOW 2048u

/* Which counters were seen, up to REPLAY_WINDOW below the highest. All zeros is an empty one. */
struct replay_window {
    uint64_t next; /* one above the highest seen */
    uint64_t seen[REPLAY_WINDOW / 64];
};

bool replay_window_fresh(const struct replay_window *w, uint64_t counter);
/* Only for a counter that is fresh and whose datagram was authentic. */
void replay_window_mark(struct replay_window *w, uint64_t counter);

#endif
