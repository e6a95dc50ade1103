/* What Byzantine validators do. Each runs the product's replica and changes what it says on the way out, says things of
 * its own besides, and keeps what it hears for later. */
#include "tests/sim/sim.h"

#include "consensus/certificates.h"
#include "node/host/host_crypto.h"

#include <stdlib.h>
#include <string.h>

#define FAR_VIEWS 400u
#define DRIP_US 1500000u

void sim_sign_subject(const struct sim_node *node, const struct vote_subject *subject, uint8_t out[SIG_LEN]) {
    uint8_t message[VOTE_SIGNED_LEN];
    vote_signed_bytes(chain_id(node->chain), subject, message);
    ed25519_sign(node->world->secrets[node->key], message, sizeof message, out);
}

/* Appends the message, or nothing at all when it can't be encoded. */
static void encode(const struct peer_message *m, struct buffer *out) {
    buffer_reset(out);
    if (peer_encode(m, out) != OK) {
        buffer_reset(out);
    }
}

static uint16_t own_index(const struct sim_node *node, uint64_t epoch) {
    return sim_index_of(node->world, epoch, node->key);
}

/* ---- False proposals --------------------------------------------------------------------------------------------- */

static void encode_proposal(struct sim_node *node, const struct peer_message *like, uint64_t view, struct bytes body,
                            struct buffer *out) {
    struct block_header header;
    struct vote_subject subject = {.kind = VOTE_PROPOSE};
    if (block_peek(body, &header, subject.block) != OK) {
        return;
    }
    subject.epoch = header.epoch;
    subject.view = view;
    struct peer_message other = *like;
    other.u.proposal.view = view;
    other.u.proposal.body = body;
    sim_sign_subject(node, &subject, other.u.proposal.signature);
    memcpy(node->malice->forged_block, subject.block, HASH_LEN);
    encode(&other, out);
}

static bool build(struct sim_node *node, const uint8_t *parent, const struct block_header *like, uint64_t view,
                  uint64_t time_ms, uint8_t out_hash[HASH_LEN]) {
    uint16_t me = own_index(node, like->epoch);
    return me != CONSENSUS_OBSERVER && chain_build(node->chain, parent, view, me, time_ms, out_hash) == OK;
}

/* The same block with a state root that it does not execute to. */
static void false_root(struct sim_node *node, const struct peer_message *m, struct block_header header,
                       struct buffer *out) {
    struct sim_world *w = node->world;
    uint8_t head[BLOCK_HEADER_LEN];
    header.state_root[0] ^= 1;
    block_header_encode(&header, head);
    struct buffer body = BUFFER_INIT;
    buffer_put(&body, head, sizeof head);
    const struct peer_proposal *true_one = &m->u.proposal;
    buffer_put(&body, true_one->body.data + sizeof head, true_one->body.len - sizeof head);
    encode_proposal(node, m, true_one->view, buffer_bytes(&body), out);
    struct sim_false_block *place = &w->false_blocks[w->false_count++ % SIM_FALSE_BLOCKS];
    place->name = "another state root";
    memcpy(place->hash, node->malice->forged_block, HASH_LEN);
    buffer_free(&body);
}

/* A block that breaks one rule (sim_forge.c), most often for everybody, so that a quorum could take it. */
static bool break_rule(struct sim_node *node, const struct peer_message *m, const struct block_header *header) {
    struct sim_world *w = node->world;
    struct sim_forged forged = {.body = BUFFER_INIT};
    bool made = sim_forge(node, header, &forged);
    if (made) {
        node->malice->to_all = sim_chance(&node->tricks, 800);
        encode_proposal(node, m, m->u.proposal.view, buffer_bytes(&forged.body), &node->malice->forged);
        if (forged.sure) {
            struct sim_false_block *place = &w->false_blocks[w->false_count++ % SIM_FALSE_BLOCKS];
            place->name = forged.name;
            memcpy(place->hash, node->malice->forged_block, HASH_LEN);
        }
    }
    buffer_free(&forged.body);
    return made;
}

