/* Lies of Byzantine nodes that are well formed: answers to whoever catches up or asks for its votes, claims about the
 * chain's height, and bodies that only take room. */
#include "tests/sim/sim.h"

#include "consensus/certificates.h"
#include "node/ledger/chain_internal.h"

#include <string.h>

#define RANGE_MAX 48
#define FLOOD_AHEAD 600u
#define LARGE_FILLS 32u
#define HALVINGS_MAX 12u

static void send(struct sim_node *node, struct sim_node *to, const struct peer_message *m) {
    struct buffer message = BUFFER_INIT;
    if (peer_encode(m, &message) == OK) {
        sim_inject(node, to, buffer_bytes(&message), 0);
    }
    buffer_free(&message);
}

static void send_all(struct sim_node *node, const struct peer_message *m) {
    struct sim_world *w = node->world;
    for (uint16_t i = 0; i < w->node_count; i++) {
        if (i != node->number) {
            send(node, &w->nodes[i], m);
        }
    }
}

/* ---- What a liar knows ------------------------------------------------------------------------------------------- */

void sim_lies_overhear(struct sim_node *node, const struct peer_message *m) {
    struct sim_malice *malice = node->malice;
    const struct peer_spans certificates = sim_certificates_in(m);
    for (size_t i = 0; i < certificates.count; i++) {
        const struct bytes *certificate = &certificates.items[i];
        if (certificate->len > CERTIFICATE_HEAD_LEN && certificate->data[1] == VOTE_NOTARIZE) {
            struct buffer *place = &malice->notarizations[malice->notarized++ % SIM_HOARD];
            buffer_reset(place);
            buffer_put(place, certificate->data, certificate->len);
        }
    }
}

/* Blocks from a height on: final ones, and above them the candidates that lead to a certain one. */
struct false_range {
    struct sim_node *node;
    uint64_t first;
    struct buffer bodies[RANGE_MAX];
    size_t count;
    struct buffer certificate;
};

static void free_range(struct false_range *a) {
    for (size_t i = 0; i < RANGE_MAX; i++) {
        buffer_free(&a->bodies[i]);
    }
    buffer_free(&a->certificate);
}

static bool add_final(struct false_range *a, uint64_t last) {
    if (last < a->first || last - a->first >= RANGE_MAX) {
        return false;
    }
    for (uint64_t h = a->first; h <= last; h++) {
        buffer_reset(&a->certificate);
        if (chain_read(a->node->chain, h, &a->bodies[a->count], &a->certificate) != OK) {
            return false;
        }
        a->count++;
    }
    return true;
}

static bool add_candidates(struct false_range *a, const uint8_t tip[HASH_LEN]) {
    const struct chain *chain = a->node->chain;
    const uint8_t *path[LIMIT_UNFINAL_DEPTH];
    size_t n = 0;
    for (const struct candidate *c = chain_candidate(chain, tip); c != NULL;
         c = chain_candidate(chain, c->block.header.parent)) {
        if (n == LIMIT_UNFINAL_DEPTH) {
            return false;
        }
        path[n++] = c->hash;
    }
    uint64_t height = chain->head.header.height;
    bool joins = n > 0 && chain_is_head(chain, chain_header(chain, path[n - 1])->parent) && a->first <= height + 1;
    if (!joins || (a->first <= height && !add_final(a, height)) || a->count + n > RANGE_MAX) {
        return false;
    }
    while (n-- > 0) {
        struct bytes body = chain_body(chain, path[n]);
        buffer_put(&a->bodies[a->count++], body.data, body.len);
    }
    return true;
}

/* ---- False ranges ------------------------------------------------------------------------------------------------ */

static void set_certificate(struct false_range *a, struct bytes certificate) {
    buffer_reset(&a->certificate);
    buffer_put(&a->certificate, certificate.data, certificate.len);
}

/* A notarization, which anybody may have, in the place of the finalization. */
static bool as_final(struct false_range *a) {
    struct sim_malice *malice = a->node->malice;
    for (uint64_t i = 0; i < SIM_HOARD && i < malice->notarized; i++) {
        const struct buffer *held = &malice->notarizations[(malice->notarized - 1 - i) % SIM_HOARD];
        struct certificate_parts parts;
        if (certificates_parse(buffer_bytes(held), chain_epoch(a->node->chain)->count, &parts) == OK &&
            parts.subject.epoch == chain_epoch(a->node->chain)->number && add_candidates(a, parts.subject.block)) {
            set_certificate(a, buffer_bytes(held));
            return true;
        }
    }
    return false;
}

