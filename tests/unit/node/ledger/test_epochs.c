/* Whole replicas, a few in one process, whose validator set the organisations change while they run. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ed25519.h"
#include "contracts/genesis/genesis.h"
#include "contracts/governance/governance.pb-c.h"
#include "node/host/host_crypto.h"
#include "node/ledger/replica.h"
#include "verify/bundle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS 1700000000000u
#define NODES 7
#define FIRST_VALIDATORS 4
#define MESSAGES_MAX 65536

struct message {
    uint16_t from, to;
    struct bytes bytes; /* owned */
};

struct network;

struct node {
    struct network *network;
    uint16_t number;
    bool up;
    char dir[96], journal_dir[112];
    struct mempool *mempool;
    struct chain *chain;
    struct replica *replica;
    uint64_t timer_ms;
    char alarm[64];
};

struct network {
    char dir[32];
    struct genesis genesis;
    struct genesis_node records[FIRST_VALIDATORS];
    struct genesis_org org;
    uint8_t admin[ED25519_SECRET_LEN];
    uint8_t keys[NODES][KEY_LEN];
    uint8_t secrets[NODES][ED25519_SECRET_LEN];
    struct node nodes[NODES];
    struct message queue[MESSAGES_MAX];
    size_t queued;
    uint64_t now_ms;
    uint8_t salt;
    uint64_t journal_segment;
    uint16_t cut; /* nobody hears this node; NODES: everybody is heard */
};

/* ---- Nodes ------------------------------------------------------------------------------------------------------- */

static void op_multicast(void *ctx, const uint16_t *peers, size_t count, enum peer_kind kind, struct bytes message) {
    struct node *node = ctx;
    struct network *net = node->network;
    (void)kind;
    for (size_t i = 0; i < count && net->queued < MESSAGES_MAX; i++) {
        uint8_t *copy = malloc(message.len);
        memcpy(copy, message.data, message.len);
        net->queue[net->queued++] = (struct message){node->number, peers[i], bytes_of(copy, message.len)};
    }
}

static void op_send(void *ctx, uint16_t peer, enum peer_kind kind, struct bytes message) {
    op_multicast(ctx, &peer, 1, kind, message);
}

static void op_set_timer(void *ctx, uint64_t mono_ms) {
    ((struct node *)ctx)->timer_ms = mono_ms;
}

static void op_check_transaction(void *ctx, uint16_t peer, struct bytes envelope) {
    struct node *node = ctx;
    struct transaction tx;
    (void)peer;
    if (transaction_decode(envelope, &tx, NULL) == OK) {
        enum err e = replica_transaction(node->replica, &tx, false);
        assert_true(e == OK || !replica_failed(node->replica));
    }
}

static void op_on_alarm(void *ctx, const char *name, const char *text) {
    struct node *node = ctx;
    (void)text;
    (void)snprintf(node->alarm, sizeof node->alarm, "%s", name);
}

