/* What nodes say, held against what they may say: votes, proposals and certificates of every view, and epochs. */
#include "tests/sim/sim.h"

#include "node/ledger/chain_internal.h"

#include "consensus/certificates.h"
#include "node/host/host_crypto.h"

#include <stdlib.h>
#include <string.h>

#define CLOCK_AHEAD_MS 4500u /* what a voter bears, and what its clock may have gone back since it looked */

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

/* ---- What is known of views ---------------------------------------------------------------------------------------- */

static struct sim_view *find_view(struct sim_world *w, uint64_t epoch, uint64_t view, bool make) {
    struct sim_view **bucket = &w->views[(view + epoch * 131) % SIM_VIEW_BUCKETS];
    for (struct sim_view *v = *bucket; v != NULL; v = v->next) {
        if (v->epoch == epoch && v->view == view) {
            return v;
        }
    }
    if (!make) {
        return NULL;
    }
    struct sim_view *v = calloc(1, sizeof *v);
    v->epoch = epoch;
    v->view = view;
    v->next = *bucket;
    return *bucket = v;
}

/* ---- Quorums ----------------------------------------------------------------------------------------------------- */

/* Can a quorum stand behind this, as far as the node with that key can know? Faulty validators may have said anything
 * to anybody, and it may have a vote of its own that a crash kept from leaving. */
static bool is_backed(const struct sim_world *w, const struct sim_view *v, uint16_t knower, enum vote_kind kind,
                      const uint8_t *block) {
    uint16_t n = sim_validators_of(w, v->epoch), count = 0;
    for (uint16_t i = 0; i < n; i++) {
        uint16_t key = sim_key_at(w, v->epoch, i);
        bool cast = v->cast[key][kind] && same(v->cast_block[key][kind], block);
        bool unsaid = key == knower && !v->cast[key][kind];
        count = (uint16_t)(count + (cast || unsaid || sim_key_is_faulty(w, key) ? 1 : 0));
    }
    return count >= validators_quorum(n);
}

/* Rule 1: does anything let a validator leave view v? */
static bool is_left(struct sim_world *w, uint64_t epoch, uint64_t view, uint16_t knower) {
    static const uint8_t none[HASH_LEN];
    const struct sim_view *v = find_view(w, epoch, view, false);
    if (sim_validators_of(w, epoch) == 1) {
        return true; /* it need not say anything to anybody */
    }
    if (v == NULL) {
        return false;
    }
    if (is_backed(w, v, knower, VOTE_NULLIFY, none)) {
        return true;
    }
    for (uint16_t key = 0; key < SIM_KEYS_MAX; key++) {
        for (int kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind += VOTE_FINALIZE - VOTE_NOTARIZE) {
            if (v->cast[key][kind] && is_backed(w, v, knower, (enum vote_kind)kind, v->cast_block[key][kind])) {
                return true;
            }
        }
    }
    return false;
}

/* ---- Epochs ------------------------------------------------------------------------------------------------------ */

void sim_oracles_begin(struct sim_world *w) {
    struct sim_epoch *first = &w->epochs[0];
    w->epoch_count = 1;
    first->count = (uint16_t)w->options.validators;
    for (uint16_t i = 0; i < first->count; i++) {
        first->key[i] = i;
    }
    const struct validator_set set = {(const uint8_t(*)[KEY_LEN])w->keys, first->count};
    validators_hash(&host_crypto, &set, first->hash);
}

/* Did a quorum of the epoch before make its closing block final? */
static bool is_closed(const struct sim_world *w, uint64_t epoch, uint16_t knower, const uint8_t *closing) {
    for (size_t i = 0; i < SIM_VIEW_BUCKETS; i++) {
        for (const struct sim_view *v = w->views[i]; v != NULL; v = v->next) {
            if (v->epoch == epoch && is_backed(w, v, knower, VOTE_FINALIZE, closing)) {
                return true;
            }
        }
    }
    return sim_validators_of(w, epoch) == 1;
}

