/* What must hold of blocks, stores and nodes; the table is asked after every turn. What nodes say is judged in
 * sim_votes.c. */
#include "tests/sim/sim.h"

#include "node/host/host_crypto.h"
#include "node/ledger/chain_internal.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/chain_verify.h"
#include "verify/bundle.h"

#include <stdlib.h>
#include <string.h>

#define DECIDED_MAX 40u /* blocks that a node may have told of and died before they were final in its store */

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static size_t tx_bucket(const uint8_t id[HASH_LEN]) {
    return load_u32(id) % SIM_VIEW_BUCKETS;
}

static const struct sim_final_tx *find_tx(const struct sim_world *w, const uint8_t id[HASH_LEN]) {
    const struct sim_final_tx *t = w->txs[tx_bucket(id)];
    while (t != NULL && !same(t->id, id)) {
        t = t->next;
    }
    return t;
}

bool sim_oracle_knows_tx(const struct sim_world *w, const uint8_t id[HASH_LEN]) {
    return find_tx(w, id) != NULL;
}

void sim_oracle_executed(struct sim_world *w, const struct transaction *tx, uint64_t height) {
    const struct sim_final_tx *earlier = find_tx(w, tx->id);
    if (earlier != NULL) {
        sim_fail(w, "twice", "a transaction is executed in block %llu and again in block %llu",
                 (unsigned long long)earlier->height, (unsigned long long)height);
    }
    struct sim_final_tx *t = calloc(1, sizeof *t);
    memcpy(t->id, tx->id, HASH_LEN);
    t->height = height;
    t->expiry_ms = tx->expiry_ms;
    t->next = w->txs[tx_bucket(t->id)];
    w->txs[tx_bucket(t->id)] = t;
}

void sim_oracles_free(struct sim_world *w) {
    sim_oracles_forget_views(w);
    for (size_t i = 0; i < SIM_VIEW_BUCKETS; i++) {
        while (w->txs[i] != NULL) {
            struct sim_final_tx *next = w->txs[i]->next;
            free(w->txs[i]);
            w->txs[i] = next;
        }
    }
}

/* ---- Alarms ------------------------------------------------------------------------------------------------------ */

void sim_rot_noticed(struct sim_node *node) {
    if (node->must_notice) {
        node->must_notice = false;
        sim_count(node->world, COUNT_ROT_NOTICED);
    }
}

/* Some alarms must not be raised, whatever the faulty do. */
void sim_oracle_alarm(struct sim_node *node, const char *name, const char *text) {
    struct sim_world *w = node->world;
    sim_trace(w, "node %u: alarm %s: %s", node->number, name, text);
    if (strcmp(name, "journal-damaged") == 0) {
        sim_rot_noticed(node);
    }
    if (node->faulty || node->lost_votes) {
        return;
    }
    if (strcmp(name, "unfinal-full") == 0) {
        sim_count(w, COUNT_UNFINAL_FULL);
    }
    if (strcmp(name, "safety") == 0) {
        sim_fail(w, "safety", "node %u sees contradicting certificates", node->number);
    }
    if (strcmp(name, "old-journal") == 0 && !node->lost_log) {
        sim_fail(w, "recall", "node %u has a good journal and is told that it lacks votes", node->number);
    }
    if (strcmp(name, "journal-damaged") == 0) {
        sim_fail(w, "journal", "node %u takes its journal for damaged after a mere crash: %s", node->number, text);
    }
}

/* Nobody may find two votes of a correct validator that contradict each other. */
void sim_oracle_evidence(struct sim_node *node, uint16_t accused, const struct consensus_vote *first,
                         const struct consensus_vote *second) {
    struct sim_world *w = node->world;
    if (!node->faulty && (accused >= SIM_KEYS_MAX || !sim_key_is_faulty(w, accused))) {
        sim_fail(w, "accused", "node %u accuses correct validator %u: kinds %d and %d in view %llu", node->number,
                 accused, first->subject.kind, second->subject.kind, (unsigned long long)first->subject.view);
    }
}

/* ---- Finality ---------------------------------------------------------------------------------------------------- */