/* The good signatures of a finalization, as many as are asked for. */
static bool thin_out(struct false_range *a, uint16_t signers) {
    uint8_t bytes[CERTIFICATE_MAX];
    size_t len;
    struct certificate_parts parts;
    uint16_t n = chain_epoch(a->node->chain)->count, taken = 0;
    if (certificates_parse(buffer_bytes(&a->certificate), n, &parts) != OK) {
        return false;
    }
    const uint8_t *signature = parts.signatures;
    certificates_begin(&parts.subject, n, bytes, &len);
    for (uint16_t i = 0; i < n; i++) {
        bool has = certificates_has(&parts, i);
        if (has && taken < signers) {
            certificates_add(bytes, &len, i, signature);
            taken++;
        }
        signature += has ? SIG_LEN : 0;
    }
    set_certificate(a, bytes_of(bytes, len));
    return taken == signers;
}

static bool too_few(struct false_range *a) {
    uint16_t quorum = validators_quorum(chain_epoch(a->node->chain)->count);
    return quorum > 1 && add_final(a, chain_head(a->node->chain)->header.height) && thin_out(a, (uint16_t)(quorum - 1));
}

/* A block of its own, which it makes final by its own signature and by as many others as are asked for, made up. */
static bool own_final(struct false_range *a, uint16_t made_up) {
    struct sim_node *node = a->node;
    const struct chain_head *head = chain_head(node->chain);
    const struct chain_epoch *epoch = chain_epoch(node->chain);
    uint16_t n = epoch->count, me = sim_index_of(node->world, epoch->number, node->key);
    if (me == CONSENSUS_OBSERVER || n == 1) {
        return false;
    }
    uint64_t view = head->header.epoch == epoch->number ? head->header.view + 1 : 1;
    view += (me + n - view % n) % n;
    struct vote_subject subject = {.epoch = epoch->number, .view = view, .kind = VOTE_FINALIZE};
    if (chain_build(node->chain, head->hash, view, me, head->header.time_ms + 1, subject.block) != OK ||
        !add_candidates(a, subject.block)) {
        return false;
    }
    uint8_t bytes[CERTIFICATE_MAX], signature[SIG_LEN];
    size_t len;
    certificates_begin(&subject, n, bytes, &len);
    sim_sign_subject(node, &subject, signature);
    for (uint16_t i = 0; i < n; i++) {
        if (i == me || made_up > 0) {
            made_up = (uint16_t)(i == me ? made_up : made_up - 1);
            certificates_add(bytes, &len, i, signature);
        }
    }
    set_certificate(a, bytes_of(bytes, len));
    return true;
}

static bool alone(struct false_range *a) {
    return own_final(a, 0);
}

static bool made_up(struct false_range *a) {
    return own_final(a, (uint16_t)(validators_quorum(chain_epoch(a->node->chain)->count) - 1));
}

/* The finalization of the block below. */
static bool anothers(struct false_range *a) {
    struct buffer other = BUFFER_INIT;
    uint64_t height = chain_head(a->node->chain)->header.height;
    bool made = height > 1 && add_final(a, height) && chain_read(a->node->chain, height - 1, NULL, &other) == OK &&
                other.len > 0;
    if (made) {
        set_certificate(a, buffer_bytes(&other));
    }
    buffer_free(&other);
    return made;
}

static bool with_hole(struct false_range *a) {
    if (!add_final(a, chain_head(a->node->chain)->header.height) || a->count < 3) {
        return false;
    }
    size_t hole = 1 + (size_t)sim_below(&a->node->tricks, a->count - 2);
    buffer_free(&a->bodies[hole]);
    memmove(&a->bodies[hole], &a->bodies[hole + 1], (a->count - hole - 1) * sizeof a->bodies[0]);
    a->bodies[--a->count] = (struct buffer){0};
    return true;
}

/* Good blocks of other heights than those asked for. */
static bool unasked(struct false_range *a) {
    uint64_t height = chain_head(a->node->chain)->header.height;
    if (a->first < height) {
        a->first++;
    } else {
        a->first = a->first > 1 ? a->first - 1 : 0;
    }
    return a->first != 0 && add_final(a, height);
}

/* Past the end of the asker's epoch: whole blocks up to the one that closes it, then headers, and a finalization of the
 * next epoch's set. */
static bool next_epoch(struct false_range *a) {
    const struct sim_world *w = a->node->world;
    uint64_t closing = 0, head = chain_head(a->node->chain)->header.height;
    for (uint64_t e = w->epoch_count; e-- > 1;) {
        closing = w->epochs[e].closing >= a->first ? w->epochs[e].closing : closing;
    }
    uint64_t last = closing + 1 + sim_below(&a->node->tricks, 3);
    if (closing == 0 || last > head || !add_final(a, last)) {
        return false;
    }
    for (size_t i = 0; i < a->count; i++) {
        a->bodies[i].len = a->first + i > closing ? BLOCK_HEADER_LEN : a->bodies[i].len;
    }
    return a->certificate.len > 0;
}