/* The first correct node in an epoch says who its validators are; all others must say the same. */
void sim_oracle_epoch(struct sim_node *node) {
    struct sim_world *w = node->world;
    const struct chain_epoch *now = chain_epoch(node->chain);
    struct chain_view view;
    struct chain_block_info closing;
    if (now->number < w->epoch_count) {
        if (!same(w->epochs[now->number].hash, now->hash)) {
            sim_fail(w, "epoch", "node %u has another validator set in epoch %llu", node->number,
                     (unsigned long long)now->number);
        }
        return;
    }
    if (now->number > w->epoch_count || now->number >= SIM_EPOCHS_MAX || chain_view_open(node->chain, &view) != OK) {
        sim_fail(w, "epoch", "node %u is in epoch %llu, and nobody was in the one before", node->number,
                 (unsigned long long)now->number);
        return;
    }
    if (chain_view_block(&view, now->closing_height, &closing) != OK || !block_header_closes(&closing.header) ||
        !same(closing.header.next_validators_hash, now->hash) ||
        !is_closed(w, now->number - 1, node->key, closing.hash)) {
        sim_fail(w, "epoch", "node %u begins epoch %llu, and no final block closed the one before", node->number,
                 (unsigned long long)now->number);
    }
    chain_view_close(&view);
    struct sim_epoch *next = &w->epochs[w->epoch_count++];
    next->count = now->count;
    next->closing = now->closing_height;
    memcpy(next->hash, now->hash, HASH_LEN);
    for (uint16_t i = 0; i < now->count && i < SIM_KEYS_MAX; i++) {
        next->key[i] = sim_key_number(w, now->keys[i]);
    }
    sim_trace(w, "epoch %llu begins with %u validators", (unsigned long long)now->number, now->count);
}

/* ---- Votes and proposals on the wire ----------------------------------------------------------------------------- */

/* Whoever promises to finalize has the block, and all below it down to what is final. A promise that a crash kept from
 * leaving is made good after the restart: then blocks that were final may have to be fetched anew. */
static void has_all_bodies(struct sim_node *from, uint64_t epoch, uint64_t view, const uint8_t *block) {
    struct sim_world *w = from->world;
    const struct block_header *head = &chain_head(from->chain)->header;
    uint8_t at[HASH_LEN];
    memcpy(at, block, HASH_LEN);
    for (const struct block_header *child = NULL;;) {
        const struct block_header *header = chain_header(from->chain, at);
        uint64_t height = child != NULL ? child->height - 1 : 0;
        bool final = height < SIM_HEIGHTS_MAX && w->final_known[height] && same(w->final_hash[height], at);
        bool late = child == NULL && (epoch < chain_epoch(from->chain)->number || view <= head->view);
        if (chain_status(from->chain, at) == CHAIN_FINAL || final || (header == NULL && late)) {
            return;
        }
        if (header == NULL || chain_status(from->chain, at) == CHAIN_INVALID) {
            sim_fail(w, "bodiless", "node %u finalizes view %llu without block %02x%02x (head %llu)", from->number,
                     (unsigned long long)view, at[0], at[1], (unsigned long long)head->height);
            return;
        }
        child = header;
        memcpy(at, header->parent, HASH_LEN);
    }
}

/* Rule 3: the parent is certified or final, and every view since then was given up. */
static void has_ancestry(struct sim_node *from, uint64_t epoch, uint64_t view, const uint8_t *block) {
    static const uint8_t none[HASH_LEN];
    struct sim_world *w = from->world;
    const struct block_header *h = chain_header(from->chain, block);
    const struct chain_head *head = chain_head(from->chain);
    if (h == NULL || epoch != chain_epoch(from->chain)->number || same(block, head->hash)) {
        return; /* said late: its block is final, or gone */
    }
    const uint8_t *parent = view > h->view ? block : h->parent; /* a closing block that is proposed again */
    uint64_t v = view - 1;
    for (; v > 0; v--) {
        const struct sim_view *at = find_view(w, epoch, v, true);
        if (is_backed(w, at, from->key, VOTE_NOTARIZE, parent) || is_backed(w, at, from->key, VOTE_FINALIZE, parent)) {
            return;
        }
        if (!is_backed(w, at, from->key, VOTE_NULLIFY, none)) {
            break;
        }
    }
    bool begins = v == 0 && (epoch == 0 ? h->height == 1 : h->height == chain_epoch(from->chain)->closing_height + 1);
    if (!begins && sim_validators_of(w, epoch) > 1) {
        sim_fail(w, "ancestry", "node %u notarizes view %llu, which passes over view %llu", from->number,
                 (unsigned long long)view, (unsigned long long)v);
    }
}

