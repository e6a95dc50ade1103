/* What the ledger is given to do: a genesis with a vendor, a class and gateways, and transactions that change state.
 *
 * Gateways register devices and the vendor endorses them, both out of a small number of devices: many succeed, some
 * come too early or too late, so what a block writes depends on everything before it, and on the order. */
#include "tests/sim/sim.h"

#include "contracts/class/class_definition.h"
#include "contracts/device/device.pb-c.h"
#include "contracts/genesis/genesis.h"
#include "contracts/governance/governance.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GATEWAYS 8
#define DEVICES 400
#define VENDOR "sim.example"
#define CLASS "thing"
#define HAND_IN_US 1000u
#define MARKER_LIFE_MS 25000u
#define LIFETIME_LEAST_MS 60000u /* that organisations can vote for */
#define PROPOSAL_MS 1500u        /* how long a vote of the organisations may take to be executed */

/* Person number 0 is the vendor's admin, then come the gateways, then the devices. */
static void person_key(uint64_t number, uint8_t public_key[ED25519_KEY_LEN]) {
    sim_person(number, public_key, NULL);
}

static void add_node(struct genesis *g, enum node_role role, const uint8_t key[KEY_LEN]) {
    struct genesis_node *node = &g->nodes[g->node_count++];
    node->link_key[0] = (uint8_t)g->node_count;
    node->role = role;
    memcpy(node->key, key, KEY_LEN);
    if (role != NODE_GATEWAY) {
        (void)snprintf(node->peer, sizeof node->peer, "127.0.0.1:%zu", 10000 + g->node_count);
    }
    (void)snprintf(node->org, sizeof node->org, "sim");
}

static void add_nodes(struct sim_world *w, struct genesis *g) {
    uint8_t key[KEY_LEN];
    g->nodes = calloc(SIM_KEYS_MAX + GATEWAYS, sizeof *g->nodes);
    for (uint16_t i = 0; i < SIM_KEYS_MAX; i++) {
        sim_person(SIM_PERSON_NODE + i, w->keys[i], w->secrets[i]);
        if (i < w->options.validators + w->options.observers) {
            add_node(g, i < w->options.validators ? NODE_VALIDATOR : NODE_OBSERVER, w->keys[i]);
        }
    }
    for (uint64_t i = 0; i < GATEWAYS; i++) {
        person_key(1 + i, key);
        add_node(g, NODE_GATEWAY, key);
    }
}

uint64_t sim_work_expiry(const struct sim_world *w, uint64_t wanted_ms) {
    uint64_t most_ms = w->genesis->params.tx_max_lifetime_ms / 4 * 3;
    return sim_now_ms(w) + (wanted_ms < most_ms ? wanted_ms : most_ms);
}

void sim_work_genesis(struct sim_world *w) {
    struct genesis *g = calloc(1, sizeof *g);
    (void)snprintf(g->name, sizeof g->name, "sim");
    g->time_ms = SIM_GENESIS_MS - 1000;
    genesis_params_default(&g->params);
    if (w->options.tx_lifetime_ms != 0) {
        g->params.tx_max_lifetime_ms = w->options.tx_lifetime_ms;
    }
    g->params.max_block_bytes = w->options.limits > 0 ? SIM_SMALL_BLOCK : g->params.max_block_bytes;
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
    class_ids(VENDOR, CLASS, vendor_id, class_id);
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

enum err sim_work_envelope(struct sim_random *random, const uint8_t *id, uint64_t expiry_ms, struct buffer *out) {
    uint8_t device[ED25519_KEY_LEN], public_key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    struct buffer args = BUFFER_INIT;
    bool endorse = sim_chance(random, 300);
    person_key(1 + GATEWAYS + sim_below(random, DEVICES), device);
    sim_person(endorse ? 0 : 1 + sim_below(random, GATEWAYS), public_key, secret);
    if (endorse) {
        pack_endorse(device, &args);
    } else {
        pack_register(device, &args);
    }
    struct transaction_draft draft = {.chain_id = id,
                                      .expiry_ms = expiry_ms,
                                      .contract = "device",
                                      .method = endorse ? "endorse" : "register",
                                      .args = buffer_bytes(&args)};
    store_u64(draft.salt, sim_next(random));
    const uint8_t(*secrets[])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & secret};
    enum err e = buffer_ok(&args);
    e = e == OK ? transaction_build(&draft, secrets, 1, out) : e;
    buffer_free(&args);
    return e;
}

enum err sim_work_sign(const uint8_t *id, const char *method, struct bytes args, uint64_t expiry_ms, uint64_t salt,
                       struct buffer *out) {
    uint8_t public_key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    const uint8_t(*secrets[])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & secret};
    struct transaction_draft draft = {
        .chain_id = id, .expiry_ms = expiry_ms, .contract = "governance", .method = method, .args = args};
    sim_person(0, public_key, secret);
    store_u64(draft.salt, salt);
    return transaction_build(&draft, secrets, 1, out);
}

