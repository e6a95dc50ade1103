/* Execution of one block's operations on the state of its parent.
 *
 * Reads through a view that has the block's own layer on top and writes into that layer: state, tree nodes, receipts,
 * transaction index, history. What a refused transaction wrote is thrown away before anyone sees it.
 */
#ifndef ASSAY_NODE_LEDGER_EXECUTE_H
#define ASSAY_NODE_LEDGER_EXECUTE_H

#include "contracts/genesis/genesis.h"
#include "contracts/kernel/contract.h"
#include "contracts/kernel/due_queue.h"
#include "node/ledger/block.h"
#include "node/ledger/state_view.h"
#include "store/tree.h"

/* A receipt as it is hashed and stored:
 *   version 1 (1) | tx id (32) | code (4) | detail length (2), detail | result length (4), result */
struct receipt {
    uint8_t tx_id[HASH_LEN];
    uint32_t code;
    struct bytes detail;
    struct bytes result;
};
NODISCARD enum err receipt_decode(struct bytes encoded, struct receipt *out);

/* KV_TXS: tx id -> height (8) | index in the block (4) | receipt. */
NODISCARD enum err tx_entry_decode(struct bytes value, uint64_t *out_height, uint32_t *out_index,
                                   struct bytes *out_receipt);

/* KV_HISTORY: record key | 0x00 | height (8) | index (4) | n (2) -> tx id (32) | time ms (8) | signer (32) |
 * action length (1), action | detail. Index 0 is what the block does by itself, its due items above all (tx id and
 * signer are zeros), numbered by n through the block; transaction i has i + 1. */
struct history_entry {
    uint64_t height;
    uint32_t index;
    uint8_t tx_id[HASH_LEN];
    uint64_t time_ms;
    uint8_t signer[ED25519_KEY_LEN];
    struct bytes action;
    struct bytes detail;
};
#define HISTORY_KEY_SUFFIX (1 + 8 + 4 + 2)
NODISCARD enum err history_decode(struct bytes key, struct bytes value, struct history_entry *out);

/* What one operation may write at most; more is an answer, never a fault. */
struct operation_budget {
    unsigned writes; /* records, at most LIMIT_OPERATION_WRITES */
    unsigned notes;  /* entries of histories, at most LIMIT_OPERATION_NOTES */
    unsigned bytes;
};

struct execution {
    const struct verify_crypto *crypto;
    const uint8_t *chain_id;
    struct kv_view *view;   /* the parent's state with `layer` on top */
    struct kv_layer *layer; /* the block's own, being built */
    struct tree_cache *cache;
    struct tree_root parent_root;
    uint64_t *next_node_id;
    uint64_t height;
    uint64_t time_ms;
    struct operation_budget budget;
    const struct due_heads *due; /* of the parent's state or an ancestor's; NULL when nothing is known */
};

struct execution_result {
    struct tree_root root;
    uint8_t receipts_root[SHA256_LEN];
};

/* Runs what is due and `count` transactions whose admissibility the caller has checked. Each is an operation of its
 * own; one that would write more than the budget has no effect: a transaction's receipt says TOO_MANY_WRITES, a due
 * item is taken out of its queue (contracts/kernel/due_work.h). */
NODISCARD enum err execute_block(const struct execution *execution, const struct transaction *txs, size_t count,
                                 struct execution_result *out);

/* Lays the genesis records and gives the first root. */
NODISCARD enum err execute_genesis(const struct execution *execution, const struct genesis *genesis,
                                   struct tree_root *out);

#endif
