/* What the files of the chain share. */
#ifndef ASSAY_NODE_LEDGER_CHAIN_INTERNAL_H
#define ASSAY_NODE_LEDGER_CHAIN_INTERNAL_H

#include "base/why.h"
#include "node/ledger/chain_store.h"
#include "node/ledger/execute.h"
#include "store/seglog.h"

#include <pthread.h>

struct candidate {
    uint8_t hash[HASH_LEN];
    enum chain_status status; /* CHAIN_UNKNOWN: the slot is free */
    enum chain_worth worth;   /* at least */
    uint16_t payer;           /* a validator of the epoch */
    struct block block;
    uint8_t *encoded; /* owned; block borrows from it */
    struct kv_layer *layer;
    struct tree_root root;
    struct due_heads due;     /* of the state behind it */
    struct chain_epoch *next; /* owned; of a valid block that closes its epoch, NULL otherwise */
};

struct chain {
    struct disk disk;
    const struct verify_crypto *crypto;
    struct mempool *mempool;
    uint8_t id[CHAIN_ID_LEN];
    char name[GENESIS_NAME_MAX + 1];
    struct chain_epoch epoch;     /* of the head's children */
    struct genesis_params params; /* as of the head */
    uint64_t version_keep_ms;
    size_t checkpoint_bytes;
    struct kv *kv;
    struct tree_cache *cache;
    uint64_t next_node_id;
    struct due_heads due;   /* of the head's state */
    uint64_t synced_height; /* durable in the log */
    bool replaying;         /* while opening: the log is read, not written */
    struct chain_limits limits;
    struct chain_judge judge;
    struct candidate candidates[CHAIN_CANDIDATES]; /* the first limits.candidates are in use */
    size_t candidate_bytes;                        /* of their bodies */
    struct why why;                                /* chain_error */

    /* Readers on other threads take the lock for a few pointer copies; the log locks itself. */
    pthread_mutex_t head_lock;
    struct chain_head head;
    struct tree_root root;
    uint64_t provable_from; /* lowest height whose tree is whole */
    struct seglog *log;     /* sequence number = height; record = certificate length (4) | certificate | block */
};

#define CHAIN_RECORD_BLOCK 1

NODISCARD enum err block_entry_put(struct kv_layer *layer, uint64_t height, const uint8_t hash[HASH_LEN],
                                   const uint8_t encoded_header[BLOCK_HEADER_LEN], uint32_t tx_count,
                                   struct bytes finalization);

/* KV_META record of where the node stands: height (8) | hash (32) | root id (8) | root hash (32) | next node id (8) |
 * provable from (8). */
#define CHAIN_META_HEAD "head"
/* Writes that record and the root by height. */
NODISCARD enum err chain_put_facts(struct chain *chain, struct kv_layer *layer, uint64_t height, const uint8_t *hash,
                                   const struct tree_root *root, uint64_t provable_from);

void chain_epoch_of_genesis(const struct genesis *genesis, const struct verify_crypto *crypto, struct chain_epoch *out);
NODISCARD enum err chain_epoch_put(struct kv_layer *layer, const struct chain_epoch *epoch);
/* The epoch that begins behind the block at `height` whose writes the view sees: NULL when the set stays, otherwise
 * the caller's to free. */
NODISCARD enum err chain_epoch_after(const struct chain *chain, struct kv_view *view, uint64_t height,
                                     struct chain_epoch **out);

/* Candidates: NULL when there is none; take copies and decodes into a free slot, for which others may go. */
struct candidate *chain_candidate(const struct chain *chain, const uint8_t hash[HASH_LEN]);
NODISCARD enum err chain_candidate_take(struct chain *chain, struct bytes encoded, const struct chain_offer *offer,
                                        struct candidate **out);
void chain_candidate_drop(struct chain *chain, struct candidate *c);
void chain_candidates_drop_all(struct chain *chain);
/* The limits that hold when these are configured. */
struct chain_limits chain_limits_of(const struct chain_limits *configured);
bool chain_is_head(const struct chain *chain, const uint8_t hash[HASH_LEN]);

/* The state of a block: its ancestors' layers above the final head, oldest first, with room for one of its own. */
struct branch {
    struct kv_layer *layers[LIMIT_UNFINAL_DEPTH + 1];
    size_t count;
    struct tree_root root;
    struct due_heads due;
    struct block_header header; /* of the parent */
};
/* A fresh layer on top of a branch and a view that sees both. */
NODISCARD enum err chain_open_above(struct chain *chain, struct branch *branch, struct kv_layer **out_layer,
                                    struct kv_view **out_view);
struct execution chain_execution(struct chain *chain, struct kv_view *view, struct kv_layer *layer,
                                 struct tree_root parent, uint64_t height, uint64_t time_ms);

/* What is kept at hand of the head's state. */
NODISCARD enum err chain_refresh(struct chain *chain);
NODISCARD enum err chain_checkpoint_now(struct chain *chain);

enum err chain_fail(struct chain *chain, enum err e, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
