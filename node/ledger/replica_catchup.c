/* Catch-up: final blocks by height from peers that have more, verified by the finalization of the last. A few ranges
 * are under way at a time, from different peers; answers that come early wait, at most FETCHES_MAX messages of them.
 *
 * Blocks that are final only through a descendant may not fit one message together with it. Then the message has whole
 * blocks as far as they fit and only the headers of the rest, which link them to the finalization all the same; the
 * asker keeps the blocks as candidates and asks on from there. */
#include "node/ledger/replica_internal.h"

#include "base/assert.h"

#include <string.h>

#define BLOCKS_BYTES_SOFT (1536u * 1024u) /* an answer ends at the first finalization past this */
#define CATCHING_UP_MS 2000               /* after a range of many blocks there may be more, whatever is claimed */
/* Whole blocks go up to this; the headers of the rest and the envelope have room beside. */
#define BLOCKS_BYTES_HARD (LIMIT_PEER_MESSAGE - CERTIFICATE_MAX - PEER_BODIES_MAX * (BLOCK_HEADER_LEN + 16) - 4096)

/* ---- Serving ----------------------------------------------------------------------------------------------------- */

/* Reads on from `first` and remembers the last block that has a finalization of its own. The first block is always
 * whole; once one does not fit, only headers follow. */
struct range {
    struct buffer bodies;
    struct buffer certificate; /* of the last kept block */
    size_t ends[PEER_BODIES_MAX];
    size_t count; /* blocks read */
    size_t keep;  /* blocks up to the last finalization */
    bool full;    /* headers only from here on */
};

static bool header_closes(const struct buffer *bodies, size_t start) {
    struct block_header header;
    return bodies->len - start >= BLOCK_HEADER_LEN && block_header_decode(bodies->data + start, &header) == GOOD &&
           block_header_closes(&header);
}

static enum err read_range(struct replica *r, uint64_t first, struct range *range) {
    size_t room = r->config.blocks_bytes != 0 ? r->config.blocks_bytes : BLOCKS_BYTES_HARD;
    struct buffer certificate = BUFFER_INIT;
    enum err e = OK;
    while (range->count < PEER_BODIES_MAX && e == OK) {
        if (range->keep > 0 && range->bodies.len > BLOCKS_BYTES_SOFT) {
            break;
        }
        buffer_reset(&certificate);
        size_t start = range->bodies.len;
        e = chain_read(r->config.chain, first + range->count, &range->bodies, &certificate);
        if (e != OK) {
            break;
        }
        range->full = range->full || (range->count > 0 && range->bodies.len > room);
        if (range->full) {
            if (range->keep > 0) {
                break; /* what came before needs no link */
            }
            range->bodies.len = start + BLOCK_HEADER_LEN;
        }
        range->ends[range->count++] = range->bodies.len;
        bool closes = header_closes(&range->bodies, start);
        if (certificate.len > 0) {
            range->keep = range->count;
            buffer_reset(&range->certificate);
            buffer_put(&range->certificate, certificate.data, certificate.len);
        }
        if (closes) {
            break; /* the asker learns the next set by executing this one */
        }
    }
    buffer_free(&certificate);
    return e == ERR_NOTFOUND ? OK : e;
}

