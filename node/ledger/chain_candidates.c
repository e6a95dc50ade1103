/* The blocks above the head: a table with bounds, and who gives way when it is full.
 *
 * A block is worth what whoever judges it says (chain_set_judge), and at least as much as the most that stands on it.
 * What is worth less gives way to what is worth more; among equals that only a proposer vouches for, whoever holds the
 * most bytes pays. A block on which an executed one stands stays as long as that does: its state is made of both. */
#include "node/ledger/chain_internal.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(CHAIN_CANDIDATES >= LIMIT_UNFINAL_DEPTH, "the longest chain of unfinal blocks has room");
_Static_assert(CHAIN_UNFINAL_BYTES <= CHAIN_CANDIDATE_BYTES / 2,
               "what is voted on leaves room for what is only offered");

static size_t limit_of(size_t configured, size_t most) {
    return configured != 0 && configured < most ? configured : most;
}

struct chain_limits chain_limits_of(const struct chain_limits *configured) {
    ASSERT(configured->candidates == 0 || configured->candidates >= LIMIT_UNFINAL_DEPTH);
    return (struct chain_limits){
        .candidates = limit_of(configured->candidates, CHAIN_CANDIDATES),
        .candidate_bytes = limit_of(configured->candidate_bytes, CHAIN_CANDIDATE_BYTES),
        .proposer_bytes = limit_of(configured->proposer_bytes, CHAIN_PROPOSER_BYTES),
        .unfinal_bytes = limit_of(configured->unfinal_bytes, CHAIN_UNFINAL_BYTES),
    };
}

void chain_set_judge(struct chain *chain, const struct chain_judge *judge) {
    chain->judge = *judge;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

struct candidate *chain_candidate(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        const struct candidate *c = &chain->candidates[i];
        if (c->status != CHAIN_UNKNOWN && memcmp(c->hash, hash, HASH_LEN) == 0) {
            return (struct candidate *)(uintptr_t)c;
        }
    }
    return NULL;
}

static struct candidate *free_slot(struct chain *chain) {
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        if (chain->candidates[i].status == CHAIN_UNKNOWN) {
            return &chain->candidates[i];
        }
    }
    return NULL;
}

void chain_candidate_drop(struct chain *chain, struct candidate *c) {
    ASSERT(c->status != CHAIN_UNKNOWN && c->block.encoded.len <= chain->candidate_bytes);
    chain->candidate_bytes -= c->block.encoded.len;
    block_free(&c->block);
    free(c->encoded);
    free(c->next);
    kv_layer_unref(c->layer);
    memset(c, 0, sizeof *c);
}

void chain_candidates_drop_all(struct chain *chain) {
    for (size_t i = 0; i < CHAIN_CANDIDATES; i++) {
        if (chain->candidates[i].status != CHAIN_UNKNOWN) {
            chain_candidate_drop(chain, &chain->candidates[i]);
        }
    }
}

/* ---- Room -------------------------------------------------------------------------------------------------------- */

/* What stands in each place of the table is worth while room is looked for. */
struct ranking {
    enum chain_worth worth[CHAIN_CANDIDATES];
    bool carries[CHAIN_CANDIDATES]; /* an executed block stands on it */
};

static enum chain_worth judge(const struct chain *chain, const struct block_header *header, const uint8_t *hash) {
    return chain->judge.worth != NULL ? chain->judge.worth(chain->judge.ctx, header, hash) : CHAIN_WORTH_NOTHING;
}

#define NO_PARENT CHAIN_CANDIDATES

/* Where the parent of each stands in the table. */
static void find_parents(const struct chain *chain, size_t out[CHAIN_CANDIDATES]) {
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        const struct candidate *c = &chain->candidates[i];
        const struct candidate *parent =
            c->status != CHAIN_UNKNOWN ? chain_candidate(chain, c->block.header.parent) : NULL;
        out[i] = parent != NULL ? (size_t)(parent - chain->candidates) : NO_PARENT;
    }
}

/* A block is worth what the most valuable one that stands on it is. A round a generation settles it, at most. */
static void rank(const struct chain *chain, struct ranking *out) {
    size_t parents[CHAIN_CANDIDATES];
    memset(out, 0, sizeof *out);
    find_parents(chain, parents);
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        const struct candidate *c = &chain->candidates[i];
        if (c->status == CHAIN_HELD || c->status == CHAIN_VALID) {
            enum chain_worth judged = judge(chain, &c->block.header, c->hash);
            out->worth[i] = judged > c->worth ? judged : c->worth;
        }
    }
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < chain->limits.candidates; i++) {
            size_t at = parents[i];
            if (at == NO_PARENT) {
                continue;
            }
            bool raises = out->worth[at] < out->worth[i] && chain->candidates[at].status != CHAIN_INVALID;
            bool carries = chain->candidates[i].status == CHAIN_VALID && !out->carries[at];
            out->worth[at] = raises ? out->worth[i] : out->worth[at];
            out->carries[at] = out->carries[at] || carries;
            changed = changed || raises || carries;
        }
    }
}

