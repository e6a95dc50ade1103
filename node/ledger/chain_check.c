/* The chain's invariants: what it keeps at hand against what its store and its log hold, and the blocks above the head
 * against each other. The table of candidates costs next to nothing to look at; the store is read for the rest. */
#include "node/ledger/chain_internal.h"

#include "contracts/governance/governance.h"
#include "node/ledger/mempool.h"
#include "node/ledger/state_view.h"
#include "store/kv_layer.h"

#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b) {
    return memcmp(a, b, HASH_LEN) == 0;
}

/* ---- Candidates -------------------------------------------------------------------------------------------------- */

/* What was executed stands on what was executed, down to the head, and names what executing it gave. */
static bool check_valid(const struct chain *chain, const struct candidate *c, struct why *why) {
    const struct block_header *h = &c->block.header, *parent = chain_header(chain, h->parent);
    unsigned long long height = h->height;
    bool on_head = chain_is_head(chain, h->parent);
    if (parent == NULL || (!on_head && chain_status(chain, h->parent) != CHAIN_VALID)) {
        return why_not(why, "candidate %llu was executed and its parent was not", height);
    }
    if (h->height != parent->height + 1 || h->time_ms <= parent->time_ms ||
        (h->epoch == parent->epoch && h->view <= parent->view)) {
        return why_not(why, "candidate %llu, of view %llu, does not follow its parent %llu, of view %llu", height,
                       (unsigned long long)h->view, (unsigned long long)parent->height,
                       (unsigned long long)parent->view);
    }
    if (!on_head && block_header_closes(parent)) {
        return why_not(why, "candidate %llu was executed on one that closes epoch %llu and is not final", height,
                       (unsigned long long)parent->epoch);
    }
    if (h->epoch != chain->epoch.number || !same(h->validators_hash, chain->epoch.hash) ||
        h->proposer >= chain->epoch.count) {
        return why_not(why, "candidate %llu is of epoch %llu and was executed in epoch %llu", height,
                       (unsigned long long)h->epoch, (unsigned long long)chain->epoch.number);
    }
    if (c->layer == NULL || kv_layer_refs(c->layer) != 1) {
        return why_not(why, "the writes of candidate %llu are held by %u, and are its own", height,
                       c->layer != NULL ? kv_layer_refs(c->layer) : 0);
    }
    if (!same(c->root.hash, h->state_root) || c->root.id >= chain->next_node_id || c->due.time_ms != h->time_ms) {
        return why_not(why, "candidate %llu keeps the root of another state, node %llu of %llu", height,
                       (unsigned long long)c->root.id, (unsigned long long)chain->next_node_id);
    }
    if ((c->next != NULL) != block_header_closes(h)) {
        return why_not(why, "candidate %llu %s its epoch and has %s next set", height,
                       block_header_closes(h) ? "closes" : "does not close", c->next != NULL ? "a" : "no");
    }
    if (c->next != NULL && (c->next->number != h->epoch + 1 || c->next->closing_height != h->height ||
                            !same(c->next->hash, h->next_validators_hash))) {
        return why_not(why, "candidate %llu closes epoch %llu, and what follows is epoch %llu of block %llu", height,
                       (unsigned long long)h->epoch, (unsigned long long)c->next->number,
                       (unsigned long long)c->next->closing_height);
    }
    return true;
}

static bool check_candidate(const struct chain *chain, const struct candidate *c, struct why *why) {
    uint64_t height = c->block.header.height, head = chain->head.header.height;
    if (height <= head || height - head > LIMIT_UNFINAL_DEPTH) {
        return why_not(why, "a candidate of height %llu stands above head %llu", (unsigned long long)height,
                       (unsigned long long)head);
    }
    if (c->block.encoded.data != c->encoded || !same(c->hash, c->block.hash) || chain_candidate(chain, c->hash) != c) {
        return why_not(why, "candidate %llu is not found by its hash, or its body is not its own",
                       (unsigned long long)height);
    }
    if (c->status == CHAIN_VALID) {
        return check_valid(chain, c, why);
    }
    if ((c->status != CHAIN_HELD && c->status != CHAIN_INVALID) || c->layer != NULL || c->next != NULL) {
        return why_not(why, "candidate %llu has results and its status is %d", (unsigned long long)height, c->status);
    }
    return true;
}

