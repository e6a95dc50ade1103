/* To every member whose link is up; gives how many queues took it. */
#ifndef ASSAY_TESTS_UNIT_NODE_NET_BROADCAST_H
#define ASSAY_TESTS_UNIT_NODE_NET_BROADCAST_H

#include "node/net/links.h"

static inline size_t broadcast(struct links *links, enum frame_class class, unsigned kind, struct bytes message) {
    uint16_t all[LINKS_MEMBERS_MAX];
    for (uint16_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        all[i] = i;
    }
    return links_multicast(links, all, LINKS_MEMBERS_MAX, class, kind, message);
}

#endif