struct lie {
    const char *name;
    bool (*make)(struct false_range *range);
    enum sim_counter counter;
};

static const struct lie lies[] = {
    {"a finalization of another epoch", next_epoch, COUNT_LIE_EPOCH},
    {"a range with a hole", with_hole, COUNT_LIE_HOLE},
    {"a notarization as a finalization", as_final, COUNT_LIE_NOTARIZED},
    {"too few signers", too_few, COUNT_LIE_TOO_FEW},
    {"a quorum of one", alone, COUNT_LIE_ALONE},
    {"signatures made up", made_up, COUNT_LIE_MADE_UP},
    {"another block's finalization", anothers, COUNT_LIE_ANOTHERS},
    {"blocks that nobody asked for", unasked, COUNT_LIE_UNASKED},
};

#define LIES (sizeof lies / sizeof lies[0])
#define RARE 2 /* the first ones */

static bool lie_to(struct sim_node *node, uint16_t asker, uint64_t first, const struct lie *lie) {
    struct sim_world *w = node->world;
    struct false_range a = {.node = node, .first = first};
    struct bytes spans[RANGE_MAX];
    bool made = lie->make(&a) && a.count > 0;
    if (made) {
        for (size_t i = 0; i < a.count; i++) {
            spans[i] = buffer_bytes(&a.bodies[i]);
        }
        const struct peer_message m = {.kind = PEER_BLOCKS,
                                       .epoch = chain_epoch(node->chain)->number,
                                       .u.blocks = {.bodies = {spans, a.count},
                                                    .finalization = buffer_bytes(&a.certificate),
                                                    .height = a.first + a.count - 1}};
        for (uint16_t i = 0; i < w->node_count; i++) {
            if (w->nodes[i].key == asker) {
                send(node, &w->nodes[i], &m);
            }
        }
        sim_count(w, lie->counter);
        sim_trace(w, "node %u lies to validator %u from height %llu: %s", node->number, asker,
                  (unsigned long long)first, lie->name);
    }
    free_range(&a);
    return made;
}

/* Some lies need what is not there at the moment: then another. */
void sim_lies_asked(struct sim_node *node, uint16_t asker, uint64_t first) {
    uint64_t only = node->world->options.lie_kind;
    bool told = false;
    for (size_t tries = 0; first > 0 && !told && tries < LIES; tries++) {
        size_t among = tries == 0 && sim_chance(&node->tricks, 300) ? RARE : LIES;
        const struct lie *lie = &lies[only != 0 ? tries : sim_below(&node->tricks, among)];
        told = (only == 0 || lie->counter == only) && lie_to(node, asker, first, lie);
    }
}

/* ---- False recalls ----------------------------------------------------------------------------------------------- */

void sim_lies_recall(struct sim_node *node, const struct sim_node *to, struct peer_message *m,
                     struct consensus_vote votes[4]) {
    struct sim_random *random = &node->tricks;
    uint16_t asker = sim_index_of(node->world, m->epoch, to->key);
    struct peer_recall *recall = &m->u.recall;
    switch (sim_below(random, 4)) {
    case 0:
        recall->votes.count = 0; /* holds nothing, it says */
        break;
    case 1:
        recall->nonce ^= 1; /* answers another question */
        break;
    default: /* votes to come, as if the asker had cast them */
        recall->votes = (struct peer_votes){votes, 4};
        for (int kind = VOTE_PROPOSE; kind <= VOTE_FINALIZE; kind++) {
            struct consensus_vote *v = &votes[kind - VOTE_PROPOSE];
            *v = (struct consensus_vote){.signer = asker};
            v->subject = (struct vote_subject){.epoch = m->epoch, .kind = (enum vote_kind)kind};
            v->subject.view = 1 + sim_below(random, 400);
            v->subject.block[0] = kind == VOTE_NULLIFY ? 0 : 7;
            sim_sign_subject(node, &v->subject, v->signature);
        }
        break;
    }
    sim_count(node->world, COUNT_LIE_RECALL);
}

/* ---- Pestering --------------------------------------------------------------------------------------------------- */

static void flood(struct sim_node *node) {
    struct sim_random *random = &node->tricks;
    const uint64_t claims[] = {UINT64_MAX, (uint64_t)1 << 63, sim_next(random),
                               chain_head(node->chain)->header.height + sim_below(random, FLOOD_AHEAD)};
    const struct peer_message m = {.kind = PEER_STATUS,
                                   .epoch = chain_epoch(node->chain)->number,
                                   .u.status.height = claims[sim_below(random, sizeof claims / sizeof claims[0])]};
    send_all(node, &m);
    sim_count(node->world, node->key < node->world->options.validators ? COUNT_FLOOD : COUNT_FLOOD_OBSERVER);
}

