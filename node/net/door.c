#include "node/net/door.h"

#include "base/assert.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/ed25519.h"
#include "node/host/descriptors.h"
#include "node/host/log.h"
#include "node/net/name.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 512u
#define CROWDS 1024u
#define FAILED_MS 100  /* before the next is accepted, after one that failed */
#define FULL_MS 10     /* and while too many descriptors are open */
#define COUNT_EACH 32u /* accepted, until descriptors are counted again */

enum place_state { PLACE_FREE, PLACE_STRANGER, PLACE_WAITING, PLACE_GUEST };

struct place {
    enum place_state state;
    struct wire *wire;
    uint64_t address;
    bool favoured; /* the address is a member's */
    uint64_t since_ms;
};

/* Initiations of an address. */
struct bucket {
    uint64_t address;
    uint64_t used_ms; /* 0: nobody's */
    struct budget budget;
};

struct door {
    atomic_uint refs; /* the owner's, the accept's, and one for each stranger's wire */
    struct wire_hub *hub;
    const struct session_self *self;
    nng_stream_listener *listener;
    nng_aio *accept, *pause; /* one of both is under way */
    size_t max_descriptors;
    unsigned uncounted; /* accepted since they were counted */
    uint16_t port;

    pthread_mutex_t lock; /* over everything below */
    bool closed;
    size_t max, max_per_address;
    struct place *places;
    size_t place_count;
    struct bucket buckets[BUCKETS];
    struct budget all;
    uint64_t favoured[DOOR_MEMBERS_MAX]; /* addresses of members; 0: none */
    uint64_t salt;
    uint16_t crowds[CROWDS]; /* how many have not been let in, by a salted hash of the address */
    struct door_stats stats;
};

static void unref(void *arg) {
    struct door *door = arg;
    if (atomic_fetch_sub(&door->refs, 1) == 1) {
        nng_aio_reap(door->accept);
        nng_aio_reap(door->pause);
        wire_hub_unref(door->hub);
        (void)pthread_mutex_destroy(&door->lock);
        free(door->places);
        free(door);
    }
}

static void ref(struct door *door) {
    (void)atomic_fetch_add(&door->refs, 1);
}

/* ---- Budgets ----------------------------------------------------------------------------------------------------- */

/* The one of this address; a new address takes the place of whoever has been away longest. */
static struct bucket *bucket_of(struct door *door, uint64_t address, uint64_t now_ms) {
    struct bucket *oldest = &door->buckets[0];
    for (size_t i = 0; i < BUCKETS; i++) {
        struct bucket *b = &door->buckets[i];
        if (b->used_ms != 0 && b->address == address) {
            b->used_ms = now_ms;
            return b;
        }
        oldest = b->used_ms < oldest->used_ms ? b : oldest;
    }
    *oldest = (struct bucket){.address = address, .used_ms = now_ms};
    return oldest;
}

static bool is_favoured(const struct door *door, uint64_t address) {
    for (size_t i = 0; i < DOOR_MEMBERS_MAX; i++) {
        if (door->favoured[i] == address) {
            return address != 0;
        }
    }
    return false;
}

static bool is_affordable(struct door *door, const struct place *place) {
    uint64_t now = clock_mono_ms();
    struct budget *own = &bucket_of(door, place->address, now)->budget;
    return budget_spend(own, DOOR_ADDRESS_BURST, DOOR_ADDRESS_MS, now) &&
           (place->favoured || budget_spend(&door->all, DOOR_ALL_BURST, DOOR_ALL_MS, now));
}

/* ---- Strangers --------------------------------------------------------------------------------------------------- */

static uint16_t *crowd_of(struct door *door, uint64_t address) {
    return &door->crowds[((address ^ door->salt) * 0x9e3779b97f4a7c15u) >> 54];
}

static bool is_outside(const struct place *place) {
    return place->state == PLACE_STRANGER || place->state == PLACE_WAITING;
}