/* Does it stand on the final block below it? */
static void judge_succession(struct sim_world *w, const struct block_header *h) {
    unsigned long long height = h->height;
    const struct block_header *parent = &w->final_header[h->height - 1];
    bool closed = block_header_closes(parent);
    if (!same(w->final_hash[h->height - 1], h->parent)) {
        sim_fail(w, "agreement", "block %llu does not stand on the final block before it", height);
    }
    if (parent->time_ms >= h->time_ms) {
        sim_fail(w, "time", "block %llu is not later than its parent", height);
    }
    if (h->epoch != parent->epoch + (closed ? 1 : 0) || !same(h->validators_hash, parent->next_validators_hash)) {
        sim_fail(w, "epoch", "block %llu is of epoch %llu, and its parent %s epoch %llu", height,
                 (unsigned long long)h->epoch, closed ? "closed" : "is of", (unsigned long long)parent->epoch);
    }
    if (!closed && h->view <= parent->view) {
        sim_fail(w, "view", "block %llu is of a view that is not above its parent's", height);
    }
}

/* Of a height that nobody made final before. */
static void judge_block(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    const struct block_header *h = &block->header;
    unsigned long long height = h->height;
    uint16_t n = sim_validators_of(w, h->epoch);
    if (n == 0 || h->proposer != consensus_leader(h->view, n)) {
        sim_fail(w, "leader", "block %llu of view %llu was not made by its leader", height,
                 (unsigned long long)h->view);
    }
    if (w->final_known[height - 1]) {
        judge_succession(w, h);
    }
    for (size_t i = 0; i < SIM_FALSE_BLOCKS; i++) {
        if (w->false_blocks[i].name != NULL && same(w->false_blocks[i].hash, block->hash)) {
            sim_fail(w, "rule", "block %llu is final and has %s", height, w->false_blocks[i].name);
        }
    }
}

void sim_oracle_final(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    uint64_t height = block->header.height;
    sim_trace(w, "node %u: height %llu view %llu is final (%zu txs)", node->number, (unsigned long long)height,
              (unsigned long long)block->header.view, block->tx_count);
    if (node->faulty) {
        return;
    }
    if (chain_epoch(node->chain)->number == block->header.epoch) {
        sim_oracle_epoch(node);
    }
    if (height >= SIM_HEIGHTS_MAX) {
        sim_fail(w, "length", "height %llu is beyond what a run should reach", (unsigned long long)height);
        return;
    }
    if (w->final_known[height] && !same(w->final_hash[height], block->hash)) {
        sim_fail(w, "agreement", "node %u has another block at height %llu", node->number, (unsigned long long)height);
    }
    if (!w->final_known[height]) {
        judge_block(node, block);
    }
    sim_ledger_final(node, block);
    w->final_known[height] = true;
    w->final_header[height] = block->header;
    memcpy(w->final_hash[height], block->hash, HASH_LEN);
    w->top_height = height > w->top_height ? height : w->top_height;
}

/* However it came by its ledger: it knows every id that could be sent again. */
static void judge_memory(struct sim_node *node) {
    struct sim_world *w = node->world;
    const struct block_header *head = &chain_head(node->chain)->header;
    struct kv_view *view;
    struct bytes value;
    if (kv_view_open(node->chain->kv, &view) != OK) {
        sim_fail(w, "memory", "node %u has no view of its state", node->number);
        return;
    }
    for (size_t i = 0; i < SIM_VIEW_BUCKETS; i++) {
        for (const struct sim_final_tx *t = w->txs[i]; t != NULL; t = t->next) {
            bool lives = t->height <= head->height && t->expiry_ms > head->time_ms;
            if (lives && kv_get(view, KV_TXS, bytes_of(t->id, HASH_LEN), &value) == ERR_NOTFOUND) {
                sim_fail(w, "memory",
                         "node %u, at height %llu, has forgotten a transaction of block %llu that lives on",
                         node->number, (unsigned long long)head->height, (unsigned long long)t->height);
            }
        }
    }
    kv_view_close(view);
}

/* A process can die between making a block final and saying so. What it finds when it starts again is final, too. */
void sim_oracle_started(struct sim_node *node) {
    struct sim_world *w = node->world;
    uint64_t head = chain_head(node->chain)->header.height;
    struct buffer body = BUFFER_INIT;
    for (uint64_t height = w->top_height + 1; height <= head && height < SIM_HEIGHTS_MAX && !node->faulty; height++) {
        struct block block;
        buffer_reset(&body);
        if (chain_read(node->chain, height, &body, NULL) == OK && block_decode(buffer_bytes(&body), &block) == OK) {
            sim_oracle_final(node, &block);
            block_free(&block);
        }
    }
    buffer_free(&body);
    judge_memory(node);
    if (node->must_notice) {
        sim_fail(w, "rot", "node %u starts and does not say that a record is damaged that had been synced",
                 node->number);
    }
}

