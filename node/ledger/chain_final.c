#include "node/ledger/chain_internal.h"

#include "base/assert.h"
#include "contracts/governance/governance.h"
#include "node/ledger/mempool.h"

#include <string.h>

/* At least this many stale tree nodes go with every block that makes versions too old; more when blocks leave more. */
#define PRUNE_NODES_PER_BLOCK 64
#define PRUNE_VERSIONS_PER_BLOCK 4

/* ---- What is written beside state ---- */

/* What later blocks and restarts must know beside state: the root by height, and where the node stands. */
enum err chain_put_facts(struct chain *chain, struct kv_layer *layer, uint64_t height, const uint8_t *hash,
                         const struct tree_root *root, uint64_t provable_from) {
    struct buffer b = BUFFER_INIT;
    uint8_t height_key[8];
    store_u64(height_key, height);
    buffer_u64(&b, root->id);
    buffer_put(&b, root->hash, sizeof root->hash);
    enum err e = buffer_ok(&b);
    if (e == OK) {
        e = kv_layer_put(layer, KV_ROOTS, bytes_of(height_key, sizeof height_key), buffer_bytes(&b));
    }
    buffer_reset(&b);
    buffer_u64(&b, height);
    buffer_put(&b, hash, HASH_LEN);
    buffer_u64(&b, root->id);
    buffer_put(&b, root->hash, sizeof root->hash);
    buffer_u64(&b, chain->next_node_id);
    buffer_u64(&b, provable_from);
    if (e == OK) {
        e = buffer_ok(&b);
    }
    if (e == OK) {
        e = kv_layer_put(layer, KV_META, bytes_str(CHAIN_META_HEAD), buffer_bytes(&b));
    }
    buffer_free(&b);
    return e;
}

enum err block_entry_get(struct kv_view *view, uint64_t height, struct block_entry *out,
                         struct bytes *out_encoded_header) {
    uint8_t key[8];
    store_u64(key, height);
    struct bytes value;
    enum err e = kv_get(view, KV_BLOCKS, bytes_of(key, sizeof key), &value);
    if (e != OK) {
        return e;
    }
    if (value.len < BLOCK_HEADER_LEN + 4 || block_header_decode(value.data, &out->header) != GOOD) {
        return ERR_CORRUPT;
    }
    out->tx_count = load_u32(value.data + BLOCK_HEADER_LEN);
    out->finalization = bytes_of(value.data + BLOCK_HEADER_LEN + 4, value.len - BLOCK_HEADER_LEN - 4);
    if (out_encoded_header != NULL) {
        *out_encoded_header = bytes_of(value.data, BLOCK_HEADER_LEN);
    }
    return OK;
}

/* ---- Finality ---------------------------------------------------------------------------------------------------- */

static enum err log_block(struct chain *chain, const struct candidate *c, struct bytes finalization) {
    if (chain->replaying) {
        return OK;
    }
    struct buffer record = BUFFER_INIT;
    buffer_u32(&record, (uint32_t)finalization.len);
    buffer_put(&record, finalization.data, finalization.len);
    buffer_put(&record, c->block.encoded.data, c->block.encoded.len);
    enum err e = buffer_ok(&record);
    uint64_t sequence = 0;
    if (e == OK) {
        e = seglog_append(chain->log, CHAIN_RECORD_BLOCK, buffer_bytes(&record), &sequence);
    }
    if (e != OK) {
        (void)chain_fail(chain, e, "block log: %s", seglog_error());
    } else {
        ASSERT(sequence == c->block.header.height);
    }
    buffer_free(&record);
    return e;
}

enum err block_entry_put(struct kv_layer *layer, uint64_t height, const uint8_t hash[HASH_LEN],
                         const uint8_t encoded_header[BLOCK_HEADER_LEN], uint32_t tx_count, struct bytes finalization) {
    uint8_t key[8];
    store_u64(key, height);
    struct buffer value = BUFFER_INIT;
    buffer_put(&value, encoded_header, BLOCK_HEADER_LEN);
    buffer_u32(&value, tx_count);
    buffer_put(&value, finalization.data, finalization.len);
    enum err e = buffer_ok(&value);
    if (e == OK) {
        e = kv_layer_put(layer, KV_BLOCKS, bytes_of(key, sizeof key), buffer_bytes(&value));
    }
    if (e == OK) {
        e = kv_layer_put(layer, KV_HASHES, bytes_of(hash, HASH_LEN), bytes_of(key, sizeof key));
    }
    buffer_free(&value);
    return e;
}