/* Bytes that this one has offered and that nothing else speaks for. */
static size_t offered_by(const struct chain *chain, const struct ranking *ranking, uint16_t payer) {
    size_t bytes = 0;
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        const struct candidate *c = &chain->candidates[i];
        bool counts = c->status != CHAIN_UNKNOWN && c->payer == payer && ranking->worth[i] <= CHAIN_WORTH_OFFERED;
        bytes += counts ? c->block.encoded.len : 0;
    }
    return bytes;
}

/* May what stands at a place go for the offer? `*out_held` tells how much its payer holds, for the choice among them.
 */
static bool gives_way(const struct chain *chain, const struct ranking *ranking, size_t at,
                      const struct chain_offer *offer, size_t offered, size_t *out_held) {
    const struct candidate *c = &chain->candidates[at];
    if (c->status == CHAIN_UNKNOWN || ranking->carries[at]) {
        return false;
    }
    *out_held = offered_by(chain, ranking, c->payer);
    return ranking->worth[at] < offer->worth ||
           (offer->worth == CHAIN_WORTH_OFFERED && ranking->worth[at] == CHAIN_WORTH_OFFERED &&
            c->payer != offer->payer && *out_held > offered);
}

/* Of what is worth least, the oldest of whoever holds most. */
static struct candidate *victim(struct chain *chain, const struct ranking *ranking, const struct chain_offer *offer,
                                size_t offered) {
    size_t best = CHAIN_CANDIDATES, best_held = 0;
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        size_t held = 0;
        if (!gives_way(chain, ranking, i, offer, offered, &held)) {
            continue;
        }
        bool first = best == CHAIN_CANDIDATES;
        bool less = !first && ranking->worth[i] < ranking->worth[best];
        bool equal = !first && ranking->worth[i] == ranking->worth[best];
        bool older = equal && held == best_held &&
                     chain->candidates[i].block.header.view < chain->candidates[best].block.header.view;
        if (first || less || (equal && held > best_held) || older) {
            best = i;
            best_held = held;
        }
    }
    return best < CHAIN_CANDIDATES ? &chain->candidates[best] : NULL;
}

/* The oldest block that this payer has offered and that nothing stands on. */
static struct candidate *oldest_of(struct chain *chain, const struct ranking *ranking, uint16_t payer) {
    struct candidate *oldest = NULL;
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        struct candidate *c = &chain->candidates[i];
        bool counts = c->status != CHAIN_UNKNOWN && c->payer == payer && !ranking->carries[i] &&
                      ranking->worth[i] <= CHAIN_WORTH_OFFERED;
        if (counts && (oldest == NULL || c->block.header.view < oldest->block.header.view)) {
            oldest = c;
        }
    }
    return oldest;
}

static void evict(struct chain *chain, struct candidate *c) {
    ASSERT(c->status != CHAIN_UNKNOWN);
    if (chain->judge.gone != NULL) {
        chain->judge.gone(chain->judge.ctx, &c->block.header, c->hash);
    }
    chain_candidate_drop(chain, c);
}

static bool is_held_child(const struct candidate *c, const uint8_t *parent) {
    return c->status == CHAIN_HELD && memcmp(c->block.header.parent, parent, HASH_LEN) == 0;
}

/* What a newcomer is worth: as offered, as judged, or as what waits for it as its parent. */
static enum chain_worth newcomers_worth(const struct chain *chain, const struct block_header *header,
                                        const uint8_t *hash, enum chain_worth offered) {
    struct ranking ranking;
    uint16_t payer;
    enum chain_worth judged = judge(chain, header, hash), worth = judged > offered ? judged : offered;
    if (!chain_payer_of(chain, hash, &payer)) {
        return worth;
    }
    rank(chain, &ranking);
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        bool waits = is_held_child(&chain->candidates[i], hash);
        worth = waits && ranking.worth[i] > worth ? ranking.worth[i] : worth;
    }
    return worth;
}

/* A free slot, and room for so many bytes; ERR_FULL when nothing that is worth less is left to go. */
static enum err make_room(struct chain *chain, size_t len, const struct chain_offer *offer, struct candidate **out) {
    struct ranking ranking;
    ASSERT(chain->candidate_bytes <= chain->limits.candidate_bytes);
    for (;;) {
        struct candidate *slot = free_slot(chain);
        bool fits = slot != NULL && len <= chain->limits.candidate_bytes - chain->candidate_bytes;
        bool all_in_one_budget = chain->candidate_bytes + len <= chain->limits.proposer_bytes; /* nobody is over his */
        if (fits && (all_in_one_budget || offer->worth > CHAIN_WORTH_OFFERED)) {
            *out = slot;
            return OK;
        }
        rank(chain, &ranking);
        size_t offered = offered_by(chain, &ranking, offer->payer);
        struct candidate *goes = NULL;
        if (offer->worth <= CHAIN_WORTH_OFFERED && offered + len > chain->limits.proposer_bytes) {
            goes = oldest_of(chain, &ranking, offer->payer);
        } else if (fits) {
            *out = slot;
            return OK;
        } else {
            goes = victim(chain, &ranking, offer, offered + len);
            goes = goes == NULL && offered > 0 ? oldest_of(chain, &ranking, offer->payer) : goes;
        }
        if (goes == NULL) {
            return ERR_FULL;
        }
        evict(chain, goes);
    }
}