enum err replica_serve_blocks(struct replica *r, uint16_t peer, struct peer_message *ask) {
    uint64_t first_height = ask->u.blocks_ask.first_height;
    uint64_t height = chain_head(r->config.chain)->header.height;
    ASSERT(peer < REPLICA_PEERS_MAX && r->peers[peer].known);
    if (first_height == 0 || first_height > height) {
        return OK;
    }
    struct range range = {.bodies = BUFFER_INIT, .certificate = BUFFER_INIT};
    enum err e = read_range(r, first_height, &range);
    if (e == ERR_CORRUPT) {
        replica_alarm(r, "block-damaged", "an old block cannot be read for a peer; assay node verify names it");
        e = OK;
    } else if (e != OK) {
        e = replica_fail(r, e, "reading blocks for a peer: %s", chain_error(r->config.chain));
    } else if (range.keep > 0 && buffer_ok(&range.certificate) == OK && buffer_ok(&range.bodies) == OK) {
        struct bytes spans[PEER_BODIES_MAX];
        size_t at = 0;
        for (size_t i = 0; i < range.keep; i++) {
            spans[i] = bytes_of(range.bodies.data + at, range.ends[i] - at);
            at = range.ends[i];
        }
        struct peer_message answer = {.kind = PEER_BLOCKS,
                                      .u.blocks = {.bodies = {spans, range.keep},
                                                   .finalization = buffer_bytes(&range.certificate),
                                                   .height = height}};
        e = replica_post(r, TO_PEER, peer, &answer);
    }
    buffer_free(&range.bodies);
    buffer_free(&range.certificate);
    return e;
}

/* ---- What is under way ------------------------------------------------------------------------------------------- */

static bool is_shunned(const struct replica *r, const struct peer_state *peer) {
    return r->mono_ms < peer->shunned_ms;
}

/* The highest that anybody claims: worth asking for, and nothing else. */
static uint64_t claimed_height(const struct replica *r) {
    uint64_t best = 0;
    for (size_t i = 0; i < REPLICA_PEERS_MAX; i++) {
        bool counts = !is_shunned(r, &r->peers[i]);
        best = counts && r->peers[i].height > best ? r->peers[i].height : best;
    }
    return best;
}

uint64_t replica_believed_height(const struct replica *r) {
    uint64_t highest[LIMIT_VALIDATORS] = {0}; /* the f + 1 highest, descending */
    size_t kept = (size_t)validators_faulty(r->epoch.count) + 1;
    ASSERT(kept <= LIMIT_VALIDATORS);
    for (size_t i = 0; i < REPLICA_PEERS_MAX; i++) {
        const struct peer_state *peer = &r->peers[i];
        uint64_t height = peer->known && peer->index != CONSENSUS_ALL && !is_shunned(r, peer) ? peer->height : 0;
        for (size_t k = 0; k < kept; k++) {
            uint64_t lower = highest[k] < height ? highest[k] : height;
            highest[k] = highest[k] < height ? height : highest[k];
            height = lower;
        }
    }
    return highest[kept - 1];
}

void replica_take_status(struct replica *r, uint16_t peer, uint64_t height) {
    if (is_shunned(r, &r->peers[peer])) {
        return;
    }
    r->peers[peer].height = height;
    if (height > r->decided_height && r->behind_since_ms == 0) {
        r->behind_since_ms = r->mono_ms;
    }
}

/* A validator that keeps up hears of finality from votes first: it gives them a moment before it asks. */
static uint64_t patience(const struct replica *r) {
    return r->me == CONSENSUS_OBSERVER ? 0 : r->config.timing.fetch_retry_ms;
}

/* What was proven and executed and only waits for a descendant's finalization is not asked for again. */
static uint64_t next_height(const struct replica *r) {
    return (r->proven_height > r->decided_height ? r->proven_height : r->decided_height) + 1;
}

static void drop_fetch(struct fetch *fetch) {
    peer_free(&fetch->answer);
    *fetch = (struct fetch){0};
}

void replica_drop_fetches(struct replica *r) {
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        drop_fetch(&r->fetches[i]);
    }
}

static struct fetch *fetch_of(struct replica *r, uint64_t first) {
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (r->fetches[i].used && r->fetches[i].first == first) {
            return &r->fetches[i];
        }
    }
    return NULL;
}