static void open_node(struct network *net, uint16_t number) {
    struct node *node = &net->nodes[number];
    const struct mempool_config pool = {.max_count = 100, .max_bytes = 1u << 20, .max_per_sender = 100};
    struct kv_backend backend;
    *node = (struct node){.network = net, .number = number, .up = true};
    char dir[sizeof net->dir];
    memcpy(dir, net->dir, sizeof dir);
    (void)snprintf(node->dir, sizeof node->dir, "%s/%u", dir, number);
    (void)snprintf(node->journal_dir, sizeof node->journal_dir, "%s/%u/journal", dir, number);
    assert_int_equal(mempool_new(&pool, &node->mempool), OK);
    assert_int_equal(kv_memory_open(&backend), OK);
    const struct chain_config chain = {.disk = disk_posix(),
                                       .dir = node->dir,
                                       .backend = backend,
                                       .genesis = &net->genesis,
                                       .crypto = &host_crypto,
                                       .mempool = node->mempool,
                                       .segment_bytes = 1u << 20,
                                       .version_keep_ms = 600000,
                                       .checkpoint_bytes = 1u << 30};
    assert_int_equal(chain_open(&chain, &node->chain), OK);
    struct replica_config config = {.key = net->keys[number],
                                    .secret = net->secrets[number],
                                    .crypto = &host_crypto,
                                    .chain = node->chain,
                                    .mempool = node->mempool,
                                    .disk = disk_posix(),
                                    .journal_dir = node->journal_dir,
                                    .journal_segment_bytes = net->journal_segment,
                                    .ops = {.send = op_send,
                                            .multicast = op_multicast,
                                            .set_timer = op_set_timer,
                                            .check_transaction = op_check_transaction,
                                            .on_alarm = op_on_alarm},
                                    .ctx = node};
    replica_timing_default(&config.timing);
    assert_int_equal(replica_open(&config, START_MS + net->now_ms, net->now_ms, &node->replica), OK);
    for (uint16_t i = 0; i < NODES; i++) {
        if (i != number) {
            assert_int_equal(replica_set_peer(node->replica, i, net->keys[i]), OK);
        }
    }
}

static void close_node(struct node *node) {
    replica_close(node->replica);
    chain_close(node->chain);
    mempool_free(node->mempool);
    node->up = false;
}

static struct network *begin_with(uint64_t journal_segment) {
    struct network *net = calloc(1, sizeof *net);
    struct genesis *g = &net->genesis;
    assert_non_null(net);
    assert_int_equal(crypto_start(), OK);
    (void)snprintf(net->dir, sizeof net->dir, "/tmp/test_epochs.XXXXXX");
    assert_non_null(mkdtemp(net->dir));
    net->now_ms = 5000;
    net->cut = NODES;
    net->journal_segment = journal_segment;
    (void)snprintf(g->name, sizeof g->name, "test");
    g->time_ms = START_MS - 1000;
    genesis_params_default(&g->params);
    g->orgs = &net->org;
    g->org_count = 1;
    (void)snprintf(net->org.id, sizeof net->org.id, "test");
    net->org.kind = ORG_OPERATOR;
    net->org.admin_count = net->org.admin_threshold = 1;
    ed25519_from_seed((const uint8_t[ED25519_SEED_LEN]){99}, net->org.admins[0], net->admin);
    g->nodes = net->records;
    g->node_count = FIRST_VALIDATORS;
    for (uint16_t i = 0; i < NODES; i++) {
        ed25519_from_seed((const uint8_t[ED25519_SEED_LEN]){(uint8_t)(i + 1)}, net->keys[i], net->secrets[i]);
    }
    for (uint16_t i = 0; i < FIRST_VALIDATORS; i++) {
        memcpy(net->records[i].key, net->keys[i], KEY_LEN);
        net->records[i].link_key[0] = (uint8_t)(i + 1);
        memcpy(net->records[i].org, "test", sizeof "test");
        (void)snprintf(net->records[i].peer, sizeof net->records[i].peer, "127.0.0.1:%u", 1000u + i);
        net->records[i].role = NODE_VALIDATOR;
    }
    for (uint16_t i = 0; i < NODES; i++) {
        open_node(net, i);
    }
    return net;
}

static struct network *begin(void) {
    return begin_with(1u << 20);
}

