#include "node/http/connections.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

/* The kernel's numbers; the header that has them can't be included beside the one with what was acknowledged. */
enum { STATE_CLOSE = 7, STATE_CLOSE_WAIT = 8 };

struct connections {
    struct connections_limits limits;
    pthread_mutex_t lock;
    pthread_cond_t served_done;
    struct connection *first, *last; /* oldest first */
    uint32_t open, served;
    struct connections_stats stats;
};

enum err connections_new(const struct connections_limits *limits, struct connections **out) {
    struct connections *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return ERR_NOMEM;
    }
    table->limits = *limits;
    (void)pthread_mutex_init(&table->lock, NULL);
    (void)pthread_cond_init(&table->served_done, NULL);
    *out = table;
    return OK;
}

void connections_free(struct connections *table) {
    if (table == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&table->lock);
    (void)pthread_cond_destroy(&table->served_done);
    free(table);
}

struct connection_address connections_address(const struct sockaddr *address) {
    struct connection_address out = {0};
    if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        out.bytes[10] = out.bytes[11] = 0xff;
        memcpy(out.bytes + 12, &v4.sin_addr, 4);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr);
        memcpy(out.bytes, &v6.sin6_addr, mapped ? 16 : 8);
    }
    return out;
}

static bool same_address(const struct connection *c, const struct connection_address *address) {
    return memcmp(c->address.bytes, address->bytes, sizeof address->bytes) == 0;
}

/* The socket is closed by the library when it sees the end of the stream. */
static void send_away(struct connections *table, struct connection *c) {
    c->leaving = true;
    table->open--;
    if (c->fd >= 0) {
        (void)shutdown(c->fd, SHUT_RDWR);
    }
}

static bool may_be_evicted(const struct connection *c, uint64_t now_ms) {
    if (c->leaving) {
        return false;
    }
    return c->state == CONNECTION_HEAD ||
           (c->state == CONNECTION_BODY && now_ms - c->progress_ms > CONNECTIONS_STILL_MS);
}

/* Who gives way: waiting heads before standing bodies, the longest waiting first. `address` NULL: anyone. */
static struct connection *choose_victim(struct connections *table, const struct connection_address *address,
                                        uint64_t now_ms) {
    struct connection *best = NULL;
    for (struct connection *c = table->first; c != NULL; c = c->next) {
        if (!may_be_evicted(c, now_ms) || (address != NULL && !same_address(c, address))) {
            continue;
        }
        if (best == NULL || c->state < best->state || (c->state == best->state && c->progress_ms < best->progress_ms)) {
            best = c;
        }
    }
    return best;
}

static uint32_t count_of(const struct connections *table, const struct connection_address *address) {
    uint32_t count = 0;
    for (const struct connection *c = table->first; c != NULL; c = c->next) {
        count += !c->leaving && same_address(c, address);
    }
    return count;
}

static bool make_room(struct connections *table, const struct connection_address *address, uint64_t now_ms) {
    bool address_full = count_of(table, address) >= table->limits.per_address;
    if (!address_full && table->open < table->limits.total) {
        return true;
    }
    struct connection *victim = choose_victim(table, address_full ? address : NULL, now_ms);
    if (victim == NULL) {
        table->stats.refused++;
        return false;
    }
    send_away(table, victim);
    table->stats.evicted++;
    return true;
}

struct connection *connections_add(struct connections *table, int fd, const struct sockaddr *address, uint64_t now_ms) {
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        (void)shutdown(fd, SHUT_RDWR);
        return NULL;
    }
    *c = (struct connection){
        .fd = fd, .address = connections_address(address), .since_ms = now_ms, .progress_ms = now_ms};
    (void)pthread_mutex_lock(&table->lock);
    bool admitted = make_room(table, &c->address, now_ms);
    if (admitted) {
        c->prev = table->last;
        *(table->last != NULL ? &table->last->next : &table->first) = c;
        table->last = c;
        table->open++;
    }
    (void)pthread_mutex_unlock(&table->lock);
    if (!admitted) {
        (void)shutdown(fd, SHUT_RDWR);
        free(c);
        return NULL;
    }
    return c;
}

static void leave_served(struct connections *table) {
    table->served--;
    if (table->served == 0) {
        (void)pthread_cond_broadcast(&table->served_done);
    }
}

