/* Opening a replica: the journal's contents go to chain and core before anything else happens. */
#include "node/ledger/replica_state.h"

#include "base/ed25519.h"
#include "consensus/certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESTORED_BODIES_MAX (4 * LIMIT_UNFINAL_DEPTH)

/* What the journal gives back, gathered while it opens. Certificates are copied one after the other. */
struct restoring {
    struct replica *r;
    struct buffer votes;        /* of struct consensus_vote */
    struct buffer proposals;    /* the same */
    struct buffer certificates; /* bytes */
    struct buffer lengths;      /* of size_t */
    uint8_t (*bodies)[HASH_LEN];
    size_t body_count;
};

static enum err restore_vote(void *arg, const struct consensus_vote *vote) {
    struct restoring *s = arg;
    struct buffer *list = vote->subject.kind == VOTE_PROPOSE ? &s->proposals : &s->votes;
    buffer_put(list, vote, sizeof *vote);
    return buffer_ok(list);
}

static enum err restore_body(void *arg, struct bytes body) {
    struct restoring *s = arg;
    uint8_t hash[HASH_LEN];
    enum err e = chain_add(s->r->config.chain, body, hash);
    if (e == OK && s->body_count < RESTORED_BODIES_MAX) {
        memcpy(s->bodies[s->body_count++], hash, HASH_LEN);
    }
    return e == ERR_NOMEM ? e : OK; /* one that is final already is refused, as it should be */
}

/* The closing block of an epoch is view 0 of the next. */
static uint64_t final_view(const struct replica *r) {
    const struct block_header *head = &chain_head(r->config.chain)->header;
    return head->epoch == r->epoch.number ? head->view : 0;
}

/* What the journal shows to be final is made final at once: after a power cut the block log may end earlier, and the
 * blocks that follow need their parents' place. */
static enum err make_final(struct replica *r, struct bytes certificate, const struct certificate_parts *parts) {
    enum chain_status status = CHAIN_UNKNOWN;
    uint8_t missing[HASH_LEN];
    enum err e = replica_advance(r, parts->subject.block, &status, missing);
    if (e == OK && status == CHAIN_VALID) {
        e = chain_finalize(r->config.chain, parts->subject.block, certificate, NULL, NULL);
    }
    return e;
}

static enum err restore_certificate(void *arg, struct bytes certificate) {
    struct restoring *s = arg;
    struct certificate_parts parts;
    if (certificates_parse(certificate, s->r->epoch.count, &parts) != OK || parts.subject.epoch != s->r->epoch.number ||
        parts.subject.view <= final_view(s->r)) {
        return OK;
    }
    enum err e = parts.subject.kind == VOTE_FINALIZE ? make_final(s->r, certificate, &parts) : OK;
    if (e != OK) {
        return e;
    }
    buffer_put(&s->certificates, certificate.data, certificate.len);
    buffer_put(&s->lengths, &certificate.len, sizeof certificate.len);
    e = buffer_ok(&s->certificates);
    return e == OK ? buffer_ok(&s->lengths) : e;
}

/* A damaged journal leaves a follower that does not vote. */
static enum err open_journal(struct replica *r, struct restoring *restoring) {
    if (r->config.key == NULL) {
        return OK;
    }
    const struct journal_config config = {
        .disk = r->config.disk, .dir = r->config.journal_dir, .segment_bytes = r->config.journal_segment_bytes};
    const struct journal_reader reader = {
        .vote = restore_vote, .body = restore_body, .certificate = restore_certificate, .arg = restoring};
    enum err e = journal_open(&config, &reader, &r->journal);
    if (e == ERR_CORRUPT) {
        char text[320];
        (void)snprintf(text, sizeof text,
                       "the vote journal is damaged (%s); this node follows and does not vote in epoch %llu (see assay "
                       "node recover)",
                       journal_error(), (unsigned long long)r->epoch.number);
        replica_alarm(r, "journal-damaged", text);
        return OK;
    }
    return e;
}

