/* Faults: which a seed has (the swarm), when they strike, and what faulty validators do to their own messages. */
#include "tests/sim/sim.h"

#include "node/ledger/peer_codec.h"

#include <string.h>

/* ---- The swarm --------------------------------------------------------------------------------------------------- */

static uint64_t maybe(struct sim_random *random, uint32_t per_mille, uint64_t low, uint64_t high) {
    return sim_chance(random, per_mille) ? sim_between(random, low, high) : 0;
}

/* At most f validators are faulty in any way that the protocol counts. */
static void share_out_faulty(struct sim_random *random, struct sim_options *o) {
    uint16_t budget = validators_faulty(o->validators);
    while (budget > 0) {
        switch (sim_below(random, 8)) {
        case 0:
            o->twins++;
            break;
        case 1:
            o->liars++;
            break;
        case 2:
            o->withholders++;
            break;
        case 3:
            o->old_copy_every_ms = 1500;
            break;
        case 4:
            o->rot_every_ms = 1500;
            break;
        case 5:
            o->forkers++;
            break;
        default:
            break;
        }
        budget--;
    }
}

void sim_options_of_seed(struct sim_random *random, struct sim_options *out) {
    static const uint16_t sizes[] = {1, 2, 3, 4, 4, 4, 4, 4, 5, 7};
    struct sim_options o = {.validators = sizes[sim_below(random, sizeof sizes / sizeof sizes[0])]};
    o.observers = (uint16_t)sim_below(random, 2);
    o.loss = (uint32_t)maybe(random, 400, 5, 200);
    o.duplicate = (uint32_t)maybe(random, 400, 5, 200);
    o.delay_min_us = sim_between(random, 50, 2000);
    o.delay_max_us = o.delay_min_us + (sim_chance(random, 300) ? sim_between(random, 50000, 600000) : 5000);
    o.garble = (uint32_t)maybe(random, 500, 10, 300);
    o.certificates_to_one = (uint32_t)maybe(random, 300, 100, 1000);
    o.partition_every_ms = maybe(random, 500, 300, 2000);
    o.crash_every_ms = maybe(random, 400, 300, 3000);
    o.boundary_crash_every_ms = maybe(random, 400, 200, 2000);
    o.crash_all_every_ms = maybe(random, 250, 700, 3000);
    o.pause_every_ms = maybe(random, 300, 400, 3000);
    o.clock_skew_ms = maybe(random, 500, 10, 900);
    o.clock_jump_every_ms = maybe(random, 200, 500, 3000);
    o.tx_every_ms = sim_between(random, 5, 200);
    o.first_tx_ms = sim_chance(random, 500) ? 1000 : 0; /* late: twins get through their recall */
    o.chaos_ms = 1500 + sim_between(random, 1500, 5000);
    share_out_faulty(random, &o);
    o.blocks_bytes = (size_t)maybe(random, 400, 1, 3000);
    *out = o;
}

/* ---- Faults that strike ------------------------------------------------------------------------------------------ */

static struct sim_node *any_node(struct sim_world *w) {
    return &w->nodes[sim_below(&w->random, w->node_count)];
}

static void restart_later(struct sim_node *node) {
    struct sim_world *w = node->world;
    sim_schedule(w, (struct sim_event){.at_us = w->now_us + sim_between(&w->random, 20, 1500) * 1000,
                                       .kind = SIM_RESTART,
                                       .node = node->number});
}

static void fault_partition(struct sim_world *w) {
    uint64_t kind = sim_below(&w->random, 4);
    uint16_t alone = any_node(w)->number;
    uint64_t side = sim_next(&w->random);
    for (uint16_t a = 0; a < w->node_count; a++) {
        for (uint16_t b = 0; b < w->node_count; b++) {
            bool isolated = kind == 1 && (a == alone || b == alone);
            bool one_way = kind == 2 && a == alone;
            bool halves = kind == 3 && ((side >> a & 1) != (side >> b & 1));
            w->cut[a][b] = isolated || one_way || halves; /* kind 0: whole again */
        }
    }
    sim_trace(w, "partition of kind %u, node %u", (unsigned)kind, alone);
}

static void fault_crash(struct sim_world *w) {
    struct sim_node *node = any_node(w);
    if (node->up) {
        sim_trace(w, "crash of node %u", node->number);
        sim_node_crash(node);
        restart_later(node);
    }
}

/* The process dies at the n-th disk operation or send from now. */
static void fault_boundary_crash(struct sim_world *w) {
    struct sim_node *node = any_node(w);
    sim_disk_stop_after(node->disk, sim_between(&w->random, 1, 40));
}

