#include "node/ledger/chain_internal.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE_CACHE_NODES 16384
#define GENESIS_CACHE_NODES 1024 /* of a genesis that is only checked */

enum err chain_fail(struct chain *chain, enum err e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    why_vset(&chain->why, format, args);
    va_end(args);
    return e;
}

const char *chain_error(const struct chain *chain) {
    return chain->why.text;
}

const struct chain_head *chain_head(const struct chain *chain) {
    return &chain->head;
}

const char *chain_name(const struct chain *chain) {
    return chain->name;
}

const uint8_t *chain_id(const struct chain *chain) {
    return chain->id;
}

const struct genesis_params *chain_params(const struct chain *chain) {
    return &chain->params;
}

uint64_t chain_synced_height(const struct chain *chain) {
    return chain->synced_height;
}

/* ---- Opening and closing ----------------------------------------------------------------------------------------- */

static void genesis_header(const struct chain *chain, const struct genesis *genesis, const struct tree_root *root,
                           struct block_header *out) {
    *out = (struct block_header){.time_ms = genesis->time_ms};
    memcpy(out->chain_id, chain->id, CHAIN_ID_LEN);
    memcpy(out->state_root, root->hash, HASH_LEN);
    struct chain_epoch first;
    chain_epoch_of_genesis(genesis, chain->crypto, &first);
    memcpy(out->validators_hash, first.hash, HASH_LEN);
    memcpy(out->next_validators_hash, first.hash, HASH_LEN);
}

/* Lays the genesis state in a layer of its own and gives the genesis block. */
static enum err lay_genesis(struct chain *chain, const struct genesis *genesis, struct kv_layer **out_layer,
                            struct chain_head *out_head, struct tree_root *out_root) {
    struct branch branch = {.root = TREE_EMPTY};
    ASSERT(chain->next_node_id == 1 && chain->log == NULL); /* nothing came before it */
    struct kv_layer *layer;
    struct kv_view *view;
    enum err e = chain_open_above(chain, &branch, &layer, &view);
    if (e != OK) {
        return e;
    }
    struct execution x = chain_execution(chain, view, layer, TREE_EMPTY, 0, genesis->time_ms);
    struct tree_root root;
    e = execute_genesis(&x, genesis, &root);
    kv_view_close(view);
    struct chain_head head = {0};
    uint8_t encoded[BLOCK_HEADER_LEN];
    if (e == OK) {
        genesis_header(chain, genesis, &root, &head.header);
        block_header_encode(&head.header, encoded);
        block_header_hash(chain->crypto, encoded, head.hash);
        e = block_entry_put(layer, 0, head.hash, encoded, 0, bytes_of(NULL, 0));
    }
    if (e == OK) {
        e = chain_put_facts(chain, layer, 0, head.hash, &root, 0);
    }
    if (e == OK) {
        struct chain_epoch first;
        chain_epoch_of_genesis(genesis, chain->crypto, &first);
        e = chain_epoch_put(layer, &first);
    }
    if (e != OK) {
        kv_layer_unref(layer);
        return e;
    }
    *out_layer = layer;
    *out_head = head;
    *out_root = root;
    return OK;
}

static enum err start_store(struct chain *chain, const struct genesis *genesis) {
    struct kv_layer *layer;
    enum err e = lay_genesis(chain, genesis, &layer, &chain->head, &chain->root);
    if (e != OK) {
        return e;
    }
    e = kv_push(chain->kv, layer);
    kv_layer_unref(layer);
    return e == OK ? chain_checkpoint_now(chain) : e;
}

/* Takes up where the checkpoint stands. ERR_NOTFOUND: the store is new. */
static enum err load_head(struct chain *chain, struct kv_view *view) {
    struct bytes value;
    enum err e = kv_get(view, KV_META, bytes_str(CHAIN_META_HEAD), &value);
    if (e != OK) {
        return e;
    }
    struct reader r = reader_of(value);
    uint64_t height = read_u64(&r);
    read_bytes(&r, chain->head.hash, HASH_LEN);
    chain->root.id = read_u64(&r);
    read_bytes(&r, chain->root.hash, sizeof chain->root.hash);
    chain->next_node_id = read_u64(&r);
    chain->provable_from = read_u64(&r);
    struct block_entry entry;
    struct bytes encoded;
    uint8_t hash[HASH_LEN];
    if (!reader_done(&r) || block_entry_get(view, height, &entry, &encoded) != OK) {
        return chain_fail(chain, ERR_CORRUPT, "the store's head record is damaged");
    }
    block_header_hash(chain->crypto, encoded.data, hash);
    if (memcmp(hash, chain->head.hash, HASH_LEN) != 0 ||
        memcmp(entry.header.state_root, chain->root.hash, HASH_LEN) != 0) {
        return chain_fail(chain, ERR_CORRUPT, "the store's head record does not fit the block at its height");
    }
    chain->head.header = entry.header;
    uint64_t epoch = entry.header.epoch + (block_header_closes(&entry.header) ? 1 : 0);
    if (chain_epoch_get(chain->crypto, view, epoch, &chain->epoch) != OK ||
        memcmp(chain->epoch.hash, entry.header.next_validators_hash, HASH_LEN) != 0) {
        return chain_fail(chain, ERR_CORRUPT, "the store's record of epoch %llu is missing or damaged",
                          (unsigned long long)epoch);
    }
    return OK;
}

