/* Blocks that break one rule each and keep all others. A Byzantine leader runs the ledger's execution without the rules
 * around it, so hashes, heights and roots are those of what it made up, and only the rule itself can refuse it. */
#include "tests/sim/sim.h"

#include "base/merkle.h"
#include "node/ledger/chain_internal.h"

#include <stdlib.h>
#include <string.h>

#define DRAFT_TXS_MAX 16
#define HOUR_MS 3600000u

struct draft {
    struct sim_node *node;
    struct sim_random *random;
    struct block_header header; /* as the leader's own true block of the view has it */
    const struct block_header *parent;
    struct sim_forged *out;
    struct buffer txs;
    uint8_t leaves[DRAFT_TXS_MAX][SHA256_LEN];
    size_t count;
    bool whole;     /* out->body is the block: nothing is executed */
    size_t flipped; /* offset in the header of a bit that is turned at the end; 0: none */
};

/* ---- Execution without rules ------------------------------------------------------------------------------------- */

static bool branch_above(const struct chain *chain, const uint8_t parent[HASH_LEN], struct branch *out) {
    struct kv_layer *newest_first[LIMIT_UNFINAL_DEPTH];
    const struct candidate *c = chain_is_head(chain, parent) ? NULL : chain_candidate(chain, parent);
    if (c == NULL && !chain_is_head(chain, parent)) {
        return false;
    }
    *out = (struct branch){.root = c != NULL ? c->root : chain->root,
                           .header = c != NULL ? c->block.header : chain->head.header};
    for (; c != NULL; c = chain_candidate(chain, c->block.header.parent)) {
        if (c->status != CHAIN_VALID || out->count == LIMIT_UNFINAL_DEPTH) {
            return false;
        }
        newest_first[out->count++] = c->layer;
    }
    for (size_t i = 0; i < out->count; i++) {
        out->layers[i] = newest_first[out->count - 1 - i];
    }
    return out->count < LIMIT_UNFINAL_DEPTH;
}

static enum err execute(struct chain *chain, struct branch *branch, const struct block *block,
                        struct block_header *header) {
    struct kv_layer *layer;
    struct kv_view *view;
    struct execution_result result;
    struct chain_epoch *next = NULL;
    enum err e = chain_open_above(chain, branch, &layer, &view);
    if (e != OK) {
        return e;
    }
    struct execution x = chain_execution(chain, view, layer, branch->root, header->height, header->time_ms);
    e = execute_block(&x, block->txs, block->tx_count, &result);
    e = e == OK ? chain_epoch_after(chain, view, header->height, &next) : e;
    if (e == OK) {
        memcpy(header->state_root, result.root.hash, HASH_LEN);
        memcpy(header->receipts_root, result.receipts_root, HASH_LEN);
        memcpy(header->next_validators_hash, next != NULL ? next->hash : chain->epoch.hash, HASH_LEN);
    }
    kv_view_close(view);
    kv_layer_unref(layer);
    free(next);
    return e;
}

static void write_header(const struct draft *d, struct buffer *body) {
    block_header_encode(&d->header, body->data);
    if (d->flipped != 0) {
        body->data[d->flipped] ^= 1;
    }
}

/* Fills in what follows from the transactions. */
static bool finish(struct draft *d) {
    struct buffer *body = &d->out->body;
    struct branch branch;
    struct block block;
    merkle_root(d->leaves, d->count, d->header.tx_root);
    (void)buffer_extend(body, BLOCK_HEADER_LEN);
    buffer_u32(body, (uint32_t)d->count);
    buffer_put(body, d->txs.data, d->txs.len);
    if (buffer_ok(body) != OK || !branch_above(d->node->chain, d->header.parent, &branch)) {
        return false;
    }
    write_header(d, body);
    if (block_decode(buffer_bytes(body), &block) != OK) {
        return false;
    }
    enum err e = execute(d->node->chain, &branch, &block, &d->header);
    block_free(&block);
    write_header(d, body);
    return e == OK;
}

/* ---- Transactions ------------------------------------------------------------------------------------------------ */