static void fault_crash_all(struct sim_world *w) {
    sim_trace(w, "crash of all");
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (w->nodes[i].up) {
            sim_node_crash(&w->nodes[i]);
            restart_later(&w->nodes[i]);
        }
    }
}

static void fault_pause(struct sim_world *w) {
    struct sim_node *node = any_node(w);
    if (!node->paused) {
        node->paused = true;
        sim_trace(w, "pause of node %u", node->number);
        sim_schedule(w, (struct sim_event){.at_us = w->now_us + sim_between(&w->random, 50, 2500) * 1000,
                                           .kind = SIM_RESUME,
                                           .node = node->number});
    }
}

static void fault_clock_jump(struct sim_world *w) {
    struct sim_node *node = any_node(w);
    node->wall_skew_ms = (int64_t)sim_below(&w->random, 1800) - 900;
}

/* The last validator's whole home is copied, and later put back: its journal then lacks votes that it sent. */
static void fault_old_copy(struct sim_world *w) {
    struct sim_node *node = &w->nodes[w->options.validators - 1];
    if (node->faulty && !node->lost_votes) {
        return; /* it has another fault already */
    }
    if (node->old_copy == NULL) {
        node->old_copy = sim_disk_copy(node->disk);
        return;
    }
    sim_trace(w, "old copy restored on node %u", node->number);
    if (node->up) {
        sim_node_crash(node);
    }
    sim_disk_replace(node->disk, node->old_copy);
    node->faulty = node->lost_votes = true; /* such a validator counts among the f */
    node->height = 0;
    restart_later(node);
}

static void fault_rot(struct sim_world *w) {
    struct sim_node *node = &w->nodes[w->options.validators - 1];
    if (!node->faulty && !node->lost_votes && node->up) {
        sim_node_crash(node);
        if (sim_disk_rot(node->disk, "vote")) {
            sim_trace(w, "bit rot in the journal of node %u", node->number);
            node->lost_votes = true;
        }
        restart_later(node);
    }
}

struct fault {
    const char *name;
    size_t every; /* offset of its period in struct sim_options; 0 there: this seed has it not */
    void (*strike)(struct sim_world *world);
};

#define EVERY(member) offsetof(struct sim_options, member)

static const struct fault faults[] = {
    {"partition", EVERY(partition_every_ms), fault_partition},
    {"crash", EVERY(crash_every_ms), fault_crash},
    {"crash at a journal or send boundary", EVERY(boundary_crash_every_ms), fault_boundary_crash},
    {"crash of all", EVERY(crash_all_every_ms), fault_crash_all},
    {"pause", EVERY(pause_every_ms), fault_pause},
    {"clock jump", EVERY(clock_jump_every_ms), fault_clock_jump},
    {"old copy restored", EVERY(old_copy_every_ms), fault_old_copy},
    {"bit rot in the journal", EVERY(rot_every_ms), fault_rot},
};

static uint64_t period_of(const struct sim_world *w, uint32_t row) {
    uint64_t every;
    memcpy(&every, (const uint8_t *)&w->options + faults[row].every, sizeof every);
    return every;
}

static void schedule_row(struct sim_world *w, uint32_t row) {
    uint64_t every = period_of(w, row);
    if (every > 0) {
        uint64_t wait_ms = sim_between(&w->random, every / 2, every * 3 / 2);
        sim_schedule(w, (struct sim_event){.at_us = w->now_us + wait_ms * 1000, .kind = SIM_FAULT, .argument = row});
    }
}

void sim_faults_schedule(struct sim_world *w) {
    for (uint32_t row = 0; row < sizeof faults / sizeof faults[0]; row++) {
        schedule_row(w, row);
    }
}

void sim_fault_run(struct sim_world *w, uint32_t row) {
    if (!w->healed) {
        faults[row].strike(w);
        schedule_row(w, row);
    }
}

/* ---- What faulty validators say ---------------------------------------------------------------------------------- */

/* Turns a vote into one that must not exist beside it. */
static void lie(struct sim_node *from, struct consensus_vote *vote) {
    struct sim_world *w = from->world;
    switch (sim_below(&w->random, 3)) {
    case 0:
        vote->subject.kind = VOTE_NULLIFY;
        memset(vote->subject.block, 0, HASH_LEN);
        break;
    case 1:
        if (vote->subject.kind != VOTE_NULLIFY) {
            vote->subject.kind = VOTE_FINALIZE;
        }
        break;
    default:
        vote->subject.view += sim_below(&w->random, 40);
        break;
    }
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain_id(from->chain), &vote->subject, message);
    sim_sign(w->keys[from->index], message, sizeof message, vote->signature);
}

