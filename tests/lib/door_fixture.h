/* The door for devices with what stands behind it, and no full node that answers: what a device link is tested against. */
#ifndef ASSAY_TESTS_LIB_DOOR_FIXTURE_H
#define ASSAY_TESTS_LIB_DOOR_FIXTURE_H

#include "node/gateway/door/device_door.h"

#define DOOR_FIXTURE_POLL_MS 700u
#define DOOR_FIXTURE_ENVELOPE 5000u

struct door_fixture {
    char dir[64];
    struct genesis genesis;
    struct genesis_node member;
    struct config_sources sources; /* one, where nobody listens: every question fails at once */
    uint8_t device[KEY_LEN], device_secret[ED25519_SECRET_LEN];
    uint8_t node[ED25519_KEY_LEN], node_secret[ED25519_SECRET_LEN];
    struct site site;
    struct light *light;
    struct repo *repo;
    struct image_sources *image_sources;
    struct images *images;
    struct statement_queue *queue;
    struct follow *follow;
    struct uplink *uplink;
    struct device_door *door;
};

/* crypto_start and client_start were called. */
void door_fixture_open(struct door_fixture *f);
/* Everything that calls the door ends; the door may be freed then, its links having stopped. */
void door_fixture_end_threads(struct door_fixture *f);
/* The door is freed with the rest, unless the test did that and has set it to NULL. */
void door_fixture_close(struct door_fixture *f);

/* The ledger proved that the device is this gateway's. */
void door_fixture_accept(struct door_fixture *f);
/* Its class has a release with an envelope of DOOR_FIXTURE_ENVELOPE bytes, pushed by the update of id {1}. */
void door_fixture_release(struct door_fixture *f);

/* What the device asks. */
struct protocol_request door_fixture_request(const struct door_fixture *f, enum protocol_operation operation);
/* A report that it signed. */
struct statement door_fixture_statement(const struct door_fixture *f, struct protocol_request *out);
size_t door_fixture_encode(const struct protocol_request *request, uint8_t out[PROTOCOL_REQUEST_MAX]);

#endif