/* ---- After every turn -------------------------------------------------------------------------------------------- */

static void head_is_agreed(struct sim_node *node) {
    const struct chain_head *head = chain_head(node->chain);
    uint64_t height = head->header.height;
    if (height > 0 && height < SIM_HEIGHTS_MAX && node->world->final_known[height] &&
        !same(node->world->final_hash[height], head->hash)) {
        sim_fail(node->world, "agreement", "node %u stands on another block at height %llu", node->number,
                 (unsigned long long)height);
    }
}

static void height_only_grows(struct sim_node *node) {
    uint64_t height = chain_head(node->chain)->header.height;
    if (height < node->height) {
        sim_fail(node->world, "back", "node %u went back from height %llu to %llu", node->number,
                 (unsigned long long)node->height, (unsigned long long)height);
    }
    node->height = height;
}

/* What was executed here is what the header says, so all who have the same header have the same state. */
static void state_is_the_headers(struct sim_node *node) {
    struct chain_view view;
    if (chain_view_open(node->chain, &view) != OK) {
        sim_fail(node->world, "state", "node %u: no view of its chain", node->number);
        return;
    }
    if (view.head.header.height > 0 && !same(view.root.hash, view.head.header.state_root)) {
        sim_fail(node->world, "state", "node %u: its state is not the one that block %llu names", node->number,
                 (unsigned long long)view.head.header.height);
    }
    chain_view_close(&view);
}

static void queues_are_bounded(struct sim_node *node) {
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    if (stats.wanted_bodies > 512 || stats.outbox > 4096 || mempool_count(node->mempool) > 4096) {
        sim_fail(node->world, "queue", "node %u: a queue is over its bound", node->number);
    }
}

/* What the disk of a correct validator holds is what makes it refuse, and nothing else. */
static void refuses_for_a_reason(struct sim_node *node) {
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    if (stats.consensus.refused && !node->lost_votes && !node->lost_log) {
        sim_fail(node->world, "recall", "node %u refuses to vote with a good journal", node->number);
    }
}

/* What it takes for the height of the others is one that somebody correct has reached, however many liars there are. */
static void believes_no_liar(struct sim_node *node) {
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    if (stats.best_height > node->world->top_height + DECIDED_MAX) {
        sim_fail(node->world, "claims", "node %u believes that others are at height %llu, and nobody is above %llu",
                 node->number, (unsigned long long)stats.best_height, (unsigned long long)node->world->top_height);
    }
}

/* What stands in memory is looked at after every turn, the store when it began with another head. */
static void invariants_hold(struct sim_node *node) {
    uint64_t head = chain_head(node->chain)->header.height;
    struct why why = WHY_NONE;
    replica_check(node->replica);
    if (!mempool_check(node->mempool, &why)) {
        sim_fail(node->world, "mempool", "node %u: %s", node->number, why.text);
    }
    if (!kv_check(node->chain->kv, false, &why)) {
        sim_fail(node->world, "kv", "node %u: %s", node->number, why.text);
    }
    if (!chain_check(node->chain, head != node->looked_through, &why)) {
        sim_fail(node->world, "chain", "node %u: %s", node->number, why.text);
    }
    node->looked_through = head;
}

struct oracle {
    const char *name;
    void (*check)(struct sim_node *node);
};

static const struct oracle oracles[] = {
    {"head is agreed", head_is_agreed},
    {"height only grows", height_only_grows},
    {"state is the header's", state_is_the_headers},
    {"parameters are those voted for", sim_ledger_check_params},
    {"queues are bounded", queues_are_bounded},
    {"refuses for a reason", refuses_for_a_reason},
    {"believes no liar", believes_no_liar},
    {"holds what quorums made", sim_oracle_held},
    {"invariants hold", invariants_hold},
};

void sim_oracles_step(struct sim_node *node) {
    if (!node->faulty) {
        sim_oracle_epoch(node);
    }
    for (size_t i = 0; i < sizeof oracles / sizeof oracles[0] && !node->faulty; i++) {
        oracles[i].check(node);
    }
}

/* ---- At the end -------------------------------------------------------------------------------------------------- */