static struct place *place_of(struct door *door, const struct wire *wire) {
    for (size_t i = 0; i < door->place_count; i++) {
        struct place *place = &door->places[i];
        if (place->state != PLACE_FREE && place->wire == wire) {
            return place;
        }
    }
    return NULL;
}

static void cut(struct door *door, struct place *place) {
    struct wire *wire = place->wire;
    --*crowd_of(door, place->address);
    place->state = PLACE_FREE;
    place->wire = NULL;
    door->stats.connections--;
    door->stats.cut++;
    wire_close(wire);
}

/* Does it go before the other, when one must? */
static bool goes_before(struct door *door, const struct place *place, const struct place *other) {
    if (place->favoured != other->favoured) {
        return other->favoured;
    }
    if (place->state != other->state) {
        return place->state == PLACE_STRANGER;
    }
    unsigned crowd = *crowd_of(door, place->address), of_other = *crowd_of(door, other->address);
    return crowd != of_other ? crowd > of_other : place->since_ms < other->since_ms;
}

/* Who goes, of one address or of all (NULL); NULL when there is nobody. */
static struct place *who_goes(struct door *door, const uint64_t *address) {
    struct place *goes = NULL;
    for (size_t i = 0; i < door->place_count; i++) {
        struct place *place = &door->places[i];
        bool counts = is_outside(place) && (address == NULL || place->address == *address);
        goes = counts && (goes == NULL || goes_before(door, place, goes)) ? place : goes;
    }
    return goes;
}

static size_t count_of(const struct door *door, uint64_t address) {
    size_t count = 0;
    for (size_t i = 0; i < door->place_count; i++) {
        count += door->places[i].state != PLACE_FREE && door->places[i].address == address;
    }
    return count;
}

/* A free place, for which somebody may have had to go. */
static struct place *make_place(struct door *door, uint64_t address) {
    bool crowd = count_of(door, address) >= door->max_per_address;
    if (crowd || door->stats.connections >= door->max) {
        struct place *goes = who_goes(door, crowd ? &address : NULL);
        if (goes == NULL) {
            return NULL;
        }
        cut(door, goes);
    }
    for (size_t i = 0; i < door->place_count; i++) {
        if (door->places[i].state == PLACE_FREE) {
            return &door->places[i];
        }
    }
    return NULL;
}

/* What a stranger has sent so far. False: it is cut. */
static bool judge(struct door *door, struct place *place) {
    uint8_t *data;
    size_t len;
    enum err e = wire_next(place->wire, &data, &len);
    if (e == ERR_NOTFOUND) {
        return true;
    }
    if (e == OK && (data[0] != SESSION_INITIATION || session_check(door->self, bytes_of(data, len)) != OK)) {
        e = ERR_MALFORMED;
    }
    if (e != OK) {
        door->stats.garbage += e == ERR_MALFORMED;
        return false;
    }
    if (!is_affordable(door, place)) {
        door->stats.throttled++;
        return false;
    }
    wire_return(place->wire, len);
    wire_own(place->wire);
    place->state = PLACE_WAITING;
    return true;
}

/* On one of nng's threads: a stranger has sent something, or ended. */
static void on_words(struct wire *wire, void *arg) {
    struct door *door = arg;
    bool waits = false;
    (void)pthread_mutex_lock(&door->lock);
    struct place *place = place_of(door, wire);
    if (place != NULL && place->state == PLACE_STRANGER) {
        if (!judge(door, place)) {
            cut(door, place);
        } else {
            waits = place->state == PLACE_WAITING;
        }
    }
    (void)pthread_mutex_unlock(&door->lock);
    if (waits) {
        wire_hub_wake(door->hub);
    }
}