/* Whoever votes for transactions leaves room above what is final; empty blocks need none to speak of. */
static void crowds_nothing(struct sim_node *from, const uint8_t *block, unsigned long long view) {
    size_t most = from->world->options.limits > 0 ? 16 * SIM_SMALL_BLOCK : (size_t)32 << 20, bytes = 0;
    const struct candidate *c = chain_candidate(from->chain, block);
    bool brings = c != NULL && c->block.tx_count > 0 && c->block.header.view == view;
    for (; brings && c != NULL; c = chain_candidate(from->chain, c->block.header.parent)) {
        bytes += c->block.encoded.len;
    }
    if (bytes > most && !from->byzantine) {
        sim_fail(from->world, "room", "node %u notarizes view %llu, with %zu bytes above its head", from->number, view,
                 bytes);
    }
}

/* Is it a block that a leader may propose in this view, at this time? */
static void may_be_voted_for(struct sim_node *from, uint64_t epoch, uint64_t view, const uint8_t *block) {
    struct sim_world *w = from->world;
    const struct block_header *h = chain_header(from->chain, block);
    unsigned long long number = view;
    for (size_t i = 0; i < SIM_FALSE_BLOCKS && !from->wild_clock; i++) {
        if (w->false_blocks[i].name != NULL && same(w->false_blocks[i].hash, block)) {
            sim_fail(w, "rule", "node %u notarizes view %llu, whose block has %s", from->number, number,
                     w->false_blocks[i].name);
        }
    }
    if (h == NULL) {
        return;
    }
    if (h->view != view && (h->view > view || h->epoch != epoch || !block_header_closes(h))) {
        sim_fail(w, "again", "node %u notarizes view %llu with a block of view %llu that may not be proposed again",
                 from->number, number, (unsigned long long)h->view);
    }
    crowds_nothing(from, block, number);
    const struct block_header *parent = chain_header(from->chain, h->parent);
    bool hurries = parent == NULL || h->time_ms > parent->time_ms + 1;
    bool own = h->proposer == sim_index_of(w, epoch, from->key);
    uint64_t latest = (uint64_t)((int64_t)sim_now_ms(w) + from->wall_skew_ms) + CLOCK_AHEAD_MS;
    if (h->view == view && h->time_ms > latest && hurries && !own && !from->wild_clock) {
        sim_fail(w, "clock", "node %u notarizes view %llu, whose time is %llu ms ahead of its clock", from->number,
                 number, (unsigned long long)(h->time_ms - latest + CLOCK_AHEAD_MS));
    }
}

static void judge_first_cast(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind,
                             const uint8_t *block) {
    static const char *const names[] = {"", "proposes in", "notarizes", "nullifies", "finalizes"};
    struct sim_world *w = from->world;
    sim_trace(w, "node %u %s view %llu (%02x%02x)", from->number, names[kind], (unsigned long long)view, block[0],
              block[1]);
    if (kind != VOTE_FINALIZE && view > 1 && !is_left(w, epoch, view - 1, from->key)) {
        sim_fail(w, "entered", "node %u acts in view %llu, and nothing ended the view before", from->number,
                 (unsigned long long)view);
    }
    sim_expect_recalled(from, epoch, view);
    if (kind == VOTE_NOTARIZE) {
        may_be_voted_for(from, epoch, view, block);
        has_ancestry(from, epoch, view, block);
    }
    if (kind == VOTE_FINALIZE) {
        has_all_bodies(from, epoch, view, block);
    }
    if (w->on_cast != NULL) {
        w->on_cast(from, epoch, view, kind, block);
    }
    if (w->crash_after_kind == (uint64_t)kind) {
        w->crash_after_kind = 0;
        sim_crash_all_after(from);
    }
}

