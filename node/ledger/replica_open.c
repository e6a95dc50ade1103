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
    if (certificates_parse(certificate, s->r->config.validators.count, &parts) != OK ||
        parts.subject.epoch != s->r->config.epoch ||
        parts.subject.view <= chain_head(s->r->config.chain)->header.view) {
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

/* A damaged journal leaves a follower: `*out_may_vote` says whether this replica may vote. */
static enum err open_journal(struct replica *r, struct restoring *restoring, bool *out_may_vote) {
    *out_may_vote = false;
    if (r->config.me == CONSENSUS_OBSERVER) {
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
                       journal_error(), (unsigned long long)r->config.epoch);
        replica_alarm(r, "journal-damaged", text);
        return OK;
    }
    *out_may_vote = e == OK;
    return e;
}

static void sign_with_secret(void *ctx, const uint8_t *message, size_t len, uint8_t out[SIG_LEN]) {
    const struct replica *r = ctx;
    ed25519_sign(r->config.secret, message, len, out);
}

static enum err make_core(struct replica *r, bool may_vote) {
    bool own = r->config.sign == NULL;
    const struct consensus_config config = {
        .chain_id = chain_id(r->config.chain),
        .epoch = r->config.epoch,
        .validators = r->config.validators,
        .me = r->config.me,
        .may_vote = may_vote,
        .crypto = r->config.crypto,
        .sign = own ? sign_with_secret : r->config.sign,
        .sign_ctx = own ? r : r->config.sign_ctx,
        .timing = r->config.timing.consensus,
    };
    size_t len = consensus_memory(r->config.validators.count);
    r->core_memory = malloc(len);
    return r->core_memory != NULL ? consensus_init(r->core_memory, len, &config, &r->core) : ERR_NOMEM;
}

static enum err start_core(struct replica *r, const struct restoring *s) {
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
    const struct chain_head *head = chain_head(r->config.chain);
    struct consensus_event event = {.kind = EVENT_START, .from = CONSENSUS_ALL};
    event.u.start.final_view = head->header.view;
    memcpy(event.u.start.final_hash, head->hash, HASH_LEN);
    event.u.start.restored = &restored;
    enum err e = replica_feed(r, &event);
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
    size_t n = config->validators.count;
    r->config = *config;
    r->keys = calloc(n + 1, sizeof *r->keys);
    r->effects = calloc(1, sizeof *r->effects);
    r->out = calloc(OUTBOX_MESSAGES_MAX, sizeof *r->out);
    if (r->keys == NULL || r->effects == NULL || r->out == NULL) {
        replica_close(r);
        return ERR_NOMEM;
    }
    memcpy(r->keys, config->validators.keys, n * sizeof *r->keys);
    r->config.validators.keys = (const uint8_t(*)[KEY_LEN])r->keys;
    r->config.journal_dir = NULL;
    *out = r;
    return OK;
}

enum err replica_open(const struct replica_config *config, uint64_t wall_ms, uint64_t mono_ms, struct replica **out) {
    bool is_validator = config->me < config->validators.count;
    if (config->validators.count == 0 || config->validators.count > LIMIT_VALIDATORS ||
        (!is_validator && config->me != CONSENSUS_OBSERVER) ||
        (is_validator && config->secret == NULL && config->sign == NULL)) {
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
    bool may_vote = false;
    e = restoring.bodies != NULL ? open_journal(r, &restoring, &may_vote) : ERR_NOMEM;
    r->decided_height = chain_head(config->chain)->header.height;
    if (e == OK) {
        e = make_core(r, may_vote);
    }
    if (e == OK) {
        e = start_core(r, &restoring);
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

void replica_close(struct replica *r) {
    if (r == NULL) {
        return;
    }
    journal_close(r->journal);
    free(r->core_memory);
    free(r->keys);
    free(r->effects);
    free(r->out);
    buffer_free(&r->out_bytes);
    free(r);
}
