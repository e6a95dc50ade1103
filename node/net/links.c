#include "node/net/link_internal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/ed25519.h"

#include <stdlib.h>
#include <string.h>

#define PSK_TAG "assay.linkpsk\0\0"
#define PSK_TAG_LEN 16
_Static_assert(sizeof PSK_TAG == PSK_TAG_LEN, "a tag has 16 bytes");

#define CONNECTIONS_PER_ADDRESS(members) (2 * (size_t)(members) + 16)

/* The longest sleep of the timer: strangers' connections are looked at that often. */
#define TICK_MAX_MS 1000u
/* How soon the network is asked again that takes no more: after a quarter of the time that it has not. */
#define BLOCKED_MIN_MS 1u
#define BLOCKED_MAX_MS 20u

void links_psk(const uint8_t chain_id[SHA256_LEN], struct bytes swarm_key, uint8_t out_psk[NOISE_KEY_LEN]) {
    struct bytes parts[] = {bytes_of(PSK_TAG, PSK_TAG_LEN), bytes_of(chain_id, SHA256_LEN), swarm_key};
    sha256_parts(parts, 3, out_psk);
}

/* ---- Wires ------------------------------------------------------------------------------------------------------- */

void links_drop_wire(struct links *links, struct wire *wire) {
    if (wire != NULL) {
        door_left(links->door, wire);
        wire_close(wire);
    }
}

void links_flush(struct links *links, struct wire *wire) {
    if (!wire_flush(wire)) {
        links_blocked(links, wire);
    } else if (wire_is_broken(wire)) {
        links_tick_at_once(links);
    }
}

/* ---- Turns of the loop ------------------------------------------------------------------------------------------- */

/* Of the hub; any thread. */
static void wake(void *arg) {
    struct links *links = arg;
    (void)uv_async_send(&links->async);
}

static void free_dead(struct links *links) {
    while (links->dead != NULL) {
        struct link_peer *peer = links->dead;
        links->dead = peer->next_dead;
        link_peer_free(peer);
    }
}

static void on_timer(uv_timer_t *timer) {
    struct links *links = timer->data;
    uint64_t now = clock_mono_ms();
    uint64_t next = now + TICK_MAX_MS;
    free_dead(links);
    door_tick(links->door, now);
    uint64_t guests = links_tick_guests(links, now);
    next = guests < next ? guests : next;
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        if (links->peers[i] != NULL) {
            uint64_t wants = link_peer_tick(links->peers[i], now);
            next = wants < next ? wants : next;
        }
    }
    /* Never zero: a peer whose time is now had its turn. Unless what happened asked for another turn at once. */
    if (!uv_is_active((uv_handle_t *)timer)) {
        (void)uv_timer_start(timer, on_timer, next > now ? next - now : 1, 0);
    }
}

void links_tick_at_once(struct links *links) {
    if (links->loop != NULL) {
        (void)uv_timer_start(&links->timer, on_timer, 0, 0);
    }
}

static void on_linger(uv_timer_t *timer);

/* Gossip went out: what comes within the next moment gathers until that is over. The first after a quiet time has not
 * waited, and under load all but the first do. Begun only when every peer had its turn: their copies go together. */
static void linger_after_gossip(struct links *links) {
    if (links->gossip_left && !links->lingering) {
        links->lingering = true;
        (void)uv_timer_start(&links->linger, on_linger, LINKS_LINGER_MS, 0);
    }
    links->gossip_left = false;
}

static void pump_all(struct links *links) {
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        if (links->peers[i] != NULL) {
            link_peer_pump(links->peers[i]);
        }
    }
    linger_after_gossip(links);
}

static void on_linger(uv_timer_t *timer) {
    struct links *links = timer->data;
    links->lingering = false;
    pump_all(links);
}

static void on_wake(uv_async_t *async) {
    if (links_receive(async->data)) {
        (void)uv_async_send(async);
    }
}

static void on_blocked(uv_timer_t *timer) {
    struct links *links = timer->data;
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        struct link_peer *peer = links->peers[i];
        if (peer != NULL && peer->calling != NULL) {
            links_flush(links, peer->calling);
        }
        if (peer != NULL) {
            link_peer_pump(peer);
        }
    }
    for (size_t i = 0; i < LINKS_GUESTS_MAX; i++) {
        if (links->guests[i].wire != NULL) {
            links_flush(links, links->guests[i].wire);
        }
    }
    linger_after_gossip(links);
}

void links_blocked(struct links *links, const struct wire *wire) {
    uint64_t delay = wire_stuck_ms(wire, clock_mono_ms()) / 4;
    delay = delay > BLOCKED_MIN_MS ? delay : BLOCKED_MIN_MS;
    delay = delay < BLOCKED_MAX_MS ? delay : BLOCKED_MAX_MS;
    if (!uv_is_active((uv_handle_t *)&links->blocked) || uv_timer_get_due_in(&links->blocked) > delay) {
        (void)uv_timer_start(&links->blocked, on_blocked, delay, 0);
    }
}

