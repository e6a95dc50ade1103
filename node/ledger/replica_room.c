/* Room above the head: the replica tells the chain what its blocks are worth, for the core knows their certificates,
 * and tells the core which of them had to go. */
#include "node/ledger/replica_internal.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

/* ---- What a block is worth --------------------------------------------------------------------------------------- */

static enum chain_worth worth_of(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    static const enum chain_worth worth[] = {
        [STANDING_OVER] = CHAIN_WORTH_NOTHING,        [STANDING_PROPOSED] = CHAIN_WORTH_OFFERED,
        [STANDING_CURRENT] = CHAIN_WORTH_WANTED,      [STANDING_DOUBTFUL] = CHAIN_WORTH_WANTED,
        [STANDING_NOTARIZED] = CHAIN_WORTH_NOTARIZED, [STANDING_FINAL] = CHAIN_WORTH_FINAL,
    };
    const struct replica *r = ctx;
    if (r->core == NULL || header->epoch != r->epoch.number) {
        return header->epoch < r->epoch.number ? CHAIN_WORTH_NOTHING : CHAIN_WORTH_OFFERED;
    }
    return worth[consensus_standing(r->core, header->view, hash, block_header_closes(header))];
}

static void block_went(void *ctx, const struct block_header *header, const uint8_t hash[HASH_LEN]) {
    struct replica *r = ctx;
    struct gone gone = {.view = header->view, .closes = block_header_closes(header)};
    memcpy(gone.hash, hash, HASH_LEN);
    memcpy(gone.parent, header->parent, HASH_LEN);
    buffer_put(&r->gone, &gone, sizeof gone);
}

void replica_judge_blocks(struct replica *r) {
    const struct chain_judge judge = {.worth = worth_of, .gone = block_went, .ctx = r};
    chain_set_judge(r->config.chain, &judge);
}

bool replica_next_gone(struct replica *r, struct consensus_event *out) {
    struct gone gone;
    ASSERT(r->gone.len % sizeof gone == 0);
    while (r->gone.len >= sizeof gone) {
        r->gone.len -= sizeof gone;
        memcpy(&gone, r->gone.data + r->gone.len, sizeof gone);
        if (chain_status(r->config.chain, gone.hash) != CHAIN_UNKNOWN) {
            continue; /* it came back meanwhile */
        }
        *out = (struct consensus_event){.kind = EVENT_BLOCK, .from = CONSENSUS_ALL};
        memcpy(out->u.block.hash, gone.hash, HASH_LEN);
        memcpy(out->u.block.parent, gone.parent, HASH_LEN);
        out->u.block.view = gone.view;
        out->u.block.closes = gone.closes;
        out->u.block.state = BLOCK_WANTED;
        return true;
    }
    return false;
}

/* ---- No room ----------------------------------------------------------------------------------------------------- */

void replica_note_room(struct replica *r, bool has_room, const char *what) {
    if (!has_room && !r->crowded) {
        char text[192];
        const struct chain_head *head = chain_head(r->config.chain);
        (void)snprintf(text, sizeof text,
                       "%s: too much stands above height %llu without being final; it goes on once finalize votes come",
                       what, (unsigned long long)head->header.height);
        replica_alarm(r, "unfinal-full", text);
    }
    r->crowded = !has_room;
}

bool replica_is_crowded(struct replica *r, const uint8_t hash[HASH_LEN]) {
    struct consensus_status status;
    consensus_status(r->core, &status);
    if (r->me == CONSENSUS_OBSERVER) {
        return false; /* it gives no votes */
    }
    const struct block_header *h = chain_header(r->config.chain, hash);
    ASSERT(h != NULL); /* it was executed a moment ago */
    bool crowded = h->view == status.view && h->proposer != r->me && chain_is_crowded(r->config.chain, hash);
    if (crowded) {
        replica_note_room(r, false, "this node gives a proposal no vote");
    }
    return crowded;
}
