#include "node/ledger/chain_internal.h"

#include "base/assert.h"
#include "base/merkle.h"
#include "contracts/governance/governance.h"
#include "contracts/governance/governance_params.h"
#include "node/ledger/mempool.h"

#include <stdlib.h>
#include <string.h>

/* ---- Execution --------------------------------------------------------------------------------------------------- */

/* False when an ancestor is missing or was not executed. */
static bool branch_of(const struct chain *chain, const uint8_t parent[HASH_LEN], struct branch *out) {
    out->count = 0;
    if (chain_is_head(chain, parent)) {
        out->root = chain->root;
        out->due = chain->due;
        out->header = chain->head.header;
        return true;
    }
    const struct candidate *c = chain_candidate(chain, parent);
    if (c == NULL || c->status != CHAIN_VALID) {
        return false;
    }
    out->root = c->root;
    out->due = c->due;
    out->header = c->block.header;
    struct kv_layer *newest_first[LIMIT_UNFINAL_DEPTH];
    size_t n = 0;
    while (c != NULL) {
        ASSERT(n < LIMIT_UNFINAL_DEPTH && c->status == CHAIN_VALID);
        newest_first[n++] = c->layer;
        c = chain_is_head(chain, c->block.header.parent) ? NULL : chain_candidate(chain, c->block.header.parent);
    }
    for (size_t i = 0; i < n; i++) {
        out->layers[i] = newest_first[n - 1 - i];
    }
    out->count = n;
    return true;
}

/* Was this id executed before, as far as the view reaches? */
static enum err tx_is_used(struct kv_view *view, const uint8_t id[HASH_LEN], bool *out_used) {
    struct bytes value;
    enum err e = kv_get(view, KV_TXS, bytes_of(id, HASH_LEN), &value);
    if (e != OK && e != ERR_NOTFOUND) {
        return e;
    }
    *out_used = e == OK;
    return OK;
}

bool chain_tx_is_timely(const struct genesis_params *params, const struct transaction *tx, uint64_t time_ms) {
    return tx->expiry_ms > time_ms && tx->expiry_ms - time_ms <= params->tx_max_lifetime_ms;
}

/* The parameters of a block are those its parent's state holds. A protocol version of the future ends the node: it
 * could only guess what the others will execute. */
static enum err params_of_parent(struct chain *chain, struct kv_view *view, uint64_t height,
                                 struct genesis_params *out) {
    struct state state = state_of_view(view);
    struct params_record record;
    bool found = false;
    uint32_t version = 0;
    enum err e = params_get(&state, &record, &found);
    if (e == OK && !found) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        e = governance_protocol_at(&state, height, &version);
    }
    if (e != OK) {
        return chain_fail(chain, e, "the parameters of block %llu cannot be read", (unsigned long long)height);
    }
    if (version > CHAIN_PROTOCOL_VERSION) {
        return chain_fail(chain, ERR_UNSUPPORTED,
                          "block %llu needs protocol version %u and this program knows %u: install a newer assayd",
                          (unsigned long long)height, (unsigned)version, CHAIN_PROTOCOL_VERSION);
    }
    *out = record.params;
    return OK;
}

static int compare_ids(const void *a, const void *b) {
    const struct transaction *const *x = a;
    const struct transaction *const *y = b;
    return memcmp((*x)->id, (*y)->id, HASH_LEN);
}

static enum err has_duplicates(const struct block *block, bool *out) {
    const struct transaction **sorted = malloc((block->tx_count + 1) * sizeof *sorted);
    if (sorted == NULL) {
        return ERR_NOMEM;
    }
    for (size_t i = 0; i < block->tx_count; i++) {
        sorted[i] = &block->txs[i];
    }
    qsort(sorted, block->tx_count, sizeof *sorted, compare_ids);
    *out = false;
    for (size_t i = 1; i < block->tx_count; i++) {
        *out = *out || compare_ids(&sorted[i - 1], &sorted[i]) == 0;
    }
    free(sorted);
    return OK;
}