static void put(struct draft *d, struct bytes envelope) {
    if (d->count < DRAFT_TXS_MAX) {
        buffer_u32(&d->txs, (uint32_t)envelope.len);
        buffer_put(&d->txs, envelope.data, envelope.len);
        merkle_leaf(envelope, d->leaves[d->count++]);
    }
}

/* A new one for the chain with that id, which ends at that time. */
static bool put_new(struct draft *d, const uint8_t *id, uint64_t expiry_ms, bool signed_well) {
    struct buffer envelope = BUFFER_INIT;
    bool made = sim_work_envelope(d->random, id, expiry_ms, &envelope) == OK;
    if (made) {
        envelope.data[envelope.len - 1 - sim_below(d->random, SIG_LEN)] ^= signed_well ? 0 : 1;
        put(d, buffer_bytes(&envelope));
    }
    buffer_free(&envelope);
    return made;
}

static const uint8_t *own_id(const struct draft *d) {
    return chain_id(d->node->chain);
}

static uint64_t soon(const struct draft *d) {
    return d->header.time_ms + 20000;
}

static bool bad_signature(struct draft *d) {
    return put_new(d, own_id(d), soon(d), true) && put_new(d, own_id(d), soon(d), false);
}

static bool doubled(struct draft *d) {
    struct buffer envelope = BUFFER_INIT;
    bool made = sim_work_envelope(d->random, own_id(d), soon(d), &envelope) == OK;
    for (int i = 0; made && i < 2; i++) {
        put(d, buffer_bytes(&envelope));
        made = i > 0 || put_new(d, own_id(d), soon(d), true);
    }
    buffer_free(&envelope);
    return made;
}

/* One that is final already, and still good for as long as it says. */
static bool repeated(struct draft *d) {
    const struct sim_world *w = d->node->world;
    for (uint64_t i = 0, from = sim_below(d->random, SIM_HOARD); i < SIM_HOARD; i++) {
        const struct buffer *old = &w->sent[(from + i) % SIM_HOARD];
        struct transaction tx;
        if (old->len > 0 && transaction_decode(buffer_bytes(old), &tx, NULL) == OK &&
            tx.expiry_ms > d->header.time_ms && sim_oracle_knows_tx(w, tx.id)) {
            put(d, buffer_bytes(old));
            return true;
        }
    }
    return false;
}

static bool expired(struct draft *d) {
    return put_new(d, own_id(d), d->header.time_ms - sim_below(d->random, 5) * 400, true);
}

static bool untimely(struct draft *d) {
    uint64_t least = chain_params(d->node->chain)->tx_max_lifetime_ms;
    least = sim_chance(d->random, 500) ? least : LIMIT_TX_LIFETIME_MS;
    return put_new(d, own_id(d), d->header.time_ms + least + 1 + sim_below(d->random, HOUR_MS), true);
}

static bool foreign(struct draft *d) {
    uint8_t other[CHAIN_ID_LEN];
    memcpy(other, own_id(d), sizeof other);
    other[sim_below(d->random, sizeof other)] ^= 4;
    return put_new(d, other, soon(d), true);
}