/* The hash of the genesis block that this genesis gives, worked out in a store of its own. */
static enum err genesis_hash(const struct chain *chain, const struct genesis *genesis, uint8_t out[HASH_LEN]) {
    struct chain *scratch = calloc(1, sizeof *scratch);
    struct kv_backend memory;
    struct kv_layer *layer = NULL;
    struct chain_head head;
    struct tree_root root;
    if (scratch == NULL) {
        return ERR_NOMEM;
    }
    scratch->crypto = chain->crypto;
    scratch->next_node_id = 1;
    memcpy(scratch->id, chain->id, CHAIN_ID_LEN);
    enum err e = tree_cache_new(GENESIS_CACHE_NODES, &scratch->cache);
    if (e == OK) {
        e = kv_memory_open(&memory);
    }
    if (e == OK) {
        e = kv_open(memory, &scratch->kv);
    }
    if (e == OK) {
        e = lay_genesis(scratch, genesis, &layer, &head, &root);
    }
    if (e == OK) {
        memcpy(out, head.hash, HASH_LEN);
    }
    kv_layer_unref(layer);
    kv_close(scratch->kv);
    tree_cache_free(scratch->cache);
    free(scratch);
    return e;
}

/* The store must have grown from this very genesis: chain id and time alone would let another first state through. */
static enum err check_genesis(struct chain *chain, struct kv_view *view, const struct genesis *genesis) {
    struct block_entry entry;
    struct bytes encoded;
    uint8_t stored[HASH_LEN], wanted[HASH_LEN];
    if (block_entry_get(view, 0, &entry, &encoded) != OK) {
        return chain_fail(chain, ERR_CORRUPT, "the store's genesis block is missing or damaged");
    }
    if (memcmp(entry.header.chain_id, chain->id, CHAIN_ID_LEN) != 0) {
        return chain_fail(chain, ERR_MISMATCH, "the store belongs to another chain than genesis.json");
    }
    block_header_hash(chain->crypto, encoded.data, stored);
    enum err e = genesis_hash(chain, genesis, wanted);
    if (e == OK && memcmp(stored, wanted, HASH_LEN) != 0) {
        e = chain_fail(chain, ERR_MISMATCH, "genesis.json was changed: it does not give the store's genesis block");
    }
    return e;
}

static enum err open_store(struct chain *chain, const struct genesis *genesis) {
    struct kv_view *view;
    enum err e = kv_view_open(chain->kv, &view);
    if (e != OK) {
        return e;
    }
    e = load_head(chain, view);
    bool fresh = e == ERR_NOTFOUND;
    if (e == OK) {
        e = check_genesis(chain, view, genesis);
    }
    kv_view_close(view);
    return fresh ? start_store(chain, genesis) : e;
}

static enum err replay_block(struct chain *chain, uint64_t sequence, uint8_t type, struct bytes record) {
    if (type != CHAIN_RECORD_BLOCK || record.len < 4 || load_u32(record.data) > record.len - 4) {
        return chain_fail(chain, ERR_CORRUPT, "block log: record %llu is not a block", (unsigned long long)sequence);
    }
    if (sequence > chain->head.header.height + 1) {
        return chain_fail(
            chain, ERR_CORRUPT,
            "the block log begins at %llu (older bodies were pruned), so the state can't be made again: move "
            "data/blocks and data/state away, or put a backup there",
            (unsigned long long)sequence);
    }
    size_t certificate_len = load_u32(record.data);
    struct bytes finalization = bytes_of(record.data + 4, certificate_len);
    struct bytes encoded = bytes_of(record.data + 4 + certificate_len, record.len - 4 - certificate_len);
    uint8_t hash[HASH_LEN];
    enum chain_status status;
    enum err e = chain_add(chain, encoded, NULL, hash);
    if (e == OK) {
        e = chain_execute(chain, hash, &status);
    }
    if (e == OK && status != CHAIN_VALID) {
        e = ERR_CORRUPT;
    }
    if (e == OK) {
        e = chain_finalize(chain, hash, finalization, NULL, NULL);
    }
    if (e == OK && chain_checkpoint_due(chain)) {
        e = chain_checkpoint_now(chain);
    }
    return e == OK || e == ERR_NOMEM || e == ERR_NOSPACE || e == ERR_IO
               ? e
               : chain_fail(chain, ERR_CORRUPT, "block log: block %llu does not follow from the one before (%s)",
                            (unsigned long long)sequence, err_text(e));
}