static void admit(struct door *door, nng_stream *stream) {
    struct wire *wire;
    if (wire_new(door->hub, stream, SESSION_INITIATION_LEN, &wire) != OK) {
        return;
    }
    uint64_t address = wire_address(wire);
    struct place *place = door->closed ? NULL : make_place(door, address);
    if (place == NULL) {
        door->stats.refused++;
        wire_close(wire);
        return;
    }
    ref(door);
    wire_attend(wire, on_words, unref, door);
    *place = (struct place){.state = PLACE_STRANGER,
                            .wire = wire,
                            .address = address,
                            .favoured = is_favoured(door, address),
                            .since_ms = clock_mono_ms()};
    ++*crowd_of(door, address);
    door->stats.connections++;
    if (!judge(door, place)) {
        cut(door, place);
    }
}

/* nng gives a closed connection's descriptor back in its own time, one after the other: whoever connects and goes
 * faster than that would use them all up. Counted without the lock, seldom enough to cost little. */
static bool is_full(struct door *door) {
    if (door->max_descriptors == 0 || door->uncounted++ < COUNT_EACH) {
        return false;
    }
    bool full = descriptors_open() >= door->max_descriptors;
    door->uncounted = full ? COUNT_EACH : 0;
    return full;
}

/* Goes on accepting, at once or after a while. */
static void go_on(struct door *door, nng_duration pause_ms) {
    if (!door->closed) {
        ref(door);
        if (pause_ms == 0) {
            nng_stream_listener_accept(door->listener, door->accept);
        } else {
            nng_sleep_aio(pause_ms, door->pause);
        }
    }
}

static void on_accept(void *arg) {
    struct door *door = arg;
    int rv = nng_aio_result(door->accept);
    bool full = is_full(door);
    (void)pthread_mutex_lock(&door->lock);
    bool failed = rv != 0 && !door->closed;
    if (rv == 0) {
        admit(door, nng_aio_get_output(door->accept, 0));
    }
    nng_duration pause_ms = full ? FULL_MS : 0;
    go_on(door, failed ? FAILED_MS : pause_ms);
    (void)pthread_mutex_unlock(&door->lock);
    if (failed) {
        log_event(LOG_WARN, "links.no_accept", log_text("error", nng_strerror(rv)));
    }
    unref(door);
}