/* One forgery a view: those who get it get the same, so that it has a chance of a quorum. */
static void forge_proposal(struct sim_node *node, const struct peer_message *m) {
    const struct sim_options *o = &node->world->options;
    struct sim_malice *malice = node->malice;
    struct sim_random *random = &node->tricks;
    uint64_t view = m->u.proposal.view;
    struct block_header header;
    uint8_t proposed[HASH_LEN], hash[HASH_LEN];
    if (block_peek(m->u.proposal.body, &header, proposed) != OK ||
        (malice->forged_view == view && malice->forged_epoch == header.epoch)) {
        return;
    }
    malice->forged_view = view;
    malice->forged_epoch = header.epoch;
    buffer_reset(&malice->forged);
    malice->to_all = sim_chance(random, 500);
    if (sim_chance(random, o->forge_block) && break_rule(node, m, &header)) {
        /* Said. */
    } else if (sim_chance(random, o->false_root)) {
        false_root(node, m, header, &malice->forged);
    } else if (sim_chance(random, o->fork)) {
        /* Valid in itself, but it passes over what was notarized above the last final block. */
        if (build(node, chain_head(node->chain)->hash, &header, view, header.time_ms, hash)) {
            encode_proposal(node, m, view, chain_body(node->chain, hash), &malice->forged);
        }
    } else if (sim_chance(random, o->equivocate)) {
        if (build(node, header.parent, &header, view, header.time_ms + 1, hash)) {
            encode_proposal(node, m, view, chain_body(node->chain, hash), &malice->forged);
        }
    }
    if (malice->forged.len > 0) {
        struct sim_pair *pair = &node->world->pair;
        pair->epoch = header.epoch;
        pair->view = view;
        pair->to_all = malice->to_all;
        memcpy(pair->block[0], proposed, HASH_LEN);
        memcpy(pair->block[1], malice->forged_block, HASH_LEN);
    }
}

/* ---- Votes and certificates -------------------------------------------------------------------------------------- */

/* Turns a vote into one that must not exist beside it, or that nobody can use. */
static void lie(struct sim_node *node, struct consensus_vote *vote) {
    struct sim_random *random = &node->tricks;
    switch (sim_below(random, 4)) {
    case 0:
        vote->subject.kind = VOTE_NULLIFY;
        memset(vote->subject.block, 0, HASH_LEN);
        break;
    case 1:
        if (vote->subject.kind != VOTE_NULLIFY) {
            vote->subject.kind = VOTE_FINALIZE;
        }
        break;
    case 2:
        vote->subject.view += sim_below(random, 40);
        break;
    default:
        vote->subject.block[0] ^= vote->subject.kind != VOTE_NULLIFY;
        break;
    }
    sim_sign_subject(node, &vote->subject, vote->signature);
}

static bool is_favoured(const struct sim_node *to) {
    return to->key % 2 == 0;
}

/* All Byzantine validators vote for both blocks of a view: those who got the forgery see votes for it, the others votes
 * for the true block. */
static void collude(struct sim_node *node, const struct sim_node *to, struct consensus_vote *vote) {
    const struct sim_pair *pair = &node->world->pair;
    if (vote->subject.kind != VOTE_NULLIFY && vote->subject.view == pair->view && vote->subject.epoch == pair->epoch) {
        memcpy(vote->subject.block, pair->block[pair->to_all || !is_favoured(to) ? 1 : 0], HASH_LEN);
        sim_sign_subject(node, &vote->subject, vote->signature);
    }
}