/* What the mempool knows needs no second check, and what is checked here it knows from then on. */
static bool signatures_good(struct chain *chain, const struct transaction *tx) {
    return chain->mempool != NULL ? mempool_proves(chain->mempool, tx) : transaction_check_signatures(tx) == OK;
}

/* Why this transaction may not stand in a block of that time; `*out_why` is NULL when it may. While replaying our own
 * log the signatures were checked before the block was written. */
static enum err judge_tx(struct chain *chain, struct kv_view *view, const struct genesis_params *params,
                         const struct transaction *tx, uint64_t time_ms, const char **out_why) {
    bool used = false;
    *out_why = NULL;
    if (memcmp(tx->chain_id, chain->id, CHAIN_ID_LEN) != 0) {
        *out_why = "is for another chain";
    } else if (tx->expiry_ms <= time_ms) {
        *out_why = "has expired";
    } else if (!chain_tx_is_timely(params, tx, time_ms)) {
        *out_why = "expires too far ahead";
    }
    enum err e = *out_why == NULL ? tx_is_used(view, tx->id, &used) : OK;
    if (used) {
        *out_why = "was executed before";
    }
    if (e == OK && *out_why == NULL && !chain->replaying && !signatures_good(chain, tx)) {
        *out_why = "has a bad signature";
    }
    return e;
}

/* The rules a block's transactions must meet before they are run; the reason stands in the chain's error. */
static enum err txs_are_admissible(struct chain *chain, struct kv_view *view, const struct block *block, bool *out) {
    unsigned long long height = block->header.height;
    struct genesis_params params = {0};
    bool twice = false;
    *out = false;
    enum err e = params_of_parent(chain, view, block->header.height, &params);
    if (e != OK) {
        return e;
    }
    if (block->tx_count > params.max_block_txs || block->encoded.len > params.max_block_bytes) {
        return chain_fail(chain, OK, "block %llu is over the chain's limits: %zu transactions, %zu bytes", height,
                          block->tx_count, block->encoded.len);
    }
    e = has_duplicates(block, &twice);
    if (e != OK || twice) {
        return e != OK ? e : chain_fail(chain, OK, "block %llu holds a transaction twice", height);
    }
    for (size_t i = 0; i < block->tx_count; i++) {
        const char *why;
        e = judge_tx(chain, view, &params, &block->txs[i], block->header.time_ms, &why);
        if (e != OK || why != NULL) {
            return e != OK ? e : chain_fail(chain, OK, "block %llu: transaction %zu %s", height, i, why);
        }
    }
    *out = true;
    return OK;
}

/* Which rule of linkage the header breaks; NULL when it follows its parent. */
static const char *header_fault(const struct chain *chain, const struct block_header *h,
                                const struct block_header *parent) {
    if (h->height != parent->height + 1) {
        return "its height is not its parent's plus one";
    }
    if (h->epoch != chain->epoch.number) {
        return "it is of another epoch";
    }
    if (h->epoch == parent->epoch && block_header_closes(parent)) {
        return "its parent closed the epoch";
    }
    if (h->view <= (h->epoch == parent->epoch ? parent->view : 0)) {
        return "its view is not above its parent's";
    }
    if (h->time_ms <= parent->time_ms) {
        return "its time is not above its parent's";
    }
    if (h->proposer >= chain->epoch.count) {
        return "its proposer is no validator";
    }
    return memcmp(h->validators_hash, chain->epoch.hash, HASH_LEN) != 0 ? "it names another validator set" : NULL;
}

struct execution chain_execution(struct chain *chain, struct kv_view *view, struct kv_layer *layer,
                                 struct tree_root parent, uint64_t height, uint64_t time_ms) {
    return (struct execution){.crypto = chain->crypto,
                              .chain_id = chain->id,
                              .view = view,
                              .layer = layer,
                              .cache = chain->cache,
                              .parent_root = parent,
                              .next_node_id = &chain->next_node_id,
                              .height = height,
                              .time_ms = time_ms,
                              .budget = {LIMIT_OPERATION_WRITES, LIMIT_OPERATION_NOTES, LIMIT_OPERATION_BYTES},
                              .due = &chain->due};
}

