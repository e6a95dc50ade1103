#include "node/full/peers.h"

#include "contracts/governance/governance.h"
#include "node/host/log.h"
#include "node/ledger/execute.h"

#include <stdlib.h>
#include <string.h>

#define OWN_PLACE 0u

struct place {
    bool used;
    bool listed;               /* while the ledger's list is gone through */
    uint64_t shunned_until_ms; /* it has no link until then; 0: it may have one */
    struct genesis_node node;
};

struct peers {
    const struct daemon_home *home;
    struct chain *chain;
    struct peers_ops ops;
    struct links *links;
    bool attached;
    bool crowded; /* said once that there are more nodes than places */
    struct place places[PEERS_MAX];
};

/* ---- The ledger's nodes ------------------------------------------------------------------------------------------ */

static struct place *place_of(struct peers *p, const uint8_t key[KEY_LEN]) {
    struct place *free_place = NULL;
    for (size_t i = OWN_PLACE + 1; i < PEERS_MAX; i++) {
        struct place *place = &p->places[i];
        if (place->used && memcmp(place->node.key, key, KEY_LEN) == 0) {
            return place;
        }
        if (!place->used && free_place == NULL) {
            free_place = place;
        }
    }
    return free_place;
}

static enum err tell_links(struct peers *p, const struct place *place) {
    uint16_t number = (uint16_t)(place - p->places);
    struct links_member member = {.address = place->node.peer};
    memcpy(member.key, place->node.link_key, sizeof member.key);
    bool may_link = place->used && place->shunned_until_ms == 0;
    enum err e = links_set_member(p->links, number, may_link ? &member : NULL);
    if (e == ERR_EXISTS || e == ERR_CONFIG) {
        log_event(LOG_WARN, "peer.unusable", log_hash("key", place->node.key, KEY_LEN),
                  log_text("address", place->node.peer), log_err(e));
        e = OK; /* one node's bad address is not our fault */
    }
    return e;
}

static enum err tell(struct peers *p, const struct place *place) {
    uint16_t number = (uint16_t)(place - p->places);
    if (p->links == NULL) {
        return OK;
    }
    enum err e = tell_links(p, place);
    if (e != OK || !p->attached) {
        return e;
    }
    return p->ops.set_peer(p->ops.ctx, number, place->used ? place->node.key : NULL);
}

struct listing {
    struct peers *peers;
    uint8_t last[KEY_LEN];
    size_t count; /* of this page */
};

/* One node of the ledger's list takes its place, or a changed one is told. */
static enum err list_node(void *arg, const struct node_record *record) {
    struct listing *listing = arg;
    struct peers *p = listing->peers;
    const struct genesis_node *node = &record->node;
    memcpy(listing->last, node->key, KEY_LEN);
    listing->count++;
    if (node->role == NODE_GATEWAY || memcmp(node->key, p->home->key, KEY_LEN) == 0) {
        return OK;
    }
    struct place *place = place_of(p, node->key);
    if (place == NULL) {
        if (!p->crowded) {
            p->crowded = true;
            log_event(LOG_WARN, "peers.crowded", log_number("places", PEERS_MAX - 1));
        }
        return OK;
    }
    place->listed = true;
    bool same = place->used && strcmp(place->node.peer, node->peer) == 0 &&
                memcmp(place->node.link_key, node->link_key, sizeof node->link_key) == 0;
    bool fresh = !place->used;
    place->used = true;
    place->node = *node;
    if (fresh && p->attached) {
        log_event(LOG_INFO, "peer.added", log_hash("key", node->key, KEY_LEN), log_text("address", node->peer));
    }
    return same ? OK : tell(p, place);
}

/* Brings the places into line with the state that the view shows. */
static enum err read_nodes(struct peers *p, struct kv_view *view) {
    struct state state = state_of_view(view);
    struct listing listing = {.peers = p};
    uint8_t after[KEY_LEN];
    bool first = true;
    for (size_t i = 0; i < PEERS_MAX; i++) {
        p->places[i].listed = false;
    }
    do {
        memcpy(after, listing.last, sizeof after);
        listing.count = 0;
        enum err e = node_list(&state, first ? NULL : after, STATE_PAGE_MAX, list_node, &listing);
        if (e != OK) {
            return e;
        }
        first = false;
    } while (listing.count == STATE_PAGE_MAX);
    for (size_t i = OWN_PLACE + 1; i < PEERS_MAX; i++) {
        struct place *place = &p->places[i];
        if (place->used && !place->listed) {
            log_event(LOG_INFO, "peer.removed", log_hash("key", place->node.key, KEY_LEN));
            place->used = false;
            place->shunned_until_ms = 0;
            enum err e = tell(p, place);
            if (e != OK) {
                return e;
            }
        }
    }
    return OK;
}

static enum err read_head(struct peers *p) {
    struct chain_view view;
    enum err e = chain_view_open(p->chain, &view);
    if (e == OK) {
        e = read_nodes(p, view.kv);
        chain_view_close(&view);
    }
    return e;
}

enum err peers_refresh(struct peers *p) {
    return read_head(p);
}