static void change_votes(struct sim_node *node, const struct sim_node *to, const struct peer_message *m,
                         struct buffer *changed) {
    const struct sim_options *o = &node->world->options;
    struct consensus_vote votes[PEER_VOTES_MAX];
    bool colludes = sim_chance(&node->tricks, o->collude), lies = !colludes && sim_chance(&node->tricks, o->lie);
    const struct peer_votes *said = &m->u.votes;
    if ((!lies && !colludes) || said->count == 0) {
        return;
    }
    memcpy(votes, said->items, said->count * sizeof votes[0]);
    for (size_t i = 0; i < said->count; i++) {
        if (lies) {
            lie(node, &votes[i]);
        } else {
            collude(node, to, &votes[i]);
        }
    }
    struct peer_message other = *m;
    other.u.votes.items = votes;
    encode(&other, changed);
}

/* A certificate in which only its maker's signature is good. */
static void encode_false_certificate(struct sim_node *node, uint64_t epoch, uint64_t view, enum vote_kind kind,
                                     struct buffer *out) {
    struct sim_random *random = &node->tricks;
    uint16_t n = sim_validators_of(node->world, epoch), me = own_index(node, epoch);
    struct vote_subject subject = {.epoch = epoch, .view = view, .kind = kind};
    if (kind != VOTE_NULLIFY) {
        memcpy(subject.block, node->malice->forged_block, HASH_LEN);
    }
    uint8_t bytes[CERTIFICATE_MAX], signature[SIG_LEN];
    size_t len;
    certificates_begin(&subject, n, bytes, &len);
    uint16_t left_out = (uint16_t)sim_below(random, n);
    for (uint16_t i = 0; i < n; i++) {
        sim_sign_subject(node, &subject, signature);
        signature[0] ^= i != me;
        if (i != left_out || n == 1) {
            certificates_add(bytes, &len, i, signature);
        }
    }
    struct bytes span = bytes_of(bytes, len);
    struct peer_message m = {.kind = PEER_CERTIFICATES, .epoch = epoch, .u.certificates = {&span, 1}};
    encode(&m, out);
}

/* One bad signature among good ones. */
static void spoil_certificate(struct sim_node *node, const struct peer_message *m, struct buffer *changed) {
    struct buffer copy = BUFFER_INIT;
    struct bytes spans[PEER_CERTIFICATES_MAX];
    const struct peer_spans *said = &m->u.certificates;
    if (said->count == 0 || said->items[0].len < SIG_LEN) {
        return;
    }
    memcpy(spans, said->items, said->count * sizeof spans[0]);
    buffer_put(&copy, spans[0].data, spans[0].len);
    copy.data[copy.len - 1 - sim_below(&node->tricks, SIG_LEN)] ^= 0x40;
    spans[0] = buffer_bytes(&copy);
    struct peer_message other = *m;
    other.u.certificates.items = spans;
    encode(&other, changed);
    buffer_free(&copy);
}

/* ---- Sync -------------------------------------------------------------------------------------------------------- */

/* Another body under the same header: the certificate over it is good, what it is about is not. */
static void spoil_body(struct sim_node *node, struct bytes body, struct buffer *out) {
    buffer_put(out, body.data, body.len);
    size_t at = BLOCK_HEADER_LEN + (size_t)sim_below(&node->tricks, body.len - BLOCK_HEADER_LEN + 1);
    if (sim_chance(&node->tricks, 300)) {
        out->data[sim_below(&node->tricks, BLOCK_HEADER_LEN)] ^= 1;
    } else if (at < out->len) {
        out->data[at] ^= 1;
    }
}