enum err chain_open_above(struct chain *chain, struct branch *branch, struct kv_layer **out_layer,
                          struct kv_view **out_view) {
    struct kv_layer *layer;
    ASSERT(branch->count <= LIMIT_UNFINAL_DEPTH); /* behind the ancestors' layers there is one place more */
    enum err e = kv_layer_new(&layer);
    if (e != OK) {
        return e;
    }
    branch->layers[branch->count] = layer;
    e = kv_view_open_above(chain->kv, branch->layers, branch->count + 1, out_view);
    if (e != OK) {
        kv_layer_unref(layer);
        return e;
    }
    *out_layer = layer;
    return OK;
}

/* What executing a block gives beside its writes. */
struct outcome {
    struct execution_result result;
    struct due_heads due;
    struct chain_epoch *next; /* NULL: the validator set stays */
};

static enum err run_block(struct chain *chain, struct kv_view *view, struct kv_layer *layer,
                          const struct branch *parent, const struct block *block, struct outcome *out) {
    const struct block_header *h = &block->header;
    struct execution x = chain_execution(chain, view, layer, parent->root, h->height, h->time_ms);
    struct state state = state_of_view(view);
    x.due = &parent->due; /* from the head's, each block would step over what all before it worked off */
    out->due = parent->due;
    enum err e = execute_block(&x, block->txs, block->tx_count, &out->result);
    if (e == OK) {
        e = due_heads_move(&out->due, &state, h->time_ms);
    }
    return e == OK ? chain_epoch_after(chain, view, h->height, &out->next) : e;
}

static const uint8_t *next_hash(const struct chain *chain, const struct chain_epoch *next) {
    return next != NULL ? next->hash : chain->epoch.hash;
}

/* Are the roots, and the set that follows, those the header states? If not, the chain's error shows what came out here:
 * what a divergence has to be understood from. */
static bool roots_equal(struct chain *chain, const struct block_header *h, const struct outcome *outcome) {
    const struct execution_result *r = &outcome->result;
    char hex[2 * HASH_LEN + 1];
    const char *which = NULL;
    if (memcmp(h->state_root, r->root.hash, HASH_LEN) != 0) {
        which = "state root";
        hex_encode(r->root.hash, HASH_LEN, hex);
    } else if (memcmp(h->receipts_root, r->receipts_root, HASH_LEN) != 0) {
        which = "receipts root";
        hex_encode(r->receipts_root, HASH_LEN, hex);
    } else if (memcmp(h->next_validators_hash, next_hash(chain, outcome->next), HASH_LEN) != 0) {
        which = "next validator set";
        hex_encode(next_hash(chain, outcome->next), HASH_LEN, hex);
    }
    if (which != NULL) {
        (void)chain_fail(chain, OK, "block %llu: its %s is not the one that executing it gives, %s",
                         (unsigned long long)h->height, which, hex);
    }
    return which == NULL;
}

/* Runs a candidate whose header follows its parent. `*out_good`: it keeps every rule, and has its layer and root. */
static enum err execute_candidate(struct chain *chain, struct candidate *c, struct branch *branch, bool *out_good) {
    const struct block_header *h = &c->block.header;
    struct kv_layer *layer;
    struct kv_view *view;
    struct outcome outcome = {0};
    bool good = false;
    ASSERT(c->status == CHAIN_HELD && c->layer == NULL && c->next == NULL); /* a block is executed once */
    enum err e = chain_open_above(chain, branch, &layer, &view);
    if (e != OK) {
        return e;
    }
    e = txs_are_admissible(chain, view, &c->block, &good);
    if (e == OK && good) {
        e = run_block(chain, view, layer, branch, &c->block, &outcome);
        good = e == OK && roots_equal(chain, h, &outcome);
    }
    kv_view_close(view);
    if (e != OK || !good) {
        kv_layer_unref(layer);
        free(outcome.next);
        *out_good = false;
        return e;
    }
    c->layer = layer;
    c->root = outcome.result.root;
    c->due = outcome.due;
    c->next = outcome.next;
    *out_good = true;
    return OK;
}

