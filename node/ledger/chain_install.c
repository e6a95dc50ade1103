#include "node/ledger/chain_install.h"

#include "base/assert.h"
#include "contracts/governance/governance.h"
#include "node/ledger/chain_internal.h"
#include "node/ledger/chain_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_BYTES (16u << 20) /* gathered before they go to the disk */
#define CLEAR_BATCH 4096u
#define CACHE_NODES 4096

struct chain_install {
    const struct verify_crypto *crypto;
    uint64_t first, height;
    struct kv *kv;
    struct seglog *log;
    struct tree_cache *cache;
    struct kv_layer *layer; /* being filled */
    struct tree_change *changes;
    size_t change_count, change_cap;
    struct tree_root root;
    uint64_t next_node_id;
    struct buffer scratch;
};

/* ---- Beginning --------------------------------------------------------------------------------------------------- */

/* Lets the chain itself lay the genesis, whose block stays. */
static enum err lay_genesis(const struct chain_install_config *config, const char *state) {
    struct chain_config chain = {.disk = config->disk,
                                 .dir = config->dir,
                                 .genesis = config->genesis,
                                 .crypto = config->crypto,
                                 .segment_bytes = config->segment_bytes};
    struct chain *opened = NULL;
    enum err e = config->state.open(&config->state, state, false, &chain.backend);
    if (e == OK) {
        e = chain_open(&chain, &opened);
        chain_close(opened);
    }
    return e;
}

static enum err write_out(struct chain_install *in) {
    struct kv_checkpoint *checkpoint;
    enum err e = kv_checkpoint_begin(in->kv, &checkpoint);
    if (e == ERR_NOTFOUND) {
        return OK;
    }
    return e == OK ? kv_checkpoint_end(in->kv, checkpoint, kv_checkpoint_write(checkpoint)) : e;
}

/* Puts the layer on top and begins another. */
static enum err push_layer(struct chain_install *in) {
    struct kv_layer *next;
    enum err e = kv_layer_new(&next);
    if (e != OK) {
        return e;
    }
    e = kv_push(in->kv, in->layer);
    kv_layer_unref(in->layer);
    in->layer = next;
    return e;
}

/* Deletes up to CLEAR_BATCH entries of a table; gives how many there were. */
static enum err clear_some(struct chain_install *in, enum kv_table table, size_t *out_count) {
    struct kv_view *view;
    size_t count = 0;
    enum err e = kv_view_open(in->kv, &view);
    if (e != OK) {
        return e;
    }
    uint8_t from[KV_KEY_MAX + 1] = {0};
    size_t from_len = 1;
    while (e == OK && count < CLEAR_BATCH) {
        struct bytes key, value;
        e = kv_seek(view, table, bytes_of(from, from_len), &key, &value);
        if (e == OK) {
            e = kv_layer_delete(in->layer, table, key);
        }
        if (e == OK) {
            memcpy(from, key.data, key.len);
            from[key.len] = 0;
            from_len = key.len + 1;
            count++;
        }
    }
    kv_view_close(view);
    *out_count = count;
    return e == ERR_NOTFOUND ? OK : e;
}

/* The genesis' state and tree make room for the snapshot's. */
static enum err clear_genesis(struct chain_install *in) {
    static const enum kv_table tables[] = {KV_STATE, KV_NODES, KV_ROOTS, KV_STALE};
    enum err e = OK;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (size_t count = CLEAR_BATCH; e == OK && count == CLEAR_BATCH;) {
            e = clear_some(in, tables[i], &count);
            if (e == OK) {
                e = push_layer(in);
            }
            if (e == OK) {
                e = write_out(in);
            }
        }
    }
    return e;
}

static enum err open_parts(struct chain_install *in, const struct chain_install_config *config, const char *state,
                           const char *blocks) {
    struct kv_backend backend;
    const struct seglog_config log = {.disk = config->disk,
                                      .dir = blocks,
                                      .stem = "block",
                                      .segment_bytes = config->segment_bytes,
                                      .begin_at = config->first};
    enum err e = config->state.open(&config->state, state, false, &backend);
    if (e == OK) {
        e = kv_open(backend, &in->kv);
    }
    if (e == OK) {
        e = seglog_open(&log, NULL, NULL, &in->log);
    }
    if (e == OK) {
        e = tree_cache_new(CACHE_NODES, &in->cache);
    }
    return e == OK ? kv_layer_new(&in->layer) : e;
}

enum err chain_install_begin(const struct chain_install_config *config, struct chain_install **out) {
    char state[512], blocks[512];
    int n = snprintf(state, sizeof state, "%s/state", config->dir);
    int m = snprintf(blocks, sizeof blocks, "%s/blocks", config->dir);
    if (n < 0 || (size_t)n >= sizeof state || m < 0 || (size_t)m >= sizeof blocks) {
        return ERR_TOOLARGE;
    }
    struct chain_install *in = calloc(1, sizeof *in);
    if (in == NULL) {
        return ERR_NOMEM;
    }
    in->crypto = config->crypto;
    in->first = config->first;
    in->height = config->height;
    in->next_node_id = 1;
    enum err e = lay_genesis(config, state);
    if (e == OK) {
        e = open_parts(in, config, state, blocks);
    }
    if (e == OK) {
        e = clear_genesis(in);
    }
    if (e != OK) {
        chain_install_free(in);
        return e;
    }
    *out = in;
    return OK;
}