static enum err count_entry(void *arg, struct bytes key, struct bytes value) {
    (void)key;
    (void)value;
    (*(size_t *)arg)++;
    return OK;
}

/* Trees older than the keeping time lose their nodes, a bounded number at a time: up to twice what the new blocks leave
 * behind, so that pruning keeps up with any load. `path` is newest first, and its newest layer takes the deletions;
 * `*out_from` is the lowest height that is whole afterwards. */
static enum err prune_versions(struct chain *chain, struct candidate *const *path, size_t n, uint64_t *out_from) {
    struct kv_view *view;
    size_t made_stale = 0, pruned = 0;
    uint64_t now_ms = path[0]->block.header.time_ms;
    enum err e = OK;
    for (size_t i = 0; i < n && e == OK; i++) {
        e = kv_layer_each(path[i]->layer, KV_STALE, count_entry, &made_stale);
    }
    if (e == OK) {
        e = kv_view_open(chain->kv, &view);
    }
    if (e != OK) {
        return e;
    }
    uint64_t upto = chain->provable_from;
    for (size_t steps = 0; steps < PRUNE_VERSIONS_PER_BLOCK * n; steps++) {
        struct block_entry entry;
        e = block_entry_get(view, upto + 1, &entry, NULL);
        if (e != OK || entry.header.time_ms + chain->version_keep_ms > now_ms) {
            break;
        }
        upto++;
    }
    e = e == ERR_NOTFOUND ? OK : e;
    if (e == OK && upto > 0) {
        size_t limit = 2 * made_stale > PRUNE_NODES_PER_BLOCK ? 2 * made_stale : PRUNE_NODES_PER_BLOCK;
        e = tree_prune(view, upto, limit, path[0]->layer, &pruned);
    }
    kv_view_close(view);
    ASSERT(upto >= chain->provable_from); /* what is pruned never comes back */
    if (e == OK) {
        *out_from = upto;
    }
    return e;
}

/* Everything a block leaves beside its state goes into the log and its layer; nothing is visible yet. */
static enum err prepare_final(struct chain *chain, struct candidate *c, struct bytes finalization, uint64_t from) {
    const struct block_header *h = &c->block.header;
    enum err e = log_block(chain, c, finalization);
    if (e == OK) {
        e = block_entry_put(c->layer, h->height, c->hash, c->encoded, (uint32_t)c->block.tx_count, finalization);
    }
    if (e == OK && c->next != NULL) {
        e = chain_epoch_put(c->layer, c->next);
    }
    return e == OK ? chain_put_facts(chain, c->layer, h->height, c->hash, &c->root, from) : e;
}

/* All at once, so that no view has a head without a finalization. */
static enum err publish(struct chain *chain, struct candidate *const *path, size_t n, uint64_t from) {
    enum err e = OK;
    ASSERT(n > 0 && path[n - 1]->block.header.height == chain->head.header.height + 1);
    (void)pthread_mutex_lock(&chain->head_lock);
    for (size_t i = n; i-- > 0 && e == OK;) {
        e = kv_push(chain->kv, path[i]->layer);
    }
    if (e == OK) {
        chain->head.header = path[0]->block.header;
        memcpy(chain->head.hash, path[0]->hash, HASH_LEN);
        chain->root = path[0]->root;
        chain->provable_from = from;
        if (path[0]->next != NULL) {
            chain->epoch = *path[0]->next;
        }
    }
    (void)pthread_mutex_unlock(&chain->head_lock);
    return e;
}

static void drop_from_mempool(struct chain *chain, const struct candidate *c, uint64_t previous_ms) {
    ASSERT(c->block.header.time_ms > previous_ms);
    if (chain->mempool == NULL) {
        return;
    }
    for (size_t i = 0; i < c->block.tx_count; i++) {
        mempool_remove(chain->mempool, c->block.txs[i].id);
    }
    if (c->block.header.time_ms / 1000 != previous_ms / 1000) {
        (void)mempool_expire(chain->mempool, c->block.header.time_ms);
    }
}

/* Candidates that no longer descend from the head can never be final. */
static void drop_stale(struct chain *chain) {
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < CHAIN_CANDIDATES; i++) {
            struct candidate *c = &chain->candidates[i];
            if (c->status == CHAIN_UNKNOWN) {
                continue;
            }
            const uint8_t *parent = c->block.header.parent;
            bool low = c->block.header.height <= chain->head.header.height;
            bool forked =
                c->status == CHAIN_VALID && !chain_is_head(chain, parent) && chain_candidate(chain, parent) == NULL;
            if (low || forked) {
                chain_candidate_drop(chain, c);
                changed = true;
            }
        }
    }
}

