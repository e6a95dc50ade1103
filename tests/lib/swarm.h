/* Nodes with links among each other (node/net/links.h) on one loop, with real sockets on loopback. */
#ifndef ASSAY_TESTS_LIB_SWARM_H
#define ASSAY_TESTS_LIB_SWARM_H

#include "node/net/links.h"
#include "tests/lib/loopback.h"

#define SWARM_NODES_MAX 3

struct swarm_node {
    struct links *links; /* NULL while it is stopped */
    struct noise_keys keys;
    uint16_t port;
    char address[LOOPBACK_ADDRESS_MAX];
    size_t ups, downs, messages;
    size_t bytes;
    size_t last_from;
    uint8_t last[64]; /* how the last message began */
    bool echo;        /* every message goes back */
    bool wrong;       /* a message wasn't what was sent: long ones are filled with their length's last byte */
};

struct swarm {
    uv_loop_t loop;
    struct swarm_node node[SWARM_NODES_MAX];
    size_t count;
    uint8_t psk[NOISE_KEY_LEN];
};

/* ---- Life: a swarm begins with its loop, its nodes open, are introduced to each other, stop ---- */

/* A loop and keys for so many nodes, none of them open yet. */
void swarm_init(struct swarm *s, size_t count);
/* With these limits; keys and callbacks are the swarm's. */
void swarm_open_node_with(struct swarm *s, size_t i, struct links_config config);
/* `port` 0: any. */
void swarm_open_node(struct swarm *s, size_t i, uint16_t port);
/* It hears of all the others, and goes. */
void swarm_introduce(struct swarm *s, size_t i);
/* All of this. `port` is node 1's: one that goes and comes back needs one that nobody is given meanwhile. */
void swarm_start_at(struct swarm *s, size_t count, uint16_t port);
void swarm_start(struct swarm *s, size_t count);
void swarm_stop_node(struct swarm *s, size_t i);
void swarm_stop(struct swarm *s);

/* Node `to` has the node `about` as its member `number`. */
NODISCARD enum err swarm_tell(struct swarm *s, size_t to, size_t number, size_t about);
/* An initiation to node 0 with these keys, whose public one need not be the secret's. */
void swarm_initiation(struct swarm *s, const struct noise_keys *keys, uint64_t when_ms,
                      uint8_t out[SESSION_INITIATION_LEN]);

/* ---- Waiting: conditions get the swarm and `arg` ---- */

void swarm_await(struct swarm *s, bool (*condition)(void *swarm, void *arg), void *arg);
/* Every node that runs has a link with every other. */
bool swarm_is_up(void *swarm, void *unused);
void swarm_await_up(struct swarm *s);
/* Node i has got so many messages. */
void swarm_await_messages(struct swarm *s, size_t i, size_t count);
/* What node 0 counts has come so far. */
void swarm_await_count(struct swarm *s, uint64_t (*what)(struct links_stats stats), uint64_t count);
/* The other end has cut the connection, which is closed then. */
void swarm_await_cut(struct swarm *s, int fd);
/* The loop turns for so long. */
void swarm_turn(struct swarm *s, uint64_t ms);

#endif