enum err chain_execute(struct chain *chain, const uint8_t hash[HASH_LEN], enum chain_status *out_status) {
    struct candidate *c = chain_candidate(chain, hash);
    if (c == NULL || c->status != CHAIN_HELD) {
        *out_status = c != NULL ? c->status : chain_status(chain, hash);
        return OK;
    }
    unsigned long long height = c->block.header.height;
    struct branch branch;
    enum err e = OK;
    bool good = false;
    if (!branch_of(chain, c->block.header.parent, &branch)) {
        const struct candidate *parent = chain_candidate(chain, c->block.header.parent);
        if (parent == NULL || parent->status != CHAIN_INVALID) {
            *out_status = CHAIN_HELD;
            return OK;
        }
        (void)chain_fail(chain, OK, "block %llu: its parent is invalid", height);
    } else if (branch.count > 0 && block_header_closes(&branch.header) &&
               c->block.header.epoch == branch.header.epoch + 1) {
        *out_status = CHAIN_HELD; /* its epoch begins once the parent is final */
        return OK;
    } else {
        const char *fault = header_fault(chain, &c->block.header, &branch.header);
        if (fault != NULL) {
            (void)chain_fail(chain, OK, "block %llu: %s", height, fault);
        } else {
            e = execute_candidate(chain, c, &branch, &good);
        }
    }
    if (e == OK) {
        c->status = good ? CHAIN_VALID : CHAIN_INVALID;
        *out_status = c->status;
    }
    return e;
}

/* ---- Building ------------------------------------------------------------------------------------------------- */

struct gathering {
    struct kv_view *view;
    const struct genesis_params *params;
    uint64_t time_ms;
    struct buffer *body;
    uint8_t (*leaves)[SHA256_LEN];
    size_t count;
    enum err error;
};

static bool gather(void *arg, const struct transaction *tx) {
    struct gathering *g = arg;
    if (g->count == g->params->max_block_txs) {
        return false;
    }
    if (g->body->len + 4 + tx->envelope.len > g->params->max_block_bytes ||
        !chain_tx_is_timely(g->params, tx, g->time_ms)) {
        return true;
    }
    bool used;
    g->error = tx_is_used(g->view, tx->id, &used);
    if (g->error != OK) {
        return false;
    }
    if (!used) {
        buffer_u32(g->body, (uint32_t)tx->envelope.len);
        buffer_put(g->body, tx->envelope.data, tx->envelope.len);
        merkle_leaf(tx->envelope, g->leaves[g->count++]);
        g->error = buffer_ok(g->body);
    }
    return g->error == OK;
}

/* `crowded`: what stands above the head is to become final before there is more of it. */
static enum err gather_txs(struct chain *chain, struct kv_view *view, bool crowded, struct block_header *header,
                           struct buffer *body) {
    struct genesis_params params = {0};
    enum err e = params_of_parent(chain, view, header->height, &params);
    if (e != OK) {
        return e;
    }
    (void)buffer_extend(body, BLOCK_HEADER_LEN);
    buffer_u32(body, 0);
    uint8_t(*leaves)[SHA256_LEN] = malloc((params.max_block_txs + 1u) * sizeof *leaves);
    if (leaves == NULL || body->failed) {
        free(leaves);
        return ERR_NOMEM;
    }
    struct gathering g = {
        .view = view, .params = &params, .time_ms = header->time_ms, .body = body, .leaves = leaves, .error = OK};
    if (chain->mempool != NULL && !crowded) {
        mempool_each(chain->mempool, gather, &g);
    }
    if (g.error == OK) {
        store_u32(body->data + BLOCK_HEADER_LEN, (uint32_t)g.count);
        merkle_root(leaves, g.count, header->tx_root);
        block_header_encode(header, body->data);
    }
    free(leaves);
    return g.error;
}