/* ---- Clients ----------------------------------------------------------------------------------------------------- */

static void keep(struct sim_world *w, const struct buffer *envelope) {
    struct buffer *place = &w->sent[sim_below(&w->work, SIM_HOARD)];
    buffer_reset(place);
    buffer_put(place, envelope->data, envelope->len);
}

/* One at a time: two that are bearable alone may not be so together. Block time only grows, so one that is not final
 * when it has reached the expiry never will be. */
static bool still_open(const struct sim_world *w) {
    return w->final_header[w->top_height].time_ms < w->proposal_expiry_ms && !sim_oracle_knows_tx(w, w->proposal);
}

/* The first that a correct validator takes after healing must be final in the end. */
static void mark(struct sim_node *node, const struct transaction *tx) {
    struct sim_world *w = node->world;
    bool proposes = sim_index_of(w, w->epoch_count - 1, node->key) != CONSENSUS_OBSERVER &&
                    chain_epoch(node->chain)->number + 1 == w->epoch_count;
    bool in_time = tx->expiry_ms > sim_now_ms(w) + MARKER_LIFE_MS && tx->expiry_ms < sim_now_ms(w) + LIFETIME_LEAST_MS;
    if (w->healed && !w->marked && w->options.tx_lifetime_ms == 0 && !node->faulty && proposes && in_time &&
        !still_open(w)) {
        w->marked = true;
        w->marker_expiry_ms = tx->expiry_ms;
        memcpy(w->marker, tx->id, HASH_LEN);
        sim_trace(w, "a transaction that must become final goes to node %u", node->number);
    }
}

bool sim_work_take(struct sim_node *node, struct bytes envelope) {
    struct transaction tx;
    bool taken = false;
    if (transaction_decode(envelope, &tx, NULL) != OK) {
        return false;
    }
    enum err e = sim_node_tick(node);
    if (e == OK && replica_transaction(node->replica, &tx, true) == OK) {
        node->world->txs_sent++;
        mark(node, &tx);
        taken = true;
    }
    if (sim_node_survived(node, e, "a transaction")) {
        sim_node_flush_soon(node);
    }
    return taken && node->up;
}

void sim_work_hand_in(struct sim_node *node, struct bytes envelope, uint16_t accused) {
    struct sim_world *w = node->world;
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + HAND_IN_US,
                                       .kind = SIM_HAND_IN,
                                       .node = node->number,
                                       .argument = accused,
                                       .message = sim_message_new(envelope)});
}

/* One that is refused, and takes so much room in a block all the same. */
void sim_work_large(struct sim_node *node, size_t bytes, uint64_t salt) {
    static uint8_t args[LIMIT_TX_BYTES];
    struct buffer envelope = BUFFER_INIT;
    uint64_t expiry_ms = sim_now_ms(node->world) + LIMIT_TX_LIFETIME_MS / 2;
    if (bytes <= sizeof args &&
        sim_work_sign(chain_id(node->chain), "propose", bytes_of(args, bytes), expiry_ms, salt, &envelope) == OK) {
        sim_work_hand_in(node, buffer_bytes(&envelope), SIM_KEYS_MAX);
    }
    buffer_free(&envelope);
}

/* Some end within the run, so that their ids may be forgotten while it lasts. */
static uint64_t expiry_of_next(struct sim_world *w) {
    static const uint64_t lifetimes[] = {400, 1500, 4000, 10000, 59000, 600000, 3600000, LIMIT_TX_LIFETIME_MS - 60000};
    uint64_t most = lifetimes[sim_below(&w->work, sizeof lifetimes / sizeof lifetimes[0])];
    return sim_work_expiry(w, sim_between(&w->work, most / 2, most));
}

void sim_work_submit(struct sim_world *w) {
    struct sim_node *node = &w->nodes[sim_below(&w->work, w->options.validators)];
    struct buffer *again = &w->sent[sim_below(&w->work, SIM_HOARD)];
    bool retry = sim_chance(&w->work, w->options.retry) && again->len > 0;
    if (!node->up || node->paused) {
        return;
    }
    struct buffer envelope = BUFFER_INIT;
    if (retry) {
        (void)sim_work_take(node, buffer_bytes(again));
    } else if (sim_work_envelope(&w->work, chain_id(node->chain), expiry_of_next(w), &envelope) == OK) {
        keep(w, &envelope);
        (void)sim_work_take(node, buffer_bytes(&envelope));
    }
    buffer_free(&envelope);
}

/* ---- Membership -------------------------------------------------------------------------------------------------- */

/* Does it count among the f, or is it going to? */
static bool is_burden(const struct sim_world *w, uint16_t key) {
    const struct sim_options *o = &w->options;
    bool forgets = sim_options_forgetful(o) && key + 1u == o->validators;
    return forgets || key < o->twins + o->byzantine + o->wild_clocks || sim_key_is_faulty(w, key);
}

