#include "node/host/descriptors.h"

#include <dirent.h>
#include <sys/resource.h>

uint64_t descriptors_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return DESCRIPTORS_MOST;
    }
    rlim_t most = limit.rlim_max < DESCRIPTORS_MOST ? limit.rlim_max : DESCRIPTORS_MOST;
    if (limit.rlim_cur < most) {
        const struct rlimit raised = {.rlim_cur = most, .rlim_max = limit.rlim_max};
        limit.rlim_cur = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? most : limit.rlim_cur;
    }
    return limit.rlim_cur;
}

static uint64_t kept(bool has_peers) {
    return DESCRIPTORS_STORAGE + DESCRIPTORS_CLOSING + (has_peers ? DESCRIPTORS_DIALS : 0);
}

uint64_t descriptors_needed(const struct descriptors_share *share) {
    return kept(share->has_peers) + share->http + share->door;
}

uint64_t descriptors_least(bool has_peers) {
    return kept(has_peers) + DESCRIPTORS_HTTP_LEAST + (has_peers ? DESCRIPTORS_DOOR_LEAST : 0);
}

/* As much of what is wanted as there is room for, but the least. */
static uint64_t at_most(uint64_t wanted, uint64_t room, uint64_t least) {
    uint64_t fits = wanted < room ? wanted : room;
    return fits > least || wanted < least ? fits : least;
}

enum err descriptors_fit(uint64_t limit, struct descriptors_share *share) {
    if (limit >= descriptors_needed(share)) {
        return OK;
    }
    if (limit < descriptors_least(share->has_peers)) {
        return ERR_FULL;
    }
    uint64_t room = limit - kept(share->has_peers);
    uint64_t for_door = room > share->http ? room - share->http : 0;
    share->door = share->has_peers ? at_most(share->door, for_door, DESCRIPTORS_DOOR_LEAST) : 0;
    share->http = at_most(share->http, room - share->door, DESCRIPTORS_HTTP_LEAST);
    return OK;
}

uint64_t descriptors_open(void) {
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count > 3 ? count - 3 : 0; /* without ".", ".." and its own */
}

uint64_t descriptors_ceiling(uint64_t limit, uint64_t http) {
    uint64_t kept_for_others = DESCRIPTORS_STORAGE + http;
    uint64_t room = limit > kept_for_others ? limit - kept_for_others : 0;
    return room < http + DESCRIPTORS_PEERS_MOST ? room : http + DESCRIPTORS_PEERS_MOST;
}

bool descriptors_leak(uint64_t *since_ms, uint64_t open, uint64_t known, uint64_t now_ms) {
    if (open <= known + DESCRIPTORS_LEAK) {
        *since_ms = 0;
        return false;
    }
    *since_ms = *since_ms != 0 ? *since_ms : now_ms;
    return now_ms - *since_ms >= DESCRIPTORS_LEAK_MS;
}