static void end(struct network *net) {
    char command[128];
    for (uint16_t i = 0; i < NODES; i++) {
        if (net->nodes[i].up) {
            close_node(&net->nodes[i]);
        }
    }
    for (size_t i = 0; i < net->queued; i++) {
        free((void *)(uintptr_t)net->queue[i].bytes.data);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", net->dir);
    assert_int_equal(system(command), 0);
    free(net);
}

/* ---- Time and messages ------------------------------------------------------------------------------------------- */

static void flush(struct node *node) {
    assert_int_equal(replica_flush(node->replica), OK);
    struct why why = WHY_NONE;
    replica_check(node->replica);
    if (!chain_check(node->chain, false, &why) || !mempool_check(node->mempool, &why)) {
        fail_msg("%s", why.text);
    }
}

/* Lets so much time pass, in steps of a millisecond; messages take one. */
static void run(struct network *net, uint64_t ms) {
    for (uint64_t end_ms = net->now_ms + ms; net->now_ms < end_ms; net->now_ms++) {
        size_t count = net->queued;
        struct message *due = malloc((count + 1) * sizeof *due);
        memcpy(due, net->queue, count * sizeof *due);
        net->queued = 0;
        for (size_t i = 0; i < count; i++) {
            struct node *to = &net->nodes[due[i].to];
            if (to->up && due[i].from != net->cut && due[i].to != net->cut) {
                assert_int_equal(replica_tick(to->replica, START_MS + net->now_ms, net->now_ms), OK);
                assert_int_equal(replica_message(to->replica, due[i].from, due[i].bytes), OK);
            }
            free((void *)(uintptr_t)due[i].bytes.data);
        }
        free(due);
        for (uint16_t i = 0; i < NODES; i++) {
            struct node *node = &net->nodes[i];
            if (node->up && (count > 0 || node->timer_ms <= net->now_ms)) {
                assert_int_equal(replica_tick(node->replica, START_MS + net->now_ms, net->now_ms), OK);
                flush(node);
            }
        }
    }
}

static struct replica_stats stats_of(const struct network *net, uint16_t node) {
    struct replica_stats stats;
    replica_stats(net->nodes[node].replica, &stats);
    return stats;
}

/* ---- Governance -------------------------------------------------------------------------------------------------- */

static void submit(struct network *net, uint16_t at, const char *method, const ProtobufCMessage *args,
                   uint8_t (*node_secret)[ED25519_SECRET_LEN]) {
    uint8_t packed[1024];
    size_t len = protobuf_c_message_get_packed_size(args);
    assert_true(len <= sizeof packed);
    (void)protobuf_c_message_pack(args, packed);
    const uint8_t(*secrets[2])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & net->admin,
                                                      (const uint8_t(*)[ED25519_SECRET_LEN])node_secret};
    const struct transaction_draft draft = {.chain_id = chain_id(net->nodes[at].chain),
                                            .expiry_ms = START_MS + net->now_ms + 600000,
                                            .salt = {++net->salt},
                                            .contract = "governance",
                                            .method = method,
                                            .args = bytes_of(packed, len)};
    struct buffer envelope = BUFFER_INIT;
    struct transaction tx;
    assert_int_equal(transaction_build(&draft, secrets, node_secret != NULL ? 2 : 1, &envelope), OK);
    assert_int_equal(transaction_decode(buffer_bytes(&envelope), &tx, NULL), OK);
    assert_int_equal(replica_transaction(net->nodes[at].replica, &tx, true), OK);
    buffer_free(&envelope);
    flush(&net->nodes[at]);
}

static void register_observer(struct network *net, uint16_t number) {
    Assay__RegisterNode args;
    assay__register_node__init(&args);
    uint8_t link_key[32] = {(uint8_t)(number + 1)};
    char peer[32];
    (void)snprintf(peer, sizeof peer, "127.0.0.1:%u", 1000u + number);
    args.org = net->org.id;
    args.key = (ProtobufCBinaryData){KEY_LEN, net->keys[number]};
    args.link_key = (ProtobufCBinaryData){sizeof link_key, link_key};
    args.role = NODE_OBSERVER;
    args.peer = peer;
    submit(net, 1, "register_node", &args.base, &net->secrets[number]);
}

static void propose(struct network *net, uint16_t at, Assay__Propose *args) {
    args->org = net->org.id;
    submit(net, at, "propose", &args->base, NULL);
}

