/* What the vote journal held when it was opened. Votes, proposals and certificates are few and are kept; of bodies only
 * the places, for there may be more than there is room for, and only certificates tell which of them matter.
 *
 * The chain may stand in an earlier epoch than the journal: its block log was lost, or is synced later. So each epoch's
 * core gets what the journal has of that epoch, when its turn comes. */
#include "node/ledger/replica_internal.h"

#include "base/assert.h"
#include "consensus/certificates.h"

#include <stdlib.h>
#include <string.h>

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static enum err keep_vote(void *arg, const struct consensus_vote *vote) {
    struct replica *r = arg;
    struct buffer *list = vote->subject.kind == VOTE_PROPOSE ? &r->restored.proposals : &r->restored.votes;
    if (vote->subject.epoch < r->epoch.number) {
        return OK;
    }
    buffer_put(list, vote, sizeof *vote);
    return buffer_ok(list);
}

static enum err keep_body(void *arg, uint64_t sequence, struct bytes body) {
    struct replica *r = arg;
    struct block_header header;
    struct restored_body kept = {.sequence = sequence};
    if (block_peek(body, &header, kept.hash) != OK || header.epoch < r->epoch.number) {
        return OK;
    }
    memcpy(kept.parent, header.parent, HASH_LEN);
    kept.epoch = header.epoch;
    kept.view = header.view;
    buffer_put(&r->restored.bodies, &kept, sizeof kept);
    return buffer_ok(&r->restored.bodies);
}

static enum err keep_certificate(void *arg, struct bytes certificate) {
    struct replica *r = arg;
    struct buffer *list = &r->restored.certificates;
    if (certificate.len < CERTIFICATE_HEAD_LEN || load_u64(certificate.data + 2) < r->epoch.number) {
        return OK;
    }
    buffer_u32(list, (uint32_t)certificate.len);
    buffer_put(list, certificate.data, certificate.len);
    return buffer_ok(list);
}

enum err replica_restore_read(struct replica *r) {
    const struct journal_config config = {
        .disk = r->config.disk, .dir = r->config.journal_dir, .segment_bytes = r->config.journal_segment_bytes};
    const struct journal_reader reader = {
        .vote = keep_vote, .body = keep_body, .certificate = keep_certificate, .arg = r};
    return journal_open(&config, &reader, &r->journal);
}