/* CONSENSUS_OBSERVER, which is also CONSENSUS_ALL, when the key is not in the set. */
static uint16_t place_in(const struct validator_set *set, const uint8_t key[KEY_LEN]) {
    for (uint16_t i = 0; i < set->count; i++) {
        if (memcmp(set->keys[i], key, KEY_LEN) == 0) {
            return i;
        }
    }
    return CONSENSUS_OBSERVER;
}

static void sign_with_secret(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct replica *r = ctx;
    ed25519_sign(r->config.secret, message, len, out);
}

void replica_place_peers(struct replica *r) {
    struct validator_set set = chain_epoch_set(&r->epoch);
    for (uint16_t i = 0; i < r->epoch.count; i++) {
        r->peer_of[i] = NO_PEER;
    }
    for (uint16_t p = 0; p < REPLICA_PEERS_MAX; p++) {
        struct peer_state *peer = &r->peers[p];
        peer->index = peer->known ? place_in(&set, peer->key) : CONSENSUS_ALL;
        if (peer->index != CONSENSUS_ALL) {
            r->peer_of[peer->index] = p;
        }
    }
}

enum err replica_set_peer(struct replica *r, uint16_t peer, const uint8_t key[KEY_LEN]) {
    if (peer >= REPLICA_PEERS_MAX) {
        return ERR_RANGE;
    }
    r->peers[peer] = (struct peer_state){.known = key != NULL};
    if (key != NULL) {
        memcpy(r->peers[peer].key, key, KEY_LEN);
    }
    replica_place_peers(r);
    return OK;
}

/* The core of the epoch that the chain is in. Without a journal it follows and is silent. */
static enum err make_core(struct replica *r) {
    r->epoch = *chain_epoch(r->config.chain);
    const struct validator_set set = chain_epoch_set(&r->epoch);
    r->me = r->config.key != NULL ? place_in(&set, r->key) : CONSENSUS_OBSERVER;
    replica_place_peers(r);
    bool own = r->config.sign == NULL;
    const struct consensus_config config = {
        .chain_id = chain_id(r->config.chain),
        .epoch = r->epoch.number,
        .validators = set,
        .me = r->me,
        .may_vote = r->journal != NULL,
        .crypto = r->config.crypto,
        .sign = own ? sign_with_secret : r->config.sign,
        .sign_ctx = own ? r : r->config.sign_ctx,
        .timing = r->config.timing.consensus,
    };
    size_t len = consensus_memory(set.count);
    free(r->core_memory);
    r->core_memory = malloc(len);
    enum err e = r->core_memory != NULL ? consensus_init(r->core_memory, len, &config, &r->core) : ERR_NOMEM;
    if (e == OK) {
        consensus_set_heartbeat(r->core, chain_params(r->config.chain)->heartbeat_ms);
    }
    return e;
}

static enum err start_core(struct replica *r, const struct consensus_restored *restored) {
    struct consensus_event event = {.kind = EVENT_START, .from = CONSENSUS_ALL};
    event.u.start.final_view = final_view(r);
    memcpy(event.u.start.final_hash, chain_head(r->config.chain)->hash, HASH_LEN);
    event.u.start.restored = restored;
    return replica_feed(r, &event);
}

static enum err restore_core(struct replica *r, const struct restoring *s) {
    size_t count = s->lengths.len / sizeof(size_t);
    struct bytes *certificates = calloc(count + 1, sizeof *certificates);
    if (certificates == NULL) {
        return ERR_NOMEM;
    }
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t len;
        memcpy(&len, s->lengths.data + i * sizeof len, sizeof len);
        certificates[i] = bytes_of(s->certificates.data + at, len);
        at += len;
    }
    const struct consensus_restored restored = {
        .votes = (const void *)s->votes.data,
        .vote_count = s->votes.len / sizeof(struct consensus_vote),
        .proposals = (const void *)s->proposals.data,
        .proposal_count = s->proposals.len / sizeof(struct consensus_vote),
        .certificates = certificates,
        .certificate_count = count,
    };
    enum err e = start_core(r, &restored);
    free(certificates);
    return e;
}