static void mislead(struct sim_node *node, const struct peer_message *m, struct buffer *changed) {
    struct buffer body = BUFFER_INIT;
    struct bytes spans[PEER_BODIES_MAX];
    struct peer_message other = *m;
    if (m->kind == PEER_STATUS) {
        other.u.status.height = sim_chance(&node->tricks, 500) ? sim_next(&node->tricks) : m->u.status.height + 5;
        encode(&other, changed);
    } else if (m->kind == PEER_BODY && m->u.body.body.len > BLOCK_HEADER_LEN) {
        spoil_body(node, m->u.body.body, &body);
        other.u.body.body = buffer_bytes(&body);
        encode(&other, changed);
    } else if (m->kind == PEER_BLOCKS && m->u.blocks.bodies.count > 0) {
        const struct peer_spans *bodies = &m->u.blocks.bodies;
        size_t which = (size_t)sim_below(&node->tricks, bodies->count);
        memcpy(spans, bodies->items, bodies->count * sizeof spans[0]);
        if (spans[which].len > BLOCK_HEADER_LEN) {
            spoil_body(node, spans[which], &body);
            spans[which] = buffer_bytes(&body);
        }
        other.u.blocks.bodies.items = spans;
        other.u.blocks.bodies.count = sim_chance(&node->tricks, 200) ? which : bodies->count;
        encode(&other, changed);
    }
    buffer_free(&body);
}

/* ---- Other epochs and old messages ------------------------------------------------------------------------------- */

static void change_epoch(struct sim_node *node, const struct peer_message *m, struct buffer *changed) {
    struct consensus_vote votes[PEER_VOTES_MAX];
    struct peer_message other = *m;
    uint64_t epoch = m->epoch > 0 && sim_chance(&node->tricks, 500) ? m->epoch - 1 : m->epoch + 1;
    bool says_so = sim_chance(&node->tricks, 500);
    if (m->kind == PEER_VOTES) {
        memcpy(votes, m->u.votes.items, m->u.votes.count * sizeof votes[0]);
        for (size_t i = 0; i < m->u.votes.count; i++) {
            votes[i].subject.epoch = epoch;
            sim_sign_subject(node, &votes[i].subject, votes[i].signature);
        }
        other.u.votes.items = votes;
    }
    other.epoch = says_so || m->kind != PEER_VOTES ? epoch : m->epoch;
    encode(&other, changed);
}

static struct sim_node *anybody(struct sim_node *node) {
    struct sim_world *w = node->world;
    return &w->nodes[sim_below(&node->tricks, w->node_count)];
}

static void hoard(struct sim_node *node, struct bytes bytes) {
    struct buffer *place = &node->malice->hoard[node->malice->hoarded++ % SIM_HOARD];
    buffer_reset(place);
    buffer_put(place, bytes.data, bytes.len);
}

/* Under the number of the present epoch as often as under its own. */
static void say_old(struct sim_node *node) {
    const struct buffer *old = &node->malice->hoard[sim_below(&node->tricks, SIM_HOARD)];
    struct sim_node *to = anybody(node);
    struct buffer said = BUFFER_INIT;
    struct peer_message m;
    if (to == node || peer_decode(buffer_bytes(old), &m) != OK) {
        return;
    }
    if (sim_chance(&node->tricks, 500)) {
        m.epoch = chain_epoch(node->chain)->number;
    }
    encode(&m, &said);
    sim_inject(node, to, buffer_bytes(&said), 0);
    peer_free(&m);
    buffer_free(&said);
}

/* ---- Things said without being asked ----------------------------------------------------------------------------- */

static void to_everybody(struct sim_node *node, const struct buffer *message) {
    struct sim_world *w = node->world;
    for (uint16_t i = 0; i < w->node_count && message->len > 0; i++) {
        if (i != node->number) {
            sim_inject(node, &w->nodes[i], buffer_bytes(message), 0);
        }
    }
}