static void propose_other(struct sim_node *from, const struct peer_message *m, struct bytes body,
                          struct buffer *changed) {
    struct block_header header;
    struct vote_subject subject = {.kind = VOTE_PROPOSE};
    if (block_peek(body, &header, subject.block) != OK) {
        return;
    }
    subject.epoch = header.epoch;
    subject.view = header.view;
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain_id(from->chain), &subject, message);
    struct peer_message other = *m;
    other.body = body;
    sim_sign(from->world->keys[from->index], message, sizeof message, other.signature);
    if (peer_encode(&other, changed) != OK) {
        buffer_reset(changed);
    }
}

/* Another proposal for the same view, valid in itself, that passes over what was notarized above the last final block.
 */
static void propose_fork(struct sim_node *from, const struct peer_message *m, struct buffer *changed) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    if (block_peek(m->body, &header, hash) == OK &&
        chain_build(from->chain, chain_head(from->chain)->hash, header.view, from->index, header.time_ms,
                    hash) == OK) {
        propose_other(from, m, chain_body(from->chain, hash), changed);
    }
}

/* The same block with a state root that it does not execute to. */
static void propose_false_root(struct sim_node *from, const struct peer_message *m, struct buffer *changed) {
    struct block_header header;
    uint8_t hash[HASH_LEN], head[BLOCK_HEADER_LEN];
    if (block_peek(m->body, &header, hash) != OK) {
        return;
    }
    header.state_root[0] ^= 1;
    block_header_encode(&header, head);
    struct buffer body = BUFFER_INIT;
    buffer_put(&body, head, sizeof head);
    buffer_put(&body, m->body.data + sizeof head, m->body.len - sizeof head);
    propose_other(from, m, buffer_bytes(&body), changed);
    buffer_free(&body);
}

/* One forgery a view: those who get it get the same, so that it has a chance of a quorum. */
static void forge(struct sim_node *from, const struct peer_message *m, struct buffer *changed) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    struct sim_random *random = &from->world->random;
    if (block_peek(m->body, &header, hash) != OK) {
        return;
    }
    if (from->forged_view != header.view) {
        from->forged_view = header.view;
        buffer_reset(&from->forged);
        if (sim_chance(random, 300)) {
            propose_false_root(from, m, &from->forged);
        } else if (sim_chance(random, 700)) {
            propose_fork(from, m, &from->forged);
        }
    }
    if (from->forged.len > 0 && sim_chance(random, 900)) {
        buffer_put(changed, from->forged.data, from->forged.len);
    }
}

static void garble(struct sim_random *random, struct buffer *b) {
    for (uint64_t flips = sim_between(random, 1, 4); flips > 0 && b->len > 0; flips--) {
        size_t at = (size_t)sim_below(random, b->len);
        b->data[at] = (uint8_t)(b->data[at] ^ 1u << sim_below(random, 8));
    }
    if (sim_chance(random, 200)) {
        b->len = (size_t)sim_below(random, b->len + 1);
    }
}

bool sim_fault_outgoing(struct sim_node *from, uint16_t to, struct bytes bytes, struct buffer *changed) {
    struct sim_world *w = from->world;
    const struct sim_options *o = &w->options;
    uint16_t place = (uint16_t)(from->index - o->twins);
    bool liar = from->index >= o->twins && place < o->liars;
    bool withholder = !liar && from->index >= o->twins && place < o->liars + o->withholders;
    bool forker = !liar && !withholder && from->index >= o->twins && place < o->liars + o->withholders + o->forkers;
    struct peer_message m;
    if ((liar || withholder || forker) && peer_decode(bytes, &m) == OK) {
        bool keep_back =
            withholder && to != 0 && (m.kind == PEER_PROPOSAL || m.kind == PEER_BODY || m.kind == PEER_BLOCKS);
        if (liar && m.kind == PEER_VOTES && m.vote_count > 0 && sim_chance(&w->random, 500)) {
            struct consensus_vote votes[PEER_VOTES_MAX];
            memcpy(votes, m.votes, m.vote_count * sizeof votes[0]);
            for (size_t i = 0; i < m.vote_count; i++) {
                lie(from, &votes[i]);
            }
            struct peer_message lies = {
                .kind = PEER_VOTES, .epoch = m.epoch, .votes = votes, .vote_count = m.vote_count};
            if (peer_encode(&lies, changed) != OK) {
                buffer_reset(changed);
            }
        }
        if (forker && m.kind == PEER_PROPOSAL) {
            forge(from, &m, changed);
        }
        peer_free(&m);
        if (keep_back) {
            return false;
        }
    }
    if (!w->healed && sim_chance(&w->random, o->garble)) {
        if (changed->len == 0) {
            buffer_put(changed, bytes.data, bytes.len);
        }
        garble(&w->random, changed);
        return changed->len > 0;
    }
    return true;
}