void connections_remove(struct connections *table, struct connection *c) {
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&table->lock);
    *(c->prev != NULL ? &c->prev->next : &table->first) = c->next;
    *(c->next != NULL ? &c->next->prev : &table->last) = c->prev;
    table->open -= c->leaving ? 0 : 1;
    if (c->state == CONNECTION_SERVED) {
        leave_served(table);
    }
    (void)pthread_mutex_unlock(&table->lock);
    free(c);
}

void connections_state(struct connections *table, struct connection *c, enum connection_state state, uint64_t now_ms) {
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&table->lock);
    if (c->state != state) {
        if (c->state == CONNECTION_SERVED) {
            c->used = true;
            leave_served(table);
        }
        table->served += state == CONNECTION_SERVED;
        c->state = state;
        c->since_ms = c->progress_ms = now_ms;
        c->body_bytes = 0;
    }
    (void)pthread_mutex_unlock(&table->lock);
}

void connections_progress(struct connections *table, struct connection *c, size_t bytes, uint64_t now_ms) {
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&table->lock);
    c->progress_ms = now_ms;
    c->body_bytes += bytes;
    (void)pthread_mutex_unlock(&table->lock);
}

/* Bytes that the kernel holds for the client; and, in all, what the client has acknowledged. */
static bool sending(int fd, uint64_t *out_acked) {
    int waiting = 0;
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    if (fd < 0 || ioctl(fd, SIOCOUTQ, &waiting) != 0 || waiting == 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return false;
    }
    *out_acked = info.tcpi_bytes_acked;
    return true;
}

/* Does it take its answer too slowly? One for which nothing waits does not. */
static bool takes_too_slowly(const struct connections_limits *limits, struct connection *c, uint64_t now_ms) {
    uint64_t acked = 0;
    if (!sending(c->fd, &acked)) {
        c->paced_ms = 0;
        return false;
    }
    uint64_t age = now_ms - c->paced_ms;
    if (c->paced_ms == 0 || age < CONNECTIONS_PACE_MS) {
        c->acked = c->paced_ms == 0 ? acked : c->acked;
        c->paced_ms = c->paced_ms == 0 ? now_ms : c->paced_ms;
        return false;
    }
    bool slow = (acked - c->acked) * 1000 / age < limits->body_min_rate;
    c->acked = acked;
    c->paced_ms = now_ms;
    return slow;
}

/* Has the client ended its half, with a request begun that will never be whole? The library, which is told of news alone,
 * may have overlooked it when it came with the last bytes. */
static bool has_left(const struct connection *c, uint64_t now_ms) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    memset(&info, 0, sizeof info);
    return c->state != CONNECTION_SERVED && now_ms - c->progress_ms >= CONNECTIONS_STILL_MS && c->fd >= 0 &&
           getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           (info.tcpi_state == STATE_CLOSE_WAIT || info.tcpi_state == STATE_CLOSE);
}

static bool is_too_slow(const struct connections_limits *limits, struct connection *c, uint64_t now_ms) {
    uint64_t age = now_ms - c->since_ms;
    switch (c->state) {
    case CONNECTION_HEAD:
        return age > (c->used ? limits->idle_timeout_ms : limits->header_timeout_ms);
    case CONNECTION_BODY:
        return age > CONNECTIONS_BODY_GRACE_MS && c->body_bytes * 1000 / age < limits->body_min_rate;
    case CONNECTION_SERVED:
    default:
        return takes_too_slowly(limits, c, now_ms);
    }
}

void connections_sweep(struct connections *table, uint64_t now_ms) {
    (void)pthread_mutex_lock(&table->lock);
    for (struct connection *c = table->first; c != NULL; c = c->next) {
        if (!c->leaving && has_left(c, now_ms)) {
            send_away(table, c);
        } else if (!c->leaving && is_too_slow(&table->limits, c, now_ms)) {
            send_away(table, c);
            table->stats.timed_out++;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
}

void connections_drain(struct connections *table, uint64_t timeout_ms) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(timeout_ms / 1000);
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&table->lock);
    while (table->served > 0) {
        if (pthread_cond_timedwait(&table->served_done, &table->lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&table->lock);
}

void connections_limit(struct connections *table, uint32_t per_address, uint32_t header_timeout_ms) {
    (void)pthread_mutex_lock(&table->lock);
    table->limits.per_address = per_address;
    table->limits.header_timeout_ms = header_timeout_ms;
    (void)pthread_mutex_unlock(&table->lock);
}

void connections_stats(struct connections *table, struct connections_stats *out) {
    (void)pthread_mutex_lock(&table->lock);
    *out = table->stats;
    out->open = table->open;
    (void)pthread_mutex_unlock(&table->lock);
}