static void say_false_certificate(struct sim_node *node, bool far) {
    struct replica_stats stats;
    struct buffer message = BUFFER_INIT;
    replica_stats(node->replica, &stats);
    uint64_t view = stats.consensus.view + (far ? sim_between(&node->tricks, 10, FAR_VIEWS) : 0);
    enum vote_kind kind = (enum vote_kind)sim_between(&node->tricks, VOTE_NOTARIZE, VOTE_FINALIZE);
    if (own_index(node, stats.consensus.epoch) == CONSENSUS_OBSERVER) {
        return;
    }
    if (far && sim_chance(&node->tricks, 500)) {
        struct consensus_vote vote = {.subject = {.epoch = stats.consensus.epoch, .view = view, .kind = kind},
                                      .signer = own_index(node, stats.consensus.epoch)};
        sim_sign_subject(node, &vote.subject, vote.signature);
        struct peer_message m = {.kind = PEER_VOTES, .epoch = stats.consensus.epoch, .u.votes = {&vote, 1}};
        encode(&m, &message);
    } else {
        encode_false_certificate(node, stats.consensus.epoch, view, kind, &message);
    }
    to_everybody(node, &message);
    buffer_free(&message);
}

/* A proposal in the next view, whoever leads it. */
static void usurp(struct sim_node *node, const struct peer_message *m) {
    struct block_header header;
    struct buffer message = BUFFER_INIT;
    uint8_t parent[HASH_LEN], hash[HASH_LEN];
    uint64_t view = m->u.proposal.view + 1;
    if (block_peek(m->u.proposal.body, &header, parent) != OK || own_index(node, header.epoch) == CONSENSUS_OBSERVER ||
        chain_status(node->chain, parent) != CHAIN_VALID ||
        !build(node, parent, &header, view, header.time_ms + 1, hash)) {
        return;
    }
    struct peer_message like = {.kind = PEER_PROPOSAL, .epoch = header.epoch};
    encode_proposal(node, &like, view, chain_body(node->chain, hash), &message);
    to_everybody(node, &message);
    buffer_free(&message);
}

/* Puts a transaction that was executed before under the waiting ones, past the check at the door. */
static void replay(struct sim_node *node) {
    const struct buffer *old = &node->world->sent[sim_below(&node->tricks, SIM_HOARD)];
    struct transaction tx;
    if (old->len > 0 && transaction_decode(buffer_bytes(old), &tx, NULL) == OK &&
        mempool_add(node->mempool, &tx) == OK) {
        sim_trace(node->world, "node %u replays a transaction", node->number);
    }
}

void sim_byzantine_incoming(struct sim_node *node, uint16_t from, struct bytes bytes) {
    const struct sim_options *o = &node->world->options;
    struct peer_message m;
    if (peer_decode(bytes, &m) != OK) {
        return;
    }
    bool of_consensus = m.kind == PEER_PROPOSAL || m.kind == PEER_VOTES || m.kind == PEER_CERTIFICATES;
    if (of_consensus && o->stale > 0) {
        hoard(node, bytes);
        if (sim_chance(&node->tricks, o->stale)) {
            say_old(node);
        }
    }
    sim_lies_overhear(node, &m);
    if (m.kind == PEER_BLOCKS_ASK && sim_chance(&node->tricks, o->false_final)) {
        sim_lies_asked(node, from, m.u.blocks_ask.first_height);
    }
    if (m.kind == PEER_PROPOSAL) {
        if (sim_chance(&node->tricks, o->usurp)) {
            usurp(node, &m);
        }
        if (sim_chance(&node->tricks, o->forge)) {
            say_false_certificate(node, false);
        }
        if (sim_chance(&node->tricks, o->futures)) {
            say_false_certificate(node, true);
        }
        if (sim_chance(&node->tricks, o->replay)) {
            replay(node);
        }
    }
    peer_free(&m);
}

/* ---- On the way out ---------------------------------------------------------------------------------------------- */

static void garble(struct sim_random *random, struct buffer *b) {
    for (uint64_t flips = sim_between(random, 1, 4); flips > 0 && b->len > 0; flips--) {
        size_t at = (size_t)sim_below(random, b->len);
        b->data[at] = (uint8_t)(b->data[at] ^ 1u << sim_below(random, 8));
    }
    if (sim_chance(random, 200)) {
        b->len = (size_t)sim_below(random, b->len + 1);
    }
}