static bool check_candidates(const struct chain *chain, struct why *why) {
    size_t bytes = 0;
    for (size_t i = 0; i < CHAIN_CANDIDATES; i++) {
        const struct candidate *c = &chain->candidates[i];
        if (c->status == CHAIN_UNKNOWN) {
            continue;
        }
        if (i >= chain->limits.candidates) {
            return why_not(why, "place %zu of %zu candidates is taken", i, chain->limits.candidates);
        }
        if (!check_candidate(chain, c, why)) {
            return false;
        }
        bytes += c->block.encoded.len;
    }
    return (bytes == chain->candidate_bytes && bytes <= chain->limits.candidate_bytes) ||
           why_not(why, "candidates hold %zu bytes, %zu are counted, %zu allowed", bytes, chain->candidate_bytes,
                   chain->limits.candidate_bytes);
}

/* ---- The head ---------------------------------------------------------------------------------------------------- */

static bool check_head(const struct chain *chain, struct why *why) {
    const struct block_header *h = &chain->head.header;
    unsigned long long height = h->height, last = seglog_last(chain->log), synced = chain->synced_height;
    if (chain->replaying || last != height || synced > last) {
        return why_not(why, "the block log ends at %llu, is durable to %llu, and the head is %llu", last, synced,
                       height);
    }
    if (!same(h->state_root, chain->root.hash) || chain->root.id >= chain->next_node_id) {
        return why_not(why, "the tree of the head is node %llu of %llu, or not the one that block %llu names",
                       (unsigned long long)chain->root.id, (unsigned long long)chain->next_node_id, height);
    }
    if (chain->provable_from > height || chain->due.time_ms != h->time_ms) {
        return why_not(why, "trees are whole from %llu on and dues known at %llu; the head is %llu at %llu",
                       (unsigned long long)chain->provable_from, (unsigned long long)chain->due.time_ms, height,
                       (unsigned long long)h->time_ms);
    }
    bool closed = block_header_closes(h);
    const struct chain_epoch *epoch = &chain->epoch;
    if (epoch->number != h->epoch + closed || !same(epoch->hash, h->next_validators_hash) || epoch->count == 0 ||
        epoch->count > LIMIT_VALIDATORS ||
        (closed ? epoch->closing_height != height : epoch->closing_height > height)) {
        return why_not(why, "epoch %llu, from block %llu on, does not follow head %llu, which %s epoch %llu",
                       (unsigned long long)epoch->number, (unsigned long long)epoch->closing_height, height,
                       closed ? "closed" : "is of", (unsigned long long)h->epoch);
    }
    return true;
}

/* ---- What the state says ----------------------------------------------------------------------------------------- */

static bool check_stored_head(const struct chain *chain, struct kv_view *view, struct why *why) {
    struct chain_store_head stored;
    struct bytes value;
    enum err e = chain_store_head(chain->crypto, view, &stored);
    if (e != OK || kv_get(view, KV_META, bytes_str(CHAIN_META_HEAD), &value) != OK) {
        return why_not(why, "the store's head can't be read: %s", err_text(e));
    }
    const uint8_t *facts = value.data + 8 + HASH_LEN + 8 + HASH_LEN;
    unsigned long long next_id = load_u64(facts), from = load_u64(facts + 8);
    if (!same(stored.hash, chain->head.hash) || stored.header.height != chain->head.header.height ||
        stored.root.id != chain->root.id || !same(stored.root.hash, chain->root.hash)) {
        return why_not(why, "the store's head is %llu with tree %llu, the chain's %llu with tree %llu",
                       (unsigned long long)stored.header.height, (unsigned long long)stored.root.id,
                       (unsigned long long)chain->head.header.height, (unsigned long long)chain->root.id);
    }
    if (next_id <= stored.root.id || next_id > chain->next_node_id || from != chain->provable_from) {
        return why_not(why, "the store goes on with node %llu and proves from %llu, the chain with %llu from %llu",
                       next_id, from, (unsigned long long)chain->next_node_id,
                       (unsigned long long)chain->provable_from);
    }
    return true;
}