void replica_restored_free(struct restored *restored) {
    buffer_free(&restored->votes);
    buffer_free(&restored->proposals);
    buffer_free(&restored->certificates);
    buffer_free(&restored->bodies);
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

/* The next certificate behind `*at`; false at the end. */
static bool next_certificate(const struct restored *s, size_t *at, struct bytes *out) {
    if (s->certificates.len - *at < 4) {
        return false;
    }
    *out = bytes_of(s->certificates.data + *at + 4, load_u32(s->certificates.data + *at));
    ASSERT(out->len <= s->certificates.len - *at - 4); /* gathered here, whole */
    *at += 4 + out->len;
    return true;
}

static size_t body_count(const struct restored *s) {
    return s->bodies.len / sizeof(struct restored_body);
}

static struct restored_body body_at(const struct restored *s, size_t i) {
    struct restored_body body;
    ASSERT(i < body_count(s));
    memcpy(&body, s->bodies.data + i * sizeof body, sizeof body);
    return body;
}

static bool find_body(const struct restored *s, const uint8_t hash[HASH_LEN], struct restored_body *out) {
    for (size_t i = 0; i < body_count(s); i++) {
        *out = body_at(s, i);
        if (memcmp(out->hash, hash, HASH_LEN) == 0) {
            return true;
        }
    }
    return false;
}

static bool any_beyond(const struct buffer *votes, uint64_t epoch) {
    struct consensus_vote vote;
    for (size_t at = 0; at + sizeof vote <= votes->len; at += sizeof vote) {
        memcpy(&vote, votes->data + at, sizeof vote);
        if (vote.subject.epoch > epoch) {
            return true;
        }
    }
    return false;
}

bool replica_restored_beyond(const struct replica *r, uint64_t epoch) {
    return any_beyond(&r->restored.votes, epoch) || any_beyond(&r->restored.proposals, epoch);
}

/* The closing block of an epoch is view 0 of the next. */
static uint64_t final_view(const struct replica *r) {
    const struct block_header *head = &chain_head(r->config.chain)->header;
    return head->epoch == r->epoch.number ? head->view : 0;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* From the journal to the chain. One that is final already is refused, as it should be, and so is one that there is no
 * room for: peers have it. */
static enum err load_body(struct replica *r, const struct restored_body *body, enum chain_worth worth) {
    struct buffer bytes = BUFFER_INIT;
    uint8_t hash[HASH_LEN];
    const struct chain_offer offer = {.worth = worth, .payer = consensus_leader(body->view, r->epoch.count)};
    enum err e = r->journal != NULL ? journal_read_body(r->journal, body->sequence, &bytes) : ERR_NOTFOUND;
    if (e == OK) {
        e = chain_add(r->config.chain, buffer_bytes(&bytes), &offer, hash);
        e = e == ERR_NOMEM ? e : OK;
    }
    buffer_free(&bytes);
    return e == ERR_NOTFOUND ? OK : e;
}

/* A block and its ancestors, as far as the journal has them. */
static enum err load_path(struct replica *r, const uint8_t hash[HASH_LEN]) {
    uint8_t at[HASH_LEN];
    struct restored_body body;
    enum err e = OK;
    memcpy(at, hash, HASH_LEN);
    for (unsigned depth = 0; depth < LIMIT_UNFINAL_DEPTH && e == OK; depth++) {
        if (chain_status(r->config.chain, at) == CHAIN_FINAL || !find_body(&r->restored, at, &body)) {
            break;
        }
        e = load_body(r, &body, CHAIN_WORTH_FINAL);
        memcpy(at, body.parent, HASH_LEN);
    }
    return e;
}

/* ---- What is final ----------------------------------------------------------------------------------------------- */

/* Is it a finalization that leads on from where the chain stands? */
static bool leads_on(const struct replica *r, struct bytes certificate, struct certificate_parts *out) {
    return certificates_parse(certificate, r->epoch.count, out) == OK && out->subject.kind == VOTE_FINALIZE &&
           out->subject.epoch == r->epoch.number && out->subject.view > final_view(r);
}

static enum err make_final(struct replica *r, struct bytes certificate, const uint8_t block[HASH_LEN]) {
    enum chain_status status = CHAIN_UNKNOWN;
    uint8_t missing[HASH_LEN];
    enum err e = load_path(r, block);
    if (e == OK) {
        e = replica_advance(r, block, &status, missing);
    }
    if (e == OK && status == CHAIN_VALID) {
        e = chain_finalize(r->config.chain, block, certificate, NULL, NULL);
        r->epoch = *chain_epoch(r->config.chain);
    }
    return e;
}

/* After a power cut the block log may end earlier than the journal, and the blocks that follow need their parents'
 * place. */
enum err replica_restore_final(struct replica *r) {
    uint64_t before;
    enum err e = OK;
    do {
        struct bytes certificate;
        struct certificate_parts parts;
        before = chain_head(r->config.chain)->header.height;
        for (size_t at = 0; e == OK && next_certificate(&r->restored, &at, &certificate);) {
            if (leads_on(r, certificate, &parts)) {
                e = make_final(r, certificate, parts.subject.block);
            }
        }
    } while (e == OK && chain_head(r->config.chain)->header.height > before);
    return e;
}

/* ---- The core ---------------------------------------------------------------------------------------------------- */

static enum err start_core(struct replica *r, const struct consensus_restored *restored) {
    struct consensus_event event = {.kind = EVENT_START, .from = CONSENSUS_ALL};
    event.u.start.final_view = final_view(r);
    memcpy(event.u.start.final_hash, chain_head(r->config.chain)->hash, HASH_LEN);
    event.u.start.restored = restored;
    return replica_feed(r, &event);
}

/* The core takes what is of its epoch and above its last final view, and passes over the rest. */
static enum err start_restored(struct replica *r) {
    const struct restored *s = &r->restored;
    struct bytes *certificates = malloc((s->certificates.len / CERTIFICATE_HEAD_LEN + 1) * sizeof *certificates);
    struct bytes certificate;
    size_t count = 0;
    if (certificates == NULL) {
        return ERR_NOMEM;
    }
    for (size_t at = 0; next_certificate(s, &at, &certificate);) {
        if (load_u64(certificate.data + 2) == r->epoch.number && load_u64(certificate.data + 10) > final_view(r)) {
            ASSERT(count <= s->certificates.len / CERTIFICATE_HEAD_LEN); /* each is longer than its head */
            certificates[count++] = certificate;
        }
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

static enum consensus_block_state restored_state(enum chain_status status) {
    switch (status) {
    case CHAIN_VALID:
        return BLOCK_VALID;
    case CHAIN_INVALID:
        return BLOCK_INVALID;
    default:
        return BLOCK_WANTED;
    }
}

/* Executes a body that the journal kept and tells the core that it is on disk. */
static enum err tell_block(struct replica *r, const uint8_t hash[HASH_LEN]) {
    enum chain_status status = CHAIN_UNKNOWN;
    uint8_t missing[HASH_LEN];
    enum err e = replica_advance(r, hash, &status, missing);
    struct consensus_event event = {.kind = EVENT_BLOCK, .from = CONSENSUS_ALL};
    if (e != OK || status == CHAIN_FINAL || !replica_describe(r, hash, &event)) {
        return e;
    }
    event.u.block.state = restored_state(status);
    event.u.block.journaled = true;
    return replica_feed(r, &event);
}

/* Bodies of views that were given up stay where they are. */
static bool matters(const struct replica *r, const struct restored_body *body) {
    return body->epoch == r->epoch.number && body->view > final_view(r) &&
           consensus_standing(r->core, body->view, body->hash, true) != STANDING_OVER;
}

enum err replica_restore_epoch(struct replica *r) {
    enum err e = start_restored(r);
    for (size_t i = 0; i < body_count(&r->restored) && e == OK; i++) {
        struct restored_body body = body_at(&r->restored, i);
        e = matters(r, &body) ? load_body(r, &body, CHAIN_WORTH_OFFERED) : OK;
    }
    for (size_t i = 0; i < body_count(&r->restored) && e == OK; i++) {
        e = tell_block(r, body_at(&r->restored, i).hash);
    }
    if (e == OK && !replica_restored_beyond(r, r->epoch.number)) {
        replica_restored_free(&r->restored);
    }
    return e;
}