/* Only where the organisations made blocks small. */
static bool too_many(struct draft *d) {
    uint32_t limit = chain_params(d->node->chain)->max_block_txs;
    bool made = limit < DRAFT_TXS_MAX;
    for (uint32_t i = 0; made && i <= limit; i++) {
        made = put_new(d, own_id(d), soon(d), true);
    }
    return made;
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

static bool other_proposer(struct draft *d) {
    uint16_t n = d->node->chain->epoch.count;
    d->header.proposer = (uint16_t)((d->header.proposer + 1 + sim_below(d->random, n)) % (n + 1u));
    return d->header.proposer < n && d->header.proposer != d->header.view % n;
}

static bool not_later(struct draft *d) {
    d->header.time_ms = d->parent->time_ms - sim_below(d->random, 3) * 700;
    return true;
}

static bool far_ahead(struct draft *d) {
    d->header.time_ms += 5000 + sim_below(d->random, HOUR_MS);
    return true;
}

/* A time that suits the parent and nobody's clock. */
static bool far_behind(struct draft *d) {
    bool old = d->header.time_ms > d->parent->time_ms + 40000;
    d->header.time_ms = d->parent->time_ms + 2 + sim_below(d->random, 3000);
    return old;
}

static bool view_ahead(struct draft *d) {
    d->header.view += 1 + sim_below(d->random, 8);
    return true;
}

static bool wrong_height(struct draft *d) {
    d->header.height += sim_chance(d->random, 500) ? 1 : 2;
    return true;
}

static bool flip(struct draft *d, size_t offset) {
    d->flipped = offset + (size_t)sim_below(d->random, HASH_LEN);
    return true;
}

static bool other_receipts(struct draft *d) {
    return flip(d, 131);
}

static bool other_state(struct draft *d) {
    return flip(d, 163);
}

static bool other_set(struct draft *d) {
    return flip(d, 195);
}

static bool other_next_set(struct draft *d) {
    return flip(d, 227);
}

/* ---- Blocks that were there before ------------------------------------------------------------------------------- */

static bool take_whole(struct draft *d, struct bytes body) {
    d->whole = true;
    buffer_put(&d->out->body, body.data, body.len);
    return body.len > 0;
}

/* The parent, which closes nothing, once more: as only a closing block may be. */
static bool again(struct draft *d) {
    struct chain *chain = d->node->chain;
    struct buffer final = BUFFER_INIT;
    struct bytes body = chain_body(chain, d->header.parent);
    if (d->parent->height == 0 || block_header_closes(d->parent) || d->parent->epoch != d->header.epoch) {
        return false;
    }
    if (body.len == 0 && chain_read(chain, d->parent->height, &final, NULL) == OK) {
        body = buffer_bytes(&final);
    }
    bool taken = take_whole(d, body);
    buffer_free(&final);
    return taken;
}

/* The block that closed the epoch before, as if it still had to be made final. */
static bool old_closing(struct draft *d) {
    struct chain *chain = d->node->chain;
    struct buffer final = BUFFER_INIT;
    uint64_t height = chain_epoch(chain)->closing_height;
    bool taken = height > 0 && chain_read(chain, height, &final, NULL) == OK && take_whole(d, buffer_bytes(&final));
    buffer_free(&final);
    return taken;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

struct forgery {
    const char *name;
    bool (*make)(struct draft *draft);
    bool sure; /* whatever clocks and parameters are, nobody may vote for it */
    enum sim_counter counter;
};

static const struct forgery forgeries[] = {
    {"a transaction that was executed before", repeated, true, COUNT_FORGED_REPEATED},
    {"more transactions than allowed", too_many, false, COUNT_FORGED_TOO_MANY},
    {"a time far behind", far_behind, true, COUNT_FORGED_BEHIND},
    {"an ordinary block proposed again", again, false, COUNT_FORGED_AGAIN},
    {"the closing block of an earlier epoch", old_closing, false, COUNT_FORGED_OLD_CLOSING},
    {"a transaction with a bad signature", bad_signature, true, COUNT_FORGED_SIGNATURE},
    {"a transaction twice", doubled, true, COUNT_FORGED_DOUBLED},
    {"an expired transaction", expired, true, COUNT_FORGED_EXPIRED},
    {"an untimely transaction", untimely, false, COUNT_FORGED_UNTIMELY},
    {"a transaction of another chain", foreign, true, COUNT_FORGED_FOREIGN},
    {"another proposer", other_proposer, true, COUNT_FORGED_PROPOSER},
    {"a time that is not later than the parent's", not_later, true, COUNT_FORGED_NOT_LATER},
    {"a time far ahead", far_ahead, false, COUNT_FORGED_AHEAD},
    {"a view to come", view_ahead, true, COUNT_FORGED_VIEW},
    {"a wrong height", wrong_height, true, COUNT_FORGED_HEIGHT},
    {"another receipts root", other_receipts, true, COUNT_FORGED_ROOT},
    {"another state root", other_state, true, COUNT_FORGED_ROOT},
    {"another validator set", other_set, true, COUNT_FORGED_SET},
    {"another next validator set", other_next_set, true, COUNT_FORGED_SET},
};

#define RARE 5 /* the first ones: what they need is seldom there */
#define FORGERIES (sizeof forgeries / sizeof forgeries[0])

static bool try_one(struct sim_node *node, const struct block_header *like, const struct forgery *f,
                    struct sim_forged *out) {
    struct draft d = {.node = node, .random = &node->tricks, .header = *like, .out = out};
    d.parent = chain_header(node->chain, like->parent);
    bool made = d.parent != NULL && f->make(&d) && (d.whole || finish(&d));
    buffer_free(&d.txs);
    if (made) {
        out->name = f->name;
        out->sure = f->sure;
        sim_count(node->world, f->counter);
        sim_trace(node->world, "node %u forges: %s", node->number, f->name);
    }
    return made;
}

/* Some need what is not there at the moment: then another. */
bool sim_forge(struct sim_node *node, const struct block_header *like, struct sim_forged *out) {
    uint64_t only = node->world->options.forge_kind;
    bool made = false;
    for (size_t tries = 0; tries < 2 * FORGERIES && !made; tries++) {
        size_t among = tries < RARE && sim_chance(&node->tricks, 300) ? RARE : FORGERIES;
        const struct forgery *f = &forgeries[only != 0 ? tries % FORGERIES : sim_below(&node->tricks, among)];
        buffer_reset(&out->body);
        made = (only == 0 || f->counter == only) && try_one(node, like, f, out);
    }
    return made;
}

/* ---- Bodies that only fill tables -------------------------------------------------------------------------------- */

/* A block on a parent that nobody knows: nobody can execute it, and it takes `bytes` of room where it is held. */
bool sim_forge_orphan(struct sim_node *node, uint64_t view, uint64_t height, uint64_t bytes, struct buffer *out) {
    static uint8_t args[LIMIT_TX_BYTES - 512];
    const struct chain *chain = node->chain;
    uint8_t public_key[ED25519_KEY_LEN], secret[ED25519_SECRET_LEN];
    const uint8_t(*secrets[])[ED25519_SECRET_LEN] = {(const uint8_t(*)[ED25519_SECRET_LEN]) & secret};
    struct draft d = {.node = node, .random = &node->tricks};
    struct buffer envelope = BUFFER_INIT;
    sim_person(0, public_key, secret);
    bytes = bytes < LIMIT_BLOCK_BYTES - 4096 ? bytes : LIMIT_BLOCK_BYTES - 4096;
    size_t count = (size_t)(bytes / LIMIT_TX_BYTES) + 1;
    uint8_t(*leaves)[SHA256_LEN] = malloc(count * sizeof *leaves);
    for (size_t i = 0; i < count; i++) {
        struct transaction_draft tx = {
            .chain_id = chain->id, .expiry_ms = 1, .contract = "device", .method = "register"};
        tx.args = bytes_of(args, (size_t)(bytes / count) < sizeof args ? (size_t)(bytes / count) : sizeof args);
        store_u64(tx.salt, sim_next(&node->tricks));
        buffer_reset(&envelope);
        if (transaction_build(&tx, secrets, 1, &envelope) == OK) {
            buffer_u32(&d.txs, (uint32_t)envelope.len);
            buffer_put(&d.txs, envelope.data, envelope.len);
            merkle_leaf(buffer_bytes(&envelope), leaves[i]);
        }
    }
    struct block_header header = {.height = height,
                                  .epoch = chain->epoch.number,
                                  .view = view,
                                  .time_ms = chain->head.header.time_ms + 1,
                                  .proposer = (uint16_t)(view % chain->epoch.count)};
    memcpy(header.chain_id, chain->id, CHAIN_ID_LEN);
    memcpy(header.validators_hash, chain->epoch.hash, HASH_LEN);
    memcpy(header.next_validators_hash, chain->epoch.hash, HASH_LEN);
    store_u64(header.parent, sim_next(&node->tricks));
    merkle_root(leaves, count, header.tx_root);
    uint8_t *place = buffer_extend(out, BLOCK_HEADER_LEN);
    if (place != NULL) {
        block_header_encode(&header, place);
    }
    buffer_u32(out, (uint32_t)count);
    buffer_put(out, d.txs.data, d.txs.len);
    free(leaves);
    buffer_free(&envelope);
    buffer_free(&d.txs);
    return buffer_ok(out) == OK;
}
