/* GET /v1/status: what a node says of itself. What both a full node and a gateway say stands in one part, so that whoever
 * asks need not know which it is. */
#ifndef ASSAY_NODE_ANSWERS_STATUS_H
#define ASSAY_NODE_ANSWERS_STATUS_H

#include "base/ed25519.h"
#include "base/record.h"
#include "contracts/genesis/genesis.h"

struct clock_answer {
    uint64_t time_ms;
    uint64_t ahead_ms;
    bool due_stands_still;
};

/* Texts are borrowed. */
struct node_status {
    uint8_t chain_id[CHAIN_ID_LEN];
    const char *chain;
    uint8_t node_id[ED25519_KEY_LEN];
    enum node_role role;
    const char *organisation;
    uint64_t height;
    uint64_t last_block_time_ms;
    struct clock_answer clock;
    bool catching_up;
    const char *alarm;
    uint32_t validators;
    const char *version;
    uint64_t uptime_ms;
    bool tells_lifetime; /* a gateway does once it knows */
    uint64_t tx_max_lifetime_ms;
};
/* What every node says. */
extern const struct record node_status_shape;

struct peer_answer {
    uint8_t key[ED25519_KEY_LEN];
    const char *address;
    bool up;
};
extern const struct record peer_answer_shape;

struct full_status {
    struct node_status node;
    uint8_t hash[HASH_LEN];
    uint8_t state_root[HASH_LEN];
    uint64_t epoch, view;
    uint64_t pending;
    void *peers;
};
extern const struct record full_status_shape;

struct trust_answer {
    const char *from;
    uint64_t start_ms, ends_ms;
    bool heartbeat_known;
    uint32_t heartbeat_ms;
    bool has_limit;
    uint64_t freshness_limit_ms;
    const char *freshness;
};

struct source_answer {
    const char *url;
    uint64_t answers, failures, lies;
    const char *why;
};
extern const struct record source_answer_shape;

struct outbox_answer {
    uint64_t queued, sent, accepted, refused, failed;
    bool connected;
    const char *why;
};

struct cache_answer {
    uint64_t images, bytes, limit_bytes, fetched, failed, evicted;
    bool fetching;
    uint64_t fetching_have, fetching_total;
    const char *why;
};

struct gateway_status {
    struct node_status node;
    bool frozen;
    struct trust_answer trust;
    void *sources;
    uint64_t event_streams, devices, classes, stale_classes;
    struct outbox_answer statements;
    struct cache_answer cache;
    void *peers; /* a gateway has none */
};
extern const struct record gateway_status_shape;

/* GET /v1/gateway/devices. */
struct gateway_update_answer {
    uint8_t update_id[HASH_LEN];
    bool has_status;
    const char *status;
    uint64_t height;
};
extern const struct record gateway_update_shape;

struct gateway_device_answer {
    uint8_t device_id[KEY_LEN];
    const char *state, *why;
    bool has_class;
    const char *class;
    uint32_t hardware_revision;
    uint64_t running_sequence;
    uint64_t last_seen_ms;
    void *updates;
};
extern const struct record gateway_device_shape;

struct gateway_devices_answer {
    void *devices;
    uint64_t total;
};
extern const struct record gateway_devices_shape;

#endif