/* The head and the lowest height that can be proven have their roots by height. */
static bool check_roots(const struct chain *chain, struct kv_view *view, struct why *why) {
    const uint64_t heights[] = {chain->head.header.height, chain->provable_from};
    for (size_t i = 0; i < sizeof heights / sizeof heights[0]; i++) {
        uint8_t key[8];
        struct bytes value;
        struct block_entry entry;
        store_u64(key, heights[i]);
        if (kv_get(view, KV_ROOTS, bytes_of(key, sizeof key), &value) != OK || value.len != 8 + HASH_LEN ||
            block_entry_get(view, heights[i], &entry, NULL) != OK || !same(value.data + 8, entry.header.state_root)) {
            return why_not(why, "height %llu can be proven, and has no root or another than its block names",
                           (unsigned long long)heights[i]);
        }
    }
    return true;
}

static bool check_epoch(const struct chain *chain, struct kv_view *view, struct why *why) {
    struct chain_epoch stored;
    const struct chain_epoch *now = &chain->epoch;
    uint8_t keys[LIMIT_VALIDATORS][KEY_LEN];
    uint16_t count = 0;
    struct state state = state_of_view(view);
    enum err e = chain_epoch_get(chain->crypto, view, now->number, &stored);
    e = e == OK ? governance_validators(&state, keys, &count) : e;
    if (e != OK || stored.closing_height != now->closing_height || !same(stored.hash, now->hash)) {
        return why_not(why, "epoch %llu of block %llu is not the stored one: %s", (unsigned long long)now->number,
                       (unsigned long long)now->closing_height, err_text(e));
    }
    return (count == now->count && memcmp(keys, now->keys, (size_t)count * KEY_LEN) == 0) ||
           why_not(why, "the state names %u validators, which are not the %u of epoch %llu", count, now->count,
                   (unsigned long long)now->number);
}

static bool params_equal(const struct genesis_params *a, const struct genesis_params *b) {
    return a->heartbeat_ms == b->heartbeat_ms && a->max_block_txs == b->max_block_txs &&
           a->max_block_bytes == b->max_block_bytes && a->tx_max_lifetime_ms == b->tx_max_lifetime_ms &&
           a->vote_threshold_percent == b->vote_threshold_percent && a->protocol_version == b->protocol_version;
}

static bool check_params(const struct chain *chain, struct kv_view *view, struct why *why) {
    struct state state = state_of_view(view);
    struct params_record record;
    struct due_heads due = {.time_ms = 0};
    bool found = false;
    enum err e = params_get(&state, &record, &found);
    if (e != OK || !found || !params_equal(&record.params, &chain->params)) {
        return why_not(why, "the parameters kept at hand are not those of the head's state: %s", err_text(e));
    }
    e = due_heads_move(&due, &state, 0);
    uint64_t due_ms = due_heads_next(&due);
    if (e != OK || due_ms != due_heads_next(&chain->due)) {
        return why_not(why, "the next item is due at %llu and expected at %llu: %s", (unsigned long long)due_ms,
                       (unsigned long long)due_heads_next(&chain->due), err_text(e));
    }
    return true;
}

struct waiting {
    struct kv_view *view;
    size_t place;
    bool found;
};

static bool is_not_final(void *arg, const struct transaction *tx) {
    struct waiting *w = arg;
    struct bytes value;
    w->found = kv_get(w->view, KV_TXS, bytes_of(tx->id, HASH_LEN), &value) == OK;
    w->place += !w->found;
    return !w->found;
}

/* What is final does not wait for a block, where it would take a place until it expires. */
static bool check_mempool(const struct chain *chain, struct kv_view *view, struct why *why) {
    struct waiting w = {.view = view};
    if (chain->mempool != NULL) {
        mempool_each(chain->mempool, is_not_final, &w);
    }
    return !w.found || why_not(why, "transaction %zu of the mempool is final", w.place);
}

/* ---- Layers and log ---------------------------------------------------------------------------------------------- */

struct layer_walk {
    struct why *why;
    uint64_t floor; /* height of the checkpoint */
    uint64_t next;  /* height of the block that is to come; 0: any */
    bool frozen;    /* a checkpoint runs: it may be in the floor already */
    bool sound;
};