static void on_pause(void *arg) {
    struct door *door = arg;
    bool full = is_full(door);
    (void)pthread_mutex_lock(&door->lock);
    go_on(door, full ? FULL_MS : 0);
    (void)pthread_mutex_unlock(&door->lock);
    unref(door);
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static enum err listen_on(struct door *door, const char *address) {
    char url[300];
    int port = 0, n = snprintf(url, sizeof url, "tcp://%s", address);
    if (n < 0 || (size_t)n >= sizeof url || !name_is_whole(address)) {
        return ERR_CONFIG; /* without a port the kernel would choose one, that nobody knows */
    }
    int rv = nng_stream_listener_alloc(&door->listener, url);
    if (rv == 0) {
        rv = nng_stream_listener_listen(door->listener);
    }
    if (rv == 0) {
        rv = nng_stream_listener_get_int(door->listener, NNG_OPT_TCP_BOUND_PORT, &port);
        door->port = (uint16_t)port;
    }
    switch (rv) {
    case 0:
        return OK;
    case NNG_EADDRINUSE:
        return ERR_BUSY;
    case NNG_EADDRINVAL:
    case NNG_EINVAL:
        return ERR_CONFIG;
    case NNG_ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_NETWORK;
    }
}

enum err door_open(const struct door_config *config, struct door **out) {
    struct door *door = calloc(1, sizeof *door);
    if (door == NULL) {
        return ERR_NOMEM;
    }
    door->places = calloc(config->max_connections, sizeof *door->places);
    if (door->places == NULL || nng_aio_alloc(&door->accept, on_accept, door) != 0 ||
        nng_aio_alloc(&door->pause, on_pause, door) != 0) {
        nng_aio_free(door->accept);
        free(door->places);
        free(door);
        return ERR_NOMEM;
    }
    atomic_init(&door->refs, 1);
    (void)pthread_mutex_init(&door->lock, NULL);
    door->hub = wire_hub_ref(config->hub);
    door->self = config->self;
    random_fill(&door->salt, sizeof door->salt);
    door->max = door->place_count = config->max_connections;
    door->max_per_address = config->max_connections_per_address;
    door->max_descriptors = config->max_descriptors;
    enum err e = listen_on(door, config->listen);
    if (e != OK) {
        door_close(door);
        return e;
    }
    *out = door;
    return OK;
}

void door_start(struct door *door) {
    (void)pthread_mutex_lock(&door->lock);
    go_on(door, 0);
    (void)pthread_mutex_unlock(&door->lock);
}

void door_close(struct door *door) {
    if (door == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&door->lock);
    door->closed = true;
    for (size_t i = 0; i < door->place_count; i++) {
        if (is_outside(&door->places[i])) {
            cut(door, &door->places[i]);
        }
    }
    (void)pthread_mutex_unlock(&door->lock);
    nng_aio_cancel(door->pause);
    if (door->listener != NULL) {
        nng_stream_listener_close(door->listener); /* ends the accept */
        nng_stream_listener_free(door->listener);
    }
    unref(door);
}

void door_limit(struct door *door, size_t connections, size_t connections_per_address) {
    (void)pthread_mutex_lock(&door->lock);
    door->max = connections < door->place_count ? connections : door->place_count;
    door->max_per_address = connections_per_address;
    (void)pthread_mutex_unlock(&door->lock);
}

uint16_t door_port(const struct door *door) {
    return door->port;
}

/* ---- Guests ------------------------------------------------------------------------------------------------------ */

struct wire *door_take(struct door *door) {
    struct place *first = NULL;
    (void)pthread_mutex_lock(&door->lock);
    for (size_t i = 0; i < door->place_count; i++) {
        struct place *place = &door->places[i];
        bool waits = place->state == PLACE_WAITING;
        first = waits && (first == NULL || place->since_ms < first->since_ms) ? place : first;
    }
    if (first != NULL) {
        first->state = PLACE_GUEST;
        --*crowd_of(door, first->address);
    }
    struct wire *wire = first != NULL ? first->wire : NULL;
    (void)pthread_mutex_unlock(&door->lock);
    return wire;
}

void door_left(struct door *door, const struct wire *guest) {
    (void)pthread_mutex_lock(&door->lock);
    struct place *place = place_of(door, guest);
    if (place != NULL && place->state == PLACE_GUEST) {
        *place = (struct place){.state = PLACE_FREE};
        door->stats.connections--;
    }
    (void)pthread_mutex_unlock(&door->lock);
}

void door_favour(struct door *door, size_t member, uint64_t address) {
    ASSERT(member < DOOR_MEMBERS_MAX);
    (void)pthread_mutex_lock(&door->lock);
    if (door->favoured[member] != address) {
        door->favoured[member] = address;
        for (size_t i = 0; i < door->place_count; i++) {
            struct place *place = &door->places[i];
            place->favoured = place->state != PLACE_FREE && is_favoured(door, place->address);
        }
    }
    (void)pthread_mutex_unlock(&door->lock);
}

void door_tick(struct door *door, uint64_t now_ms) {
    (void)pthread_mutex_lock(&door->lock);
    for (size_t i = 0; i < door->place_count; i++) {
        struct place *place = &door->places[i];
        if (place->state == PLACE_STRANGER && now_ms >= place->since_ms + DOOR_STRANGER_MS) {
            cut(door, place);
        }
    }
    (void)pthread_mutex_unlock(&door->lock);
}

struct door_stats door_stats(struct door *door) {
    (void)pthread_mutex_lock(&door->lock);
    struct door_stats stats = door->stats;
    (void)pthread_mutex_unlock(&door->lock);
    return stats;
}