/* The valid candidates from `hash` down to the child of the head, newest first. */
static enum err final_path(const struct chain *chain, const uint8_t hash[HASH_LEN],
                           struct candidate *out[LIMIT_UNFINAL_DEPTH], size_t *out_count) {
    size_t n = 0;
    struct candidate *c = chain_candidate(chain, hash);
    for (; c != NULL; c = chain_candidate(chain, c->block.header.parent)) {
        if (c->status != CHAIN_VALID || n == LIMIT_UNFINAL_DEPTH) {
            return ERR_INVALID;
        }
        out[n++] = c;
    }
    if (n == 0 || !chain_is_head(chain, out[n - 1]->block.header.parent)) {
        return ERR_NOTFOUND;
    }
    *out_count = n;
    return OK;
}

enum err chain_finalize(struct chain *chain, const uint8_t hash[HASH_LEN], struct bytes finalization,
                        void (*each)(void *arg, const struct block *block), void *arg) {
    struct candidate *path[LIMIT_UNFINAL_DEPTH];
    size_t n = 0;
    uint64_t from = 0, previous_ms = chain->head.header.time_ms;
    if (finalization.len == 0 && !chain->replaying) {
        return ERR_INVALID;
    }
    enum err e = final_path(chain, hash, path, &n);
    if (e == OK) {
        e = prune_versions(chain, path, n, &from);
    }
    for (size_t i = n; e == OK && i-- > 0;) {
        e = prepare_final(chain, path[i], i == 0 ? finalization : bytes_of(NULL, 0), from);
    }
    if (e == OK) {
        e = publish(chain, path, n, from);
    }
    if (e != OK) {
        return e;
    }
    ASSERT(chain_is_head(chain, hash) && chain->head.header.height == path[n - 1]->block.header.height + n - 1);
    for (size_t i = n; i-- > 0;) {
        drop_from_mempool(chain, path[i], previous_ms);
        previous_ms = path[i]->block.header.time_ms;
        if (each != NULL) {
            each(arg, &path[i]->block);
        }
    }
    ASSERT(path[0]->due.time_ms == chain->head.header.time_ms);
    chain->due = path[0]->due;
    drop_stale(chain);
    return chain_refresh(chain);
}

enum err chain_sync(struct chain *chain) {
    uint64_t last = seglog_last(chain->log);
    if (last <= chain->synced_height) {
        return OK;
    }
    enum err e = seglog_sync(chain->log);
    if (e != OK) {
        return chain_fail(chain, e, "block log: %s", seglog_error());
    }
    chain->synced_height = last;
    return OK;
}

enum err chain_refresh(struct chain *chain) {
    struct kv_view *view;
    enum err e = kv_view_open(chain->kv, &view);
    if (e != OK) {
        return e;
    }
    struct state state = state_of_view(view);
    struct params_record record;
    bool found = false;
    e = due_heads_move(&chain->due, &state, chain->head.header.time_ms);
    if (e == OK) {
        e = params_get(&state, &record, &found);
    }
    if (e == OK && found) {
        chain->params = record.params;
    }
    kv_view_close(view);
    return e;
}

bool chain_has_due(const struct chain *chain, uint64_t wall_ms) {
    uint64_t next_ms = due_heads_next(&chain->due);
    return next_ms != 0 && next_ms <= block_next_time(&chain->head.header, wall_ms);
}

/* ---- Upkeep ------------------------------------------------------------------------------------------------------ */

bool chain_checkpoint_due(const struct chain *chain) {
    return kv_pending_bytes(chain->kv) >= chain->checkpoint_bytes;
}

enum err chain_checkpoint_begin(struct chain *chain, struct kv_checkpoint **out) {
    ASSERT(!chain->replaying);
    /* The checkpoint must never know more than the log: a restart could not explain it. */
    enum err e = chain_sync(chain);
    return e == OK ? kv_checkpoint_begin(chain->kv, out) : e;
}

enum err chain_checkpoint_end(struct chain *chain, struct kv_checkpoint *checkpoint, enum err written) {
    return kv_checkpoint_end(chain->kv, checkpoint, written);
}

enum err chain_checkpoint_now(struct chain *chain) {
    struct kv_checkpoint *checkpoint;
    enum err e = kv_checkpoint_begin(chain->kv, &checkpoint);
    if (e != OK) {
        return e;
    }
    return kv_checkpoint_end(chain->kv, checkpoint, kv_checkpoint_write(checkpoint));
}
