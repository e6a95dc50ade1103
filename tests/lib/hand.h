/* One node with links (node/net/links.h), and members made by hand: what no node of ours would do is done to it. */
#ifndef ASSAY_TESTS_LIB_HAND_H
#define ASSAY_TESTS_LIB_HAND_H

#include "node/net/links.h"
#include "node/net/session.h"
#include "tests/lib/loopback.h"

#define HAND_NODE_NUMBER 0
#define HAND_TRIES 5 /* where a busy machine may spoil one, and a mistake spoils all */
#define HAND_MEMBERS 16

/* The node. Its key is lower than any hand's: where both begin at once, it has precedence. */
struct hand_node {
    uv_loop_t loop;
    struct links *links;
    uint8_t psk[NOISE_KEY_LEN];
    struct noise_keys keys;
    size_t ups, downs;
    size_t messages[HAND_MEMBERS]; /* of each member */
    size_t last_len;
    void (*on_down)(struct hand_node *n); /* NULL: nothing more happens */
};

/* A member: its keys, its session with the node, and the connection under it. */
struct hand {
    size_t number;
    struct session_self self;
    struct session session;
    unsigned host;                              /* it connects from 127.0.0.0 and so much */
    int fd;                                     /* negative: not connected */
    uint8_t initiation[SESSION_INITIATION_LEN]; /* the last one */
    uint8_t held[128 * 1024];                   /* what has come, frames that are not whole yet */
    size_t len;
};

/* ---- The node ---------------------------------------------------------------------------------------------------- */

void hand_node_start_with(struct hand_node *n, const char *listen, size_t max_connections);
/* At any port of every address. */
void hand_node_start(struct hand_node *n);
/* Another node, of the same chain and on the first one's loop, whose key is a hand's. */
void hand_node_open_beside(struct hand_node *n, struct hand_node *first, size_t number, const char *listen);
void hand_node_stop(struct hand_node *n);

/* Conditions get the node and `arg`. */
bool hand_await_ms(struct hand_node *n, bool (*condition)(void *node, void *arg), void *arg, uint64_t limit_ms);
void hand_await(struct hand_node *n, bool (*condition)(void *node, void *arg), void *arg);
/* The loop turns for so long. */
void hand_turn(struct hand_node *n, uint64_t ms);
/* nng's threads do what there is to do; the loop does not turn. */
void hand_let_threads_run(void);

/* ---- Hands ------------------------------------------------------------------------------------------------------- */

/* The node hears of it; at this address, NULL: the hand dials. */
void hand_make(struct hand_node *n, struct hand *h, size_t number, const char *address);
/* A connection that has said nothing yet. */
void hand_connect(struct hand_node *n, struct hand *h);
void hand_initiate(struct hand *h);
/* Connects, where it isn't, and begins; the node has answered, and nothing is confirmed. */
void hand_visit(struct hand_node *n, struct hand *h);
/* A visit that is confirmed: the link is up. */
void hand_meet(struct hand_node *n, struct hand *h);
void hand_leave(struct hand *h);

/* A sign of life; a message of `len` bytes, alone in its datagram. */
void hand_say_alive(struct hand *h);
void hand_say_message(struct hand *h, size_t len);
/* A whole frame, if there is one: its length, else 0. `out` holds SESSION_DATAGRAM_MAX. */
size_t hand_hear(struct hand *h, uint8_t *out);

/* Conditions about a hand: the node has a link with it, has none, has cut its connection. */
bool hand_is_up(void *node, void *hand);
bool hand_is_down(void *node, void *hand);
bool hand_has_ended(void *node, void *hand);

/* Where a hand listens, for a node that dials it. */
struct hand_listener {
    int fd;
    char address[LOOPBACK_ADDRESS_MAX];
    struct hand *hand; /* gets the connection */
};
void hand_listen(struct hand_listener *l, uint16_t port, struct hand *h);
/* The condition that the node has made it; and the node's initiation on it, which is waited for. */
bool hand_was_dialled(void *node, void *listener);
void hand_await_attempt(struct hand_node *n, struct hand_listener *l);

/* Writes of the node to it fail from now on; what it reads does not end. */
void hand_break_writing(const struct hand *h);

#endif