static void note_cast(struct sim_node *from, uint64_t epoch, uint64_t view, enum vote_kind kind, const uint8_t *block) {
    static const uint8_t none[HASH_LEN];
    struct sim_world *w = from->world;
    struct sim_view *v = find_view(w, epoch, view, true);
    const uint8_t *value = kind == VOTE_NULLIFY ? none : block;
    bool *cast = v->cast[from->key];
    uint8_t(*blocks)[HASH_LEN] = v->cast_block[from->key];
    if (sim_index_of(w, epoch, from->key) == CONSENSUS_OBSERVER) {
        sim_fail(w, "stranger", "node %u votes in epoch %llu and is no validator of it", from->number,
                 (unsigned long long)epoch);
        return;
    }
    if (cast[kind] && !same(blocks[kind], value)) {
        sim_fail(w, "double-vote", "double vote: validator %u, view %llu, kind %d", from->key, (unsigned long long)view,
                 kind);
    }
    bool first = !cast[kind];
    cast[kind] = true;
    memcpy(blocks[kind], value, HASH_LEN);
    if (cast[VOTE_NULLIFY] && cast[VOTE_FINALIZE]) {
        sim_fail(w, "double-vote", "double vote: validator %u nullified and finalized view %llu", from->key,
                 (unsigned long long)view);
    }
    if (cast[VOTE_NOTARIZE] && cast[VOTE_FINALIZE] && !same(blocks[VOTE_NOTARIZE], blocks[VOTE_FINALIZE])) {
        sim_fail(w, "double-vote", "double vote: validator %u notarized one block of view %llu and finalized another",
                 from->key, (unsigned long long)view);
    }
    if (first) {
        judge_first_cast(from, epoch, view, kind, value);
    }
}

static void note_exclusive(struct sim_world *w, struct sim_view *v, enum vote_kind kind, const uint8_t *block) {
    unsigned long long view = v->view;
    if (v->certified[kind] && !same(v->certified_block[kind], block)) {
        sim_fail(w, "certificates", "two certificates of kind %d in view %llu", kind, view);
    }
    v->certified[kind] = true;
    memcpy(v->certified_block[kind], block, HASH_LEN);
    if (v->certified[VOTE_FINALIZE] && v->certified[VOTE_NULLIFY]) {
        sim_fail(w, "certificates", "view %llu is both finalized and nullified", view);
    }
    if (v->certified[VOTE_FINALIZE] && v->certified[VOTE_NOTARIZE] &&
        !same(v->certified_block[VOTE_FINALIZE], v->certified_block[VOTE_NOTARIZE])) {
        sim_fail(w, "certificates", "view %llu notarized one block and finalized another", view);
    }
}

/* Certificates seldom go over the wire: what a node holds is judged, too, of the views where it stands. */
#define HELD_VIEWS 4u

static void judge_held(struct sim_node *node, uint64_t epoch, uint64_t view, enum vote_kind kind) {
    struct sim_world *w = node->world;
    struct bytes held = replica_certificate(node->replica, view, kind);
    struct certificate_parts parts;
    if (held.len == 0) {
        return;
    }
    struct sim_view *v = find_view(w, epoch, view, true);
    if (certificates_parse(held, sim_validators_of(w, epoch), &parts) != OK ||
        !is_backed(w, v, node->key, kind, parts.subject.block)) {
        sim_fail(w, "forged", "node %u holds a certificate of view %llu, kind %d, that no quorum made", node->number,
                 (unsigned long long)view, (int)kind);
        return;
    }
    note_exclusive(w, v, kind, parts.subject.block);
}

void sim_oracle_held(struct sim_node *node) {
    struct replica_stats stats;
    replica_stats(node->replica, &stats);
    const struct consensus_status *c = &stats.consensus;
    uint64_t first = c->view > c->final_view + HELD_VIEWS ? c->view - HELD_VIEWS : c->final_view;
    if (first > c->final_view && !node->lost_votes) {
        judge_held(node, c->epoch, c->final_view, VOTE_FINALIZE);
    }
    for (uint64_t view = first; view <= c->view && !node->lost_votes; view++) {
        for (enum vote_kind kind = VOTE_NOTARIZE; kind <= VOTE_FINALIZE; kind++) {
            judge_held(node, c->epoch, view, kind);
        }
    }
}