void chain_install_free(struct chain_install *install) {
    if (install == NULL) {
        return;
    }
    kv_layer_unref(install->layer);
    seglog_close(install->log);
    kv_close(install->kv);
    tree_cache_free(install->cache);
    free(install->changes);
    buffer_free(&install->scratch);
    free(install);
}

/* ---- State ------------------------------------------------------------------------------------------------------- */

enum err chain_install_leaf(struct chain_install *install, struct bytes key, struct bytes value,
                            const uint8_t hashed[HASH_LEN], const uint8_t value_hash[HASH_LEN]) {
    if (install->change_count == install->change_cap) {
        size_t cap = install->change_cap == 0 ? 1024 : install->change_cap * 2;
        struct tree_change *grown = realloc(install->changes, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NOMEM;
        }
        install->changes = grown;
        install->change_cap = cap;
    }
    struct tree_change *change = &install->changes[install->change_count++];
    *change = (struct tree_change){0};
    memcpy(change->key, hashed, HASH_LEN);
    memcpy(change->value_hash, value_hash, HASH_LEN);
    return kv_layer_put(install->layer, KV_STATE, key, value);
}

enum err chain_install_flush(struct chain_install *install) {
    struct kv_view *view;
    enum err e = kv_view_open(install->kv, &view);
    if (e != OK) {
        return e;
    }
    e = tree_update(install->crypto, view, install->cache, install->root, install->changes, install->change_count,
                    install->height, &install->next_node_id, install->layer, &install->root);
    kv_view_close(view);
    install->change_count = 0;
    if (e == OK) {
        e = push_layer(install);
    }
    if (e == OK && kv_pending_bytes(install->kv) >= WRITE_BYTES) {
        e = write_out(install);
    }
    return e;
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

static enum err log_block(struct chain_install *in, const struct block *block, struct bytes finalization) {
    uint64_t sequence = 0;
    buffer_reset(&in->scratch);
    buffer_u32(&in->scratch, (uint32_t)finalization.len);
    buffer_put(&in->scratch, finalization.data, finalization.len);
    buffer_put(&in->scratch, block->encoded.data, block->encoded.len);
    enum err e = buffer_ok(&in->scratch);
    if (e == OK) {
        e = seglog_append(in->log, CHAIN_RECORD_BLOCK, buffer_bytes(&in->scratch), &sequence);
    }
    return e == OK && sequence != block->header.height ? ERR_RANGE : e;
}

static enum err index_transaction(struct chain_install *in, const struct block *block, uint32_t index,
                                  struct bytes receipt) {
    const struct transaction *tx = &block->txs[index];
    buffer_reset(&in->scratch);
    buffer_u64(&in->scratch, block->header.height);
    buffer_u32(&in->scratch, index);
    buffer_put(&in->scratch, receipt.data, receipt.len);
    enum err e = buffer_ok(&in->scratch);
    if (e == OK) {
        e = kv_layer_put(in->layer, KV_TXS, bytes_of(tx->id, HASH_LEN), buffer_bytes(&in->scratch));
    }
    for (size_t i = 0; i < tx->signer_count && e == OK; i++) {
        uint8_t key[ED25519_KEY_LEN + 12];
        memcpy(key, tx->signers[i], ED25519_KEY_LEN);
        store_u64(key + ED25519_KEY_LEN, block->header.height);
        store_u32(key + ED25519_KEY_LEN + 8, index);
        e = kv_layer_put(in->layer, KV_SENDERS, bytes_of(key, sizeof key), bytes_of(tx->id, HASH_LEN));
    }
    return e;
}

/* Whatever is known already of the block at a height: a closing block's finalization must outlive its body. */
static enum err known_finalization(struct chain_install *in, uint64_t height, struct bytes given, struct buffer *out) {
    struct kv_view *view;
    struct block_entry entry;
    buffer_put(out, given.data, given.len);
    if (given.len > 0) {
        return buffer_ok(out);
    }
    struct kv_layer *const layers[] = {in->layer};
    enum err e = kv_view_open_above(in->kv, layers, 1, &view);
    if (e != OK) {
        return e;
    }
    e = block_entry_get(view, height, &entry, NULL);
    if (e == OK) {
        buffer_put(out, entry.finalization.data, entry.finalization.len);
        e = buffer_ok(out);
    }
    kv_view_close(view);
    return e == ERR_NOTFOUND ? OK : e;
}

enum err chain_install_block(struct chain_install *install, const struct block *block, const struct bytes *receipts,
                             struct bytes finalization) {
    struct buffer known = BUFFER_INIT;
    ASSERT(block->tx_count == 0 || receipts != NULL); /* a receipt each */
    enum err e = known_finalization(install, block->header.height, finalization, &known);
    if (e == OK) {
        e = log_block(install, block, buffer_bytes(&known));
    }
    if (e == OK) {
        e = block_entry_put(install->layer, block->header.height, block->hash, block->encoded.data,
                            (uint32_t)block->tx_count, buffer_bytes(&known));
    }
    for (size_t i = 0; i < block->tx_count && e == OK; i++) {
        e = index_transaction(install, block, (uint32_t)i, receipts[i]);
    }
    buffer_free(&known);
    return e;
}

enum err chain_install_epoch(struct chain_install *install, uint64_t number, struct bytes closing,
                             struct bytes finalization, struct bytes set) {
    struct block_header header;
    uint8_t key[8], hash[HASH_LEN];
    if (closing.len != BLOCK_HEADER_LEN || block_header_decode(closing.data, &header) != GOOD) {
        return ERR_MALFORMED;
    }
    block_header_hash(install->crypto, closing.data, hash);
    /* How many transactions the block had is not known here; its body would say, and is not kept below the window. */
    enum err e = block_entry_put(install->layer, header.height, hash, closing.data, 0, finalization);
    store_u64(key, number);
    buffer_reset(&install->scratch);
    buffer_u64(&install->scratch, header.height);
    buffer_put(&install->scratch, set.data, set.len);
    if (e == OK) {
        e = buffer_ok(&install->scratch);
    }
    return e == OK ? kv_layer_put(install->layer, KV_EPOCHS, bytes_of(key, sizeof key), buffer_bytes(&install->scratch))
                   : e;
}

/* ---- The end ----------------------------------------------------------------------------------------------------- */

static enum err put_height(struct chain_install *in, const char *name, uint64_t height) {
    uint8_t value[8];
    store_u64(value, height);
    return kv_layer_put(in->layer, KV_META, bytes_str(name), bytes_of(value, sizeof value));
}

/* The record that makes it a store (chain_state.h), and the root by height. */
static enum err put_head(struct chain_install *in, const struct block_header *header) {
    uint8_t encoded[BLOCK_HEADER_LEN], hash[HASH_LEN], height[8];
    struct buffer *b = &in->scratch;
    block_header_encode(header, encoded);
    block_header_hash(in->crypto, encoded, hash);
    store_u64(height, header->height);
    buffer_reset(b);
    buffer_u64(b, in->root.id);
    buffer_put(b, in->root.hash, sizeof in->root.hash);
    enum err e = buffer_ok(b);
    if (e == OK) {
        e = kv_layer_put(in->layer, KV_ROOTS, bytes_of(height, sizeof height), buffer_bytes(b));
    }
    buffer_reset(b);
    buffer_u64(b, header->height);
    buffer_put(b, hash, HASH_LEN);
    buffer_u64(b, in->root.id);
    buffer_put(b, in->root.hash, sizeof in->root.hash);
    buffer_u64(b, in->next_node_id);
    buffer_u64(b, header->height); /* older trees cannot be proven */
    if (e == OK) {
        e = buffer_ok(b);
    }
    return e == OK ? kv_layer_put(in->layer, KV_META, bytes_str(CHAIN_META_HEAD), buffer_bytes(b)) : e;
}

/* A block that closes its epoch says who follows by hash alone, and no proof of it has the set: the state does. */
static enum err put_next_epoch(struct chain_install *in, const struct block_header *header) {
    struct kv_view *view;
    struct chain_epoch next = {.number = header->epoch + 1, .closing_height = header->height};
    uint8_t hash[HASH_LEN];
    if (!block_header_closes(header)) {
        return OK;
    }
    enum err e = kv_view_open(in->kv, &view);
    if (e != OK) {
        return e;
    }
    const struct state state = state_of_view(view);
    e = governance_validators(&state, next.keys, &next.count);
    kv_view_close(view);
    if (e == OK) {
        const struct validator_set set = chain_epoch_set(&next);
        validators_hash(in->crypto, &set, hash);
        e = memcmp(hash, header->next_validators_hash, HASH_LEN) == 0 ? OK : ERR_MISMATCH;
    }
    return e == OK ? chain_epoch_put(in->layer, &next) : e;
}

enum err chain_install_finish(struct chain_install *install, const struct block_header *header) {
    enum err e = chain_install_flush(install);
    if (e == OK && (memcmp(install->root.hash, header->state_root, HASH_LEN) != 0 ||
                    header->height != install->height || seglog_last(install->log) != header->height)) {
        e = ERR_MISMATCH;
    }
    if (e == OK) {
        e = seglog_sync(install->log); /* the store must never know more than the log */
    }
    if (e == OK) {
        e = put_next_epoch(install, header);
    }
    if (e == OK) {
        e = put_head(install, header);
    }
    if (e == OK) {
        e = put_height(install, CHAIN_META_INDEX, install->first);
    }
    if (e == OK) {
        e = put_height(install, CHAIN_META_BODIES, install->first);
    }
    if (e == OK) {
        e = push_layer(install);
    }
    return e == OK ? write_out(install) : e;
}