/* Messages queued in one turn leave together at its end. */
static void on_flush(uv_prepare_t *prepare) {
    struct links *links = prepare->data;
    (void)uv_prepare_stop(&links->flush);
    (void)uv_idle_stop(&links->hurry);
    links->flushing = false;
    pump_all(links);
}

static void on_hurry(uv_idle_t *idle) {
    (void)idle;
}

static void flush_this_turn(struct links *links) {
    if (!links->flushing) {
        links->flushing = true;
        (void)uv_prepare_start(&links->flush, on_flush);
        (void)uv_idle_start(&links->hurry, on_hurry);
    }
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

static void release(struct links *links) {
    if (links->hub != NULL) {
        wire_hub_unref(links->hub);
    }
    secure_wipe(links, sizeof *links);
    free(links);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct links *links = handle->data;
    if (--links->open_handles == 0) {
        release(links);
    }
}

static void close_handle(struct links *links, uv_handle_t *handle) {
    links->open_handles++;
    uv_close(handle, on_handle_closed);
}

void links_close(struct links *links) {
    if (links == NULL) {
        return;
    }
    if (links->hub != NULL) {
        wire_hub_silence(links->hub); /* none of nng's threads wakes the loop's any more */
    }
    links_drop_guests(links);
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        link_peer_free(links->peers[i]);
    }
    free_dead(links);
    door_close(links->door);
    if (links->loop == NULL) {
        release(links);
        return;
    }
    close_handle(links, (uv_handle_t *)&links->async);
    close_handle(links, (uv_handle_t *)&links->timer);
    close_handle(links, (uv_handle_t *)&links->linger);
    close_handle(links, (uv_handle_t *)&links->blocked);
    close_handle(links, (uv_handle_t *)&links->flush);
    close_handle(links, (uv_handle_t *)&links->hurry);
}

/* The door's limits follow the number of members, unless they were given. */
static size_t connections_for(const struct links *links, size_t members) {
    size_t fitting = links->fixed_connections == 0 ? LINKS_CONNECTIONS(members) : links->fixed_connections;
    return links->most_connections != 0 && links->most_connections < fitting ? links->most_connections : fitting;
}

static size_t connections_per_address_for(const struct links *links, size_t members) {
    return links->fixed_connections_per_address == 0 ? CONNECTIONS_PER_ADDRESS(members)
                                                     : links->fixed_connections_per_address;
}

enum err links_open(const struct links_config *config, const struct links_ops *ops, struct links **out) {
    if (config->member_count > LINKS_MEMBERS_MAX || config->self >= LINKS_MEMBERS_MAX) {
        return ERR_RANGE;
    }
    struct links *links = calloc(1, sizeof *links);
    if (links == NULL) {
        return ERR_NOMEM;
    }
    links->ops = *ops;
    links->self_number = config->self;
    links->queue_bytes = config->queue_bytes == 0 ? LINKS_QUEUE_BYTES : config->queue_bytes;
    links->queue_messages = config->queue_messages == 0 ? LINKS_QUEUE_MESSAGES : config->queue_messages;
    session_self_init(&links->self, config->link_secret, config->psk);

    links->fixed_connections = config->max_connections;
    links->fixed_connections_per_address = config->max_connections_per_address;
    links->most_connections = config->most_connections;
    links->hub = wire_hub_new(wake, links);
    struct door_config door = {
        .hub = links->hub,
        .self = &links->self,
        .listen = config->listen,
        .max_connections = connections_for(links, LINKS_MEMBERS_MAX),
        .max_connections_per_address = connections_per_address_for(links, LINKS_MEMBERS_MAX),
        .max_descriptors = config->max_descriptors,
    };
    enum err e = links->hub != NULL ? door_open(&door, &links->door) : ERR_NOMEM;
    for (size_t i = 0; e == OK && i < config->member_count; i++) {
        e = links_set_member(links, i, &config->members[i]);
    }
    if (e != OK) {
        links_close(links);
        return e;
    }
    *out = links;
    return OK;
}

uint16_t links_port(const struct links *links) {
    return door_port(links->door);
}

enum err links_attach(struct links *links, uv_loop_t *loop) {
    ASSERT(links->loop == NULL);
    /* Of these only the first can fail, for want of a descriptor. */
    if (uv_async_init(loop, &links->async, on_wake) != 0) {
        return ERR_NOMEM;
    }
    (void)uv_timer_init(loop, &links->timer);
    (void)uv_timer_init(loop, &links->linger);
    (void)uv_timer_init(loop, &links->blocked);
    (void)uv_prepare_init(loop, &links->flush);
    (void)uv_idle_init(loop, &links->hurry);
    links->async.data = links->timer.data = links->linger.data = links->blocked.data = links->flush.data =
        links->hurry.data = links;
    links->loop = loop;
    door_start(links->door);
    links_tick_at_once(links);
    return OK;
}

