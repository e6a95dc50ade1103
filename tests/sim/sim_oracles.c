/* What must always hold. `sim_oracle_sent` and `sim_oracle_final` gather; the table is asked after every turn. */
#include "tests/sim/sim.h"

#include "consensus/certificates.h"
#include "node/ledger/peer_codec.h"

#include <stdlib.h>
#include <string.h>

/* ---- Votes and proposals on the wire ----------------------------------------------------------------------------- */

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

static void note_cast(struct sim_node *from, uint64_t view, enum vote_kind kind, const uint8_t *block) {
    static const uint8_t none[HASH_LEN];
    struct sim_world *w = from->world;
    if (view >= SIM_VIEWS_MAX) {
        sim_fail(w, "view %llu is beyond what a run should reach", (unsigned long long)view);
        return;
    }
    struct sim_cast *cast = &w->cast[from->index][view];
    const uint8_t *value = kind == VOTE_NULLIFY ? none : block;
    if (cast->any[kind] && !same(cast->block[kind], value)) {
        sim_fail(w, "double vote: validator %u, view %llu, kind %d", from->index, (unsigned long long)view, kind);
    }
    if (!cast->any[kind]) {
        static const char *const names[] = {"", "proposes in", "notarizes", "nullifies", "finalizes"};
        sim_trace(w, "node %u %s view %llu (%02x%02x)", from->number, names[kind], (unsigned long long)view, value[0],
                  value[1]);
    }
    cast->any[kind] = true;
    memcpy(cast->block[kind], value, HASH_LEN);
    if (cast->any[VOTE_NULLIFY] && cast->any[VOTE_FINALIZE]) {
        sim_fail(w, "double vote: validator %u nullified and finalized view %llu", from->index,
                 (unsigned long long)view);
    }
}

static void note_certificate(struct sim_world *w, struct bytes encoded) {
    struct certificate_parts parts;
    if (certificates_parse(encoded, w->options.validators, &parts) != OK || parts.subject.view >= SIM_VIEWS_MAX) {
        sim_fail(w, "a correct node sent a malformed certificate");
        return;
    }
    struct sim_certified *c = &w->certified[parts.subject.view];
    enum vote_kind kind = parts.subject.kind;
    unsigned long long view = parts.subject.view;
    if (c->any[kind] && !same(c->block[kind], parts.subject.block)) {
        sim_fail(w, "two certificates of kind %d in view %llu", kind, view);
    }
    c->any[kind] = true;
    memcpy(c->block[kind], parts.subject.block, HASH_LEN);
    if (c->any[VOTE_FINALIZE] && c->any[VOTE_NULLIFY]) {
        sim_fail(w, "view %llu is both finalized and nullified", view);
    }
    if (c->any[VOTE_FINALIZE] && c->any[VOTE_NOTARIZE] && !same(c->block[VOTE_FINALIZE], c->block[VOTE_NOTARIZE])) {
        sim_fail(w, "view %llu notarized one block and finalized another", view);
    }
}

static void look_inside(struct sim_node *from, const struct peer_message *m) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    if (m->kind == PEER_PROPOSAL && block_peek(m->body, &header, hash) == OK) {
        note_cast(from, header.view, VOTE_PROPOSE, hash);
    }
    for (size_t i = 0; m->kind == PEER_VOTES && i < m->vote_count; i++) {
        const struct consensus_vote *vote = &m->votes[i];
        if (vote->signer == from->index) {
            note_cast(from, vote->subject.view, vote->subject.kind, vote->subject.block);
        }
    }
    for (size_t i = 0; (m->kind == PEER_PROPOSAL || m->kind == PEER_CERTIFICATES) && i < m->span_count; i++) {
        note_certificate(from->world, m->spans[i]);
    }
    if (m->kind == PEER_BLOCKS) {
        note_certificate(from->world, m->body);
    }
}

void sim_oracle_sent(struct sim_node *from, struct bytes bytes) {
    struct peer_message m;
    if (from->faulty || from->index == CONSENSUS_OBSERVER) {
        return;
    }
    if (peer_decode(bytes, &m) != OK) {
        sim_fail(from->world, "a correct node sent what does not decode");
        return;
    }
    look_inside(from, &m);
    peer_free(&m);
}

/* ---- Finality ---------------------------------------------------------------------------------------------------- */

void sim_oracle_final(struct sim_node *node, const struct block *block) {
    struct sim_world *w = node->world;
    uint64_t height = block->header.height;
    sim_trace(w, "node %u: height %llu view %llu is final (%zu txs)", node->number, (unsigned long long)height,
              (unsigned long long)block->header.view, block->tx_count);
    if (node->faulty) {
        return;
    }
    if (height >= SIM_HEIGHTS_MAX) {
        sim_fail(w, "height %llu is beyond what a run should reach", (unsigned long long)height);
        return;
    }
    if (w->final_known[height] && !same(w->final_hash[height], block->hash)) {
        sim_fail(w, "agreement: node %u has another block at height %llu", node->number, (unsigned long long)height);
    }
    w->final_known[height] = true;
    memcpy(w->final_hash[height], block->hash, HASH_LEN);
    w->top_height = height > w->top_height ? height : w->top_height;
    node->txs_final += block->tx_count;
}

/* ---- After every turn -------------------------------------------------------------------------------------------- */

static void head_is_agreed(struct sim_node *node) {
    const struct chain_head *head = chain_head(node->chain);
    uint64_t height = head->header.height;
    if (height > 0 && height < SIM_HEIGHTS_MAX && node->world->final_known[height] &&
        !same(node->world->final_hash[height], head->hash)) {
        sim_fail(node->world, "agreement: node %u stands on another block at height %llu", node->number,
                 (unsigned long long)height);
    }
}

static void height_only_grows(struct sim_node *node) {
    uint64_t height = chain_head(node->chain)->header.height;
    if (height < node->height) {
        sim_fail(node->world, "node %u went back from height %llu to %llu", node->number,
                 (unsigned long long)node->height, (unsigned long long)height);
    }
    node->height = height;
}

/* What was executed here is what the header says, so all who have the same header have the same state. */
static void state_is_the_headers(struct sim_node *node) {
    struct chain_view view;
    if (chain_view_open(node->chain, &view) != OK) {
        sim_fail(node->world, "node %u: no view of its chain", node->number);
        return;
    }
    if (view.head.header.height > 0 && !same(view.root.hash, view.head.header.state_root)) {
        sim_fail(node->world, "node %u: its state is not the one that block %llu names", node->number,
                 (unsigned long long)view.head.header.height);
    }
    chain_view_close(&view);
}

static void queues_are_bounded(struct sim_node *node) {
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    if (stats.wanted_bodies > 128 || stats.outbox > 4096) {
        sim_fail(node->world, "node %u: a queue is over its bound", node->number);
    }
}

static void invariants_hold(struct sim_node *node) {
    replica_check(node->replica);
}

struct oracle {
    const char *name;
    void (*check)(struct sim_node *node);
};

static const struct oracle oracles[] = {
    {"head is agreed", head_is_agreed},
    {"height only grows", height_only_grows},
    {"state is the header's", state_is_the_headers},
    {"queues are bounded", queues_are_bounded},
    {"invariants hold", invariants_hold},
};

void sim_oracles_step(struct sim_node *node) {
    for (size_t i = 0; i < sizeof oracles / sizeof oracles[0] && !node->faulty; i++) {
        oracles[i].check(node);
    }
}