static enum err next_block(void *arg, struct bytes key, struct bytes value) {
    struct layer_walk *w = arg;
    uint64_t height = key.len == 8 ? load_u64(key.data) : 0;
    bool follows = w->next != 0 ? height == w->next : height <= w->floor + 1 && (w->frozen || height > w->floor);
    w->next = height + 1;
    w->sound = follows && value.data != NULL;
    return w->sound ? OK : ERR_INVALID;
}

/* Block by block, and the last one's facts on top. */
static bool check_layer(void *arg, const struct kv_layer *layer, bool frozen) {
    struct layer_walk *w = arg;
    const struct bytes head = bytes_str(CHAIN_META_HEAD);
    struct bytes facts;
    uint64_t before = w->next;
    w->frozen = w->frozen || frozen;
    if (kv_layer_each(layer, KV_BLOCKS, next_block, w) != OK) {
        w->sound =
            why_not(w->why, "block %llu stands in the layers, above the checkpoint at %llu, where not it follows",
                    (unsigned long long)w->next - 1, (unsigned long long)w->floor);
        return false;
    }
    if (w->next != before && (kv_layer_find(layer, KV_META, head, kv_key_hash(KV_META, head), &facts) != KV_PRESENT ||
                              load_u64(facts.data) != w->next - 1)) {
        w->sound = why_not(w->why, "a layer ends with block %llu and says that the head is another",
                           (unsigned long long)w->next - 1);
    }
    return w->sound;
}

/* The layers hold one block after the other from the checkpoint to the head. */
static bool check_layers(const struct chain *chain, uint64_t floor, struct why *why) {
    struct layer_walk w = {.why = why, .floor = floor, .sound = true};
    kv_layers_each(chain->kv, check_layer, &w);
    uint64_t end = w.next != 0 ? w.next - 1 : floor, head = chain->head.header.height;
    return w.sound && (end == head || why_not(why, "the layers end at %llu and the head is %llu",
                                              (unsigned long long)end, (unsigned long long)head));
}

/* The checkpoint never knows more than is durable in the log, and the log has every body that is said to be kept, which
 * is every one that somebody who joins would need. */
static bool check_log(const struct chain *chain, struct kv_view *view, uint64_t floor, struct why *why) {
    uint64_t first = seglog_first(chain->log), bodies = 0, window = 0;
    if (floor > chain->synced_height) {
        return why_not(why, "the checkpoint is at %llu and the block log durable to %llu", (unsigned long long)floor,
                       (unsigned long long)chain->synced_height);
    }
    enum err e = chain_store_bodies(view, &bodies);
    e = e == OK ? chain_store_window(view, &chain->head.header, &window) : e;
    return (e == OK && first <= bodies && bodies <= window) ||
           why_not(why, "the log begins at %llu, bodies are kept from %llu, ids count from %llu: %s",
                   (unsigned long long)first, (unsigned long long)bodies, (unsigned long long)window, err_text(e));
}

static bool check_floor(const struct chain *chain, struct kv_view *view, struct why *why) {
    struct kv_view *floor;
    struct chain_store_head head;
    enum err e = kv_view_open_floor(chain->kv, &floor);
    if (e == OK) {
        e = chain_store_head(chain->crypto, floor, &head);
        kv_view_close(floor);
    }
    if (e != OK) {
        return why_not(why, "the checkpoint can't be read: %s", err_text(e));
    }
    return check_layers(chain, head.header.height, why) && check_log(chain, view, head.header.height, why);
}

bool chain_check(const struct chain *chain, bool store, struct why *out_why) {
    if (!check_head(chain, out_why) || !check_candidates(chain, out_why)) {
        return false;
    }
    struct kv_view *view;
    if (!store) {
        return true;
    }
    enum err e = kv_view_open(chain->kv, &view);
    if (e != OK) {
        return why_not(out_why, "the store can't be read: %s", err_text(e));
    }
    bool sound = kv_check(chain->kv, true, out_why) && check_stored_head(chain, view, out_why) &&
                 check_roots(chain, view, out_why) && check_epoch(chain, view, out_why) &&
                 check_params(chain, view, out_why) && check_mempool(chain, view, out_why) &&
                 check_floor(chain, view, out_why);
    kv_view_close(view);
    return sound;
}