/* ---- Members ----------------------------------------------------------------------------------------------------- */

static bool key_is_taken(const struct links *links, size_t member, const uint8_t key[X25519_LEN]) {
    if (memcmp(links->self.keys.public_key, key, X25519_LEN) == 0) {
        return true;
    }
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        const struct link_peer *peer = links->peers[i];
        if (i != member && peer != NULL && memcmp(peer->session.peer_key, key, X25519_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static void follow_members(struct links *links) {
    size_t members = 0;
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        members += links->peers[i] != NULL;
    }
    door_limit(links->door, connections_for(links, members), connections_per_address_for(links, members));
}

static bool is_as_told(const struct link_peer *peer, const struct links_member *info) {
    return peer != NULL && info != NULL && memcmp(peer->session.peer_key, info->key, X25519_LEN) == 0 &&
           strcmp(peer->address, info->address == NULL ? "" : info->address) == 0;
}

enum err links_set_member(struct links *links, size_t member, const struct links_member *info) {
    if (member >= LINKS_MEMBERS_MAX) {
        return ERR_RANGE;
    }
    if (member == links->self_number || is_as_told(links->peers[member], info)) {
        return OK;
    }
    struct link_peer *fresh = NULL;
    if (info != NULL && !bytes_is_zero(info->key, X25519_LEN)) {
        if (key_is_taken(links, member, info->key)) {
            return ERR_EXISTS;
        }
        enum err e = link_peer_new(links, (uint16_t)member, info, &fresh);
        if (e != OK) {
            return e;
        }
    }
    struct link_peer *old = links->peers[member];
    links->peers[member] = fresh;
    if (old != NULL) {
        link_peer_bury(old);
        old->next_dead = links->dead;
        links->dead = old;
    }
    links_tick_at_once(links);
    follow_members(links);
    return OK;
}

/* ---- Sending ----------------------------------------------------------------------------------------------------- */

static enum err enqueue(struct link_peer *peer, enum frame_class class, struct parcel *parcel) {
    enum err e = sendq_push(&peer->queue, class, parcel);
    if (e == OK && link_peer_is_due(peer)) {
        flush_this_turn(peer->links);
    }
    return e;
}

static bool fits(struct bytes message) {
    return message.len > 0 && message.len <= FRAME_MESSAGE_MAX;
}

enum err links_send(struct links *links, size_t member, enum frame_class class, unsigned kind, struct bytes message) {
    if (member >= LINKS_MEMBERS_MAX || links->peers[member] == NULL) {
        return ERR_RANGE;
    }
    if (!fits(message)) {
        return ERR_TOOLARGE;
    }
    if (!links->peers[member]->up) {
        return ERR_CLOSED;
    }
    struct parcel *parcel = parcel_new(kind, message);
    if (parcel == NULL) {
        return ERR_NOMEM;
    }
    enum err e = enqueue(links->peers[member], class, parcel);
    parcel_release(parcel);
    return e;
}

static bool is_up(const struct links *links, size_t member) {
    return member < LINKS_MEMBERS_MAX && links->peers[member] != NULL && links->peers[member]->up;
}

size_t links_multicast(struct links *links, const uint16_t *members, size_t count, enum frame_class class,
                       unsigned kind, struct bytes message) {
    struct parcel *parcel = fits(message) ? parcel_new(kind, message) : NULL;
    if (parcel == NULL) {
        return 0;
    }
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        taken += is_up(links, members[i]) && enqueue(links->peers[members[i]], class, parcel) == OK;
    }
    parcel_release(parcel);
    return taken;
}

/* ---- Counters ---------------------------------------------------------------------------------------------------- */

struct links_peer_stats links_peer_stats(const struct links *links, size_t member) {
    if (member >= LINKS_MEMBERS_MAX || links->peers[member] == NULL) {
        return (struct links_peer_stats){0};
    }
    const struct link_peer *peer = links->peers[member];
    struct links_peer_stats stats = peer->stats;
    stats.known = true;
    stats.up = peer->up;
    stats.lost = peer->sink.lost;
    stats.heard_ms = peer->heard_ms;
    stats.queued_bytes = peer->queue.bytes;
    memcpy(stats.dropped, peer->queue.dropped, sizeof stats.dropped);
    return stats;
}

struct links_stats links_stats(struct links *links) {
    struct links_stats stats = links->stats;
    struct door_stats door = door_stats(links->door);
    stats.connections = door.connections;
    for (size_t i = 0; i < LINKS_MEMBERS_MAX; i++) {
        const struct link_peer *peer = links->peers[i];
        stats.dialled += peer != NULL && (peer->calling != NULL || (peer->wire != NULL && peer->wire_is_ours));
    }
    stats.connections_refused = door.refused;
    stats.connections_cut += door.cut;
    stats.garbage += door.garbage;
    stats.throttled += door.throttled;
    return stats;
}