void peers_shun(struct peers *p, uint16_t peer, uint64_t until_ms) {
    struct place *place = &p->places[peer];
    place->shunned_until_ms = until_ms;
    (void)tell_links(p, place); /* taking a member away can't fail */
}

void peers_tick(struct peers *p, uint64_t now_ms) {
    for (size_t i = OWN_PLACE + 1; i < PEERS_MAX; i++) {
        struct place *place = &p->places[i];
        if (place->shunned_until_ms != 0 && now_ms >= place->shunned_until_ms) {
            place->shunned_until_ms = 0;
            if (tell_links(p, place) != OK) { /* no memory: a little later */
                place->shunned_until_ms = now_ms + 1;
            }
        }
    }
}

/* ---- Links ------------------------------------------------------------------------------------------------------- */

static void on_message(void *ctx, size_t member, struct bytes message) {
    const struct peers *p = ctx;
    p->ops.on_message(p->ops.ctx, (uint16_t)member, message);
}

static void on_up(void *ctx, size_t member) {
    const struct peers *p = ctx;
    log_event(LOG_INFO, "peer.up", log_hash("key", p->places[member].node.key, KEY_LEN),
              log_text("address", p->places[member].node.peer));
    p->ops.on_up(p->ops.ctx, (uint16_t)member);
}

static void on_down(void *ctx, size_t member) {
    const struct peers *p = ctx;
    log_event(LOG_WARN, "peer.down", log_hash("key", p->places[member].node.key, KEY_LEN),
              log_text("address", p->places[member].node.peer));
}

static const char *why_unheard(enum err e) {
    switch (e) {
    case ERR_BUSY:
        return "the port is in use; set another or stop what uses it";
    case ERR_CONFIG:
        return "it must be host:port, the host an address of this machine";
    default:
        return err_text(e);
    }
}

static enum err open_links(struct peers *p, struct why *why) {
    struct links_member members[PEERS_MAX] = {0};
    for (size_t i = OWN_PLACE + 1; i < PEERS_MAX; i++) {
        const struct place *place = &p->places[i];
        if (place->used) {
            memcpy(members[i].key, place->node.link_key, sizeof members[i].key);
            members[i].address = place->node.peer;
        }
    }
    const char *listen = p->home->config.peer.listen;
    struct links_config config = {.self = OWN_PLACE,
                                  .members = members,
                                  .member_count = PEERS_MAX,
                                  .listen = listen,
                                  .most_connections = p->home->peer_connections,
                                  .max_descriptors = p->home->peer_descriptors};
    const struct links_ops ops = {.on_message = on_message, .on_up = on_up, .on_down = on_down, .ctx = p};
    memcpy(config.link_secret, p->home->link_secret, sizeof config.link_secret);
    links_psk(chain_id(p->chain), bytes_of(NULL, 0), config.psk);
    enum err e = links_open(&config, &ops, &p->links);
    secure_wipe(&config, sizeof config);
    if (e != OK) {
        why_set(why, "peer.listen %s: %s", listen, why_unheard(e));
    }
    return e;
}

enum err peers_open(const struct daemon_home *home, struct chain *chain, const struct peers_ops *ops,
                    struct peers **out, struct why *why) {
    struct peers *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return ERR_NOMEM;
    }
    p->home = home;
    p->chain = chain;
    p->ops = *ops;
    enum err e = read_head(p);
    if (e == OK) {
        e = open_links(p, why);
    }
    if (e != OK) {
        free(p);
        return e;
    }
    *out = p;
    return OK;
}

enum err peers_attach(struct peers *p, uv_loop_t *loop) {
    p->attached = true;
    for (uint16_t i = OWN_PLACE + 1; i < PEERS_MAX; i++) {
        enum err e = p->places[i].used ? p->ops.set_peer(p->ops.ctx, i, p->places[i].node.key) : OK;
        if (e != OK) {
            return e;
        }
    }
    return links_attach(p->links, loop);
}

void peers_close(struct peers *p) {
    if (p != NULL) {
        links_close(p->links);
        free(p);
    }
}

bool peers_send(struct peers *p, uint16_t peer, enum frame_class class, unsigned kind, struct bytes message) {
    return links_send(p->links, peer, class, kind, message) == OK;
}

size_t peers_multicast(struct peers *p, const uint16_t *to, size_t count, enum frame_class class, unsigned kind,
                       struct bytes message) {
    return links_multicast(p->links, to, count, class, kind, message);
}

/* ---- Looking in -------------------------------------------------------------------------------------------------- */

struct links_stats peers_links(const struct peers *p) {
    return links_stats(p->links);
}

bool peers_get(const struct peers *p, uint16_t peer, struct peer_facts *out) {
    const struct place *place = &p->places[peer];
    if (peer == OWN_PLACE || !place->used) {
        return false;
    }
    *out = (struct peer_facts){
        .address = place->node.peer, .role = place->node.role, .link = links_peer_stats(p->links, peer)};
    memcpy(out->key, place->node.key, KEY_LEN);
    return true;
}