/* A claim that is not honoured is forgotten, and believed again after a while that doubles. */
static void strike(struct replica *r, uint16_t peer) {
    struct peer_state *state = &r->peers[peer];
    ASSERT(state->strikes <= STRIKES_MAX); /* the wait is doubled so often, and fits */
    state->strikes += state->strikes < STRIKES_MAX;
    if (state->strikes >= STRIKES_OF_LIAR) {
        state->height = 0;
        state->shunned_ms = r->mono_ms + ((uint64_t)r->config.timing.fetch_retry_ms << state->strikes);
    }
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

/* Is it a finalization of the last block, and does each block stand on the one before? Signatures come last: they are
 * the costly part. */
static bool range_is_final(const struct replica *r, const struct peer_blocks *blocks, struct block_header *out_last,
                           uint8_t out_hash[HASH_LEN], uint64_t *out_view) {
    uint8_t hash[HASH_LEN];
    struct block_header header;
    for (size_t i = 0; i < blocks->bodies.count; i++) {
        struct block_header next;
        uint8_t next_hash[HASH_LEN];
        if (block_peek(blocks->bodies.items[i], &next, next_hash) != OK ||
            (i > 0 && (memcmp(next.parent, hash, HASH_LEN) != 0 || next.height != header.height + 1))) {
            return false;
        }
        header = next;
        memcpy(hash, next_hash, HASH_LEN);
    }
    if (blocks->bodies.count == 0 || header.height <= r->decided_height) {
        return false;
    }
    struct bytes_input from = {blocks->finalization};
    struct input in = input_of_bytes(&from);
    struct vote_subject subject;
    const struct validator_set set = chain_epoch_set(&r->epoch);
    if (certificate_verify(r->config.crypto, chain_id(r->config.chain), &set, &in, &subject) != GOOD ||
        from.rest.len != 0 || subject.kind != VOTE_FINALIZE || subject.epoch != r->epoch.number ||
        memcmp(subject.block, hash, HASH_LEN) != 0 || subject.view < header.view ||
        (subject.view != header.view && !block_header_closes(&header))) {
        return false;
    }
    *out_view = subject.view;
    *out_last = header;
    memcpy(out_hash, hash, HASH_LEN);
    return true;
}

/* Executes the whole blocks of a proven range. `*out_height`: that of the last one, when all of them are valid; 0
 * otherwise. */
static enum err execute_range(struct replica *r, struct peer_spans bodies, uint64_t *out_height) {
    uint64_t reached = 0;
    *out_height = 0;
    for (size_t i = 0; i < bodies.count && bodies.items[i].len > BLOCK_HEADER_LEN; i++) {
        struct block_header header;
        uint8_t hash[HASH_LEN];
        if (block_peek(bodies.items[i], &header, hash) != OK || header.height <= r->decided_height) {
            continue;
        }
        reached = header.height;
        const struct chain_offer proven = {.worth = CHAIN_WORTH_FINAL, .payer = header.proposer};
        enum err e = chain_add(r->config.chain, bodies.items[i], &proven, hash);
        if (e == ERR_NOMEM) {
            return replica_fail(r, e, "taking a block: %s", err_text(e));
        }
        if (e != OK && e != ERR_DUPLICATE) {
            return OK; /* garbage under a good header, or no room: another peer or a later time */
        }
        enum chain_status status;
        e = chain_execute(r->config.chain, hash, &status);
        if (e != OK) {
            return replica_fail(r, e, "executing a block: %s", chain_error(r->config.chain));
        }
        if (status == CHAIN_INVALID) {
            char hex[2 * HASH_LEN + 1];
            hex_encode(header.state_root, HASH_LEN, hex);
            return replica_fail(r, ERR_DIVERGED,
                                "block %llu is final with state root %s and does not execute to it (%s)",
                                (unsigned long long)header.height, hex, chain_error(r->config.chain));
        }
        if (status != CHAIN_VALID) {
            return OK;
        }
    }
    *out_height = reached;
    return OK;
}

/* Makes what a range proves ours. `*out_good`: it was what it claims to be; when it adds nothing all the same (no room
 * for a block now), it is asked for again. */
static enum err use_range(struct replica *r, uint16_t peer, const struct peer_blocks *blocks, bool *out_good) {
    struct block_header last;
    uint8_t hash[HASH_LEN];
    uint64_t view, reached;
    *out_good = range_is_final(r, blocks, &last, hash, &view);
    if (!*out_good) {
        return OK;
    }
    enum err e = execute_range(r, blocks->bodies, &reached);
    if (e != OK || reached < next_height(r)) {
        return e;
    }
    ASSERT(reached <= last.height);
    r->peers[peer].strikes = 0;
    if (blocks->bodies.count >= FAR_BEHIND) {
        r->caught_up_ms = r->mono_ms;
    }
    if (reached < last.height) {
        r->proven_height = reached;
        return OK;
    }
    e = replica_decide(r, hash, last.height, blocks->finalization);
    if (e != OK) {
        return e;
    }
    struct consensus_event event = {.kind = EVENT_SYNCED, .from = r->peers[peer].index};
    event.u.synced.view = view;
    event.u.synced.closes = block_header_closes(&last);
    memcpy(event.u.synced.hash, hash, HASH_LEN);
    event.u.synced.certificate = blocks->finalization;
    return replica_feed(r, &event);
}

/* Takes the answers that have come, in the order of their heights, as far as they join. What the other validators made
 * final behind a closing block is verified once its epoch has begun. */
static enum err use_answers(struct replica *r) {
    struct fetch *fetch;
    enum err e = OK;
    while (e == OK && !consensus_closed(r->core) && (fetch = fetch_of(r, next_height(r))) != NULL && fetch->answered) {
        struct peer_message answer = fetch->answer;
        uint16_t peer = fetch->peer;
        bool good;
        fetch->answer = (struct peer_message){0};
        drop_fetch(fetch);
        e = use_range(r, peer, &answer.u.blocks, &good);
        peer_free(&answer);
        if (e == OK && !good) {
            r->messages_bad++;
            r->peers[peer].strikes = STRIKES_OF_LIAR; /* this was no loss on the way */
            strike(r, peer);
        }
    }
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (r->fetches[i].used && r->fetches[i].first < next_height(r)) {
            drop_fetch(&r->fetches[i]); /* votes, or a longer range, went past it */
        }
    }
    return e;
}

