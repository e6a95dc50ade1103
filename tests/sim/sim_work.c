/* What the ledger is given to do: a genesis with a vendor, a class and gateways, and transactions that change state.
 *
 * Gateways register devices and the vendor endorses them, both out of a small number of devices: many succeed, some
 * come too early or too late, so what a block writes depends on everything before it, and on the order. */
#include "tests/sim/sim.h"

#include "contracts/class_definition.h"
#include "contracts/genesis.h"
#include "contracts/proto/device.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAYS 8
#define DEVICES 400
#define VENDOR "sim.example"
#define CLASS "thing"

/* A client's key pair; number 0 is the vendor's admin, then the gateways, then the devices. */
static void person(uint64_t number, uint8_t public_key[ED25519_KEY_LEN], uint8_t secret[ED25519_SECRET_LEN]) {
    uint8_t seed[ED25519_SEED_LEN] = {7};
    store_u64(seed + 1, number);
    ed25519_from_seed(seed, public_key, secret);
}

static void person_key(uint64_t number, uint8_t public_key[ED25519_KEY_LEN]) {
    uint8_t secret[ED25519_SECRET_LEN];
    person(number, public_key, secret);
}

static void add_nodes(struct sim_world *w, struct genesis *g) {
    g->node_count = (size_t)w->options.validators + GATEWAYS;
    g->nodes = calloc(g->node_count, sizeof *g->nodes);
    for (size_t i = 0; i < g->node_count; i++) {
        struct genesis_node *node = &g->nodes[i];
        node->link_key[0] = (uint8_t)(i + 1);
        (void)snprintf(node->org, sizeof node->org, "sim");
        if (i >= w->options.validators) {
            person_key(1 + i - w->options.validators, node->key);
            node->role = NODE_GATEWAY;
            continue;
        }
        for (size_t k = 0; k < KEY_LEN; k++) {
            w->keys[i][k] = (uint8_t)(i * 37 + k + 1);
        }
        memcpy(node->key, w->keys[i], KEY_LEN);
        node->role = NODE_VALIDATOR;
    }
}

void sim_work_genesis(struct sim_world *w) {
    struct genesis *g = calloc(1, sizeof *g);
    (void)snprintf(g->name, sizeof g->name, "sim");
    g->time_ms = SIM_GENESIS_MS - 1000;
    genesis_params_default(&g->params);
    add_nodes(w, g);
    g->org_count = 1;
    g->orgs = calloc(g->org_count, sizeof *g->orgs);
    (void)snprintf(g->orgs[0].id, sizeof g->orgs[0].id, "sim");
    g->orgs[0].kind = ORG_VENDOR;
    g->orgs[0].admin_count = g->orgs[0].admin_threshold = 1;
    person_key(0, g->orgs[0].admins[0]);
    g->class_count = 1;
    g->classes = calloc(g->class_count, sizeof *g->classes);
    struct genesis_class *c = &g->classes[0];
    (void)snprintf(c->vendor_domain, sizeof c->vendor_domain, VENDOR);
    (void)snprintf(c->class_name, sizeof c->class_name, CLASS);
    (void)snprintf(c->org, sizeof c->org, "sim");
    person_key(0, c->root_key);
    person_key(0, c->authors[0]);
    c->author_count = c->required_signers = 1;
    c->slot_count = 1;
    c->slots[0] = (struct genesis_slot){.max_size = 100000};
    w->genesis = g;
}

static void pack_register(const uint8_t *device, struct buffer *out) {
    uint8_t vendor_id[UUID_BYTES], class_id[UUID_BYTES], key[ED25519_KEY_LEN], mac[HASH_LEN] = {1};
    memcpy(key, device, sizeof key);
    class_definition_ids(VENDOR, CLASS, vendor_id, class_id);
    Assay__DeviceRegister args = ASSAY__DEVICE_REGISTER__INIT;
    args.key_type = AUTHOR_ED25519;
    args.key = (ProtobufCBinaryData){sizeof key, key};
    args.class_id = (ProtobufCBinaryData){sizeof class_id, class_id};
    args.hardware_revision = 1;
    args.mac_hmac = (ProtobufCBinaryData){sizeof mac, mac};
    uint8_t *place = buffer_extend(out, assay__device_register__get_packed_size(&args));
    if (place != NULL) {
        (void)assay__device_register__pack(&args, place);
    }
}

static void pack_endorse(const uint8_t *device, struct buffer *out) {
    uint8_t key[ED25519_KEY_LEN];
    memcpy(key, device, sizeof key);
    Assay__DeviceEndorse args = ASSAY__DEVICE_ENDORSE__INIT;
    args.device_id = (ProtobufCBinaryData){sizeof key, key};
    uint8_t *place = buffer_extend(out, assay__device_endorse__get_packed_size(&args));
    if (place != NULL) {
        (void)assay__device_endorse__pack(&args, place);
    }
}

enum err sim_work_envelope(struct sim_world *w, const uint8_t *id, struct buffer *out) {
    uint8_t device[ED25519_KEY_LEN], public_key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    struct buffer args = BUFFER_INIT;
    bool endorse = sim_chance(&w->random, 300);
    person_key(1 + GATEWAYS + sim_below(&w->random, DEVICES), device);
    person(endorse ? 0 : 1 + sim_below(&w->random, GATEWAYS), public_key, secret);
    if (endorse) {
        pack_endorse(device, &args);
    } else {
        pack_register(device, &args);
    }
    struct transaction_draft draft = {.chain_id = id,
                                      .expiry_ms = SIM_GENESIS_MS + w->now_us / 1000 + 600000,
                                      .contract = "device",
                                      .method = endorse ? "endorse" : "register",
                                      .args = buffer_bytes(&args)};
    store_u64(draft.salt, sim_next(&w->random));
    const uint8_t(*secrets[])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & secret};
    enum err e = buffer_ok(&args);
    e = e == OK ? transaction_build(&draft, secrets, 1, out) : e;
    buffer_free(&args);
    return e;
}