/* Fills in the roots that only execution gives and holds the finished block as a valid candidate. */
static enum err hold_built(struct chain *chain, struct block_header *header, const struct outcome *outcome,
                           struct buffer *body, struct kv_layer *layer, uint8_t out_hash[HASH_LEN]) {
    memcpy(header->state_root, outcome->result.root.hash, HASH_LEN);
    memcpy(header->receipts_root, outcome->result.receipts_root, HASH_LEN);
    memcpy(header->next_validators_hash, next_hash(chain, outcome->next), HASH_LEN);
    ASSERT(block_header_closes(header) == (outcome->next != NULL));
    block_header_encode(header, body->data);
    uint8_t hash[HASH_LEN];
    block_header_hash(chain->crypto, body->data, hash);
    struct candidate *c = chain_candidate(chain, hash);
    if (c != NULL) { /* built the very same block before */
        kv_layer_unref(layer);
        free(outcome->next);
        memcpy(out_hash, hash, HASH_LEN);
        return OK;
    }
    const struct chain_offer own = {.worth = CHAIN_WORTH_WANTED, .payer = header->proposer};
    enum err e = chain_candidate_take(chain, buffer_bytes(body), &own, &c);
    if (e != OK) {
        kv_layer_unref(layer);
        free(outcome->next);
        return e;
    }
    c->layer = layer;
    c->root = outcome->result.root;
    c->due = outcome->due;
    c->next = outcome->next;
    c->status = CHAIN_VALID;
    memcpy(out_hash, c->hash, HASH_LEN);
    return OK;
}

/* `header` is as far as it can be told without the transactions. */
static enum err build_on(struct chain *chain, struct branch *branch, struct block_header header, bool empty,
                         uint8_t out_hash[HASH_LEN]) {
    struct kv_layer *layer;
    struct kv_view *view;
    enum err e = chain_open_above(chain, branch, &layer, &view);
    if (e != OK) {
        return e;
    }
    struct buffer body = BUFFER_INIT;
    struct block draft = {0};
    struct outcome outcome = {0};
    e = gather_txs(chain, view, empty, &header, &body);
    if (e == OK) {
        e = block_decode(buffer_bytes(&body), &draft);
    }
    if (e == OK) {
        e = run_block(chain, view, layer, branch, &draft, &outcome);
    }
    kv_view_close(view);
    block_free(&draft);
    if (e == OK) {
        e = hold_built(chain, &header, &outcome, &body, layer, out_hash);
    } else {
        kv_layer_unref(layer);
    }
    buffer_free(&body);
    return e;
}

enum err chain_build(struct chain *chain, const uint8_t parent[HASH_LEN], uint64_t view_number, uint16_t proposer,
                     uint64_t wall_ms, uint8_t out_hash[HASH_LEN]) {
    struct branch branch;
    ASSERT(proposer < chain->epoch.count); /* only a validator is asked for a block */
    if (!branch_of(chain, parent, &branch) || (branch.count > 0 && block_header_closes(&branch.header))) {
        return ERR_NOTFOUND;
    }
    if (branch.count >= LIMIT_UNFINAL_DEPTH) {
        return ERR_FULL;
    }
    struct block_header header = {
        .height = branch.header.height + 1,
        .epoch = chain->epoch.number,
        .view = view_number,
        .time_ms = block_next_time(&branch.header, wall_ms),
        .proposer = proposer,
    };
    memcpy(header.chain_id, chain->id, CHAIN_ID_LEN);
    memcpy(header.parent, parent, HASH_LEN);
    memcpy(header.validators_hash, chain->epoch.hash, HASH_LEN);
    /* Half of what voters allow, for theirs may be counted from a head that is behind ours. */
    bool crowded = chain_unfinal_bytes(chain, parent) > chain->limits.unfinal_bytes / 2;
    enum err e = build_on(chain, &branch, header, crowded, out_hash);
    /* Where a full block finds no room, an empty one does. */
    return e == ERR_FULL && !crowded ? build_on(chain, &branch, header, true, out_hash) : e;
}