/* ---- Asking ------------------------------------------------------------------------------------------------------ */

/* The next peer in turn that claims this height; false when nobody does. */
static bool next_peer(struct replica *r, uint64_t height) {
    for (size_t i = 1; i <= REPLICA_PEERS_MAX; i++) {
        uint16_t peer = (uint16_t)((r->fetch_peer + i) % REPLICA_PEERS_MAX);
        if (r->peers[peer].known && r->peers[peer].height >= height && !is_shunned(r, &r->peers[peer])) {
            r->fetch_peer = peer;
            return true;
        }
    }
    return false;
}

static enum err ask_range(struct replica *r, struct fetch *fetch) {
    ASSERT(fetch->used && !fetch->answered && fetch->first > r->decided_height);
    if (!next_peer(r, fetch->first)) {
        drop_fetch(fetch);
        return OK;
    }
    fetch->peer = r->fetch_peer;
    fetch->asked_ms = r->mono_ms;
    fetch->asked[fetch->peer / 8] |= (uint8_t)(1u << fetch->peer % 8);
    struct peer_message ask = {.kind = PEER_BLOCKS_ASK, .u.blocks_ask.first_height = fetch->first};
    return replica_post(r, TO_PEER, fetch->peer, &ask);
}

/* Each time nobody answered the wait doubles: a slow link must get its chance. */
static uint64_t fetch_deadline(const struct replica *r, const struct fetch *fetch) {
    uint32_t tries = fetch->tries < FETCH_BACKOFF_MAX ? fetch->tries : FETCH_BACKOFF_MAX;
    return fetch->asked_ms + ((uint64_t)r->config.timing.fetch_retry_ms << tries);
}