/* Executes the bodies the journal kept and tells the core that they are on disk. */
static enum err restore_blocks(struct replica *r, const struct restoring *s) {
    for (size_t i = 0; i < s->body_count; i++) {
        enum chain_status status;
        enum err e = chain_execute(r->config.chain, s->bodies[i], &status);
        if (e != OK) {
            return replica_fail(r, e, "executing a block of the journal: %s", chain_error(r->config.chain));
        }
        struct consensus_event event = {.kind = EVENT_BLOCK, .from = CONSENSUS_ALL};
        if (!replica_describe(r, s->bodies[i], &event)) {
            continue;
        }
        event.u.block.state = status == CHAIN_VALID     ? BLOCK_VALID
                              : status == CHAIN_INVALID ? BLOCK_INVALID
                                                        : BLOCK_WANTED;
        event.u.block.journaled = true;
        e = replica_feed(r, &event);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

static enum err allocate(const struct replica_config *config, struct replica **out) {
    struct replica *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ERR_NOMEM;
    }
    r->config = *config;
    if (config->key != NULL) {
        memcpy(r->key, config->key, KEY_LEN);
        r->config.key = r->key;
    }
    r->effects = calloc(1, sizeof *r->effects);
    r->out = calloc(OUTBOX_MESSAGES_MAX, sizeof *r->out);
    if (r->effects == NULL || r->out == NULL) {
        replica_close(r);
        return ERR_NOMEM;
    }
    r->config.journal_dir = NULL;
    *out = r;
    return OK;
}

enum err replica_open(const struct replica_config *config, uint64_t wall_ms, uint64_t mono_ms, struct replica **out) {
    if (config->key != NULL && config->secret == NULL && config->sign == NULL) {
        return ERR_CONFIG;
    }
    struct replica *r;
    enum err e = allocate(config, &r);
    if (e != OK) {
        return e;
    }
    r->config.journal_dir = config->journal_dir; /* only while opening */
    r->wall_ms = wall_ms;
    r->mono_ms = r->served_reset_ms = r->synced_ms = mono_ms;
    r->core_timer_ms = UINT64_MAX;
    struct restoring restoring = {.r = r};
    restoring.bodies = calloc(RESTORED_BODIES_MAX, sizeof *restoring.bodies);
    r->epoch = *chain_epoch(config->chain);
    e = restoring.bodies != NULL ? open_journal(r, &restoring) : ERR_NOMEM;
    r->decided_height = chain_head(config->chain)->header.height;
    if (e == OK) {
        e = make_core(r);
    }
    if (e == OK) {
        e = restore_core(r, &restoring);
    }
    if (e == OK) {
        e = restore_blocks(r, &restoring);
    }
    r->config.journal_dir = NULL;
    buffer_free(&restoring.votes);
    buffer_free(&restoring.proposals);
    buffer_free(&restoring.certificates);
    buffer_free(&restoring.lengths);
    free(restoring.bodies);
    if (e != OK) {
        replica_close(r);
        return e;
    }
    *out = r;
    return OK;
}

/* What the old epoch's core wanted is of no use any more. The block log is made durable first: whoever has voted in the
 * new epoch must not wake up in the old one. */
enum err replica_begin_epoch(struct replica *r) {
    enum err e = replica_sync_chain(r);
    if (e != OK) {
        return e;
    }
    r->effects->count = 0;
    r->followup_count = 0;
    memset(r->pending, 0, sizeof r->pending);
    r->pending_count = 0;
    r->build_wanted = false;
    r->vote_count = 0;
    r->work = false;
    r->barren_until_ms = 0;
    r->proven_height = 0;
    memset(r->odd_clocks, 0, sizeof r->odd_clocks);
    r->core_timer_ms = UINT64_MAX;
    e = make_core(r);
    if (e != OK) {
        return replica_fail(r, e, "beginning epoch %llu: %s", (unsigned long long)chain_epoch(r->config.chain)->number,
                            err_text(e));
    }
    e = start_core(r, NULL);
    return e == OK ? replica_tell_waiting(r, TO_VALIDATORS, 0) : e;
}

void replica_close(struct replica *r) {
    if (r == NULL) {
        return;
    }
    journal_close(r->journal);
    replica_drop_fetches(r);
    free(r->core_memory);
    free(r->effects);
    free(r->out);
    buffer_free(&r->out_bytes);
    free(r);
}