/* What nodes hold for this proposer: no more than one has room for. The block that is being voted on is held beside. */
static void judge_room(const struct sim_node *node, uint16_t me) {
    struct sim_world *w = node->world;
    for (uint16_t i = 0; i < w->node_count; i++) {
        const struct chain *chain = w->nodes[i].up && !w->nodes[i].faulty ? w->nodes[i].chain : NULL;
        size_t held = 0;
        for (size_t k = 0; chain != NULL && k < chain->limits.candidates; k++) {
            const struct candidate *c = &chain->candidates[k];
            held += c->status == CHAIN_HELD && c->block.header.proposer == me ? c->block.encoded.len : 0;
        }
        if (chain != NULL && held + w->options.fill_bytes > chain->limits.proposer_bytes) {
            sim_count(w, COUNT_FULL_BUDGET);
        }
        if (chain != NULL &&
            held > chain->limits.proposer_bytes + LIMIT_BLOCK_BYTES / (w->options.limits > 0 ? 64 : 1)) {
            sim_fail(w, "room", "node %u holds %zu bytes of proposals of validator %u", i, held, me);
        }
    }
}

/* Of the node that has got least far: it is to have no room left. */
static uint64_t lowest_height(const struct sim_world *w) {
    uint64_t lowest = UINT64_MAX;
    for (uint16_t i = 0; i < w->node_count; i++) {
        uint64_t height = w->nodes[i].up ? chain_head(w->nodes[i].chain)->header.height : UINT64_MAX;
        lowest = height < lowest ? height : lowest;
    }
    return lowest;
}

/* Large ones first, then ever smaller ones for what room the large ones leave. */
static uint64_t next_size(struct sim_node *node) {
    uint64_t halvings = node->malice->fills < LARGE_FILLS ? 0 : node->malice->fills - LARGE_FILLS;
    node->malice->fills++;
    return node->world->options.fill_bytes >> (halvings < HALVINGS_MAX ? halvings : HALVINGS_MAX);
}

/* A proposal on an unknown parent in the next view that it leads and has none in. */
static void fill(struct sim_node *node) {
    struct replica_stats stats;
    struct sim_malice *malice = node->malice;
    replica_stats(node->replica, &stats);
    uint64_t n = chain_epoch(node->chain)->count, epoch = stats.consensus.epoch, view = stats.consensus.view;
    uint16_t me = sim_index_of(node->world, epoch, node->key);
    /* Before its recall is over it would be shown these very proposals, and refuse to vote for good. */
    if (me == CONSENSUS_OBSERVER || n == 1 || chain_epoch(node->chain)->number != epoch || !stats.consensus.voting) {
        return;
    }
    if (malice->filled_epoch == epoch && malice->filled_view >= view) {
        view = malice->filled_view + 1;
    }
    view += (me + n - view % n) % n;
    struct peer_message m = {.kind = PEER_PROPOSAL, .epoch = epoch, .u.proposal.view = view};
    struct buffer body = BUFFER_INIT;
    uint64_t height = lowest_height(node->world) + 1 + sim_below(&node->tricks, 8);
    if (view <= stats.consensus.view + CONSENSUS_AHEAD &&
        sim_forge_orphan(node, view, height, next_size(node), &body)) {
        struct block_header header;
        struct vote_subject subject = {.epoch = epoch, .view = view, .kind = VOTE_PROPOSE};
        m.u.proposal.body = buffer_bytes(&body);
        if (block_peek(m.u.proposal.body, &header, subject.block) == OK) {
            sim_sign_subject(node, &subject, m.u.proposal.signature);
            send_all(node, &m);
            sim_count(node->world, COUNT_FILLING);
            judge_room(node, me);
        }
        malice->filled_epoch = epoch;
        malice->filled_view = view;
    }
    buffer_free(&body);
}

void sim_lies_pester(struct sim_node *node, bool fills) {
    const struct sim_options *o = &node->world->options;
    uint64_t every_ms = fills ? o->fill : o->flood;
    if (every_ms == 0) {
        return;
    }
    if (node->up && !node->paused) {
        if (fills) {
            fill(node);
        } else {
            flood(node);
        }
    }
    sim_schedule(node->world, (struct sim_event){.at_us = node->world->now_us + every_ms * 1000,
                                                 .kind = SIM_PESTER,
                                                 .node = node->number,
                                                 .argument = fills});
}