static enum err ask_again(struct replica *r) {
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        struct fetch *fetch = &r->fetches[i];
        if (!fetch->used || fetch->answered || r->mono_ms < fetch_deadline(r, fetch)) {
            continue;
        }
        strike(r, fetch->peer);
        if (++fetch->tries % FETCH_TRIES_OF_ALL == 0) {
            r->proven_height = 0;
        }
        enum err e = ask_range(r, fetch);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

/* The lowest range is always under way; others follow it at the distance of what one answer holds at most. */
static enum err ask_ahead(struct replica *r) {
    uint64_t best = claimed_height(r), first = next_height(r);
    for (size_t i = 0; i < FETCHES_MAX && first <= best; i++, first += PEER_BODIES_MAX) {
        struct fetch *free_fetch = NULL;
        for (size_t k = 0; k < FETCHES_MAX && free_fetch == NULL; k++) {
            free_fetch = r->fetches[k].used ? NULL : &r->fetches[k];
        }
        if (fetch_of(r, first) != NULL) {
            continue;
        }
        if (free_fetch == NULL && i == 0) {
            free_fetch = &r->fetches[FETCHES_MAX - 1]; /* what is needed next goes before what may be of use later */
            drop_fetch(free_fetch);
        }
        if (free_fetch == NULL) {
            break;
        }
        *free_fetch = (struct fetch){.used = true, .first = first};
        enum err e = ask_range(r, free_fetch);
        if (e != OK) {
            return e;
        }
    }
    return OK;
}

enum err replica_catch_up(struct replica *r) {
    enum err e = use_answers(r);
    if (e != OK || consensus_closed(r->core)) {
        return e;
    }
    if (claimed_height(r) <= r->decided_height) {
        r->behind_since_ms = 0;
        replica_drop_fetches(r);
        return OK;
    }
    if (r->behind_since_ms == 0 || r->mono_ms < r->behind_since_ms + patience(r)) {
        return OK;
    }
    e = ask_again(r);
    return e == OK ? ask_ahead(r) : e;
}

bool replica_far_behind(const struct replica *r) {
    return replica_believed_height(r) > r->decided_height + PEER_BODIES_MAX;
}

bool replica_catching_up(const struct replica *r) {
    bool takes_many = r->caught_up_ms != 0 && r->mono_ms < r->caught_up_ms + CATCHING_UP_MS;
    return takes_many || replica_believed_height(r) > r->decided_height + FAR_BEHIND;
}

uint64_t replica_catchup_deadline(const struct replica *r) {
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        const struct fetch *fetch = &r->fetches[i];
        if (fetch->used && !fetch->answered && fetch_deadline(r, fetch) < deadline) {
            deadline = fetch_deadline(r, fetch);
        }
    }
    if (deadline == UINT64_MAX && r->behind_since_ms != 0) {
        deadline = r->behind_since_ms + patience(r);
        deadline = deadline > r->mono_ms ? deadline : r->mono_ms + r->config.timing.fetch_retry_ms;
    }
    return deadline;
}

/* An answer is known by its first height; it may come later than the next peer was asked. */
enum err replica_take_blocks(struct replica *r, uint16_t peer, struct peer_message *message) {
    const struct peer_blocks *blocks = &message->u.blocks;
    struct block_header first;
    uint8_t hash[HASH_LEN];
    if (blocks->bodies.count == 0 || block_peek(blocks->bodies.items[0], &first, hash) != OK) {
        r->messages_bad++;
        return OK;
    }
    struct fetch *fetch = fetch_of(r, first.height);
    if (fetch == NULL || fetch->answered || (fetch->asked[peer / 8] >> peer % 8 & 1) == 0) {
        return OK;
    }
    ASSERT(fetch->answer.memory == NULL); /* or what it holds would be lost */
    fetch->answered = true;
    fetch->peer = peer;
    if (blocks->height > r->peers[peer].height) {
        replica_take_status(r, peer, blocks->height);
    }
    fetch->answer = *message;
    *message = (struct peer_message){.kind = PEER_BLOCKS};
    return replica_catch_up(r);
}