/* The blocks above the checkpoint. The log is open by now, so all of it is durable, and a checkpoint made on the way
 * never knows more than the log: read while it opens, a block that a killed process wrote may be in memory only. */
static enum err replay(struct chain *chain) {
    struct buffer record = BUFFER_INIT;
    uint64_t first = seglog_first(chain->log), last = seglog_last(chain->log), head = chain->head.header.height;
    enum err e = OK;
    chain->replaying = true;
    for (uint64_t sequence = head + 1 > first ? head + 1 : first; sequence <= last && e == OK; sequence++) {
        uint8_t type;
        buffer_reset(&record);
        e = seglog_read(chain->log, sequence, &type, &record);
        e = e == OK ? replay_block(chain, sequence, type, buffer_bytes(&record))
                    : chain_fail(chain, e, "block log: %s", seglog_error());
    }
    chain->replaying = false;
    buffer_free(&record);
    return e;
}

static enum err open_log(struct chain *chain, const struct chain_config *config) {
    char dir[512];
    int n = snprintf(dir, sizeof dir, "%s/blocks", config->dir);
    if (n < 0 || (size_t)n >= sizeof dir) {
        return chain_fail(chain, ERR_TOOLARGE, "home path is too long");
    }
    const struct seglog_config log = {.disk = config->disk,
                                      .dir = dir,
                                      .stem = "block",
                                      .segment_bytes = config->segment_bytes,
                                      .give_back = true,
                                      .trusted_below = chain->head.header.height + 1};
    enum err e = seglog_open(&log, NULL, NULL, &chain->log);
    if (e != OK) {
        return chain_fail(chain, e, "block log: %s", seglog_error());
    }
    chain->synced_height = seglog_last(chain->log);
    if (chain->synced_height < chain->head.header.height) {
        return chain_fail(chain, ERR_CORRUPT,
                          "the block log ends at %llu, before the checkpoint at %llu, so blocks are lost: move "
                          "data/blocks and data/state away, or put a backup there",
                          (unsigned long long)chain->synced_height, (unsigned long long)chain->head.header.height);
    }
    return replay(chain);
}

enum err chain_open(const struct chain_config *config, struct chain **out) {
    struct chain *chain = calloc(1, sizeof *chain);
    *out = chain; /* also on failure, so that chain_error() can be asked; the caller closes it */
    if (chain == NULL) {
        config->backend.ops->close(config->backend.ctx);
        return ERR_NOMEM;
    }
    chain->disk = config->disk;
    chain->crypto = config->crypto;
    chain->mempool = config->mempool;
    chain->version_keep_ms = config->version_keep_ms;
    chain->checkpoint_bytes = config->checkpoint_bytes;
    chain->limits = chain_limits_of(&config->limits);
    chain->next_node_id = 1;
    (void)pthread_mutex_init(&chain->head_lock, NULL);
    genesis_chain_id(config->genesis, config->crypto, chain->id);
    memcpy(chain->name, config->genesis->name, sizeof chain->name);
    chain_epoch_of_genesis(config->genesis, config->crypto, &chain->epoch);
    enum err e = tree_cache_new(TREE_CACHE_NODES, &chain->cache);
    if (e != OK) {
        config->backend.ops->close(config->backend.ctx);
    } else {
        e = kv_open(config->backend, &chain->kv);
    }
    if (e == OK) {
        e = open_store(chain, config->genesis);
    }
    if (e == OK) {
        e = open_log(chain, config);
    }
    if (e == OK) {
        e = chain_refresh(chain);
    }
    ASSERT(e != OK || seglog_last(chain->log) == chain->head.header.height); /* all of the log was executed */
    return e;
}

void chain_close(struct chain *chain) {
    if (chain == NULL) {
        return;
    }
    chain_candidates_drop_all(chain);
    seglog_close(chain->log);
    kv_close(chain->kv);
    tree_cache_free(chain->cache);
    (void)pthread_mutex_destroy(&chain->head_lock);
    free(chain);
}