static void add_validator(struct network *net, uint16_t number) {
    Assay__Propose args;
    assay__propose__init(&args);
    Assay__AddValidator add = ASSAY__ADD_VALIDATOR__INIT;
    add.key = (ProtobufCBinaryData){KEY_LEN, net->keys[number]};
    args.change_case = ASSAY__PROPOSE__CHANGE_ADD_VALIDATOR;
    args.add_validator = &add;
    propose(net, 1, &args);
}

static void remove_validator(struct network *net, uint16_t number) {
    Assay__Propose args;
    assay__propose__init(&args);
    Assay__RemoveValidator leave = ASSAY__REMOVE_VALIDATOR__INIT;
    leave.key = (ProtobufCBinaryData){KEY_LEN, net->keys[number]};
    args.change_case = ASSAY__PROPOSE__CHANGE_REMOVE_VALIDATOR;
    args.remove_validator = &leave;
    propose(net, 1, &args);
}

/* An ordinary transaction goes through. */
static void still_works(struct network *net, uint16_t at) {
    uint64_t before = stats_of(net, at).height;
    register_observer(net, 6); /* refused the second time, which is a block all the same */
    run(net, 400);
    assert_true(stats_of(net, at).height > before);
}

static void all_agree(const struct network *net, uint64_t epoch) {
    const struct chain_head *first = NULL;
    for (uint16_t i = 0; i < NODES; i++) {
        const struct node *node = &net->nodes[i];
        if (!node->up) {
            continue;
        }
        const struct chain_head *head = chain_head(node->chain);
        first = first != NULL ? first : head;
        assert_int_equal(head->header.height, first->header.height);
        assert_memory_equal(head->hash, first->hash, HASH_LEN);
        assert_int_equal(stats_of(net, i).consensus.epoch, epoch);
        assert_string_equal(node->alarm, "");
    }
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

static void an_observer_becomes_a_validator_and_a_validator_an_observer(void **state) {
    (void)state;
    struct network *net = begin();
    run(net, 1000);
    register_observer(net, 4);
    run(net, 100);
    add_validator(net, 4);
    run(net, 1500);
    all_agree(net, 1);
    assert_int_equal(stats_of(net, 4).me, 4);
    assert_true(stats_of(net, 4).consensus.voting);
    still_works(net, 4);
    remove_validator(net, 0);
    run(net, 1500);
    all_agree(net, 2);
    assert_int_equal(stats_of(net, 0).me, CONSENSUS_OBSERVER);
    assert_int_equal(stats_of(net, 4).me, 3);
    still_works(net, 0); /* an observer takes transactions too */
    all_agree(net, 2);
    end(net);
}

static void the_epoch_changes_although_a_validator_is_away_and_it_follows_later(void **state) {
    (void)state;
    struct network *net = begin();
    run(net, 1000);
    register_observer(net, 4);
    run(net, 100);
    net->cut = 3;
    add_validator(net, 4);
    run(net, 4000);
    assert_int_equal(stats_of(net, 0).consensus.epoch, 1);
    assert_int_equal(stats_of(net, 3).consensus.epoch, 0);
    still_works(net, 0);
    net->cut = NODES;
    run(net, 5000);
    all_agree(net, 1);
    assert_true(stats_of(net, 3).consensus.voting);
    end(net);
}

static void a_restart_finds_its_way_into_the_epoch(void **state) {
    (void)state;
    struct network *net = begin();
    run(net, 1000);
    register_observer(net, 4);
    run(net, 100);
    add_validator(net, 4);
    run(net, 1500);
    still_works(net, 4);
    for (uint16_t i = 0; i < NODES; i++) { /* all of them at once: only disks are left */
        close_node(&net->nodes[i]);
    }
    for (size_t i = 0; i < net->queued; i++) {
        free((void *)(uintptr_t)net->queue[i].bytes.data);
    }
    net->queued = 0;
    for (uint16_t i = 0; i < NODES; i++) {
        open_node(net, i);
        assert_int_equal(stats_of(net, i).consensus.epoch, 1);
    }
    run(net, 3000);
    all_agree(net, 1);
    remove_validator(net, 2);
    run(net, 1500);
    all_agree(net, 2);
    end(net);
}

/* The block log is lost and the journal is whole: what an error text tells operators to do leads here. The chain starts
 * in an epoch that the journal has left behind; the votes of the present one are remembered all the same. */
static void a_journal_of_a_later_epoch_than_the_chain_counts_when_its_epoch_comes(void **state) {
    (void)state;
    struct network *net = begin_with(4096); /* so that what the block log has is given back */
    char command[160];
    run(net, 1000);
    register_observer(net, 4);
    run(net, 100);
    add_validator(net, 4);
    run(net, 1500);
    for (int i = 0; i < 4; i++) {
        still_works(net, 0);
    }
    assert_int_equal(stats_of(net, 0).consensus.epoch, 1);
    assert_int_equal(replica_sync(net->nodes[0].replica), OK);
    close_node(&net->nodes[0]);
    (void)snprintf(command, sizeof command, "rm -r %s/blocks", net->nodes[0].dir);
    assert_int_equal(system(command), 0);
    open_node(net, 0);
    assert_int_equal(stats_of(net, 0).consensus.epoch, 0);
    assert_true(stats_of(net, 0).consensus.refused); /* what this validator said in that one is gone */
    run(net, 5000);
    all_agree(net, 1);
    assert_true(stats_of(net, 0).consensus.voting);
    assert_false(stats_of(net, 0).consensus.refused);
    still_works(net, 0);
    all_agree(net, 1);
    end(net);
}

static void a_proof_leads_through_the_epochs(void **state) {
    (void)state;
    struct network *net = begin();
    run(net, 1000);
    for (uint16_t i = 4; i < 6; i++) {
        register_observer(net, i);
        run(net, 100);
        add_validator(net, i);
        run(net, 1500);
    }
    still_works(net, 1);
    struct chain_view view;
    struct buffer bundle = BUFFER_INIT;
    assert_int_equal(chain_view_open(net->nodes[6].chain, &view), OK);
    for (uint64_t from = 0; from <= 2; from++) {
        struct chain_epoch epoch;
        struct bundle_result result;
        static uint8_t path[STATE_PATH_STEPS_MAX][33], set[VALIDATORS_MAX][KEY_LEN], value[LIMIT_STATE_VALUE];
        buffer_reset(&bundle);
        assert_int_equal(chain_view_prove(&view, bytes_str("governance"), bytes_str("validators"), 0, from, &bundle),
                         OK);
        assert_int_equal(chain_view_epoch(&view, from, &epoch), OK);
        assert_int_equal(epoch.count, 4 + from);
        struct trust trust = {.epoch = from, .validators = chain_epoch_set(&epoch)};
        memcpy(trust.chain_id, chain_id(net->nodes[6].chain), CHAIN_ID_LEN);
        const struct bundle_work work = {.set_memory = set,
                                         .set_capacity = VALIDATORS_MAX,
                                         .path_memory = path,
                                         .path_capacity = STATE_PATH_STEPS_MAX,
                                         .value_memory = value,
                                         .value_capacity = sizeof value};
        struct bytes_input span = {buffer_bytes(&bundle)};
        struct input in = input_of_bytes(&span);
        assert_int_equal(bundle_verify(&host_crypto, &trust, &work, &in, &result), GOOD);
        assert_int_equal(result.epoch, 2);
        assert_int_equal(result.validators.count, 6);
    }
    buffer_free(&bundle);
    chain_view_close(&view);
    end(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_observer_becomes_a_validator_and_a_validator_an_observer),
        cmocka_unit_test(the_epoch_changes_although_a_validator_is_away_and_it_follows_later),
        cmocka_unit_test(a_restart_finds_its_way_into_the_epoch),
        cmocka_unit_test(a_journal_of_a_later_epoch_than_the_chain_counts_when_its_epoch_comes),
        cmocka_unit_test(a_proof_leads_through_the_epochs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