static void change_recall(struct sim_node *from, const struct sim_node *to, const struct peer_message *m,
                          struct buffer *changed) {
    struct consensus_vote votes[4];
    struct peer_message other = *m;
    sim_lies_recall(from, to, &other, votes);
    encode(&other, changed);
}

static void change(struct sim_node *from, struct sim_node *to, const struct peer_message *m, struct buffer *changed) {
    const struct sim_options *o = &from->world->options;
    struct sim_malice *malice = from->malice;
    bool cut_short = m->kind == PEER_STATUS || m->kind == PEER_BODY || m->kind == PEER_BLOCKS;
    if (m->kind == PEER_PROPOSAL) {
        forge_proposal(from, m);
        if (malice->forged.len > 0 && (malice->to_all || !is_favoured(to))) {
            buffer_put(changed, malice->forged.data, malice->forged.len);
        }
    } else if (m->kind == PEER_VOTES) {
        change_votes(from, to, m, changed);
    } else if (m->kind == PEER_CERTIFICATES && sim_chance(&from->tricks, o->forge)) {
        spoil_certificate(from, m, changed);
    } else if (m->kind == PEER_RECALL && sim_chance(&from->tricks, o->false_recall)) {
        change_recall(from, to, m, changed);
    } else if (cut_short && sim_chance(&from->tricks, o->mislead)) {
        mislead(from, m, changed);
    }
    if (changed->len == 0 && sim_chance(&from->tricks, o->stale / 4)) {
        change_epoch(from, m, changed);
    }
}

/* In some views a liar's votes go to one validator alone: where they complete a quorum, nobody else has one. */
static bool is_whispered_past(struct sim_node *from, const struct sim_node *to, const struct peer_message *m) {
    if (m->kind != PEER_VOTES || m->u.votes.count == 0 || from->world->healed) {
        return false;
    }
    uint64_t view = m->u.votes.items[0].subject.view;
    struct sim_random view_random = sim_stream(from->world->played->seed, STREAM_WHISPER, view, m->epoch);
    bool whispers = sim_chance(&view_random, from->world->options.whisper);
    bool heard = to->key == view % from->world->options.validators;
    if (whispers && heard) {
        sim_count(from->world, COUNT_WHISPER);
    }
    return whispers && !heard;
}

bool sim_byzantine_outgoing(struct sim_node *from, struct sim_node *to, struct bytes bytes, struct buffer *changed,
                            uint64_t *extra_delay_us) {
    const struct sim_options *o = &from->world->options;
    struct peer_message m;
    if (peer_decode(bytes, &m) != OK) {
        return true;
    }
    bool has_body = m.kind == PEER_PROPOSAL || m.kind == PEER_BODY || m.kind == PEER_BLOCKS;
    bool filled = m.kind == PEER_PROPOSAL && m.epoch == from->malice->filled_epoch &&
                  m.u.proposal.view <= from->malice->filled_view;
    bool keep_back = filled || is_whispered_past(from, to, &m) ||
                     (has_body && to->key != 0 && sim_chance(&from->tricks, o->withhold));
    if (!keep_back) {
        change(from, to, &m, changed);
    }
    peer_free(&m);
    if (!from->world->healed && sim_chance(&from->tricks, o->drip)) {
        *extra_delay_us = sim_below(&from->tricks, DRIP_US);
    }
    if (!keep_back && !from->world->healed && sim_chance(&from->tricks, o->garble)) {
        if (changed->len == 0) {
            buffer_put(changed, bytes.data, bytes.len);
        }
        garble(&from->tricks, changed);
        return changed->len > 0;
    }
    return !keep_back;
}

void sim_byzantine_free(struct sim_malice *malice) {
    for (size_t i = 0; malice != NULL && i < SIM_HOARD; i++) {
        buffer_free(&malice->hoard[i]);
        buffer_free(&malice->notarizations[i]);
    }
    if (malice != NULL) {
        buffer_free(&malice->forged);
    }
    free(malice);
}