/* With `leaving` gone and `joining` in (SIM_KEYS_MAX: nobody), are there few enough faulty ones? */
static bool is_bearable(const struct sim_world *w, uint16_t leaving, uint16_t joining) {
    const struct sim_epoch *now = &w->epochs[w->epoch_count - 1];
    uint16_t count = 0, burden = 0;
    for (uint16_t i = 0; i < now->count; i++) {
        if (now->key[i] != leaving) {
            count++;
            burden = (uint16_t)(burden + (is_burden(w, now->key[i]) ? 1 : 0));
        }
    }
    if (joining < SIM_KEYS_MAX) {
        count++;
        burden = (uint16_t)(burden + (is_burden(w, joining) ? 1 : 0));
    }
    return count > 0 && burden <= validators_faulty(count);
}

static void pack_change(const struct sim_world *w, uint16_t leaving, uint16_t joining, struct buffer *out) {
    uint8_t keys[2][KEY_LEN];
    char org[] = "sim", text[] = "as the seed has it";
    Assay__Propose args;
    assay__propose__init(&args);
    Assay__AddValidator add = ASSAY__ADD_VALIDATOR__INIT;
    Assay__RemoveValidator drop = ASSAY__REMOVE_VALIDATOR__INIT;
    Assay__ReplaceValidator replace = ASSAY__REPLACE_VALIDATOR__INIT;
    memcpy(keys[0], w->keys[leaving % SIM_KEYS_MAX], KEY_LEN);
    memcpy(keys[1], w->keys[joining % SIM_KEYS_MAX], KEY_LEN);
    args.org = org;
    args.text = text;
    args.lifetime_ms = 60000;
    if (leaving == SIM_KEYS_MAX) {
        args.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
        args.add_validator = &add;
        add.key = (ProtobufCBinaryData){KEY_LEN, keys[1]};
    } else if (joining == SIM_KEYS_MAX) {
        args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
        args.remove_validator = &drop;
        drop.key = (ProtobufCBinaryData){KEY_LEN, keys[0]};
    } else {
        args.change_case = ASSAY__PROPOSE__CHANGE_REPLACE_VALIDATOR;
        args.replace_validator = &replace;
        replace.old_key = (ProtobufCBinaryData){KEY_LEN, keys[0]};
        replace.new_key = (ProtobufCBinaryData){KEY_LEN, keys[1]};
    }
    uint8_t *place = buffer_extend(out, assay__propose__get_packed_size(&args));
    if (place != NULL) {
        (void)assay__propose__pack(&args, place);
    }
}

static enum err build_change(struct sim_world *w, const uint8_t *id, uint16_t leaving, uint16_t joining, uint64_t salt,
                             struct buffer *out) {
    struct buffer args = BUFFER_INIT;
    pack_change(w, leaving, joining, &args);
    enum err e = buffer_ok(&args);
    e = e == OK ? sim_work_sign(id, "propose", buffer_bytes(&args), sim_work_expiry(w, PROPOSAL_MS), salt, out) : e;
    buffer_free(&args);
    return e;
}

void sim_work_change(struct sim_node *node, uint16_t leaving, uint16_t joining, uint64_t salt) {
    struct sim_world *w = node->world;
    struct transaction tx;
    struct buffer envelope = BUFFER_INIT;
    if (build_change(w, chain_id(node->chain), leaving, joining, salt, &envelope) == OK &&
        transaction_decode(buffer_bytes(&envelope), &tx, NULL) == OK) {
        sim_trace(w, "proposal: validator %d leaves, %d joins", leaving < SIM_KEYS_MAX ? leaving : -1,
                  joining < SIM_KEYS_MAX ? joining : -1);
        memcpy(w->proposal, tx.id, HASH_LEN);
        w->proposal_expiry_ms = tx.expiry_ms;
        (void)sim_work_take(node, buffer_bytes(&envelope));
    }
    buffer_free(&envelope);
}

void sim_work_membership(struct sim_world *w, struct sim_random *random) {
    const struct sim_epoch *now = &w->epochs[w->epoch_count - 1];
    uint64_t keys = w->options.validators + w->options.observers;
    uint64_t kind = sim_below(random, 3);
    uint16_t leaving = now->key[sim_below(random, now->count)], joining = (uint16_t)sim_below(random, keys);
    struct sim_node *node = &w->nodes[sim_below(random, keys)];
    leaving = kind == 0 ? SIM_KEYS_MAX : leaving;
    joining = kind == 1 ? SIM_KEYS_MAX : joining;
    bool joins_again = joining < SIM_KEYS_MAX && sim_index_of(w, w->epoch_count - 1, joining) != CONSENSUS_OBSERVER;
    if (!still_open(w) && !joins_again && is_bearable(w, leaving, joining) && node->up && !node->paused &&
        w->epoch_count + 1 < SIM_EPOCHS_MAX) {
        sim_work_change(node, leaving, joining, sim_next(random));
    }
}