/* ---- Taking and looking ------------------------------------------------------------------------------------------ */

bool chain_is_head(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    return memcmp(chain->head.hash, hash, HASH_LEN) == 0;
}

enum err chain_candidate_take(struct chain *chain, struct bytes encoded, const struct chain_offer *offer,
                              struct candidate **out) {
    if (encoded.len > LIMIT_BLOCK_BYTES) {
        return ERR_TOOLARGE;
    }
    uint8_t *copy = malloc(encoded.len + 1);
    if (copy == NULL) {
        return ERR_NOMEM;
    }
    if (encoded.len > 0) {
        memcpy(copy, encoded.data, encoded.len);
    }
    struct block block;
    struct candidate *c = NULL;
    enum err e = block_decode(bytes_of(copy, encoded.len), &block);
    if (e != OK) {
        free(copy);
        return e;
    }
    ASSERT(chain_candidate(chain, block.hash) == NULL); /* a block has one place, and whoever takes it looked */
    e = make_room(chain, encoded.len, offer, &c);
    if (e != OK) {
        block_free(&block);
        free(copy);
        return e;
    }
    *c = (struct candidate){
        .status = CHAIN_HELD, .block = block, .encoded = copy, .worth = offer->worth, .payer = offer->payer};
    memcpy(c->hash, block.hash, HASH_LEN);
    chain->candidate_bytes += encoded.len;
    ASSERT(chain->candidate_bytes <= chain->limits.candidate_bytes);
    *out = c;
    return OK;
}

enum err chain_add(struct chain *chain, struct bytes encoded, const struct chain_offer *offer,
                   uint8_t out_hash[HASH_LEN]) {
    struct block_header header;
    uint8_t hash[HASH_LEN];
    enum err e = block_peek(encoded, &header, hash);
    if (e != OK) {
        return e;
    }
    if (memcmp(header.chain_id, chain->id, CHAIN_ID_LEN) != 0) {
        return ERR_INVALID;
    }
    struct candidate *c = chain_candidate(chain, hash);
    if (c != NULL || chain_is_head(chain, hash)) {
        if (c != NULL && offer != NULL && offer->worth > c->worth) {
            c->worth = offer->worth;
        }
        memcpy(out_hash, hash, HASH_LEN);
        return ERR_DUPLICATE;
    }
    uint64_t final = chain->head.header.height;
    if (header.height <= final) {
        return ERR_INVALID;
    }
    if (header.height - final > LIMIT_UNFINAL_DEPTH) {
        return ERR_FULL;
    }
    ASSERT(!chain_is_head(chain, hash)); /* nor is it below: what is final is no candidate */
    struct chain_offer made = {.worth = CHAIN_WORTH_OFFERED, .payer = header.proposer};
    made = offer != NULL ? *offer : made;
    enum chain_worth floor = made.worth;
    made.worth = newcomers_worth(chain, &header, hash, floor);
    e = chain_candidate_take(chain, encoded, &made, &c);
    if (e == OK) {
        c->worth = floor; /* the rest is judged anew each time */
        memcpy(out_hash, hash, HASH_LEN);
    }
    return e;
}

bool chain_payer_of(const struct chain *chain, const uint8_t parent[HASH_LEN], uint16_t *out) {
    for (size_t i = 0; i < chain->limits.candidates; i++) {
        if (is_held_child(&chain->candidates[i], parent)) {
            *out = chain->candidates[i].payer;
            return true;
        }
    }
    return false;
}

enum chain_status chain_status(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    if (chain_is_head(chain, hash)) {
        return CHAIN_FINAL;
    }
    const struct candidate *c = chain_candidate(chain, hash);
    if (c != NULL) {
        return c->status;
    }
    return CHAIN_UNKNOWN;
}

const struct block_header *chain_header(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    if (chain_is_head(chain, hash)) {
        return &chain->head.header;
    }
    const struct candidate *c = chain_candidate(chain, hash);
    return c != NULL ? &c->block.header : NULL;
}

struct bytes chain_body(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    const struct candidate *c = chain_candidate(chain, hash);
    return c != NULL ? c->block.encoded : bytes_of(NULL, 0);
}

size_t chain_unfinal_bytes(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    size_t bytes = 0;
    for (const struct candidate *c = chain_candidate(chain, hash); c != NULL;
         c = chain_candidate(chain, c->block.header.parent)) {
        bytes += c->block.encoded.len;
    }
    return bytes;
}

bool chain_is_crowded(const struct chain *chain, const uint8_t hash[HASH_LEN]) {
    const struct candidate *c = chain_candidate(chain, hash);
    return c != NULL && c->block.tx_count > 0 && chain_unfinal_bytes(chain, hash) > chain->limits.unfinal_bytes;
}