static void note_certificate(struct sim_node *from, struct bytes encoded) {
    struct sim_world *w = from->world;
    struct certificate_parts parts;
    uint64_t epoch = encoded.len >= CERTIFICATE_HEAD_LEN ? load_u64(encoded.data + 2) : 0;
    if (certificates_parse(encoded, sim_validators_of(w, epoch), &parts) != OK) {
        sim_fail(w, "malformed", "node %u sent a malformed certificate", from->number);
        return;
    }
    enum vote_kind kind = parts.subject.kind;
    struct sim_view *v = find_view(w, epoch, parts.subject.view, true);
    uint16_t me = sim_index_of(w, epoch, from->key);
    /* Its own vote may leave with the certificate. */
    if (me != CONSENSUS_OBSERVER && certificates_has(&parts, me)) {
        note_cast(from, epoch, v->view, kind, parts.subject.block);
    }
    if (!is_backed(w, v, from->key, kind, parts.subject.block)) {
        sim_fail(w, "forged", "node %u passes on a certificate of view %llu, kind %d, that no quorum made",
                 from->number, (unsigned long long)v->view, kind);
    }
    note_exclusive(w, v, kind, parts.subject.block);
}

/* Nobody gets past the end of an epoch before that end is final: what lies behind is for the next set to prove. */
static void asks_within_its_epoch(struct sim_node *from, uint64_t first) {
    struct sim_world *w = from->world;
    uint64_t next = chain_epoch(from->chain)->number + 1, height = chain_head(from->chain)->header.height;
    uint64_t closing = next < w->epoch_count ? w->epochs[next].closing : 0;
    if (closing > height && closing - height < PEER_BODIES_MAX && first == closing + 1) {
        sim_fail(w, "catch-up", "node %u, at height %llu, takes block %llu for proven by another epoch than its own",
                 from->number, (unsigned long long)height, (unsigned long long)closing);
    }
}

struct peer_votes sim_votes_in(const struct peer_message *m) {
    return m->kind == PEER_VOTES ? m->u.votes : (struct peer_votes){NULL, 0};
}

struct peer_spans sim_certificates_in(const struct peer_message *m) {
    if (m->kind == PEER_CERTIFICATES) {
        return m->u.certificates;
    }
    return m->kind == PEER_PROPOSAL ? m->u.proposal.certificates : (struct peer_spans){NULL, 0};
}

static void look_inside(struct sim_node *from, const struct peer_message *m) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    if (m->kind == PEER_PROPOSAL && block_peek(m->u.proposal.body, &header, hash) == OK) {
        note_cast(from, header.epoch, m->u.proposal.view, VOTE_PROPOSE, hash);
    }
    const struct peer_votes votes = sim_votes_in(m);
    for (size_t i = 0; i < votes.count; i++) {
        const struct consensus_vote *vote = &votes.items[i];
        note_cast(from, vote->subject.epoch, vote->subject.view, vote->subject.kind, vote->subject.block);
    }
    const struct peer_spans certificates = sim_certificates_in(m);
    for (size_t i = 0; i < certificates.count; i++) {
        note_certificate(from, certificates.items[i]);
    }
    if (m->kind == PEER_BLOCKS) {
        note_certificate(from, m->u.blocks.finalization);
    }
    if (m->kind == PEER_BLOCKS_ASK) {
        asks_within_its_epoch(from, m->u.blocks_ask.first_height);
    }
}

void sim_oracle_sent(struct sim_node *from, struct bytes bytes) {
    struct peer_message m;
    if (from->faulty || from->lost_votes) {
        return;
    }
    if (peer_decode(bytes, &m) != OK) {
        sim_fail(from->world, "malformed", "node %u sent what does not decode", from->number);
        return;
    }
    sim_oracle_epoch(from);
    look_inside(from, &m);
    peer_free(&m);
}

void sim_oracles_forget_views(struct sim_world *w) {
    for (size_t i = 0; i < SIM_VIEW_BUCKETS; i++) {
        while (w->views[i] != NULL) {
            struct sim_view *next = w->views[i]->next;
            free(w->views[i]);
            w->views[i] = next;
        }
    }
}