/* The whole store is walked: hash chain, certificates, receipts, every leaf of the state. */
static void store_verifies(struct sim_node *node, struct chain_view *view) {
    struct seglog *log = NULL;
    const struct seglog_config config = {.disk = sim_disk_ops(node->disk),
                                         .dir = SIM_HOME "/blocks",
                                         .stem = "block",
                                         .segment_bytes = sim_block_segment(node->world)};
    struct chain_verify_report report = {0};
    enum err e = seglog_open(&config, NULL, NULL, &log);
    if (e == OK) {
        const struct chain_verify_input input = {
            .crypto = &host_crypto, .genesis = node->world->genesis, .view = view->kv, .log = log};
        e = chain_verify(&input, &report);
    }
    if (e != OK) {
        sim_fail(node->world, "verify", "node %u: its store does not verify: %s %s %s", node->number, err_text(e),
                 report.wrong.text, seglog_error());
    }
    seglog_close(log);
}

/* A light client that knows the genesis alone walks the epochs and arrives at the head's state. */
static void client_arrives(struct sim_node *node, struct chain_view *view) {
    static uint8_t sets[VALIDATORS_MAX][KEY_LEN], path[256][33], value[65536];
    struct sim_world *w = node->world;
    struct buffer bundle = BUFFER_INIT;
    struct bundle_result result = {0};
    struct trust trust = {.validators = {(const uint8_t(*)[KEY_LEN])w->keys, w->epochs[0].count}};
    const struct bundle_work work = {.set_memory = sets,
                                     .set_capacity = VALIDATORS_MAX,
                                     .path_memory = path,
                                     .path_capacity = 256,
                                     .value_memory = value,
                                     .value_capacity = sizeof value};
    memcpy(trust.chain_id, chain_id(node->chain), CHAIN_ID_LEN);
    enum err e = chain_view_prove(view, bytes_of("governance", 10), bytes_of("validators", 10), 0, 0, &bundle);
    struct bytes_input span = {buffer_bytes(&bundle)};
    struct input in = input_of_bytes(&span);
    enum verdict v = e == OK ? bundle_verify(&host_crypto, &trust, &work, &in, &result) : BAD_TRUNCATED;
    uint64_t height = result.header.height;
    if (e != OK || v != GOOD || !result.present || height == 0 || height > w->top_height ||
        !same(w->final_hash[height], result.header_hash)) {
        sim_fail(w, "client", "a light client does not get from genesis to node %u's head: %s, %s", node->number,
                 err_text(e), verdict_text(v));
    }
    buffer_free(&bundle);
}

/* What was ever said to be final is there, and each transaction once, in the block that it was said to be in. A node
 * that joined by snapshot has nothing of what was before, and ids for as long as they count. */
static void nothing_is_lost(struct sim_node *node) {
    struct sim_world *w = node->world;
    struct chain_view view;
    uint64_t first = 1;
    if (chain_view_open(node->chain, &view) != OK) {
        return;
    }
    if (chain_store_first(view.kv, &first) != OK) {
        first = SIM_HEIGHTS_MAX;
    }
    for (uint64_t height = first; height <= w->top_height && height <= view.head.header.height; height++) {
        struct chain_block_info info;
        if (w->final_known[height] &&
            (chain_view_block(&view, height, &info) != OK || !same(info.hash, w->final_hash[height]))) {
            sim_fail(w, "lost", "node %u has not the block that was final at height %llu", node->number,
                     (unsigned long long)height);
        }
    }
    for (size_t i = 0; i < SIM_VIEW_BUCKETS; i++) {
        for (const struct sim_final_tx *t = w->txs[i]; t != NULL; t = t->next) {
            struct bytes entry;
            bool here = t->height >= first && t->height <= view.head.header.height;
            if (here && (kv_get(view.kv, KV_TXS, bytes_of(t->id, HASH_LEN), &entry) != OK ||
                         load_u64(entry.data) != t->height)) {
                sim_fail(w, "lost", "node %u does not know the transaction of block %llu, or has it elsewhere",
                         node->number, (unsigned long long)t->height);
            }
        }
    }
    chain_view_close(&view);
}

/* For the walks one correct node stands for all: by now they have the same blocks. */
void sim_oracles_end(struct sim_world *w) {
    struct sim_node *node = NULL;
    struct chain_view view;
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (!w->nodes[i].faulty && w->nodes[i].up) {
            nothing_is_lost(&w->nodes[i]);
        }
    }
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (!w->nodes[i].faulty && w->nodes[i].up && (node == NULL || (w->played->seed + i) % 3 == 0)) {
            node = &w->nodes[i];
        }
    }
    if (node == NULL || chain_view_open(node->chain, &view) != OK) {
        return;
    }
    client_arrives(node, &view);
    store_verifies(node, &view);
    chain_view_close(&view);
}
